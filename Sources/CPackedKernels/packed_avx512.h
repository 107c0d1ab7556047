// Primitives of 512-bit registers: four rows in each. Included with or without VNNI; see packed_multiply.inc.
#include <immintrin.h>
#include <stdbool.h>
#include <string.h>

#include "loops.h"
#include "packed_layout.h"
#include "packed_tables.h"

#define LANES 4

typedef __m512i ints;
typedef __m512i bytes;
typedef __m512 floats;

CPK_INLINE ints zero_ints(void) { return _mm512_setzero_si512(); }
CPK_INLINE floats zero_floats(void) { return _mm512_setzero_ps(); }
CPK_INLINE ints add_ints(ints a, ints b) { return _mm512_add_epi32(a, b); }
CPK_INLINE ints shift_ints_right(ints a, int n) { return _mm512_srai_epi32(a, (unsigned)n); }
CPK_INLINE bytes load_codes(const uint8_t *codes) { return _mm512_loadu_si512(codes); }
CPK_INLINE bytes and_bytes(bytes a, int mask) {
  return _mm512_and_si512(a, _mm512_set1_epi8((char)mask));
}
/// Bits of the byte above move in at the top; whoever calls masks them.
CPK_INLINE bytes shift_bytes_right(bytes a, int n) { return _mm512_srli_epi16(a, (unsigned)n); }
CPK_INLINE bytes look_up(bytes table, bytes index) { return _mm512_shuffle_epi8(table, index); }

/// For each register the levels of its rows, repeated: by the low two bits of a nibble, and by the high two.
CPK_INLINE void level_tables(const uint32_t *levels, bytes low[4], bytes high[4]) {
  const bytes all = _mm512_loadu_si512(levels);
  low[0] = _mm512_shuffle_epi32(all, 0x00);
  low[1] = _mm512_shuffle_epi32(all, 0x55);
  low[2] = _mm512_shuffle_epi32(all, 0xAA);
  low[3] = _mm512_shuffle_epi32(all, 0xFF);
  const bytes each = _mm512_set4_epi32(0x03030303, 0x02020202, 0x01010101, 0x00000000);
  for (int j = 0; j < 4; j++) {
    high[j] = _mm512_shuffle_epi8(all, _mm512_add_epi8(each, _mm512_set1_epi8((char)(4 * j))));
  }
}

/// Adds the four partial sums of each row; row 4 l + j is in lane l of register j.
CPK_INLINE ints sum_rows(ints a, ints b, ints c, ints d) {
  const ints ab =
      _mm512_add_epi32(_mm512_unpacklo_epi32(a, b), _mm512_unpackhi_epi32(a, b));
  const ints cd =
      _mm512_add_epi32(_mm512_unpacklo_epi32(c, d), _mm512_unpackhi_epi32(c, d));
  return _mm512_add_epi32(_mm512_unpacklo_epi64(ab, cd), _mm512_unpackhi_epi64(ab, cd));
}

CPK_INLINE floats add_group(
    floats total, ints dots, const float *scales, const float *offsets, float x_sum) {
  const floats scaled = _mm512_mul_ps(_mm512_loadu_ps(scales), _mm512_cvtepi32_ps(dots));
  const floats offset = _mm512_mul_ps(_mm512_loadu_ps(offsets), _mm512_set1_ps(x_sum));
  return _mm512_add_ps(total, _mm512_add_ps(scaled, offset));
}

CPK_INLINE void add_rows(float *y, size_t rows, floats totals, float scale) {
  const __mmask16 mask = (__mmask16)((1u << rows) - 1);
  const floats product = _mm512_mul_ps(totals, _mm512_set1_ps(scale));
  _mm512_mask_storeu_ps(y, mask, _mm512_add_ps(_mm512_maskz_loadu_ps(mask, y), product));
}
