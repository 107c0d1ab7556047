#include "packed_layout.h"

#include <string.h>

#include "packed_avx2_kernels.h"

size_t cpk_group_count(size_t columns, size_t group_size) {
  return (columns + group_size - 1) / group_size;
}

size_t cpk_code_byte_count(
    cpk_layout layout, cpk_codes kind, size_t rows, size_t columns, size_t group_size) {
  const size_t blocks = (rows + CPK_BLOCK_ROWS - 1) / CPK_BLOCK_ROWS;
  if (layout == CPK_LAYOUT_PLANES) return blocks * cpk_plane_block_bytes(kind, columns, group_size);
  return blocks * 2 * cpk_row_chunk_count(kind, columns, group_size) * CPK_CHUNK_BYTES;
}

size_t cpk_activation_byte_count(cpk_layout layout, size_t columns, size_t group_size) {
  const size_t whole = columns / group_size;
  const size_t slices = whole * cpk_slice_count(group_size) + cpk_slice_count(columns % group_size);
  return slices * (layout == CPK_LAYOUT_PLANES ? CPK_SLICE_TABLE_BYTES : 16);
}

static void place_in_chunks(
    uint8_t *codes, cpk_layout layout, cpk_codes kind, size_t columns, size_t group_size,
    size_t half, size_t row_in_half, const uint8_t *row) {
  const size_t width = cpk_width(kind), per_byte = 8 / width;
  const size_t chunk_columns = cpk_chunk_columns(kind);
  const size_t place = row_in_half / 4 + row_in_half % 4 * 4;
  uint8_t *chunk = codes
      + half * cpk_row_chunk_count(kind, columns, group_size) * CPK_CHUNK_BYTES + 16 * place;
  for (size_t first = 0; first < columns; first += group_size) {
    const size_t count = cpk_group_columns(columns, group_size, first / group_size);
    for (size_t start = 0; start < count; start += chunk_columns, chunk += CPK_CHUNK_BYTES) {
      const size_t column = first + start;
      if (count - start < chunk_columns) {
        for (size_t i = 0; i < count - start; i++) {
          chunk[i % 16] |= (uint8_t)(cpk_code_at(row, column + i, width) << (i / 16 * width));
        }
      } else if (column % per_byte == 0) {
        memcpy(chunk, row + column / per_byte, 16);
      } else {
        for (size_t i = 0; i < chunk_columns; i++) {
          chunk[i / per_byte] |=
              (uint8_t)(cpk_code_at(row, column + i, width) << (i % per_byte * width));
        }
      }
      if (layout == CPK_LAYOUT_SIGNED_CHUNKS) {
        for (size_t i = 0; i < 16; i++) chunk[i] ^= 0x80;
      }
    }
  }
}

void cpk_place_block(
    uint8_t *codes, cpk_layout layout, cpk_codes kind, size_t columns, size_t group_size,
    size_t block, const uint8_t *const rows[CPK_BLOCK_ROWS]) {
#if defined(__x86_64__)
  if (layout == CPK_LAYOUT_PLANES) {
    cpk_avx2_place_in_planes(
        codes + block * cpk_plane_block_bytes(kind, columns, group_size), kind, columns,
        group_size, rows);
    return;
  }
#endif
  for (size_t r = 0; r < CPK_BLOCK_ROWS; r++) {
    if (!rows[r]) continue;
    place_in_chunks(
        codes, layout, kind, columns, group_size, 2 * block + r / CPK_HALF_ROWS, r % CPK_HALF_ROWS,
        rows[r]);
  }
}
