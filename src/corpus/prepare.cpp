#include "corpus/prepare.h"

#include <algorithm>
#include <chrono>
#include <cstring>
#include <functional>
#include <memory>
#include <mutex>
#include <unordered_map>
#include <utility>

#include "base/error.h"
#include "base/files.h"
#include "base/hash.h"
#include "base/log.h"
#include "base/signals.h"
#include "base/strings.h"
#include "base/terminal.h"
#include "base/threads.h"
#include "base/utf8.h"
#include "base/white_space.h"
#include "corpus/cleaner.h"
#include "corpus/contamination.h"
#include "corpus/duplicates.h"
#include "corpus/prepare_report.h"
#include "corpus/readers.h"
#include "corpus/segments.h"
#include "corpus/shingles.h"
#include "io/shard_writer.h"
#include "io/text_source.h"
#include "text/tokenizer.h"
#include "text/unicode.h"

namespace llmctl {
namespace {

namespace fs = std::filesystem;

constexpr std::size_t kBatchBytes = std::size_t{4} << 20;  // text that is worked on at a time
constexpr std::uint64_t kShardBytes = std::uint64_t{1} << 30;
constexpr const char* kSplits[] = {"train", "valid", "test"};

constexpr const char* kGoesOn = "the same command goes on where it was";

/// Paragraphs of a text: parts between line ends.
template <class Use>
void for_each_paragraph(std::string_view text, const Use& use) {
  for (std::size_t begin = 0; begin <= text.size();) {
    const std::size_t end = std::min(text.find('\n', begin), text.size());
    use(text.substr(begin, end - begin));
    begin = end + 1;
  }
}

class Preparation {
 public:
  Preparation(const PrepareConfig& config, const PrepareOptions& options)
      : config_(config),
        options_(options),
        output_(config.output),
        work_(config.output + ".partial"),
        files_(source_files(config.input)),
        cleaner_(config.clean),
        contamination_(config.contamination) {
    if (!config.tokenizer.empty()) tokenizer_ = load_tokenizer(config.tokenizer);
    clean_.clean = cleaner_.new_counts();
  }

  Json run() {
    const auto begin = std::chrono::steady_clock::now();
    open_work();
    clean_all();
    find_duplicates();
    Json manifest = write_all();
    const std::chrono::duration<double> seconds = std::chrono::steady_clock::now() - begin;
    std::error_code ignored;
    fs::remove_all(work_, ignored);
    manifest["seconds"] = seconds.count();
    return manifest;
  }

 private:
  bool wants_signatures() const { return config_.deduplicate.near; }

  // --- the work directory ---

  void identify() {
    std::uint64_t total = 0;
    for (const SourceFile& file : files_) {
      total += fs::file_size(file.path);
    }
    source_bytes_ = total;
    sources_ = Json::array();
    for (const SourceFile& file : files_) {
      sources_.push_back({{"path", file.path.string()},
                          {"format", file.how.format},
                          {"bytes", fs::file_size(file.path)},
                          {"sha256", ""}});
    }
    parallel_for(files_.size(),
                 [&](std::size_t i) { sources_[i]["sha256"] = sha256_file(files_[i].path); });
  }

  Json settings() const {
    Json settings = config_to_json(config_);
    settings.erase("output");
    return settings;
  }

  std::string key() const {
    Json sources = Json::array();
    for (const Json& source : sources_) sources.push_back({source["sha256"], source["format"]});
    return sha256_hex(concat("prepare 2\n", dump_json(settings()), "\n", dump_json(sources), "\n",
                             tokenizer_ ? tokenizer_->fingerprint() : "", "\n",
                             options_.segment_bytes));
  }

  void open_work() {
    require(!files_.empty(), ErrorCode::kUsage, "no input: name files or the key input");
    check_preparation_output(output_, options_.overwrite, files_);
    identify();
    const std::string own = key();
    if (fs::exists(work_ / kPrepareKey) && read_file(work_ / kPrepareKey) == own) {
      log_info("going on with ", work_);
      return;
    }
    if (fs::exists(work_ / kPrepareKey)) {
      log_info(work_, " is of other settings or sources: begun anew");
      fs::remove_all(work_);
    }
    make_directories(work_);
    write_file(work_ / kPrepareKey, own);
  }

  // --- cleaning ---

  /// Texts of one segment, until it is complete.
  struct Segment {
    std::vector<Cleaned> batch;
    std::size_t batch_bytes = 0;
    SegmentCounts counts;
    std::unique_ptr<AtomicFile> text_file, key_file, signature_file, paragraph_file, dropped_file;
  };

  void clean_all() {
    std::size_t number = 0;
    Segment segment;
    open_segment(segment, number);
    Progress progress("cleaning", source_bytes_);
    std::uint64_t done_files = 0, seen = 0;
    ReadingNotes notes;
    for (std::uint32_t f = 0; f < files_.size(); ++f) {
      const SourceFile& file = files_[f];
      const std::uint64_t size = fs::file_size(file.path);
      std::uint64_t here = 0;
      const auto take = [&](const SourceDocument& document) {
        ++segment.counts.read;
        segment.counts.bytes += document.text.size();
        here += document.text.size();
        if (++seen % 1024 == 0) {
          progress.update(std::min(done_files + std::min(here, size), source_bytes_));
          stop_if_asked(kGoesOn);
        }
        if (segment.text_file) {
          Cleaned& one = segment.batch.emplace_back();
          one.text = document.text;
          one.file = f;
          one.place = document.place;
          segment.batch_bytes += document.text.size();
          if (segment.batch_bytes >= kBatchBytes) clean_batch(segment);
        }
        if (segment.counts.bytes >= options_.segment_bytes) {
          close_segment(segment, number);
          open_segment(segment, ++number);
        }
        return true;
      };
      for_each_source_document(file, take, &notes);
      done_files += size;
    }
    close_segment(segment, number);
    segments_ = number + 1;
    progress.finish();
    notes.log();
    require(clean_.read > 0, ErrorCode::kData, files_.front().path, ": no document in the sources");
  }

  void open_segment(Segment& segment, std::size_t number) {
    segment = Segment();
    segment.counts.clean = cleaner_.new_counts();
    const SegmentFiles files(work_, number);
    if (files.complete()) return;  // its documents are counted, not cleaned
    segment.text_file = std::make_unique<AtomicFile>(files.texts());
    segment.key_file = std::make_unique<AtomicFile>(files.keys());
    if (wants_signatures()) {
      segment.signature_file = std::make_unique<AtomicFile>(files.signatures());
    }
    if (config_.deduplicate.paragraphs) {
      segment.paragraph_file = std::make_unique<AtomicFile>(files.paragraphs());
    }
    if (config_.write_dropped) {
      segment.dropped_file = std::make_unique<AtomicFile>(files.dropped());
    }
  }

  void close_segment(Segment& segment, std::size_t number) {
    const SegmentFiles files(work_, number);
    if (segment.text_file) {
      clean_batch(segment);
      for (auto* file : {&segment.text_file, &segment.key_file, &segment.signature_file,
                         &segment.paragraph_file, &segment.dropped_file}) {
        if (*file) (*file)->commit();
      }
      write_file(files.counts(), dump_json(segment.counts.to_json()));
    }
    clean_.add(SegmentCounts::from_json(load_json(files.counts())));
  }

  DocumentOrigin origin_of(std::uint32_t file, std::uint64_t place) const {
    return {&files_[file].path, place};
  }

  /// A line of dropped.jsonl.
  std::string dropped_line(const DocumentOrigin& origin, const std::string& rule,
                           std::string_view text, const std::string& like = "") const {
    Json line = {{"source", origin.file->string()}, {"place", origin.place}, {"rule", rule}};
    if (!like.empty()) line["like"] = like;
    line["text"] = text;
    return dump_json(line) + "\n";
  }

  void clean_batch(Segment& segment) {
    stop_if_asked(kGoesOn);
    std::vector<Cleaned>& batch = segment.batch;
    constexpr std::size_t kGroup = 32;  // documents that share counts
    const std::size_t groups = (batch.size() + kGroup - 1) / kGroup;
    std::vector<CleanCounts> counts(groups, cleaner_.new_counts());
    parallel_for(groups, [&](std::size_t g) {
      counts[g].take_examples_beside(segment.counts.clean);
      for (std::size_t i = g * kGroup; i < std::min(batch.size(), (g + 1) * kGroup); ++i) {
        examine(batch[i], counts[g]);
      }
    });
    for (const CleanCounts& some : counts) segment.counts.clean.add(some);
    for (const Cleaned& document : batch) {
      const DocumentOrigin origin = origin_of(document.file, document.place);
      segment.counts.contaminated += document.contaminated;
      if (document.contaminated) {
        keep_example(segment.counts.contaminated_examples, origin, document.text);
      }
      if (!document.kept) {
        if (segment.dropped_file) {
          segment.dropped_file->write(dropped_line(origin, document.rule, document.original));
        }
        continue;
      }
      ++segment.counts.kept;
      const DocumentHeader header{static_cast<std::uint32_t>(document.text.size()), document.file,
                                  document.place};
      segment.text_file->write(&header, sizeof header);
      segment.text_file->write(document.text);
      segment.key_file->write(&document.key, sizeof document.key);
      if (segment.signature_file) {
        segment.signature_file->write(&document.signature, sizeof document.signature);
      }
      if (segment.paragraph_file) {
        const std::uint64_t count = document.paragraphs.size();
        segment.paragraph_file->write(&count, sizeof count);
        segment.paragraph_file->write(document.paragraphs.data(), count * sizeof(std::uint64_t));
      }
    }
    segment.batch.clear();
    segment.batch_bytes = 0;
  }

  void examine(Cleaned& document, CleanCounts& counts) const {
    if (config_.write_dropped) document.original = document.text;
    document.kept = cleaner_.clean(document.text, counts, origin_of(document.file, document.place),
                                   &document.rule);
    if (!document.kept) return;
    if (!contamination_.empty() && contamination_.touches(document.text)) {
      document.contaminated = true;
      document.kept = config_.contamination.action == "report";
      document.rule = "contaminated";
      if (!document.kept) return;
    }
    document.key = hash64(document.text);
    if (wants_signatures()) {
      document.signature = signature_of(
          shingles(document.text, static_cast<std::size_t>(config_.deduplicate.ngram)));
    }
    if (config_.deduplicate.paragraphs) {
      for_each_paragraph(document.text, [&](std::string_view paragraph) {
        if (is_long(paragraph)) document.paragraphs.push_back(hash64(paragraph));
      });
    }
  }

  bool is_long(std::string_view paragraph) const {
    return count_code_points(paragraph) >=
           static_cast<std::size_t>(config_.deduplicate.min_paragraph);
  }

  // --- duplicates ---

  /// The segments' files of one kind as one, mapped.
  MappedFile joined(const char* name, const std::function<fs::path(const SegmentFiles&)>& part) {
    const fs::path path = work_ / name;
    AtomicFile file(path);
    for (std::size_t i = 0; i < segments_; ++i) {
      for_each_chunk(part(SegmentFiles(work_, i)), [&](std::string_view chunk) {
        file.write(chunk);
        return true;
      });
    }
    file.commit();
    return MappedFile(path);
  }

  template <class Value>
  static std::span<const Value> values(const MappedFile& file) {
    return {reinterpret_cast<const Value*>(file.data()), file.size() / sizeof(Value)};
  }

  void find_duplicates() {
    stop_if_asked(kGoesOn);
    dropped_.assign(clean_.kept, false);
    if (clean_.kept == 0) return;
    const MappedFile keys = joined("keys", [](const SegmentFiles& files) { return files.keys(); });
    if (config_.deduplicate.exact) dropped_ = repeated_keys(values<std::uint64_t>(keys));
    exact_ = static_cast<std::uint64_t>(std::count(dropped_.begin(), dropped_.end(), true));
    if (wants_signatures()) {
      const MappedFile signatures =
          joined("signatures", [](const SegmentFiles& files) { return files.signatures(); });
      like_ = mark_near_duplicates(values<Signature>(signatures), config_.deduplicate.threshold,
                                   dropped_);
    }
    if (config_.deduplicate.paragraphs) find_repeated_paragraphs();
  }

  /// Among the documents that stay: what a dropped one has goes with it.
  void find_repeated_paragraphs() {
    const fs::path path = work_ / "paragraphs";
    AtomicFile file(path);
    std::uint64_t place = 0;
    for (std::size_t i = 0; i < segments_; ++i) {
      const MappedFile paragraphs(SegmentFiles(work_, i).paragraphs());
      std::string_view rest = paragraphs.view();
      while (!rest.empty()) {
        std::uint64_t count = 0;
        std::memcpy(&count, rest.data(), sizeof count);
        const std::size_t size = count * sizeof(std::uint64_t);
        if (!dropped_[place++]) file.write(rest.substr(sizeof count, size));
        rest.remove_prefix(sizeof count + size);
      }
    }
    file.commit();
    const MappedFile kept(path);
    repeated_paragraphs_ = repeated_keys(values<std::uint64_t>(kept));
  }

  // --- writing ---

  struct Split {
    std::unique_ptr<ShardWriter> shards;
    std::unique_ptr<AtomicFile> texts;
    std::uint64_t documents = 0, bytes = 0;
    std::vector<std::string> batch;
  };

  Json write_all() {
    AtomicDirectory building(output_);
    Split splits[3];
    const bool text_too = config_.write_text.value_or(false) || !tokenizer_;
    for (int s = 0; s < 3; ++s) {
      const double share = s == 1 ? config_.split.valid : s == 2 ? config_.split.test : 1;
      if (share == 0) continue;
      if (tokenizer_) {
        const fs::path directory = building.path() / kSplits[s];
        make_directories(directory);
        const SpecialTokens& special = tokenizer_->special();
        splits[s].shards =
            std::make_unique<ShardWriter>(directory, tokenizer_->vocab_size(),
                                          special.eos ? special.eos : special.sep, kShardBytes);
      }
      if (text_too) {
        splits[s].texts =
            std::make_unique<AtomicFile>(building.path() / concat(kSplits[s], ".jsonl"));
      }
    }
    std::unique_ptr<AtomicFile> dropped_file;
    if (config_.write_dropped) {
      dropped_file = std::make_unique<AtomicFile>(building.path() / "dropped.jsonl");
    }
    Progress progress("writing", clean_.kept);
    std::uint64_t place = 0, paragraph = 0, bytes = 0;
    std::unordered_map<std::uint32_t, std::string> firsts;  // of near duplicates, by place
    for (const auto& [document, first] : like_) firsts[first];
    for (std::size_t i = 0; i < segments_; ++i) {
      const SegmentFiles segment(work_, i);
      if (dropped_file) {
        for_each_chunk(segment.dropped(), [&](std::string_view chunk) {
          dropped_file->write(chunk);
          return true;
        });
      }
      const MappedFile texts(segment.texts());
      std::string_view rest = texts.view();
      while (!rest.empty()) {
        DocumentHeader header;
        std::string text(next_document(rest, header));
        const DocumentOrigin origin = origin_of(header.file, header.place);
        const auto drop = [&](const std::string& rule, std::string_view what,
                              std::vector<Json>& examples, const std::string& like = "") {
          keep_example(examples, origin, what);
          if (dropped_file) dropped_file->write(dropped_line(origin, rule, what, like));
        };
        if (const auto first = firsts.find(static_cast<std::uint32_t>(place));
            first != firsts.end()) {
          first->second = origin.text();
        }
        const auto like = like_.find(static_cast<std::uint32_t>(place));
        if (dropped_[place++]) {
          if (like == like_.end()) {
            drop("exact_duplicate", text, exact_examples_);
          } else {
            drop("near_duplicate", text, near_examples_, firsts.at(like->second));
          }
          continue;
        }
        if (config_.deduplicate.paragraphs) {
          text = without_repeated(text, paragraph, [&](std::string_view part) {
            drop("repeated_paragraph", part, paragraph_examples_);
          });
        }
        if (text.empty()) continue;
        Split& split = splits[split_of(text)];
        bytes += text.size();
        split.batch.push_back(std::move(text));
        if (bytes >= kBatchBytes) {
          for (Split& one : splits) flush(one);
          bytes = 0;
          progress.update(place);
        }
      }
    }
    for (Split& one : splits) flush(one);
    progress.finish();
    Json manifest = describe(splits);
    require(splits[0].documents > 0, ErrorCode::kData, files_.front().path,
            ": no document is left for training of ", clean_.read,
            " read; dropped: ", drops_by_rule());
    for (int s = 0; s < 3; ++s) {
      if (splits[s].shards && splits[s].documents > 0) {
        splits[s].shards->finish({{"tokenizer", tokenizer_->fingerprint()},
                                  {"tokenizer_description", tokenizer_->description()},
                                  {"prepared", key()}});
      } else if (splits[s].shards) {
        splits[s].shards.reset();
        fs::remove_all(building.path() / kSplits[s]);
      }
      if (splits[s].texts) splits[s].texts->commit();
    }
    if (dropped_file) dropped_file->commit();
    write_file(building.path() / "report.html", prepare_page(manifest));
    write_file(building.path() / kShardManifest, dump_json(manifest, 2) + "\n");
    building.commit(options_.overwrite);
    return manifest;
  }

  /// "length 3, near_duplicates 1".
  std::string drops_by_rule() const {
    std::vector<std::string> rules;
    const auto add = [&](const std::string& rule, std::uint64_t count) {
      if (count > 0) rules.push_back(concat(rule, " ", count));
    };
    for (std::size_t i = 0; i < clean_.clean.names().size(); ++i) {
      add(clean_.clean.names()[i], clean_.clean.of(i).dropped);
    }
    if (config_.contamination.action == "drop") add("contaminated", clean_.contaminated);
    add("exact_duplicates", exact_);
    add("near_duplicates", like_.size());
    return rules.empty() ? "none" : join(rules);
  }

  /// The text without paragraphs that were there before; `paragraph` counts the long ones, `drop`
  /// hears of those that go.
  template <class Drop>
  std::string without_repeated(const std::string& text, std::uint64_t& paragraph,
                               const Drop& drop) {
    std::string out;
    bool first = true;
    for_each_paragraph(text, [&](std::string_view part) {
      if (is_long(part) && repeated_paragraphs_[paragraph++]) {
        ++paragraphs_;
        drop(part);
        return;
      }
      if (!std::exchange(first, false)) out += '\n';
      out += part;
    });
    return std::string(trim_white_space(out));
  }

  std::size_t split_of(const std::string& text) const {
    const double place = hash_fraction(text, 1);
    if (place < config_.split.valid) return 1;
    return place < config_.split.valid + config_.split.test ? 2 : 0;
  }

  void flush(Split& split) {
    stop_if_asked(kGoesOn);
    if (split.batch.empty()) return;
    if (split.shards) {
      const auto ids = tokenizer_->encode_batch(split.batch);
      for (std::size_t i = 0; i < ids.size(); ++i) {
        if (!ids[i].empty()) split.shards->add(ids[i], split.batch[i].size());
      }
    }
    for (const std::string& text : split.batch) {
      split.bytes += text.size();
      ++split.documents;
      if (split.texts) split.texts->write(dump_json(Json{{"text", text}}) + "\n");
    }
    split.batch.clear();
  }

  Json describe(const Split (&splits)[3]) const {
    Json parts = Json::object();
    for (int s = 0; s < 3; ++s) {
      if (!splits[s].shards && !splits[s].texts) continue;
      parts[kSplits[s]] = {{"documents", splits[s].documents}, {"bytes", splits[s].bytes}};
      if (splits[s].shards) parts[kSplits[s]]["tokens"] = splits[s].shards->tokens();
    }
    return {{"format", "llmctl prepared data"},
            {"version", 1},
            {"documents_read", clean_.read},
            {"bytes_read", clean_.bytes},
            {"steps", clean_.clean.to_json()},
            {"contaminated", clean_.contaminated},
            {"exact_duplicates", exact_},
            {"near_duplicates", like_.size()},
            {"repeated_paragraphs", paragraphs_},
            {"examples",
             {{"contaminated", clean_.contaminated_examples},
              {"exact_duplicates", exact_examples_},
              {"near_duplicates", near_examples_},
              {"repeated_paragraphs", paragraph_examples_}}},
            {"splits", std::move(parts)},
            {"tokenizer", tokenizer_ ? Json(tokenizer_->fingerprint()) : Json()},
            {"sources", sources_},
            {"settings", settings()}};
  }

  const PrepareConfig& config_;
  PrepareOptions options_;
  fs::path output_, work_;
  std::vector<SourceFile> files_;
  Cleaner cleaner_;
  Contamination contamination_;
  std::shared_ptr<const Tokenizer> tokenizer_;
  Json sources_;
  std::uint64_t source_bytes_ = 0;
  SegmentCounts clean_;
  std::size_t segments_ = 0;
  std::vector<bool> dropped_, repeated_paragraphs_;
  std::unordered_map<std::uint32_t, std::uint32_t> like_;  // near duplicates, and the first of each
  std::uint64_t exact_ = 0, paragraphs_ = 0;
  std::vector<Json> exact_examples_, near_examples_, paragraph_examples_;
};

}  // namespace

Json prepare_data(const PrepareConfig& config, const PrepareOptions& options) {
  const GracefulStop graceful;  // a batch is finished, so that the next call goes on behind it
  return Preparation(config, options).run();
}

}  // namespace llmctl
