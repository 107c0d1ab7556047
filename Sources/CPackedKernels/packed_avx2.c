// Primitives of 256-bit registers: two rows in each.
#if defined(__x86_64__)
#pragma clang attribute push(__attribute__((target("avx2"))), apply_to = function)

#include <immintrin.h>
#include <stdbool.h>
#include <string.h>

#include "loops.h"
#include "packed_layout.h"
#include "packed_tables.h"

#define LANES 2

typedef __m256i ints;
typedef __m256i bytes;
typedef __m256 floats;
/// The same 16 columns for each row.
typedef __m256i operand;

CPK_INLINE ints zero_ints(void) { return _mm256_setzero_si256(); }
CPK_INLINE floats zero_floats(void) { return _mm256_setzero_ps(); }
CPK_INLINE ints add_ints(ints a, ints b) { return _mm256_add_epi32(a, b); }
CPK_INLINE ints shift_ints_right(ints a, int n) { return _mm256_srai_epi32(a, n); }
CPK_INLINE bytes load_codes(const uint8_t *codes) {
  return _mm256_setr_m128i(
      _mm_loadu_si128((const __m128i *)codes), _mm_loadu_si128((const __m128i *)codes + 1));
}
CPK_INLINE operand load_operand(const int8_t *x) {
  return _mm256_broadcastsi128_si256(_mm_loadu_si128((const __m128i *)x));
}
CPK_INLINE bytes and_bytes(bytes a, int mask) {
  return _mm256_and_si256(a, _mm256_set1_epi8((char)mask));
}
/// Bits of the byte above move in at the top; whoever calls masks them.
CPK_INLINE bytes shift_bytes_right(bytes a, int n) { return _mm256_srli_epi16(a, n); }
CPK_INLINE bytes look_up(bytes table, bytes index) { return _mm256_shuffle_epi8(table, index); }

/// For each register the levels of its rows, repeated: by the low two bits of a nibble, and by the high two.
CPK_INLINE void level_tables(const uint32_t *levels, bytes low[4], bytes high[4]) {
  const bytes all = _mm256_loadu_si256((const __m256i *)levels);
  low[0] = _mm256_shuffle_epi32(all, 0x00);
  low[1] = _mm256_shuffle_epi32(all, 0x55);
  low[2] = _mm256_shuffle_epi32(all, 0xAA);
  low[3] = _mm256_shuffle_epi32(all, 0xFF);
  const bytes each = _mm256_set_epi32(
      0x03030303, 0x02020202, 0x01010101, 0x00000000, 0x03030303, 0x02020202, 0x01010101,
      0x00000000);
  for (int j = 0; j < 4; j++) {
    high[j] = _mm256_shuffle_epi8(all, _mm256_add_epi8(each, _mm256_set1_epi8((char)(4 * j))));
  }
}

/// Adds the products of unsigned bytes and signed ones, four to a sum; exact for bytes up to 255.
CPK_INLINE ints dot(ints sum, bytes u, operand x) {
  const ints even = _mm256_madd_epi16(
      _mm256_and_si256(u, _mm256_set1_epi16(0xFF)),
      _mm256_srai_epi16(_mm256_slli_epi16(x, 8), 8));
  const ints odd = _mm256_madd_epi16(_mm256_srli_epi16(u, 8), _mm256_srai_epi16(x, 8));
  return _mm256_add_epi32(sum, _mm256_add_epi32(even, odd));
}
/// The same for bytes up to 127: sums of two products stay in 16 bits.
CPK_INLINE ints dot_small(ints sum, bytes u, operand x) {
  return _mm256_add_epi32(
      sum, _mm256_madd_epi16(_mm256_maddubs_epi16(u, x), _mm256_set1_epi16(1)));
}

/// Adds the four partial sums of each row; row 4 l + j is in lane l of register j.
CPK_INLINE ints sum_rows(ints a, ints b, ints c, ints d) {
  return _mm256_hadd_epi32(_mm256_hadd_epi32(a, b), _mm256_hadd_epi32(c, d));
}

CPK_INLINE floats add_group(
    floats total, ints dots, const float *scales, const float *offsets, float x_sum) {
  const floats scaled = _mm256_mul_ps(_mm256_loadu_ps(scales), _mm256_cvtepi32_ps(dots));
  const floats offset = _mm256_mul_ps(_mm256_loadu_ps(offsets), _mm256_set1_ps(x_sum));
  return _mm256_add_ps(total, _mm256_add_ps(scaled, offset));
}

CPK_INLINE void add_rows(float *y, size_t rows, floats totals, float scale) {
  const floats product = _mm256_mul_ps(totals, _mm256_set1_ps(scale));
  if (rows == 8) {
    _mm256_storeu_ps(y, _mm256_add_ps(_mm256_loadu_ps(y), product));
    return;
  }
  float rest[8];
  _mm256_storeu_ps(rest, product);
  for (size_t i = 0; i < rows; i++) y[i] += rest[i];
}

#define IN_PLACE false
#define CPK_NAME(name) cpk_avx2_##name
#define CPK_LANES 8
#include "packed_activations.inc"
#include "packed_multiply.inc"

#pragma clang attribute pop
#endif
