"""stream.py LIBRARY MODEL.bvq TOKEN...: the likeliest token after each step, through the C interface."""
import ctypes
import sys


class Description(ctypes.Structure):
    _fields_ = [(name, ctypes.c_int64) for name in ("input_size", "token_count", "output_size", "weight_byte_count")]


def load(path):
    library = ctypes.CDLL(path)
    library.lstmpack_open.restype = ctypes.c_void_p
    library.lstmpack_open.argtypes = [ctypes.c_char_p, ctypes.c_int]
    library.lstmpack_describe.argtypes = [ctypes.c_void_p, ctypes.POINTER(Description)]
    library.lstmpack_stream_open.restype = ctypes.c_void_p
    library.lstmpack_stream_open.argtypes = [ctypes.c_void_p, ctypes.c_int]
    library.lstmpack_step_token.argtypes = [ctypes.c_void_p, ctypes.c_int64, ctypes.POINTER(ctypes.c_float)]
    library.lstmpack_last_error.restype = ctypes.c_char_p
    for name in ("lstmpack_stream_close", "lstmpack_close"):
        getattr(library, name).argtypes = [ctypes.c_void_p]
    return library


def main():
    if len(sys.argv) < 4:
        sys.exit("usage: stream.py LIBRARY MODEL.bvq TOKEN...")
    library = load(sys.argv[1])

    def check(worked):
        if not worked:
            sys.exit("stream.py: " + library.lstmpack_last_error().decode())

    model = library.lstmpack_open(sys.argv[2].encode(), 0)
    check(model)
    description = Description()
    library.lstmpack_describe(model, description)
    stream = library.lstmpack_stream_open(model, 1)
    check(stream)
    scores = (ctypes.c_float * description.output_size)()
    for token in map(int, sys.argv[3:]):
        check(library.lstmpack_step_token(stream, token, scores) == 0)
        best = max(range(description.output_size), key=scores.__getitem__)
        print(f"{best} {scores[best]:.6g}")
    library.lstmpack_stream_close(stream)
    library.lstmpack_close(model)


if __name__ == "__main__":
    main()
