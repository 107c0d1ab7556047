#if defined(__x86_64__)
#pragma clang attribute push(__attribute__((target("avx2"))), apply_to = function)

#include "loops.h"
#include "vector_math_element.h"
#include "vector_math_tables.h"

#define CPK_NAME(name) cpk_avx2_##name
#define CPK_LANES 8
#include "vector_math.inc"

#pragma clang attribute pop
#endif
