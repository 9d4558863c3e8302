#include "tasks/translation_answers.h"

#include <algorithm>
#include <utility>

#include "base/error.h"
#include "base/strings.h"
#include "base/utf8.h"
#include "base/white_space.h"
#include "tasks/record_names.h"
#include "tasks/text_answers.h"
#include "text/sentences.h"

namespace llmctl {
namespace {

/// The text of an encoder-decoder. The mark of its direction is no more a part of what the user
/// wrote than what the tokenizer puts around it.
EncodedPrompt encode_marked_source(const TranslationForm& form, const SourceText& source,
                                   const std::string& place) {
  const std::string text = form.source_text(source);
  EncodedPrompt prompt = encode_source(*form.tokenizer(), text, place);
  const std::string_view prefix =
                             std::string_view(text).substr(0, text.size() - source.text.size()),
                         mark = trim_white_space(prefix);
  if (mark.empty()) return prompt;
  const auto end = static_cast<std::size_t>(mark.data() + mark.size() - text.data());
  for (const ByteSpan& span : form.tokenizer()->encode_with_offsets(text).offsets) {
    // The space behind a mark is the first word's.
    if (span.begin >= end || span.end > end) break;
    ++prompt.opening;
  }
  return prompt;
}

/// Source texts as the model reads them.
class SourceForm : public PromptForm {
 public:
  SourceForm(TranslationForm form, std::string to) : form_(std::move(form)), to_(std::move(to)) {}

  EncodedPrompt encode(const AnswerInput& input) const override {
    const SourceText source = read_source(input, form_.config(), to_);
    if (form_.encoder_decoder()) return encode_marked_source(form_, source, input.place);
    return {form_.prompt(source), false, input.place};
  }
  std::optional<TokenId> end_token() const override {
    return form_.conversation() ? form_.conversation()->end_token() : std::nullopt;
  }
  bool trims() const override { return true; }
  Json settings() const override {
    Json settings = {{"prefix", form_.config().prefix.value_or("")},
                     {"directions", form_.config().directions},
                     {"to", to_}};
    if (form_.conversation()) settings["template"] = form_.conversation()->chat_template();
    return settings;
  }

 private:
  TranslationForm form_;
  std::string to_;
};

/// The settings of scored translations: the model's, with what the task's section says.
GenerationSettings scored_settings(const Model& model, const TranslationForm& form,
                                   const TranslateOptions& how) {
  const TranslationConfig& config = form.config();
  AnswerOptions options;
  options.config_directory = how.config_directory;
  options.generation = {
      {"do_sample", false}, {"too_long", "truncate"}, {"batch_size", how.batch_size}};
  if (config.num_beams) options.generation["num_beams"] = *config.num_beams;
  if (config.max_new_tokens) {
    options.generation["max_new_tokens"] = *config.max_new_tokens;
  } else if (!form.encoder_decoder()) {
    options.generation["max_new_tokens"] = 256;
  }
  GenerationSettings settings =
      generation_settings(options, model.config(), form.encoder_decoder(), *form.tokenizer());
  if (form.conversation()) {
    if (const auto end = form.conversation()->end_token()) settings.add_eos(*end);
  }
  return settings;
}

}  // namespace

std::vector<GeneratedText> translate(Model& model, const TranslationForm& form,
                                     const std::vector<const TextPair*>& pairs,
                                     const TranslateOptions& options) {
  std::vector<EncodedPrompt> prompts;
  for (const TextPair* pair : pairs) {
    EncodedPrompt& prompt = prompts.emplace_back();
    const SourceText source{pair->source, pair->direction};
    if (form.encoder_decoder()) {
      prompt = encode_marked_source(form, source, "a source text");
    } else {
      prompt.ids = form.prompt(source);
      prompt.continues = false;
    }
  }
  const GenerationSettings settings = scored_settings(model, form, options);
  Engine engine(model, engine_options(settings, *form.tokenizer()), options.context);
  std::vector<GeneratedText> best;
  for (auto& samples : generate_texts(engine, model.facts(), form.tokenizer(), prompts, settings)) {
    best.push_back(std::move(samples.front()));
    best.back().text = std::string(trim_white_space(best.back().text));
  }
  return best;
}

namespace {

/// A text and the translations of its sentences, put together.
class DocumentAnswer : public Answer {
 public:
  DocumentAnswer(std::string text, Json sentences)
      : text_(std::move(text)), sentences_(std::move(sentences)) {}
  Json record() const override { return {{"generated_text", text_}, {"sentences", sentences_}}; }
  std::string text() const override { return text_; }

 private:
  std::string text_;
  Json sentences_;
};

/// A sentence of a document, and what stands before it there.
struct Sentence {
  std::string text;
  std::string before;  // line breaks and the white space between
};

struct Document {
  std::vector<Sentence> sentences;
  std::string behind;  // the last one
};

Document cut_document(const std::string& text) {
  Document document;
  std::size_t done = 0;  // of the text
  for (std::size_t begin = 0; begin <= text.size();) {
    const std::size_t end = std::min(text.find('\n', begin), text.size());
    const std::string_view line = std::string_view(text).substr(begin, end - begin);
    for (const std::string_view sentence : split_sentences(line)) {
      const auto at = static_cast<std::size_t>(sentence.data() - text.data());
      document.sentences.push_back({std::string(sentence), text.substr(done, at - done)});
      done = at + sentence.size();
    }
    begin = end + 1;
  }
  document.behind = text.substr(done);
  return document;
}

/// What separates a translated sentence from the one before it: the source's own, but a space where
/// the source's script has none and the translation's does, and none the other way round.
std::string separator(const std::string& before, const std::string& last, const std::string& next) {
  if (before.find('\n') != before.npos || last.empty() || next.empty()) return before;
  const std::vector<char32_t> left = code_points(last), right = code_points(next);
  const auto is_wide = [](char32_t c) {
    return is_cjk(c) || (c >= 0x3000 && c <= 0x30FF) || (c >= 0xFF01 && c <= 0xFF60);
  };
  if (is_wide(left.back()) && is_wide(right.front())) return "";
  return before.empty() ? " " : before;
}

class DocumentTranslator : public Responder {
 public:
  DocumentTranslator(std::unique_ptr<TextResponder> sentences, TranslationForm form, std::string to)
      : sentences_(std::move(sentences)), form_(std::move(form)), to_(std::move(to)) {}

  Json input_of(const std::string& text) const override { return {{"text", text}}; }
  void check(std::span<const AnswerInput> inputs) const override {
    sentences_->check(cut(inputs).sentences);
  }
  AnswerList answer(std::span<const AnswerInput> inputs, std::size_t first,
                    const AnswerEvents& events) override {
    const Cut cut = this->cut(inputs);
    std::vector<Json> translated(cut.sentences.size());
    std::vector<std::string> texts(inputs.size());  // as far as they are complete
    std::size_t complete = 0;                       // sentences
    sentences_->answer_each(
        cut.sentences, first, {{}, events.progress},
        [&](std::size_t index, std::unique_ptr<Answer> answer) {
          translated[index] = answer->record();
          for (; complete < translated.size() && !translated[complete].is_null(); ++complete)
            put(cut, complete, translated, texts, events);
        });
    AnswerList answers;
    for (std::size_t i = 0, next = 0; i < inputs.size(); ++i) {
      const Document& document = cut.documents[i];
      Json list = Json::array();
      for (const Sentence& sentence : document.sentences) {
        Json one = {{"source", sentence.text}};
        one.update(translated[next++]);
        list.push_back(std::move(one));
      }
      texts[i] += document.behind;
      if (events.text) events.text({i, 0, document.behind, true});
      answers.push_back(std::make_unique<DocumentAnswer>(std::move(texts[i]), std::move(list)));
    }
    return answers;
  }
  std::int64_t group_size() const override { return 1; }
  Json settings() const override {
    Json settings = sentences_->settings();
    settings["document"] = true;
    return settings;
  }
  std::vector<std::string> notes() const override { return sentences_->notes(); }
  std::int64_t batch_size() const override { return sentences_->batch_size(); }

 private:
  struct Cut {
    std::vector<Document> documents;
    std::vector<AnswerInput> sentences;  // of all documents
    std::vector<std::size_t> owners;     // which document each belongs to
    std::vector<const Sentence*> places;
  };

  Cut cut(std::span<const AnswerInput> inputs) const {
    Cut cut;
    cut.documents.reserve(inputs.size());
    for (const AnswerInput& input : inputs) {
      const SourceText source = read_source(input, form_.config(), to_);
      if (sentences_->samples_of(input) > 1)
        input.fail("generation.num_return_sequences: a document has one translation; leave it out");
      const Document& document = cut.documents.emplace_back(cut_document(source.text));
      const TranslationDirection direction = form_.config().all_directions()[source.direction];
      for (const Sentence& sentence : document.sentences) {
        Json record = {{"text", sentence.text}};
        if (!direction.target.empty()) {
          record["source_language"] = direction.source;
          record["target_language"] = direction.target;
        }
        for (const char* own : {"generation", "adapter"})
          if (input.record.contains(own)) record[own] = input.record.at(own);
        cut.sentences.push_back({std::move(record), input.place});
        cut.owners.push_back(cut.documents.size() - 1);
        cut.places.push_back(&sentence);
      }
    }
    return cut;
  }

  static void put(const Cut& cut, std::size_t index, const std::vector<Json>& translated,
                  std::vector<std::string>& texts, const AnswerEvents& events) {
    const Json& written = translated[index].at(kGeneratedText);
    const std::string text = written.is_string() ? written.get<std::string>() : "";
    const std::size_t owner = cut.owners[index];
    const bool begins = index == 0 || cut.owners[index - 1] != owner;
    const std::string& before = cut.places[index]->before;
    const std::string piece = (begins ? before : separator(before, texts[owner], text)) + text;
    texts[owner] += piece;
    if (events.text) events.text({owner, 0, piece, false});
  }

  std::unique_ptr<TextResponder> sentences_;
  TranslationForm form_;
  std::string to_;
};

}  // namespace

std::unique_ptr<Responder> make_translator(Model& model, TranslationForm form,
                                           const AnswerOptions& options) {
  const std::vector<TranslationDirection> directions = form.config().all_directions();
  std::vector<std::string> languages;
  for (const TranslationDirection& direction : directions) languages.push_back(direction.target);
  const bool known = options.to.empty() ||
                     std::find(languages.begin(), languages.end(), options.to) != languages.end();
  require(
      known, ErrorCode::kUsage, "--to ", options.to, ": the model translates to ",
      languages.front().empty() ? "one language alone, which it does not name" : join(languages));
  auto sentences = std::make_unique<TextResponder>(
      model, form.tokenizer(), std::make_unique<SourceForm>(form, options.to), options);
  if (!options.document) return sentences;
  require(sentences->samples() == 1, ErrorCode::kUsage,
          "--document: a document has one translation; leave --samples "
          "(num_return_sequences) out");
  return std::make_unique<DocumentTranslator>(std::move(sentences), std::move(form), options.to);
}

}  // namespace llmctl
