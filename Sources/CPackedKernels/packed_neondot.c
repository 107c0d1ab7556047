#if defined(__aarch64__)
#pragma clang attribute push(__attribute__((target("dotprod"))), apply_to = function)

#include "packed_neon.h"

/// Adds the products of unsigned bytes and signed ones, four to a sum; exact for bytes up to 255.
CPK_INLINE ints dot(ints sum, bytes u, operand x) {
  const ints lacking = vdotq_s32(zero_ints(), x, vdupq_n_s8(-128));
  return vdotq_s32(vsubq_s32(sum, lacking), less_128(u), x);
}
/// The same for bytes up to 127, which are signed as they are.
CPK_INLINE ints dot_small(ints sum, bytes u, operand x) {
  return vdotq_s32(sum, vreinterpretq_s8_u8(u), x);
}

// In place codes pass 127, and making them signed takes more than a shift.
#define IN_PLACE false
#define CPK_NAME(name) cpk_neondot_##name
#define CPK_LANES 4
#include "packed_activations.inc"
#include "packed_multiply.inc"

#pragma clang attribute pop
#endif
