#include "runs/doctor.h"

#include <functional>

#include "base/cpu.h"
#include "base/files.h"
#include "base/threads.h"
#include "ops/backend.h"
#include "runs/assembly.h"
#include "runs/build_facts.h"
#include "runs/self_test.h"

namespace llmctl {

DoctorReport run_doctor() {
  DoctorReport report;
  report.facts.emplace_back("llmctl", version_text());
  report.facts.emplace_back("cpu", cpu_features().model);
  std::string features;
  for (const auto& name : feature_names(cpu_features()))
    features += (features.empty() ? "" : " ") + name;
  report.facts.emplace_back("cpu features", features.empty() ? "none that matter" : features);
  report.facts.emplace_back("cores", std::to_string(available_threads()));
  const Compute compute = assemble_compute("auto", "auto", 0, Purpose::kAnswers);
  for (const auto& fact : backend_facts()) report.facts.push_back(fact);
  report.facts.emplace_back("device (auto)", compute.device.str());
  report.facts.emplace_back("precision of answers (auto)", precision_name(compute.dtype));
  report.facts.emplace_back(
      "precision of training (auto)",
      precision_name(resolve_precision("auto", compute.device, Purpose::kTraining)));
  report.facts.emplace_back("cache", cache_directory("").string());
  const auto test = [&](const std::string& name, const std::function<void()>& work) {
    try {
      work();
      report.tests.push_back({name, "ok"});
    } catch (const std::exception& error) {
      report.healthy = false;
      report.tests.push_back({name, error.what()});
    }
  };
  test("cache can be written", [] {
    const fs::path directory = cache_directory("");
    make_directories(directory);
    AtomicFile probe(directory / "doctor");
    probe.write("probe");
  });
  test("products in fp32 on the CPU", [] { self_test_products(at::kCPU, at::kFloat); });
  test("products in bf16 on the CPU", [] { self_test_products(at::kCPU, at::kBFloat16); });
  if (!compute.device.is_cpu()) {
    test("products on " + compute.device.str(),
         [&] { self_test_products(compute.device, compute.dtype); });
  }
  test("tokenizer: train, encode, decode", self_test_tokenizer);
  test("a model learns", [&] { self_test_training(compute.device); });
  return report;
}

Json DoctorReport::to_json() const {
  Json json;
  json["healthy"] = healthy;
  for (const auto& [name, value] : facts) json["facts"][name] = value;
  for (const auto& row : tests) json["tests"][row[0]] = row[1];
  return json;
}

}  // namespace llmctl
