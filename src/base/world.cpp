#include "base/world.h"

namespace llmctl {
namespace {

class LocalWorld final : public World {
 public:
  int rank() const override { return 0; }
  int size() const override { return 1; }
  void sum(std::span<double>) override {}
  void max(std::span<double>) override {}
  void broadcast(std::span<double>) override {}
  void barrier() override {}
};

}  // namespace

std::unique_ptr<World> make_local_world() {
  return std::make_unique<LocalWorld>();
}

}  // namespace llmctl
