"""The numbers in the fixtures, and what an importer must make of them.

The numbers of an LSTM are -1, 2, -3, 4 and so on: counted up over direction, matrix, gate, row and
column in canonical order, odd ones negative. They stay below 256, so they are exact in bfloat16
and float16, and no two of one file are equal, so a swapped gate, direction, matrix, row or column
shows, and the wrong number says what it was mistaken for.
"""

import numpy as np

GATES = ["input", "forget", "cell", "output"]
I, F, C, O = range(4)
KERAS = [I, F, C, O]
KERAS1 = [I, C, F, O]
ONNX = [I, O, F, C]

SIGMOID = {"function": "sigmoid", "alpha": None, "beta": None}
TANH = {"function": "tanh", "alpha": None, "beta": None}
RELU = {"function": "relu", "alpha": None, "beta": None}


def activation(function, alpha=None, beta=None):
    return {"function": function, "alpha": alpha, "beta": beta}


HARD_SIGMOID_2 = activation("hardSigmoid", 0.2, 0.5)
HARD_SIGMOID_3 = activation("hardSigmoid", 1 / 6, 0.5)


def plain(array):
    """Nested lists of integers."""
    return array.astype(int).tolist()


class Counter:
    """Gives arrays of numbers that were not given before."""

    def __init__(self, start=1):
        self.n = start

    def array(self, *shape):
        count = int(np.prod(shape))
        n = np.arange(self.n, self.n + count)
        self.n += count
        return np.where(n % 2 == 1, -n, n).astype(np.float32).reshape(shape)


class Direction:
    """One direction of an LSTM in canonical layout: [4, H, I], [4, H, H], [4, H]."""

    def __init__(self, counter, inputs, units, bias=True, recurrent_bias=False, peepholes=False):
        self.W = counter.array(4, units, inputs)
        self.R = counter.array(4, units, units)
        self.Wb = counter.array(4, units) if bias else None
        self.Rb = counter.array(4, units) if recurrent_bias else None
        self.P = counter.array(3, units) if peepholes else None  # i f o

    # Keras

    def keras(self):
        """kernel [I, 4H], recurrent kernel [H, 4H] and, where there is one, bias [4H]."""
        arrays = [np.hstack([m[g].T for g in KERAS]) for m in (self.W, self.R)]
        if self.Wb is not None:
            arrays.append(np.concatenate([self.Wb[g] for g in KERAS]))
        return arrays

    def keras1(self):
        """The twelve arrays W, U, b of i, c, f, o."""
        return [a for g in KERAS1 for a in (self.W[g].T, self.R[g].T, self.Wb[g])]

    def cudnn(self):
        """As CuDNNLSTM: each input block is the buffer of [H, I] read as [I, H]; the recurrent
        blocks are transposed; 8H biases, the input half first."""
        units, inputs = self.W.shape[1:]
        return [
            np.hstack([self.W[g].reshape(inputs, units) for g in KERAS]),
            np.hstack([self.R[g] for g in KERAS]),
            np.concatenate([self.Wb[g] for g in KERAS] + [self.Rb[g] for g in KERAS]),
        ]

    # Expectations

    def expected(self, settings):
        def per_gate(array, gates=GATES):
            return None if array is None else dict(zip(gates, plain(array)))

        return {
            **settings,
            "inputWeights": per_gate(self.W),
            "recurrentWeights": per_gate(self.R),
            "bias": per_gate(self.Wb),
            "recurrentBias": per_gate(self.Rb),
            "peepholes": per_gate(self.P, ["input", "forget", "output"]),
        }


def directions(count, inputs=3, units=2, start=1, **options):
    counter = Counter(start)
    return [Direction(counter, inputs, units, **options) for _ in range(count)]


# ONNX: W [D, 4H, I], R [D, 4H, H], B [D, 8H] = Wb then Rb, P [D, 3H] = i o f.


def onnx_w(ds):
    return np.stack([np.concatenate([d.W[g] for g in ONNX]) for d in ds])


def onnx_r(ds):
    return np.stack([np.concatenate([d.R[g] for g in ONNX]) for d in ds])


def onnx_b(ds):
    return np.stack(
        [np.concatenate([d.Wb[g] for g in ONNX] + [d.Rb[g] for g in ONNX]) for d in ds])


def onnx_p(ds):
    return np.stack([np.concatenate([d.P[0], d.P[2], d.P[1]]) for d in ds])


def settings(direction="forward", keeps=False, gate=SIGMOID, cell=TANH, output=None):
    return {
        "direction": direction,
        "keepsComputedOrder": keeps,
        "gateActivation": gate,
        "cellActivation": cell,
        "outputActivation": output or cell,
    }


def lstm(name, ds, merge=None, clip=None, coupled=False, each=None, weight_set=0, **options):
    """The expectation of one LSTM layer. `each` gives the settings of each direction; without it
    they follow from the number of directions and `options`."""
    if each is None:
        if len(ds) == 1:
            each = [settings(**options)]
        else:
            each = [settings("forward", **options), settings("backward", **options)]
    return {
        "name": name,
        "inputSize": int(ds[0].W.shape[2]),
        "hiddenSize": int(ds[0].W.shape[1]),
        "weightSet": weight_set,
        "directions": [d.expected(s) for d, s in zip(ds, each)],
        "merge": merge,
        "clip": clip,
        "couplesInputAndForget": coupled,
    }


def fixture(file, layers, warnings=(), opaque=(), embeddings=(), dense=(), may_be_opaque=False,
            about=""):
    """The entry of one file. `opaque` lists (name, substring of the reason or None)."""
    entry = {"file": file, "about": about, "lstm": list(layers), "warnings": list(warnings)}
    entry["opaque"] = [{"name": n, "reason": r} for n, r in opaque]
    entry["embeddings"] = [{"name": n, "weights": plain(w)} for n, w in embeddings]
    entry["dense"] = [
        {"name": n, "weights": plain(w), "bias": None if b is None else plain(b),
         "activation": a}
        for n, w, b, a in dense
    ]
    entry["mayBeOpaque"] = may_be_opaque
    return entry
