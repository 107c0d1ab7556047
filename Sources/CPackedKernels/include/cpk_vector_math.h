// Functions of rows of float32 numbers.
//
// Every instruction set does the same operations on each element in the same order, none of them fused, so
// results are the same bits everywhere, and those of the reference in Swift (`VectorMath`). Any count is allowed.
#ifndef CPK_VECTOR_MATH_H
#define CPK_VECTOR_MATH_H

#include <stddef.h>

#include "cpk_isa.h"

/// The functions for one instruction set.
typedef struct {
  /// largest[i] = max(largest[i], row[i] + bias).
  void (*raise)(float *largest, const float *row, float bias, size_t count);
  /// row[i] = exp(row[i] + bias - largest[i]); sums[i] += row[i].
  void (*exponentiate)(float *row, float bias, const float *largest, float *sums, size_t count);
  /// The largest element, -INFINITY of none; what is not a number does not count.
  float (*largest)(const float *row, size_t count);
  /// row[i] = exp((row[i] - largest) * factor).
  void (*softmax_terms)(float *row, float largest, float factor, size_t count);
  /// The sum of exp(row[i] - largest). Element i belongs to lane i % 8; lanes are summed in order, then their sums.
  float (*exp_sum)(const float *row, float largest, size_t count);
  /// The sum of exp(p[i] - largest) * (p[i] - q[i] + shift), likewise.
  float (*divergence_sum)(
      const float *p, const float *q, float largest, float shift, size_t count);
  /// row[i] *= factors[i].
  void (*scale)(float *row, const float *factors, size_t count);
  /// row[i] = 1 / (1 + exp(-row[i])); the relative error is below 4e-7 from -87 on, below that the result is at most
  /// 1.2e-38.
  void (*logistic)(float *row, size_t count);
  /// row[i] = tanh(row[i]); the error is below 4.2e-7.
  void (*tanh)(float *row, size_t count);
  /// The usual LSTM cell from the sums of its gates: c[u] = logistic(f[u]) * c[u] + logistic(i[u]) * tanh(g[u]);
  /// h[u] = logistic(o[u]) * tanh(c[u]).
  void (*lstm_cell)(
      const float *i, const float *f, const float *g, const float *o, float *c, float *h,
      size_t count);
  /// The n from 128 to 255 for which n * second and n * third lie nearest to whole numbers, relative to n; of equals
  /// the largest.
  float (*grid_steps)(float second, float third);
} cpk_vector_math;

/// The functions for an instruction set that the machine has.
const cpk_vector_math *cpk_vector_math_for(cpk_isa isa);

#endif
