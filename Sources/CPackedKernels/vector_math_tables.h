// The tables of functions that the files of the instruction sets define.
#ifndef VECTOR_MATH_TABLES_H
#define VECTOR_MATH_TABLES_H

#include "cpk_vector_math.h"

extern const cpk_vector_math cpk_scalar_vector_math;
#if defined(__x86_64__)
extern const cpk_vector_math cpk_avx2_vector_math;
extern const cpk_vector_math cpk_avx512_vector_math;
#endif

#endif
