#include "io/gguf.h"

#include <gtest/gtest.h>

#include <cstring>

#include "support/expect_error.h"
#include "support/temp_dir.h"

namespace llmctl {
namespace {

using test::expect_error;
using test::slurp;
using test::TempDir;

/// Bytes of a file, put together by hand.
class Bytes {
 public:
  template <class T>
  Bytes& put(T value) {
    bytes_.append(reinterpret_cast<const char*>(&value), sizeof value);
    return *this;
  }
  Bytes& u32(std::uint32_t value) { return put(value); }
  Bytes& u64(std::uint64_t value) { return put(value); }
  Bytes& text(const std::string& text) {
    u64(text.size());
    bytes_ += text;
    return *this;
  }
  Bytes& raw(const std::string& text) {
    bytes_ += text;
    return *this;
  }
  Bytes& pad(std::size_t alignment = 32) {
    bytes_.resize((bytes_.size() + alignment - 1) / alignment * alignment, '\0');
    return *this;
  }
  const std::string& str() const { return bytes_; }

 private:
  std::string bytes_;
};

Bytes header(std::uint64_t tensors, std::uint64_t keys, std::uint32_t version = 3) {
  return Bytes().raw("GGUF").u32(version).u64(tensors).u64(keys);
}

using Metadata = std::vector<std::pair<std::string, GgufValue>>;

const Metadata& metadata() {
  static const Metadata kValues = {
      {"general.architecture", GgufValue::string("llama")},
      {"count", GgufValue::u32(4'000'000'000)},
      {"flag", GgufValue::boolean(true)},
      {"epsilon", GgufValue::f32(1e-5F)},
      {"narrow", {GgufType::kI8, std::int64_t{-3}}},
      {"short", {GgufType::kU16, std::int64_t{65535}}},
      {"wide", {GgufType::kI64, std::int64_t{-5'000'000'000}}},
      {"wider", {GgufType::kU64, std::int64_t{1} << 60}},
      {"double", {GgufType::kF64, 0.1}},
      {"tokens", {GgufType::kString, std::vector<std::string>{"a", "", "\u4f60"}}},
      {"scores", {GgufType::kF32, std::vector<double>{0.5, -2}}},
      {"types", {GgufType::kI32, std::vector<std::int64_t>{1, -6}}},
      {"bytes", {GgufType::kU8, std::vector<std::int64_t>{0, 255}}},
      {"none", {GgufType::kI32, std::vector<std::int64_t>{}}}};
  return kValues;
}

TEST(Gguf, EverythingComesBack) {
  const TempDir dir;
  const std::vector<GgufTensorSpec> specs = {{"odd", GgmlType::kF32, {3}},
                                             {"blocks", GgmlType::kQ8_0, {2, 32}},
                                             {"half", GgmlType::kF16, {2, 1, 5}}};
  std::vector<std::string> contents;
  for (const GgufTensorSpec& spec : specs) {
    contents.emplace_back(spec.bytes(), static_cast<char>('a' + contents.size()));
  }
  write_gguf(dir / "m.gguf", metadata(), specs, [&](std::size_t i) { return contents[i].data(); });

  EXPECT_TRUE(is_gguf_file(dir / "m.gguf"));
  const GgufFile file(dir / "m.gguf");
  EXPECT_EQ(file.version(), 3U);
  ASSERT_EQ(file.metadata().size(), metadata().size());
  for (std::size_t i = 0; i < metadata().size(); ++i) {
    EXPECT_EQ(file.metadata()[i].first, metadata()[i].first);
    EXPECT_EQ(file.metadata()[i].second.type, metadata()[i].second.type) << metadata()[i].first;
    EXPECT_EQ(file.metadata()[i].second.content, metadata()[i].second.content)
        << metadata()[i].first;
  }
  ASSERT_EQ(file.tensors().size(), specs.size());
  for (std::size_t i = 0; i < specs.size(); ++i) {
    const GgufTensor& tensor = file.tensors().at(specs[i].name);
    EXPECT_EQ(tensor.shape, specs[i].shape);
    EXPECT_EQ(tensor.type, static_cast<std::uint32_t>(specs[i].type));
    EXPECT_EQ(tensor.begin % 32, 0U);
    const auto bytes = file.bytes(tensor);
    EXPECT_EQ(std::string(reinterpret_cast<const char*>(bytes.data()), bytes.size()), contents[i]);
  }
  EXPECT_EQ(file.integer("count"), 4'000'000'000);
  EXPECT_EQ(file.integer("flag"), 1);
  EXPECT_EQ(file.number("narrow"), -3);
  EXPECT_EQ(file.strings("tokens").size(), 3U);
  EXPECT_EQ(file.string("absent"), std::nullopt);
  expect_error(ErrorCode::kData, {"m.gguf", "'tokens'", "an integer", "array of string"},
               [&] { file.integer("tokens"); });
  expect_error(ErrorCode::kData, {"no key 'flags'", "'flag'"}, [&] { file.fail_missing("flags"); });
}

TEST(Gguf, TheBytesAreThoseOfTheFormat) {
  const TempDir dir;
  const float value = 2;
  write_gguf(dir / "m.gguf", {{"k", GgufValue::u32(7)}}, {{"t", GgmlType::kF32, {1, 1}}},
             [&](std::size_t) { return &value; });
  const std::string expected = header(1, 1)
                                   .text("k")
                                   .u32(4)
                                   .u32(7)
                                   .text("t")
                                   .u32(2)
                                   .u64(1)
                                   .u64(1)
                                   .u32(0)
                                   .u64(0)
                                   .pad()
                                   .put(value)
                                   .pad()
                                   .str();
  EXPECT_EQ(slurp(dir / "m.gguf"), expected);
}

TEST(Gguf, VersionTwoAndOtherAlignmentsAreRead) {
  const TempDir dir;
  Bytes bytes = header(2, 1, 2).text("general.alignment").u32(4).u32(8);
  bytes.text("a").u32(1).u64(1).u32(0).u64(0).text("b").u32(1).u64(1).u32(0).u64(8).pad(8);
  bytes.put(1.0F).pad(8).put(2.0F);  // the last one's padding may be missing
  const GgufFile file(dir.write("m.gguf", bytes.str()));
  float value = 0;
  std::memcpy(&value, file.bytes(file.tensors().at("b")).data(), sizeof value);
  EXPECT_EQ(value, 2.0F);
}

TEST(Gguf, EveryTruncationIsRefused) {
  const TempDir dir;
  const std::vector<float> values(40, 1.0F);
  write_gguf(dir / "m.gguf", metadata(),
             {{"a", GgmlType::kF32, {2, 3}}, {"b", GgmlType::kF32, {8}}},
             [&](std::size_t) { return values.data(); });
  const std::string whole = slurp(dir / "m.gguf");
  for (std::size_t size = 0; size < whole.size(); ++size) {
    const auto path = dir.write("cut.gguf", whole.substr(0, size));
    expect_error(ErrorCode::kData, {"cut.gguf"}, [&] { GgufFile{path}; });
    if (HasFailure()) FAIL() << "at " << size;
  }
}

TEST(Gguf, EveryChangedByteIsReadOrRefused) {
  const TempDir dir;
  const std::vector<float> values(40, 1.0F);
  write_gguf(dir / "m.gguf", metadata(),
             {{"a", GgmlType::kF32, {2, 3}}, {"b", GgmlType::kF32, {8}}},
             [&](std::size_t) { return values.data(); });
  const std::string whole = slurp(dir / "m.gguf");
  int refused = 0;
  for (std::size_t i = 0; i < whole.size(); ++i) {
    for (const unsigned char flip : {1, 128, 255}) {
      std::string changed = whole;
      changed[i] = static_cast<char>(changed[i] ^ flip);
      try {
        const GgufFile file(dir.write("changed.gguf", changed));
      } catch (const Error& error) {
        EXPECT_EQ(static_cast<int>(error.code()), static_cast<int>(ErrorCode::kData));
        ++refused;
      }
    }
  }
  EXPECT_GT(refused, 100);
}

TEST(Gguf, EachFaultIsNamed) {
  const TempDir dir;
  const auto tensor = [](std::uint32_t type, std::vector<std::uint64_t> extents,
                         std::uint64_t offset = 0) {
    Bytes bytes = header(1, 0).text("t").u32(static_cast<std::uint32_t>(extents.size()));
    for (const std::uint64_t extent : extents) bytes.u64(extent);
    return bytes.u32(type).u64(offset).pad().raw(std::string(64, 'x')).str();
  };
  const auto key = [](std::uint32_t type, const std::string& value) {
    return header(0, 1).text("k").u32(type).raw(value).str();
  };
  struct Case {
    std::string bytes;
    std::vector<std::string> parts;
  };
  const std::uint64_t most = ~std::uint64_t{0};
  const std::vector<Case> cases = {
      {"", {"not a GGUF file"}},
      {"GGML" + std::string(60, '\0'), {"not a GGUF file"}},
      {header(0, 0, 1).str(), {"version 1"}},
      {header(0, 0, 4).str(), {"version 4"}},
      {header(0, 0, 0x03000000).str(), {"big-endian"}},
      {header(most, 0).str(), {"count of tensors", "truncated"}},
      {header(0, most / 13).str(), {"count of keys", "truncated"}},
      {header(0, 1).u64(most).u64(0).str(), {"metadata 0", "key"}},
      {header(0, 1).text("\xff").u32(4).u64(1).str(), {"not UTF-8"}},
      {header(0, 2).text("k").u32(4).u32(1).text("k").u32(4).u32(1).str(), {"'k'", "twice"}},
      {key(13, "xxxxxxxx"), {"'k'", "type 13"}},
      {key(8, Bytes().u64(most).str()), {"'k'", "string"}},
      {key(7, "\x02"), {"'k'", "boolean of value 2"}},
      {key(10, Bytes().u64(most).str()), {"'k'", "2^63-1"}},
      {key(9, Bytes().u32(9).u64(1).str()), {"'k'", "arrays of arrays"}},
      {key(9, Bytes().u32(4).u64(most / 4).str()), {"'k'", "count of values"}},
      {key(9, Bytes().u32(8).u64(most / 8).str()), {"'k'", "count of strings"}},
      {tensor(0, {1, 1, 1, 1, 1}), {"'t'", "5 dimensions"}},
      {tensor(0, {0}), {"'t'", "extent 0"}},
      {tensor(0, {1ULL << 40, 1ULL << 40}), {"'t'", "2^63-1"}},
      {tensor(0, {1ULL << 62}), {"'t'", "64 bits"}},
      {tensor(5, {4}), {"'t'", "unknown type 5"}},
      {tensor(8, {33}), {"'t'", "33", "Q8_0", "blocks of 32"}},
      {tensor(0, {100}), {"'t'", "400 bytes", "truncated"}},
      {tensor(0, {4}, 32), {"'t'", "offset is 32", "expected 0"}},
      {header(0, 1).text("general.alignment").u32(4).u32(24).str(),
       {"general.alignment", "24", "power of two"}},
  };
  for (const Case& fault : cases) {
    const auto path = dir.write("bad.gguf", fault.bytes);
    expect_error(ErrorCode::kData, fault.parts, [&] { GgufFile{path}; });
  }
  expect_error(ErrorCode::kMissing, {"absent.gguf"}, [&] { GgufFile{dir / "absent.gguf"}; });
  EXPECT_FALSE(is_gguf_file(dir / "absent.gguf"));
  EXPECT_FALSE(is_gguf_file(dir.path()));
}

TEST(Gguf, AWriterThatFailsLeavesNothing) {
  const TempDir dir;
  EXPECT_THROW(write_gguf(dir / "m.gguf", {}, {{"t", GgmlType::kF32, {4}}},
                          [](std::size_t) -> const void* { fail(ErrorCode::kData, "no values"); }),
               Error);
  EXPECT_TRUE(std::filesystem::is_empty(dir.path()));
  expect_error(ErrorCode::kInternal, {"t: rows of 33"}, [&] {
    write_gguf(dir / "m.gguf", {}, {{"t", GgmlType::kQ4_0, {33}}}, nullptr);
  });
}

}  // namespace
}  // namespace llmctl
