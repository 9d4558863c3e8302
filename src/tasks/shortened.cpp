#include "tasks/shortened.h"

#include "base/error.h"

namespace llmctl {

std::string shortened_note(const Shortened& shortened, const std::string& kind,
                           const std::string& lost, const std::string& key) {
  const auto [count, of, most] = shortened;
  if (count == 0) return "";
  return concat(count, " of ", of, " ", kind, of == 1 ? "" : "s", count == 1 ? " has" : " have",
                " more than ", most, " tokens and ", count == 1 ? "loses its " : "lose their ",
                lost, " (", key, ")");
}

}  // namespace llmctl
