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

/// GNU's OpenMP library, which LibTorch's wheels carry, spins this often before it sleeps: some
/// microseconds, which is as long as the small operations of a small model are apart. Without them
/// such a model loses a third of its speed on an idle machine; ten times as many lose a third
/// beside one busy process. Other OpenMP libraries know only the policy.
constexpr const char* kSpins = "500";

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
  if (::readlink("/proc/self/exe", path.data(), PATH_MAX) <= 0) return;
  if (::setenv("OMP_WAIT_POLICY", "passive", 1) == 0 &&
      ::setenv("GOMP_SPINCOUNT", kSpins, 1) == 0) {
    ::execv(path.data(), argv);
  }
  ::unsetenv("OMP_WAIT_POLICY");  // the library has been loaded without them
  ::unsetenv("GOMP_SPINCOUNT");
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
