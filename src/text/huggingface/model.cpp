#include "text/huggingface/model.h"

#include <atomic>

#include "base/utf8.h"
#include "text/huggingface/byte_fallback.h"
#include "text/huggingface/models.h"
#include "text/huggingface/word_cache.h"

namespace llmctl {
namespace {

/// The byte that a character spells, or -1.
int byte_of(char32_t c) {
  static const auto table = [] {
    std::array<int, 512> bytes;
    bytes.fill(-1);
    for (int byte = 0; byte < 256; ++byte) {
      std::size_t at = 0;
      bytes[next_code_point(byte_spellings()[static_cast<std::size_t>(byte)], at)] = byte;
    }
    return bytes;
  }();
  return c < table.size() ? table[c] : -1;
}

/// Every unknown run of characters is one token in Hugging Face's Unigram, or bytes.
class UnigramModel : public Segmenter {
 public:
  UnigramModel(std::unique_ptr<SentencePieceModel> model, const Vocabulary& vocabulary,
               bool byte_fallback, bool has_unknown)
      : model_(std::move(model)),
        segmenter_(make_unigram_segmenter(*model_)),
        has_unknown_(has_unknown) {
    if (byte_fallback) bytes_ = ByteFallback(vocabulary);
  }

  void segment(std::string_view text, std::vector<Segment>& out) const override {
    std::vector<Segment> segments;
    segmenter_->segment(text, segments);
    for (std::size_t i = 0; i < segments.size(); ++i) {
      Segment segment = segments[i];
      if (segment.id != model_->unknown) {
        out.push_back(segment);
        continue;
      }
      while (i + 1 < segments.size() && segments[i + 1].id == model_->unknown) {
        segment.end = segments[++i].end;
      }
      if (bytes_.put(text, segment, out)) continue;
      if (!has_unknown_) {
        fail(ErrorCode::kData, "the tokenizer has no token for \"",
             text.substr(segment.begin, segment.end - segment.begin),
             "\", and none for the unknown");
      }
      out.push_back(segment);
    }
  }

 private:
  std::unique_ptr<SentencePieceModel> model_;
  std::unique_ptr<Segmenter> segmenter_;
  ByteFallback bytes_;
  bool has_unknown_;
};

class WordLevelModel : public Segmenter {
 public:
  WordLevelModel(const Vocabulary& vocabulary, TokenId unknown)
      : vocabulary_(vocabulary), unknown_(unknown) {}
  void segment(std::string_view word, std::vector<Segment>& out) const override {
    const TokenId id = vocabulary_.find(word);
    out.push_back({0, word.size(), id >= 0 ? id : unknown_});
  }

 private:
  const Vocabulary& vocabulary_;
  TokenId unknown_;
};

TokenId unknown_token(const JsonAccess& json, const Vocabulary& vocabulary) {
  const JsonAccess name = json["unk_token"];
  const TokenId id = vocabulary.find(name.string());
  if (id < 0) name.fail("\"", name.string(), "\" is not in the vocabulary");
  return id;
}

SubwordModel make_unigram(const JsonAccess& json, Vocabulary& vocabulary) {
  const JsonAccess list = json["vocab"];
  auto model = std::make_unique<SentencePieceModel>();
  model->kind = SentencePieceModel::Kind::kUnigram;
  const std::size_t count = list.size();
  if (count == 0 || count > static_cast<std::size_t>(Vocabulary::kMaxId)) {
    list.fail("expected 1 to ", Vocabulary::kMaxId, " tokens");
  }
  for (std::size_t i = 0; i < count; ++i) {
    const JsonAccess entry = list[i];
    if (entry.size() != 2) entry.fail("expected a token and its score");
    const std::string name = entry[std::size_t{0}].string();
    if (name.empty()) entry.fail("an empty token");
    if (!vocabulary.add(name, static_cast<TokenId>(i))) {
      entry.fail("\"", name, "\" occurs twice");
    }
    model->pieces.push_back({name, static_cast<float>(entry[std::size_t{1}].number())});
  }
  const bool has_unknown = json.has("unk_id");
  SubwordModel result;
  result.kind = "Unigram";
  if (has_unknown) {
    result.unknown =
        static_cast<TokenId>(json["unk_id"].integer(0, static_cast<std::int64_t>(count) - 1));
    model->unknown = result.unknown;
  } else {
    model->unknown = static_cast<TokenId>(count);
  }
  result.byte_fallback = json.boolean_or("byte_fallback", false);
  result.segmenter = std::make_unique<UnigramModel>(std::move(model), vocabulary,
                                                    result.byte_fallback, has_unknown);
  return result;
}

}  // namespace

std::uint32_t WordCache::new_owner() {
  static std::atomic<std::uint32_t> last{0};
  return ++last;
}

const std::array<std::string, 256>& byte_spellings() {
  static const auto spellings = [] {
    std::array<std::string, 256> result;
    char32_t next = 0x100;
    for (char32_t byte = 0; byte < 256; ++byte) {
      const bool prints =
          (byte >= 33 && byte <= 126) || (byte >= 161 && byte <= 172) || byte >= 174;
      append_utf8(result[byte], prints ? byte : next++);
    }
    return result;
  }();
  return spellings;
}

bool spells_bytes(std::string_view token) {
  for (std::size_t at = 0; at < token.size();) {
    if (byte_of(next_code_point(token, at)) < 0) return false;
  }
  return true;
}

std::string bytes_of_spelling(std::string_view token) {
  std::string bytes;
  for (std::size_t at = 0; at < token.size();) {
    const int byte = byte_of(next_code_point(token, at));
    if (byte < 0) return std::string(token);
    bytes += static_cast<char>(byte);
  }
  return bytes;
}

void read_vocabulary(const JsonAccess& json, Vocabulary& vocabulary) {
  const Json& tokens = json.json();
  if (!tokens.is_object()) json.fail("expected an object");
  if (tokens.empty()) json.fail("no tokens");
  for (const auto& [name, id] : tokens.items()) {
    if (name.empty()) json.fail("an empty token");
    const bool fits = id.is_number_unsigned() && id.get<std::uint64_t>() <= Vocabulary::kMaxId;
    if (!fits) json.fail("\"", name, "\": expected an id from 0 to ", Vocabulary::kMaxId);
    if (!vocabulary.add(name, id.get<TokenId>())) {
      json.fail("\"", name, "\": another token has the id ", id.get<TokenId>());
    }
  }
}

SubwordModel make_model(const JsonAccess& json, bool byte_level, Vocabulary& vocabulary) {
  // Files of old leave the type out.
  const std::string type = json.has("type")                       ? json.type()
                           : json.has("merges")                   ? "BPE"
                           : json.has("unk_id")                   ? "Unigram"
                           : json.has("max_input_chars_per_word") ? "WordPiece"
                                                                  : json.type();
  if (type == "Unigram") return make_unigram(json, vocabulary);
  if (type != "BPE" && type != "WordPiece" && type != "WordLevel") {
    json.refuse_type("model", "BPE, Unigram, WordLevel and WordPiece");
  }
  read_vocabulary(json["vocab"], vocabulary);
  if (type == "BPE") return make_bpe_model(json, byte_level, vocabulary);
  SubwordModel model;
  model.kind = type;
  model.unknown = unknown_token(json, vocabulary);
  if (type == "WordLevel") {
    model.segmenter = std::make_unique<WordLevelModel>(vocabulary, model.unknown);
    return model;
  }
  model.continuing = json.string_or("continuing_subword_prefix", "##");
  const std::int64_t max_characters =
      json.integer_or("max_input_chars_per_word", 100, 1, 1'000'000);
  model.segmenter = make_wordpiece_segmenter(vocabulary, model.unknown, model.continuing,
                                             static_cast<std::size_t>(max_characters));
  return model;
}

}  // namespace llmctl
