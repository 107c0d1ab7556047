#include "vector_math_tables.h"

const cpk_vector_math *cpk_vector_math_for(cpk_isa isa) {
  switch (isa) {
#if defined(__x86_64__)
    case CPK_ISA_AVX2:
      return &cpk_avx2_vector_math;
    case CPK_ISA_AVX512:
    case CPK_ISA_AVX512_VNNI:
      return &cpk_avx512_vector_math;
#endif
    default:
      return &cpk_scalar_vector_math;
  }
}
