#include "base/waiting.h"

#include <gtest/gtest.h>

#include <cstdlib>
#include <string>
#include <vector>

namespace llmctl {
namespace {

/// Sets a variable for the time of a test; null: unsets it.
class Variable {
 public:
  Variable(const char* name, const char* value) : name_(name) {
    const char* const before = std::getenv(name);
    had_ = before != nullptr;
    if (had_) before_ = before;
    set(value);
  }
  ~Variable() { set(had_ ? before_.c_str() : nullptr); }
  Variable(const Variable&) = delete;
  Variable& operator=(const Variable&) = delete;

 private:
  void set(const char* value) const {
    if (value != nullptr) {
      ::setenv(name_, value, 1);
    } else {
      ::unsetenv(name_);
    }
  }
  const char* name_;
  bool had_ = false;
  std::string before_;
};

TEST(Waiting, KnowsItsOwnSettingsFromAUsers) {
  const std::vector<std::string> both = {"OMP_WAIT_POLICY", "GOMP_SPINCOUNT"};
  const Variable blocktime("KMP_BLOCKTIME", nullptr);
  const Variable policy("OMP_WAIT_POLICY", "passive");
  for (const char* spins : {"500", "4000"}) {
    const Variable count("GOMP_SPINCOUNT", spins);
    EXPECT_EQ(own_waiting(), both) << spins;
    EXPECT_EQ(thread_waiting(), std::string("OMP_WAIT_POLICY=passive GOMP_SPINCOUNT=") + spins);
  }
  {
    const Variable count("GOMP_SPINCOUNT", "1000");
    EXPECT_TRUE(own_waiting().empty());
  }
  const Variable count("GOMP_SPINCOUNT", nullptr);
  EXPECT_TRUE(own_waiting().empty());
  const Variable none("OMP_WAIT_POLICY", nullptr);
  EXPECT_EQ(thread_waiting(), "the OpenMP library's default");
}

}  // namespace
}  // namespace llmctl
