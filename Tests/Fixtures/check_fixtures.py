"""Checks both expected.json against other people's code: ONNX Runtime folds the weights of the ONNX
files and runs their activations, tf_keras reads the layouts that were laid out by hand."""

import json
import os

import numpy as np
import onnx
import onnxruntime as ort
from onnx import helper, numpy_helper

FOLDER = os.path.dirname(os.path.abspath(__file__))
ONNX = ["input", "output", "forget", "cell"]
KERAS = ["input", "forget", "cell", "output"]

FUNCTIONS = {
    "sigmoid": lambda x, a, b: 1 / (1 + np.exp(-x)),
    "tanh": lambda x, a, b: np.tanh(x),
    "relu": lambda x, a, b: np.maximum(x, 0),
    "hardSigmoid": lambda x, a, b: np.clip(a * x + b, 0, 1),
    "affine": lambda x, a, b: a * x + b,
    "leakyRelu": lambda x, a, b: np.where(x >= 0, x, a * x),
    "thresholdedRelu": lambda x, a, b: np.where(x > a, x, 0),
    "scaledTanh": lambda x, a, b: a * np.tanh(b * x),
    "elu": lambda x, a, b: np.where(x >= 0, x, a * (np.exp(x) - 1)),
    "softsign": lambda x, a, b: x / (1 + np.abs(x)),
    "softplus": lambda x, a, b: np.log1p(np.exp(x)),
}

# Types and forms that ONNX Runtime does not run, and names that are not those of the main graph.
NOT_FOR_RUNTIME = tuple("onnx/" + n for n in (
    "bfloat16", "layout-1", "no-hidden", "float16", "double", "external", "function-scope",
    "loop-carried", "weights-from"))
# One LSTM whose initializers may be divided by 64.
TO_RUN = tuple("onnx/" + n for n in (
    "initializers", "reverse", "bidirectional", "no-bias", "peepholes", "clip", "input-forget",
    "hard-sigmoid", "activations"))


def stacked(direction, name, gates=ONNX):
    return np.concatenate([np.array(direction[name][g], np.float32) for g in gates])


def load(entry):
    return onnx.load(os.path.join(FOLDER, entry["file"]))


def session(made):
    return ort.InferenceSession(made.SerializeToString())


def check_folding(entry):
    """The tensors W, R, B of the main graph, computed by ONNX Runtime."""
    made = load(entry)
    makers = {output: node for node in made.graph.node for output in node.output}
    stored = {t.name for t in made.graph.initializer}
    names = [n for n in "WRB" if n in makers or n in stored]
    if len(names) < 2:
        return False
    needed, wanted = [], list(names)
    while wanted:  # the nodes that W, R and B depend on
        node = makers.get(wanted.pop())
        if node and node not in needed:
            needed.append(node)
            wanted += node.input
    nodes = [n for n in made.graph.node if n in needed]
    nodes += [helper.make_node("Identity", [n], [n + "_out"]) for n in names]
    for field in ("node", "input", "output"):
        made.graph.ClearField(field)
    made.ClearField("functions")
    made.graph.node.extend(nodes)
    made.graph.output.extend(
        helper.make_tensor_value_info(n + "_out", onnx.TensorProto.FLOAT, None) for n in names)
    found = dict(zip(names, session(made).run(None, {})))
    directions = entry["lstm"][0]["directions"]
    np.testing.assert_array_equal(
        found["W"], np.stack([stacked(d, "inputWeights") for d in directions]))
    np.testing.assert_array_equal(
        found["R"], np.stack([stacked(d, "recurrentWeights") for d in directions]))
    if "B" in found:
        np.testing.assert_array_equal(found["B"], np.stack(
            [np.concatenate([stacked(d, "bias"), stacked(d, "recurrentBias")])
             for d in directions]))
    return True


def check_activations(entry):
    """A run of one LSTM with its weights divided by 64, so that no gate saturates."""
    made = load(entry)
    for tensor in made.graph.initializer:
        small = (numpy_helper.to_array(tensor) / 64).astype(np.float32)
        tensor.CopyFrom(numpy_helper.from_array(small, tensor.name))
    x = np.random.default_rng(1).normal(size=(5, 1, 3)).astype(np.float32)
    y = session(made).run(None, {"X": x})[0]
    layer = entry["lstm"][0]
    for index, d in enumerate(layer["directions"]):
        order = range(5) if d["direction"] == "forward" else range(4, -1, -1)
        expected = run(layer, d, x[:, 0], order)
        np.testing.assert_allclose(y[:, index, 0], expected, rtol=1e-4, atol=1e-5)


def run(layer, d, x, order):
    def apply(which, value):
        a = d[which + "Activation"]
        return FUNCTIONS[a["function"]](value, a["alpha"], a["beta"])

    def part(name, gate):
        return np.array(d[name][gate], np.float32) / 64 if d[name] else 0

    h = c = np.zeros(layer["hiddenSize"], np.float32)
    outputs = np.zeros((len(x), layer["hiddenSize"]), np.float32)
    for t in order:
        z = {g: part("inputWeights", g) @ x[t] + part("recurrentWeights", g) @ h
             + part("bias", g) + part("recurrentBias", g) for g in KERAS}
        if d["peepholes"]:
            z["input"] = z["input"] + part("peepholes", "input") * c
            z["forget"] = z["forget"] + part("peepholes", "forget") * c
        if layer["clip"]:
            z = {g: np.clip(v, -layer["clip"], layer["clip"]) for g, v in z.items()}
        i, f = apply("gate", z["input"]), apply("gate", z["forget"])
        if layer["couplesInputAndForget"]:
            f = 1 - i
        c = f * c + i * apply("cell", z["cell"])
        if d["peepholes"]:
            z["output"] = z["output"] + part("peepholes", "output") * c
        h = apply("gate", z["output"]) * apply("output", c)
        outputs[t] = h
    return outputs


def check_legacy_layouts(entries):
    """tf_keras turns the arrays of Keras 1 and of CuDNNLSTM into today's layout on load."""
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    import tf_keras

    for name in ["k1-no-version.h5", "cudnn-weights-only.h5", "weights-2.2.4-tf.h5"]:
        entry = entries["keras/" + name]
        d = entry["lstm"][0]["directions"][0]
        layer = tf_keras.layers.LSTM(2, name=entry["lstm"][0]["name"])
        model = tf_keras.Sequential([tf_keras.layers.Input((5, 3)), layer])
        model.load_weights(os.path.join(FOLDER, entry["file"]))
        kernel, recurrent, bias = layer.get_weights()
        np.testing.assert_array_equal(kernel, stacked(d, "inputWeights", KERAS).T)
        np.testing.assert_array_equal(recurrent, stacked(d, "recurrentWeights", KERAS).T)
        expected = stacked(d, "bias", KERAS)
        if d["recurrentBias"]:
            expected = expected + stacked(d, "recurrentBias", KERAS)
        np.testing.assert_array_equal(bias, expected)


def main():
    ort.set_default_logger_severity(4)
    entries = {}
    for folder in ("keras", "onnx"):
        with open(os.path.join(FOLDER, folder, "expected.json"), encoding="utf-8") as file:
            entries |= {e["file"]: e for e in json.load(file)["fixtures"]}
    folded = ran = 0
    for file, entry in entries.items():
        if not file.startswith("onnx/") or file.startswith(NOT_FOR_RUNTIME):
            continue
        try:
            folded += check_folding(entry)
            if file.startswith(TO_RUN):
                check_activations(entry)
                ran += 1
        except AssertionError as error:
            raise SystemExit(f"{file}: {error}") from error
    check_legacy_layouts(entries)
    print(f"weights of {folded} files folded, {ran} files run, 3 legacy layouts read: all equal")


if __name__ == "__main__":
    main()
