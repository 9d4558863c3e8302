#include "runs/labelled_rows.h"

#include <algorithm>

#include "base/error.h"
#include "base/strings.h"
#include "base/terminal.h"
#include "base/utf8.h"
#include "report/table.h"
#include "runs/task_assembly.h"

namespace llmctl {
namespace {

constexpr int kIgnored = -100;  // of transformers' labels

/// "84 tokens, 12 learned", with the other labels.
std::string heading(const LabelledRow& row) {
  std::vector<std::string> parts;
  for (const LabelledPart& part : row.parts) {
    std::size_t learned = 0;
    for (const LabelledToken& token : part.tokens) learned += token.learned ? 1 : 0;
    parts.push_back(concat(part.name.empty() ? "" : part.name + " ", part.tokens.size(),
                           " tokens, ", learned, " learned"));
  }
  std::string text = row.place + ": " + join(parts, "; ");
  for (const auto& [name, value] : row.facts.items())
    text +=
        concat(", ", name, " ", value.is_string() ? value.get<std::string>() : dump_json(value));
  return text;
}

/// The tokens' texts, those that belong together as one.
std::string highlighted(int fd, const LabelledPart& part) {
  std::string out;
  const bool colour = use_color(fd);
  for (std::size_t begin = 0; begin < part.tokens.size();) {
    const LabelledToken& first = part.tokens[begin];
    std::size_t end = begin;
    std::string text;
    do {
      text += part.tokens[end++].text;
    } while (end < part.tokens.size() && first.tag.empty() && part.tokens[end].tag.empty() &&
             part.tokens[end].learned == first.learned);
    begin = end;
    text = escape_control(text);
    if (!first.learned) {
      out += styled(fd, Style::kDim, text);
      continue;
    }
    // The blank before a word is the text's, not the mark's.
    const std::size_t blanks = std::min(text.find_first_not_of(' '), text.size());
    out += text.substr(0, blanks);
    text.erase(0, blanks);
    const std::string tag = first.tag.empty() ? "" : "/" + escape_control(first.tag);
    out += colour ? styled(fd, Style::kGreen, text) +
                        (tag.empty() ? "" : styled(fd, Style::kYellow, tag))
                  : "⟦" + text + tag + "⟧";
  }
  return out;
}

Json label_of(const LabelledToken& token) {
  if (!token.tag.empty()) return token.tag;
  return token.learned ? Json(token.id) : Json(kIgnored);
}

}  // namespace

std::vector<LabelledRow> labelled_rows_of(const JsonDocument& document, std::size_t first,
                                          std::size_t count) {
  const ConfigNode root = root_node(document);
  AssembledTask assembled = assemble_task(root, read_training_config(root), "finetune");
  if (!assembled.raw_text) {
    assembled.data.keep_places = true;
    assembled.task->read(assembled.data);
  }
  return assembled.task->labelled_rows(first, count);
}

Json to_json(const LabelledRow& row) {
  Json parts = Json::array();
  for (const LabelledPart& part : row.parts) {
    Json ids = Json::array(), labels = Json::array(), tokens = Json::array(), spans = Json::array();
    bool placed = false;
    for (const LabelledToken& token : part.tokens) {
      ids.push_back(token.id);
      labels.push_back(label_of(token));
      tokens.push_back(replace_invalid_utf8(token.piece));
      spans.push_back(token.span ? Json{token.span->begin, token.span->end} : Json());
      placed = placed || token.span;
    }
    Json one = {
        {"ids", std::move(ids)}, {"labels", std::move(labels)}, {"tokens", std::move(tokens)}};
    if (!part.name.empty()) one["name"] = part.name;
    if (placed) one["spans"] = std::move(spans);
    parts.push_back(std::move(one));
  }
  Json out = {{"place", row.place}, {"parts", std::move(parts)}};
  out.update(row.facts);
  return out;
}

std::string render_row(int fd, const LabelledRow& row) {
  std::string text = styled(fd, Style::kBold, heading(row)) + "\n";
  for (const LabelledPart& part : row.parts) {
    if (!part.name.empty()) text += styled(fd, Style::kCyan, part.name + ":") + "\n";
    text += highlighted(fd, part) + "\n";
  }
  return text;
}

std::string render_tokens(int fd, const LabelledRow& row) {
  std::string text = styled(fd, Style::kBold, heading(row)) + "\n";
  for (const LabelledPart& part : row.parts) {
    Table table({{"", Align::kRight}, {"id", Align::kRight}, {"token"}, {"label"}});
    for (std::size_t i = 0; i < part.tokens.size(); ++i) {
      const LabelledToken& token = part.tokens[i];
      const std::string label =
          token.tag.empty() && token.learned ? std::to_string(token.id) : token.tag;
      table.add_row({std::to_string(i), std::to_string(token.id), escape_control(token.piece),
                     token.learned ? label : "–"});
    }
    if (!part.name.empty()) text += styled(fd, Style::kCyan, part.name + ":") + "\n";
    text += table.render(fd);
  }
  return text;
}

}  // namespace llmctl
