// One element of the functions in cpk_vector_math.h, operation for operation as `VectorMath.swift` has them.
#ifndef VECTOR_MATH_ELEMENT_H
#define VECTOR_MATH_ELEMENT_H

#include <stdint.h>
#include <string.h>

#pragma STDC FP_CONTRACT OFF

#define CPK_INLINE static inline __attribute__((always_inline))

/// Eight lanes; the compiler splits them where registers are shorter.
typedef float cpk_eight __attribute__((ext_vector_type(8)));

/// The terms of a sum that are made before they are added; a multiple of eight.
enum { CPK_TILE = 128 };

/// exp(x), with x limited to -87.3 ... 88.3, where float32 ends; not a number stays.
///
/// Range reduction and polynomial of Cephes, `expf.c`.
CPK_INLINE float cpk_exp(float x) {
  float limited = x < -87.3f ? -87.3f : x;
  limited = x > 88.3f ? 88.3f : limited;
  // Adding and taking away 1.5 * 2^23 rounds to an integer, which stays in the lowest bits.
  const float rounder = 12582912.0f;
  const float shifted = limited * 1.44269504f + rounder;
  const float n = shifted - rounder;
  const float r = (limited - n * 0.693359375f) - n * -2.12194440e-4f;
  float p = r * 1.98756915e-4f + 1.39819995e-3f;
  p = p * r + 8.33345191e-3f;
  p = p * r + 4.16657959e-2f;
  p = p * r + 1.66666655e-1f;
  p = p * r + 5.00000012e-1f;
  const float fraction = p * (r * r) + r + 1.0f;
  uint32_t bits;
  memcpy(&bits, &shifted, 4);
  bits = (bits - 0x4B400000u + 127u) << 23;
  float power;
  memcpy(&power, &bits, 4);
  const float result = fraction * power;
  return x != x ? x : result;
}

/// 1 / (1 + exp(-x)).
CPK_INLINE float cpk_logistic(float x) { return 1.0f / (1.0f + cpk_exp(0.0f - x)); }

/// tanh(x), by a quotient of polynomials of degrees 13 and 6 within +-7.9, where it is +-1 in float32.
///
/// Coefficients of Eigen, `MathFunctionsImpl.h`.
CPK_INLINE float cpk_tanh(float x) {
  const float limit = 7.9053111f;
  float limited = x < -limit ? -limit : x;
  limited = x > limit ? limit : limited;
  const float square = limited * limited;
  float p = square * -2.76076847742355e-16f + 2.00018790482477e-13f;
  p = p * square + -8.60467152213735e-11f;
  p = p * square + 5.12229709037114e-8f;
  p = p * square + 1.48572235717979e-5f;
  p = p * square + 6.37261928875436e-4f;
  p = p * square + 4.89352455891786e-3f;
  float q = square * 1.19825839466702e-6f + 1.18534705686654e-4f;
  q = q * square + 2.26843463243900e-3f;
  q = q * square + 4.89352518554385e-3f;
  const float result = limited * p / q;
  return x != x ? x : result;
}

#endif
