// Primitives of 128-bit registers: one row in each. Included with or without dot products; see packed_multiply.inc.
#include <arm_neon.h>
#include <stdbool.h>
#include <string.h>

#include "loops.h"
#include "packed_layout.h"
#include "packed_tables.h"

#define LANES 1

typedef int32x4_t ints;
typedef uint8x16_t bytes;
typedef float32x4_t floats;
typedef int8x16_t operand;

CPK_INLINE ints zero_ints(void) { return vdupq_n_s32(0); }
CPK_INLINE floats zero_floats(void) { return vdupq_n_f32(0); }
CPK_INLINE ints add_ints(ints a, ints b) { return vaddq_s32(a, b); }
CPK_INLINE ints shift_ints_right(ints a, int n) { return a >> n; }
CPK_INLINE bytes load_codes(const uint8_t *codes) { return vld1q_u8(codes); }
CPK_INLINE operand load_operand(const int8_t *x) { return vld1q_s8(x); }
CPK_INLINE bytes and_bytes(bytes a, int mask) { return vandq_u8(a, vdupq_n_u8((uint8_t)mask)); }
CPK_INLINE bytes shift_bytes_right(bytes a, int n) { return a >> (uint8_t)n; }
CPK_INLINE bytes look_up(bytes table, bytes index) { return vqtbl1q_u8(table, index); }

/// Bytes less 128, which makes them signed; the products then lack 128 times the sum of x.
CPK_INLINE int8x16_t less_128(bytes u) {
  return vreinterpretq_s8_u8(veorq_u8(u, vdupq_n_u8(0x80)));
}

/// For each row its levels, repeated: by the low two bits of a nibble, and by the high two.
CPK_INLINE void level_tables(const uint32_t *levels, bytes low[4], bytes high[4]) {
  const bytes all = vreinterpretq_u8_u32(vld1q_u32(levels));
  const bytes each = vreinterpretq_u8_u32(
      (uint32x4_t){0x00000000, 0x01010101, 0x02020202, 0x03030303});
  for (int j = 0; j < 4; j++) {
    low[j] = vreinterpretq_u8_u32(vdupq_n_u32(levels[j]));
    high[j] = vqtbl1q_u8(all, vaddq_u8(each, vdupq_n_u8((uint8_t)(4 * j))));
  }
}

/// Adds the four partial sums of each row.
CPK_INLINE ints sum_rows(ints a, ints b, ints c, ints d) {
  return vpaddq_s32(vpaddq_s32(a, b), vpaddq_s32(c, d));
}

CPK_INLINE floats add_group(
    floats total, ints dots, const float *scales, const float *offsets, float x_sum) {
  const floats scaled = vmulq_f32(vld1q_f32(scales), vcvtq_f32_s32(dots));
  const floats offset = vmulq_f32(vld1q_f32(offsets), vdupq_n_f32(x_sum));
  return vaddq_f32(total, vaddq_f32(scaled, offset));
}

CPK_INLINE void add_rows(float *y, size_t rows, floats totals, float scale) {
  const floats product = vmulq_f32(totals, vdupq_n_f32(scale));
  if (rows == 4) {
    vst1q_f32(y, vaddq_f32(vld1q_f32(y), product));
    return;
  }
  float rest[4];
  vst1q_f32(rest, product);
  for (size_t i = 0; i < rows; i++) y[i] += rest[i];
}
