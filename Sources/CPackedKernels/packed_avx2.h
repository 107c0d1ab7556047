// What the AVX2 files share: 256-bit registers, and how sums become outputs. Included where AVX2 is the target.
#ifndef PACKED_AVX2_H
#define PACKED_AVX2_H

#include <immintrin.h>

#include "packed_layout.h"

/// Adds a group's part for 8 rows.
CPK_INLINE __m256 add_group(
    __m256 total, __m256i dots, const float *scales, const float *offsets, float x_sum) {
  const __m256 scaled = _mm256_mul_ps(_mm256_loadu_ps(scales), _mm256_cvtepi32_ps(dots));
  const __m256 offset = _mm256_mul_ps(_mm256_loadu_ps(offsets), _mm256_set1_ps(x_sum));
  return _mm256_add_ps(total, _mm256_add_ps(scaled, offset));
}

/// Adds to the first outputs of up to 8 rows.
CPK_INLINE void add_rows(float *y, size_t rows, __m256 totals, float scale) {
  const __m256 product = _mm256_mul_ps(totals, _mm256_set1_ps(scale));
  if (rows >= 8) {
    _mm256_storeu_ps(y, _mm256_add_ps(_mm256_loadu_ps(y), product));
    return;
  }
  float rest[8];
  _mm256_storeu_ps(rest, product);
  for (size_t i = 0; i < rows; i++) y[i] += rest[i];
}

/// 16 bytes twice.
CPK_INLINE __m256i load_twice(const void *bytes) {
  return _mm256_broadcastsi128_si256(_mm_loadu_si128((const __m128i *)bytes));
}

CPK_INLINE __m256i and_bytes(__m256i a, int mask) {
  return _mm256_and_si256(a, _mm256_set1_epi8((char)mask));
}

#endif
