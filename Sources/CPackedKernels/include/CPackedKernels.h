// Kernels in C for the runtime: instruction sets, functions of rows.
#ifndef CPACKEDKERNELS_H
#define CPACKEDKERNELS_H

#include "cpk_isa.h"
#include "cpk_vector_math.h"

#endif
