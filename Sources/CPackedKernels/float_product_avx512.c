#if defined(__x86_64__)
#pragma clang attribute push( \
    __attribute__((target("avx512f,avx512bw,avx512dq,avx512vl"))), apply_to = function)

#include "float_product_tables.h"

#define MOST_SUMS 24
#define FUSED true
#define CPK_NAME(name) cpk_avx512_##name
#include "float_product.inc"

#pragma clang attribute pop
#endif
