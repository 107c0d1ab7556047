#if defined(__x86_64__)
#pragma clang attribute push( \
    __attribute__((target("avx512f,avx512bw,avx512dq,avx512vl"))), apply_to = function)

#include "packed_avx512.h"

/// The same 16 columns for each row.
typedef __m512i operand;

CPK_INLINE operand load_operand(const int8_t *x) {
  return _mm512_broadcast_i32x4(_mm_loadu_si128((const __m128i *)x));
}

/// Adds the products of unsigned bytes and signed ones, four to a sum; exact for bytes up to 255.
CPK_INLINE ints dot(ints sum, bytes u, operand x) {
  const ints even = _mm512_madd_epi16(
      _mm512_and_si512(u, _mm512_set1_epi16(0xFF)),
      _mm512_srai_epi16(_mm512_slli_epi16(x, 8), 8));
  const ints odd = _mm512_madd_epi16(_mm512_srli_epi16(u, 8), _mm512_srai_epi16(x, 8));
  return _mm512_add_epi32(sum, _mm512_add_epi32(even, odd));
}
/// The same for bytes up to 127: sums of two products stay in 16 bits.
CPK_INLINE ints dot_small(ints sum, bytes u, operand x) {
  return _mm512_add_epi32(
      sum, _mm512_madd_epi16(_mm512_maddubs_epi16(u, x), _mm512_set1_epi16(1)));
}

#define IN_PLACE false
#define CPK_NAME(name) cpk_avx512_##name
#define CPK_LANES 16
#include "packed_activations.inc"
#include "packed_multiply.inc"

#pragma clang attribute pop
#endif
