// What the compiler makes for any machine of the architecture: SSE2 on x86-64, NEON on 64-bit ARM.
#include "loops.h"
#include "vector_math_element.h"
#include "vector_math_tables.h"

#define CPK_NAME(name) cpk_scalar_##name
#define CPK_LANES 4
#include "vector_math.inc"
