#include "ops/kernels/matmul_amx.h"

#if defined(__x86_64__) && defined(__linux__)

#include <sys/syscall.h>
#include <unistd.h>

#include "base/cpu.h"
#include "ops/kernels/matmul_blocks.h"
#include "ops/kernels/matmul_outputs.h"
#include "ops/kernels/x86_targets.h"

#define LLMCTL_AMX \
  __attribute__((target("avx512f,avx512bw,avx512vl,fma,avx512vnni,amx-tile,amx-int8")))

namespace llmctl::kernels {
namespace {

constexpr std::int64_t kTile = 16, kLanes = 16, kBytes = 64;  // rows, numbers of 32 bits, bytes
constexpr std::int64_t kFours = kBlock / 4;

/// What LDTILECFG reads (Intel, Software Developer's Manual, volume 1, chapter 18).
struct alignas(64) Shapes {
  std::uint8_t palette = 1, start = 0, reserved[14] = {};
  std::uint16_t bytes[16] = {};
  std::uint8_t rows[16] = {};
};
static_assert(sizeof(Shapes) == 64);

// The registers: sums of [rows, outputs] 0 to 3, rows 4 and 5, outputs 6 and 7. The instructions
// take their numbers as constants.

/// One block's integers of up to 16 rows (kTall: of 17 to 32) into whole [32, 32].
template <bool kTall>
LLMCTL_AMX LLMCTL_INLINE void multiply_block(const std::byte* x, std::size_t x_stride,
                                             const std::uint8_t* panel, std::int32_t* whole) {
  constexpr int kPanelStride = 4 * kTallOutputs, kWholeStride = 4 * kTallOutputs;
  _tile_zero(0);
  _tile_zero(1);
  if constexpr (kTall) {
    _tile_zero(2);
    _tile_zero(3);
  }
  for (int half = 0; half < 2; ++half) {
    _tile_loadd(6, panel, kPanelStride);
    _tile_loadd(7, panel + kBytes, kPanelStride);
    _tile_loadd(4, x, x_stride);
    _tile_dpbsud(0, 4, 6);
    _tile_dpbsud(1, 4, 7);
    if constexpr (kTall) {
      _tile_loadd(5, x + kTile * x_stride, x_stride);
      _tile_dpbsud(2, 5, 6);
      _tile_dpbsud(3, 5, 7);
    }
    panel += kTile * kPanelStride;
    x += kBytes;
  }
  _tile_stored(0, whole, kWholeStride);
  _tile_stored(1, whole + kLanes, kWholeStride);
  if constexpr (kTall) {
    _tile_stored(2, whole + kTile * kTallOutputs, kWholeStride);
    _tile_stored(3, whole + kTile * kTallOutputs + kLanes, kWholeStride);
  }
}

template <bool kTall>
LLMCTL_AMX void multiply_rows(const Product& product, const std::uint8_t* panel, std::int64_t row,
                              std::int64_t rows, std::int64_t output, std::int64_t outputs) {
  Shapes shapes;
  const auto set = [&](int tile, std::int64_t height) {
    shapes.rows[tile] = static_cast<std::uint8_t>(height);
    shapes.bytes[tile] = kBytes;
  };
  for (const int tile : {0, 1, 4}) set(tile, std::min(rows, kTile));
  if constexpr (kTall) {  // a tile without rows may not have a width
    for (const int tile : {2, 3, 5}) set(tile, rows - kTile);
  }
  for (const int tile : {6, 7}) set(tile, kTile);
  // GCC's intrinsic tells the compiler of the first eight bytes alone.
  __asm__ volatile("" : : "r"(&shapes) : "memory");
  _tile_loadconfig(&shapes);
  const RoundedRow shape(product.weight.inputs);
  const std::byte* const x = input_row(product, row);
  alignas(64) std::int32_t whole[kTallRows * kTallOutputs];
  alignas(64) float sums[kTallRows * kTallOutputs] = {};
  for (std::int64_t b = 0; b < shape.blocks; ++b) {
    multiply_block<kTall>(x + b * kBlock, product.x_stride, panel + b * kFours * kTallOutputs * 4,
                          whole);
    for (std::int64_t m = 0; m < rows; ++m) {
      const std::byte* const own = input_row(product, row + m);
      const __m512i start = _mm512_set1_epi32(shape.sums(own)[b]);  // takes the + 128 off
      const __m512 scale = _mm512_set1_ps(shape.scales(own)[b]);
      for (std::int64_t at = m * kTallOutputs; at < (m + 1) * kTallOutputs; at += kLanes) {
        const __m512i sum = _mm512_add_epi32(_mm512_load_si512(whole + at), start);
        _mm512_store_ps(sums + at,
                        _mm512_fmadd_ps(_mm512_cvtepi32_ps(sum), scale, _mm512_load_ps(sums + at)));
      }
    }
  }
  _tile_release();
  for (std::int64_t first = 0; first < outputs; first += kLanes) {
    const OutputLanes lanes(product, output + first, outputs - first);
    for (std::int64_t m = 0; m < rows; ++m) {
      lanes.put(row + m, _mm512_load_ps(sums + m * kTallOutputs + first));
    }
  }
}

/// Linux keeps the tiles' state only for processes that have asked (Documentation/arch/x86/xstate).
bool ask_for_tiles() {
  constexpr int kRequestPermission = 0x1023, kTileData = 18;
  return cpu_features().amx_int8 && cpu_features().avx512_vnni &&
         syscall(SYS_arch_prctl, kRequestPermission, kTileData) == 0;
}

}  // namespace

bool has_byte_tiles() {
  static const bool has = ask_for_tiles();
  return has;
}

void multiply_tall_tile(const Product& product, const std::uint8_t* panel, std::int64_t row,
                        std::int64_t rows, std::int64_t output, std::int64_t outputs) {
  if (rows > kTile) {
    multiply_rows<true>(product, panel, row, rows, output, outputs);
  } else {
    multiply_rows<false>(product, panel, row, rows, output, outputs);
  }
}

}  // namespace llmctl::kernels

#else

namespace llmctl::kernels {

bool has_byte_tiles() {
  return false;
}
void multiply_tall_tile(const Product&, const std::uint8_t*, std::int64_t, std::int64_t,
                        std::int64_t, std::int64_t) {}

}  // namespace llmctl::kernels

#endif
