#include <llmctl/error.h>
#include <llmctl/version.h>

#include <iostream>

int main() {
  std::cout << "llmctl " << llmctl::version() << "\n";
  return llmctl::Error(llmctl::ErrorCode::kUsage, "none").exit_status() == 64 ? 0 : 1;
}
