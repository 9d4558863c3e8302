// The processes of a run as the rest of the code sees them: a few numbers exchanged, rank 0 writes.
#pragma once

#include <cstdint>
#include <exception>
#include <memory>
#include <span>

#include "base/error.h"

namespace llmctl {

/// All ranks must make the same calls in the same order.
class World {
 public:
  virtual ~World() = default;
  virtual int rank() const = 0;
  virtual int size() const = 0;
  virtual void sum(std::span<double> values) = 0;        ///< element-wise over the ranks, in place
  virtual void max(std::span<double> values) = 0;        ///< element-wise over the ranks, in place
  virtual void broadcast(std::span<double> values) = 0;  ///< rank 0's values to all
  virtual void barrier() = 0;
  bool is_main() const { return rank() == 0; }
};

/// One process: every operation is the identity.
std::unique_ptr<World> make_local_world();

/// Runs `work` on rank 0; its failure ends the other ranks too (kTemporary).
template <class Work>
void on_main(World& world, Work work) {
  std::exception_ptr error;
  double failed = 0;
  if (world.is_main()) {
    try {
      work();
    } catch (...) {
      error = std::current_exception();
      failed = 1;
    }
  }
  world.broadcast({&failed, 1});
  if (error) std::rethrow_exception(error);
  require(failed == 0, ErrorCode::kTemporary, "rank 0 stopped; its log says why");
}

}  // namespace llmctl
