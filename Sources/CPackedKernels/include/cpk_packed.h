// Products of packed weights with int8 activations.
//
// Weights are codes of 1, 2, 4 or 8 bits. A row is cut into groups of columns, and in a group the weight of a code is
// `offset + scale * value(code)`, where the value is the code itself or, for 2 bits with levels, a byte that the group
// has for each code. Activations x are int8 with one float scale for each vector. The sums of `value * x` are exact
// integers; then each row and vector is
//
//     y += activation scale * sum over groups g of (scale[g] * float(dot[g]) + offset[g] * float(sum of x in g))
//
// in float32, the groups in order, no operation fused: the same bits on every instruction set.
//
// Codes lie in blocks of 16 rows:
//
//     codes[row block][group][chunk][place][byte]       16 places, 16 bytes
//
// Row r of a block has the place `r / 4 + r % 4 * 4`, so that registers of 4, 2 or 1 rows all load rows whose sums come
// out in order. A chunk has 128 columns for 1 bit, 64 for 2, 32 for 4 and 16 for 8 bits: 16 bytes of codes. In a full
// chunk these are the bytes as they are in a file: with p codes in a byte, code c of byte i is column p i + c. The last
// chunk of a group may be shorter; in it code c of byte i is column 16 c + i, so that whole codes can be left out. The
// activations are arranged to fit: 16 for each code of a byte, one after the other.
#ifndef CPK_PACKED_H
#define CPK_PACKED_H

#include <stddef.h>
#include <stdint.h>

#include "cpk_isa.h"

/// What codes are.
typedef enum {
  /// One bit, 0 or 1.
  CPK_CODES_1 = 0,
  /// Two bits, 0 to 3.
  CPK_CODES_2 = 1,
  /// Two bits with four values of 0 to 255 for each row and group.
  CPK_CODES_2_LEVELS = 2,
  /// Four bits, 0 to 15.
  CPK_CODES_4 = 3,
  /// Eight bits, 0 to 255.
  CPK_CODES_8 = 4,
} cpk_codes;

/// The number of kinds of codes; they are `0 ..< CPK_CODES_COUNT`.
enum { CPK_CODES_COUNT = 5 };

/// The rows of a block.
enum { CPK_BLOCK_ROWS = 16 };

/// A packed matrix in the kernels' order; memory of the caller.
typedef struct {
  cpk_codes kind;
  size_t rows;
  size_t columns;
  /// The columns of a group; the last one may be shorter. At most `CPK_GROUP_LIMIT`.
  size_t group_size;
  /// As drawn above, `cpk_code_byte_count` bytes.
  const uint8_t *codes;
  /// `[row block][group][16]`: the values of codes 0 to 3, lowest byte first; for levels only.
  const uint32_t *levels;
  /// `[row block][group][16]`.
  const float *scales;
  /// `[row block][group][16]`.
  const float *offsets;
} cpk_matrix;

/// The most columns of a group: sums of 255 * 127 stay in 32 bits.
enum { CPK_GROUP_LIMIT = 65536 };

/// Vectors of int8 in the order that a matrix's codes want.
typedef struct {
  /// `[count][stride]`, each with `cpk_activation_byte_count` bytes, arranged.
  const int8_t *values;
  size_t stride;
  size_t count;
  /// `[count][groups]`: the sums of each group.
  const int32_t *sums;
  /// `[count]`: what 1 stands for.
  const float *scales;
} cpk_activations;

/// The bytes of a matrix's codes.
size_t cpk_code_byte_count(cpk_codes kind, size_t rows, size_t columns, size_t group_size);

/// The bytes of a vector of activations.
size_t cpk_activation_byte_count(cpk_codes kind, size_t columns, size_t group_size);

/// The groups of a row.
size_t cpk_group_count(size_t columns, size_t group_size);

/// Writes one row of codes into a matrix's codes, which begin as zeros.
///
/// `row` holds the codes as a stream of bits of the kind's width, the first one lowest.
void cpk_place_row(
    uint8_t *codes, cpk_codes kind, size_t columns, size_t group_size, size_t row_index,
    const uint8_t *row);

/// The functions for one instruction set.
typedef struct {
  /// Quantizes a vector: q[i] = x[i] * 127 / max |x|, rounded to nearest, ties to even.
  ///
  /// Returns the scale max |x| / 127; not a number, with zeros in q, when an element is not finite.
  float (*quantize)(const float *x, int8_t *q, size_t count);
  /// Puts a quantized vector into the order that a kind of codes wants and sums each group.
  void (*arrange)(
      const int8_t *q, cpk_codes kind, size_t columns, size_t group_size, int8_t *values,
      int32_t *sums);
  /// For each kind of codes what `cpk_multiply` does.
  void (*multiply[CPK_CODES_COUNT])(
      const cpk_matrix *matrix, const cpk_activations *x, size_t first_block, size_t last_block,
      float *y, size_t y_stride);
} cpk_packed_kernels;

/// y[b][r] += (x[b] . row r) for the rows of some blocks, `first_block ..< last_block`.
///
/// Row r of the matrix goes to `y[b * y_stride + r - first_block * CPK_BLOCK_ROWS]`.
void cpk_multiply(
    const cpk_packed_kernels *kernels, const cpk_matrix *matrix, const cpk_activations *x,
    size_t first_block, size_t last_block, float *y, size_t y_stride);

/// The functions for an instruction set that the machine has.
const cpk_packed_kernels *cpk_packed_kernels_for(cpk_isa isa);

#endif
