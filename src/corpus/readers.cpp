#include "corpus/readers.h"

#include <array>
#include <cstring>
#include <memory>

#include "base/error.h"
#include "base/files.h"
#include "base/log.h"
#include "base/strings.h"
#include "base/utf8.h"
#include "base/white_space.h"
#include "corpus/html_text.h"
#include "corpus/wiki_text.h"
#include "io/text_format.h"
#include "io/text_source.h"
#include "text/tokenizer.h"

namespace llmctl {
namespace {

constexpr std::size_t kMaxPage = 64u << 20;

using DocumentUse = std::function<bool(const SourceDocument&)>;

/// Fields that hold a record's text, the likeliest first.
constexpr std::array<std::string_view, 12> kTextFields = {
    "text",    "content",  "raw_content", "sentence", "review",      "body",
    "article", "document", "story",       "passage",  "description", "comment"};

/// The content of the first element of that name, entities decoded; empty where there is none.
std::string element(std::string_view page, std::string_view name) {
  const std::string open = "<" + std::string(name), close = "</" + std::string(name) + ">";
  std::size_t at = page.find(open);
  if (at == page.npos) return "";
  at = page.find('>', at);
  if (at == page.npos || page[at - 1] == '/') return "";
  const std::size_t end = page.find(close, at);
  return end == page.npos ? "" : decode_entities(page.substr(at + 1, end - at - 1));
}

/// Pages of a MediaWiki dump: articles, no redirects.
void for_each_page(const std::filesystem::path& path, const DocumentUse& document) {
  std::string pending;
  bool going = true;
  std::uint64_t pages = 0;
  for_each_block(path, [&](std::string_view block) {
    pending += block;
    std::size_t done = 0;
    while (going) {
      const std::size_t begin = pending.find("<page>", done);
      if (begin == pending.npos) {
        done = pending.size() < 6 ? done : std::max(done, pending.size() - 6);
        break;
      }
      const std::size_t end = pending.find("</page>", begin);
      if (end == pending.npos) {
        done = begin;
        break;
      }
      ++pages;
      const std::string_view page = std::string_view(pending).substr(begin, end - begin);
      done = end + 7;
      if (element(page, "ns") != "0" || page.find("<redirect") != page.npos) continue;
      const std::string text = wiki_text(element(page, "text"));
      if (find_invalid_utf8(text)) fail(ErrorCode::kData, path, ": a page is not UTF-8");
      const std::string title = element(page, "title");
      if (is_blank(text)) continue;
      going = document({title.empty() ? text : concat(title, "\n\n", text), pages});
    }
    pending.erase(0, done);
    require(pending.size() <= kMaxPage, ErrorCode::kData, path, ": a page of more than ",
            kMaxPage >> 20, " MB");
    return going;
  });
  require(!going || pages > 0, ErrorCode::kData, path,
          ": no <page> of a MediaWiki dump in it; other XML is not read");
}

/// nanoGPT's raw uint16 tokens, and llm.c's with 256 int32 before them.
void for_each_token_document(const SourceFile& file, const DocumentUse& document) {
  require(!file.how.tokenizer.empty(), ErrorCode::kConfig, file.path,
          ": a file of tokens needs input.tokenizer, which turns them into text");
  const auto tokenizer = load_tokenizer(file.how.tokenizer);
  const auto end_token =
      tokenizer->special().eos ? tokenizer->special().eos : tokenizer->special().sep;
  const MappedFile mapped(file.path);
  std::string_view bytes = mapped.view();
  std::size_t width = 2;
  if (bytes.size() >= 1024) {
    std::int32_t header[3];
    std::memcpy(header, bytes.data(), sizeof header);
    if (header[0] == 20240520 || header[0] == 20240801) {
      width = header[0] == 20240520 ? 2 : 4;
      bytes.remove_prefix(1024);
      require(header[2] >= 0 && bytes.size() == static_cast<std::size_t>(header[2]) * width,
              ErrorCode::kData, file.path, ": its header says ", header[2], " tokens, it has ",
              bytes.size() / width);
    }
  }
  require(bytes.size() % width == 0, ErrorCode::kData, file.path, ": ", bytes.size(),
          " bytes are no whole number of tokens");
  std::vector<TokenId> ids;
  std::uint64_t number = 0;
  const auto flush = [&] {
    if (ids.empty()) return true;
    const std::string text = tokenizer->decode(ids);
    ids.clear();
    ++number;
    return is_blank(text) || document({text, number});
  };
  for (std::size_t at = 0; at < bytes.size(); at += width) {
    std::uint32_t id = 0;
    std::memcpy(&id, bytes.data() + at, width);
    require(id < static_cast<std::uint64_t>(tokenizer->vocab_size()), ErrorCode::kData, file.path,
            ": token ", at / width, " is ", id, ", beyond the tokenizer's ",
            tokenizer->vocab_size());
    if (end_token && static_cast<TokenId>(id) == *end_token) {
      if (!flush()) return;
    } else {
      ids.push_back(static_cast<TokenId>(id));
    }
  }
  flush();
}

/// The members' names, for errors.
std::string names_of(const Json& record) {
  std::string names;
  std::size_t more = 0;
  for (const auto& [name, value] : record.items()) {
    if (names.size() > 200) {
      ++more;
    } else {
      names += (names.empty() ? "" : ", ") + name;
    }
  }
  return more == 0 ? names : concat(names, " and ", more, " more");
}

/// A member by its name, or by a path of names with dots between ("meta.text"); null: none.
const Json* member_of(const Json& record, const std::string& field) {
  if (const auto found = record.find(field); found != record.end()) return &*found;
  const std::size_t dot = field.find('.');
  if (dot == field.npos) return nullptr;
  const auto inner = record.find(field.substr(0, dot));
  if (inner == record.end() || !inner->is_object()) return nullptr;
  return member_of(*inner, field.substr(dot + 1));
}

/// Takes the text out of records.
class RecordText {
 public:
  RecordText(const SourceFile& file, ReadingNotes* notes)
      : file_(file), notes_(notes), fields_(file.how.fields_of_text) {}

  /// Empty where the record's text is null or empty.
  std::string of(const Json& record, std::uint64_t number) {
    if (fields_.empty()) choose(record, number);
    std::string text;
    bool any = false, null = false;
    for (const std::string& field : fields_) {
      const Json* value = member_of(record, field);
      if (value == nullptr) continue;
      any = true;
      if (value->is_null()) {
        null = true;
        continue;
      }
      require(value->is_string(), ErrorCode::kData, file_.path, ":", number, ": ", field,
              ": expected a text, got ", value->type_name());
      if (!text.empty()) text += '\n';
      text += value->get_ref<const std::string&>();
    }
    if (!any) refuse(record, number);
    if (null && text.empty() && notes_ && notes_->nulls++ == 0) {
      notes_->first_null = concat(file_.path, ":", number);
    }
    return text;
  }

 private:
  void choose(const Json& record, std::uint64_t number) {
    for (const std::string_view name : kTextFields) {
      if (record.contains(std::string(name))) {
        fields_ = {std::string(name)};
        return;
      }
    }
    for (const std::string_view name : kTextFields) {
      for (const auto& [field, value] : record.items()) {
        if (!equal_ignoring_case(field, name)) continue;
        fields_ = {field};
        return;
      }
    }
    // A table of one column is its text whatever that is called.
    const bool table = file_.how.format == "csv" || file_.how.format == "tsv";
    if (!table || record.size() != 1) refuse(record, number);
    fields_ = {record.begin().key()};
  }

  [[noreturn]] void refuse(const Json& record, std::uint64_t number) const {
    const std::string wanted = join(file_.how.fields_of_text);
    fail(ErrorCode::kData, file_.path, ":", number,
         wanted.empty() ? ": no field that is known to hold text, such as text or content"
                        : ": no field " + wanted,
         "; it has ", record.empty() ? "none" : names_of(record),
         "; name the text's field: --fields NAME, or --set 'data.fields=[\"NAME\"]' of pretrain");
  }

  const SourceFile& file_;
  ReadingNotes* notes_;
  std::vector<std::string> fields_;
};

}  // namespace

std::vector<SourceFile> source_files(const std::vector<SourceConfig>& sources) {
  std::vector<SourceFile> files;
  for (const SourceConfig& source : sources) {
    for (const auto& path : expand_paths({source.path})) {
      SourceFile file{path, source};
      if (source.format == "auto") {
        file.how.format = text_format(path);
        const std::string named = text_extension(path);
        if ((named == ".txt" || named == ".json" || named.empty()) && file.how.format != "text" &&
            "." + file.how.format != named) {
          log_info(path, ": ", file.how.format, " by its content, read as that");
        }
      }
      files.push_back(std::move(file));
    }
  }
  return files;
}

void count_special_marks(std::string_view text, std::map<std::string, std::uint64_t>& counts) {
  static constexpr std::array<std::string_view, 21> kMarks = {"<|endoftext|>",
                                                              "<|end_of_text|>",
                                                              "<|begin_of_text|>",
                                                              "<|startoftext|>",
                                                              "<|im_start|>",
                                                              "<|im_end|>",
                                                              "<|eot_id|>",
                                                              "<|start_header_id|>",
                                                              "<|end_header_id|>",
                                                              "<start_of_turn>",
                                                              "<end_of_turn>",
                                                              "<s>",
                                                              "</s>",
                                                              "<bos>",
                                                              "<eos>",
                                                              "<pad>",
                                                              "<mask>",
                                                              "[CLS]",
                                                              "[SEP]",
                                                              "[MASK]",
                                                              "[PAD]"};
  for (const char sign : {'<', '['}) {
    for (std::size_t at = text.find(sign); at != text.npos; at = text.find(sign, at + 1)) {
      const std::string_view rest = text.substr(at, 20);
      if (rest.find(sign == '<' ? '>' : ']') == rest.npos) continue;
      for (const std::string_view mark : kMarks) {
        if (rest.starts_with(mark)) ++counts[std::string(mark)];
      }
    }
  }
}

void ReadingNotes::log() const {
  const auto listed = [](const std::map<std::string, std::uint64_t>& counts) {
    std::vector<std::string> parts;
    for (const auto& [name, count] : counts) parts.push_back(concat(count, " ", name));
    return join(parts);
  };
  if (!end_marks.empty()) {
    log_info("documents end at lines that are end-of-text marks: ", listed(end_marks));
  }
  if (!marks.empty()) {
    log_warning("names of special tokens in the text are kept as text: ", listed(marks));
  }
  if (nulls > 0) {
    log_warning(nulls,
                nulls == 1 ? " record whose text is null was" : " records whose text is null were",
                " passed over, the first at ", first_null);
  }
}

void for_each_source_document(const SourceFile& file, const DocumentUse& document,
                              ReadingNotes* notes) {
  const std::string& format = file.how.format;
  const DocumentUse use = [&](const SourceDocument& one) {
    if (notes) count_special_marks(one.text, notes->marks);
    return document(one);
  };
  if (format == "mediawiki") return for_each_page(file.path, use);
  if (format == "tokens") return for_each_token_document(file, use);
  if (format == "text") {
    return for_each_document(
        file.path, document_split_of(file.how.split),
        [&](std::uint64_t line, std::string_view text) {
          return use({text, line});
        },
        notes ? &notes->end_marks : nullptr);
  }
  if (format == "html") {
    // One page, one document, whatever `split` says.
    for_each_document(file.path, DocumentSplit::kFile,
                      [&](std::uint64_t line, std::string_view page) {
                        const std::string text = html_text(page);
                        return is_blank(text) || use({trim_white_space(text), line});
                      });
    return;
  }
  RecordText text_of(file, notes);
  for_each_record_of(format, file.path, [&](std::uint64_t number, const Json& record) {
    const std::string text = text_of.of(record, number);
    return is_blank(text) || use({text, number});
  });
}

}  // namespace llmctl
