#include "io/shard_writer.h"

#include <algorithm>
#include <cstdio>
#include <cstring>
#include <utility>

#include "base/error.h"

namespace llmctl {

void ShardWriter::HashedFile::write(const void* data, std::size_t size) {
  file.write(data, size);
  hash.update(data, size);
}

Json ShardWriter::HashedFile::finish() {
  file.commit();
  return {{"name", name}, {"bytes", file.written()}, {"sha256", hash.hex()}};
}

ShardWriter::ShardWriter(std::filesystem::path directory, std::int64_t vocab_size,
                         std::optional<TokenId> end_token, std::uint64_t file_bytes)
    : directory_(std::move(directory)),
      vocab_size_(vocab_size),
      end_token_(end_token),
      width_(vocab_size <= (1 << 16) ? 2 : 4),
      file_bytes_(std::max<std::uint64_t>(file_bytes / 4 * 4, 4)),
      index_(directory_ / kShardIndex) {}

void ShardWriter::add(std::span<const TokenId> document, std::uint64_t text_bytes) {
  index_.write(&tokens_, sizeof tokens_);
  put(document);
  if (end_token_) put({&*end_token_, 1});
  ++documents_;
  text_bytes_ += text_bytes;
}

void ShardWriter::put(std::span<const TokenId> ids) {
  buffer_.resize(ids.size() * width_);
  for (std::size_t i = 0; i < ids.size(); ++i) {
    require(ids[i] >= 0 && ids[i] < vocab_size_, ErrorCode::kInternal, "the tokenizer gave id ",
            ids[i], " outside its vocabulary of ", vocab_size_);
    const auto id = static_cast<std::uint32_t>(ids[i]);
    std::memcpy(buffer_.data() + i * width_, &id, width_);  // little-endian: the low bytes
  }
  tokens_ += ids.size();
  std::string_view rest = buffer_;
  while (!rest.empty()) {
    if (!tokens_file_) {
      char name[32];
      std::snprintf(name, sizeof name, "tokens-%05zu.bin", files_.size());
      tokens_file_ = std::make_unique<HashedFile>(directory_ / name);
    }
    const std::uint64_t room = file_bytes_ - tokens_file_->file.written();
    const std::string_view piece = rest.substr(0, static_cast<std::size_t>(room));
    tokens_file_->write(piece.data(), piece.size());
    rest.remove_prefix(piece.size());
    if (tokens_file_->file.written() == file_bytes_) {
      files_.push_back(tokens_file_->finish());
      tokens_file_.reset();
    }
  }
}

void ShardWriter::finish(const Json& more) {
  index_.write(&tokens_, sizeof tokens_);
  if (tokens_file_) files_.push_back(tokens_file_->finish());
  Json manifest{{"format", kShardFormat},
                {"version", kShardVersion},
                {"dtype", width_ == 2 ? "uint16" : "uint32"},
                {"tokens", tokens_},
                {"documents", documents_},
                {"text_bytes", text_bytes_},
                {"vocab_size", vocab_size_},
                {"end_token", end_token_ ? Json(*end_token_) : Json()},
                {"index", index_.finish()},
                {"files", files_}};
  for (const auto& item : more.items()) manifest[item.key()] = item.value();
  write_file(directory_ / kShardManifest, dump_json(manifest, 2) + "\n");
}

}  // namespace llmctl
