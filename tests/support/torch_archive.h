// Files as torch.save writes them, for tests of what reads them.
#pragma once

#include <cstdint>
#include <cstring>
#include <string>
#include <utility>
#include <vector>

namespace llmctl::test {

template <class Number>
std::string little_endian(Number value) {
  std::string bytes(sizeof value, '\0');
  std::memcpy(bytes.data(), &value, sizeof value);
  return bytes;
}

/// A ZIP archive of stored members.
inline std::string zip_archive(const std::vector<std::pair<std::string, std::string>>& members) {
  std::string archive, directory;
  for (const auto& [name, bytes] : members) {
    const auto size = static_cast<std::uint32_t>(bytes.size());
    const auto offset = static_cast<std::uint32_t>(archive.size());
    // Values of tensors begin at multiples of 64, as torch's own writer places them.
    const std::size_t padding = (64 - (archive.size() + 30 + name.size()) % 64) % 64;
    const std::string sizes = little_endian(std::uint32_t{0}) + little_endian(size) +
                              little_endian(size) +
                              little_endian(static_cast<std::uint16_t>(name.size()));
    const std::string common = little_endian(std::uint16_t{0}) + little_endian(std::uint16_t{0}) +
                               little_endian(std::uint32_t{0}) + sizes;
    archive += "PK\x03\x04" + little_endian(std::uint16_t{20}) + common +
               little_endian(static_cast<std::uint16_t>(padding)) + name +
               std::string(padding, '\0') + bytes;
    directory += "PK\x01\x02" + little_endian(std::uint16_t{20}) +
                 little_endian(std::uint16_t{20}) + common + std::string(12, '\0') +
                 little_endian(offset) + name;
  }
  const auto count = little_endian(static_cast<std::uint16_t>(members.size()));
  return archive + directory + "PK\x05\x06" + std::string(4, '\0') + count + count +
         little_endian(static_cast<std::uint32_t>(directory.size())) +
         little_endian(static_cast<std::uint32_t>(archive.size())) + std::string(2, '\0');
}

/// A float32 tensor.
struct TorchTensor {
  std::string name;
  std::vector<std::int64_t> shape;
  std::string bytes;
};

/// What torch.save(dict_of_tensors, FILE) writes.
inline std::string torch_archive(const std::vector<TorchTensor>& tensors) {
  const auto text = [](const std::string& value) {
    return "X" + little_endian(static_cast<std::uint32_t>(value.size())) + value;
  };
  const auto number = [](std::int64_t value) {
    return "J" + little_endian(static_cast<std::int32_t>(value));
  };
  const auto numbers = [&](const std::vector<std::int64_t>& values) {
    std::string pickle = "(";
    for (const std::int64_t value : values) pickle += number(value);
    return pickle + "t";
  };
  std::vector<std::pair<std::string, std::string>> members(1);
  std::string pickle = "\x80\x02}(";
  for (std::size_t i = 0; i < tensors.size(); ++i) {
    const TorchTensor& tensor = tensors[i];
    const std::string key = std::to_string(i);
    std::vector<std::int64_t> strides(tensor.shape.size(), 1);
    for (std::size_t d = strides.size(); d-- > 1;) strides[d - 1] = strides[d] * tensor.shape[d];
    pickle += text(tensor.name) + "ctorch._utils\n_rebuild_tensor_v2\n((" + text("storage") +
              "ctorch\nFloatStorage\n" + text(key) + text("cpu") +
              number(static_cast<std::int64_t>(tensor.bytes.size() / 4)) + "tQ" + number(0) +
              numbers(tensor.shape) + numbers(strides) + "\x89" + "ccollections\nOrderedDict\n)RtR";
    members.emplace_back("archive/data/" + key, tensor.bytes);
  }
  members.front() = {"archive/data.pkl", pickle + "u."};
  members.emplace_back("archive/version", "3\n");
  return zip_archive(members);
}

}  // namespace llmctl::test
