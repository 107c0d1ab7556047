// The tables of functions that the files of the instruction sets define.
#ifndef PACKED_TABLES_H
#define PACKED_TABLES_H

#include "cpk_packed.h"

extern const cpk_packed_kernels cpk_scalar_packed_kernels;
#if defined(__x86_64__)
extern const cpk_packed_kernels cpk_avx2_packed_kernels;
extern const cpk_packed_kernels cpk_avx512_packed_kernels;
extern const cpk_packed_kernels cpk_avx512vnni_packed_kernels;
#elif defined(__aarch64__)
extern const cpk_packed_kernels cpk_neon_packed_kernels;
extern const cpk_packed_kernels cpk_neondot_packed_kernels;
#endif

#endif
