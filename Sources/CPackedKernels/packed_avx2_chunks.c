// Codes of 4 and 8 bits in chunks, multiplied byte by byte; see cpk_packed.h.
#if defined(__x86_64__)
#pragma clang attribute push(__attribute__((target("avx2"))), apply_to = function)

#include "packed_avx2.h"
#include "packed_avx2_kernels.h"

#define UNROLL _Pragma("clang loop unroll(full)")
#define FOR_REGISTERS UNROLL for (int j = 0; j < 4; j++)

enum {
  /// The rows of a tile: 4 registers, each with 16 columns of 2 rows.
  TILE_ROWS = 8,
  /// Products of codes up to 15 in pairs, at most 3810, are added up in 16 bits for so many chunks of two each.
  CHUNKS_IN_16_BITS = 4,
};

/// Two products at a time, which is what registers are enough for: two tiles, the rows of a chunk, times a vector, or
/// a tile times two vectors.
typedef struct {
  int tiles, vectors;
} shape;

/// Adds 16-bit sums in pairs.
CPK_INLINE __m256i add_pairs(__m256i sum, __m256i pairs) {
  return _mm256_add_epi32(sum, _mm256_madd_epi16(pairs, _mm256_set1_epi16(1)));
}

CPK_INLINE __m256i load_codes(const uint8_t *codes, int tile, int j) {
  return _mm256_loadu_si256((const __m256i *)(codes + 64 * j + 32 * tile));
}

/// Adds up to `CHUNKS_IN_16_BITS` chunks of 4-bit codes; `slices` slices of 16 columns.
CPK_INLINE void add_chunks_4(
    shape shape, const uint8_t *codes, const int8_t *x, size_t x_stride, size_t slices,
    __m256i sums[2][4]) {
  __m256i pairs[2][4];
  UNROLL for (int p = 0; p < 2; p++) {
    FOR_REGISTERS pairs[p][j] = _mm256_setzero_si256();
  }
  for (size_t slice = 0; slice < slices; slice += 2) {
    UNROLL for (int c = 0; c < 2; c++) {
      if (slice + (size_t)c >= slices) continue;
      __m256i xs[2];
      UNROLL for (int b = 0; b < shape.vectors; b++) {
        xs[b] = load_twice(x + (size_t)b * x_stride + 16 * c);
      }
      UNROLL for (int t = 0; t < shape.tiles; t++) {
        FOR_REGISTERS {
          const __m256i v = load_codes(codes, t, j);
          const __m256i u = and_bytes(c == 0 ? v : _mm256_srli_epi16(v, 4), 0x0F);
          UNROLL for (int b = 0; b < shape.vectors; b++) {
            pairs[t + b][j] = _mm256_add_epi16(pairs[t + b][j], _mm256_maddubs_epi16(u, xs[b]));
          }
        }
      }
    }
    codes += CPK_CHUNK_BYTES;
    x += 32;
  }
  UNROLL for (int p = 0; p < 2; p++) {
    FOR_REGISTERS sums[p][j] = add_pairs(sums[p][j], pairs[p][j]);
  }
}

/// Adds a chunk of 8-bit codes less 128. Magnitudes up to 128 times activations up to 127 stay in 16 bits in pairs.
CPK_INLINE void add_chunk_8(
    shape shape, const uint8_t *codes, const int8_t *x, size_t x_stride, __m256i sums[2][4]) {
  __m256i xs[2];
  UNROLL for (int b = 0; b < shape.vectors; b++) xs[b] = load_twice(x + (size_t)b * x_stride);
  UNROLL for (int t = 0; t < shape.tiles; t++) {
    FOR_REGISTERS {
      const __m256i v = load_codes(codes, t, j), magnitudes = _mm256_abs_epi8(v);
      UNROLL for (int b = 0; b < shape.vectors; b++) {
        sums[t + b][j] = add_pairs(
            sums[t + b][j], _mm256_maddubs_epi16(magnitudes, _mm256_sign_epi8(xs[b], v)));
      }
    }
  }
}

/// The sums of value * x of a group, for a tile and vector each.
CPK_INLINE void dot_group(
    cpk_codes kind, shape shape, const uint8_t *codes, const int8_t *x, size_t x_stride,
    size_t columns, const int32_t *x_sums, size_t groups, __m256i dots[2]) {
  __m256i sums[2][4];
  UNROLL for (int p = 0; p < 2; p++) {
    FOR_REGISTERS sums[p][j] = _mm256_setzero_si256();
  }
  const size_t slices = cpk_slice_count(columns);
  if (kind == CPK_CODES_4) {
    const size_t step = 2 * CHUNKS_IN_16_BITS;
    size_t slice = 0;
    for (; slice + step <= slices; slice += step) {
      add_chunks_4(
          shape, codes + slice / 2 * CPK_CHUNK_BYTES, x + 16 * slice, x_stride, step, sums);
    }
    add_chunks_4(
        shape, codes + slice / 2 * CPK_CHUNK_BYTES, x + 16 * slice, x_stride, slices - slice, sums);
  } else {
    for (size_t slice = 0; slice < slices; slice++) {
      add_chunk_8(shape, codes + slice * CPK_CHUNK_BYTES, x + 16 * slice, x_stride, sums);
    }
  }
  UNROLL for (int p = 0; p < 2; p++) {
    // Row 4 l + j is in lane l of register j.
    dots[p] = _mm256_hadd_epi32(
        _mm256_hadd_epi32(sums[p][0], sums[p][1]), _mm256_hadd_epi32(sums[p][2], sums[p][3]));
    if (kind == CPK_CODES_8) {
      const int32_t sum = x_sums[shape.vectors == 2 ? (size_t)p * groups : 0];
      dots[p] = _mm256_add_epi32(dots[p], _mm256_set1_epi32(sum * 128));
    }
  }
}

/// Some vectors times some rows of a block.
CPK_INLINE void multiply_tiles(
    cpk_codes kind, shape shape, const cpk_matrix *matrix, const cpk_activations *x,
    size_t vector, size_t block, size_t row, float *y, size_t y_stride) {
  const size_t groups = cpk_group_count(matrix->columns, matrix->group_size);
  const size_t group_codes = cpk_chunk_count(kind, matrix->group_size) * CPK_CHUNK_BYTES;
  const size_t group_values = 16 * cpk_slice_count(matrix->group_size);
  const size_t half_bytes =
      cpk_row_chunk_count(kind, matrix->columns, matrix->group_size) * CPK_CHUNK_BYTES;
  const uint8_t *codes = matrix->codes + (2 * block + row / CPK_HALF_ROWS) * half_bytes
      + 4 * (row % CPK_HALF_ROWS);
  const int8_t *values = x->values + vector * x->stride;
  const int32_t *x_sums = x->sums + vector * groups;
  __m256 totals[2] = {_mm256_setzero_ps(), _mm256_setzero_ps()};
  for (size_t group = 0; group < groups; group++) {
    const size_t place = (block * groups + group) * CPK_BLOCK_ROWS + row;
    __m256i dots[2];
    dot_group(
        kind, shape, codes + group * group_codes, values + group * group_values, x->stride,
        cpk_group_columns(matrix->columns, matrix->group_size, group), x_sums + group, groups,
        dots);
    UNROLL for (size_t p = 0; p < 2; p++) {
      const size_t at = place + (shape.tiles == 2 ? p * TILE_ROWS : 0);
      totals[p] = add_group(
          totals[p], dots[p], matrix->scales + at, matrix->offsets + at,
          (float)x_sums[group + (shape.vectors == 2 ? p * groups : 0)]);
    }
  }
  const size_t rows = matrix->rows - block * CPK_BLOCK_ROWS - row;
  if (shape.vectors == 2) {
    UNROLL for (size_t b = 0; b < 2; b++) {
      add_rows(y + b * y_stride + row, rows, totals[b], x->scales[vector + b]);
    }
  } else {
    add_rows(y + row, rows, totals[0], x->scales[vector]);
    if (rows > TILE_ROWS) {
      add_rows(y + row + TILE_ROWS, rows - TILE_ROWS, totals[1], x->scales[vector]);
    }
  }
}

/// A block's codes stay in the nearest cache for all vectors.
CPK_INLINE void multiply_kind(
    cpk_codes kind, const cpk_matrix *matrix, const cpk_activations *x, size_t first_block,
    size_t last_block, float *y, size_t y_stride) {
  for (size_t block = first_block; block < last_block; block++) {
    const size_t rows = matrix->rows - block * CPK_BLOCK_ROWS;
    float *block_y = y + (block - first_block) * CPK_BLOCK_ROWS;
    size_t vector = 0;
    for (; vector + 2 <= x->count; vector += 2) {
      for (size_t row = 0; row < CPK_BLOCK_ROWS && row < rows; row += TILE_ROWS) {
        multiply_tiles(
            kind, (shape){.tiles = 1, .vectors = 2}, matrix, x, vector, block, row,
            block_y + vector * y_stride, y_stride);
      }
    }
    if (vector == x->count) continue;
    for (size_t row = 0; row < CPK_BLOCK_ROWS && row < rows; row += 2 * TILE_ROWS) {
      multiply_tiles(
          kind, (shape){.tiles = 2, .vectors = 1}, matrix, x, vector, block, row,
          block_y + vector * y_stride, y_stride);
    }
  }
}

#define MULTIPLY(name, kind) \
  void cpk_avx2_multiply_##name( \
      const cpk_matrix *matrix, const cpk_activations *x, size_t first_block, size_t last_block, \
      float *y, size_t y_stride) { \
    multiply_kind(kind, matrix, x, first_block, last_block, y, y_stride); \
  }
MULTIPLY(codes4, CPK_CODES_4)
MULTIPLY(codes8, CPK_CODES_8)

#pragma clang attribute pop
#endif
