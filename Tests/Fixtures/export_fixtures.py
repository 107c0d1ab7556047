"""Models whose settings some kind of file cannot say, with what their frameworks make of an input.

Writes Tests/Fixtures/export: `NAME.ENDING` with `NAME.npz` (`in.INPUT`, `out.OUTPUT`). Needs what make_fixtures.py needs,
and torch and safetensors for the files of PyTorch. Two runs give the same numbers.
"""

import os
import pathlib

os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
os.environ["CUDA_VISIBLE_DEVICES"] = ""

import keras
import numpy as np
import onnx
import onnxruntime
import tf_keras
from onnx import TensorProto, helper, numpy_helper

FOLDER = pathlib.Path(__file__).parent / "export"


def numbers(seed, *shape, scale=0.5):
    return (np.random.default_rng(seed).standard_normal(shape) * scale).astype("f4")


# Keras


def save_keras(name, library, layers, x, **settings):
    library.utils.set_random_seed(1)
    model = library.Sequential([library.layers.Input(x.shape[1:], **settings), *layers])
    model.set_weights([numbers(index, *w.shape) for index, w in enumerate(model.get_weights())])
    ending = "h5" if library is tf_keras else "keras"
    model.save(FOLDER / f"{name}.{ending}")
    outputs = model(x)
    outputs = outputs if isinstance(outputs, (list, tuple)) else [outputs]
    names = {f"out.{index}": np.asarray(output) for index, output in enumerate(outputs)}
    np.savez(FOLDER / f"{name}.npz", **{"in.x": x}, **names)


def keras_models():
    x = numbers(7, 2, 6, 3, scale=1)
    for library, tag in ((keras, "k3"), (tf_keras, "k2")):
        L = library.layers
        save_keras(f"relu_{tag}", library, [L.LSTM(4, activation="relu")], x)
        save_keras(
            f"backwards_{tag}", library, [L.LSTM(4, go_backwards=True, return_sequences=True)], x)
        save_keras(
            f"directions_summed_{tag}", library,
            [L.Bidirectional(L.LSTM(3, return_sequences=True), merge_mode="sum"), L.LSTM(2)], x)
        save_keras(
            f"dilated_same_{tag}", library,
            [L.Conv1D(4, 3, padding="same", dilation_rate=2), L.Conv1D(3, 2, padding="same", dilation_rate=3),
             L.LSTM(2)], x)
        save_keras(
            f"stateful_{tag}", library, [L.LSTM(4, stateful=True, return_sequences=True)], x,
            batch_size=2)
        tokens = np.array([[1, 4, 0, 0, 0], [3, 2, 6, 5, 0]], "i4")
        for kind in ("int32", "uint8"):
            save_keras(
                f"tokens_{kind}_{tag}", library, [L.Embedding(7, 3), L.LSTM(4), L.Dense(2, use_bias=False)],
                tokens.astype(kind), dtype=kind)
        save_keras(
            f"tokens_masked_{tag}", library,
            [L.Embedding(7, 3, mask_zero=True), L.LSTM(4), L.Dense(2, activation="sigmoid")], tokens,
            dtype="int32")
        words = np.array(
            [[[2, 1, 1, 0], [2, 6, 3, 4], [0, 0, 0, 0]], [[0, 0, 5, 4], [1, 2, 3, 0], [4, 4, 5, 4]]], "i4")
        inside = L.TimeDistributed(L.Embedding(7, 3, mask_zero=True))
        save_keras(
            f"words_{tag}", library, [inside, L.TimeDistributed(L.LSTM(4))], words, dtype="int32")
        inside = L.TimeDistributed(L.Embedding(7, 3, mask_zero=True))
        save_keras(
            f"sentences_{tag}", library, [inside, L.TimeDistributed(L.LSTM(4)), L.LSTM(3)], words,
            dtype="int32")
        # The mask is made outside and handed in.
        save_keras(
            f"words_masked_outside_{tag}", library,
            [L.Embedding(7, 3, mask_zero=True), L.TimeDistributed(L.LSTM(4))], words, dtype="int32")


# ONNX

INPUTS, UNITS = 3, 4


def save_onnx(name, nodes, inputs, output, weights, values):
    graph = helper.make_graph(
        nodes, "g", inputs, [helper.make_tensor_value_info(output, TensorProto.FLOAT, None)],
        [numpy_helper.from_array(value, key) for key, value in weights.items()])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    onnx.save(model, FOLDER / f"{name}.onnx")
    result = onnxruntime.InferenceSession(str(FOLDER / f"{name}.onnx")).run(None, values)[0]
    np.savez(
        FOLDER / f"{name}.npz", **{f"in.{key}": value for key, value in values.items()},
        **{f"out.{output}": result})


def onnx_models():
    float_input = helper.make_tensor_value_info("x", TensorProto.FLOAT, ["b", "t", INPUTS])
    lstm = {
        "W": numbers(1, 1, 4 * UNITS, INPUTS), "R": numbers(2, 1, 4 * UNITS, UNITS),
        "B": numbers(3, 1, 8 * UNITS), "h0": numbers(4, 1, 1, UNITS, scale=1),
        "c0": numbers(5, 1, 1, UNITS, scale=1), "one": np.array([1]), "zero": np.array([0]),
        "units": np.array([UNITS]),
    }
    before = [helper.make_node("Transpose", ["x"], ["xt"], perm=[1, 0, 2])]
    rows = [
        helper.make_node("Shape", ["x"], ["shape"]),
        helper.make_node("Gather", ["shape", "zero"], ["b"]),
        helper.make_node("Concat", ["one", "b", "one"], ["repeats"], axis=0),
        helper.make_node("Concat", ["one", "b", "units"], ["wanted"], axis=0),
    ]

    def after(inputs):
        return [
            helper.make_node("LSTM", ["xt", "W", "R", "B", *inputs], ["y", "", ""], hidden_size=UNITS),
            helper.make_node("Squeeze", ["y", "one"], ["ys"]),
            helper.make_node("Transpose", ["ys"], ["out"], perm=[1, 0, 2]),
        ]

    x = numbers(6, 2, 5, INPUTS, scale=1)
    states = ["", "h", "c"]
    for name, make in (
        ("expand", lambda k: [helper.make_node("Expand", [k + "0", "wanted"], [k])]),
        ("tile", lambda k: [helper.make_node("Tile", [k + "0", "repeats"], [k])]),
        ("computed", lambda k: [
            helper.make_node("ConstantOfShape", ["wanted"], [k + "z"]),
            helper.make_node("Cos", [k + "z"], [k])]),
        ("slice", lambda k: [
            helper.make_node("Tile", [k + "0", "repeats"], [k + "t"]),
            helper.make_node("Slice", [k + "t", "zero", "one", "zero"], [k])]),
    ):
        nodes = before + rows + make("h") + make("c") + after(states)
        save_onnx(f"constant_state_{name}", nodes, [float_input], "out", lstm, {"x": x})
    lengths = helper.make_tensor_value_info("lengths", TensorProto.INT32, ["b"])
    save_onnx(
        "lengths", before + after(["lengths"]), [float_input, lengths], "out", lstm,
        {"x": x, "lengths": np.array([5, 2], "i4")})
    given = [
        helper.make_tensor_value_info(k, TensorProto.FLOAT, [1, "b", UNITS]) for k in ("h", "c")]
    save_onnx(
        "states", before + after(states), [float_input, *given], "out", lstm,
        {"x": x, "h": numbers(8, 1, 2, UNITS), "c": numbers(9, 1, 2, UNITS)})
    save_onnx("batch_first", before + after([]), [float_input], "out", lstm, {"x": x})
    tokens = helper.make_tensor_value_info("tokens", TensorProto.INT32, ["b", "t"])
    save_onnx(
        "tokens_int32",
        [helper.make_node("Gather", ["table", "tokens"], ["e"]),
         helper.make_node("Transpose", ["e"], ["xt"], perm=[1, 0, 2]), *after([])],
        [tokens], "out", lstm | {"table": numbers(10, 7, INPUTS)},
        {"tokens": np.array([[1, 4, 2], [3, 0, 6]], "i4")})
    # A cell of PyTorch spelled out; the product of the state stands first.
    cell = {
        "wi": numbers(11, INPUTS, 4 * UNITS), "wh": numbers(12, UNITS, 4 * UNITS),
        "bi": numbers(13, 4 * UNITS), "bh": numbers(14, 4 * UNITS),
    }
    np.savez(FOLDER / "cell_of_two_biases_weights.npz", **cell)
    nodes = [
        helper.make_node("MatMul", ["h", "wh"], ["hw"]), helper.make_node("Add", ["hw", "bh"], ["hg"]),
        helper.make_node("MatMul", ["x", "wi"], ["xw"]), helper.make_node("Add", ["xw", "bi"], ["xg"]),
        helper.make_node("Add", ["hg", "xg"], ["gates"]),
        helper.make_node("Split", ["gates"], ["pi", "pf", "pg", "po"], axis=-1),
        helper.make_node("Sigmoid", ["pi"], ["i"]), helper.make_node("Sigmoid", ["pf"], ["f"]),
        helper.make_node("Tanh", ["pg"], ["g"]), helper.make_node("Sigmoid", ["po"], ["o"]),
        helper.make_node("Mul", ["f", "c"], ["fc"]), helper.make_node("Mul", ["i", "g"], ["ig"]),
        helper.make_node("Add", ["fc", "ig"], ["c1"]), helper.make_node("Tanh", ["c1"], ["tc"]),
        helper.make_node("Mul", ["o", "tc"], ["out"]),
    ]
    inputs = [
        helper.make_tensor_value_info(name, TensorProto.FLOAT, ["b", size])
        for name, size in (("x", INPUTS), ("h", UNITS), ("c", UNITS))]
    save_onnx(
        "cell_of_two_biases", nodes, inputs, "out", cell,
        {"x": numbers(15, 2, INPUTS), "h": numbers(16, 2, UNITS), "c": numbers(17, 2, UNITS)})


# safetensors


def torch_models():
    import torch
    from safetensors.torch import save_file

    for name, kind in (("half_bfloat16", torch.bfloat16), ("half_float16", torch.float16)):
        torch.manual_seed(1)
        lstm = torch.nn.LSTM(3, 16, batch_first=True)
        tensors = {f"lstm.{key}": value.to(kind) for key, value in lstm.state_dict().items()}
        # One tensor stays as it is.
        tensors["lstm.bias_hh_l0"] = lstm.bias_hh_l0.detach().clone()
        tensors["embedding.weight"] = torch.randn(8, 3).to(kind)
        tensors["fc.weight"] = torch.randn(2, 16).to(kind)
        tensors["fc.bias"] = torch.randn(2).to(kind)
        save_file(tensors, FOLDER / f"{name}.safetensors")


if __name__ == "__main__":
    FOLDER.mkdir(exist_ok=True)
    keras_models()
    onnx_models()
    torch_models()
