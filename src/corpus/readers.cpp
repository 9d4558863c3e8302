#include "corpus/readers.h"

#include <cstring>
#include <memory>

#include "base/error.h"
#include "base/files.h"
#include "base/utf8.h"
#include "corpus/html_text.h"
#include "corpus/wiki_text.h"
#include "io/text_source.h"
#include "text/tokenizer.h"

namespace llmctl {
namespace {

constexpr std::size_t kMaxPage = 64u << 20;

std::string format_of(const std::filesystem::path& path) {
  const std::string extension = text_extension(path);
  if (extension == ".jsonl" || extension == ".json" || extension == ".csv" || extension == ".tsv") {
    return extension.substr(1);
  }
  if (extension == ".xml") return "mediawiki";
  if (extension == ".bin") return "tokens";
  if (extension == ".parquet") {
    fail(ErrorCode::kData, path,
         ": Parquet is not read; convert it: python3 -c \"import "
         "pandas; pandas.read_parquet('",
         path.filename().string(), "').to_json('", path.stem().string(),
         ".jsonl', orient='records', lines=True, force_ascii=False)\"");
  }
  return "text";
}

DocumentSplit split_of(const std::string& name) {
  return name == "line"   ? DocumentSplit::kLine
         : name == "file" ? DocumentSplit::kFile
                          : DocumentSplit::kBlankLine;
}

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
void for_each_page(const std::filesystem::path& path,
                   const std::function<bool(std::string_view)>& document) {
  std::string pending;
  bool going = true, pages = false;
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
      pages = true;
      const std::string_view page = std::string_view(pending).substr(begin, end - begin);
      done = end + 7;
      if (element(page, "ns") != "0" || page.find("<redirect") != page.npos) continue;
      const std::string text = wiki_text(element(page, "text"));
      if (find_invalid_utf8(text)) fail(ErrorCode::kData, path, ": a page is not UTF-8");
      const std::string title = element(page, "title");
      if (!text.empty()) going = document(title.empty() ? text : title + "\n\n" + text);
    }
    pending.erase(0, done);
    require(pending.size() <= kMaxPage, ErrorCode::kData, path, ": a page of more than ",
            kMaxPage >> 20, " MB");
    return going;
  });
  require(!going || pages, ErrorCode::kData, path, ": no <page> of a MediaWiki dump in it");
}

/// nanoGPT's raw uint16 tokens, and llm.c's with 256 int32 before them.
void for_each_token_document(const SourceFile& file,
                             const std::function<bool(std::string_view)>& document) {
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
  const auto flush = [&] {
    if (ids.empty()) return true;
    const std::string text = tokenizer->decode(ids);
    ids.clear();
    return text.empty() || document(text);
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

/// The text fields of a record.
std::string text_of(const Json& record, const SourceFile& file, std::uint64_t number) {
  std::string text;
  bool found = false;
  for (const std::string& field : file.how.fields_of_text) {
    if (!record.is_object() || !record.contains(field)) continue;
    const Json& value = record[field];
    if (value.is_null()) continue;
    require(value.is_string(), ErrorCode::kData, file.path, ":", number, ": ", field,
            ": expected a text");
    if (found) text += '\n';
    text += value.get_ref<const std::string&>();
    found = true;
  }
  std::string names;
  for (const std::string& field : file.how.fields_of_text) {
    names += (names.empty() ? "" : ", ") + field;
  }
  require(found, ErrorCode::kData, file.path, ":", number, ": no field ", names,
          "; name the text's fields in input.fields");
  return text;
}

}  // namespace

std::vector<SourceFile> source_files(const std::vector<SourceConfig>& sources) {
  std::vector<SourceFile> files;
  for (const SourceConfig& source : sources) {
    for (const auto& path : expand_paths({source.path})) {
      SourceFile file{path, source};
      if (source.format == "auto") file.how.format = format_of(path);
      files.push_back(std::move(file));
    }
  }
  return files;
}

void for_each_source_document(const SourceFile& file,
                              const std::function<bool(std::string_view)>& document) {
  const std::string& format = file.how.format;
  if (format == "mediawiki") return for_each_page(file.path, document);
  if (format == "tokens") return for_each_token_document(file, document);
  if (format == "text") {
    return for_each_document(file.path, split_of(file.how.split), document);
  }
  for_each_record(file.path, [&](std::uint64_t number, const Json& record) {
    const std::string text = text_of(record, file, number);
    return text.empty() || document(text);
  });
}

}  // namespace llmctl
