// Products of packed weights with int8 activations.
//
// Weights are codes of 1, 2, 4 or 8 bits. A row is cut into groups of columns, and in a group the weight of a code is
// `offset + scale * value(code)`, where the value is the code itself or, for 2 bits with levels, a byte that the group
// has for each code. Activations x are int8 from -127 to 127 with one float scale for each vector. The sums of
// `value * x` are exact integers; then each row and vector is
//
//     y += activation scale * sum over groups g of (scale[g] * float(dot[g]) + offset[g] * float(sum of x in g))
//
// in float32, the groups in order, no operation fused: the same bits on every instruction set.
//
// Parameters lie in blocks of 32 rows, and so do codes, in one of two layouts; which one is the choice of an instruction
// set for each kind of codes.
//
// Chunks, for products of bytes, have 16 rows, so two of them make the rows of a block:
//
//     codes[half a row block][group][chunk][place][byte]       16 places, 16 bytes
//
// Row r of a half has the place `r / 4 + r % 4 * 4`, so that registers of 4, 2 or 1 rows all load rows whose sums come
// out in order. A chunk has 128 columns for 1 bit, 64 for 2, 32 for 4 and 16 for 8 bits: 16 bytes of codes. In a full
// chunk these are the bytes as they are in a file: with p codes in a byte, code c of byte i is column p i + c. The last
// chunk of a group may be shorter; in it code c of byte i is column 16 c + i, so that whole codes can be left out. The
// activations are arranged to fit: 16 for each code of a byte, one after the other.
//
// Planes, for tables, hold one bit of each code:
//
//     codes[row block][group][8 columns][plane][place]         1 or 2 planes, 32 places
//
// A byte has one row's bits for 8 columns, the first one lowest, so each half of it is an index: for 4 columns there is
// a table of the 16 sums that 4 activations can have, and a look-up finds the sums of 32 rows (Wei et al. 2024, T-MAC,
// arXiv:2407.00088, there with rounded sums). The sums less the smallest one are below 512; a table has their low 6 bits
// in 16 bytes, then their high 3. Two planes b0, b1 of a code make four values: v0 + A b0 + B b1 + C b0 b1, where C is 0
// for even ones. A group's columns are filled up with zeros to 16.
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

/// The order of codes in memory.
typedef enum {
  CPK_LAYOUT_CHUNKS = 0,
  /// Chunks whose bytes of 8 bits are less 128, and so have a sign.
  CPK_LAYOUT_SIGNED_CHUNKS = 1,
  /// For codes of 1 and 2 bits.
  CPK_LAYOUT_PLANES = 2,
} cpk_layout;

/// The rows of a block.
enum { CPK_BLOCK_ROWS = 32 };

/// A packed matrix in the kernels' order; memory of the caller.
typedef struct {
  cpk_codes kind;
  size_t rows;
  size_t columns;
  /// The columns of a group; the last one may be shorter. At most `CPK_GROUP_LIMIT`.
  size_t group_size;
  /// As drawn above, `cpk_code_byte_count` bytes from a multiple of 64.
  const uint8_t *codes;
  /// `[row block][group][32]`: the values of codes 0 to 3, lowest byte first; for levels only.
  const uint32_t *levels;
  /// `[row block]`: not 0 where some values have v0 + v3 unlike v1 + v2; for levels only.
  const uint8_t *uneven;
  /// `[row block][group][32]`.
  const float *scales;
  /// `[row block][group][32]`.
  const float *offsets;
} cpk_matrix;

/// The most columns of a group: sums of 255 * 127 stay in 32 bits.
enum { CPK_GROUP_LIMIT = 65536 };

/// Vectors of int8 in the order that a matrix's codes want.
typedef struct {
  /// `[count][stride]`, each with `cpk_activation_byte_count` bytes, arranged or as tables, from a multiple of 64.
  const int8_t *values;
  size_t stride;
  size_t count;
  /// `[count][groups]`: the sums of each group.
  const int32_t *sums;
  /// `[count][groups]`: the sums of those below zero, which tables leave out; for planes only.
  const int32_t *lows;
  /// `[count]`: what 1 stands for.
  const float *scales;
} cpk_activations;

/// The bytes of a matrix's codes.
size_t cpk_code_byte_count(
    cpk_layout layout, cpk_codes kind, size_t rows, size_t columns, size_t group_size);

/// The bytes of a vector of activations.
size_t cpk_activation_byte_count(cpk_layout layout, size_t columns, size_t group_size);

/// The groups of a row.
size_t cpk_group_count(size_t columns, size_t group_size);

/// Writes the rows of one block into a matrix's codes, which begin as zeros.
///
/// Each of `rows` holds codes as a stream of bits of the kind's width, the first one lowest; absent rows are null.
void cpk_place_block(
    uint8_t *codes, cpk_layout layout, cpk_codes kind, size_t columns, size_t group_size,
    size_t block, const uint8_t *const rows[CPK_BLOCK_ROWS]);

/// What `cpk_multiply` does, for one kind of codes.
typedef void cpk_multiply_function(
    const cpk_matrix *matrix, const cpk_activations *x, size_t first_block, size_t last_block,
    float *y, size_t y_stride);

/// The functions for one instruction set.
typedef struct {
  /// How each kind of codes must lie.
  cpk_layout layout[CPK_CODES_COUNT];
  /// Quantizes a vector: q[i] = x[i] * 127 / max |x|, rounded to nearest, ties to even.
  ///
  /// Returns the scale max |x| / 127; not a number, with zeros in q, when an element is not finite.
  float (*quantize)(const float *x, int8_t *q, size_t count);
  /// Puts a quantized vector into the order that a kind of codes wants and sums each group; `lows` is written for
  /// planes only.
  void (*arrange)(
      const int8_t *q, cpk_codes kind, size_t columns, size_t group_size, int8_t *values,
      int32_t *sums, int32_t *lows);
  cpk_multiply_function *multiply[CPK_CODES_COUNT];
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
