#include "packed_layout.h"

#include <string.h>

size_t cpk_group_count(size_t columns, size_t group_size) {
  return (columns + group_size - 1) / group_size;
}

size_t cpk_code_byte_count(cpk_codes kind, size_t rows, size_t columns, size_t group_size) {
  const size_t blocks = (rows + CPK_BLOCK_ROWS - 1) / CPK_BLOCK_ROWS;
  return blocks * cpk_row_chunk_count(kind, columns, group_size) * CPK_CHUNK_BYTES;
}

size_t cpk_activation_byte_count(cpk_codes kind, size_t columns, size_t group_size) {
  (void)kind;  // chunks differ, slices do not
  const size_t whole = columns / group_size;
  return 16 * (whole * cpk_slice_count(group_size) + cpk_slice_count(columns % group_size));
}

static unsigned code_at(const uint8_t *row, size_t column, size_t width) {
  const size_t bit = column * width;
  return (unsigned)row[bit / 8] >> (bit % 8) & ((1u << width) - 1);
}

void cpk_place_row(
    uint8_t *codes, cpk_codes kind, size_t columns, size_t group_size, size_t row_index,
    const uint8_t *row) {
  const size_t width = cpk_width(kind), per_byte = 8 / width;
  const size_t chunk_columns = cpk_chunk_columns(kind);
  const size_t in_block = row_index % CPK_BLOCK_ROWS;
  const size_t place = in_block / 4 + in_block % 4 * 4;
  uint8_t *chunk = codes
      + row_index / CPK_BLOCK_ROWS * cpk_row_chunk_count(kind, columns, group_size)
          * CPK_CHUNK_BYTES
      + 16 * place;
  for (size_t first = 0; first < columns; first += group_size) {
    const size_t count = cpk_group_columns(columns, group_size, first / group_size);
    for (size_t start = 0; start < count; start += chunk_columns, chunk += CPK_CHUNK_BYTES) {
      const size_t column = first + start;
      if (count - start < chunk_columns) {
        for (size_t i = 0; i < count - start; i++) {
          chunk[i % 16] |= (uint8_t)(code_at(row, column + i, width) << (i / 16 * width));
        }
      } else if (column % per_byte == 0) {
        memcpy(chunk, row + column / per_byte, 16);
      } else {
        for (size_t i = 0; i < chunk_columns; i++) {
          chunk[i / per_byte] |=
              (uint8_t)(code_at(row, column + i, width) << (i % per_byte * width));
        }
      }
    }
  }
}
