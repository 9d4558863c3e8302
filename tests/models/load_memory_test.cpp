// What loading a model costs in memory beyond its files, which the system maps and drops at will.
#include <gtest/gtest.h>
#include <malloc.h>

#include <atomic>
#include <cstdio>
#include <fstream>
#include <string>
#include <thread>

#include "support/paths.h"
#include "support/temp_dir.h"
#include "tiny_models.h"

namespace llmctl {
namespace {

/// Anonymous memory of this process in bytes (proc_pid_status(5)).
double anonymous_memory() {
  std::ifstream status("/proc/self/status");
  for (std::string line; std::getline(status, line);) {
    long kilobytes = 0;
    if (std::sscanf(line.c_str(), "RssAnon: %ld kB", &kilobytes) == 1) return 1024.0 * kilobytes;
  }
  return 0;
}

/// The most that it grows by while `work` runs.
template <class Work>
double growth(const Work& work) {
  malloc_trim(0);  // what was freed before is no memory to load into
  const double before = anonymous_memory();
  std::atomic<bool> done = false;
  double most = before;
  std::thread watcher([&] {
    while (!done) {
      most = std::max(most, anonymous_memory());
      std::this_thread::sleep_for(std::chrono::microseconds(200));
    }
  });
  work();
  done = true;
  watcher.join();
  return std::max(most, anonymous_memory()) - before;
}

TEST(LoadMemory, IsThatOfTheModel) {
  if (!test::sanitizer_flags().empty()) GTEST_SKIP() << "sanitizers use memory of their own";
  const test::TempDir dir;
  double parameters = 0;
  {
    // 42 million parameters, 169 MB in fp32.
    const auto model = test::create({{"model_type", "llama"},
                                     {"hidden_size", 768},
                                     {"intermediate_size", 2048},
                                     {"num_hidden_layers", 2},
                                     {"num_attention_heads", 12}},
                                    {}, 18000);
    parameters = static_cast<double>(model->parameter_count());
    for (const auto& [name, dtype] :
         {std::pair{"fp32", at::kFloat}, {"bf16", at::kBFloat16}, {"fp16", at::kHalf}}) {
      std::filesystem::create_directory(dir / name);
      model->save(dir / name, dtype, 40'000'000);
    }
  }
  for (const char* file : {"fp32", "bf16", "fp16"}) {
    for (const at::ScalarType target : {at::kFloat, at::kBFloat16}) {
      for (const bool mapped : {false, true}) {
        ModelRequest request;
        request.dtype = target;
        request.mapped = mapped;
        std::unique_ptr<Model> model;
        const double grown = growth([&] { model = load_model(dir / file, request); });
        const std::string what =
            concat(file, "_to_", at::toString(target), mapped ? "_mapped" : "");
        RecordProperty(what, static_cast<int>(grown / 1e6));
        const double size = parameters * (target == at::kFloat ? 4 : 2);
        EXPECT_LE(grown, 1.1 * size + 50e6)
            << file << " to " << at::toString(target) << (mapped ? ", mapped" : "");
        // What needs no conversion stays in its file.
        const bool same =
            (target == at::kFloat) == (std::string(file) == "fp32") && std::string(file) != "fp16";
        if (mapped && same) EXPECT_LE(grown, 50e6) << file;
      }
    }
  }
}

}  // namespace
}  // namespace llmctl
