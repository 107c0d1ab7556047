// The 512-bit instructions that the packed kernels use, in plain C, lane by lane as Intel's Intrinsics Guide says them:
// in place of the compiler's header, so that the kernels run on machines without AVX-512. run.sh puts this folder first.
#ifndef EMULATED_AVX512_H
#define EMULATED_AVX512_H

#include <emmintrin.h>
#include <stdint.h>
#include <string.h>

typedef union {
  int8_t i8[64];
  uint8_t u8[64];
  int16_t i16[32];
  uint16_t u16[32];
  int32_t i32[16];
  uint32_t u32[16];
  uint64_t u64[8];
} emulated_ints;
typedef struct {
  float f32[16];
} emulated_floats;
typedef uint16_t emulated_mask;

#define __m512i emulated_ints
#define __m512 emulated_floats
#define __mmask16 emulated_mask

#define LANE_BY_LANE(name, result, parameters, lane, count, value) \
  static inline result _mm512_##name parameters { \
    result r; \
    for (int i = 0; i < (count); i++) r.lane[i] = (value); \
    return r; \
  }
#define INTS(name, parameters, lane, value) \
  LANE_BY_LANE( \
      name, __m512i, parameters, lane, \
      (int)(sizeof(((__m512i *)NULL)->lane) / sizeof(((__m512i *)NULL)->lane[0])), value)
#define FLOATS(name, parameters, value) LANE_BY_LANE(name, __m512, parameters, f32, 16, value)
/// Where the unpacked lane i of `count` in 128 bits comes from: lanes of the lower or upper half in turn.
#define UNPACKED(a, b, lane, count, upper) \
  (i % 2 == 0 ? a : b).lane[i / (count) * (count) + i % (count) / 2 + (upper) * (count) / 2]

INTS(setzero_si512, (void), i32, 0)
INTS(set1_epi8, (char x), i8, x)
INTS(set1_epi16, (short x), i16, x)
INTS(set4_epi32, (int d, int c, int b, int a), i32, ((const int[4]){a, b, c, d})[i % 4])
INTS(and_si512, (__m512i a, __m512i b), u64, a.u64[i] & b.u64[i])
INTS(add_epi8, (__m512i a, __m512i b), u8, (uint8_t)(a.u8[i] + b.u8[i]))
INTS(add_epi32, (__m512i a, __m512i b), u32, a.u32[i] + b.u32[i])
INTS(slli_epi16, (__m512i a, unsigned n), u16, (uint16_t)(a.u16[i] << n))
INTS(srli_epi16, (__m512i a, unsigned n), u16, (uint16_t)(a.u16[i] >> n))
INTS(srai_epi16, (__m512i a, unsigned n), i16, (int16_t)(a.i16[i] >> n))
INTS(srai_epi32, (__m512i a, unsigned n), i32, a.i32[i] >> n)
INTS(unpacklo_epi32, (__m512i a, __m512i b), u32, UNPACKED(a, b, u32, 4, 0))
INTS(unpackhi_epi32, (__m512i a, __m512i b), u32, UNPACKED(a, b, u32, 4, 1))
INTS(unpacklo_epi64, (__m512i a, __m512i b), u64, UNPACKED(a, b, u64, 2, 0))
INTS(unpackhi_epi64, (__m512i a, __m512i b), u64, UNPACKED(a, b, u64, 2, 1))
INTS(shuffle_epi32, (__m512i a, int order), u32, a.u32[i / 4 * 4 + (order >> 2 * (i % 4) & 3)])
INTS(shuffle_epi8, (__m512i a, __m512i at), u8, at.u8[i] & 128 ? 0 : a.u8[i / 16 * 16 + at.u8[i] % 16])
INTS(madd_epi16, (__m512i a, __m512i b), u32,
     (uint32_t)(a.i16[2 * i] * b.i16[2 * i]) + (uint32_t)(a.i16[2 * i + 1] * b.i16[2 * i + 1]))
INTS(dpbusd_epi32, (__m512i sum, __m512i a, __m512i b), u32,
     sum.u32[i] + (uint32_t)(a.u8[4 * i] * b.i8[4 * i] + a.u8[4 * i + 1] * b.i8[4 * i + 1]
                             + a.u8[4 * i + 2] * b.i8[4 * i + 2] + a.u8[4 * i + 3] * b.i8[4 * i + 3]))

static inline int16_t saturated(int x) {
  return (int16_t)(x > INT16_MAX ? INT16_MAX : x < INT16_MIN ? INT16_MIN : x);
}
INTS(maddubs_epi16, (__m512i a, __m512i b), i16,
     saturated(a.u8[2 * i] * b.i8[2 * i] + a.u8[2 * i + 1] * b.i8[2 * i + 1]))

static inline __m512i _mm512_loadu_si512(const void *from) {
  __m512i r;
  memcpy(&r, from, sizeof r);
  return r;
}
static inline __m512i _mm512_broadcast_i32x4(__m128i a) {
  __m512i r;
  for (int i = 0; i < 4; i++) memcpy(r.u8 + 16 * i, &a, 16);
  return r;
}

FLOATS(setzero_ps, (void), 0)
FLOATS(set1_ps, (float x), x)
FLOATS(loadu_ps, (const float *from), from[i])
FLOATS(add_ps, (__m512 a, __m512 b), a.f32[i] + b.f32[i])
FLOATS(mul_ps, (__m512 a, __m512 b), a.f32[i] * b.f32[i])
FLOATS(cvtepi32_ps, (__m512i a), (float)a.i32[i])
FLOATS(maskz_loadu_ps, (__mmask16 mask, const float *from), mask >> i & 1 ? from[i] : 0)
static inline void _mm512_mask_storeu_ps(float *to, __mmask16 mask, __m512 a) {
  for (int i = 0; i < 16; i++) {
    if (mask >> i & 1) to[i] = a.f32[i];
  }
}

#endif
