// stream MODEL.bvq TOKEN...: the likeliest token after each step.
#include <stdio.h>
#include <stdlib.h>

#include "lstmpack.h"

static int failed(void) {
  fprintf(stderr, "stream: %s\n", lstmpack_last_error());
  return 1;
}

int main(int count, char **arguments) {
  if (count < 3) {
    fprintf(stderr, "usage: stream MODEL.bvq TOKEN...\n");
    return 64;
  }
  lstmpack_model *model = lstmpack_open(arguments[1], LSTMPACK_ACTIVATIONS_INT8);
  if (!model) return failed();
  lstmpack_description description;
  lstmpack_describe(model, &description);
  lstmpack_stream *stream = lstmpack_stream_open(model, 1);
  float *scores = malloc(sizeof(float) * (size_t)description.output_size);
  if (!stream || !scores) return failed();
  for (int index = 2; index < count; index++) {
    if (lstmpack_step_token(stream, atoll(arguments[index]), scores)) return failed();
    int64_t best = 0;
    for (int64_t token = 1; token < description.output_size; token++) {
      if (scores[token] > scores[best]) best = token;
    }
    printf("%lld %.6g\n", (long long)best, scores[best]);
  }
  free(scores);
  lstmpack_stream_close(stream);
  lstmpack_close(model);
  return 0;
}
