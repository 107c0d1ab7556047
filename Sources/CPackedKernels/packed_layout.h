// Sizes and places in the kernels' order; see cpk_packed.h.
#ifndef PACKED_LAYOUT_H
#define PACKED_LAYOUT_H

#include "cpk_packed.h"

#pragma STDC FP_CONTRACT OFF

#define CPK_INLINE static inline __attribute__((always_inline))

/// The bits of a code.
CPK_INLINE size_t cpk_width(cpk_codes kind) {
  return kind == CPK_CODES_1 ? 1 : kind == CPK_CODES_4 ? 4 : kind == CPK_CODES_8 ? 8 : 2;
}

/// A code of a row of codes that follow each other, the first in the lowest bits.
CPK_INLINE unsigned cpk_code_at(const uint8_t *row, size_t column, size_t width) {
  const size_t bit = column * width;
  return (unsigned)row[bit / 8] >> (bit % 8) & ((1u << width) - 1);
}

/// The columns of a chunk.
CPK_INLINE size_t cpk_chunk_columns(cpk_codes kind) { return 128 / cpk_width(kind); }

/// The chunks of a group with so many columns.
CPK_INLINE size_t cpk_chunk_count(cpk_codes kind, size_t columns) {
  return (columns + cpk_chunk_columns(kind) - 1) / cpk_chunk_columns(kind);
}

/// The slices of 16 columns of a group with so many columns.
CPK_INLINE size_t cpk_slice_count(size_t columns) { return (columns + 15) / 16; }

/// The columns of a group.
CPK_INLINE size_t cpk_group_columns(size_t columns, size_t group_size, size_t group) {
  const size_t first = group * group_size;
  return columns - first < group_size ? columns - first : group_size;
}

/// The chunks of a row.
CPK_INLINE size_t cpk_row_chunk_count(cpk_codes kind, size_t columns, size_t group_size) {
  const size_t whole = columns / group_size;
  return whole * cpk_chunk_count(kind, group_size) + cpk_chunk_count(kind, columns % group_size);
}

enum {
  /// The rows of chunks.
  CPK_HALF_ROWS = 16,
  /// The bytes of a chunk of all its rows.
  CPK_CHUNK_BYTES = 256,
  /// The bytes of the four tables for 16 columns.
  CPK_SLICE_TABLE_BYTES = 128,
};

/// The bytes of a group's planes, for the rows of a block.
CPK_INLINE size_t cpk_plane_group_bytes(cpk_codes kind, size_t columns) {
  return cpk_slice_count(columns) * 2 * cpk_width(kind) * CPK_BLOCK_ROWS;
}

/// The bytes of a block's planes.
CPK_INLINE size_t cpk_plane_block_bytes(cpk_codes kind, size_t columns, size_t group_size) {
  return columns / group_size * cpk_plane_group_bytes(kind, group_size)
      + cpk_plane_group_bytes(kind, columns % group_size);
}

/// The place of a row: bytes of even places are widened first, those of a 128-bit lane stay in it, and each of the four
/// resulting registers then has 8 rows in order.
CPK_INLINE size_t cpk_plane_place(size_t row) {
  const size_t odd = row / 16, high = row / 8 % 2, lane = row / 4 % 2;
  return lane * 16 + (high * 4 + row % 4) * 2 + odd;
}

#endif
