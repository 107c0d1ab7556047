#if defined(__x86_64__)
#pragma clang attribute push( \
    __attribute__((target("avx512f,avx512bw,avx512dq,avx512vl,avx512vnni"))), apply_to = function)

#include "packed_avx512.h"

/// The same 16 columns for each row.
typedef __m512i operand;

CPK_INLINE operand load_operand(const int8_t *x) {
  return _mm512_broadcast_i32x4(_mm_loadu_si128((const __m128i *)x));
}

/// Adds the products of unsigned bytes and signed ones, four to a sum.
CPK_INLINE ints dot(ints sum, bytes u, operand x) { return _mm512_dpbusd_epi32(sum, u, x); }
CPK_INLINE ints dot_small(ints sum, bytes u, operand x) { return dot(sum, u, x); }

#define IN_PLACE true
#define CPK_NAME(name) cpk_avx512vnni_##name
#define CPK_LANES 16
#include "packed_activations.inc"
#include "packed_multiply.inc"

#pragma clang attribute pop
#endif
