// The functions that the files of the instruction sets define.
#ifndef FLOAT_PRODUCT_TABLES_H
#define FLOAT_PRODUCT_TABLES_H

#include "cpk_float_product.h"

cpk_float_product cpk_scalar_float_product;
#if defined(__x86_64__)
cpk_float_product cpk_avx2_float_product;
cpk_float_product cpk_avx512_float_product;
#endif

#endif
