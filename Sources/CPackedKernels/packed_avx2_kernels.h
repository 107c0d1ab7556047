// The functions that the AVX2 files make their table of.
#ifndef PACKED_AVX2_KERNELS_H
#define PACKED_AVX2_KERNELS_H

#include "cpk_packed.h"

/// Makes the tables of a quantized vector and sums each group.
void cpk_avx2_arrange_tables(
    const int8_t *q, size_t columns, size_t group_size, int8_t *values, int32_t *sums,
    int32_t *lows);

/// Puts the codes of some rows, NULL where there is none, into the planes of a block of zeros.
void cpk_avx2_place_in_planes(
    uint8_t *block, cpk_codes kind, size_t columns, size_t group_size,
    const uint8_t *const rows[CPK_BLOCK_ROWS]);

cpk_multiply_function cpk_avx2_multiply_planes1;
cpk_multiply_function cpk_avx2_multiply_planes2;
cpk_multiply_function cpk_avx2_multiply_levels2;
cpk_multiply_function cpk_avx2_multiply_codes4;
cpk_multiply_function cpk_avx2_multiply_codes8;

#endif
