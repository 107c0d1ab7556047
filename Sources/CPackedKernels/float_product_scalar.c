#include "float_product_tables.h"

#if defined(__aarch64__)
#define MOST_SUMS 6
#define FUSED true
#else
#define MOST_SUMS 3
#define FUSED false
#endif
#define CPK_NAME(name) cpk_scalar_##name
#include "float_product.inc"
