// GGUF: named tensors and typed metadata in one file, as llama.cpp keeps models
// (https://github.com/ggml-org/ggml/blob/master/docs/gguf.md). The reader distrusts every byte.
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "base/files.h"
#include "io/ggml_type.h"

namespace llmctl {

/// Types of metadata, with the format's numbers.
enum class GgufType : std::uint32_t {
  kU8 = 0,
  kI8,
  kU16,
  kI16,
  kU32,
  kI32,
  kF32,
  kBool,
  kString,
  kArray,
  kU64,
  kI64,
  kF64
};
const char* gguf_type_name(GgufType type);  ///< "u32", "string", …

/// A value of metadata. Integers and booleans are held as std::int64_t, floating-point numbers as
/// double, each exactly.
struct GgufValue {
  using Content = std::variant<std::int64_t, double, std::string, std::vector<std::int64_t>,
                               std::vector<double>, std::vector<std::string>>;
  GgufType type = GgufType::kU32;  ///< of an array: that of its elements
  Content content;

  bool is_array() const { return content.index() >= 3; }

  static GgufValue u32(std::int64_t value) { return {GgufType::kU32, value}; }
  static GgufValue f32(double value) { return {GgufType::kF32, value}; }
  static GgufValue boolean(bool value) { return {GgufType::kBool, std::int64_t{value}}; }
  static GgufValue string(std::string value) { return {GgufType::kString, std::move(value)}; }
};

struct GgufTensor {
  std::uint32_t type = 0;           ///< find_ggml_type() knows it
  std::vector<std::int64_t> shape;  ///< outermost first, as everywhere else in this program
  std::uint64_t begin = 0;          ///< from the start of the file
  std::uint64_t bytes = 0;
};

/// A memory-mapped file of version 2 or 3, checked whole on opening: counts, lengths, types and
/// offsets against the bytes that are there; keys and tensors named once; tensors one behind the
/// other, padded to the alignment. kMissing, kData naming file and key or tensor.
class GgufFile {
 public:
  explicit GgufFile(const std::filesystem::path& path);
  const std::filesystem::path& path() const { return path_; }
  std::uint32_t version() const { return version_; }
  /// In the order of the file.
  const std::vector<std::pair<std::string, GgufValue>>& metadata() const { return metadata_; }
  const std::map<std::string, GgufTensor>& tensors() const { return tensors_; }
  bool contains(const std::string& name) const { return tensors_.contains(name); }
  /// Valid while this object lives; aligned as the file says, which may be to one byte.
  std::span<const std::byte> bytes(const GgufTensor& tensor) const;

  /// A key's value; nothing without it, kData when it is of another kind. `fail_missing` has the
  /// words for a key that must be there.
  const GgufValue* find(const std::string& key) const;
  std::optional<std::int64_t> integer(const std::string& key) const;  ///< boolean values too
  std::optional<double> number(const std::string& key) const;         ///< integers too
  std::optional<std::string> string(const std::string& key) const;
  std::vector<std::string> strings(const std::string& key) const;  ///< empty without the key
  std::vector<std::int64_t> integers(const std::string& key) const;
  std::vector<double> numbers(const std::string& key) const;
  [[noreturn]] void fail_missing(const std::string& key) const;

 private:
  class Reader;
  void read_tensors(Reader& reader, std::uint64_t count);
  void place_tensors(const std::vector<std::string>& order, std::uint64_t data_begin,
                     std::uint64_t alignment);
  template <class T>
  const T* content(const std::string& key, const char* expected) const;

  std::filesystem::path path_;
  MappedFile file_;
  std::uint32_t version_ = 0;
  std::vector<std::pair<std::string, GgufValue>> metadata_;
  std::map<std::string, std::size_t> places_;  // of keys in metadata_
  std::map<std::string, GgufTensor> tensors_;
};

/// Whether a file begins as GGUF does.
bool is_gguf_file(const std::filesystem::path& path);

/// A tensor to be written.
struct GgufTensorSpec {
  std::string name;
  GgmlType type = GgmlType::kF32;
  std::vector<std::int64_t> shape;  ///< outermost first; the last is a multiple of the type's block
  std::uint64_t bytes() const;
};

/// The encoded bytes of tensor `index`; asked for in order, they need to stay valid only until the
/// next call.
using GgufFetch = std::function<const void*(std::size_t index)>;

/// Writes a file of version 3 atomically: metadata and tensors in the order given. kCannotCreate,
/// kIo.
void write_gguf(const std::filesystem::path& path,
                const std::vector<std::pair<std::string, GgufValue>>& metadata,
                const std::vector<GgufTensorSpec>& tensors, const GgufFetch& fetch);

}  // namespace llmctl
