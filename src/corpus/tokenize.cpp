#include "corpus/tokenize.h"

#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cmath>
#include <cstring>
#include <mutex>
#include <optional>
#include <string>
#include <utility>

#include "base/error.h"
#include "base/hash.h"
#include "base/log.h"
#include "base/signals.h"
#include "base/terminal.h"
#include "base/threads.h"
#include "io/shard_writer.h"

namespace llmctl {

namespace {

namespace fs = std::filesystem;

constexpr std::size_t kBatchBytes = std::size_t{8} << 20;       // text in memory at a time
constexpr std::uint64_t kManyBytes = std::uint64_t{500} << 20;  // a second of hashing or more

const char* split_name(DocumentSplit split) {
  switch (split) {
    case DocumentSplit::kBlankLine:
      return "blank_line";
    case DocumentSplit::kLine:
      return "line";
    case DocumentSplit::kFile:
      return "file";
  }
  return "";
}

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

/// An exclusive lock among processes on one machine, by flock(2): a killed holder holds nothing.
/// Where the file system has no locks it is none, and the last rename decides.
class FileLock {
 public:
  explicit FileLock(fs::path path) : path_(std::move(path)) {
    fd_ = ::open(path_.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0666);
    require(fd_ >= 0, ErrorCode::kCannotCreate, path_, ": ", std::strerror(errno));
    while (::flock(fd_, LOCK_EX) != 0 && errno == EINTR && stop_requested() == 0) {
    }
  }
  FileLock(const FileLock&) = delete;
  FileLock& operator=(const FileLock&) = delete;
  ~FileLock() {
    ::unlink(path_.c_str());  // who waits on it finds the shards, or makes them
    ::close(fd_);
  }

 private:
  fs::path path_;
  int fd_;
};

constexpr const char* kAgain = "the next run tokenizes again";

/// The part of each document that a selection takes; documents of a file are asked about in order.
class Selector {
 public:
  explicit Selector(const TokenizeOptions& options)
      : split_(options.split), selection_(options.selection) {}

  void begin(const fs::path& file) {
    const bool positional = selection_.kind == Kind::kHead || selection_.kind == Kind::kTail;
    const bool one_document = split_ == DocumentSplit::kFile && text_extension(file) != ".jsonl";
    how_ = !positional ? How::kByText : one_document ? How::kCut : How::kByPosition;
    if (how_ != How::kByPosition) return;
    std::uint64_t total = 0;
    for_each_document(file, split_, [&](std::string_view text) {
      total += text.size();
      return true;
    });
    position_ = 0;
    cut_ = boundary(total);
  }

  /// Empty when the document is not taken.
  std::string_view select(std::string_view text) {
    if (selection_.kind == Kind::kAll) return text;
    if (how_ == How::kByText) {
      // The top 53 bits, as a number in [0, 1).
      const double place = static_cast<double>(hash64(text) >> 11) * 0x1p-53;
      return (place < selection_.fraction) == (selection_.kind == Kind::kHashIn)
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
Json identify(const std::vector<fs::path>& files) {
  Json sources = Json::array();
  std::uint64_t total = 0, done = 0;
  for (const fs::path& file : files) {
    const std::uint64_t bytes = MappedFile(file).size();
    sources.push_back({{"sha256", ""}, {"bytes", bytes}, {"kind", text_extension(file)}});
    total += bytes;
  }
  std::optional<Progress> progress;
  if (total >= kManyBytes) progress.emplace("looking for tokenized text", total);
  std::mutex mutex;
  parallel_for(files.size(), [&](std::size_t i) {
    Sha256 hash;
    for_each_chunk(files[i], [&](std::string_view chunk) {
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

/// What identifies the result: the manifest's last members, whose hash is the cache's key.
Json describe(const std::vector<fs::path>& files, const Tokenizer& tokenizer,
              const TokenizeOptions& options) {
  return {{"tokenizer", tokenizer.fingerprint()},
          {"split", split_name(options.split)},
          {"selection", selection_name(options.selection.kind)},
          {"fraction", options.selection.fraction},
          {"append_end", options.append_end},
          {"file_bytes", options.file_bytes},
          {"sources", identify(files)}};
}

/// Tokenizes into `directory`, which appears when all is well.
void make_shards(const std::vector<fs::path>& files, const Tokenizer& tokenizer,
                 const TokenizeOptions& options, Json description, const fs::path& directory) {
  const auto begin = std::chrono::steady_clock::now();
  std::uint64_t total = 0, seen = 0, read = 0;
  for (std::size_t i = 0; i < files.size(); ++i) {
    total += description["sources"][i]["bytes"].get<std::uint64_t>();
    description["sources"][i]["path"] = files[i].string();
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
  for (const fs::path& file : files) {
    selector.begin(file);
    for_each_document(file, options.split, [&](std::string_view text) {
      ++seen;
      read += text.size();
      if (const std::string_view taken = selector.select(text); !taken.empty()) {
        encoder.add(file, taken);
      }
      progress.update(std::min(read, total),
                      format_count(static_cast<double>(writer.tokens())) + " tokens");
      return true;
    });
  }
  encoder.flush();
  progress.finish();
  require(writer.documents() > 0, ErrorCode::kData, files.front(),
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
  const bool shards =
      fs::exists(directory / kShardManifest) && fs::exists(directory / kShardIndex) &&
      std::all_of(files.begin(), files.end(),
                  [&](const fs::path& file) { return file.parent_path() == directory; });
  if (!shards) return nullptr;
  require(options.selection.kind == DocumentSelection::Kind::kAll, ErrorCode::kConfig, directory,
          ": a share of shards cannot be held out; name prepared data for validation");
  auto prepared = std::make_shared<const Shards>(directory);
  const Json fingerprint = prepared->manifest().value("tokenizer", Json());
  require(fingerprint == tokenizer.fingerprint(), ErrorCode::kData, directory,
          ": made with another tokenizer; prepare the data again with this one");
  return prepared;
}

}  // namespace

std::shared_ptr<const Shards> tokenize_to_shards(const std::vector<fs::path>& files,
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
  const Json description = describe(files, tokenizer, options);
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
    make_shards(files, tokenizer, options, description, directory);
  } catch (const Error& error) {
    // Without working locks another process may have been first; its shards are the same.
    if (error.code() != ErrorCode::kCannotCreate || !fs::exists(directory)) throw;
  }
  stop_if_asked("the next run finds the text tokenized");
  return std::make_shared<const Shards>(directory);
}

}  // namespace llmctl
