#if defined(__aarch64__)
#include "packed_neon.h"

/// Adds the products of unsigned bytes and signed ones; exact for bytes up to 255, which are
/// multiplied less 128: then sums of two products stay in 16 bits.
CPK_INLINE ints dot(ints sum, bytes u, operand x) {
  const int8x16_t less = less_128(u);
  sum = vaddq_s32(sum, vpaddlq_s16(vshlq_n_s16(vpaddlq_s8(x), 7)));
  return vpadalq_s16(
      sum, vmlal_high_s8(vmull_s8(vget_low_s8(less), vget_low_s8(x)), less, x));
}
/// The same for bytes up to 127: sums of two products stay in 16 bits.
CPK_INLINE ints dot_small(ints sum, bytes u, operand x) {
  const int8x16_t values = vreinterpretq_s8_u8(u);
  const int16x8_t products = vmull_s8(vget_low_s8(values), vget_low_s8(x));
  return vpadalq_s16(sum, vmlal_high_s8(products, values, x));
}

#define IN_PLACE false
#define CPK_NAME(name) cpk_neon_##name
#define CPK_LANES 4
#include "packed_activations.inc"
#include "packed_multiply.inc"
#endif
