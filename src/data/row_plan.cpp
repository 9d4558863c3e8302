#include "data/row_plan.h"

#include <algorithm>
#include <array>
#include <cstring>
#include <limits>
#include <utility>

#include "base/error.h"
#include "base/hash.h"
#include "base/log.h"
#include "config/fields.h"
#include "data/best_fit.h"

namespace llmctl {

namespace {

constexpr std::array<char, 8> kMagic{'L', 'L', 'M', 'P', 'L', 'A', 'N', '1'};
constexpr std::size_t kBestFitWindow = std::size_t{1} << 22;  // pieces packed at a time

struct FileHeader {
  std::array<char, 8> magic = kMagic;
  std::uint64_t tokens = 0, rows = 0, pieces = 0;
};

const std::vector<std::string>& packing_names() {
  static const std::vector<std::string> names{"concat", "best_fit", "pad"};
  return names;
}

bool takes_document(const RowPlanOptions& options, std::uint64_t document) {
  if (options.share >= 1) return true;
  const std::uint64_t hash = mix64(mix64(options.seed + 1) ^ document);
  return static_cast<double>(hash >> 11) * 0x1p-53 < options.share;
}

}  // namespace

Packing packing_of(const std::string& name) {
  const auto& names = packing_names();
  const auto found = std::find(names.begin(), names.end(), name);
  require(found != names.end(), ErrorCode::kConfig, "packing '", name,
          "' is not one of concat, best_fit, pad", did_you_mean(name, names));
  return static_cast<Packing>(found - names.begin());
}

/// Collects pieces row by row.
class RowPlanBuilder {
 public:
  RowPlanBuilder(const RowPlanOptions& options, std::vector<std::uint64_t>& row_starts,
                 std::vector<std::uint64_t>& begins, std::vector<std::uint32_t>& lengths)
      : options_(options),
        capacity_(static_cast<std::uint64_t>(options.length - options.overhead)),
        row_starts_(row_starts),
        begins_(begins),
        lengths_(lengths) {
    row_starts_.push_back(0);
  }

  /// The next document's tokens, or what is taken of them.
  void document(std::uint64_t begin, std::uint64_t end) {
    while (begin < end) {
      const std::uint64_t room =
          options_.packing == Packing::kConcat ? capacity_ - filled_ : capacity_;
      const std::uint64_t take = std::min(room, end - begin);
      piece(begin, static_cast<std::uint32_t>(take));
      begin += take;
    }
  }

  void finish() {
    if (options_.packing == Packing::kConcat && filled_ > 0) end_row();
    if (options_.packing == Packing::kBestFit) pack();
  }

 private:
  void piece(std::uint64_t begin, std::uint32_t length) {
    if (options_.packing == Packing::kBestFit) {
      waiting_begins_.push_back(begin);
      waiting_lengths_.push_back(length);
      if (waiting_begins_.size() == kBestFitWindow) pack();
      return;
    }
    begins_.push_back(begin);
    lengths_.push_back(length);
    filled_ += length;
    if (options_.packing == Packing::kPad || filled_ == capacity_) end_row();
  }

  void end_row() {
    row_starts_.push_back(begins_.size());
    filled_ = 0;
  }

  /// Deals the waiting pieces into rows.
  void pack() {
    const auto [row_of, rows] =
        best_fit(waiting_lengths_, static_cast<std::size_t>(options_.length),
                 static_cast<std::size_t>(options_.overhead));
    // Counting sort by row; within a row the pieces keep the stream's order.
    std::vector<std::uint64_t> next(rows + 1, begins_.size());
    for (const std::uint32_t row : row_of) ++next[row + 1];
    for (std::uint32_t row = 0; row < rows; ++row) next[row + 1] += next[row] - begins_.size();
    row_starts_.insert(row_starts_.end(), next.begin() + 1, next.end());
    begins_.resize(begins_.size() + row_of.size());
    lengths_.resize(begins_.size());
    for (std::size_t i = 0; i < row_of.size(); ++i) {
      const std::uint64_t place = next[row_of[i]]++;
      begins_[place] = waiting_begins_[i];
      lengths_[place] = waiting_lengths_[i];
    }
    waiting_begins_.clear();
    waiting_lengths_.clear();
  }

  const RowPlanOptions& options_;
  std::uint64_t capacity_, filled_ = 0;
  std::vector<std::uint64_t>&row_starts_, &begins_;
  std::vector<std::uint32_t>& lengths_;
  std::vector<std::uint64_t> waiting_begins_;
  std::vector<std::uint32_t> waiting_lengths_;
};

bool RowPlan::implicit() const {
  return options_.packing == Packing::kConcat && options_.share >= 1;
}

RowPlan::RowPlan(const Shards& shards, const RowPlanOptions& options) : options_(options) {
  require(options.length > options.overhead && options.overhead >= 0 &&
              options.length <= std::numeric_limits<std::uint32_t>::max(),
          ErrorCode::kConfig, "a sequence length of ", options.length,
          " leaves no room for text beside ", options.overhead, " special tokens");
  tokens_ = shards.tokens();
  if (options.max_tokens > 0) tokens_ = std::min(tokens_, options.max_tokens);
  const auto capacity = static_cast<std::uint64_t>(options.length - options.overhead);
  if (implicit()) {
    rows_ = (tokens_ + capacity - 1) / capacity;
    return;
  }
  RowPlanBuilder builder(options_, own_row_starts_, own_begins_, own_lengths_);
  const bool drop_end =
      options.drop_end && options.packing != Packing::kConcat && shards.end_token().has_value();
  for (std::uint64_t i = 0; i < shards.documents() && shards.document_start(i) < tokens_; ++i) {
    if (!takes_document(options, i)) continue;
    const std::uint64_t end = shards.document_start(i + 1) - (drop_end ? 1 : 0);
    builder.document(shards.document_start(i), std::min(end, tokens_));
  }
  builder.finish();
  row_starts_ = own_row_starts_;
  begins_ = own_begins_;
  lengths_ = own_lengths_;
  rows_ = row_starts_.size() - 1;
}

RowPlan RowPlan::cached(const Shards& shards, const RowPlanOptions& options,
                        const std::filesystem::path& cache) {
  RowPlan plan;
  plan.options_ = options;
  if (plan.implicit()) return RowPlan(shards, options);  // nothing to keep
  const std::string key =
      sha256_hex(concat(std::string_view(kMagic.data(), kMagic.size()), ' ', shards.fingerprint(),
                        ' ', static_cast<int>(options.packing), ' ', options.length, ' ',
                        options.overhead, ' ', options.drop_end, ' ', dump_json(options.share), ' ',
                        options.seed, ' ', options.max_tokens))
          .substr(0, 32);
  const std::filesystem::path path = cache / ("rows-" + key + ".bin");
  plan.tokens_ = shards.tokens();
  if (options.max_tokens > 0) plan.tokens_ = std::min(plan.tokens_, options.max_tokens);
  if (std::filesystem::exists(path)) {
    if (plan.open(path)) return plan;
    log_warning(path.string(), ": not a plan of these rows; it is made again");
  }
  make_directories(cache);
  RowPlan(shards, options).write(path);
  require(plan.open(path), ErrorCode::kIo, path, ": the plan of rows cannot be read back");
  return plan;
}

void RowPlan::write(const std::filesystem::path& path) const {
  AtomicFile file(path);
  const FileHeader header{kMagic, tokens_, rows_, begins_.size()};
  file.write(&header, sizeof header);
  file.write(row_starts_.data(), row_starts_.size_bytes());
  file.write(begins_.data(), begins_.size_bytes());
  file.write(lengths_.data(), lengths_.size_bytes());
  file.commit();
}

bool RowPlan::open(const std::filesystem::path& path) {
  file_ = MappedFile(path);
  FileHeader header;
  if (file_.size() < sizeof header) return false;
  std::memcpy(&header, file_.data(), sizeof header);
  const std::uint64_t most = file_.size() / sizeof(std::uint32_t);
  if (header.magic != kMagic || header.tokens != tokens_ || header.rows > most ||
      header.pieces > most ||
      file_.size() != sizeof header + (header.rows + 1 + header.pieces) * sizeof(std::uint64_t) +
                          header.pieces * sizeof(std::uint32_t)) {
    return false;
  }
  const auto* numbers = reinterpret_cast<const std::uint64_t*>(file_.data() + sizeof header);
  row_starts_ = {numbers, static_cast<std::size_t>(header.rows + 1)};
  begins_ = {numbers + row_starts_.size(), static_cast<std::size_t>(header.pieces)};
  lengths_ = {reinterpret_cast<const std::uint32_t*>(begins_.data() + begins_.size()),
              begins_.size()};
  rows_ = header.rows;
  path_ = path;
  return true;
}

void RowPlan::pieces(std::uint64_t row, std::vector<RowPiece>& out) const {
  require(row < rows_, ErrorCode::kInternal, "row ", row, " of ", rows_, " was asked for");
  out.clear();
  if (implicit()) {
    const auto capacity = static_cast<std::uint64_t>(options_.length - options_.overhead);
    const std::uint64_t begin = row * capacity;
    out.push_back({begin, static_cast<std::uint32_t>(std::min(capacity, tokens_ - begin))});
    return;
  }
  const std::uint64_t first = row_starts_[row], last = row_starts_[row + 1];
  const auto check = [&](bool good) {
    require(good, ErrorCode::kData, path_, ": row ", row, " is damaged; remove the file");
  };
  check(first < last && last <= begins_.size());
  std::uint64_t total = 0;
  for (std::uint64_t i = first; i < last; ++i) {
    check(begins_[i] <= tokens_ && lengths_[i] <= tokens_ - begins_[i] && lengths_[i] > 0);
    total += lengths_[i];
    out.push_back({begins_[i], lengths_[i]});
  }
  check(total <= static_cast<std::uint64_t>(options_.length));
}

std::int64_t RowPlan::row_length(std::uint64_t row) const {
  std::vector<RowPiece> found;
  pieces(row, found);
  std::int64_t length = 0;
  for (const RowPiece& piece : found) length += piece.length;
  const auto charged = options_.packing == Packing::kConcat
                           ? std::int64_t{1}
                           : static_cast<std::int64_t>(found.size());
  return length + charged * options_.overhead;
}

}  // namespace llmctl
