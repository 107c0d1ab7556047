// Products of float32 weights with float32 vectors.
//
// Outputs are cut into panels of 16; a panel has the 16 weights of each input side by side:
//
//     weights[panel][input][16]
//
// Each output is summed in order over 16 inputs at a time, with fused multiply-adds where the instruction set has them,
// and these sums are added in order. So a result depends neither on how many vectors there are nor on which outputs are
// asked for.
#ifndef CPK_FLOAT_PRODUCT_H
#define CPK_FLOAT_PRODUCT_H

#include <stdbool.h>
#include <stddef.h>

#include "cpk_isa.h"

/// The outputs of a panel.
enum { CPK_PANEL_OUTPUTS = 16 };

/// The inputs whose products are summed by themselves.
enum { CPK_SUM_INPUTS = 16 };

/// y[b][o - first_output] = or += x[b] . column o, for some outputs.
///
/// `x` is `[rows][x_stride]`, `y` `[rows][y_stride]`; `weights` begins at a multiple of 64.
typedef void cpk_float_product(
    const float *weights, size_t inputs, const float *x, size_t x_stride, size_t rows,
    size_t first_output, size_t last_output, float *y, size_t y_stride, bool accumulate);

/// The function for an instruction set that the machine has.
cpk_float_product *cpk_float_product_for(cpk_isa isa);

#endif
