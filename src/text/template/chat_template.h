// Chat templates: conversations as one text, in the form that a model was trained on.
#pragma once

#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "config/json.h"
#include "text/template/syntax.h"
#include "text/tokenizer.h"

namespace llmctl {

/// What a template is rendered with.
struct ChatRequest {
  Json messages = Json::array();  ///< of {"role", "content", …}
  Json tools;                     ///< a list, or null
  bool add_generation_prompt = false;
  Json variables = Json::object();       ///< others, such as enable_thinking
  std::vector<std::size_t> marked = {};  ///< messages whose contents are marked in the result
};

struct RenderedChat {
  std::string text;
  std::vector<ByteSpan> assistant;  ///< what {% generation %} blocks wrote, in bytes of the text
  /// One byte for each of the text's: kFromMessages for what came from the messages, of which
  /// kMarkedContent for the contents of marked ones, else 0; empty: nothing did.
  std::string data;
  static constexpr char kFromMessages = 1, kMarkedContent = 2;
};

/// A Jinja template under the rules of Hugging Face's transformers, in a bounded interpreter of our
/// own. Thread-safe once built.
class ChatTemplate {
 public:
  /// kData, "chat template line N: what", for a template that does not parse. `bos` and `eos` are
  /// what the variables bos_token and eos_token give.
  explicit ChatTemplate(std::string source, std::string bos = "", std::string eos = "");

  /// One of builtin_names(); kUsage for others.
  static ChatTemplate builtin(const std::string& name, const std::string& bos,
                              const std::string& eos);
  static std::vector<std::string> builtin_names();
  /// The template of a model directory: chat_template.jinja, else "chat_template" of
  /// tokenizer_config.json (of several named ones "tool_use" with tools, else "default"); of a
  /// single file that holds a model the one that its tokenizer came with. Nothing where there is
  /// none.
  static std::optional<ChatTemplate> of_directory(const std::filesystem::path& directory,
                                                  const Tokenizer& tokenizer,
                                                  bool with_tools = false);

  const std::string& source() const { return source_; }
  /// kData for what the template raises, and for one without end.
  RenderedChat render(const ChatRequest& request) const;
  /// The ids of the rendered text. Names of special tokens are those tokens where the template
  /// wrote them, and ordinary text in what came from the messages.
  std::vector<TokenId> render_ids(const Tokenizer& tokenizer, const ChatRequest& request) const;
  /// What of the conversation the template's source never names, so that it would be lost without
  /// a word: "tools", "tool_calls", "messages of tools", "a content that is null"; "" when all is
  /// named.
  std::string overlooked(const ChatRequest& request) const;
  /// What ends an assistant's turn in this template: the token, if it is one, else the text (""
  /// when nothing does).
  struct TurnEnd {
    std::optional<TokenId> token;
    std::string text;
  };
  TurnEnd turn_end(const Tokenizer& tokenizer) const;

 private:
  std::string source_, bos_, eos_;
  std::shared_ptr<const jinja::Block> block_;
};

}  // namespace llmctl
