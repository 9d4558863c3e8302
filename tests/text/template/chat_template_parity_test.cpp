// Chat templates against what transformers renders.
#include <gtest/gtest.h>

#include "base/error.h"
#include "base/utf8.h"
#include "support/parity_dir.h"
#include "text/template/chat_template.h"

namespace llmctl {
namespace {

/// What a template raised, without the place that the error names.
std::string message_of(const Error& error) {
  const std::string text = error.what();
  const std::size_t line = text.find("chat template line ");
  return line == 0 ? text.substr(text.find(": ") + 2) : text;
}

TEST(ChatTemplateParity, Cases) {
  LLMCTL_NEEDS_PARITY("templates/cases.json");
  const Json golden = load_json(test::parity_dir() / "templates/cases.json");
  std::size_t count = 0;
  for (const Json& entry : golden["cases"]) {
    const std::string name = entry["template"], conversation = entry["conversation"];
    SCOPED_TRACE(std::to_string(count) + " " + name + " " + conversation);
    ++count;
    ChatRequest request;
    request.messages = golden["conversations"][conversation];
    request.add_generation_prompt = entry["add_generation_prompt"].get<bool>();
    if (entry["tools"].get<bool>()) request.tools = golden["tools"];
    request.variables = entry["variables"];
    request.variables.erase("bos_token");
    request.variables.erase("eos_token");
    try {
      const ChatTemplate chat(golden["templates"][name].get<std::string>(),
                              entry["variables"].value("bos_token", ""),
                              entry["variables"].value("eos_token", ""));
      const RenderedChat rendered = chat.render(request);
      if (entry.contains("error")) {
        ADD_FAILURE() << "rendered " << rendered.text << ", expected " << entry["error"];
        continue;
      }
      EXPECT_EQ(rendered.text, entry["text"].get<std::string>());
      if (entry.contains("assistant_spans")) {
        Json spans = Json::array();
        for (const ByteSpan span : character_offsets(rendered.text, rendered.assistant)) {
          spans.push_back({span.begin, span.end});
        }
        EXPECT_EQ(spans, entry["assistant_spans"]);
      }
      EXPECT_TRUE(rendered.data.empty() || rendered.data.size() == rendered.text.size());
    } catch (const Error& error) {
      ASSERT_TRUE(entry.contains("error")) << error.what();
      EXPECT_EQ(message_of(error), entry["error"].get<std::string>());
    }
  }
  EXPECT_GT(count, 0u);
}

}  // namespace
}  // namespace llmctl
