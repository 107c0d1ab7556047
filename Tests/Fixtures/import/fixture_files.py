"""What the scripts of this folder share: seeded numbers, files without dates, an LSTM in numpy."""

import io
import os
import zipfile
import zlib

import numpy as np

FOLDER = os.path.dirname(os.path.abspath(__file__))


def folder(name):
    path = os.path.join(FOLDER, name)
    os.makedirs(path, exist_ok=True)
    return path


def save_arrays(path, arrays):
    """An .npz without compression and without dates, so that two runs give the same bytes."""
    with zipfile.ZipFile(path, "w", zipfile.ZIP_STORED) as archive:
        for name, array in arrays.items():
            data = io.BytesIO()
            np.lib.format.write_array(data, np.array(array, order="C"), allow_pickle=False)
            archive.writestr(zipfile.ZipInfo(name + ".npy", (2026, 1, 1, 0, 0, 0)), data.getvalue())


class Random:
    """Numbers that depend on the name of the case only."""

    def __init__(self, case):
        self.generator = np.random.default_rng(zlib.crc32(case.encode()))

    def __call__(self, *shape, scale=0.6):
        return self.generator.uniform(-scale, scale, shape).astype(np.float32)


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


def hard_sigmoid(alpha=0.2, beta=0.5):
    return lambda x: np.clip(alpha * x + beta, 0, 1)


def run_lstm(x, directions, order="iofc", lengths=None, h0=None, c0=None, clip=None,
             input_forget=False):
    """An LSTM from its equations in float64 (ONNX, docs/Operators.md).

    x is [steps, batch, inputs]; each direction is a dict with W [4H, I], R [4H, P], b [4H] in the
    given order of gates, and optionally p (dict i, o, f), P [P, H], reverse, f, g, h.
    Gives Y [steps, directions, batch, P], Y_h and Y_c.
    """
    steps, batch, _ = x.shape
    ys, hs, cs = [], [], []
    for index, d in enumerate(directions):
        w, r = np.asarray(d["W"], np.float64), np.asarray(d["R"], np.float64)
        units, outputs = w.shape[0] // 4, r.shape[1]
        f, g, last = d.get("f", sigmoid), d.get("g", np.tanh), d.get("h", np.tanh)
        y = np.zeros((steps, batch, outputs))
        h = np.zeros((batch, outputs)) if h0 is None else np.array(h0[index], np.float64)
        c = np.zeros((batch, units)) if c0 is None else np.array(c0[index], np.float64)
        cut = (lambda z: np.clip(z, -clip, clip)) if clip else (lambda z: z)
        for row in range(batch):
            length = steps if lengths is None else int(lengths[row])
            for step in range(length):
                t = length - 1 - step if d.get("reverse") else step
                z = w @ np.asarray(x[t, row], np.float64) + r @ h[row] + np.asarray(d["b"], np.float64)
                part = {gate: z[order.index(gate) * units:(order.index(gate) + 1) * units]
                        for gate in "iofc"}
                p = d.get("p") or {gate: 0 for gate in "iof"}
                i = f(cut(part["i"] + p["i"] * c[row]))
                forget = 1 - i if input_forget else f(cut(part["f"] + p["f"] * c[row]))
                c[row] = forget * c[row] + i * g(cut(part["c"]))
                o = f(cut(part["o"] + p["o"] * c[row]))
                out = o * last(c[row])
                h[row] = d["P"] @ out if "P" in d else out
                y[t, row] = h[row]
        ys.append(y)
        hs.append(h)
        cs.append(c)
    return np.stack(ys, 1), np.stack(hs), np.stack(cs)


class Table:
    """The list of cases, written beside them."""

    def __init__(self, path, columns):
        self.path, self.rows = path, [columns]

    def add(self, *row):
        self.rows.append([str(part) for part in row])

    def write(self):
        with open(os.path.join(self.path, "CASES.tsv"), "w") as file:
            file.writelines("\t".join(row) + "\n" for row in [self.rows[0]] + sorted(self.rows[1:]))
