#if defined(__x86_64__)
#pragma clang attribute push(__attribute__((target("avx2"))), apply_to = function)

#include <string.h>

#include "loops.h"
#include "packed_avx2_kernels.h"
#include "packed_layout.h"
#include "packed_tables.h"

#define CPK_NAME(name) cpk_avx2_##name
#define CPK_LANES 8
#include "packed_activations.inc"

static void cpk_avx2_arrange_for_layout(
    const int8_t *q, cpk_codes kind, size_t columns, size_t group_size, int8_t *values,
    int32_t *sums, int32_t *lows) {
  if (kind == CPK_CODES_4 || kind == CPK_CODES_8) {
    cpk_avx2_arrange(q, kind, columns, group_size, values, sums, lows);
  } else {
    cpk_avx2_arrange_tables(q, columns, group_size, values, sums, lows);
  }
}

const cpk_packed_kernels cpk_avx2_packed_kernels = {
    .layout = {
        [CPK_CODES_1] = CPK_LAYOUT_PLANES,
        [CPK_CODES_2] = CPK_LAYOUT_PLANES,
        [CPK_CODES_2_LEVELS] = CPK_LAYOUT_PLANES,
        [CPK_CODES_4] = CPK_LAYOUT_CHUNKS,
        [CPK_CODES_8] = CPK_LAYOUT_SIGNED_CHUNKS,
    },
    .quantize = cpk_avx2_quantize,
    .arrange = cpk_avx2_arrange_for_layout,
    .multiply = {
        [CPK_CODES_1] = cpk_avx2_multiply_planes1,
        [CPK_CODES_2] = cpk_avx2_multiply_planes2,
        [CPK_CODES_2_LEVELS] = cpk_avx2_multiply_levels2,
        [CPK_CODES_4] = cpk_avx2_multiply_codes4,
        [CPK_CODES_8] = cpk_avx2_multiply_codes8,
    },
};

#pragma clang attribute pop
#endif
