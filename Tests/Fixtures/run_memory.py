"""Small ONNX files whose nodes want gigabytes or work without end, in `run-memory`.

    python3 run_memory.py          # needs numpy and onnx
"""

import pathlib

import numpy as np
import onnx
from onnx import helper, numpy_helper

FOLDER = pathlib.Path(__file__).parent / "run-memory"
RANDOM = np.random.default_rng(0)
W = RANDOM.standard_normal((1, 16, 3)).astype(np.float32)
R = RANDOM.standard_normal((1, 16, 4)).astype(np.float32)


def node(operation, inputs, outputs, **attributes):
    return helper.make_node(operation, inputs, outputs, **attributes)


def save(name, nodes, constants, outputs):
    """An LSTM of 3 inputs and 4 units, and nodes after it."""
    lstm = node("LSTM", ["x", "W", "R"], ["Y", "Yh", "Yc"], hidden_size=4, name="lstm")
    graph = helper.make_graph(
        [lstm] + nodes, "g",
        [helper.make_tensor_value_info("x", onnx.TensorProto.FLOAT, ["B", "T", 3])],
        [helper.make_tensor_value_info(o, onnx.TensorProto.FLOAT, None) for o in outputs],
        [numpy_helper.from_array(W, "W"), numpy_helper.from_array(R, "R")]
        + [numpy_helper.from_array(np.array(value), name) for name, value in constants.items()])
    onnx.save(
        helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8),
        FOLDER / name)


def integers(*values):
    return np.array(values, dtype=np.int64)


def main():
    FOLDER.mkdir(exist_ok=True)
    np.save(FOLDER / "x.npy", np.linspace(-1, 1, 12, dtype=np.float32).reshape(2, 2, 3))
    # Half a gigabyte, five times.
    save("expand5.onnx",
         [node("Expand", ["Yh", "e"], ["v0"])]
         + [node("Exp", [f"v{i}"], [f"v{i + 1}"]) for i in range(5)],
         {"e": integers(2**24, 2, 4)}, ["v5"])
    save("tile.onnx", [node("Tile", ["Yh", "e"], ["v0"])], {"e": integers(2**24, 1, 1)}, ["v0"])
    save("matmul2.onnx",
         [node("Reshape", ["Yh", "shape"], ["q"]), node("Expand", ["q", "e"], ["v0"]),
          node("Transpose", ["v0"], ["v1"], perm=[1, 0]), node("MatMul", ["v0", "v1"], ["v2"])],
         {"shape": integers(1, -1), "e": integers(16000, 8)}, ["v2"])
    # Sizes that come from the shape of the input: 12 gigabytes of values that stay alive.
    nodes = [node("Shape", ["x"], ["s"]), node("Gather", ["s", "zero"], ["s0"], axis=0)]
    constants = {"zero": np.int64(0), "one": np.int64(1)}
    ranges = [f"r{i}" for i in range(6)]
    for i, name in enumerate(ranges):
        constants[f"b{i}"] = np.int64(2**27 - 1 - i)
        nodes += [node("Mul", ["s0", f"b{i}"], [f"m{i}"]),
                  node("Range", ["zero", f"m{i}", "one"], [name])]
    save("range6.onnx", nodes + [node("Concat", ranges, ["all"], axis=0)], constants,
         ["Yh"] + ranges)
    # Constants without elements: worked out naively, each doubles the work.
    save("empty-doubling.onnx",
         [node("Add", [f"c{i}", f"c{i}"], [f"c{i + 1}"]) for i in range(31)],
         {"c0": np.zeros((0,), np.float32)}, ["Yh", "c31"])


if __name__ == "__main__":
    main()
