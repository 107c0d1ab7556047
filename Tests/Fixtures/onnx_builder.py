"""Builds ONNX files from nodes and arrays, checks them and keeps their expectations."""

import os

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from fixture_values import fixture, lstm, onnx_b, onnx_p, onnx_r, onnx_w

X_TYPES = {np.dtype("float32"): TensorProto.FLOAT, np.dtype("float16"): TensorProto.FLOAT16,
           np.dtype("float64"): TensorProto.DOUBLE, np.dtype("int64"): TensorProto.INT64}


def raw(array, name):
    return numpy_helper.from_array(np.ascontiguousarray(array), name)


def typed(array, name, kind=TensorProto.FLOAT):
    """A tensor in float_data and its like rather than in raw_data."""
    return helper.make_tensor(name, kind, array.shape, array.flatten().tolist())


def weights(ds, prefix="", make=raw):
    """Initializers W, R, and B and P where there are any."""
    tensors = [make(onnx_w(ds), prefix + "W"), make(onnx_r(ds), prefix + "R")]
    if ds[0].Wb is not None:
        tensors.append(make(onnx_b(ds), prefix + "B"))
    if ds[0].P is not None:
        tensors.append(make(onnx_p(ds), prefix + "P"))
    return tensors


def lstm_node(name="lstm", inputs=("X", "W", "R", "B"), outputs=("Y",), **attributes):
    attributes.setdefault("hidden_size", 2)
    if attributes["hidden_size"] is None:
        del attributes["hidden_size"]
    return helper.make_node("LSTM", inputs, outputs, name=name, **attributes)


def value(name, shape, kind=TensorProto.FLOAT):
    return helper.make_tensor_value_info(name, kind, shape)


def constant(name, array):
    return helper.make_node("Constant", [], [name], name=name + "_constant", value=raw(array, name))


def ints(name, *numbers):
    return raw(np.array(numbers, dtype=np.int64), name)


def graph(nodes, initializers=(), inputs=(), outputs=(), name="graph"):
    return helper.make_graph(list(nodes), name, list(inputs), list(outputs), list(initializers))


def model(main, opset=17, ir=8, functions=(), domains=()):
    opsets = [helper.make_opsetid("", opset)] + [helper.make_opsetid(d, 1) for d in domains]
    made = helper.make_model(main, opset_imports=opsets, functions=list(functions),
                             producer_name="lstmpack fixtures")
    made.ir_version = ir
    return made


X = [value("X", ["time", "batch", 3])]


def unknown(name, rank=4, kind=TensorProto.FLOAT):
    """An output whose sizes are not said, only how many."""
    return value(name, [f"{name}_{axis}" for axis in range(rank)], kind)


Y = [unknown("Y")]


class Writer:
    def __init__(self, folder):
        self.folder, self.entries = folder, []

    def path(self, name):
        return os.path.join(self.folder, name)

    def save(self, name, made, layers, check=True, **entry):
        if not isinstance(made, bytes):
            if check:
                onnx.checker.check_model(made)
            made = made.SerializeToString(deterministic=True)
        with open(self.path(name), "wb") as file:
            file.write(made)
        self.entries.append(fixture("onnx/" + name, layers, **entry))

    def one(self, name, ds, about, node=None, make=raw, opset=17, ir=8, x=None, expect=None,
            check=True, **attributes):
        """A main graph of one LSTM with initializers."""
        inputs = ["X", "W", "R"] + (["B"] if ds[0].Wb is not None else [])
        if ds[0].P is not None:
            inputs = inputs + [""] * (7 - len(inputs)) + ["P"]
        node = node or lstm_node(inputs=inputs, **attributes)
        x = x or X
        outputs = [unknown("Y", 4, x[0].type.tensor_type.elem_type)]
        made = model(graph([node], weights(ds, make=make), x, outputs), opset, ir)
        expect = expect or {}
        if len(ds) == 2:
            expect.setdefault("merge", "separate")
        self.save(name, made, [lstm("lstm", ds, **expect)], check=check, about=about)
