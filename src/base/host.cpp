#include "base/host.h"

#include <unistd.h>

#include <algorithm>

namespace llmctl {

std::string host_name() {
  char name[256] = {};
  if (::gethostname(name, sizeof name - 1) != 0 || name[0] == '\0') return "localhost";
  std::string text = name;
  std::replace(text.begin(), text.end(), '/', '_');
  return text;
}

}  // namespace llmctl
