// How the compiler is asked to make vectors of a loop.
#define CPK_PRAGMA(text) _Pragma(#text)
#define CPK_LOOP(lanes) CPK_PRAGMA(clang loop vectorize_width(lanes) interleave_count(2))
