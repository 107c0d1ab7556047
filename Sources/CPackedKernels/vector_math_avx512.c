#if defined(__x86_64__)
#pragma clang attribute push(__attribute__((target("avx512f,avx512bw,avx512dq,avx512vl"))), apply_to = function)

#include "loops.h"
#include "vector_math_element.h"
#include "vector_math_tables.h"

#define CPK_NAME(name) cpk_avx512_##name
#define CPK_LANES 16
#include "vector_math.inc"

#pragma clang attribute pop
#endif
