// Compares the kernels of each instruction set of this machine with plain loops, bit for bit. Built
// together with Sources/CPackedKernels/*.c. Ends with 1 when anything differs.
#include <float.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "CPackedKernels.h"

#pragma STDC FP_CONTRACT OFF

enum { LIMIT = 2100, TABLES = 128, BLOCKS = 3, VECTORS = 6, ROOM = 4 };
enum { ROWS = (BLOCKS - 1) * CPK_BLOCK_ROWS + 5 };
enum { PLACES = BLOCKS * CPK_BLOCK_ROWS * LIMIT, Y_STRIDE = ROWS + 2 };
static const char *const isa_names[CPK_ISA_COUNT] = {
    "scalar", "avx2", "avx512", "avx512vnni", "neon", "neondot"};
static const unsigned widths[CPK_CODES_COUNT] = {1, 2, 2, 4, 8};
static const size_t lengths[] = {
    1, 2, 3, 7, 8, 9, 15, 16, 17, 31, 32, 33, 63, 64, 65, 127, 128, 129, 650, 1000, LIMIT};
static const size_t vector_counts[] = {1, 2, 4, VECTORS}, shifts[] = {0, 1, 3};
#define COUNT(array) (sizeof(array) / sizeof *(array))
#define EACH(i, count) (size_t i = 0; i < (count); i++)

static size_t compared, different;
static char place[100];

static void compare(
    const char *what, const void *got, const void *wanted, size_t count, size_t size) {
  compared += count;
  for EACH(i, count) {
    if (memcmp((const char *)got + i * size, (const char *)wanted + i * size, size) == 0) continue;
    if (different++ < 10) printf("  %s %zu differs: %s\n", what, i, place);
  }
}

static uint32_t random_bits(void) {
  static uint64_t state = 1;
  state = state * 6364136223846793005u + 1442695040888963407u;
  return (uint32_t)(state >> 32);
}
static float random_float(float limit) {
  return limit * ((float)(random_bits() >> 8) / 8388608.0f - 1.0f);
}

/// Each element by itself and all together.
static void check_vector_math(const cpk_vector_math *math, size_t count, size_t shift) {
  const cpk_vector_math *one = cpk_vector_math_for(CPK_ISA_SCALAR);
  static float got[6][LIMIT + ROOM], wanted[6][LIMIT + ROOM];
  float *g[6], *w[6];
  snprintf(place, sizeof place, "vector math, length %zu, shift %zu", count, shift);
  for EACH(k, 6) {
    for EACH(i, LIMIT + ROOM) got[k][i] = wanted[k][i] = random_float(i % 8 == 0 ? 200 : 4);
    g[k] = got[k] + shift, w[k] = wanted[k] + shift;
  }
  math->raise(g[0], g[1], 0.3f, count);
  math->exponentiate(g[1], 0.3f, g[0], g[2], count);
  math->scale(g[2], g[1], count);
  math->lstm_cell(g[0], g[1], g[2], g[3], g[4], g[5], count);
  math->logistic(g[0], count);
  math->tanh(g[3], count);
  for EACH(i, count) {
    one->raise(w[0] + i, w[1] + i, 0.3f, 1);
    one->exponentiate(w[1] + i, 0.3f, w[0] + i, w[2] + i, 1);
    one->scale(w[2] + i, w[1] + i, 1);
    one->lstm_cell(w[0] + i, w[1] + i, w[2] + i, w[3] + i, w[4] + i, w[5] + i, 1);
    one->logistic(w[0] + i, 1);
    one->tanh(w[3] + i, 1);
  }
  compare("element", got, wanted, sizeof got / sizeof(float), sizeof(float));
  for EACH(i, count) {
    const float second = 0.5f + random_float(0.5f), third = 0.5f + random_float(0.5f);
    got[0][i] = math->grid_steps(second, third);
    wanted[0][i] = one->grid_steps(second, third);
  }
  compare("steps of a grid", got, wanted, count, sizeof(float));
}

/// Sums of 16 inputs each, fused where the instruction set is.
static void check_float_product(cpk_isa isa, size_t inputs, size_t rows) {
  enum { OUTPUTS = 40, PANELS = 3 * CPK_PANEL_OUTPUTS };
  static float weights[PANELS * LIMIT], x[13 * LIMIT], y[13 * OUTPUTS], wanted[13 * OUTPUTS];
#if defined(__x86_64__)
  const bool fused = isa != CPK_ISA_SCALAR;
#else
  const bool fused = true;
#endif
  snprintf(place, sizeof place, "float product, %zu inputs, %zu rows", inputs, rows);
  for EACH(i, PANELS * inputs) weights[i] = random_float(1);
  for EACH(i, rows * inputs) x[i] = random_float(2);
  for EACH(i, rows * OUTPUTS) y[i] = wanted[i] = random_float(1);
  const size_t first = random_bits() % OUTPUTS, count = 1 + random_bits() % (OUTPUTS - first);
  for EACH(r, rows) for EACH(o, count) {
    const size_t output = first + o;
    const float *column = weights + output / 16 * 16 * inputs + output % 16;
    float total = 0;
    for (size_t start = 0; start < inputs; start += CPK_SUM_INPUTS) {
      float sum = 0;
      for (size_t i = start; i < inputs && i < start + CPK_SUM_INPUTS; i++) {
        const float a = x[r * inputs + i], b = column[16 * i];
        sum = fused ? fmaf(a, b, sum) : sum + a * b;
      }
      total += sum;
    }
    wanted[r * OUTPUTS + o] += total;
  }
  cpk_float_product_for(isa)(
      weights, inputs, x, inputs, rows, first, first + count, y, OUTPUTS, true);
  compare("sum", y, wanted, rows * OUTPUTS, sizeof *y);
}

static float plain_quantize(const float *x, int8_t *q, size_t count) {
  float largest = 0;
  memset(q, 0, count);
  for EACH(i, count) {
    if (!isfinite(x[i])) return __builtin_nanf("");
    largest = fmaxf(largest, fabsf(x[i]));
  }
  if (largest < FLT_MIN) return 0;
  for EACH(i, count) q[i] = (int8_t)lrintf(x[i] * (127.0f / largest));
  return largest / 127.0f;
}

/// The order of chunks; tables of sums are seen by the products that come of them.
static void plain_arrange(const cpk_matrix *m, const int8_t *q, int8_t *values, int32_t *sums) {
  const size_t per_byte = 8 / widths[m->kind], chunk = 16 * per_byte;
  for (size_t left = m->columns; left > 0; q += m->group_size, sums++) {
    const size_t count = left < m->group_size ? left : m->group_size;
    *sums = 0;
    for EACH(i, count) *sums += q[i];
    for EACH(i, (count + 15) / 16 * 16) {
      const size_t c = i % chunk / 16, byte = i % 16;
      const bool whole = i < count / chunk * chunk;
      *values++ = whole ? q[i / chunk * chunk + per_byte * byte + c] : i < count ? q[i] : 0;
    }
    left -= count;
  }
}

static uint8_t row_codes[ROWS][LIMIT];
static uint32_t levels[PLACES];
static uint8_t uneven[BLOCKS];
static float scales[PLACES], offsets[PLACES];

static float plain_product(const cpk_matrix *m, size_t row, const int8_t *q, const int32_t *sums) {
  const size_t groups = cpk_group_count(m->columns, m->group_size), block = row / CPK_BLOCK_ROWS;
  float total = 0;
  for EACH(group, groups) {
    const size_t at = (block * groups + group) * CPK_BLOCK_ROWS + row % CPK_BLOCK_ROWS;
    int32_t dot = 0;
    for (size_t i = group * m->group_size; i < m->columns && i / m->group_size == group; i++) {
      const unsigned code = row_codes[row][i];
      dot += (int32_t)(m->levels ? levels[at] >> 8 * code & 255 : code) * q[i];
    }
    total += scales[at] * (float)dot + offsets[at] * (float)sums[group];
  }
  return total;
}

/// Random codes, levels, scales and offsets for a matrix; many are the largest ones.
static void fill(const cpk_matrix *m, cpk_layout layout, uint8_t *codes) {
  static uint8_t packed[ROWS][LIMIT];
  for EACH(row, ROWS) {
    uint8_t bits[LIMIT] = {0};
    for EACH(i, m->columns) {
      const unsigned width = widths[m->kind], largest = (1u << width) - 1, any = random_bits();
      row_codes[row][i] = (uint8_t)(any % 4 == 0 ? largest : any >> 8 & largest);
      bits[i * width / 8] |= (uint8_t)(row_codes[row][i] << i * width % 8);
    }
    memcpy(packed[row], bits, sizeof bits);
  }
  for EACH(block, BLOCKS) {
    const uint8_t *rows[CPK_BLOCK_ROWS] = {0};
    for EACH(i, CPK_BLOCK_ROWS) {
      if (block * CPK_BLOCK_ROWS + i < ROWS) rows[i] = packed[block * CPK_BLOCK_ROWS + i];
    }
    cpk_place_block(codes, layout, m->kind, m->columns, m->group_size, block, rows);
  }
  memset(uneven, 0, sizeof uneven);
  const size_t groups = cpk_group_count(m->columns, m->group_size);
  const bool all_even = random_bits() % 2 == 0;
  for EACH(i, BLOCKS * CPK_BLOCK_ROWS * groups) {
    // Two levels above the lowest, then one as far above or any.
    const unsigned any = random_bits(), v0 = any & 7, v1 = v0 + (any >> 3 & 127);
    const unsigned v2 = v1 + (any >> 10 & 63);
    const unsigned v3 = all_even ? v1 + v2 - v0 : random_bits() % 2 ? 255 : any >> 20 & 255;
    levels[i] = v0 | v1 << 8 | v2 << 16 | (v3 & 255) << 24;
    if (v0 + (v3 & 255) != v1 + v2) uneven[i / (CPK_BLOCK_ROWS * groups)] = 1;
    scales[i] = random_float(0.1f), offsets[i] = random_float(1);
  }
}

static void check_packed(const cpk_packed_kernels *kernels, const cpk_matrix *m, size_t shift) {
  static int8_t q[LIMIT], got_q[LIMIT + ROOM];
  static int8_t values[VECTORS * TABLES * LIMIT + ROOM], wanted_values[16 * LIMIT];
  static int32_t sums[VECTORS * LIMIT], lows[VECTORS * LIMIT], wanted_sums[LIMIT];
  const cpk_layout layout = kernels->layout[m->kind];
  const size_t groups = cpk_group_count(m->columns, m->group_size);
  const size_t stride = cpk_activation_byte_count(layout, m->columns, m->group_size);
  float x_scales[VECTORS], products[VECTORS][ROWS];
  for EACH(v, VECTORS) {
    float x[LIMIT + ROOM];
    for EACH(i, m->columns) x[shift + i] = random_float(random_bits() % 2 ? 3 : 0.02f);
    if (random_bits() % 8 == 0) x[shift] = random_bits() % 2 ? INFINITY : NAN;
    const float scale = kernels->quantize(x + shift, got_q + shift, m->columns);
    const float wanted_scale = plain_quantize(x + shift, q, m->columns);
    compare("scale", &scale, &wanted_scale, 1, sizeof scale);
    compare("quantized", got_q + shift, q, m->columns, 1);
    for EACH(i, m->columns) if (random_bits() % 4 == 0) q[i] = random_bits() % 2 ? -127 : 127;
    int8_t *x_values = values + shift + v * stride;
    kernels->arrange(
        q, m->kind, m->columns, m->group_size, x_values, sums + v * groups, lows + v * groups);
    plain_arrange(m, q, wanted_values, wanted_sums);
    if (layout != CPK_LAYOUT_PLANES) compare("arranged", x_values, wanted_values, stride, 1);
    compare("sum", sums + v * groups, wanted_sums, groups, sizeof *sums);
    x_scales[v] = random_float(0.1f);
    for EACH(row, ROWS) products[v][row] = plain_product(m, row, q, wanted_sums);
  }
  for EACH(c, COUNT(vector_counts)) for EACH(s, COUNT(shifts)) {
    const cpk_activations x = {
        values + shift, stride, vector_counts[c], sums, lows, x_scales};
    float y[ROOM + VECTORS * Y_STRIDE], wanted[ROOM + VECTORS * Y_STRIDE];
    for EACH(i, COUNT(y)) y[i] = wanted[i] = random_float(1);
    for EACH(v, x.count) for EACH(row, ROWS) {
      wanted[shifts[s] + v * Y_STRIDE + row] += products[v][row] * x_scales[v];
    }
    cpk_multiply(kernels, m, &x, 0, 1, y + shifts[s], Y_STRIDE);
    cpk_multiply(kernels, m, &x, 1, BLOCKS, y + shifts[s] + CPK_BLOCK_ROWS, Y_STRIDE);
    compare("product", y, wanted, COUNT(y), sizeof *y);
  }
}

int main(void) {
  size_t all_compared = 0, all_different = 0;
  for (int isa = 0; isa < CPK_ISA_COUNT; isa++) {
    const bool available = cpk_isa_is_available((cpk_isa)isa);
    for EACH(l, available ? COUNT(lengths) : 0) for EACH(s, COUNT(shifts)) {
      check_vector_math(cpk_vector_math_for((cpk_isa)isa), lengths[l], shifts[s]);
      for EACH(rows, 13) check_float_product((cpk_isa)isa, lengths[l], rows + 1);
      const size_t group_sizes[] = {lengths[l], 64, 20, 3}, n = lengths[l];
      for EACH(g, COUNT(group_sizes)) for (int kind = 0; kind < CPK_CODES_COUNT; kind++) {
        const size_t size = group_sizes[g];
        const cpk_packed_kernels *kernels = cpk_packed_kernels_for((cpk_isa)isa);
        const cpk_layout layout = kernels->layout[kind];
        uint8_t *codes = calloc(cpk_code_byte_count(layout, (cpk_codes)kind, ROWS, n, size), 1);
        const cpk_matrix matrix = {
            (cpk_codes)kind, ROWS, n, size, codes, kind == CPK_CODES_2_LEVELS ? levels : NULL,
            uneven, scales, offsets};
        snprintf(place, sizeof place, "kind %d, %zu in groups of %zu", kind, n, size);
        fill(&matrix, layout, codes);
        check_packed(kernels, &matrix, shifts[s]);
        free(codes);
      }
    }
    if (available) printf("%s: %zu compared, %zu different\n", isa_names[isa], compared, different);
    if (!available) printf("%s: not on this machine\n", isa_names[isa]);
    all_compared += compared, all_different += different;
    compared = different = 0;
  }
  printf("%zu passed, %zu failed\n", all_compared - all_different, all_different);
  return all_different != 0;
}
