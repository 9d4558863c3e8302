#include "tasks/parallel_texts.h"

#include <algorithm>
#include <cctype>
#include <map>
#include <optional>
#include <set>

#include "base/error.h"
#include "base/log.h"
#include "base/strings.h"
#include "base/white_space.h"
#include "io/text_format.h"
#include "io/text_source.h"
#include "io/tmx.h"
#include "tasks/parallel_files.h"
#include "tasks/predictions.h"
#include "tasks/records.h"

namespace llmctl {
namespace {

namespace fs = std::filesystem;

const std::vector<std::string> kSourceFields = {"source", "src",   "source_text", "source_sentence",
                                                "text",   "input", "prompt"};
const std::vector<std::string> kTargetFields = {
    "target", "tgt", "target_text", "target_sentence", "translation", "output", "reference"};
const std::vector<std::string> kSourceLanguage = {"source_language", "source_lang", "src_lang",
                                                  "from"};
const std::vector<std::string> kTargetLanguage = {"target_language", "target_lang", "tgt_lang",
                                                  "to"};

/// "en" of "en-US" and "en_US".
std::string_view base_language(std::string_view language) {
  return language.substr(0, std::min(language.find_first_of("-_"), language.size()));
}

/// Whether two names are of one language: "pt_br" is "pt-BR".
bool same_language(std::string_view one, std::string_view other) {
  const auto dashed = [](std::string_view name) {
    std::string text(name);
    std::replace(text.begin(), text.end(), '_', '-');
    return text;
  };
  return equal_ignoring_case(dashed(one), dashed(other));
}

/// Whether it is a code of two letters, perhaps with a region: "pt", "pt-BR".
bool is_code(std::string_view language) {
  const std::string_view base = base_language(language);
  return base.size() == 2 && std::all_of(base.begin(), base.end(), [](char c) {
           return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
         });
}

/// A text and the field of the record that holds it; no field: an inner object does.
struct FieldText {
  std::string text, field;
};

class PairReader {
 public:
  /// `asked`: the target language that records name is what a user asks for, none of their own.
  PairReader(const TranslationConfig& config, BadRows& bad, bool asked = false)
      : config_(config), directions_(config.all_directions()), bad_(bad), asked_(asked) {}

  std::vector<TextPair> read(const std::vector<fs::path>& files) {
    for (file_ = 0; file_ < files.size(); ++file_) read_file(files[file_]);
    if (blank_ > 0)
      log_info("translation: ", blank_, " lines are blank on both sides and passed over");
    if (without_languages_ > 0) {
      log_info("translation: ", without_languages_,
               " units of TMX have not both languages and are passed over");
    }
    return std::move(pairs_);
  }

  /// The text of the side of a direction; nothing where the record lacks it.
  std::optional<FieldText> side(const Record& record, const TranslationDirection& direction,
                                bool target) const {
    const std::string& language = target ? direction.target : direction.source;
    const std::string& other = target ? direction.source : direction.target;
    const TranslationDirection& first = directions_.front();
    std::optional<std::string> field;
    // The fields of the configuration hold the languages that the record says, else those of the
    // first direction.
    const bool own = (config_.source_field || config_.target_field) && says_its_own(record);
    if (own || direction == first) {
      field = target ? config_.target_field : config_.source_field;
    } else if (language == first.source || language == first.target) {
      field = language == first.target ? config_.target_field : config_.source_field;
    }
    if (field) {
      if (!record.has(*field) || (own ? !says(record, direction) : is_of_others(record)))
        return std::nullopt;
      return FieldText{record.text(*field), *field};
    }
    std::optional<FieldText> named;
    if (!language.empty()) {
      const auto translation = record.value.find("translation");
      if (translation != record.value.end() && translation->is_object()) {
        const Record inner{record.place, *translation, record.number};
        named = text_of(inner, {language});
        if (named) named->field.clear();
        return named;
      }
      named = named_text(record, language);
      if (named && named_text(record, other)) return named;
    }
    // A field by the name of one language alone may be something else ("id", "no", "to").
    const bool fits = directions_.size() == 1 ? !is_of_others(record) : says(record, direction);
    if (fits) {
      if (auto usual = text_of(record, target ? kTargetFields : kSourceFields)) return usual;
    }
    return named;
  }

  /// What a record says of one of its languages.
  std::optional<FieldText> said(const Record& record, const std::vector<std::string>& names) const {
    const auto field = find_field(record, std::nullopt, names);
    if (!field || !record.has(*field) || !record.value.at(*field).is_string()) return std::nullopt;
    // "to" is Tongan, too.
    const bool is_text =
        field == config_.source_field || field == config_.target_field || knows(*field);
    FieldText language{record.text(*field), *field};
    return is_text || is_blank(language.text) ? std::nullopt : std::optional(std::move(language));
  }

  /// Whether the record's own members say that it is of this direction.
  bool says(const Record& record, const TranslationDirection& direction) const {
    const auto source = said(record, kSourceLanguage), target = said(record, kTargetLanguage);
    return target && is_language(target->text, direction.target) &&
           (!source || is_language(source->text, direction.source));
  }

  /// Whether, among several directions, they say that it is of one, known here or not. "to" may be
  /// a time.
  bool says_its_own(const Record& record) const {
    if (asked_ || directions_.size() == 1) return false;
    const auto target = said(record, kTargetLanguage);
    return target && (target->text.front() < '0' || target->text.front() > '9');
  }

  /// Whether none of the directions is the one that they say.
  bool says_none(const Record& record) const {
    return says_its_own(record) && std::none_of(directions_.begin(), directions_.end(),
                                                [&](const TranslationDirection& direction) {
                                                  return says(record, direction);
                                                });
  }

  /// Whether they say that it is of none. "en" may be an "en-GB" here; what is no code of two
  /// letters ("English", "eng_Latn", a time) is not compared.
  bool is_of_others(const Record& record) const {
    const auto differs = [&](const std::optional<FieldText>& language, const std::string& meant) {
      return language && is_code(language->text) && is_code(meant) &&
             !is_language(language->text, meant) &&
             !same_language(language->text, base_language(meant));
    };
    const auto source = said(record, kSourceLanguage), target = said(record, kTargetLanguage);
    return std::all_of(
        directions_.begin(), directions_.end(), [&](const TranslationDirection& direction) {
          return differs(source, direction.source) || differs(target, direction.target);
        });
  }

  /// The same in words.
  std::string others_text(const Record& record) const {
    std::vector<std::string> facts, known;
    for (const auto* names : {&kSourceLanguage, &kTargetLanguage}) {
      if (const auto language = said(record, *names))
        facts.push_back(concat(language->field, " is '", language->text, "'"));
    }
    for (const TranslationDirection& direction : directions_)
      known.push_back(concat(direction.source, "-", direction.target));
    return concat(join(facts, " and "), ", but what is translated is ", join(known));
  }

 private:
  static std::optional<FieldText> text_of(const Record& record,
                                          const std::vector<std::string>& names) {
    const auto field = find_field(record, std::nullopt, names);
    if (!field || !record.has(*field) || record.value.at(*field).is_object()) return std::nullopt;
    return FieldText{record.text(*field), *field};
  }

  /// The text of the field that a language names. A number in "id" is the record's, no Indonesian.
  static std::optional<FieldText> named_text(const Record& record, const std::string& language) {
    auto text = text_of(record, {language});
    if (text && equal_ignoring_case(text->field, "id") && record.value.at(text->field).is_number())
      text.reset();
    return text;
  }

  /// Whether it is a language of the task.
  bool knows(std::string_view language) const {
    return std::any_of(directions_.begin(), directions_.end(),
                       [&](const TranslationDirection& direction) {
                         return same_language(language, direction.source) ||
                                same_language(language, direction.target);
                       });
  }

  /// Whether a file's language is the one that is meant: "en-US" is an "en", where the task has no
  /// "en-US" of its own; "en" is no "en-GB".
  bool is_language(std::string_view of_file, std::string_view meant) const {
    return same_language(of_file, meant) ||
           (same_language(base_language(of_file), meant) && !knows(of_file));
  }

  void read_file(const fs::path& file) {
    if (text_extension(file) == ".tmx") return read_tmx(file);
    const std::string format = text_format(file);
    if (format == "text") return read_text(file);
    if (format == "tsv" && !tsv_has_header(file)) return read_columns(file);
    bool first = true;
    for_each_labelled_record(
        file,
        [&](const Record& record) {
          if (std::exchange(first, false)) tell_fields(file, record);
          add(record);
        },
        bad_);
  }

  void tell_fields(const fs::path& file, const Record& record) const {
    std::vector<std::string> used = {"translation"};
    for (const auto* names : {&kSourceFields, &kTargetFields, &kSourceLanguage, &kTargetLanguage}) {
      used.insert(used.end(), names->begin(), names->end());
    }
    for (const TranslationDirection& direction : directions_) {
      used.push_back(direction.source);
      used.push_back(direction.target);
    }
    for (const auto& field : {config_.source_field, config_.target_field})
      if (field) used.push_back(*field);
    // "EN" is read where "en" is meant.
    std::vector<std::string> taken;
    for (const auto& [name, value] : record.value.items()) {
      if (std::any_of(used.begin(), used.end(),
                      [&](const std::string& known) { return equal_ignoring_case(known, name); })) {
        taken.push_back(name);
      }
    }
    tell_unused_fields(file, record, taken);
  }

  /// The pairs of a record. kData where it has none.
  void add(const Record& record) {
    struct Sides {
      std::size_t direction;
      std::string source, target;
    };
    std::vector<Sides> found;
    std::string missing;
    Json id = record.has("id") ? record.value.at("id") : Json();
    for (std::size_t d = 0; d < directions_.size(); ++d) {
      const auto source = side(record, directions_[d], false),
                 target = side(record, directions_[d], true);
      if (!source || !target) {
        if (missing.empty()) missing = source ? "translation" : "source text";
        continue;
      }
      // A text in Indonesian names no record.
      if (source->field == "id" || target->field == "id") id = nullptr;
      found.push_back({d, source->text, target->text});
    }
    ++record_;
    for (const Sides& sides : found) add(record, sides.direction, sides.source, sides.target, id);
    if (!found.empty()) return;
    if (is_of_others(record) || says_none(record))
      record.fail(concat(others_text(record), "; name its languages as the file does"));
    record.fail(concat(
        "no field with the ", missing, " (it has ", record.fields(), ")",
        missing == "translation" ? field_remedy("target_field") : field_remedy("source_field"),
        languages_known() ? "" : ", or the languages in task.source and task.target"));
  }

  /// `id`: the record's; null: it has none.
  void add(const Record& record, std::size_t direction, std::string_view source,
           std::string_view target, const Json& id = nullptr) {
    source = trim_white_space(source);
    target = trim_white_space(target);
    if (source.empty() && target.empty()) {
      ++blank_;
      return;
    }
    if (source.empty() || target.empty())
      record.fail(source.empty() ? "the source text is empty" : "the translation is empty");
    TextPair& pair = pairs_.emplace_back();
    pair.id = id.is_null() ? Json(pairs_.size() - 1) : id;
    // A record is a pair in each direction.
    if (!id.is_null() && directions_.size() > 1) {
      const TranslationDirection& of = directions_[direction];
      pair.id = concat(id_text(pair.id), ":", of.source, "-", of.target);
    }
    pair.source = source;
    pair.target = target;
    pair.direction = direction;
    pair.record = record_;
    pair.file = file_;
    pair.place = record.place;
  }

  bool languages_known() const {
    return std::all_of(directions_.begin(), directions_.end(),
                       [](const TranslationDirection& direction) {
                         return !direction.source.empty() && !direction.target.empty();
                       });
  }

  void require_languages(const fs::path& file) const {
    require(languages_known(), ErrorCode::kConfig,
            "task.source: name the languages (task.source, task.target) by which ", file.string(),
            " tells its sides apart");
  }

  /// A text file with its counterpart in each language that it is translated to or from.
  void read_text(const fs::path& file) {
    require_languages(file);
    const std::vector<FileCouple> couples = couples_of(file, directions_);
    std::string looked_for;
    bool found = false;
    for (const auto& [one, other] : couples) {
      looked_for += concat(looked_for.empty() ? "" : " or ", other.path.string());
      if (!fs::exists(other.path)) continue;
      found = true;
      // Each couple once, whichever of the two comes first.
      if (read_texts_.insert(std::minmax(file.string(), other.path.string())).second)
        read_couple(one, other);
    }
    require(!couples.empty(), ErrorCode::kData, file,
            ": the name of a text file tells its language, as in 'train.",
            directions_.front().source, "' beside 'train.", directions_.front().target,
            "'; or give pairs as .tsv, .csv, .jsonl or .tmx");
    require(found, ErrorCode::kMissing, file, ": there is no counterpart, expected ", looked_for);
  }

  void read_couple(const LanguageFile& one, const LanguageFile& other) {
    std::vector<std::optional<std::string>> lines;  // of the other; nothing: noted as bad
    for_each_checked_line(
        other.path, [&](std::uint64_t, std::string_view line, const Error* error) {
          if (error != nullptr) bad_.add(error->what());
          lines.push_back(error != nullptr ? std::nullopt : std::optional<std::string>(line));
          return true;
        });
    std::uint64_t count = 0, beyond = 0;  // lines; of those without a counterpart the last written
    for_each_checked_line(
        one.path, [&](std::uint64_t number, std::string_view line, const Error* error) {
          count = number;
          if (error != nullptr) bad_.add(error->what());
          if (number > lines.size()) {
            if (error != nullptr || !is_blank(line)) beyond = number;
            return true;
          }
          const auto& counterpart = lines[number - 1];
          if (error != nullptr || !counterpart) return true;
          const std::string place = concat(one.path.string(), ":", number);
          const Json value = {{one.language, line}, {other.language, *counterpart}};
          bad_.attempt([&] { add_couple({place, value, number}, one.language, other.language); });
          return true;
        });
    if (beyond > 0) tell_unequal(one.path, lines.size(), beyond, other.path);
    std::uint64_t last = 0;
    for (std::uint64_t i = count; i < lines.size(); ++i)
      if (!lines[i] || !is_blank(*lines[i])) last = i + 1;
    if (last > 0) tell_unequal(other.path, count, last, one.path);
  }

  void tell_unequal(const fs::path& longer, std::uint64_t common, std::uint64_t last,
                    const fs::path& shorter) {
    bad_.add(concat(longer.string(), ":", common + 1,
                    ": has no counterpart, nor have the lines up "
                    "to ",
                    last, ": ", shorter.string(), " has only ", common,
                    " lines; line N of one file is the translation of line N of the other"));
  }

  void add_couple(const Record& record, const std::string& one, const std::string& other) {
    ++record_;
    for (std::size_t d = 0; d < directions_.size(); ++d) {
      const TranslationDirection& direction = directions_[d];
      if (std::minmax(direction.source, direction.target) != std::minmax(one, other)) continue;
      add(record, d, record.value.at(direction.source).get_ref<const std::string&>(),
          record.value.at(direction.target).get_ref<const std::string&>());
    }
  }

  static std::vector<std::string> columns(std::string_view line) {
    std::vector<std::string> fields;
    for (std::size_t begin = 0; begin <= line.size();) {
      const std::size_t end = std::min(line.find('\t', begin), line.size());
      fields.emplace_back(line.substr(begin, end - begin));
      begin = end + 1;
    }
    return fields;
  }

  /// Whether the first row names columns that a direction needs.
  bool tsv_has_header(const fs::path& file) const {
    bool header = false;
    for_each_checked_line(file, [&](std::uint64_t, std::string_view line, const Error* error) {
      if (error != nullptr) return false;
      Json names = Json::object();
      for (const std::string& name : columns(line)) names[std::string(trim_white_space(name))] = "";
      const std::string place = file.string();
      const Record record{place, names, 1};
      header = std::any_of(directions_.begin(), directions_.end(),
                           [&](const TranslationDirection& direction) {
                             return side(record, direction, false) && side(record, direction, true);
                           });
      // Rows of several directions say theirs.
      header = header || (find_field(record, std::nullopt, kTargetLanguage) &&
                          find_field(record, std::nullopt, kTargetFields));
      return false;
    });
    return header;
  }

  void read_columns(const fs::path& file) {
    const TranslationDirection& first = directions_.front();
    log_info(file.string(),
             ": no header names languages; its first two columns are source and target");
    for_each_checked_line(file,
                          [&](std::uint64_t number, std::string_view line, const Error* error) {
                            if (error != nullptr) {
                              bad_.add(error->what());
                              return true;
                            }
                            if (line.empty()) return true;
                            const std::vector<std::string> fields = columns(line);
                            const std::string place = concat(file.string(), ":", number);
                            const bool named = !first.source.empty() && !first.target.empty();
                            Json value = Json::object();
                            value[named ? first.source : "source"] = fields[0];
                            if (fields.size() > 1)
                              value[named ? first.target : "target"] = fields[1];
                            const Record record{place, value, number};
                            bad_.attempt([&] {
                              if (fields.size() < 2)
                                record.fail("one column, expected a text and its translation");
                              add(record);
                            });
                            return true;
                          });
  }

  void read_tmx(const fs::path& file) {
    require_languages(file);
    const auto use = [&](std::uint64_t line, const TranslationUnit& unit) {
      const std::string place = concat(file.string(), ":", line);
      const Json value = Json::object();
      const Record record{place, value, line};
      const auto segment = [&](const std::string& language) -> const std::string* {
        auto found = std::find_if(unit.begin(), unit.end(), [&](const auto& entry) {
          return same_language(entry.first, language);
        });
        if (found == unit.end()) {
          found = std::find_if(unit.begin(), unit.end(), [&](const auto& entry) {
            return is_language(entry.first, language);
          });
        }
        return found != unit.end() ? &found->second : nullptr;
      };
      bool any = false;
      ++record_;
      bad_.attempt([&] {
        for (std::size_t d = 0; d < directions_.size(); ++d) {
          const std::string* const source = segment(directions_[d].source);
          const std::string* const target = segment(directions_[d].target);
          if (source == nullptr || target == nullptr) continue;
          any = true;
          add(record, d, *source, *target);
        }
      });
      without_languages_ += any ? 0 : 1;
      return true;
    };
    for_each_translation_unit(file, use, [&](const Error& error) { bad_.add(error.what()); });
  }

  const TranslationConfig& config_;
  const std::vector<TranslationDirection> directions_;
  BadRows& bad_;
  const bool asked_;
  std::size_t file_ = 0, record_ = 0, blank_ = 0, without_languages_ = 0;
  std::set<std::pair<std::string, std::string>> read_texts_;
  std::vector<TextPair> pairs_;
};

/// The text behind a mark, the beginning of what stands before texts of a direction; nothing where
/// it does not begin with it. A mark that ends in a letter is no part of a word.
std::optional<std::string> behind_mark(std::string_view text, std::string_view mark) {
  if (mark.empty() || !text.starts_with(mark)) return std::nullopt;
  const std::string_view rest = text.substr(mark.size()), behind = trim_white_space(rest);
  const bool apart = std::isalnum(static_cast<unsigned char>(mark.back())) == 0 || rest.empty() ||
                     behind.data() != rest.data();
  return apart ? std::optional(std::string(behind)) : std::nullopt;
}

/// What users may write before a text of this direction.
std::string mark_of(const TranslationConfig& config, const TranslationDirection& direction) {
  return std::string(trim_white_space(config.prefix_of(direction)));
}

/// The text without the mark of its direction, which it gets again when it is translated. kData
/// where it has another direction's.
std::string without_mark(const Record& record, const std::string& text,
                         const TranslationConfig& config, const TranslationDirection& direction) {
  const std::string own = mark_of(config, direction);
  if (auto behind = behind_mark(text, own)) return *behind;
  for (const TranslationDirection& other : config.all_directions()) {
    const std::string mark = mark_of(config, other);
    if (mark != own && behind_mark(text, mark))
      record.fail(concat("the text begins with '", mark, "', but the language asked for is '",
                         direction.target, "'"));
  }
  return text;
}

}  // namespace

std::vector<TextPair> read_pairs(const std::vector<fs::path>& files,
                                 const TranslationConfig& config, BadRows& bad) {
  return PairReader(config, bad).read(files);
}

SourceText read_source(const AnswerInput& input, const TranslationConfig& config,
                       const std::string& to) {
  if (!input.record.is_object()) input.fail("expected an object with a text");
  Json said = input.record;
  TranslationConfig own = config;
  own.source_field = field_of_input({input.place, said}, config.source_field);
  own.target_field = field_of_input({input.place, said}, config.target_field);
  BadRows none(false);
  const bool asked =
      !to.empty() && !PairReader(own, none).said(Record{input.place, said}, kTargetLanguage);
  const PairReader reader(own, none, asked);
  const std::vector<TranslationDirection> directions = config.all_directions();
  if (asked) said[kTargetLanguage.front()] = to;
  const Record record{input.place, said};
  if (reader.is_of_others(record)) record.fail(reader.others_text(record));
  std::size_t direction = directions.size() == 1 ? 0 : directions.size();
  for (std::size_t d = 0; d < directions.size() && direction == directions.size(); ++d)
    if (reader.says(record, directions[d])) direction = d;
  std::optional<std::string> text;
  if (direction < directions.size()) {
    if (auto found = reader.side(record, directions[direction], false))
      text = without_mark(record, std::string(trim_white_space(found->text)), config,
                          directions[direction]);
  } else {
    // A text may begin with the mark of its direction.
    const auto field = find_field(record, own.source_field, kSourceFields);
    if (field && record.has(*field)) text = record.text(*field);
    // A field by the name of a language tells the direction where one is from it.
    std::size_t matching = 0;
    for (std::size_t d = 0; d < directions.size() && !field; ++d) {
      const auto found = reader.side(record, directions[d], false);
      if (!found) continue;
      text = found->text;
      direction = d;
      ++matching;
    }
    if (matching == 1)
      return {
          without_mark(record, std::string(trim_white_space(*text)), config, directions[direction]),
          direction};
    for (std::size_t d = 0; d < directions.size() && text; ++d) {
      if (auto behind = behind_mark(trim_white_space(*text), mark_of(config, directions[d])))
        return {*behind, d};
    }
    if (text) {
      std::vector<std::string> names;
      for (const TranslationDirection& known : directions) names.push_back(known.target);
      record.fail("into which language? name it with --to, in a member target_language, or by '" +
                  config.prefix_of(directions.front()) + "' before the text (one of " +
                  join(names) + ")");
    }
  }
  if (!text)
    record.fail("no field with the source text (it has " + record.fields() + ")" +
                field_remedy("source_field"));
  return {std::string(trim_white_space(*text)), direction};
}

}  // namespace llmctl
