#include "packed_layout.h"

#include <string.h>

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

static unsigned code_at(const uint8_t *row, size_t column, size_t width) {
  const size_t bit = column * width;
  return (unsigned)row[bit / 8] >> (bit % 8) & ((1u << width) - 1);
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
      if (layout == CPK_LAYOUT_SIGNED_CHUNKS) {
        for (size_t i = 0; i < 16; i++) chunk[i] ^= 0x80;
      }
    }
  }
}

enum {
  /// The columns of a piece that is turned at once: 16 bytes of a plane.
  PIECE_COLUMNS = 128,
};

typedef uint8_t sixteen __attribute__((vector_size(16)));

/// Every second bit of 16, from the lowest on, in the low byte.
CPK_INLINE uint16_t even_bits(uint16_t bits) {
  bits &= 0x5555;
  bits = (uint16_t)((bits | bits >> 1) & 0x3333);
  bits = (uint16_t)((bits | bits >> 2) & 0x0F0F);
  return (uint16_t)(bits | bits >> 4);
}

/// Parts the codes of a piece into the bytes of their planes.
static void part_planes(
    const uint8_t *row, size_t column, size_t count, size_t width, uint8_t planes[2][16]) {
  uint8_t copy[PIECE_COLUMNS / 4] = {0};
  const uint8_t *codes = row + column * width / 8;
  if (column % 8 != 0) {
    for (size_t i = 0; i < count; i++) {
      copy[i * width / 8] |= (uint8_t)(code_at(row, column + i, width) << (i * width % 8));
    }
    codes = copy;
  } else if (count < PIECE_COLUMNS) {
    memcpy(copy, codes, (count * width + 7) / 8);
    const size_t rest = count * width % 8;
    if (rest != 0) copy[count * width / 8] &= (uint8_t)((1u << rest) - 1);
    codes = copy;
  }
  if (width == 1) {
    memcpy(planes[0], codes, 16);
    return;
  }
  for (size_t i = 0; i < 16; i++) {
    const uint16_t bits = (uint16_t)(codes[2 * i] | codes[2 * i + 1] << 8);
    planes[0][i] = (uint8_t)even_bits(bits);
    planes[1][i] = (uint8_t)even_bits(bits >> 1);
  }
}

/// Rows become columns: four times the first half is interleaved with the second.
CPK_INLINE void turn(sixteen rows[16]) {
  for (int pass = 0; pass < 4; pass++) {
    sixteen next[16];
    for (int i = 0; i < 8; i++) {
      next[2 * i] = __builtin_shufflevector(
          rows[i], rows[i + 8], 0, 16, 1, 17, 2, 18, 3, 19, 4, 20, 5, 21, 6, 22, 7, 23);
      next[2 * i + 1] = __builtin_shufflevector(
          rows[i], rows[i + 8], 8, 24, 9, 25, 10, 26, 11, 27, 12, 28, 13, 29, 14, 30, 15, 31);
    }
    memcpy(rows, next, sizeof next);
  }
}

static void place_in_planes(
    uint8_t *block, cpk_codes kind, size_t columns, size_t group_size,
    const uint8_t *const rows[CPK_BLOCK_ROWS]) {
  const size_t width = cpk_width(kind);
  for (size_t first = 0; first < columns; first += group_size) {
    const size_t count = cpk_group_columns(columns, group_size, first / group_size);
    for (size_t start = 0; start < count; start += PIECE_COLUMNS) {
      const size_t wanted = count - start < PIECE_COLUMNS ? count - start : PIECE_COLUMNS;
      sixteen planes[2][CPK_BLOCK_ROWS] = {0};
      for (size_t r = 0; r < CPK_BLOCK_ROWS; r++) {
        if (!rows[r]) continue;
        uint8_t parts[2][16];
        part_planes(rows[r], first + start, wanted, width, parts);
        for (size_t plane = 0; plane < width; plane++) {
          memcpy(&planes[plane][cpk_plane_place(r)], parts[plane], 16);
        }
      }
      for (size_t plane = 0; plane < width; plane++) {
        for (size_t half = 0; half < 2; half++) {
          turn(planes[plane] + 16 * half);
          for (size_t i = 0; i < (wanted + 7) / 8; i++) {
            memcpy(
                block + (((start / 8 + i) * width + plane) * 2 + half) * 16,
                &planes[plane][16 * half + i], 16);
          }
        }
      }
    }
    block += cpk_plane_group_bytes(kind, count);
  }
}

void cpk_place_block(
    uint8_t *codes, cpk_layout layout, cpk_codes kind, size_t columns, size_t group_size,
    size_t block, const uint8_t *const rows[CPK_BLOCK_ROWS]) {
  if (layout == CPK_LAYOUT_PLANES) {
    place_in_planes(
        codes + block * cpk_plane_block_bytes(kind, columns, group_size), kind, columns,
        group_size, rows);
    return;
  }
  for (size_t r = 0; r < CPK_BLOCK_ROWS; r++) {
    if (!rows[r]) continue;
    place_in_chunks(
        codes, layout, kind, columns, group_size, 2 * block + r / CPK_HALF_ROWS, r % CPK_HALF_ROWS,
        rows[r]);
  }
}
