#include "packed_tables.h"

const cpk_packed_kernels *cpk_packed_kernels_for(cpk_isa isa) {
  switch (isa) {
#if defined(__x86_64__)
    case CPK_ISA_AVX2:
      return &cpk_avx2_packed_kernels;
    case CPK_ISA_AVX512:
      return &cpk_avx512_packed_kernels;
    case CPK_ISA_AVX512_VNNI:
      return &cpk_avx512vnni_packed_kernels;
#elif defined(__aarch64__)
    case CPK_ISA_NEON:
      return &cpk_neon_packed_kernels;
    case CPK_ISA_NEON_DOT:
      return &cpk_neondot_packed_kernels;
#endif
    default:
      return &cpk_scalar_packed_kernels;
  }
}

void cpk_multiply(
    const cpk_packed_kernels *kernels, const cpk_matrix *matrix, const cpk_activations *x,
    size_t first_block, size_t last_block, float *y, size_t y_stride) {
  kernels->multiply[matrix->kind](matrix, x, first_block, last_block, y, y_stride);
}
