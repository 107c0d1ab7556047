// The order of planes, which only the kernels of AVX2 take; see cpk_packed.h.
#if defined(__x86_64__)
#pragma clang attribute push(__attribute__((target("avx2"))), apply_to = function)

#include <string.h>

#include "packed_avx2_kernels.h"
#include "packed_layout.h"

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
      copy[i * width / 8] |= (uint8_t)(cpk_code_at(row, column + i, width) << (i * width % 8));
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

void cpk_avx2_place_in_planes(
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

#pragma clang attribute pop
#endif
