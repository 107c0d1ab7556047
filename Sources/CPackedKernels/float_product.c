#include "float_product_tables.h"

cpk_float_product *cpk_float_product_for(cpk_isa isa) {
  switch (isa) {
#if defined(__x86_64__)
    case CPK_ISA_AVX2:
      return cpk_avx2_float_product;
    case CPK_ISA_AVX512:
    case CPK_ISA_AVX512_VNNI:
      return cpk_avx512_float_product;
#endif
    default:
      return cpk_scalar_float_product;
  }
}
