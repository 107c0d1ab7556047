// Kernels in C for the runtime: instruction sets, functions of rows, products of packed weights.
#ifndef CPACKEDKERNELS_H
#define CPACKEDKERNELS_H

#include "cpk_float_product.h"
#include "cpk_isa.h"
#include "cpk_packed.h"
#include "cpk_vector_math.h"

#endif
