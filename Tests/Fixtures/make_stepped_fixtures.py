"""Models that take one step a call and pass their states through inputs and outputs, and what ONNX Runtime makes of
sequences that go through them call by call (stepped/NAME.npz: x and y, both [sequences, calls, ...]).

    python3 Tests/Fixtures/make_stepped_fixtures.py      needs numpy, onnx, onnxruntime
"""

import os

import numpy as np
import onnx
import onnxruntime
from onnx import TensorProto, helper, numpy_helper

FOLDER = os.path.join(os.path.dirname(os.path.abspath(__file__)), "stepped")
SEQUENCES, CALLS = 2, 12


def ints(name, *numbers):
    return numpy_helper.from_array(np.array(numbers, np.int64), name)


def node(operation, inputs, outputs, **attributes):
    return helper.make_node(operation, inputs, outputs, name=outputs[0] + "_node", **attributes)


def lstm(name, inputs, outputs, size, hidden, random):
    """An LSTM node with its weights; inputs are x, h and c."""
    shapes = {"W": (1, 4 * hidden, size), "R": (1, 4 * hidden, hidden), "B": (1, 8 * hidden)}
    weights = [numpy_helper.from_array(random.normal(0, 0.7, shape).astype("f4"), f"{name}_{key}")
               for key, shape in shapes.items()]
    x, h, c = inputs
    return helper.make_node("LSTM", [x, f"{name}_W", f"{name}_R", f"{name}_B", "", h, c], outputs, name=name,
                            hidden_size=hidden), weights


def save(name, nodes, initializers, inputs, outputs, pairs):
    def values(items):
        return [helper.make_tensor_value_info(n, TensorProto.FLOAT, s) for n, s in items]

    graph = helper.make_graph(nodes, name, values(inputs), values(outputs), initializers)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], producer_name="lstmpack fixtures")
    model.ir_version = 8
    onnx.checker.check_model(model)
    path = os.path.join(FOLDER, name + ".onnx")
    onnx.save(model, path)
    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    x = np.random.default_rng(5).normal(0, 1, (SEQUENCES, CALLS) + tuple(inputs[0][1][1:])).astype("f4")
    y = []
    for sequence in x:
        states = {n: np.zeros([s or 1 for s in shape], "f4") for n, shape in inputs[1:]}
        row = []
        for call in sequence:
            found = dict(zip([n for n, _ in outputs], session.run(None, {inputs[0][0]: call[None], **states})))
            states.update({i: found[o] for o, i in pairs})
            row.append(found[outputs[0][0]][0])
        y.append(row)
    np.savez(os.path.join(FOLDER, name + ".npz"), x=x, y=np.array(y))


def packed(name, swaps):
    """Two layers whose h and c are one tensor [1, layers, units, 2], as in DTLN; `swaps` gives the layers back in
    another order, so that the output does not continue the input."""
    random = np.random.default_rng(1)
    first, w1 = lstm("first", ("x_t", "h0", "c0"), ("y0", "h0n", "c0n"), 3, 4, random)
    second, w2 = lstm("second", ("y0_s", "h1", "c1"), ("y1", "h1n", "c1n"), 4, 4, random)
    nodes, constants = [node("Transpose", ["x"], ["x_t"], perm=[1, 0, 2])], [
        ints("axes13", 1, 3), ints("axis0", 0), ints("axis1", 1), ints("last", -1),
        ints("s", 1, 3), ints("one", 1, 1), ints("flat", 1, 1, 4)]
    for layer in (0, 1):
        for place, key in ((0, "h"), (1, "c")):
            out = f"{key}{layer}"
            constants += [ints(out + "_from", layer, place), ints(out + "_to", layer + 1, place + 1)]
            nodes += [node("Slice", ["state", out + "_from", out + "_to", "axes13", "one"], [out + "_cut"]),
                      node("Squeeze", [out + "_cut", "s"], [out + "_flat"]),
                      node("Unsqueeze", [out + "_flat", "axis0"], [out])]
    nodes += [first, node("Squeeze", ["y0", "axis1"], ["y0_s"]), second, node("Squeeze", ["y1", "axis1"], ["y1_s"])]
    order = (1, 0) if swaps else (0, 1)
    for key in "hc":
        for layer in (0, 1):
            nodes.append(node("Transpose", [f"{key}{layer}n"], [f"{key}{layer}t"], perm=[1, 0, 2]))
        nodes += [node("Concat", [f"{key}{layer}t" for layer in order], [key + "_layers"], axis=1),
                  node("Unsqueeze", [key + "_layers", "last"], [key + "_last"])]
    nodes += [node("Concat", ["h_last", "c_last"], ["state_out"], axis=-1),
              node("Transpose", ["y1_s"], ["y"], perm=[1, 0, 2])]
    save(name, nodes, constants + w1 + w2, [("x", [1, 1, 3]), ("state", [1, 2, 4, 2])],
         [("y", [1, 1, 4]), ("state_out", [1, 2, 4, 2])], [("state_out", "state")])


def average():
    """h and c apart for any number of sequences, and a moving average that the graph does not tell to be a state."""
    random = np.random.default_rng(2)
    cell, weights = lstm("cell", ("x_t", "h", "c"), ("y_all", "h_out", "c_out"), 3, 4, random)
    nodes = [node("Mul", ["mean", "decay"], ["old"]), node("Mul", ["x", "rest"], ["new"]),
             node("Add", ["old", "new"], ["mean_out"]), node("Sub", ["x", "mean_out"], ["centred"]),
             node("Transpose", ["centred"], ["x_t"], perm=[1, 0, 2]), cell,
             node("Squeeze", ["y_all", "axis1"], ["y_s"]), node("Transpose", ["y_s"], ["y"], perm=[1, 0, 2])]
    constants = [ints("axis1", 1), numpy_helper.from_array(np.array([0.8], "f4"), "decay"),
                 numpy_helper.from_array(np.array([0.2], "f4"), "rest")]
    save("average", nodes, constants + weights,
         [("x", [None, 1, 3]), ("h", [1, None, 4]), ("c", [1, None, 4]), ("mean", [None, 1, 3])],
         [("y", [None, 1, 4]), ("h_out", [1, None, 4]), ("c_out", [1, None, 4]), ("mean_out", [None, 1, 3])],
         [("h_out", "h"), ("c_out", "c"), ("mean_out", "mean")])


def samples():
    """A call takes six samples of one sequence, [1, 6], which make two steps of three features."""
    random = np.random.default_rng(3)
    cell, weights = lstm("cell", ("x_t", "h", "c"), ("y_all", "h_out", "c_out"), 3, 4, random)
    nodes = [node("Reshape", ["x", "steps"], ["x_t"]), cell,
             node("Reshape", ["h_out", "row"], ["h_row"]), node("ReduceSum", ["h_row", "axis1"], ["sum"]),
             node("Sigmoid", ["sum"], ["probability"])]
    save("samples", nodes, [ints("steps", 2, 1, 3), ints("row", 1, 4), ints("axis1", 1)] + weights,
         [("x", [1, 6]), ("h", [1, 1, 4]), ("c", [1, 1, 4])],
         [("probability", [1, 1]), ("h_out", [1, 1, 4]), ("c_out", [1, 1, 4])], [("h_out", "h"), ("c_out", "c")])


if __name__ == "__main__":
    os.makedirs(FOLDER, exist_ok=True)
    packed("packed", swaps=False)
    packed("swapped", swaps=True)
    average()
    samples()
    print("\n".join(sorted(os.listdir(FOLDER))))
