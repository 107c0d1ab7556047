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

/// The bytes of a chunk of 16 rows.
enum { CPK_CHUNK_BYTES = 256 };

#endif
