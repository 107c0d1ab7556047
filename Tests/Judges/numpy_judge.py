#!/usr/bin/env python3
"""Judges lstmpack's factors and packed weights from outside, with numpy.

For each checkpoint: every LSTM gate matrix is read by h5py or onnx (through golden.py of the shared models), factored and
packed by lstmpack, read back by examples/read_bvq, and compared:

- truncated SVD at ranks 1, 8, 32: the residual against numpy's optimum, as a ratio;
- quantization at 8, 4, 3, 2 bits, ternary and 1 bit: the error against crude_baseline.py's rounding, as a ratio.

usage: numpy_judge.py LSTMPACK SHARED [FILE ...]     (needs numpy, h5py, onnx)
Prints a line per file and method, the worst ratio in it; exits 1 when a limit is passed."""
import glob
import importlib.util
import os
import re
import subprocess
import sys
import tempfile

import numpy as np

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
GATES = ["input", "forget", "cell", "output"]
KERAS = {"input": 0, "forget": 1, "cell": 2, "output": 3}
ONNX = {"input": 0, "output": 1, "forget": 2, "cell": 3}
SVD_LIMIT = 1 + 1e-4
# Our scale is a float16, crude_baseline's a float64: where both are at the optimum of one bit, ours is above by the
# rounding of the scale alone, at most 2^-22 of the sum of squares.
QUANTIZATION_LIMIT = 1 + 1e-6


def load_module(path, name):
    spec = importlib.util.spec_from_file_location(name, path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def crude_methods(shared):
    """The functions of crude_baseline.py, which runs on import: take its definitions only."""
    text = open(os.path.join(shared, "models/eval/crude_baseline.py")).read()
    text = text[: text.index("src, out = sys.argv")]
    space = {}
    exec(compile(text, "crude_baseline", "exec"), space)
    unif, methods = space["unif"], space["M"]
    return {
        "8": lambda w: unif(w, 8), "4": methods["int4"], "3": lambda w: unif(w, 3), "2": methods["q2"],
        "ternary": methods["tern"], "1": methods["bin"],
    }


def source_matrices(path, shared):
    """[(rows x columns matrix)] of every gate, by golden.py: a multiset, whatever the names."""
    with tempfile.TemporaryDirectory() as folder:
        subprocess.run([sys.executable, os.path.join(shared, "models/eval/golden.py"), "--dump", folder, path],
                       check=True, capture_output=True)
        result = {}
        for name in sorted(os.listdir(folder)):
            tensor = np.load(os.path.join(folder, name)).astype(np.float32)
            kind = re.search(r"__(kernel|recurrent|W|R)\.npy$", name)
            if not kind:
                continue
            kind = kind.group(1)
            if tensor.ndim == 2:
                blocks = {g: np.split(tensor, 4, axis=1)[KERAS[g]].T for g in GATES}
                sets = [blocks]
            else:
                sets = [{g: np.split(d, 4, axis=0)[ONNX[g]] for g in GATES} for d in tensor]
            for blocks in sets:
                for gate in GATES:
                    matrix = np.ascontiguousarray(blocks[gate])
                    result[matrix.tobytes()] = matrix
        return list(result.values())


def packed(lstmpack, path, arguments, reader):
    """The dequantized gate matrices after a command and ""; or None and why it refused."""
    with tempfile.TemporaryDirectory() as folder:
        out = os.path.join(folder, "out.bvq")
        run = subprocess.run([lstmpack] + arguments[:1] + [path] + arguments[1:] + ["--out", out], capture_output=True,
                             text=True, stdin=subprocess.DEVNULL)
        if run.returncode:
            return None, run.stderr.strip()
        return reader(out), ""


def nearest(matrix, candidates):
    """The candidate of the same shape that lies nearest: its pair, as all errors are far below the distances."""
    same = [c for c in candidates if c.shape == matrix.shape]
    return min(same, key=lambda c: np.linalg.norm(c.astype(np.float64) - matrix))


def main():
    lstmpack, shared = os.path.abspath(sys.argv[1]), os.path.abspath(sys.argv[2])
    files = sys.argv[3:] or sorted(
        f for e in ("h5", "hdf5", "keras", "onnx") for f in glob.glob(os.path.join(shared, "models/dev/*." + e)))
    module = load_module(os.path.join(ROOT, "examples/read_bvq/read_bvq.py"), "read_bvq")

    def reader(path):
        tensors = module.load(path)[1]
        names = {re.sub("/(left|right)$", "", name) for name in tensors}
        return [module.matrix(tensors, name) for name in sorted(names)
                if re.search("/(input|recurrent)/(input|forget|cell|output)$", name)]

    crude = crude_methods(shared)
    failed = False
    for path in files:
        name = os.path.basename(path)
        sources = source_matrices(path, shared)
        if not sources:
            print(f"{name}: no LSTM matrices")
            continue
        for rank in (1, 8, 32):
            found, refusal = packed(lstmpack, path, ["lowrank", "--rank", str(rank)], reader)
            if found is None:
                print(f"{name}: rank {rank}: refused: {refusal[-120:]}")
                continue
            worst, count = 0, 0
            for w in sources:
                w64 = w.astype(np.float64)
                u, s, v = np.linalg.svd(w64, full_matrices=False)
                if rank >= w.shape[0] * w.shape[1] / (w.shape[0] + w.shape[1]):
                    continue
                best = (u[:, :rank] * s[:rank]) @ v[:rank]
                optimum = np.linalg.norm(w64 - best) / np.linalg.norm(w64)
                ours = np.linalg.norm(w64 - nearest(best, found)) / np.linalg.norm(w64)
                worst, count = max(worst, (ours + 1e-12) / (optimum + 1e-6)), count + 1
            failed |= worst > SVD_LIMIT
            print(f"{name}: rank {rank}: {count} matrices, worst residual / optimum {worst:.7f}")
        for bits, rounding in crude.items():
            found, refusal = packed(lstmpack, path, ["quantize", "--bits", bits], reader)
            if found is None:
                print(f"{name}: {bits}: refused: {refusal[-120:]}")
                continue
            worst = 0
            for w in sources:
                w64 = w.astype(np.float64)
                # crude_baseline scales each column of [inputs, outputs]: our rows.
                rough = np.linalg.norm(w64 - rounding(w64.T).T)
                ours = np.linalg.norm(w64 - nearest(w64, found))
                worst = max(worst, ours / rough if ours > 0 else 0)
            failed |= worst > QUANTIZATION_LIMIT
            print(f"{name}: {bits}: {len(sources)} matrices, worst error / crude {worst:.4f}")
    sys.exit(int(failed))


if __name__ == "__main__":
    main()
