#include "io/shards.h"

#include <algorithm>
#include <cstring>

#include "base/error.h"
#include "base/hash.h"
#include "io/shard_writer.h"

namespace llmctl {

namespace {

/// Reads members of a manifest; whatever is wrong is kData and names the file, the member and the
/// remedy.
class ManifestReader {
 public:
  ManifestReader(const std::filesystem::path& file, const Json& json) : file_(file), json_(json) {}

  template <class... Parts>
  [[noreturn]] void refuse(const Parts&... parts) const {
    fail(ErrorCode::kData, file_, ": ", parts..., "; remove the directory and have it made again");
  }

  std::uint64_t natural(const Json& object, const char* key) const {
    const auto found = object.find(key);
    if (found == object.end() || !found->is_number_unsigned()) {
      refuse("'", key, "' must be a number from 0");
    }
    return found->get<std::uint64_t>();
  }
  std::uint64_t natural(const char* key) const { return natural(json_, key); }

  std::string text(const Json& object, const char* key) const {
    const auto found = object.find(key);
    if (found == object.end() || !found->is_string()) refuse("'", key, "' must be a string");
    return found->get<std::string>();
  }
  std::string text(const char* key) const { return text(json_, key); }

 private:
  const std::filesystem::path& file_;
  const Json& json_;
};

}  // namespace

Shards::Shards(const std::filesystem::path& directory) : directory_(directory) {
  const std::filesystem::path path = directory / kShardManifest;
  require(std::filesystem::is_directory(directory), ErrorCode::kMissing, directory,
          ": no such directory of tokenized text");
  manifest_ = load_json(path);
  require(manifest_.is_object(), ErrorCode::kData, path, ": expected an object");
  const ManifestReader manifest(path, manifest_);
  if (manifest.text("format") != kShardFormat) {
    manifest.refuse("'format' is '", manifest.text("format"), "', expected '", kShardFormat, "'");
  }
  if (manifest.natural("version") != kShardVersion) {
    manifest.refuse("'version' is ", manifest.natural("version"), ", expected ", kShardVersion);
  }
  const std::string dtype = manifest.text("dtype");
  if (dtype != "uint16" && dtype != "uint32") {
    manifest.refuse("'dtype' is '", dtype, "', expected uint16 or uint32");
  }
  width_ = dtype == "uint16" ? 2 : 4;
  total_ = manifest.natural("tokens");
  text_bytes_ = manifest.natural("text_bytes");
  vocab_size_ = static_cast<std::int64_t>(manifest.natural("vocab_size"));
  if (manifest_.contains("end_token") && !manifest_["end_token"].is_null()) {
    end_token_ = static_cast<TokenId>(manifest.natural("end_token"));
  }
  const std::uint64_t documents = manifest.natural("documents");

  Sha256 fingerprint;
  const auto open = [&](const Json& entry) {
    const std::string name = manifest.text(entry, "name");
    if (name.empty() || std::filesystem::path(name).filename() != name) {
      manifest.refuse("'", name, "' is not a plain file name");
    }
    MappedFile file(directory / name);
    if (file.size() != manifest.natural(entry, "bytes")) {
      manifest.refuse("'", name, "' has ", file.size(), " bytes, expected ",
                      manifest.natural(entry, "bytes"));
    }
    fingerprint.update(manifest.text(entry, "sha256"));
    return file;
  };
  if (!manifest_.contains("files") || !manifest_["files"].is_array() ||
      !manifest_.contains("index") || !manifest_["index"].is_object()) {
    manifest.refuse("'files' must be a list and 'index' an object");
  }
  std::uint64_t found = 0;
  for (const Json& entry : manifest_["files"]) {
    files_.push_back(open(entry));
    file_starts_.push_back(found);
    if (files_.back().size() % width_ != 0) {
      manifest.refuse("'", manifest.text(entry, "name"), "' does not end with a whole token");
    }
    found += files_.back().size() / width_;
  }
  file_starts_.push_back(found);
  if (found != total_) manifest.refuse("the files hold ", found, " tokens, expected ", total_);

  index_ = open(manifest_["index"]);
  if (index_.size() != (documents + 1) * sizeof(std::uint64_t)) {
    manifest.refuse("the index has ", index_.size(), " bytes, expected ",
                    (documents + 1) * sizeof(std::uint64_t), " for ", documents, " documents");
  }
  documents_ = {reinterpret_cast<const std::uint64_t*>(index_.data()),
                static_cast<std::size_t>(documents + 1)};
  if (documents_.front() != 0 || documents_.back() != total_ ||
      !std::is_sorted(documents_.begin(), documents_.end())) {
    manifest.refuse("the index does not run from 0 to the number of tokens without a step back");
  }
  fingerprint.update(concat(dtype, ' ', vocab_size_));
  fingerprint_ = fingerprint.hex();
}

std::uint64_t Shards::document_of(std::uint64_t token) const {
  const auto after = std::upper_bound(documents_.begin(), documents_.end(), token);
  return static_cast<std::uint64_t>(after - documents_.begin()) - 1;
}

template <class Stored>
void Shards::read_as(std::uint64_t begin, std::span<std::int64_t> out) const {
  std::size_t file = static_cast<std::size_t>(
      std::upper_bound(file_starts_.begin(), file_starts_.end() - 1, begin) - file_starts_.begin() -
      1);
  std::size_t done = 0;
  while (done < out.size()) {
    const std::uint64_t from = begin + done - file_starts_[file];
    const std::size_t count = std::min<std::size_t>(
        out.size() - done, static_cast<std::size_t>(file_starts_[file + 1] - begin) - done);
    const auto* stored = reinterpret_cast<const Stored*>(files_[file].data()) + from;
    Stored largest = 0;
    for (std::size_t i = 0; i < count; ++i) {
      largest = std::max(largest, stored[i]);
      out[done + i] = static_cast<std::int64_t>(stored[i]);
    }
    require(static_cast<std::int64_t>(largest) < vocab_size_, ErrorCode::kData, directory_,
            ": token ", largest, " among tokens ", begin + done, " to ", begin + done + count,
            " is not in the vocabulary of ", vocab_size_,
            "; remove the directory and have it made again");
    done += count;
    ++file;
  }
}

void Shards::read(std::uint64_t begin, std::span<std::int64_t> out) const {
  require(begin <= total_ && out.size() <= total_ - begin, ErrorCode::kInternal, directory_,
          ": tokens ", begin, " to ", begin + out.size(), " of ", total_, " were asked for");
  if (out.empty()) return;
  width_ == 2 ? read_as<std::uint16_t>(begin, out) : read_as<std::uint32_t>(begin, out);
}

}  // namespace llmctl
