// The C interface of lstmpack: streams through a model in a .bvq file.
//
// A model is read once and only read afterwards: any number of threads may begin streams of it and step them. A stream
// is for one thread at a time. Streams keep their model; closing a model while it has streams is allowed. In a process
// that comes of fork() a stream of several threads must not be stepped, as its threads stay behind: begin another there.
//
// Functions return 0, or a handle, when they worked. Otherwise `lstmpack_last_error` says what was wrong, for the
// thread that called. No function takes null where it does not say so.
#ifndef LSTMPACK_H
#define LSTMPACK_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct lstmpack_model lstmpack_model;
typedef struct lstmpack_stream lstmpack_stream;

/// What packed weights are multiplied with.
enum {
  /// Int8, one scale for each vector and step: fast.
  LSTMPACK_ACTIVATIONS_INT8 = 0,
  /// Float32: the products of the unpacked weights.
  LSTMPACK_ACTIVATIONS_FLOAT32 = 1,
};

/// What a model takes and gives.
typedef struct {
  /// The numbers of a step; 1 when steps are tokens.
  int64_t input_size;
  /// How many tokens there are; 0 when steps are vectors.
  int64_t token_count;
  /// The numbers that come out of a step.
  int64_t output_size;
  /// The bytes of the weights in memory.
  int64_t weight_byte_count;
} lstmpack_description;

/// Reads a .bvq file, checks it and prepares its weights, on all processors; null when that fails.
lstmpack_model *lstmpack_open(const char *path, int activations);

/// Says what a model takes and gives.
int lstmpack_describe(const lstmpack_model *model, lstmpack_description *description);

/// Gives a model back; null is allowed.
void lstmpack_close(lstmpack_model *model);

/// Begins a stream from a state of zeros; null when that fails.
///
/// A step takes at most `threads` threads, fewer when it is small; results do not depend on how many.
lstmpack_stream *lstmpack_stream_open(const lstmpack_model *model, int threads);

/// Begins a stream from the state of another; null when that fails.
lstmpack_stream *lstmpack_stream_clone(const lstmpack_stream *stream);

/// Puts a stream back to a state of zeros.
int lstmpack_stream_reset(lstmpack_stream *stream);

/// Gives a stream back; null is allowed.
void lstmpack_stream_close(lstmpack_stream *stream);

/// Takes steps of vectors: x is `[steps, input_size]`, y becomes `[steps, output_size]`.
int lstmpack_run(lstmpack_stream *stream, const float *x, int64_t steps, float *y);

/// Takes steps of tokens: y becomes `[steps, output_size]`. When one is not in the vocabulary, none is taken.
int lstmpack_run_tokens(lstmpack_stream *stream, const int64_t *tokens, int64_t steps, float *y);

/// Takes one step of a vector.
int lstmpack_step(lstmpack_stream *stream, const float *x, float *y);

/// Takes one step of a token.
int lstmpack_step_token(lstmpack_stream *stream, int64_t token, float *y);

/// What was wrong with the last call of this thread that failed; an empty text when none has. It stays until the next
/// one fails.
const char *lstmpack_last_error(void);

#ifdef __cplusplus
}
#endif

#endif
