// What files for further instructions of x86 share: functions compiled for them one by one. Private
// to this folder, to be included on x86 alone.
#pragma once

// GCC 12 warns of its own intrinsics' undefined operands.
#pragma GCC diagnostic ignored "-Wuninitialized"
#pragma GCC diagnostic ignored "-Wmaybe-uninitialized"
#include <hwy/base.h>
#include <immintrin.h>

#define LLMCTL_AVX512 __attribute__((target("avx512f,avx512bw,avx512vl,fma")))
#define LLMCTL_VNNI __attribute__((target("avx512f,avx512bw,avx512vl,fma,avx512vnni")))
#define LLMCTL_BF16 __attribute__((target("avx512f,avx512bw,avx512vl,fma,avx512bf16")))
#define LLMCTL_INLINE inline __attribute__((always_inline))
