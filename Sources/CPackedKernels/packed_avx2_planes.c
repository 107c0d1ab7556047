// Codes of 1 and 2 bits in planes: sums of 4 columns are looked up, for 32 rows at a time; see cpk_packed.h.
#if defined(__x86_64__)
#pragma clang attribute push(__attribute__((target("avx2"))), apply_to = function)

#include "packed_avx2_kernels.h"

#include <stdbool.h>
#include <string.h>

#include "packed_avx2.h"

#define UNROLL _Pragma("clang loop unroll(full)")

enum {
  /// Low parts of a slice's sums, at most 4 * 63, stay in a byte.
  SLICE_COLUMNS = 16,
  /// High parts, at most 32 * 7, stay in a byte.
  RUN_COLUMNS = 128,
  /// Low parts, at most 512 * 63, stay below 32768.
  SEGMENT_COLUMNS = 2048,
  /// So many vectors are multiplied with a block before the next one.
  VECTORS_IN_TURN = 8,
  /// So many of them share what is found in the codes.
  MOST_VECTORS = 2,
};

/// The tables for 4 columns, whose activations are the bytes of x: the sums less the smallest one, `low`.
CPK_INLINE __m256i tables_of(int32_t x, int32_t low) {
  const __m256i first = _mm256_setr_epi32(
      0x00000000, 0x00000001, 0x00000100, 0x00000101, 0x01000000, 0x01000001, 0x01000100,
      0x01000101);
  const __m256i second = _mm256_or_si256(first, _mm256_set1_epi32(0x00010000));
  const __m256i four = _mm256_set1_epi32(x);
  const __m256i sums = _mm256_sub_epi16(
      _mm256_hadd_epi16(_mm256_maddubs_epi16(first, four), _mm256_maddubs_epi16(second, four)),
      _mm256_set1_epi16((short)low));
  const __m256i parts = _mm256_packus_epi16(
      _mm256_and_si256(sums, _mm256_set1_epi16(63)), _mm256_srli_epi16(sums, 6));
  return _mm256_permute4x64_epi64(parts, 0xD8);
}

/// The sums of each 4 bytes.
CPK_INLINE __m128i sums_of_four(__m128i x) {
  return _mm_madd_epi16(_mm_maddubs_epi16(_mm_set1_epi8(1), x), _mm_set1_epi16(1));
}

CPK_INLINE int32_t sum_of(__m128i x) {
  int32_t each[4];
  _mm_storeu_si128((__m128i *)each, x);
  return each[0] + each[1] + each[2] + each[3];
}

void cpk_avx2_arrange_tables(
    const int8_t *q, size_t columns, size_t group_size, int8_t *values, int32_t *sums,
    int32_t *lows) {
  for (size_t first = 0, group = 0; first < columns; first += group_size, group++) {
    const size_t count = cpk_group_columns(columns, group_size, group);
    __m128i sum = _mm_setzero_si128(), low = _mm_setzero_si128();
    for (size_t start = 0; start < count; start += SLICE_COLUMNS) {
      int8_t rest[SLICE_COLUMNS] = {0};
      const int8_t *from = q + first + start;
      if (count - start < SLICE_COLUMNS) {
        memcpy(rest, from, count - start);
        from = rest;
      }
      const __m128i x = _mm_loadu_si128((const __m128i *)from);
      const __m128i slice_lows = sums_of_four(_mm_min_epi8(x, _mm_setzero_si128()));
      sum = _mm_add_epi32(sum, sums_of_four(x));
      low = _mm_add_epi32(low, slice_lows);
      int32_t fours[4], four_lows[4];
      _mm_storeu_si128((__m128i *)fours, x);
      _mm_storeu_si128((__m128i *)four_lows, slice_lows);
      UNROLL for (int i = 0; i < 4; i++) {
        _mm256_storeu_si256((__m256i *)values + i, tables_of(fours[i], four_lows[i]));
      }
      values += CPK_SLICE_TABLE_BYTES;
    }
    sums[group] = sum_of(sum);
    lows[group] = sum_of(low);
  }
}

/// Bytes of even places in 16 bits and those of odd places, summed: `all` modulo 65536 with the odd ones still in it.
typedef struct {
  __m256i all, odd;
} wide_sums;

CPK_INLINE void widen(wide_sums *sums, __m256i bytes) {
  sums->all = _mm256_add_epi16(sums->all, bytes);
  sums->odd = _mm256_add_epi16(sums->odd, _mm256_srli_epi16(bytes, 8));
}

CPK_INLINE __m256i even_of(wide_sums sums) {
  return _mm256_sub_epi16(sums.all, _mm256_slli_epi16(sums.odd, 8));
}

/// The sums of the looked-up parts, for each of some vectors and of `count` index planes 4 registers of 8 rows.
///
/// With two planes and three indices the third one is where both planes have a bit.
CPK_INLINE void look_up_segment(
    int vectors, int planes, int count, const uint8_t *codes, const uint8_t *tables, size_t stride,
    size_t columns, __m256i sums[MOST_VECTORS][3][4]) {
  wide_sums low[MOST_VECTORS][3], high[MOST_VECTORS][3];
  UNROLL for (int v = 0; v < vectors; v++) {
    UNROLL for (int k = 0; k < count; k++) {
      low[v][k].all = low[v][k].odd = high[v][k].all = high[v][k].odd = _mm256_setzero_si256();
    }
  }
  for (size_t run = 0; run < columns; run += RUN_COLUMNS) {
    const size_t end = columns - run < RUN_COLUMNS ? columns - run : RUN_COLUMNS;
    __m256i high_bytes[MOST_VECTORS][3];
    UNROLL for (int v = 0; v < vectors; v++) {
      UNROLL for (int k = 0; k < count; k++) high_bytes[v][k] = _mm256_setzero_si256();
    }
    for (size_t slice = 0; slice < end; slice += SLICE_COLUMNS) {
      __m256i low_bytes[MOST_VECTORS][3];
      UNROLL for (int v = 0; v < vectors; v++) {
        UNROLL for (int k = 0; k < count; k++) low_bytes[v][k] = _mm256_setzero_si256();
      }
      UNROLL for (int i = 0; i < 4; i++) {
        const uint8_t *at = codes + i / 2 * planes * CPK_BLOCK_ROWS;
        __m256i index[3];
        UNROLL for (int k = 0; k < planes; k++) {
          const __m256i bits = _mm256_loadu_si256((const __m256i *)at + k);
          index[k] = and_bytes(i % 2 == 0 ? bits : _mm256_srli_epi16(bits, 4), 0x0F);
        }
        if (count == 3) index[2] = _mm256_and_si256(index[0], index[1]);
        UNROLL for (int v = 0; v < vectors; v++) {
          const uint8_t *table = tables + (size_t)v * stride + 32 * i;
          const __m256i low_table = load_twice(table), high_table = load_twice(table + 16);
          UNROLL for (int k = 0; k < count; k++) {
            low_bytes[v][k] =
                _mm256_add_epi8(low_bytes[v][k], _mm256_shuffle_epi8(low_table, index[k]));
            high_bytes[v][k] =
                _mm256_add_epi8(high_bytes[v][k], _mm256_shuffle_epi8(high_table, index[k]));
          }
        }
      }
      UNROLL for (int v = 0; v < vectors; v++) {
        UNROLL for (int k = 0; k < count; k++) widen(&low[v][k], low_bytes[v][k]);
      }
      codes += 2 * planes * CPK_BLOCK_ROWS;
      tables += CPK_SLICE_TABLE_BYTES;
    }
    UNROLL for (int v = 0; v < vectors; v++) {
      UNROLL for (int k = 0; k < count; k++) widen(&high[v][k], high_bytes[v][k]);
    }
  }
  const __m256i weights = _mm256_set1_epi32(1 | 64 << 16);
  UNROLL for (int v = 0; v < vectors; v++) {
    UNROLL for (int k = 0; k < count; k++) {
      const __m256i even_low = even_of(low[v][k]), even_high = even_of(high[v][k]);
      const __m256i pairs[4] = {
          _mm256_unpacklo_epi16(even_low, even_high), _mm256_unpackhi_epi16(even_low, even_high),
          _mm256_unpacklo_epi16(low[v][k].odd, high[v][k].odd),
          _mm256_unpackhi_epi16(low[v][k].odd, high[v][k].odd)};
      UNROLL for (int i = 0; i < 4; i++) {
        sums[v][k][i] = _mm256_add_epi32(sums[v][k][i], _mm256_madd_epi16(pairs[i], weights));
      }
    }
  }
}

/// The value of a code for 8 rows.
CPK_INLINE __m256i level(__m256i levels, int code) {
  return _mm256_and_si256(_mm256_srli_epi32(levels, 8 * code), _mm256_set1_epi32(0xFF));
}

/// The sums of value * x of a group from those of its planes, for 8 rows; of levels with a product of planes unless they
/// are even.
CPK_INLINE __m256i dots_of(
    cpk_codes kind, bool is_even, __m256i first, __m256i second, __m256i both, __m256i levels,
    int32_t x_sum) {
  if (kind == CPK_CODES_1) return first;
  if (kind == CPK_CODES_2) return _mm256_add_epi32(first, _mm256_slli_epi32(second, 1));
  const __m256i v0 = level(levels, 0), v1 = level(levels, 1), v2 = level(levels, 2);
  const __m256i a = _mm256_sub_epi32(v1, v0), b = _mm256_sub_epi32(v2, v0);
  const __m256i dots = _mm256_add_epi32(
      _mm256_mullo_epi32(v0, _mm256_set1_epi32(x_sum)),
      _mm256_add_epi32(_mm256_mullo_epi32(a, first), _mm256_mullo_epi32(b, second)));
  if (is_even) return dots;
  const __m256i c = _mm256_sub_epi32(_mm256_sub_epi32(level(levels, 3), v2), a);
  return _mm256_add_epi32(dots, _mm256_mullo_epi32(c, both));
}

/// Some vectors times the rows of a block.
CPK_INLINE void multiply_block(
    cpk_codes kind, bool is_even, int vectors, const cpk_matrix *matrix, const cpk_activations *x,
    size_t vector, size_t block, float *y, size_t y_stride) {
  const int planes = kind == CPK_CODES_1 ? 1 : 2, count = is_even ? planes : 3;
  const size_t groups = cpk_group_count(matrix->columns, matrix->group_size);
  const size_t group_codes = cpk_plane_group_bytes(kind, matrix->group_size);
  const size_t group_tables = cpk_slice_count(matrix->group_size) * CPK_SLICE_TABLE_BYTES;
  const uint8_t *block_codes =
      matrix->codes + block * cpk_plane_block_bytes(kind, matrix->columns, matrix->group_size);
  __m256 totals[MOST_VECTORS][4];
  UNROLL for (int v = 0; v < vectors; v++) {
    UNROLL for (int i = 0; i < 4; i++) totals[v][i] = _mm256_setzero_ps();
  }
  for (size_t group = 0; group < groups; group++) {
    const size_t place = (block * groups + group) * CPK_BLOCK_ROWS;
    const size_t columns = cpk_group_columns(matrix->columns, matrix->group_size, group);
    const uint8_t *codes = block_codes + group * group_codes;
    const uint8_t *tables = (const uint8_t *)x->values + vector * x->stride + group * group_tables;
    __m256i sums[MOST_VECTORS][3][4];
    UNROLL for (int v = 0; v < vectors; v++) {
      const int32_t low = x->lows[(vector + (size_t)v) * groups + group];
      UNROLL for (int k = 0; k < 3; k++) {
        UNROLL for (int i = 0; i < 4; i++) sums[v][k][i] = _mm256_set1_epi32(low);
      }
    }
    for (size_t start = 0; start < columns; start += SEGMENT_COLUMNS) {
      look_up_segment(
          vectors, planes, count, codes + start / 8 * (size_t)planes * CPK_BLOCK_ROWS,
          tables + start / SLICE_COLUMNS * CPK_SLICE_TABLE_BYTES, x->stride,
          columns - start < SEGMENT_COLUMNS ? columns - start : SEGMENT_COLUMNS, sums);
    }
    UNROLL for (size_t i = 0; i < 4; i++) {
      const __m256i levels = kind == CPK_CODES_2_LEVELS
          ? _mm256_loadu_si256((const __m256i *)(matrix->levels + place) + i)
          : _mm256_setzero_si256();
      UNROLL for (int v = 0; v < vectors; v++) {
        const int32_t x_sum = x->sums[(vector + (size_t)v) * groups + group];
        const __m256i dots =
            dots_of(kind, is_even, sums[v][0][i], sums[v][1][i], sums[v][2][i], levels, x_sum);
        totals[v][i] = add_group(
            totals[v][i], dots, matrix->scales + place + 8 * i, matrix->offsets + place + 8 * i,
            (float)x_sum);
      }
    }
  }
  const size_t rows = matrix->rows - block * CPK_BLOCK_ROWS;
  UNROLL for (int v = 0; v < vectors; v++) {
    float *to = y + (vector + (size_t)v) * y_stride;
    UNROLL for (size_t i = 0; i < 4; i++) {
      if (rows > 8 * i) {
        add_rows(to + 8 * i, rows - 8 * i, totals[v][i], x->scales[vector + (size_t)v]);
      }
    }
  }
}

/// The vectors from `first` up to `end` times the rows of a block, as many at once as registers allow.
CPK_INLINE void multiply_vectors(
    cpk_codes kind, bool is_even, const cpk_matrix *matrix, const cpk_activations *x, size_t first,
    size_t end, size_t block, float *y, size_t y_stride) {
  size_t vector = first;
  for (; is_even && vector + MOST_VECTORS <= end; vector += MOST_VECTORS) {
    multiply_block(kind, is_even, MOST_VECTORS, matrix, x, vector, block, y, y_stride);
  }
  for (; vector < end; vector++) {
    multiply_block(kind, is_even, 1, matrix, x, vector, block, y, y_stride);
  }
}

CPK_INLINE void multiply_kind(
    cpk_codes kind, const cpk_matrix *matrix, const cpk_activations *x, size_t first_block,
    size_t last_block, float *y, size_t y_stride) {
  for (size_t first = 0; first < x->count; first += VECTORS_IN_TURN) {
    const size_t end = x->count - first < VECTORS_IN_TURN ? x->count : first + VECTORS_IN_TURN;
    for (size_t block = first_block; block < last_block; block++) {
      float *rows = y + (block - first_block) * CPK_BLOCK_ROWS;
      if (kind == CPK_CODES_2_LEVELS && matrix->uneven[block]) {
        multiply_vectors(kind, false, matrix, x, first, end, block, rows, y_stride);
      } else {
        multiply_vectors(kind, true, matrix, x, first, end, block, rows, y_stride);
      }
    }
  }
}

#define MULTIPLY(name, kind) \
  void cpk_avx2_multiply_##name( \
      const cpk_matrix *matrix, const cpk_activations *x, size_t first_block, size_t last_block, \
      float *y, size_t y_stride) { \
    multiply_kind(kind, matrix, x, first_block, last_block, y, y_stride); \
  }
MULTIPLY(planes1, CPK_CODES_1)
MULTIPLY(planes2, CPK_CODES_2)
MULTIPLY(levels2, CPK_CODES_2_LEVELS)

#pragma clang attribute pop
#endif
