#include "io/safetensors.h"

#include <gtest/gtest.h>
#include <sys/resource.h>
#include <sys/stat.h>

#include <csignal>
#include <cstring>

#include "base/error.h"
#include "support/expect_error.h"
#include "support/temp_dir.h"

namespace llmctl {
namespace {

namespace fs = std::filesystem;
using test::expect_error;
using test::slurp;
using test::TempDir;

std::string bytes_of(std::span<const std::byte> bytes) {
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

/// A file of the given header and data bytes.
std::string raw_file(const std::string& header, const std::string& data = "") {
  const std::uint64_t length = header.size();
  std::string text(8, '\0');
  std::memcpy(text.data(), &length, 8);
  return text + header + data;
}

TEST(Safetensors, EveryDTypeComesBack) {
  const TempDir dir;
  const std::vector<DType> dtypes{DType::kF64, DType::kF32, DType::kF16, DType::kBF16,
                                  DType::kI64, DType::kI32, DType::kI16, DType::kI8,
                                  DType::kU8,  DType::kBool};
  const std::vector<std::vector<std::int64_t>> shapes{{2, 3}, {}, {0, 3}, {1, 2, 1, 5}};
  std::vector<std::string> contents;
  std::vector<TensorBytes> tensors;
  contents.reserve(dtypes.size() * shapes.size());
  for (const DType dtype : dtypes) {
    for (const auto& shape : shapes) {
      std::size_t size = dtype_size(dtype);
      for (const std::int64_t extent : shape) size *= static_cast<std::size_t>(extent);
      std::string content(size, '\0');
      for (std::size_t i = 0; i < size; ++i) content[i] = static_cast<char>(i * 7 + tensors.size());
      contents.push_back(content);
      tensors.push_back({concat(dtype_name(dtype), "/权重\"", shape.size(), "\\", size), dtype,
                         shape, contents.back().data()});
    }
  }
  write_safetensors(dir / "a.safetensors", tensors, {{"step", "12"}});

  const SafetensorsFile file(dir / "a.safetensors");
  ASSERT_EQ(file.tensors().size(), tensors.size());
  for (std::size_t i = 0; i < tensors.size(); ++i) {
    const TensorInfo& info = file.info(tensors[i].name);
    EXPECT_EQ(info.dtype, tensors[i].dtype);
    EXPECT_EQ(info.shape, tensors[i].shape);
    EXPECT_EQ(info.elements() * static_cast<std::int64_t>(dtype_size(info.dtype)),
              static_cast<std::int64_t>(contents[i].size()));
    EXPECT_EQ(bytes_of(file.bytes(tensors[i].name)), contents[i]) << tensors[i].name;
  }
  EXPECT_EQ(file.metadata(),
            (std::map<std::string, std::string>{{"format", "pt"}, {"step", "12"}}));
  // The data begins at a multiple of 8, and tensors follow each other in the order given.
  std::uint64_t header = 0;
  const std::string raw = slurp(dir / "a.safetensors");
  std::memcpy(&header, raw.data(), 8);
  EXPECT_EQ(header % 8, 0U);
  std::uint64_t end = 0;
  for (const TensorBytes& tensor : tensors) {
    EXPECT_EQ(file.info(tensor.name).begin, end);
    end = file.info(tensor.name).end;
  }
}

TEST(Safetensors, NothingAtAllIsAFileToo) {
  const TempDir dir;
  write_safetensors(dir / "a.safetensors", std::vector<TensorBytes>{});
  const SafetensorsFile file(dir / "a.safetensors");
  EXPECT_TRUE(file.tensors().empty());
  EXPECT_EQ(file.metadata().at("format"), "pt");
}

TEST(Safetensors, TensorsAreFetchedOneAtATimeInOrder) {
  const TempDir dir;
  std::vector<std::size_t> asked;
  float value = 0;
  write_safetensors(dir / "a.safetensors",
                    {{"b", DType::kF32, {1}}, {"none", DType::kF32, {0}}, {"a", DType::kF32, {}}},
                    [&](std::size_t i) -> const void* {
                      asked.push_back(i);
                      value = static_cast<float>(i) + 0.5F;
                      return i == 1 ? nullptr : &value;
                    });
  EXPECT_EQ(asked, (std::vector<std::size_t>{0, 1, 2}));
  const SafetensorsFile file(dir / "a.safetensors");
  float read = 0;
  std::memcpy(&read, file.bytes("a").data(), sizeof read);
  EXPECT_EQ(read, 2.5F);
}

TEST(Safetensors, ANameGivenTwiceIsNotWritten) {
  const TempDir dir;
  const float value = 1;
  const auto write = [&](const std::string& name) {
    write_safetensors(dir / "a.safetensors",
                      {{"a", DType::kF32, {}, &value}, {name, DType::kF32, {}, &value}});
  };
  expect_error(ErrorCode::kInternal, {"a.safetensors", "'a'", "twice"}, [&] { write("a"); });
  expect_error(ErrorCode::kInternal, {"'__metadata__'"}, [&] { write("__metadata__"); });
  EXPECT_TRUE(fs::is_empty(dir.path()));
}

TEST(Safetensors, AFullDiskLeavesTheOldFile) {
  const TempDir dir;
  const float old_value = 1;
  write_safetensors(dir / "a.safetensors", {{"a", DType::kF32, {}, &old_value}});
  const std::string before = slurp(dir / "a.safetensors");
  const std::vector<float> large(1 << 18, 2.0F);

  // A limit on the size of files fails write(2) as a full disk does.
  struct rlimit limit {};
  ::getrlimit(RLIMIT_FSIZE, &limit);
  const struct rlimit low { 1 << 16, limit.rlim_max };
  const auto old_handler = std::signal(SIGXFSZ, SIG_IGN);
  ::setrlimit(RLIMIT_FSIZE, &low);
  expect_error(ErrorCode::kIo, {"a.safetensors"}, [&] {
    write_safetensors(dir / "a.safetensors", {{"a", DType::kF32, {1 << 18}, large.data()}});
  });
  ::setrlimit(RLIMIT_FSIZE, &limit);
  std::signal(SIGXFSZ, old_handler);

  EXPECT_EQ(slurp(dir / "a.safetensors"), before);
  EXPECT_EQ(std::distance(fs::directory_iterator(dir.path()), fs::directory_iterator()), 1);
}

TEST(Safetensors, OnlyRegularFilesAreRead) {
  const TempDir dir;
  ASSERT_EQ(::mkfifo((dir / "fifo.safetensors").c_str(), 0600), 0);
  fs::create_directory(dir / "folder.safetensors");
  for (const char* name : {"fifo.safetensors", "folder.safetensors", "absent.safetensors"}) {
    expect_error(ErrorCode::kMissing, {name}, [&] { SafetensorsFile{dir / name}; });
  }
  expect_error(ErrorCode::kMissing, {"/dev/zero"}, [] { SafetensorsFile{"/dev/zero"}; });
}

TEST(Safetensors, EachFaultIsNamed) {
  const TempDir dir;
  const auto entry = [](const std::string& dtype, const std::string& shape,
                        const std::string& offsets) {
    return R"({"dtype":)" + dtype + R"(,"shape":)" + shape + R"(,"data_offsets":)" + offsets + "}";
  };
  struct Case {
    std::string content;
    std::vector<std::string> parts;
  };
  const std::vector<Case> cases{
      {"", {"0 bytes", "truncated"}},
      {"1234567", {"7 bytes"}},
      {std::string(8, '\xff'), {"header length 18446744073709551615", "100000000"}},
      {raw_file("{}").substr(0, 9), {"header length 2", "9 bytes"}},
      {raw_file("[1]"), {"does not begin with '{'"}},
      {raw_file("{} x"), {"(header)"}},
      {raw_file(R"({"w":)" + entry("\"F32\"", "[1]", "[0,4]") + "}", "12345"), {"1 bytes after"}},
      {raw_file(R"({"w":)" + entry("\"F32\"", "[1]", "[0,4]") + "}", "123"), {"'w'", "end at 4"}},
      {raw_file(R"({"w":)" + entry("\"F32\"", "[2]", "[0,4]") + "}", "1234"), {"'w'", "need 8"}},
      {raw_file(R"({"w":)" + entry("\"F33\"", "[1]", "[0,4]") + "}", "1234"),
       {"'w'", "F33", "BF16"}},
      {raw_file(R"({"w":)" + entry("7", "[1]", "[0,4]") + "}", "1234"), {"'w'", "'dtype' 7"}},
      {raw_file(R"({"w":)" + entry("\"U8\"", "4", "[0,4]") + "}", "1234"),
       {"'w'", "'shape'", "list"}},
      {raw_file(R"({"w":)" + entry("\"U8\"", "[-4]", "[0,4]") + "}", "1234"),
       {"'w'", "'shape'", "-4"}},
      {raw_file(R"({"w":)" + entry("\"U8\"", "[4.0]", "[0,4]") + "}", "1234"), {"'shape'", "4.0"}},
      {raw_file(R"({"w":)" + entry("\"U8\"", "[4]", "[0]") + "}", "1234"),
       {"'data_offsets'", "two"}},
      {raw_file(R"({"w":)" + entry("\"U8\"", "[4]", "[4,0]") + "}", "1234"), {"4 > 0"}},
      {raw_file(R"({"w":)" + entry("\"U8\"", "[4294967296,4294967296,0]", "[0,0]") + "}"),
       {"64 bits"}},
      {raw_file(R"({"w":)" + entry("\"U8\"", "[2]", "[2,4]") + "}", "1234"), {"'w'", "hole"}},
      {raw_file(R"({"w":)" + entry("\"U8\"", "[2]", "[0,2]") + R"(,"v":)" +
                    entry("\"U8\"", "[3]", "[1,4]") + "}",
                "1234"),
       {"'v'", "another tensor"}},
      {raw_file(R"({"w":{"dtype":"U8","shape":[0]}})"), {"'w'", "'data_offsets' is missing"}},
      {raw_file(R"({"w":{"dtype":"U8","shape":[0],"data_offsets":[0,0],"x":1}})"), {"'w'", "'x'"}},
      {raw_file(R"({"w":3})"), {"'w'", "object"}},
      {raw_file(R"({"__metadata__":{"a":1}})"), {"'__metadata__'", "'a'"}},
      {raw_file(R"({"__metadata__":[]})"), {"'__metadata__'", "object"}},
      {raw_file(R"({"w":)" + entry("\"U8\"", "[0]", "[0,0]") + R"(,"w":)" +
                entry("\"U8\"", "[0]", "[0,0]") + "}"),
       {"w"}},
      {raw_file(R"({"w":{"dtype":"U8","shape":[[[0]]],"data_offsets":[0,0]}})"), {"(header)"}},
  };
  for (const Case& fault : cases) {
    const fs::path path = dir.write("bad.safetensors", fault.content);
    std::vector<std::string> parts = fault.parts;
    parts.push_back("bad.safetensors");
    SCOPED_TRACE(fault.content.substr(0, 120));
    expect_error(ErrorCode::kData, parts, [&] { SafetensorsFile{path}; });
  }
}

TEST(Safetensors, AMissingTensorBringsASuggestion) {
  const TempDir dir;
  const float value = 1;
  write_safetensors(dir / "model.safetensors", {{"lm_head.weight", DType::kF32, {}, &value}});
  const SafetensorsFile file(dir / "model.safetensors");
  expect_error(ErrorCode::kData, {"model.safetensors", "'lm_head.wieght'", "'lm_head.weight'"},
               [&] { file.info("lm_head.wieght"); });
  const SafetensorsSet set(dir.path());
  expect_error(ErrorCode::kData, {"model.safetensors", "'lm_head.wieght'", "'lm_head.weight'"},
               [&] { set.bytes("lm_head.wieght"); });
}

class SafetensorsIndex : public ::testing::Test {
 protected:
  void shard(const std::string& name, const std::vector<std::string>& tensors) {
    std::vector<TensorBytes> list;
    for (const std::string& tensor : tensors) list.push_back({tensor, DType::kF32, {}, &value_});
    write_safetensors(dir_ / name, list);
  }
  void index(const std::string& weight_map) {
    dir_.write("m/model.safetensors.index.json", R"({"weight_map":)" + weight_map + "}");
  }
  void refused(const std::vector<std::string>& parts) {
    expect_error(ErrorCode::kData, parts, [&] { SafetensorsSet{dir_ / "m"}; });
  }
  TempDir dir_;
  float value_ = 3;
};

TEST_F(SafetensorsIndex, ShardsMakeOneSet) {
  fs::create_directory(dir_ / "m");
  shard("m/1.safetensors", {"a", "b"});
  shard("m/2.safetensors", {"c"});
  index(R"({"c":"2.safetensors","a":"1.safetensors","b":"1.safetensors"})");
  for (const fs::path& path : {dir_ / "m", dir_ / "m/model.safetensors.index.json"}) {
    const SafetensorsSet set(path);
    EXPECT_EQ(set.tensors().size(), 3U);
    EXPECT_EQ(set.tensors().at("c")->path().filename(), "2.safetensors");
    EXPECT_EQ(set.bytes("b").size(), 4U);
    EXPECT_TRUE(set.contains("a"));
    EXPECT_FALSE(set.contains("d"));
  }
}

TEST_F(SafetensorsIndex, ADirectoryReachedByALinkIsFine) {
  fs::create_directory(dir_ / "m");
  shard("m/1.safetensors", {"a"});
  index(R"({"a":"1.safetensors"})");
  fs::create_directory_symlink("m", dir_ / "best");
  EXPECT_TRUE(SafetensorsSet(dir_ / "best").contains("a"));
}

TEST_F(SafetensorsIndex, OneFileComesBeforeAnIndex) {
  fs::create_directory(dir_ / "m");
  shard("m/model.safetensors", {"whole"});
  index("{}");
  EXPECT_TRUE(SafetensorsSet(dir_ / "m").contains("whole"));
}

TEST_F(SafetensorsIndex, LinksLeadOnlyToTheCachesBlobs) {
  fs::create_directories(dir_ / "hub/blobs");
  fs::create_directories(dir_ / "hub/snapshots/r");
  fs::create_directory(dir_ / "m");
  shard("hub/blobs/0123", {"a"});
  fs::create_symlink("../../blobs/0123", dir_ / "hub/snapshots/r/1.safetensors");
  dir_.write("hub/snapshots/r/model.safetensors.index.json",
             R"({"weight_map":{"a":"1.safetensors"}})");
  EXPECT_TRUE(SafetensorsSet(dir_ / "hub/snapshots/r").contains("a"));

  fs::create_symlink("../hub/blobs/0123", dir_ / "m/1.safetensors");
  index(R"({"a":"1.safetensors"})");
  refused({"index.json", "'a'", "1.safetensors", "link out of the directory"});
}

TEST_F(SafetensorsIndex, EachFaultIsNamed) {
  fs::create_directory(dir_ / "m");
  shard("m/1.safetensors", {"a"});
  shard("m/2.safetensors", {"a", "b"});
  shard("out.safetensors", {"a"});
  for (const char* name :
       {"../out.safetensors", "/etc/passwd", "", "..", "sub/1.safetensors",
        "model.safetensors.index.json", "a\\\\b.safetensors", "1.safetensors\\u0000"}) {
    index(R"({"a":")" + std::string(name) + "\"}");
    SCOPED_TRACE(name);
    refused({"index.json", "'a'", "plain name"});
  }
  index(R"({"a":"3.safetensors"})");
  refused({"index.json", "'a'", "3.safetensors", "does not exist"});
  index(R"({"b":"1.safetensors"})");
  refused({"index.json", "'b'", "no such tensor in 1.safetensors"});
  index(R"({"a":"1.safetensors","b":"2.safetensors"})");
  refused({"'a'", "also in", "1.safetensors"});
  index(R"({"a":7})");
  refused({"index.json", "'a'", "string"});
  index("[]");
  refused({"index.json", "weight_map"});
  dir_.write("m/model.safetensors.index.json", "{");
  refused({"index.json"});
}

TEST_F(SafetensorsIndex, WhatIsMissingIsSaid) {
  fs::create_directory(dir_ / "m");
  expect_error(ErrorCode::kMissing, {"no model.safetensors"}, [&] { SafetensorsSet{dir_ / "m"}; });
  expect_error(ErrorCode::kMissing, {"absent"}, [&] { SafetensorsSet{dir_ / "absent"}; });
}

}  // namespace
}  // namespace llmctl
