// How long the C library takes from a file to the first step, in how much memory, and then for steps.
//
//   cc -O2 -Iinclude bench/load.c -L.build/release -llstmpack_c -Wl,-rpath,"$PWD/.build/release" -o load
//   ./load model.bvq [steps]
//
// Memory is what Linux says of the process (VmHWM, KiB). bench/instructions.sh counts what it does for more steps
// and for fewer.

#include <lstmpack.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

static double milliseconds(void) {
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return (double)now.tv_sec * 1e3 + (double)now.tv_nsec * 1e-6;
}

static long peak_kib(void) {
  FILE *status = fopen("/proc/self/status", "r");
  char line[256];
  long peak = -1;
  while (status && fgets(line, sizeof line, status)) {
    if (strncmp(line, "VmHWM:", 6) == 0) peak = atol(line + 6);
  }
  if (status) fclose(status);
  return peak;
}

int main(int count, char **arguments) {
  if (count < 2) return fprintf(stderr, "usage: load model.bvq [steps]\n"), 2;
  const long steps = count > 2 ? atol(arguments[2]) : 1;
  if (steps < 1) return fprintf(stderr, "steps are 1 or more\n"), 2;
  const long before = peak_kib();
  const double start = milliseconds();
  lstmpack_model *model = lstmpack_open(arguments[1], LSTMPACK_ACTIVATIONS_INT8);
  if (!model) return fprintf(stderr, "%s\n", lstmpack_last_error()), 1;
  const double opened = milliseconds();
  lstmpack_description about;
  lstmpack_describe(model, &about);
  lstmpack_stream *stream = lstmpack_stream_open(model, 1);
  float *x = calloc((size_t)about.input_size, sizeof *x);
  float *y = calloc((size_t)about.output_size, sizeof *y);
  if (!stream || !x || !y) return fprintf(stderr, "%s\n", lstmpack_last_error()), 1;
  double first = 0;
  for (long step = 0; step < steps; step++) {
    const int status = about.token_count > 0
        ? lstmpack_step_token(stream, step % about.token_count, y)
        : lstmpack_step(stream, x, y);
    if (status != 0) return fprintf(stderr, "%s\n", lstmpack_last_error()), 1;
    if (step == 0) first = milliseconds();
  }
  printf(
      "open %.1f ms, first step after %.1f ms, %ld steps after %.1f ms, peak %ld KiB, %ld before\n",
      opened - start, first - start, steps, milliseconds() - start, peak_kib(), before);
  lstmpack_stream_close(stream);
  lstmpack_close(model);
  free(x);
  free(y);
  return 0;
}
