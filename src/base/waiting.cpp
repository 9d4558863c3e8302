#include "base/waiting.h"

#include <unistd.h>

#include <algorithm>
#include <array>
#include <climits>
#include <cstdlib>
#include <string_view>

namespace llmctl {
namespace {

constexpr std::array<const char*, 3> kVariables = {"OMP_WAIT_POLICY", "GOMP_SPINCOUNT",
                                                   "KMP_BLOCKTIME"};
constexpr std::array<std::string_view, 5> kComputing = {"pretrain", "finetune", "generate", "eval",
                                                        "doctor"};

bool chosen(const char* variable) {
  const char* value = std::getenv(variable);
  return value != nullptr && *value != '\0';
}

}  // namespace

void wait_without_spinning(int argc, char** argv) {
  const bool computes = std::any_of(argv, argv + argc, [](const char* word) {
    return std::find(kComputing.begin(), kComputing.end(), word) != kComputing.end();
  });
  if (!computes || std::any_of(kVariables.begin(), kVariables.end(), chosen)) return;
  // The file's own name, not /proc/self/exe, so that ps still shows it.
  std::array<char, PATH_MAX + 1> path{};
  if (::readlink("/proc/self/exe", path.data(), PATH_MAX) <= 0 ||
      ::setenv("OMP_WAIT_POLICY", "passive", 1) != 0) {
    return;
  }
  ::execv(path.data(), argv);
  ::unsetenv("OMP_WAIT_POLICY");  // the library has been loaded without it
}

std::string thread_waiting() {
  std::string text;
  for (const char* variable : kVariables) {
    if (!chosen(variable)) continue;
    if (!text.empty()) text += ' ';
    text += variable;
    text += '=';
    text += std::getenv(variable);
  }
  return text.empty() ? "the OpenMP library's default" : text;
}

}  // namespace llmctl
