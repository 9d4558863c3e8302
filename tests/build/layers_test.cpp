// The include-order check must find what it is there for: each case is a small tree with one fault.
#include <gtest/gtest.h>

#include <string>

#include "support/paths.h"
#include "support/process.h"
#include "support/temp_dir.h"

namespace llmctl::test {
namespace {

// What the check says about a tree with `file` holding `include`; empty when it finds nothing.
std::string faults(const std::string& file, const std::string& include,
                   const std::string& map = "`base/` `text/` `metrics/` `train/`") {
  TempDir tree;
  tree.write("src/README.md", map + "\n");
  tree.write("src/base/error.h", "#include <string>\n");
  tree.write("include/llmctl/error.h", "#include <stdexcept>\n#include \"llmctl/version.h\"\n");
  tree.write(file, "#pragma once\n\n#include " + include + "\n");
  const auto result = run_process({"cmake", "-DSOURCE=" + tree.path().string(), "-P",
                                   (source_dir() / "cmake/Layers.cmake").string()});
  EXPECT_EQ(result.status == 0, result.err.empty()) << result.describe();
  return result.err;
}

TEST(LayersCheck, AcceptsItselfAndLowerLayers) {
  EXPECT_EQ(faults("src/text/a.cpp", "\"base/error.h\""), "");
  EXPECT_EQ(faults("src/text/a.cpp", "\"text/b.h\""), "");
  EXPECT_EQ(faults("src/train/loop.cpp", "<ATen/core/Tensor.h>"), "");
}

TEST(LayersCheck, FindsHigherLayersAndSiblings) {
  EXPECT_NE(
      faults("src/base/a.h", "\"text/b.h\"").find("src/base/a.h: includes text/b.h of layer 2"),
      std::string::npos);
  EXPECT_NE(faults("src/text/a.h", "\"io/b.h\"").find("includes io/b.h"), std::string::npos);
}

TEST(LayersCheck, KeepsLibTorchOutOfPlainFolders) {
  EXPECT_NE(faults("src/text/a.h", "<ATen/core/Tensor.h>").find("must not meet LibTorch"),
            std::string::npos);
  EXPECT_NE(faults("src/metrics/a.h", "\"ops/b.h\"").find("must not meet LibTorch"),
            std::string::npos);
}

TEST(LayersCheck, KeepsLibrariesInTheirPlace) {
  EXPECT_EQ(faults("src/base/log.cpp", "<spdlog/logger.h>"), "");
  EXPECT_NE(faults("src/base/files.cpp", "<spdlog/logger.h>").find("only src/base/log.cpp may"),
            std::string::npos);
  EXPECT_NE(faults("src/train/a.cpp", "<torch/csrc/distributed/c10d/Store.hpp>")
                .find("only src/dist/ may"),
            std::string::npos);
  EXPECT_NE(faults("src/train/a.cpp", "<torch/torch.h>").find("include narrower headers"),
            std::string::npos);
}

TEST(LayersCheck, KeepsPublicHeadersFreeOfLibraries) {
  for (const std::string include : {"<spdlog/spdlog.h>", "<ATen/ATen.h>", "\"base/error.h\""}) {
    EXPECT_NE(faults("include/llmctl/run.h", include).find("include/llmctl/run.h: includes"),
              std::string::npos)
        << include;
  }
}

TEST(LayersCheck, WantsEveryFolderInTheCodeMap) {
  EXPECT_NE(faults("src/text/a.h", "<string>", "`base/`").find("does not name `text/`"),
            std::string::npos);
  EXPECT_NE(faults("src/text/a.h", "<string>", "`base/` `text/`" + std::string(81, '\n'))
                .find("at most 80"),
            std::string::npos);
  EXPECT_NE(faults("src/text/a.h", "<string>", "| 5 | `dist/` | processes |\n`base/` `text/`")
                .find("names `dist/`, which is not there"),
            std::string::npos);
  EXPECT_EQ(faults("src/text/a.h", "<string>", "| 5 | `dist/` | later |\n`base/` `text/`"), "");
  EXPECT_NE(faults("src/other/a.h", "<string>").find("a folder without a layer"),
            std::string::npos);
}

}  // namespace
}  // namespace llmctl::test
