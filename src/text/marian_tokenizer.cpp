#include "text/marian_tokenizer.h"

#include <unordered_set>

#include "base/error.h"
#include "base/files.h"
#include "base/hash.h"
#include "base/utf8.h"
#include "text/huggingface/json_access.h"
#include "text/huggingface/model.h"
#include "text/space_mark.h"
#include "text/tokenizer_json.h"

namespace llmctl {
namespace {

/// Length of ">>deu<<" at the beginning of a text; 0: none.
std::size_t language_length(std::string_view text) {
  if (!text.starts_with(">>")) return 0;
  const std::size_t end = text.find("<<", 3);
  return end == text.npos ? 0 : end + 2;
}

std::unique_ptr<SentencePieceTokenizer> load_pieces(const std::filesystem::path& path) {
  return std::make_unique<SentencePieceTokenizer>(load_sentencepiece_model(path), path.string());
}

/// The tokens that tokenizer_config.json names, by default Hugging Face's. Of translations alone
/// padding is not asked for: nothing is padded by name there.
void find_special_tokens(const Json& config, bool sources, MarianTokenizer::Names& names,
                         const std::string& place) {
  const auto find = [&](const char* key, const char* otherwise, bool needed) {
    std::string name = otherwise;
    if (config.is_object() && config.contains(key))
      name = special_token_name(config, key, place).value_or(otherwise);
    const TokenId id = names.vocabulary.find(name);
    require(id >= 0 || !needed, ErrorCode::kData, place, ": ", key, " \"", name, "\" is not in ",
            sources ? "vocab.json" : "target_vocab.json");
    return id >= 0 ? std::optional(id) : std::nullopt;
  };
  names.special.eos = find("eos_token", "</s>", true);
  names.special.unk = find("unk_token", "<unk>", true);
  names.special.pad = find("pad_token", "<pad>", sources);
}

void read_names(const Json& vocab, const std::string& place, MarianTokenizer::Names& names) {
  read_vocabulary(JsonAccess(vocab, place), names.vocabulary);
}

/// A vocabulary of special tokens and pieces, and its file.
void number(const std::vector<std::string>& tokens, MarianTokenizer::Names& names) {
  Json vocab = Json::object();
  auto& members = vocab.get_ref<Json::object_t&>();
  // Added behind the others: a look-up by name would walk over all of them.
  for (std::size_t id = 0; id < tokens.size(); ++id) members.emplace_back(tokens[id], id);
  names.bytes = dump_json(vocab, 2) + "\n";
  read_names(vocab, "the vocabulary", names);
}

/// Adds the model's pieces that texts have and `known` lacks.
void add_pieces(const SentencePieceModel& model, std::unordered_set<std::string>& known,
                std::vector<std::string>& tokens) {
  for (const SentencePieceModel::Piece& piece : model.pieces) {
    const bool in_texts = piece.type != SentencePieceModel::PieceType::kControl &&
                          piece.type != SentencePieceModel::PieceType::kUnknown;
    if (in_texts && known.insert(piece.text).second) tokens.push_back(piece.text);
  }
}

}  // namespace

MarianTokenizer::MarianTokenizer(std::shared_ptr<const Files> files, bool is_target)
    : files_(std::move(files)),
      pieces_(is_target ? *files_->target : *files_->source),
      names_(is_target && files_->target_names ? *files_->target_names : files_->names) {
  if (!is_target) target_ = std::make_unique<MarianTokenizer>(files_, true);
  layout_ = SpecialTemplate::around(std::nullopt, names_.special.eos);
}

Encoding MarianTokenizer::encode_with_offsets(std::string_view text) const {
  const auto id_of = [&](std::string_view piece) {
    const TokenId id = names_.vocabulary.find(piece);
    return id >= 0 ? id : *names_.special.unk;
  };
  Encoding encoding;
  const std::size_t language = language_length(text);
  if (language > 0) {
    encoding.ids.push_back(id_of(text.substr(0, language)));
    encoding.offsets.push_back({0, language});
  }
  const Encoding pieces = pieces_.encode_with_offsets(text.substr(language));
  for (std::size_t i = 0; i < pieces.ids.size(); ++i) {
    const ByteSpan span{language + pieces.offsets[i].begin, language + pieces.offsets[i].end};
    // The vocabulary may know what the model spells with its unknown piece.
    const bool unknown = pieces.ids[i] == pieces_.special().unk;
    encoding.ids.push_back(unknown ? id_of(text.substr(span.begin, span.end - span.begin))
                                   : id_of(pieces_.piece(pieces.ids[i])));
    encoding.offsets.push_back(span);
  }
  return encoding;
}

const std::string& MarianTokenizer::at(TokenId id) const {
  if (id < 0 || id >= vocab_size()) {
    fail(ErrorCode::kData, "token id ", id, " is outside the vocabulary of ", vocab_size());
  }
  return names_.vocabulary.name(id);
}

std::optional<TokenId> MarianTokenizer::find(std::string_view piece) const {
  const TokenId id = names_.vocabulary.find(piece);
  return id >= 0 ? std::optional(id) : std::nullopt;
}

bool MarianTokenizer::is_special(TokenId id) const {
  at(id);
  return id == names_.special.eos || id == names_.special.pad || id == names_.special.unk;
}

bool MarianTokenizer::is_byte(TokenId id) const {
  const auto piece = pieces_.find(at(id));
  return piece && pieces_.is_byte(*piece);
}

bool MarianTokenizer::begins_word(TokenId id) const {
  return is_special(id) || at(id).starts_with(kSpaceMark);
}

std::string MarianTokenizer::decode_next(TokenId id, DecodeState& state, bool keep_special) const {
  std::string_view name = at(id);
  if (is_special(id)) {
    if (!keep_special) return "";
    state.at_start = false;
    return std::string(name);
  }
  if (is_byte(id)) {
    state.at_start = false;
    return std::string(1, static_cast<char>(byte_of_piece(name)));
  }
  std::string text;
  while (!name.empty()) {
    const bool space = name.starts_with(kSpaceMark);
    if (space && !(state.at_start && text.empty())) text += ' ';
    if (!space) text += name[0];
    name.remove_prefix(space ? kSpaceMark.size() : 1);
  }
  state.at_start = state.at_start && text.empty();
  return text;
}

std::string MarianTokenizer::decode(std::span<const TokenId> ids, bool keep_special) const {
  DecodeState state;
  std::string text;
  for (const TokenId id : ids) text += decode_next(id, state, keep_special);
  return replace_invalid_utf8(text);
}

std::string MarianTokenizer::token_bytes(TokenId id) const {
  DecodeState state{.at_start = false};
  return decode_next(id, state, true);
}

std::vector<TokenId> MarianTokenizer::with_special(std::span<const TokenId> a,
                                                   const std::vector<TokenId>* pair,
                                                   std::vector<TokenId>* types) const {
  return layout_.apply(a, pair, types);
}

void MarianTokenizer::save(const std::filesystem::path& directory,
                           std::int64_t model_max_length) const {
  write_file(directory / "source.spm", files_->source->model().serialized);
  write_file(directory / "target.spm", files_->target->model().serialized);
  write_file(directory / "vocab.json", files_->names.bytes);
  Json config = files_->config.is_object() ? files_->config : Json::object();
  if (files_->target_names) {
    write_file(directory / "target_vocab.json", files_->target_names->bytes);
    config["separate_vocabs"] = true;
  }
  config["tokenizer_class"] = "MarianTokenizer";
  for (const auto& [key, id] : special_token_keys(names_.special)) {
    if (*id) config[key] = at(**id);
  }
  if (model_max_length > 0) config["model_max_length"] = model_max_length;
  write_file(directory / "tokenizer_config.json", dump_json(config, 2) + "\n");
  write_file(directory / "special_tokens_map.json",
             dump_json(special_tokens_map_json(*this), 2) + "\n");
}

std::string MarianTokenizer::fingerprint() const {
  Sha256 hash;
  hash.update(concat("Marian 1 ", files_->source->fingerprint(), " ", files_->target->fingerprint(),
                     " ", &pieces_ == files_->target.get(), "\n"));
  for (TokenId id = 0; id < vocab_size(); ++id) hash.update(at(id) + "\n");
  for (const auto& [key, id] : special_token_keys(names_.special)) {
    hash.update(concat(*id ? **id : -1, " "));
  }
  return hash.hex();
}

std::string MarianTokenizer::description() const {
  const std::string tokens = files_->target_names ? concat(files_->names.vocabulary.size(), " and ",
                                                           files_->target_names->vocabulary.size())
                                                  : concat(vocab_size());
  return concat("Marian, ", tokens, " tokens, source ", files_->source->description(), ", target ",
                files_->target->description());
}

std::shared_ptr<const Tokenizer> make_marian_tokenizer(const SentencePieceModel& source,
                                                       const SentencePieceModel& target,
                                                       const std::vector<std::string>& languages,
                                                       bool separate) {
  auto files = std::make_shared<MarianTokenizer::Files>();
  std::vector<std::string> marks;
  for (const std::string& language : languages) marks.push_back(">>" + language + "<<");
  std::vector<std::string> tokens = {"</s>", "<unk>"};
  if (separate) tokens.emplace_back("<pad>");
  std::unordered_set<std::string> known(tokens.begin(), tokens.end());
  known.insert("<pad>");
  if (separate) {
    std::vector<std::string> targets = tokens;
    std::unordered_set<std::string> known_targets = known;
    add_pieces(target, known_targets, targets);
    files->target_names = std::make_unique<MarianTokenizer::Names>();
    number(targets, *files->target_names);
    find_special_tokens({}, false, *files->target_names, "the vocabulary");
  }
  for (const std::string& mark : marks) {
    if (known.insert(mark).second) tokens.push_back(mark);
  }
  add_pieces(source, known, tokens);
  if (!separate) {
    add_pieces(target, known, tokens);
    tokens.emplace_back("<pad>");
  }
  number(tokens, files->names);
  find_special_tokens({}, true, files->names, "the vocabulary");
  files->source = std::make_unique<SentencePieceTokenizer>(source, "source.spm");
  files->target = std::make_unique<SentencePieceTokenizer>(target, "target.spm");
  return std::make_shared<MarianTokenizer>(std::move(files), false);
}

std::shared_ptr<const Tokenizer> load_marian_directory(const std::filesystem::path& directory,
                                                       const std::string& file) {
  auto files = std::make_shared<MarianTokenizer::Files>();
  files->source = load_pieces(directory / file);
  files->target = load_pieces(directory / "target.spm");
  const std::filesystem::path config_path = directory / "tokenizer_config.json";
  bool separate = false;
  if (std::filesystem::exists(config_path)) {
    files->config = load_json(config_path);
    if (!files->config.is_object()) fail(ErrorCode::kData, config_path, ": expected an object");
    const JsonAccess config(files->config, config_path.string());
    separate = config.boolean_or("separate_vocabs", false);
  }
  const auto read = [&](const char* name, bool sources, MarianTokenizer::Names& names) {
    const std::filesystem::path path = directory / name;
    names.bytes = read_file(path);
    read_names(parse_json(names.bytes, path.string()), path.string(), names);
    find_special_tokens(files->config, sources, names, directory.string());
  };
  read("vocab.json", true, files->names);
  if (separate) {
    files->target_names = std::make_unique<MarianTokenizer::Names>();
    read("target_vocab.json", false, *files->target_names);
  }
  return std::make_shared<MarianTokenizer>(std::move(files), false);
}

}  // namespace llmctl
