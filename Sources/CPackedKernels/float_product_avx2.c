#if defined(__x86_64__)
#pragma clang attribute push(__attribute__((target("avx2,fma"))), apply_to = function)

#include "float_product_tables.h"

#define MOST_SUMS 6
#define FUSED true
#define CPK_NAME(name) cpk_avx2_##name
#include "float_product.inc"

#pragma clang attribute pop
#endif
