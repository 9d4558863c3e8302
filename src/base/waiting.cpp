#include "base/waiting.h"

#include <unistd.h>

#include <algorithm>
#include <array>
#include <climits>
#include <cstdlib>
#include <fstream>
#include <span>
#include <string_view>

namespace llmctl {
namespace {

constexpr std::array<const char*, 3> kVariables = {"OMP_WAIT_POLICY", "GOMP_SPINCOUNT",
                                                   "KMP_BLOCKTIME"};
constexpr std::array<std::string_view, 5> kComputing = {"pretrain", "finetune", "generate", "eval",
                                                        "doctor"};

constexpr std::array<std::string_view, 2> kAnswering = {"generate", "eval"};

/// GNU's OpenMP library, which LibTorch's wheels carry, spins this often before it sleeps: some
/// microseconds, which is as long as the small operations of a small model are apart. Without them
/// such a model loses a third of its speed on an idle machine; ten times as many lose a third
/// beside one busy process. Other OpenMP libraries know only the policy.
constexpr const char* kSpins = "500";
/// One token at a time, threads wait for one another longer: sleeping costs a quarter of the speed
/// of a model of 134 M parameters in int8. Beside another busy process spinning costs more than
/// that, so it is for short commands on idle machines only.
constexpr const char* kSpinsWhenIdle = "4000";

bool names_one_of(int argc, char** argv, std::span<const std::string_view> commands) {
  return std::any_of(argv, argv + argc, [&](const char* word) {
    return std::find(commands.begin(), commands.end(), word) != commands.end();
  });
}

/// Whether nothing else runs on this machine at one of some moments.
bool machine_is_idle() {
  for (int look = 0; look < 3; ++look) {
    if (look > 0) ::usleep(1000);
    double average = 0;
    int running = 0;
    std::ifstream in("/proc/loadavg");
    in >> average >> average >> average >> running;  // "0.00 0.01 0.05 1/87 4711"
    if (in && running <= 1) return true;             // this process itself
  }
  return false;
}

bool chosen(const char* variable) {
  const char* value = std::getenv(variable);
  return value != nullptr && *value != '\0';
}

}  // namespace

void wait_without_spinning(int argc, char** argv) {
  if (!names_one_of(argc, argv, kComputing) ||
      std::any_of(kVariables.begin(), kVariables.end(), chosen)) {
    return;
  }
  const bool spin = names_one_of(argc, argv, kAnswering) && machine_is_idle();
  // The file's own name, not /proc/self/exe, so that ps still shows it.
  std::array<char, PATH_MAX + 1> path{};
  if (::readlink("/proc/self/exe", path.data(), PATH_MAX) <= 0) return;
  if (::setenv("OMP_WAIT_POLICY", "passive", 1) == 0 &&
      ::setenv("GOMP_SPINCOUNT", spin ? kSpinsWhenIdle : kSpins, 1) == 0) {
    ::execv(path.data(), argv);
  }
  ::unsetenv("OMP_WAIT_POLICY");  // the library has been loaded without them
  ::unsetenv("GOMP_SPINCOUNT");
}

std::vector<std::string> own_waiting() {
  const auto is = [](const char* name, std::string_view value) {
    const char* const set = std::getenv(name);
    return set != nullptr && set == value;
  };
  const bool own = is("OMP_WAIT_POLICY", "passive") &&
                   (is("GOMP_SPINCOUNT", kSpins) || is("GOMP_SPINCOUNT", kSpinsWhenIdle));
  if (!own) return {};
  return {"OMP_WAIT_POLICY", "GOMP_SPINCOUNT"};
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
