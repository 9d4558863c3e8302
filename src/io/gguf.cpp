#include "io/gguf.h"

#include <algorithm>
#include <bit>
#include <cstring>
#include <fstream>
#include <limits>
#include <string_view>

#include "base/error.h"
#include "base/utf8.h"
#include "config/fields.h"

namespace llmctl {

static_assert(std::endian::native == std::endian::little, "values are copied, not converted");

namespace {

constexpr char kMagic[] = {'G', 'G', 'U', 'F'};
constexpr std::uint64_t kAlignment = 32;  // without general.alignment
constexpr char kAlignmentKey[] = "general.alignment";
constexpr std::uint64_t kMaxName = 1 << 16;  // bytes of a key or of a tensor's name
constexpr std::uint32_t kMaxDimensions = 4;

/// Bytes of a value; 0 for strings and arrays, whose length is told by themselves.
std::size_t size_of(GgufType type) {
  switch (type) {
    case GgufType::kU8:
    case GgufType::kI8:
    case GgufType::kBool:
      return 1;
    case GgufType::kU16:
    case GgufType::kI16:
      return 2;
    case GgufType::kU32:
    case GgufType::kI32:
    case GgufType::kF32:
      return 4;
    case GgufType::kU64:
    case GgufType::kI64:
    case GgufType::kF64:
      return 8;
    case GgufType::kString:
    case GgufType::kArray:
      break;
  }
  return 0;
}

bool is_floating(GgufType type) {
  return type == GgufType::kF32 || type == GgufType::kF64;
}

std::uint64_t padded(std::uint64_t bytes, std::uint64_t alignment) {
  return (bytes + alignment - 1) / alignment * alignment;
}

}  // namespace

const char* gguf_type_name(GgufType type) {
  constexpr const char* kNames[] = {"u8",   "i8",     "u16",   "i16", "u32", "i32", "f32",
                                    "bool", "string", "array", "u64", "i64", "f64"};
  return kNames[static_cast<std::size_t>(type)];
}

/// Takes values from the front of the mapped bytes; what is not there is an error that says where.
class GgufFile::Reader {
 public:
  Reader(const std::filesystem::path& path, std::string_view bytes) : path_(path), all_(bytes) {}

  /// What is being read, for errors: "key 'general.name'".
  void name_place(std::string place) { place_ = std::move(place); }

  template <class... Parts>
  [[noreturn]] void fail(const Parts&... parts) const {
    llmctl::fail(ErrorCode::kData, path_, ": ", place_, ": ", parts...);
  }

  std::uint64_t position() const { return at_; }
  std::uint64_t left() const { return all_.size() - at_; }

  std::string_view take(std::uint64_t size, const char* what) {
    if (size > left()) {
      fail(what, " of ", size, " bytes goes beyond the end of the file (truncated?)");
    }
    const std::string_view bytes = all_.substr(at_, size);
    at_ += size;
    return bytes;
  }

  template <class T>
  T value(const char* what) {
    T value;
    std::memcpy(&value, take(sizeof value, what).data(), sizeof value);
    return value;
  }

  /// A count of things that take `each` bytes at least.
  std::uint64_t count(const char* what, std::uint64_t each) {
    const auto count = value<std::uint64_t>(what);
    if (count > left() / each) {
      fail(what, " ", count, " is more than the file has room for (truncated?)");
    }
    return count;
  }

  std::string text(const char* what, std::uint64_t most) {
    const auto size = value<std::uint64_t>(what);
    if (size > most) fail(what, " of ", size, " bytes, at most ", most, " are read");
    return std::string(take(size, what));
  }

  GgufValue metadata() {
    const GgufType type = this->type("type");
    if (type != GgufType::kArray) return scalar(type);
    GgufValue array;
    array.type = this->type("type of an array");
    if (array.type == GgufType::kArray) fail("arrays of arrays are not supported");
    if (array.type == GgufType::kString) {
      std::vector<std::string> strings(count("count of strings", sizeof(std::uint64_t)));
      for (std::string& string : strings) string = text("string", left());
      array.content = std::move(strings);
    } else if (is_floating(array.type)) {
      array.content = list<double>(array.type);
    } else {
      array.content = list<std::int64_t>(array.type);
    }
    return array;
  }

 private:
  GgufType type(const char* what) {
    const auto number = value<std::uint32_t>(what);
    if (number > static_cast<std::uint32_t>(GgufType::kF64)) {
      fail("unknown ", what, " ", number);
    }
    return static_cast<GgufType>(number);
  }

  GgufValue scalar(GgufType type) {
    if (type == GgufType::kString) return {type, text("string", left())};
    if (is_floating(type)) return {type, number<double>(type)};
    return {type, number<std::int64_t>(type)};
  }

  template <class T>
  std::vector<T> list(GgufType type) {
    std::vector<T> values(count("count of values", size_of(type)));
    for (T& value : values) value = number<T>(type);
    return values;
  }

  template <class T>
  T number(GgufType type) {
    switch (type) {
      case GgufType::kU8:
        return static_cast<T>(value<std::uint8_t>("value"));
      case GgufType::kI8:
        return static_cast<T>(value<std::int8_t>("value"));
      case GgufType::kU16:
        return static_cast<T>(value<std::uint16_t>("value"));
      case GgufType::kI16:
        return static_cast<T>(value<std::int16_t>("value"));
      case GgufType::kU32:
        return static_cast<T>(value<std::uint32_t>("value"));
      case GgufType::kI32:
        return static_cast<T>(value<std::int32_t>("value"));
      case GgufType::kI64:
        return static_cast<T>(value<std::int64_t>("value"));
      case GgufType::kF32:
        return static_cast<T>(value<float>("value"));
      case GgufType::kF64:
        return static_cast<T>(value<double>("value"));
      case GgufType::kU64: {
        const auto number = value<std::uint64_t>("value");
        if (number > static_cast<std::uint64_t>(std::numeric_limits<std::int64_t>::max())) {
          fail("the value ", number, " is above 2^63-1");
        }
        return static_cast<T>(number);
      }
      case GgufType::kBool: {
        const auto flag = value<std::uint8_t>("value");
        if (flag > 1) fail("a boolean of value ", int{flag}, ", expected 0 or 1");
        return static_cast<T>(flag);
      }
      case GgufType::kString:
      case GgufType::kArray:
        break;
    }
    fail("a value without a size");
  }

  const std::filesystem::path& path_;
  std::string_view all_;
  std::uint64_t at_ = 0;
  std::string place_ = "header";
};

GgufFile::GgufFile(const std::filesystem::path& path) : path_(path), file_(path) {
  Reader reader(path_, file_.view());
  if (reader.take(std::min<std::uint64_t>(sizeof kMagic, reader.left()), "magic") !=
      std::string_view(kMagic, sizeof kMagic)) {
    fail(ErrorCode::kData, path, ": does not begin with \"GGUF\": not a GGUF file");
  }
  version_ = reader.value<std::uint32_t>("version");
  if (version_ != 0 && (version_ & 0xffff) == 0) {
    reader.fail("a big-endian file, which is not supported");
  }
  if (version_ < 2 || version_ > 3) reader.fail("version ", version_, ", expected 2 or 3");
  // The smallest tensor and the smallest key: a name's length, counts and types.
  const std::uint64_t tensors = reader.count("count of tensors", 24);
  const std::uint64_t keys = reader.count("count of keys", 13);
  for (std::uint64_t i = 0; i < keys; ++i) {
    reader.name_place(concat("metadata ", i));
    std::string key = reader.text("key", kMaxName);
    if (find_invalid_utf8(key)) reader.fail("a key that is not UTF-8");
    reader.name_place(concat("key '", key, "'"));
    if (!places_.emplace(key, metadata_.size()).second) reader.fail("is there twice");
    GgufValue value = reader.metadata();
    metadata_.emplace_back(std::move(key), std::move(value));
  }
  read_tensors(reader, tensors);
}

void GgufFile::read_tensors(Reader& reader, std::uint64_t count) {
  std::vector<std::string> order;
  for (std::uint64_t i = 0; i < count; ++i) {
    reader.name_place(concat("tensor ", i));
    std::string name = reader.text("name", kMaxName);
    if (find_invalid_utf8(name)) reader.fail("a name that is not UTF-8");
    reader.name_place(concat("tensor '", name, "'"));
    const auto dimensions = reader.value<std::uint32_t>("count of dimensions");
    if (dimensions > kMaxDimensions) {
      reader.fail(dimensions, " dimensions, at most ", kMaxDimensions, " are supported");
    }
    GgufTensor tensor;
    std::uint64_t values = 1;
    for (std::uint32_t k = 0; k < dimensions; ++k) {
      const auto extent = reader.value<std::uint64_t>("extent");
      if (extent == 0 || __builtin_mul_overflow(values, extent, &values) ||
          values > static_cast<std::uint64_t>(std::numeric_limits<std::int64_t>::max())) {
        reader.fail("the extent ", extent, " is 0, or makes more values than 2^63-1");
      }
      tensor.shape.push_back(static_cast<std::int64_t>(extent));
    }
    const std::uint64_t row =
        tensor.shape.empty() ? 1 : static_cast<std::uint64_t>(tensor.shape.front());
    std::reverse(tensor.shape.begin(), tensor.shape.end());
    tensor.type = reader.value<std::uint32_t>("type");
    const GgmlTypeInfo* const type = find_ggml_type(tensor.type);
    if (type == nullptr) reader.fail("unknown type ", tensor.type);
    if (row % type->block_values != 0) {
      reader.fail("rows of ", row, " values, of which ", type->name, " makes blocks of ",
                  type->block_values);
    }
    if (__builtin_mul_overflow(values / type->block_values, type->block_bytes, &tensor.bytes)) {
      reader.fail("its size in bytes does not fit 64 bits");
    }
    tensor.begin = reader.value<std::uint64_t>("offset");
    if (!tensors_.emplace(name, std::move(tensor)).second) reader.fail("is there twice");
    order.push_back(std::move(name));
  }

  std::uint64_t alignment = kAlignment;
  if (const auto given = integer(kAlignmentKey)) {
    alignment = static_cast<std::uint64_t>(*given);
    reader.name_place(concat("key '", kAlignmentKey, "'"));
    if (!std::has_single_bit(alignment) || alignment > (1U << 30)) {
      reader.fail(*given, " is no power of two up to 2^30");
    }
  }
  place_tensors(order, padded(reader.position(), alignment), alignment);
}

void GgufFile::place_tensors(const std::vector<std::string>& order, std::uint64_t data_begin,
                             std::uint64_t alignment) {
  std::uint64_t offset = 0;
  for (const std::string& name : order) {
    GgufTensor& tensor = tensors_.at(name);
    const auto check = [&](bool good, const auto&... parts) {
      require(good, ErrorCode::kData, path_, ": tensor '", name, "': ", parts...);
    };
    check(tensor.begin == offset, "its offset is ", tensor.begin, ", expected ", offset,
          ", the padded end of the one before");
    const std::uint64_t room = file_.size() > data_begin ? file_.size() - data_begin : 0;
    check(offset <= room && tensor.bytes <= room - offset, "its ", tensor.bytes, " bytes at ",
          offset, " go beyond the file's ", room, " bytes of data (truncated?)");
    tensor.begin += data_begin;
    offset = padded(offset + tensor.bytes, alignment);
  }
}

std::span<const std::byte> GgufFile::bytes(const GgufTensor& tensor) const {
  return {file_.data() + tensor.begin, static_cast<std::size_t>(tensor.bytes)};
}

const GgufValue* GgufFile::find(const std::string& key) const {
  const auto found = places_.find(key);
  return found == places_.end() ? nullptr : &metadata_[found->second].second;
}

template <class T>
const T* GgufFile::content(const std::string& key, const char* expected) const {
  const GgufValue* const value = find(key);
  if (value == nullptr) return nullptr;
  const T* const content = std::get_if<T>(&value->content);
  require(content != nullptr, ErrorCode::kData, path_, ": key '", key, "': expected ", expected,
          ", got ", value->is_array() ? "an array of " : "", gguf_type_name(value->type));
  return content;
}

std::optional<std::int64_t> GgufFile::integer(const std::string& key) const {
  const auto* const value = content<std::int64_t>(key, "an integer");
  return value ? std::optional(*value) : std::nullopt;
}

std::optional<double> GgufFile::number(const std::string& key) const {
  const GgufValue* const value = find(key);
  if (value && std::holds_alternative<std::int64_t>(value->content)) {
    return static_cast<double>(std::get<std::int64_t>(value->content));
  }
  const auto* const number = content<double>(key, "a number");
  return number ? std::optional(*number) : std::nullopt;
}

std::optional<std::string> GgufFile::string(const std::string& key) const {
  const auto* const value = content<std::string>(key, "a string");
  if (value == nullptr) return std::nullopt;
  require(!find_invalid_utf8(*value), ErrorCode::kData, path_, ": key '", key, "': not UTF-8");
  return *value;
}

std::vector<std::string> GgufFile::strings(const std::string& key) const {
  const auto* const value = content<std::vector<std::string>>(key, "an array of strings");
  return value ? *value : std::vector<std::string>();
}

std::vector<std::int64_t> GgufFile::integers(const std::string& key) const {
  const auto* const value = content<std::vector<std::int64_t>>(key, "an array of integers");
  return value ? *value : std::vector<std::int64_t>();
}

std::vector<double> GgufFile::numbers(const std::string& key) const {
  const auto* const value = content<std::vector<double>>(key, "an array of numbers");
  return value ? *value : std::vector<double>();
}

void GgufFile::fail_missing(const std::string& key) const {
  std::vector<std::string> keys;
  for (const auto& [name, value] : metadata_) keys.push_back(name);
  fail(ErrorCode::kData, path_, ": no key '", key, "'", did_you_mean(key, keys));
}

bool is_gguf_file(const std::filesystem::path& path) {
  std::error_code ignored;
  if (!std::filesystem::is_regular_file(path, ignored)) return false;
  char magic[sizeof kMagic] = {};
  std::ifstream(path, std::ios::binary).read(magic, sizeof magic);
  return std::equal(magic, magic + sizeof magic, kMagic);
}

std::uint64_t GgufTensorSpec::bytes() const {
  const GgmlTypeInfo& info = ggml_type_info(type);
  std::uint64_t bytes = info.block_bytes;
  for (std::size_t i = 0; i < shape.size(); ++i) {
    const auto extent = static_cast<std::uint64_t>(shape[i]);
    const bool last = i + 1 == shape.size();
    require(!last || extent % info.block_values == 0, ErrorCode::kInternal, name, ": rows of ",
            extent, " values are no blocks of ", info.name);
    bytes *= last ? extent / info.block_values : extent;
  }
  return bytes;
}

namespace {

/// Collects a file's header.
class Header {
 public:
  template <class T>
  void put(T value) {
    bytes_.append(reinterpret_cast<const char*>(&value), sizeof value);
  }
  void put_text(std::string_view text) {
    put(static_cast<std::uint64_t>(text.size()));
    bytes_ += text;
  }
  void put_value(const GgufValue& value) {
    put(static_cast<std::uint32_t>(value.is_array() ? GgufType::kArray : value.type));
    if (value.is_array()) put(static_cast<std::uint32_t>(value.type));
    std::visit([&](const auto& content) { put_content(value.type, content); }, value.content);
  }
  std::string& bytes() { return bytes_; }

 private:
  template <class T>
  void put_content(GgufType type, const std::vector<T>& list) {
    put(static_cast<std::uint64_t>(list.size()));
    for (const T& value : list) put_content(type, value);
  }
  void put_content(GgufType, const std::string& text) { put_text(text); }
  void put_content(GgufType type, double value) {
    type == GgufType::kF32 ? put(static_cast<float>(value)) : put(value);
  }
  /// Little-endian: a narrow type has the low bytes.
  void put_content(GgufType type, std::int64_t value) {
    bytes_.append(reinterpret_cast<const char*>(&value), size_of(type));
  }

  std::string bytes_;
};

}  // namespace

void write_gguf(const std::filesystem::path& path,
                const std::vector<std::pair<std::string, GgufValue>>& metadata,
                const std::vector<GgufTensorSpec>& tensors, const GgufFetch& fetch) {
  constexpr std::uint32_t kVersion = 3;
  Header header;
  header.bytes().append(kMagic, sizeof kMagic);
  header.put(kVersion);
  header.put(static_cast<std::uint64_t>(tensors.size()));
  header.put(static_cast<std::uint64_t>(metadata.size()));
  for (const auto& [key, value] : metadata) {
    header.put_text(key);
    header.put_value(value);
  }
  std::uint64_t offset = 0;
  for (const GgufTensorSpec& tensor : tensors) {
    header.put_text(tensor.name);
    header.put(static_cast<std::uint32_t>(tensor.shape.size()));
    for (std::size_t i = tensor.shape.size(); i-- > 0;) {
      header.put(static_cast<std::uint64_t>(tensor.shape[i]));
    }
    header.put(static_cast<std::uint32_t>(tensor.type));
    header.put(offset);
    offset += padded(tensor.bytes(), kAlignment);
  }
  header.bytes().resize(padded(header.bytes().size(), kAlignment), '\0');

  AtomicFile file(path);
  file.write(header.bytes());
  for (std::size_t i = 0; i < tensors.size(); ++i) {
    const std::uint64_t bytes = tensors[i].bytes();
    file.write(fetch(i), bytes);
    file.write(std::string(padded(bytes, kAlignment) - bytes, '\0'));
  }
  file.commit();
}

}  // namespace llmctl
