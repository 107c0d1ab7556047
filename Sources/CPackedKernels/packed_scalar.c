// Primitives in plain C: one row in each register.
#include <stdbool.h>
#include <string.h>

#include "loops.h"
#include "packed_layout.h"
#include "packed_tables.h"

#define LANES 1

typedef struct {
  int32_t at[4];
} ints;
typedef struct {
  uint8_t at[16];
} bytes;
typedef struct {
  int8_t at[16];
} operand;
typedef struct {
  float at[4];
} floats;

CPK_INLINE ints zero_ints(void) { return (ints){{0}}; }
CPK_INLINE floats zero_floats(void) { return (floats){{0}}; }
CPK_INLINE ints add_ints(ints a, ints b) {
  for (int i = 0; i < 4; i++) a.at[i] += b.at[i];
  return a;
}
CPK_INLINE ints shift_ints_right(ints a, int n) {
  // Sums of products with multiples of 2 to the power of n, so nothing is lost.
  for (int i = 0; i < 4; i++) a.at[i] = a.at[i] / (1 << n);
  return a;
}
CPK_INLINE bytes load_codes(const uint8_t *codes) {
  bytes v;
  memcpy(&v, codes, 16);
  return v;
}
CPK_INLINE operand load_operand(const int8_t *x) {
  operand v;
  memcpy(&v, x, 16);
  return v;
}
CPK_INLINE bytes and_bytes(bytes a, int mask) {
  for (int i = 0; i < 16; i++) a.at[i] &= (uint8_t)mask;
  return a;
}
CPK_INLINE bytes shift_bytes_right(bytes a, int n) {
  for (int i = 0; i < 16; i++) a.at[i] = (uint8_t)(a.at[i] >> n);
  return a;
}
CPK_INLINE bytes look_up(bytes table, bytes index) {
  for (int i = 0; i < 16; i++) index.at[i] = table.at[index.at[i]];
  return index;
}
CPK_INLINE ints dot(ints sum, bytes u, operand x) {
  for (int i = 0; i < 16; i++) sum.at[i / 4] += (int32_t)u.at[i] * x.at[i];
  return sum;
}
CPK_INLINE ints dot_small(ints sum, bytes u, operand x) { return dot(sum, u, x); }

/// For each row its levels, repeated: by the low two bits of a nibble, and by the high two.
CPK_INLINE void level_tables(const uint32_t *levels, bytes low[4], bytes high[4]) {
  for (int j = 0; j < 4; j++) {
    for (int i = 0; i < 16; i++) {
      low[j].at[i] = (uint8_t)(levels[j] >> (8 * (i % 4)));
      high[j].at[i] = (uint8_t)(levels[j] >> (8 * (i / 4)));
    }
  }
}

CPK_INLINE ints sum_rows(ints a, ints b, ints c, ints d) {
  return (ints){{
      a.at[0] + a.at[1] + a.at[2] + a.at[3],
      b.at[0] + b.at[1] + b.at[2] + b.at[3],
      c.at[0] + c.at[1] + c.at[2] + c.at[3],
      d.at[0] + d.at[1] + d.at[2] + d.at[3],
  }};
}

CPK_INLINE floats add_group(
    floats total, ints dots, const float *scales, const float *offsets, float x_sum) {
  for (int i = 0; i < 4; i++) {
    total.at[i] += scales[i] * (float)dots.at[i] + offsets[i] * x_sum;
  }
  return total;
}

CPK_INLINE void add_rows(float *y, size_t rows, floats totals, float scale) {
  for (size_t i = 0; i < rows; i++) y[i] += totals.at[i] * scale;
}

#define IN_PLACE false
#define CPK_NAME(name) cpk_scalar_##name
#define CPK_LANES 4
#include "packed_activations.inc"
#include "packed_multiply.inc"
