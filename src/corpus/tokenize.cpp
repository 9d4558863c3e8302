#include "corpus/tokenize.h"

#include <algorithm>
#include <chrono>
#include <cmath>
#include <mutex>
#include <optional>
#include <string>
#include <utility>

#include "base/error.h"
#include "base/file_lock.h"
#include "base/files.h"
#include "base/hash.h"
#include "base/log.h"
#include "base/signals.h"
#include "base/terminal.h"
#include "base/threads.h"
#include "corpus/readers.h"
#include "io/shard_writer.h"

namespace llmctl {

namespace {

namespace fs = std::filesystem;

constexpr std::size_t kBatchBytes = std::size_t{8} << 20;       // text in memory at a time
constexpr std::uint64_t kManyBytes = std::uint64_t{500} << 20;  // a second of hashing or more

const char* selection_name(DocumentSelection::Kind kind) {
  switch (kind) {
    case DocumentSelection::Kind::kAll:
      return "all";
    case DocumentSelection::Kind::kHead:
      return "head";
    case DocumentSelection::Kind::kTail:
      return "tail";
    case DocumentSelection::Kind::kHashOut:
      return "hash_out";
    case DocumentSelection::Kind::kHashIn:
      return "hash_in";
  }
  return "";
}

/// Raised when documents of the same files come out otherwise than before: caches made by older
/// readers are not used then.
constexpr int kReaderVersion = 2;

/// Something of everything that normalisers and segmenters treat in ways of their own.
constexpr std::string_view kProbe =
    "The Quick brown fox\u2019s naïve café, e\u0301t\u00e9!  ＡＢＣ１２３ ﬁ ½ ① İi ß ÅÄÖ\n\n"
    "\t你好，世界。《紅樓夢》第１回 𠀀 ひらがな カタカナ ｶﾅ 한국어 العربية हिन्दी ไทย\r\n"
    "x = a[0] != 'b' ? 1e-5 : \"3.14159\"; // https://example.org/?q=1&r=2 #tag @name\u00a0"
    "\u200b\u3000👩\u200d👩\u200d👧 <s> </s> [MASK] <|endoftext|> don't we'll I'm 1234567890";

constexpr const char* kAgain = "the next run tokenizes again";

/// The part of each document that a selection takes; documents of a file are asked about in order.
class Selector {
 public:
  explicit Selector(const TokenizeOptions& options)
      : split_(options.split), selection_(options.selection) {}

  void begin(const SourceFile& file) {
    const bool positional = selection_.kind == Kind::kHead || selection_.kind == Kind::kTail;
    how_ = positional ? How::kByPosition : How::kByText;
    if (!positional) return;
    std::uint64_t total = 0, documents = 0;
    for_each_source_document(file, [&](const SourceDocument& document) {
      total += document.text.size();
      ++documents;
      return true;
    });
    const bool one_document =
        split_ == DocumentSplit::kFile && file.how.format == "text" && documents == 1;
    if (one_document) how_ = How::kCut;
    position_ = 0;
    cut_ = boundary(total);
  }

  /// Empty when the document is not taken.
  std::string_view select(std::string_view text) {
    if (selection_.kind == Kind::kAll) return text;
    if (how_ == How::kByText) {
      return (hash_fraction(text) < selection_.fraction) == (selection_.kind == Kind::kHashIn)
                 ? text
                 : std::string_view();
    }
    if (how_ == How::kCut) {
      std::size_t cut = static_cast<std::size_t>(boundary(text.size()));
      while (cut > 0 && cut < text.size() && (text[cut] & 0xC0) == 0x80) --cut;
      return selection_.kind == Kind::kHead ? text.substr(0, cut) : text.substr(cut);
    }
    const bool tail = position_ >= cut_;
    position_ += text.size();
    return tail == (selection_.kind == Kind::kTail) ? text : std::string_view();
  }

 private:
  using Kind = DocumentSelection::Kind;
  enum class How { kByText, kByPosition, kCut };
  std::uint64_t boundary(std::uint64_t bytes) const {
    return static_cast<std::uint64_t>(
        std::floor((1 - selection_.fraction) * static_cast<double>(bytes)));
  }

  DocumentSplit split_;
  DocumentSelection selection_;
  How how_ = How::kByText;
  std::uint64_t cut_ = 0, position_ = 0;
};

/// Encodes documents in parallel and hands them to the writer in order.
class Encoder {
 public:
  Encoder(const Tokenizer& tokenizer, ShardWriter& writer)
      : tokenizer_(tokenizer), writer_(writer) {}

  void add(const fs::path& file, std::string_view text) {
    texts_.emplace_back(text);
    files_.push_back(&file);
    bytes_ += text.size();
    if (bytes_ >= kBatchBytes) flush();
  }

  void flush() {
    stop_if_asked(kAgain);
    std::vector<std::vector<TokenId>> ids(texts_.size());
    parallel_for(texts_.size(), [&](std::size_t i) {
      try {
        ids[i] = tokenizer_.encode(texts_[i]);
      } catch (const Error& error) {
        fail(error.code(), *files_[i], ": ", error.what());
      }
    });
    for (std::size_t i = 0; i < ids.size(); ++i) {
      if (!ids[i].empty()) writer_.add(ids[i], texts_[i].size());
    }
    texts_.clear();
    files_.clear();
    bytes_ = 0;
  }

 private:
  const Tokenizer& tokenizer_;
  ShardWriter& writer_;
  std::vector<std::string> texts_;
  std::vector<const fs::path*> files_;
  std::size_t bytes_ = 0;
};

/// What the files hold: "sha256" and "bytes" of each; with a progress line when that takes a while.
Json identify(const std::vector<SourceFile>& files) {
  Json sources = Json::array();
  std::uint64_t total = 0, done = 0;
  for (const SourceFile& file : files) {
    const std::uint64_t bytes = MappedFile(file.path).size();
    sources.push_back({{"sha256", ""}, {"bytes", bytes}, {"kind", file.how.format}});
    total += bytes;
  }
  std::optional<Progress> progress;
  if (total >= kManyBytes) progress.emplace("looking for tokenized text", total);
  std::mutex mutex;
  parallel_for(files.size(), [&](std::size_t i) {
    Sha256 hash;
    for_each_chunk(files[i].path, [&](std::string_view chunk) {
      hash.update(chunk);
      if (progress) {
        const std::lock_guard lock(mutex);
        progress->update(done += chunk.size());
        stop_if_asked(kAgain);
      }
      return true;
    });
    sources[i]["sha256"] = hash.hex();
  });
  return sources;
}

/// What the tokenizer makes of the probe: the fingerprint says what files it is of, not how it is
/// applied.
std::string probe_of(const Tokenizer& tokenizer) {
  try {
    return sha256_hex(dump_json(tokenizer.encode(kProbe)));
  } catch (const Error& error) {  // a character that it has no piece for
    return sha256_hex(error.what());
  }
}

/// What identifies the result: the manifest's last members, whose hash is the cache's key.
Json describe(const std::vector<SourceFile>& files, const Tokenizer& tokenizer,
              const TokenizeOptions& options) {
  return {{"tokenizer", tokenizer.fingerprint()},
          {"probe", probe_of(tokenizer)},
          {"reader", kReaderVersion},
          {"split", name_of(options.split)},
          {"fields", options.fields},
          {"selection", selection_name(options.selection.kind)},
          {"fraction", options.selection.fraction},
          {"append_end", options.append_end},
          {"file_bytes", options.file_bytes},
          {"sources", identify(files)}};
}

/// Tokenizes into `directory`, which appears when all is well.
void make_shards(const std::vector<SourceFile>& files, const Tokenizer& tokenizer,
                 const TokenizeOptions& options, Json description, const fs::path& directory) {
  const auto begin = std::chrono::steady_clock::now();
  std::uint64_t total = 0, seen = 0, read = 0;
  for (std::size_t i = 0; i < files.size(); ++i) {
    total += description["sources"][i]["bytes"].get<std::uint64_t>();
    description["sources"][i]["path"] = files[i].path.string();
  }
  description["tokenizer_description"] = tokenizer.description();

  AtomicDirectory building(directory);
  const SpecialTokens& special = tokenizer.special();
  const std::optional<TokenId> end = !options.append_end ? std::nullopt
                                     : special.eos       ? special.eos
                                                         : special.sep;
  ShardWriter writer(building.path(), tokenizer.vocab_size(), end, options.file_bytes);
  Progress progress("tokenizing", total);
  Selector selector(options);
  Encoder encoder(tokenizer, writer);
  ReadingNotes notes;
  for (const SourceFile& file : files) {
    selector.begin(file);
    for_each_source_document(
        file,
        [&](const SourceDocument& document) {
          ++seen;
          read += document.text.size();
          const std::string_view taken = selector.select(document.text);
          if (!taken.empty()) encoder.add(file.path, taken);
          progress.update(std::min(read, total),
                          format_count(static_cast<double>(writer.tokens())) + " tokens");
          return true;
        },
        &notes);
  }
  encoder.flush();
  progress.finish();
  notes.log();
  require(writer.documents() > 0, ErrorCode::kData, files.front().path,
          files.size() > 1 ? concat(" and ", files.size() - 1, " more") : "",
          ": no text left: ", seen, " documents of ", read, " bytes read, none of them taken",
          options.selection.kind == DocumentSelection::Kind::kAll
              ? ""
              : "; give held-out data as files of its own, or another share");
  writer.finish(description);
  building.commit();
  const std::chrono::duration<double> seconds = std::chrono::steady_clock::now() - begin;
  log_info("tokenized ", format_bytes(read), " into ",
           format_count(static_cast<double>(writer.tokens())), " tokens of ",
           format_count(static_cast<double>(writer.documents())), " documents in ",
           format_duration(seconds.count()));
}

/// The shards at `directory`, or null when there are none or they are damaged.
std::shared_ptr<const Shards> open_cached(const fs::path& directory) {
  if (!fs::exists(directory)) return nullptr;
  try {
    return std::make_shared<const Shards>(directory);
  } catch (const Error& error) {
    log_warning(error.what());
    return nullptr;
  }
}

/// The shards, when the files are those of one directory of shards; null when they are texts. kData
/// for shards of another tokenizer, kConfig where a share of them is asked for.
std::shared_ptr<const Shards> open_prepared(const std::vector<fs::path>& files,
                                            const Tokenizer& tokenizer,
                                            const TokenizeOptions& options) {
  const fs::path directory = files.front().parent_path();
  const auto of_shards = [](const fs::path& folder) {
    return fs::exists(folder / kShardManifest) && fs::exists(folder / kShardIndex);
  };
  const bool shards =
      of_shards(directory) && std::all_of(files.begin(), files.end(), [&](const fs::path& file) {
        return file.parent_path() == directory;
      });
  if (!shards) {
    for (const fs::path& file : files) {
      require(file.filename() != kShardIndex || !of_shards(file.parent_path()), ErrorCode::kData,
              file.parent_path(),
              ": a directory of shards stands beside other files; name it by itself");
    }
    return nullptr;
  }
  require(options.selection.kind == DocumentSelection::Kind::kAll, ErrorCode::kConfig, directory,
          ": a share of shards cannot be held out; name prepared data for validation");
  auto prepared = std::make_shared<const Shards>(directory);
  const Json fingerprint = prepared->manifest().value("tokenizer", Json());
  require(fingerprint == tokenizer.fingerprint(), ErrorCode::kData, directory,
          ": made with another tokenizer; prepare the data again with this one");
  return prepared;
}

/// The texts, each with the way in which it is read.
std::vector<SourceFile> texts_of(const std::vector<fs::path>& files,
                                 const TokenizeOptions& options) {
  std::vector<SourceConfig> sources;
  for (const fs::path& path : files) {
    SourceConfig source;
    source.path = path.string();
    source.format = options.format;
    source.split = name_of(options.split);
    source.fields_of_text = options.fields;
    sources.push_back(std::move(source));
  }
  return source_files(sources);
}

std::shared_ptr<const Shards> find_or_make_shards(const std::vector<fs::path>& files,
                                                  const Tokenizer& tokenizer,
                                                  const TokenizeOptions& options,
                                                  const fs::path& cache_root) {
  require(!files.empty(), ErrorCode::kMissing, "no text file to tokenize");
  if (auto shards = open_prepared(files, tokenizer, options)) return shards;
  const double fraction = options.selection.fraction;
  require(options.selection.kind == DocumentSelection::Kind::kAll || (fraction > 0 && fraction < 1),
          ErrorCode::kConfig, "the share of held-out text must lie between 0 and 1, got ",
          fraction);
  make_directories(cache_root);
  remove_stale_temporaries(cache_root);
  const std::vector<SourceFile> read = texts_of(files, options);
  const Json description = describe(read, tokenizer, options);
  const std::string key =
      sha256_hex(concat(kShardFormat, kShardVersion, dump_json(description))).substr(0, 32);
  const fs::path directory = cache_root / key;
  if (auto shards = open_cached(directory)) return shards;

  const GracefulStop graceful;  // the lock and what is half written go
  const FileLock lock(cache_root / ("." + key + ".lock"));
  stop_if_asked(kAgain);
  if (auto shards = open_cached(directory)) return shards;
  std::error_code ignored;  // what cannot be removed is in the way, which commit() reports
  fs::remove_all(directory, ignored);
  try {
    make_shards(read, tokenizer, options, description, directory);
  } catch (const Error& error) {
    // Without working locks another process may have been first; its shards are the same.
    if (error.code() != ErrorCode::kCannotCreate || !fs::exists(directory)) throw;
  }
  stop_if_asked("the next run finds the text tokenized");
  return std::make_shared<const Shards>(directory);
}

}  // namespace

void check_sources(const std::vector<fs::path>& files, const Tokenizer& tokenizer,
                   const TokenizeOptions& options) {
  if (!files.empty() && !open_prepared(files, tokenizer, options)) texts_of(files, options);
}

std::shared_ptr<const Shards> tokenize_to_shards(const std::vector<fs::path>& files,
                                                 const Tokenizer& tokenizer,
                                                 const TokenizeOptions& options,
                                                 const fs::path& cache_root) {
  try {
    return find_or_make_shards(files, tokenizer, options, cache_root);
  } catch (const Interrupted&) {
    stop_if_asked(kAgain);  // readers ask too, who cannot say how it goes on
    throw;
  }
}

}  // namespace llmctl
