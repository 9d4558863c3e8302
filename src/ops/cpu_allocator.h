// Memory of LibTorch's tensors on the CPU: blocks that are given back are kept and used again.
#pragma once

#include <cstddef>

namespace llmctl {

/// Makes LibTorch's CPU tensors take their memory from a cache of blocks, as its CUDA tensors do.
/// The C library's allocator either returns large blocks to the system, which clears their pages
/// anew at every step (1.2 to 1.5 times the time of a step on virtual machines), or keeps them in
/// one heap that tensors of changing lengths break into pieces: several times what is in use.
/// Here sizes are rounded up to one of eight for each power of two, blocks of 2 MiB and more ask
/// for huge pages, and what is kept beside the blocks in use is bounded by what was lately in use
/// at once. Call it before the first tensor is made; later calls do nothing.
void cache_cpu_memory();

/// Bytes of large blocks (64 KiB and more) in use, and kept for later.
struct CpuMemory {
  std::size_t in_use = 0, kept = 0;
};
CpuMemory cpu_memory();

/// Gives back to the system what is kept.
void release_cpu_memory();

}  // namespace llmctl
