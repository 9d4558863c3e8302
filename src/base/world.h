// The processes of a run as the rest of the code sees them: a few numbers exchanged, rank 0 writes.
#pragma once

#include <cstdint>
#include <memory>
#include <span>

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

}  // namespace llmctl
