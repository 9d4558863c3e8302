#include "io/safetensors.h"

#include <algorithm>
#include <array>
#include <bit>
#include <cstring>
#include <limits>
#include <set>
#include <string_view>
#include <utility>

#include "base/error.h"
#include "config/fields.h"
#include "config/json.h"
#include "io/shard_index.h"

namespace llmctl {

static_assert(std::endian::native == std::endian::little, "tensors are mapped, not converted");

namespace {

constexpr std::uint64_t kMaxHeader = 100'000'000;  // the format's own limit
constexpr int kHeaderDepth = 3;                    // header, entry, shape
constexpr char kMetadata[] = "__metadata__";

struct DTypeRow {
  DType dtype;
  const char* name;
  std::size_t size;
};
constexpr std::array<DTypeRow, 10> kDTypes{{{DType::kF64, "F64", 8},
                                            {DType::kF32, "F32", 4},
                                            {DType::kF16, "F16", 2},
                                            {DType::kBF16, "BF16", 2},
                                            {DType::kI64, "I64", 8},
                                            {DType::kI32, "I32", 4},
                                            {DType::kI16, "I16", 2},
                                            {DType::kI8, "I8", 1},
                                            {DType::kU8, "U8", 1},
                                            {DType::kBool, "BOOL", 1}}};

const DTypeRow& row_of(DType dtype) {
  return *std::find_if(kDTypes.begin(), kDTypes.end(),
                       [&](const DTypeRow& row) { return row.dtype == dtype; });
}

/// Where an entry stands, for errors: "FILE: tensor 'NAME'".
struct Place {
  const std::filesystem::path& file;
  const std::string& tensor;

  template <class... Parts>
  [[noreturn]] void fail(const Parts&... parts) const {
    llmctl::fail(ErrorCode::kData, file, ": tensor '", tensor, "': ", parts...);
  }
};

/// A member of an entry, or an error that names it.
const Json& member(const Place& place, const Json& entry, const char* key) {
  const auto found = entry.find(key);
  if (found == entry.end()) place.fail("'", key, "' is missing");
  return *found;
}

/// A number that is written as an integer and lies in [0, 2^63).
std::int64_t natural(const Place& place, const char* key, const Json& value) {
  const bool natural =
      value.is_number_unsigned()
          ? value.get<std::uint64_t>() <=
                static_cast<std::uint64_t>(std::numeric_limits<std::int64_t>::max())
          : value.is_number_integer() && value.get<std::int64_t>() >= 0;
  if (!natural) {
    place.fail("'", key, "' must hold integers from 0 to 2^63-1, got ", dump_json(value));
  }
  return value.get<std::int64_t>();
}

/// Elements × size in bytes; an error when that does not fit 64 bits.
std::uint64_t byte_count(const Place& place, const std::vector<std::int64_t>& shape,
                         std::size_t size) {
  std::uint64_t bytes = size;
  for (const std::int64_t extent : shape) {
    if (__builtin_mul_overflow(bytes, static_cast<std::uint64_t>(extent), &bytes)) {
      place.fail("the product of 'shape' does not fit 64 bits");
    }
  }
  return bytes;
}

TensorInfo read_entry(const Place& place, const Json& entry) {
  if (!entry.is_object()) place.fail("expected an object, got ", entry.type_name());
  for (const auto& item : entry.items()) {
    if (item.key() != "dtype" && item.key() != "shape" && item.key() != "data_offsets") {
      place.fail("unknown key '", item.key(), "'");
    }
  }
  TensorInfo info{};

  const Json& dtype = member(place, entry, "dtype");
  const auto known = std::find_if(kDTypes.begin(), kDTypes.end(), [&](const DTypeRow& row) {
    return dtype.is_string() && dtype.get_ref<const std::string&>() == row.name;
  });
  if (known == kDTypes.end()) {
    place.fail("unsupported 'dtype' ", dump_json(dtype),
               ", expected one of F64 F32 F16 BF16 I64 I32 I16 I8 U8 BOOL");
  }
  info.dtype = known->dtype;

  const Json& shape = member(place, entry, "shape");
  if (!shape.is_array()) place.fail("'shape' must be a list, got ", shape.type_name());
  info.shape.reserve(shape.size());
  for (const Json& extent : shape) info.shape.push_back(natural(place, "shape", extent));

  const Json& offsets = member(place, entry, "data_offsets");
  if (!offsets.is_array() || offsets.size() != 2) {
    place.fail("'data_offsets' must be a list of two numbers");
  }
  info.begin = static_cast<std::uint64_t>(natural(place, "data_offsets", offsets[0]));
  info.end = static_cast<std::uint64_t>(natural(place, "data_offsets", offsets[1]));
  if (info.begin > info.end) {
    place.fail("'data_offsets' begin after their end: ", info.begin, " > ", info.end);
  }
  const std::uint64_t bytes = byte_count(place, info.shape, known->size);
  if (info.end - info.begin != bytes) {
    place.fail("'data_offsets' span ", info.end - info.begin, " bytes, 'shape' and 'dtype' need ",
               bytes);
  }
  return info;
}

/// The tensors must fill the data from its first to its last byte.
void check_coverage(const std::filesystem::path& path,
                    const std::map<std::string, TensorInfo>& tensors, std::uint64_t data_bytes) {
  std::vector<std::pair<const std::string*, const TensorInfo*>> order;
  order.reserve(tensors.size());
  for (const auto& [name, info] : tensors) order.emplace_back(&name, &info);
  std::sort(order.begin(), order.end(), [](const auto& a, const auto& b) {
    return std::pair(a.second->begin, a.second->end) < std::pair(b.second->begin, b.second->end);
  });
  std::uint64_t covered = 0;
  for (const auto& [name, info] : order) {
    const Place place{path, *name};
    if (info->end > data_bytes) {
      place.fail("'data_offsets' end at ", info->end, ", but the file holds ", data_bytes,
                 " bytes of data (truncated?)");
    }
    if (info->begin != covered) {
      place.fail("'data_offsets' begin at ", info->begin, ", expected ", covered, " (a ",
                 info->begin < covered ? "range that another tensor has" : "hole", ")");
    }
    covered = info->end;
  }
  require(covered == data_bytes, ErrorCode::kData, path, ": ", data_bytes - covered,
          " bytes after the last tensor belong to none");
}

std::map<std::string, std::string> read_metadata(const std::filesystem::path& path,
                                                 const Json& value) {
  require(value.is_object(), ErrorCode::kData, path, ": '__metadata__' must be an object");
  std::map<std::string, std::string> metadata;
  for (const auto& item : value.items()) {
    require(item.value().is_string(), ErrorCode::kData, path, ": '__metadata__' member '",
            item.key(), "' must be a string, got ", item.value().type_name());
    metadata.emplace(item.key(), item.value().get<std::string>());
  }
  return metadata;
}

/// ", did you mean …" for a tensor that is not there.
template <class Map>
std::string similar_name(const std::string& name, const Map& tensors) {
  std::vector<std::string> names;
  for (const auto& [known, unused] : tensors) names.push_back(known);
  return did_you_mean(name, names);
}

}  // namespace

std::size_t dtype_size(DType dtype) {
  return row_of(dtype).size;
}
const char* dtype_name(DType dtype) {
  return row_of(dtype).name;
}

std::int64_t TensorInfo::elements() const {
  return static_cast<std::int64_t>((end - begin) / dtype_size(dtype));
}

SafetensorsFile::SafetensorsFile(const std::filesystem::path& path) : path_(path), file_(path) {
  const std::string where = path.string();
  require(file_.size() >= 8, ErrorCode::kData, where, ": ", file_.size(),
          " bytes are too few for a safetensors file (truncated?)");
  std::uint64_t header_bytes = 0;
  std::memcpy(&header_bytes, file_.data(), 8);
  require(header_bytes <= kMaxHeader, ErrorCode::kData, where, ": header length ", header_bytes,
          " is above the format's limit of ", kMaxHeader, "; not a safetensors file?");
  require(header_bytes <= file_.size() - 8, ErrorCode::kData, where, ": header length ",
          header_bytes, " goes beyond the file's ", file_.size(), " bytes (truncated?)");
  const std::string_view header = file_.view().substr(8, header_bytes);
  require(header.starts_with('{'), ErrorCode::kData, where,
          ": the header does not begin with '{'; not a safetensors file?");
  data_start_ = 8 + header_bytes;

  const Json json =
      parse_json(header, where + " (header)", {.max_depth = kHeaderDepth, .max_bytes = kMaxHeader});
  for (const auto& item : json.items()) {
    if (item.key() == kMetadata) {
      metadata_ = read_metadata(path, item.value());
    } else {
      tensors_.emplace(item.key(), read_entry({path, item.key()}, item.value()));
    }
  }
  check_coverage(path, tensors_, file_.size() - data_start_);
}

const TensorInfo& SafetensorsFile::info(const std::string& name) const {
  const auto found = tensors_.find(name);
  require(found != tensors_.end(), ErrorCode::kData, path_, ": no tensor '", name, "'",
          found == tensors_.end() ? similar_name(name, tensors_) : "");
  return found->second;
}

std::span<const std::byte> SafetensorsFile::bytes(const std::string& name) const {
  const TensorInfo& tensor = info(name);
  return {file_.data() + data_start_ + tensor.begin,
          static_cast<std::size_t>(tensor.end - tensor.begin)};
}

namespace {}  // namespace

SafetensorsSet::SafetensorsSet(const std::filesystem::path& path) {
  std::filesystem::path index;
  std::filesystem::path single = path;
  if (std::filesystem::is_directory(path)) {
    single = path / "model.safetensors";
    if (!std::filesystem::exists(single)) {
      index = path / "model.safetensors.index.json";
      require(std::filesystem::exists(index), ErrorCode::kMissing, path.string(),
              ": no model.safetensors or model.safetensors.index.json");
    }
  } else if (path.string().ends_with(".index.json")) {
    index = path;
  }

  const auto add = [&](std::unique_ptr<SafetensorsFile> file) {
    for (const auto& [name, unused] : file->tensors()) {
      const auto [place, fresh] = tensors_.emplace(name, file.get());
      require(fresh, ErrorCode::kData, file->path(), ": tensor '", name, "' is also in ",
              place->second->path());
    }
    files_.push_back(std::move(file));
  };
  if (index.empty()) {
    add(std::make_unique<SafetensorsFile>(single));
    return;
  }

  std::map<std::filesystem::path, const SafetensorsFile*> opened;
  for (const auto& [tensor, file] : read_shard_index(index, ".safetensors")) {
    if (!opened.contains(file)) {
      add(std::make_unique<SafetensorsFile>(file));
      opened.emplace(file, files_.back().get());
    }
    require(opened[file]->contains(tensor), ErrorCode::kData, index.string(),
            ": weight_map entry '", tensor, "': no such tensor in ", file.filename().string());
  }
}

const TensorInfo& SafetensorsSet::info(const std::string& name) const {
  return file_of(name).info(name);
}

std::span<const std::byte> SafetensorsSet::bytes(const std::string& name) const {
  return file_of(name).bytes(name);
}

const SafetensorsFile& SafetensorsSet::file_of(const std::string& name) const {
  const auto found = tensors_.find(name);
  if (found == tensors_.end()) {
    const std::string where = files_.size() == 1 ? files_[0]->path().string()
                              : files_.empty()   ? std::string("the model's files")
                                                 : files_[0]->path().parent_path().string();
    fail(ErrorCode::kData, where, ": no tensor '", name, "'", similar_name(name, tensors_));
  }
  return *found->second;
}

void write_safetensors(const std::filesystem::path& path, const std::vector<TensorSpec>& tensors,
                       const TensorFetch& fetch,
                       const std::map<std::string, std::string>& metadata) {
  Json header = Json::object();
  header[kMetadata] = {{"format", "pt"}};
  for (const auto& [key, value] : metadata) header[kMetadata][key] = value;
  std::set<std::string> names{kMetadata};
  std::vector<std::uint64_t> sizes;
  std::uint64_t offset = 0;
  for (const TensorSpec& tensor : tensors) {
    require(names.insert(tensor.name).second, ErrorCode::kInternal, path, ": tensor '", tensor.name,
            "' given twice");
    sizes.push_back(byte_count({path, tensor.name}, tensor.shape, dtype_size(tensor.dtype)));
    header[tensor.name] = {{"dtype", dtype_name(tensor.dtype)},
                           {"shape", tensor.shape},
                           {"data_offsets", {offset, offset + sizes.back()}}};
    offset += sizes.back();
  }
  std::string text = dump_json(header);
  text.append((8 - text.size() % 8) % 8, ' ');

  AtomicFile file(path);
  const std::uint64_t header_bytes = text.size();
  file.write(&header_bytes, sizeof header_bytes);
  file.write(text);
  for (std::size_t i = 0; i < tensors.size(); ++i) {
    const void* data = fetch(i);
    if (sizes[i] > 0) file.write(data, sizes[i]);
  }
  file.commit();
}

void write_safetensors(const std::filesystem::path& path, const std::vector<TensorBytes>& tensors,
                       const std::map<std::string, std::string>& metadata) {
  std::vector<TensorSpec> specs;
  for (const TensorBytes& tensor : tensors) {
    specs.push_back({tensor.name, tensor.dtype, tensor.shape});
  }
  write_safetensors(
      path, specs, [&](std::size_t i) { return tensors[i].data; }, metadata);
}

}  // namespace llmctl
