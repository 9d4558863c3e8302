#include "text/huggingface/huggingface_tokenizer.h"

#include <algorithm>

#include "base/error.h"
#include "base/files.h"
#include "base/hash.h"
#include "base/utf8.h"
#include "text/huggingface/classic_files.h"
#include "text/huggingface/word_cache.h"
#include "text/tokenizer_json.h"

namespace llmctl {
namespace {

constexpr std::size_t kMaxPlacedBytes = 1u
                                        << 29;  // places are 32-bit, and normalising makes longer

void check_text(std::string_view text) {
  if (const auto bad = find_invalid_utf8(text)) {
    fail(ErrorCode::kData, "the text is not valid UTF-8 at byte ", *bad);
  }
  if (text.size() > kMaxPlacedBytes) {
    fail(ErrorCode::kData, "a text of ", text.size(), " bytes, at most ", kMaxPlacedBytes,
         " are encoded at once");
  }
}

/// Calls part(begin, end) for what is between the matches, match(match) for those.
template <class Part, class Taken>
void between(std::string_view text, const std::vector<AddedTokenMatcher::Match>& matches,
             const Part& part, const Taken& taken) {
  std::uint32_t at = 0;
  for (const auto& match : matches) {
    if (match.range.begin > at) part(TextRange{at, match.range.begin});
    taken(match);
    at = match.range.end;
  }
  const auto size = static_cast<std::uint32_t>(text.size());
  if (at < size) part(TextRange{at, size});
}

}  // namespace

/// Where tokens go.
struct HuggingFaceTokenizer::Sink {
  Encoding& encoding;
  bool with_offsets;
  std::vector<Segment> segments;  // of one part
};

HuggingFaceTokenizer::HuggingFaceTokenizer(TokenizerFiles files)
    : files_(std::move(files)), owner_(WordCache::new_owner()) {
  static const Json kNothing;
  const JsonAccess json(files_.tokenizer, files_.place);
  const auto member = [&](const char* name) {
    return json.has(name) ? json[name] : JsonAccess(kNothing, files_.place, name);
  };
  pre_tokenizer_ = make_pre_tokenizer(member("pre_tokenizer"));
  byte_level_ = pre_tokenizer_ && pre_tokenizer_->is_byte_level();
  model_ = make_model(json["model"], byte_level_, vocabulary_);
  if (json.has("added_tokens")) added_ = read_added_tokens(json["added_tokens"], vocabulary_);
  normalizer_ = make_normalizer(member("normalizer"));
  decoder_ = make_decoder(member("decoder"));
  read_post_processor(member("post_processor"));
  find_special_tokens(json);
  plain_ = make_matchers([](const AddedToken& token) { return !token.special; });
  all_ = make_matchers([](const AddedToken&) { return true; });
}

HuggingFaceTokenizer::Matchers HuggingFaceTokenizer::make_matchers(
    const std::function<bool(const AddedToken&)>& taken) const {
  std::array<std::vector<AddedToken>, 2> tokens;
  std::array<std::vector<std::string>, 2> contents;
  for (const AddedToken& token : added_) {
    if (!taken(token)) continue;
    std::string content = token.content;
    if (token.normalized && normalizer_) {
      Stretch stretch(token.content, 0, false, true);
      normalizer_->apply(stretch);
      content = stretch.text();
    }
    tokens[token.normalized].push_back(token);
    contents[token.normalized].push_back(std::move(content));
  }
  return {AddedTokenMatcher(tokens[0], contents[0]), AddedTokenMatcher(tokens[1], contents[1])};
}

void HuggingFaceTokenizer::read_post_processor(const JsonAccess& json) {
  layout_ = SpecialTemplate::from_json(
      json.json(),
      [this](std::string_view name) -> std::optional<TokenId> {
        const TokenId id = vocabulary_.find(name);
        return id >= 0 ? std::optional(id) : std::nullopt;
      },
      json.place());
  const std::function<void(const JsonAccess&)> look = [&](const JsonAccess& step) {
    if (step.json().is_null()) return;
    const std::string type = step.type();
    if (type == "Sequence") {
      for (std::size_t i = 0; i < step["processors"].size(); ++i) look(step["processors"][i]);
    } else if (type == "ByteLevel" || type == "RobertaProcessing") {
      trims_offsets_ = step.boolean_or("trim_offsets", true);
      keeps_first_space_ = step.boolean_or("add_prefix_space", true);
    }
  };
  look(json);
}

void HuggingFaceTokenizer::find_special_tokens(const JsonAccess& json) {
  is_special_.assign(static_cast<std::size_t>(vocabulary_.size()), false);
  for (const AddedToken& token : added_) {
    if (token.special) is_special_[static_cast<std::size_t>(token.id)] = true;
  }
  if (model_.unknown >= 0) special_.unk = model_.unknown;
  const Json& config = files_.config;
  if (config.is_object()) {
    for (const auto& [key, slot] : special_token_keys(special_)) {
      const auto name = special_token_name(config, key, json.place());
      if (!name) continue;
      *slot = find(*name);
      if (!*slot) {
        fail(ErrorCode::kData, json.place(), ": ", key, " \"", *name,
             "\" of tokenizer_config.json is not in the vocabulary");
      }
    }
  } else {
    const auto by_name = [&](std::initializer_list<std::string_view> names) {
      for (const std::string_view name : names) {
        const auto id = find(name);
        if (id && is_special_[static_cast<std::size_t>(*id)]) return id;
      }
      return std::optional<TokenId>();
    };
    special_.cls = by_name({"[CLS]"});
    special_.sep = by_name({"[SEP]"});
    special_.mask = by_name({"[MASK]", "<mask>"});
    special_.pad = by_name({"[PAD]", "<pad>", "<|pad|>"});
    if (!special_.cls) special_.bos = by_name({"<s>", "<|begin_of_text|>", "<|endoftext|>"});
    if (!special_.sep) special_.eos = by_name({"</s>", "<|end_of_text|>", "<|endoftext|>"});
  }
  SpecialTokens named = special_;
  for (const auto& [key, slot] : special_token_keys(named)) {
    // The unknown token stands for text.
    if (*slot && slot != &named.unk) is_special_[static_cast<std::size_t>(**slot)] = true;
  }
}

std::vector<TokenId> HuggingFaceTokenizer::encode(std::string_view text) const {
  return encode_text(text, plain_, false).ids;
}

Encoding HuggingFaceTokenizer::encode_with_offsets(std::string_view text) const {
  return encode_text(text, plain_, true);
}

Encoding HuggingFaceTokenizer::encode_with_special_pieces(std::string_view text,
                                                          std::span<const TokenId> only) const {
  if (only.empty()) return encode_text(text, all_, true);
  const Matchers some = make_matchers([&](const AddedToken& token) {
    return !token.special || std::find(only.begin(), only.end(), token.id) != only.end();
  });
  return encode_text(text, some, true);
}

Encoding HuggingFaceTokenizer::encode_marked(std::string_view text, std::string_view data) const {
  return encode_text(text, all_, true, data);
}

Encoding HuggingFaceTokenizer::encode_text(std::string_view text, const Matchers& matchers,
                                           bool with_offsets, std::string_view data) const {
  check_text(text);
  Encoding encoding;
  encoding.ids.reserve(text.size() / 4 + 4);
  Sink sink{encoding, with_offsets, {}};
  if (matchers.raw.empty()) {
    encode_stretch(text, 0, matchers, sink);
    return encoding;
  }
  std::vector<AddedTokenMatcher::Match> matches = matchers.raw.find(text);
  if (!data.empty()) {
    std::erase_if(matches, [&](const AddedTokenMatcher::Match& match) {
      return is_special(match.id) &&
             data.substr(match.range.begin, match.range.size()).find('\1') != data.npos;
    });
  }
  between(
      text, matches,
      [&](TextRange part) {
        encode_stretch(text.substr(part.begin, part.size()), part.begin, matchers, sink);
      },
      [&](const AddedTokenMatcher::Match& match) {
        encoding.ids.push_back(match.id);
        if (with_offsets) encoding.offsets.push_back({match.range.begin, match.range.end});
      });
  return encoding;
}

void HuggingFaceTokenizer::encode_stretch(std::string_view text, std::size_t begin,
                                          const Matchers& matchers, Sink& sink) const {
  Stretch stretch(text, begin, sink.with_offsets, begin == 0);
  if (normalizer_) normalizer_->apply(stretch);
  if (matchers.normalized.empty()) {
    CutText cut(stretch);
    encode_cut(cut, sink);
    return;
  }
  const std::string_view normalized = stretch.text();
  between(
      normalized, matchers.normalized.find(normalized),
      [&](TextRange part) {
        Stretch own(stretch, part);
        CutText cut(own);
        encode_cut(cut, sink);
      },
      [&](const AddedTokenMatcher::Match& match) {
        sink.encoding.ids.push_back(match.id);
        if (sink.with_offsets) {
          sink.encoding.offsets.push_back(stretch.original(match.range.begin, match.range.end));
        }
      });
}

void HuggingFaceTokenizer::encode_cut(CutText& text, Sink& sink) const {
  if (pre_tokenizer_) pre_tokenizer_->apply(text);
  for (const TextRange part : text.parts) {
    if (part.size() > 0) put_part(text.stretch, part, sink);
  }
}

void HuggingFaceTokenizer::put_part(const Stretch& stretch, TextRange part, Sink& sink) const {
  const std::string_view word = stretch.text().substr(part.begin, part.size());
  auto& ids = sink.encoding.ids;
  const auto offset = [&](std::size_t begin, std::size_t end) {
    if (!sink.with_offsets) return;
    ByteSpan span = stretch.original(part.begin + begin, part.begin + end);
    if (trims_offsets_ && byte_level_) {
      // A space that the tokenizer put there itself is not part of the original.
      std::size_t spaces = 0, behind = 0;
      while (begin + spaces < end && word[begin + spaces] == ' ') ++spaces;
      while (behind < end - begin && word[end - 1 - behind] == ' ') ++behind;
      if (spaces > 0 && keeps_first_space_ && (span.begin == 0 || ids.size() == 1)) --spaces;
      span.begin = std::min(span.begin + spaces, span.end);
      if (behind > 0 && span.end >= behind) span.end = std::max(span.end - behind, span.begin);
    }
    sink.encoding.offsets.push_back(span);
  };
  WordCache::Entry* entry = nullptr;
  if (WordCache::fits(word)) {
    entry = &WordCache::of_this_thread().slot(owner_, word);
    if (WordCache::holds(*entry, owner_, word)) {
      std::size_t begin = 0;
      for (std::size_t i = 0; i < entry->count; ++i) {
        ids.push_back(entry->ids[i]);
        offset(begin, entry->ends[i]);
        begin = entry->ends[i];
      }
      return;
    }
  }
  sink.segments.clear();
  model_.segmenter->segment(word, sink.segments);
  bool end_to_end = !sink.segments.empty();
  std::size_t at = 0;
  for (const Segment& segment : sink.segments) {
    ids.push_back(segment.id);
    offset(segment.begin, segment.end);
    end_to_end = end_to_end && segment.begin == at;
    at = segment.end;
  }
  if (entry == nullptr || !end_to_end || sink.segments.size() > WordCache::Entry::kTokens) return;
  entry->owner = owner_;
  entry->size = static_cast<std::uint8_t>(word.size());
  entry->count = static_cast<std::uint8_t>(sink.segments.size());
  std::copy(word.begin(), word.end(), entry->word.begin());
  for (std::size_t i = 0; i < sink.segments.size(); ++i) {
    entry->ids[i] = sink.segments[i].id;
    entry->ends[i] = static_cast<std::uint8_t>(sink.segments[i].end);
  }
}

const std::string& HuggingFaceTokenizer::at(TokenId id) const {
  if (id < 0 || id >= vocab_size()) {
    fail(ErrorCode::kData, "token id ", id, " is outside the vocabulary of ", vocab_size());
  }
  return vocabulary_.name(id);
}

std::optional<TokenId> HuggingFaceTokenizer::find(std::string_view piece) const {
  const TokenId id = vocabulary_.find(piece);
  return id >= 0 ? std::optional(id) : std::nullopt;
}

bool HuggingFaceTokenizer::is_special(TokenId id) const {
  at(id);
  return is_special_[static_cast<std::size_t>(id)];
}

bool HuggingFaceTokenizer::is_byte(TokenId id) const {
  if (is_special(id)) return false;
  if (byte_level_) return find_invalid_utf8(bytes_of_spelling(at(id))).has_value();
  return model_.byte_fallback && at(id).size() == 6 && at(id).starts_with("<0x");
}

bool HuggingFaceTokenizer::begins_word(TokenId id) const {
  if (is_special(id)) return true;
  const std::string& name = at(id);
  if (!model_.continuing.empty()) return !name.starts_with(model_.continuing);
  if (byte_level_) return name.starts_with(byte_spellings()[' ']);
  return name.starts_with("\u2581");
}

std::string HuggingFaceTokenizer::decode_next(TokenId id, DecodeState& state,
                                              bool keep_special) const {
  const std::string& name = at(id);
  if (name.empty() || (is_special(id) && !keep_special)) return "";
  std::string text = name;
  decoder_->apply(text, state.at_start);
  state.at_start = false;
  return text;
}

std::string HuggingFaceTokenizer::decode(std::span<const TokenId> ids, bool keep_special) const {
  DecodeState state;
  std::string text;
  for (const TokenId id : ids) text += decode_next(id, state, keep_special);
  return replace_invalid_utf8(text);
}

std::string HuggingFaceTokenizer::token_bytes(TokenId id) const {
  DecodeState state{.at_start = false};
  return decode_next(id, state, true);
}

std::vector<TokenId> HuggingFaceTokenizer::with_special(std::span<const TokenId> a,
                                                        const std::vector<TokenId>* pair,
                                                        std::vector<TokenId>* types) const {
  return layout_.apply(a, pair, types);
}

void HuggingFaceTokenizer::save(const std::filesystem::path& directory,
                                std::int64_t model_max_length) const {
  write_file(directory / "tokenizer.json", dump_json(files_.tokenizer, 1) + "\n");
  Json config = tokenizer_config_json(*this, files_.config, model_max_length);
  if (write_classic_files(directory, files_.config, files_.tokenizer)) {
    for (const char* key : {"tokenizer_class", "add_prefix_space"}) {
      if (files_.config.contains(key)) config[key] = files_.config[key];
    }
  }
  write_tokenizer_config(directory, config);
  write_file(directory / "special_tokens_map.json",
             dump_json(special_tokens_map_json(*this), 2) + "\n");
}

std::string HuggingFaceTokenizer::fingerprint() const {
  Sha256 hash;
  hash.update("Hugging Face 1\n");
  for (const char* key :
       {"normalizer", "pre_tokenizer", "model", "post_processor", "decoder", "added_tokens"}) {
    hash.update(dump_json(files_.tokenizer.value(key, Json())));
    hash.update("\n");
  }
  for (const auto id : {special_.unk, special_.bos, special_.eos, special_.pad, special_.cls,
                        special_.sep, special_.mask}) {
    hash.update(concat(id ? *id : -1, " "));
  }
  return hash.hex();
}

std::string HuggingFaceTokenizer::description() const {
  return concat(byte_level_ ? "byte-level " : "", model_.kind, ", ", vocabulary_.size(), " tokens");
}

}  // namespace llmctl
