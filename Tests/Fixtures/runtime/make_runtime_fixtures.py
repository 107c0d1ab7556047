"""Writes small models with an input and what ONNX Runtime or Keras makes of it, and, with
--shared DIR, what they compute inside the models of that folder.

usage: make_runtime_fixtures.py [--shared DIR]

Beside this script: `<case>.onnx`, `.h5` or `.keras`, and `<case>.npz` with the arrays
`in.<input>` and `out.<output>`. `recorded/` holds the arrays of the shared models.
"""

import argparse
import io
import json
import os
import sys
import wave
import zipfile
import zlib

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("CUDA_VISIBLE_DEVICES", "-1")
os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "0")
os.environ["KERAS_BACKEND"] = "tensorflow"

import numpy as np
import onnx
import onnxruntime
from onnx import TensorProto, helper, numpy_helper

FOLDER = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.dirname(FOLDER))

FLOAT, INT64, INT32 = TensorProto.FLOAT, TensorProto.INT64, TensorProto.INT32
HALF = 0.5


def path(name):
    return os.path.join(FOLDER, name)


def save(file, arrays):
    """An .npz without compression and without dates, so that two runs give the same bytes."""
    with zipfile.ZipFile(file, "w", zipfile.ZIP_STORED) as archive:
        for name, array in arrays.items():
            data = io.BytesIO()
            np.lib.format.write_array(data, np.array(array, order="C"), allow_pickle=False)
            archive.writestr(zipfile.ZipInfo(name + ".npy", (2026, 1, 1, 0, 0, 0)), data.getvalue())


class Random:
    """Numbers that depend on the name of the case only."""

    def __init__(self, case):
        self.generator = np.random.default_rng(zlib.crc32(case.encode()))

    def __call__(self, *shape, low=-HALF, high=HALF):
        return self.generator.uniform(low, high, shape).astype(np.float32)

    def tokens(self, count, *shape):
        return self.generator.integers(0, count, shape, dtype=np.int64)


# ONNX


class Graph:
    """An ONNX graph under construction; `op` gives the name, or names, of its outputs."""

    def __init__(self, case, opset=14):
        self.case, self.opset, self.random = case, opset, Random(case)
        self.nodes, self.tensors, self.inputs, self.outputs, self.feeds = [], [], [], [], {}

    def input(self, name, array, dims=None):
        kind = helper.np_dtype_to_tensor_dtype(array.dtype)
        dims = dims or array.shape
        self.inputs.append(helper.make_tensor_value_info(name, kind, dims))
        self.feeds[name] = array
        return name

    def data(self, *shape, name="X", scale=2, dims=None):
        """A graph input of random numbers."""
        return self.input(name, self.random(*shape) * np.float32(scale), dims)

    def output(self, value, name, rank=None, kind=FLOAT):
        """Makes the value of a node an output of the graph, under a name of its own."""
        for node in self.nodes:
            for names in (node.input, node.output):
                for i, n in enumerate(names):
                    if n == value:
                        names[i] = name
        dims = None if rank is None else [f"{name}_{axis}" for axis in range(rank)]
        self.outputs.append(helper.make_tensor_value_info(name, kind, dims))

    def tensor(self, array, name=None):
        array = np.asarray(array)
        name = name or f"t{len(self.tensors)}"
        self.tensors.append(numpy_helper.from_array(np.ascontiguousarray(array), name)
                            if array.ndim else numpy_helper.from_array(array, name))
        return name

    def weights(self, *shape, name=None, **options):
        return self.tensor(self.random(*shape, **options), name)

    def ints(self, *numbers):
        return self.tensor(np.array(numbers, np.int64))

    def scalar(self, number, kind=np.float32):
        return self.tensor(np.array(number, kind))

    def op(self, kind, *inputs, outputs=1, **attributes):
        index = len(self.nodes)
        names = [f"{kind.lower()}_{index}" + (f"_{i}" if i else "") for i in range(outputs)]
        self.nodes.append(helper.make_node(kind, inputs, names, name=f"{kind}_{index}",
                                           **attributes))
        return names[0] if outputs == 1 else names

    def constant(self, array):
        return self.op("Constant", value=numpy_helper.from_array(np.asarray(array)))

    def lstm(self, x, inputs, units, directions=1, bias=True, peepholes=False, lengths="", h="",
             c="", **attributes):
        """An LSTM node with weights of its own; gives Y, Y_h and Y_c."""
        if directions == 2:
            attributes["direction"] = "bidirectional"
        names = [x, self.weights(directions, 4 * units, inputs),
                 self.weights(directions, 4 * units, units),
                 self.weights(directions, 8 * units) if bias else "", lengths, h, c,
                 self.weights(directions, 3 * units) if peepholes else ""]
        while names[-1] == "":
            names.pop()
        return self.op("LSTM", *names, outputs=3, hidden_size=units, **attributes)

    def model(self):
        graph = helper.make_graph(self.nodes, self.case, self.inputs, self.outputs, self.tensors)
        made = helper.make_model(graph, opset_imports=[helper.make_opsetid("", self.opset)],
                                 producer_name="lstmpack fixtures")
        made.ir_version = 3 if self.opset < 8 else 10 if self.opset > 20 else 8
        if made.ir_version == 3:  # initializers had to be inputs too
            made.graph.input.extend(helper.make_tensor_value_info(t.name, t.data_type, t.dims)
                                    for t in self.tensors)
        onnx.checker.check_model(made)
        return made

    def write(self, results=None, reverse=False):
        made = self.model()
        if results is None:
            results = run_onnx(made, self.feeds)
        if reverse:
            nodes = list(made.graph.node)[::-1]
            del made.graph.node[:]
            made.graph.node.extend(nodes)
        with open(path(self.case + ".onnx"), "wb") as file:
            file.write(made.SerializeToString(deterministic=True))
        arrays = {"in." + name: array for name, array in self.feeds.items()}
        arrays.update({"out." + name: array for name, array in results.items()})
        save(path(self.case + ".npz"), arrays)


def run_onnx(model, feeds):
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    options.log_severity_level = 3
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    session = onnxruntime.InferenceSession(model.SerializeToString(), options,
                                           providers=["CPUExecutionProvider"])
    names = [output.name for output in session.get_outputs()]
    return dict(zip(names, session.run(names, feeds)))


def lstm_case(name, time=6, batch=2, inputs=3, units=4, directions=1, state=False, lengths=None,
              lengths_input=False, weights_input=False, opset=14, scale=4, bias=True,
              peepholes=False, **attributes):
    """One LSTM with all its outputs. `scale` times 0.5 bounds X."""
    g = Graph("lstm_" + name, opset)
    batchwise = attributes.get("layout") == 1
    batch = len(lengths) if lengths else batch
    x = g.random(time, batch, inputs) * np.float32(scale)
    h = g.random(directions, batch, units)
    c = g.random(directions, batch, units) * np.float32(2)
    arrays = [g.random(directions, 4 * units, inputs), g.random(directions, 4 * units, units),
              g.random(directions, 8 * units), g.random(directions, 3 * units)]

    def make(g, turn):
        """The graph; `turn` puts the batch first."""
        names = [g.input("X", x.transpose(1, 0, 2) if turn else x)]
        for letter, array, there in zip("WRBP", arrays, (True, True, bias, peepholes)):
            if not there:
                names.append("")
            elif weights_input:
                names.append(g.input(letter, array))
            else:
                names.append(g.tensor(array, letter))
        p = names.pop()
        if lengths is None:
            names.append("")
        elif lengths_input:
            g.input("lengths", np.array(lengths, np.int64))
            names.append(g.op("Cast", "lengths", to=INT32))
        else:
            names.append(g.tensor(np.array(lengths, np.int32), "sequence_lens"))
        for state_name, array in (("initial_h", h), ("initial_c", c)):
            if state:
                array = array.transpose(1, 0, 2) if turn else array
                names.append(g.input(state_name, np.ascontiguousarray(array)))
            else:
                names.append("")
        names.append(p)
        while names[-1] == "":
            names.pop()
        outputs = ["Y", "Y_h", "Y_c"]
        kept = {k: v for k, v in attributes.items() if turn or k != "layout"}
        if directions == 2:
            kept["direction"] = "bidirectional"
        g.nodes.append(helper.make_node("LSTM", names, outputs, name="lstm", hidden_size=units,
                                        **kept))
        for output, rank in zip(outputs, (4, 3, 3)):
            g.output(output, output, rank)
        return g

    if batchwise:
        # ONNX Runtime refuses layout 1: the expected arrays are those of layout 0, transposed.
        plain = make(Graph(g.case, opset), False)
        results = run_onnx(plain.model(), plain.feeds)
        results["Y"] = results["Y"].transpose(2, 0, 1, 3)
        for output in ("Y_h", "Y_c"):
            results[output] = results[output].transpose(1, 0, 2)
        make(g, True).write(results)
    else:
        make(g, False).write()


def onnx_lstms():
    lstm_case("forward", time=9, batch=3, inputs=5, units=7)
    lstm_case("opset7", opset=7)
    lstm_case("opset22", opset=22)
    lstm_case("no_bias", bias=False)
    lstm_case("reverse", direction="reverse")
    lstm_case("bidirectional", directions=2, inputs=4, units=6)
    lstm_case("one_step", time=1, state=True, directions=2)
    lstm_case("state", state=True)
    lstm_case("state_reverse", state=True, direction="reverse")
    lstm_case("state_bidirectional", state=True, directions=2, units=3)
    lstm_case("peepholes", peepholes=True, state=True)
    lstm_case("peepholes_bidirectional", peepholes=True, directions=2)
    lstm_case("weights_input", weights_input=True, peepholes=True, state=True, units=3)

    lstm_case("clip", clip=0.4, state=True, scale=6)
    lstm_case("clip_peepholes", clip=0.4, state=True, peepholes=True, scale=6)
    lstm_case("clip_no_bias", clip=0.4, bias=False, directions=2, scale=6)
    lstm_case("coupled", input_forget=1, state=True)
    lstm_case("coupled_peepholes", input_forget=1, state=True, peepholes=True)
    lstm_case("coupled_bidirectional", input_forget=1, directions=2)
    lstm_case("coupled_clip", input_forget=1, clip=0.4, state=True, scale=6)

    lstm_case("hard_sigmoid", activations=["HardSigmoid", "Tanh", "Tanh"])
    lstm_case("hard_sigmoid_slope", activations=["HardSigmoid", "Tanh", "Tanh"],
              activation_alpha=[1 / 6], activation_beta=[0.45])
    lstm_case("hard_sigmoid_everywhere", activations=["HardSigmoid"] * 3,
              activation_alpha=[0.3, 0.25, 0.4], activation_beta=[0.4, 0.3, 0.1])
    lstm_case("relu", activations=["Sigmoid", "Relu", "Relu"])
    lstm_case("leaky_relu", activations=["Sigmoid", "LeakyRelu", "LeakyRelu"],
              activation_alpha=[0.1, 0.3])
    lstm_case("leaky_relu_default", activations=["Sigmoid", "LeakyRelu", "LeakyRelu"])
    lstm_case("elu", activations=["Sigmoid", "Elu", "Elu"], activation_alpha=[0.7, 1.2])
    lstm_case("elu_default", activations=["Sigmoid", "Elu", "Tanh"])
    lstm_case("softsign", activations=["Sigmoid", "Softsign", "Softsign"])
    lstm_case("softplus", activations=["Sigmoid", "Softplus", "Tanh"])
    lstm_case("scaled_tanh", activations=["Sigmoid", "ScaledTanh", "ScaledTanh"],
              activation_alpha=[1.2, 0.8], activation_beta=[0.6, 0.9])
    lstm_case("thresholded_relu", activations=["Sigmoid", "ThresholdedRelu", "ThresholdedRelu"],
              activation_alpha=[0.2, 0.1])
    lstm_case("affine", activations=["Sigmoid", "Affine", "Affine"],
              activation_alpha=[0.5, 0.7], activation_beta=[0.1, -0.2])
    lstm_case("mixed_alpha", activations=["HardSigmoid", "Tanh", "LeakyRelu"],
              activation_alpha=[0.3, 0.15], activation_beta=[0.4])
    lstm_case("activations_bidirectional", directions=2,
              activations=["Sigmoid", "Tanh", "Softsign", "HardSigmoid", "Relu", "Tanh"],
              activation_alpha=[0.3], activation_beta=[0.45])
    lstm_case("activations_bidirectional_alpha", directions=2, units=3,
              activations=["HardSigmoid", "LeakyRelu", "Elu", "HardSigmoid", "Elu", "ScaledTanh"],
              activation_alpha=[0.25, 0.1, 0.8, 0.3, 0.9, 1.1], activation_beta=[0.4, 0.45, 0.7])

    lengths = [6, 1, 4]
    lstm_case("lengths", lengths=lengths)
    lstm_case("lengths_reverse", lengths=lengths, direction="reverse")
    lstm_case("lengths_bidirectional", lengths=lengths, directions=2)
    lstm_case("lengths_state", lengths=[3, 6, 1], state=True)
    lstm_case("lengths_state_reverse", lengths=[3, 5, 1], state=True, direction="reverse")
    lstm_case("lengths_state_bidirectional", lengths=[1, 6, 4], state=True, directions=2,
              peepholes=True, units=3)
    lstm_case("lengths_input", lengths=lengths, lengths_input=True, state=True, directions=2,
              units=3)
    lstm_case("layout", layout=1)
    lstm_case("layout_state_bidirectional", layout=1, state=True, directions=2, units=3)
    lstm_case("layout_lengths", layout=1, lengths=lengths, state=True, directions=2, units=3)


def embedding_language_model():
    """Tokens [time, batch] with the state passed in and out."""
    g = Graph("graph_language_model", 13)
    tokens = g.input("tokens", g.random.tokens(11, 6, 2), ["time", "batch"])
    h0 = g.data(1, 2, 5, name="h0", scale=1)
    c0 = g.data(1, 2, 5, name="c0", scale=1)
    x = g.op("Gather", g.weights(11, 4, name="embedding.weight"), tokens)
    y, hn, cn = g.lstm(x, 4, 5, h=h0, c=c0)
    y = g.op("Squeeze", y, g.ints(1))
    y = g.op("MatMul", y, g.weights(5, 11))
    y = g.op("Softmax", g.op("Add", y, g.weights(11)), axis=2)
    g.output(y, "probabilities", 3)
    g.output(hn, "hn", 3)
    g.output(cn, "cn", 3)
    g.write()


def pytorch_bidirectional(expand):
    """Batch first, zero states of the size of the batch, both directions side by side."""
    g = Graph("graph_pytorch_expand" if expand else "graph_pytorch_bidirectional", 14)
    x = g.op("Transpose", g.data(3, 6, 4, dims=["batch", "time", 4]), perm=[1, 0, 2])
    batch = g.op("Gather", g.op("Shape", x), g.constant(np.array(1, np.int64)), axis=0)
    batch = g.op("Unsqueeze", batch, g.constant(np.array([0], np.int64)))
    shape = g.op("Concat", g.constant(np.array([2], np.int64)), batch,
                 g.constant(np.array([5], np.int64)), axis=0)
    if expand:
        zeros = g.op("Expand", g.tensor(np.zeros((2, 1, 5), np.float32)), shape)
    else:
        zeros = g.op("ConstantOfShape", shape,
                     value=numpy_helper.from_array(np.zeros(1, np.float32)))
    y, h, _ = g.lstm(x, 4, 5, directions=2, h=zeros, c=zeros)
    y = g.op("Reshape", g.op("Transpose", y, perm=[0, 2, 1, 3]), g.ints(0, 0, -1))
    y = g.op("Transpose", y, perm=[1, 0, 2])
    g.output(y, "sequence", 3)
    rows = g.op("Reshape", "sequence", g.ints(-1, 10))
    rows = g.op("Gemm", rows, g.weights(6, 10), g.weights(6), transB=1)
    g.output(g.op("LogSoftmax", rows, axis=1), "log_probabilities", 2)
    g.output(h, "hn", 3)
    g.write()


def tf2onnx_last_step():
    g = Graph("graph_tf2onnx", 11)
    x = g.op("Transpose", g.data(3, 6, 4, name="input_1", dims=["unk", 6, 4]), perm=[1, 0, 2])
    y, _, _ = g.lstm(x, 4, 5, direction="forward", activations=["Sigmoid", "Tanh", "Tanh"])
    y = g.op("Transpose", g.op("Squeeze", y, axes=[1]), perm=[1, 0, 2])
    y = g.op("Slice", y, g.ints(-1), g.ints(2**31 - 1), g.ints(1), g.ints(1))
    y = g.op("Squeeze", y, axes=[1])
    y = g.op("Add", g.op("MatMul", y, g.weights(5, 2)), g.weights(2))
    g.output(g.op("Sigmoid", y), "dense", 2)
    g.write()


def convolutions():
    g = Graph("graph_convolutions", 13)
    x = g.data(2, 4, 24)
    x = g.op("Conv", x, g.weights(6, 4, 3), g.weights(6), kernel_shape=[3], pads=[1, 2],
             strides=[2])
    x = g.op("Relu", x)
    g.output(x, "first", 3)
    x = g.op("Conv", "first", g.weights(4, 3, 3), kernel_shape=[3], dilations=[2], pads=[2, 2],
             group=2)
    x = g.op("MaxPool", x, kernel_shape=[3], strides=[2], pads=[1, 0])
    g.output(x, "pooled", 3)
    y, _, _ = g.lstm(g.op("Transpose", "pooled", perm=[2, 0, 1]), 4, 5)
    y = g.op("Transpose", g.op("Squeeze", y, g.ints(1)), perm=[1, 2, 0])
    g.output(g.op("Flatten", g.op("GlobalAveragePool", y)), "average", 2)
    g.output(g.op("GlobalMaxPool", y), "maximum", 3)
    g.write()

    g = Graph("graph_convolutions_padding", 13)
    x = g.data(2, 3, 11)
    same = g.op("Conv", x, g.weights(4, 3, 4), g.weights(4), auto_pad="SAME_UPPER", strides=[2])
    lower = g.op("Conv", x, g.weights(4, 3, 4), auto_pad="SAME_LOWER", strides=[2])
    g.output(g.op("Sum", same, lower), "convolved", 3)
    g.output(g.op("MaxPool", "convolved", kernel_shape=[3], strides=[2], ceil_mode=1), "ceil", 3)
    g.output(g.op("AveragePool", "convolved", kernel_shape=[3], strides=[2], pads=[1, 1]),
             "average", 3)
    g.output(g.op("AveragePool", "convolved", kernel_shape=[3], strides=[2], pads=[1, 1],
                  count_include_pad=1), "average_with_padding", 3)
    y, _, _ = g.lstm(g.op("Transpose", "average", perm=[2, 0, 1]), 4, 3)
    g.output(y, "Y", 4)
    g.write()


def convolutions_over_two_axes():
    """Pictures over time, as in spectrograms: two axes are convolved until one is left."""
    g = Graph("graph_convolutions_2d", 18)
    x = g.data(2, 3, 9, 14)
    x = g.op("Conv", x, g.weights(6, 3, 3, 5), g.weights(6), kernel_shape=[3, 5],
             pads=[1, 0, 0, 2], strides=[2, 1])
    g.output(g.op("Relu", x), "first", 4)
    x = g.op("Conv", "first", g.weights(8, 3, 2, 3), kernel_shape=[2, 3], dilations=[1, 2],
             group=2, pads=[1, 1, 0, 3])
    x = g.op("Conv", x, g.weights(8, 8, 2, 2), auto_pad="SAME_LOWER")
    g.output(x, "second", 4)
    x = g.op("Conv", "second", g.weights(5, 8, 4, 1), g.weights(5), kernel_shape=[4, 1])
    y, _, _ = g.lstm(g.op("Transpose", g.op("Squeeze", x, g.ints(2)), perm=[2, 0, 1]), 5, 4)
    g.output(y, "Y", 4)
    g.write()


def padding():
    """Each mode, sizes that shrink, axes named; attributes as before operator set 11."""
    g = Graph("graph_padding", 18)
    x = g.data(2, 5, 3)
    values = {"constant": [0, 2, 1, 1, 0, 0], "reflect": [0, 4, 2, 0, 3, 1],
              "edge": [0, 3, 0, 1, 2, 2]}
    for mode, pads in values.items():
        names = [x, g.ints(*pads)]
        if mode == "constant":
            names.append(g.scalar(1.5))
        g.output(g.op("Pad", *names, mode=mode), mode, 3)
    # Without the name "constant" there is no value either.
    g.output(g.op("Pad", x, g.ints(-1, 2), "", g.ints(-2), mode="constant"), "axes", 3)
    y, _, _ = g.lstm(g.op("Transpose", "reflect", perm=[1, 0, 2]), 6, 4)
    g.output(y, "Y", 4)
    g.write()

    g = Graph("graph_padding_10", 10)
    x = g.data(2, 4, 3)
    g.output(g.op("Pad", x, pads=[0, 1, 0, 0, 2, 0], mode="constant", value=0.5), "padded", 3)
    y, _, _ = g.lstm(g.op("Transpose", "padded", perm=[1, 0, 2]), 3, 4)
    g.output(y, "Y", 4)
    g.write()


def one_sequence():
    """A model of one sequence at a time, `[steps, features]`, as those of speech are exported."""
    g = Graph("graph_one_sequence", 17)
    x = g.data(6, 3, dims=["steps", 3])
    y, _, _ = g.lstm(g.op("Unsqueeze", x, g.ints(1)), 3, 4)
    y = g.op("Reshape", y, g.ints(-1, 4))
    g.output(g.op("Sigmoid", g.op("MatMul", y, g.weights(4, 1))), "chance", 2)
    g.write()


def unordered():
    """Nodes stand before those whose values they read, as converters to float16 leave them."""
    g = Graph("graph_unordered", 17)
    x = g.data(5, 2, 3, dims=["time", "batch", 3])
    y, _, _ = g.lstm(g.op("Relu", x), 3, 4)
    y = g.op("Squeeze", y, g.ints(1))
    g.output(g.op("Softmax", g.op("MatMul", y, g.weights(4, 3)), axis=-1), "probs", 3)
    g.write(reverse=True)


def static_input():
    """Time comes first, and beside it numbers of each sequence as a whole."""
    g = Graph("graph_static_input", 17)
    x = g.data(5, 2, 3, dims=["time", "batch", 3])
    static = g.data(2, 7, dims=["batch", 7], name="static")
    _, h, _ = g.lstm(x, 3, 4)
    g.output(g.op("Concat", g.op("Squeeze", h, g.ints(0)), static, axis=1), "joined", 2)
    g.write()


def state_of_features():
    """Numbers of each sequence make the state that its LSTM begins with."""
    g = Graph("graph_state_of_features", 17)
    x = g.data(5, 2, 3, dims=["time", "batch", 3])
    static = g.data(2, 7, dims=["batch", 7], name="static")
    h = g.op("Unsqueeze", g.op("MatMul", static, g.weights(7, 4)), g.ints(0))
    y, _, _ = g.lstm(x, 3, 4, h=h)
    g.output(g.op("Squeeze", y, g.ints(1)), "y", 3)
    g.write()


def time_first_output():
    """Sequences come in first, time comes out first."""
    g = Graph("graph_time_first_output", 17)
    x = g.data(2, 3, 5, dims=["batch", 3, "time"])
    y, _, _ = g.lstm(g.op("Transpose", x, perm=[2, 0, 1]), 3, 4)
    y = g.op("Squeeze", y, g.ints(1))
    g.output(g.op("Softmax", g.op("MatMul", y, g.weights(4, 3)), axis=-1), "probs", 3)
    g.write()


def batch_normalization():
    g = Graph("graph_batch_normalization", 15)
    x = g.data(2, 4, 8)
    x = g.op("BatchNormalization", x, g.weights(4, low=0.5, high=1.5), g.weights(4), g.weights(4),
             g.weights(4, low=0.5, high=1.5), epsilon=0.01)
    y, _, _ = g.lstm(g.op("Transpose", x, perm=[2, 0, 1]), 4, 5)
    y = g.op("Reshape", y, g.ints(-1, 5))
    y = g.op("BatchNormalization", y, g.weights(5, low=0.5, high=1.5), g.weights(5), g.weights(5),
             g.weights(5, low=0.5, high=1.5))
    g.output(y, "normalized", 2)
    g.write()


def layer_normalization():
    g = Graph("graph_layer_normalization", 14)
    y, _, _ = g.lstm(g.data(6, 2, 4), 4, 5)
    y = g.op("Squeeze", y, g.ints(1))
    centered = g.op("Sub", y, g.op("ReduceMean", y, axes=[-1]))
    variance = g.op("ReduceMean", g.op("Pow", centered, g.scalar(2)), axes=[-1], keepdims=1)
    deviation = g.op("Sqrt", g.op("Add", variance, g.scalar(1e-5)))
    y = g.op("Mul", g.op("Div", centered, deviation), g.weights(5, low=0.5, high=1.5))
    g.output(g.op("Add", y, g.weights(5)), "normalized", 3)
    g.write()

    g = Graph("graph_layer_normalization_17", 17)
    y, _, _ = g.lstm(g.data(6, 2, 4), 4, 5)
    y = g.op("LayerNormalization", g.op("Squeeze", y, g.ints(1)),
             g.weights(5, low=0.5, high=1.5), g.weights(5), axis=-1, epsilon=1e-3)
    g.output(y, "normalized", 3)
    g.write()


def pieces(opset):
    """Split, Concat, Slice and Squeeze, whose axes are attributes before opset 13."""
    g = Graph(f"graph_pieces_opset{opset}", opset)

    def with_axes(kind, x, *axes):
        if opset < 13:
            return g.op(kind, x, axes=list(axes))
        return g.op(kind, x, g.ints(*axes))

    x = g.data(6, 3, 5)
    if opset < 13:
        a, b = g.op("Split", x, outputs=2, axis=2, split=[2, 3])
    else:
        a, b = g.op("Split", x, g.ints(2, 3), outputs=2, axis=-1)
    x = g.op("Concat", b, a, axis=-1)
    x = g.op("Slice", x, g.ints(-1), g.ints(-(2**63) + 1), g.ints(0), g.ints(-1))  # time reversed
    y, h, c = g.lstm(x, 5, 4, directions=2)
    g.output(y, "Y", 4)
    halves = g.op("Split", "Y", outputs=2, axis=1)
    forward = with_axes("Squeeze", halves[0], 1)
    backward = with_axes("Squeeze", halves[1], -3)
    joined = g.op("Concat", forward, backward, axis=2)
    g.output(joined, "joined", 3)
    # Every other step from the last but one to the second, and the last three columns backwards.
    part = g.op("Slice", "joined", g.ints(-2, -1), g.ints(0, -4), g.ints(0, -1), g.ints(-2, -1))
    g.output(part, "part", 3)
    g.output(g.op("Slice", "joined", g.ints(1, 0), g.ints(100, -2)), "no_axes", 3)
    g.output(with_axes("Unsqueeze", "part", 0, -1), "unsqueezed", 5)
    last = with_axes("Squeeze", g.op("Slice", h, g.ints(1), g.ints(2), g.ints(0)), 0)
    g.output(with_axes("Unsqueeze", last, 1), "last", 3)
    g.write()


def shapes():
    g = Graph("graph_shapes", 13)
    tokens = g.input("tokens", g.random.tokens(9, 2, 5))
    extra = g.data(5, name="extra")
    x = g.op("Gather", g.weights(9, 3), g.op("Cast", tokens, to=INT32))
    x = g.op("Transpose", g.op("Dropout", x), perm=[1, 0, 2])
    state = g.op("Expand", g.op("Unsqueeze", extra, g.ints(0, 1)), g.ints(1, 2, 1))
    y, h, _ = g.lstm(x, 3, 5, h=state)
    y = g.op("Identity", g.op("Reshape", y, g.ints(0, -1, 5)))
    g.output(y, "reshaped", 3)
    g.output(g.op("Reshape", g.op("Transpose", "reshaped", perm=[1, 0, 2]), g.ints(-1, 25)),
             "rows", 2)
    g.output(g.op("Flatten", "reshaped", axis=2), "flat_axis_2", 2)
    g.output(g.op("Flatten", "reshaped"), "flat", 2)
    g.output(g.op("Cast", g.op("Cast", "flat", to=INT64), to=FLOAT), "truncated", 2)
    g.output(g.op("Cast", g.op("Mul", g.scalar(100), "flat"), to=INT64), "hundredths", 2, INT64)
    g.output(h, "hn", 3)
    g.write()


def gemm():
    g = Graph("graph_gemm", 13)
    y, h, _ = g.lstm(g.data(5, 3, 4), 4, 5)
    h = g.op("Squeeze", h, g.ints(0))
    a = g.op("Gemm", g.op("Transpose", h, perm=[1, 0]), g.weights(5, 4), g.weights(1, 4), transA=1,
             alpha=0.5, beta=2.0)
    g.output(a, "a", 2)
    b = g.op("Gemm", "a", g.weights(6, 4), g.weights(3, 1), transB=1, beta=0.25)
    g.output(b, "b", 2)
    c = g.op("Gemm", "b", g.weights(2, 3), transA=1, transB=1, alpha=1.5)
    g.output(g.op("Softmax", c, axis=0), "c", 2)
    g.write()


def stacked_states():
    """Two layers that keep their state in one array, as PyTorch writes them."""
    g = Graph("graph_stacked_states", 13)
    x = g.data(6, 2, 3)
    h0, c0 = g.data(2, 2, 4, name="h0", scale=1), g.data(2, 2, 4, name="c0", scale=1)
    states, inputs = [], 3
    for layer in range(2):
        h, c = (g.op("Slice", s, g.ints(layer), g.ints(layer + 1), g.ints(0)) for s in (h0, c0))
        x, hn, cn = g.lstm(x, inputs, 4, h=h, c=c)
        x, inputs = g.op("Squeeze", x, g.ints(1)), 4
        states.append((hn, cn))
    g.output(x, "output", 3)
    g.output(g.op("Concat", states[0][0], states[1][0], axis=0), "hn", 3)
    g.output(g.op("Concat", states[0][1], states[1][1], axis=0), "cn", 3)
    g.write()


def functions():
    """Operators on each element, of what an LSTM gives."""
    g = Graph("graph_functions", 20)
    y, _, _ = g.lstm(g.data(5, 2, 3), 3, 4)
    x = g.op("Mul", y, g.scalar(4))
    positive = g.op("Add", x, g.scalar(4.5))
    for kind, options in (("Exp", {}), ("Erf", {}), ("Sin", {}), ("Cos", {}), ("Floor", {}),
                          ("Ceil", {}), ("Round", {}), ("Neg", {}), ("Abs", {}), ("Sign", {}),
                          ("HardSwish", {}), ("Mish", {}), ("Gelu", {}), ("Selu", {}),
                          ("Celu", {"alpha": 1.5})):
        g.output(g.op(kind, x, **options), kind, 4)
    g.output(g.op("Gelu", x, approximate="tanh"), "GeluTanh", 4)
    g.output(g.op("Selu", x, alpha=1.2, gamma=0.9), "SeluOther", 4)
    for kind in ("Log", "Reciprocal"):
        g.output(g.op(kind, positive), kind, 4)
    g.output(g.op("Clip", x, g.scalar(-0.5), g.scalar(0.75)), "Clip", 4)
    g.output(g.op("Clip", x, "", g.scalar(0.25)), "ClipAbove", 4)
    g.output(g.op("PRelu", x, g.weights(4)), "PRelu", 4)
    g.write()
    g = Graph("graph_clip_10", 10)
    y, _, _ = g.lstm(g.data(5, 2, 3), 3, 4)
    g.output(g.op("Clip", y, min=-0.1, max=0.2), "Clip", 4)
    g.write()


def comparisons():
    """A mask of lengths, as attention over steps has it, and other truth values."""
    g = Graph("graph_comparisons", 17)
    x = g.data(2, 5, 3)
    lengths = np.array([5, 3], np.int64)
    y, _, _ = g.lstm(g.op("Transpose", x, perm=[1, 0, 2]), 3, 4)
    y = g.op("Transpose", g.op("Squeeze", y, g.ints(1)), perm=[1, 0, 2])
    steps = g.op("Range", g.scalar(0, np.int64), g.scalar(5, np.int64), g.scalar(1, np.int64))
    counted = g.op("Unsqueeze", g.tensor(lengths), g.ints(1))
    mask = g.op("Less", steps, counted)
    scores = g.op("Squeeze", g.op("MatMul", y, g.weights(4, 1)), g.ints(2))
    weights = g.op("Softmax", g.op("Where", mask, scores, g.scalar(-1e9)), axis=1)
    g.output(weights, "weights", 2)
    summed = g.op("ReduceSum", g.op("Mul", g.op("Unsqueeze", "weights", g.ints(2)), y), g.ints(1),
                  keepdims=0)
    g.output(summed, "attended", 2)
    zero, tenth = g.scalar(0), g.scalar(0.1)
    above, small = g.op("Greater", scores, zero), g.op("LessOrEqual", scores, tenth)
    for name, value in (("and", g.op("And", above, small)), ("or", g.op("Or", above, small)),
                        ("xor", g.op("Xor", above, mask)), ("not", g.op("Not", above)),
                        ("equal", g.op("Equal", g.op("Floor", scores), zero)),
                        ("atLeast", g.op("GreaterOrEqual", scores, tenth)),
                        ("true", g.op("Cast", g.op("Floor", scores), to=TensorProto.BOOL))):
        g.output(g.op("Cast", value, to=FLOAT), name, 2)
    g.output(g.op("Tile", scores, g.ints(2, 3)), "tiled", 2)
    g.output(g.op("Range", g.scalar(0.5), g.scalar(2.6), g.scalar(0.75)), "numbers", 1)
    g.write()


def reductions():
    g = Graph("graph_reductions", 18)
    y, _, _ = g.lstm(g.data(5, 2, 3), 3, 4)
    y = g.op("Squeeze", y, g.ints(1))
    for kind in ("ReduceMean", "ReduceSum", "ReduceProd", "ReduceMax", "ReduceMin", "ReduceL1",
                 "ReduceL2", "ReduceSumSquare"):
        g.output(g.op(kind, y, g.ints(-1), keepdims=0), kind, 2)
        g.output(g.op(kind, y, g.ints(0, 2)), kind + "Kept", 3)
    g.output(g.op("ReduceSum", y), "all", 3)
    g.output(g.op("ReduceSum", y, noop_with_empty_axes=1), "none", 3)
    for kind in ("ArgMax", "ArgMin"):
        g.output(g.op(kind, y, axis=-1, keepdims=0), kind, 2, TensorProto.INT64)
        g.output(g.op(kind, g.op("Round", y), axis=0, select_last_index=1), kind + "Last", 3,
                 TensorProto.INT64)
    g.write()
    g = Graph("graph_reductions_11", 11)
    y, _, _ = g.lstm(g.data(5, 2, 3), 3, 4)
    g.output(g.op("ReduceSum", y, axes=[1, 3], keepdims=0), "sum", 2)
    g.output(g.op("ReduceMax", y, axes=[0]), "max", 4)
    g.write()


def parts_of_steps():
    """What classifiers read of one sequence: the last step, written in several ways; and other parts."""
    def head(g, value):
        value = g.op("Gemm", value, g.weights(4, 3), g.weights(3))
        g.output(g.op("Softmax", value, axis=1), "probs", 2)
        g.write()

    def number(g, value):
        return g.tensor(np.array(value, np.int64))

    for name, index, axis in (("last_gather", -1, 1), ("first_gather", 0, 1),
                              ("features_gather", -1, 2)):
        g = Graph(f"graph_{name}", 17)
        x = g.op("Transpose", g.data(1, 5, 3, dims=["batch", "time", 3]), perm=[1, 0, 2])
        x, _, _ = g.lstm(x, 3, 4)
        x = g.op("Transpose", g.op("Squeeze", x, g.ints(1)), perm=[1, 0, 2])
        x = g.op("Gather", x, number(g, index), axis=axis)
        if axis == 1:
            head(g, x)
        else:
            g.output(x, "values", 2)
            g.write()
    g = Graph("graph_last_slice", 17)
    x, _, _ = g.lstm(g.data(5, 1, 3, dims=["time", "batch", 3]), 3, 4)
    x = g.op("Slice", g.op("Squeeze", x, g.ints(1)), g.ints(-1), g.ints(2 ** 63 - 1), g.ints(0))
    head(g, g.op("Squeeze", x, g.ints(0)))
    for name, index in (("last_layer", -1), ("first_layer", 0)):
        g = Graph(f"graph_{name}", 17)
        x, first, _ = g.lstm(g.data(5, 1, 3, dims=["time", "batch", 3]), 3, 4)
        _, second, _ = g.lstm(g.op("Squeeze", x, g.ints(1)), 4, 4)
        head(g, g.op("Gather", g.op("Concat", first, second, axis=0), number(g, index), axis=0))


def onnx_graphs():
    embedding_language_model()
    pytorch_bidirectional(False)
    pytorch_bidirectional(True)
    tf2onnx_last_step()
    convolutions()
    convolutions_over_two_axes()
    padding()
    one_sequence()
    unordered()
    static_input()
    state_of_features()
    time_first_output()
    batch_normalization()
    layer_normalization()
    pieces(11)
    pieces(13)
    shapes()
    gemm()
    stacked_states()
    parts_of_steps()
    functions()
    comparisons()
    reductions()


# Keras


class Keras:
    """Writes the models of one library, tf_keras or Keras 3, in the formats asked for."""

    def __init__(self, library, tag):
        self.K, self.L, self.tag = library, library.layers, tag

    def case(self, name, build, feeds, formats=("h5",), run=None):
        """`build` gives a model; `feeds` maps its inputs to arrays, or is that of a Sequential."""
        for kind in formats:
            case = f"{name}_{self.tag}_{kind}"
            random = Random(f"{name}_{self.tag}")
            self.K.backend.clear_session()
            model = build()
            set_weights(model, random)
            inputs = feeds(random)
            if not isinstance(inputs, dict):
                inputs = {"input": inputs}
            arrays = {"in." + name: array for name, array in inputs.items()}
            if run:
                arrays["out.output"] = run(model, inputs["input"])
            else:
                arrays.update(self.results(model, inputs))
            self.write(model, case + "." + kind)
            save(path(case + ".npz"), arrays)

    def results(self, model, inputs):
        if isinstance(model, self.K.Sequential):
            return {"out.output": np.array(model(inputs["input"], training=False))}
        names = [t.name.split(":")[0] for t in model.inputs]
        values = model([inputs[n] for n in names], training=False)
        values = values if isinstance(values, (list, tuple)) else [values]
        return {"out." + name: np.array(v) for name, v in zip(output_names(model), values)}

    def write(self, model, name):
        import small_hdf5

        if name.endswith(".h5"):
            options = {} if self.tag == "k3" else {"save_format": "h5"}
            model.save(path(name), include_optimizer=False, **options)
            import h5py

            with h5py.File(path(name), "r+") as file:
                config = slim(json.loads(file.attrs["model_config"]))
                file.attrs["model_config"] = json.dumps(config, separators=(",", ":"))
            small_hdf5.compact(path(name))
            return
        from keras_fixtures import make_deterministic

        model.save(path(name))
        with zipfile.ZipFile(path(name)) as archive:
            members = [(n, archive.read(n)) for n in archive.namelist()]
        weights = path(name + ".weights")
        with zipfile.ZipFile(path(name), "w") as archive:
            for member, data in members:
                if member == "model.weights.h5":
                    with open(weights, "wb") as file:
                        file.write(data)
                    if self.tag == "k3":  # tf_keras insists on them
                        drop_empty(weights)
                    small_hdf5.compact(weights)
                    with open(weights, "rb") as file:
                        data = file.read()
                    os.remove(weights)
                elif member == "config.json":
                    data = json.dumps(slim(json.loads(data)), separators=(",", ":"))
                archive.writestr(member, data)
        make_deterministic(path(name))


def drop_empty(file):
    """Removes the groups of the layers without weights."""
    import h5py

    with h5py.File(file, "r+") as root:
        groups, datasets = [], []
        root.visititems(
            lambda name, item: (groups if isinstance(item, h5py.Group) else datasets).append(name))
        for name in reversed(groups):
            if not any(dataset.startswith(name + "/") for dataset in datasets):
                del root[name]


def slim(config):
    """A configuration without what matters in training only or is the default."""
    if isinstance(config, list):
        return [slim(item) for item in config]
    if not isinstance(config, dict):
        return config
    if config.get("class_name") == "DTypePolicy":
        return config["config"]["name"]
    ends = ("_initializer", "_regularizer", "_constraint", "shared_object_id")
    return {key: slim(item) for key, item in config.items() if not key.endswith(ends)}


def flat_layers(model):
    """The layers with weights, those of models inside in their places."""
    for layer in model.layers:
        if hasattr(layer, "layers"):
            yield from flat_layers(layer)
        elif layer.weights:
            yield layer


def set_weights(model, random):
    for layer in flat_layers(model):
        layer.set_weights([new_weights(layer, i, array, random)
                           for i, array in enumerate(layer.get_weights())])


def new_weights(layer, index, array, random):
    kind = type(layer).__name__
    if not np.issubdtype(array.dtype, np.floating):
        return array  # the state of a random generator
    positive = (kind == "BatchNormalization" and index in (0, 3)
                or kind == "LayerNormalization" and index == 0)
    low, high = (0.5, 1.5) if positive else (-HALF, HALF)
    return random(*array.shape, low=low, high=high)


def output_names(model):
    """`layer`, or `layer#1` and so on for its further outputs."""
    config = model.get_config()["output_layers"]
    config = [config] if isinstance(config[0], str) else config
    return [name + (f"#{tensor}" if tensor else "") for name, _, tensor in config]


def keras_cases(k):
    one = ("keras",) if k.tag == "k3" else ("h5",)
    old = k.tag == "k2"
    K, L = k.K, k.L

    def stack(shape, *make, **options):
        """Builds a Sequential of layers that are made anew for each file."""
        def build():
            return K.Sequential([L.Input(shape, name="features", **options)] + [m() for m in make])
        return build

    def only_2(*arguments):
        """A case that would say nothing new in the files of Keras 3."""
        if old:
            k.case(*arguments)

    def numbers(*shape):
        return lambda random: random(*shape) * np.float32(4)

    # Masks

    padded = np.array([[3, 1, 4, 1, 5, 9, 2], [6, 5, 3, 0, 0, 0, 0], [0, 0, 0, 0, 5, 8, 9],
                       [7, 0, 3, 2, 0, 8, 0]], np.int64)
    k.case("mask_zero", stack(
        (7,), lambda: L.Embedding(10, 4, mask_zero=True), lambda: L.LSTM(5, return_sequences=True),
        lambda: L.Dropout(0.3), lambda: L.LSTM(4), lambda: L.Dense(3, activation="softmax"),
        dtype="int32"), lambda random: padded, ("h5", "keras"))
    only_2("mask_zero_sequences", stack(
        (7,), lambda: L.Embedding(10, 4, mask_zero=True),
        lambda: L.LSTM(4, return_sequences=True), lambda: L.TimeDistributed(L.Dense(3)),
        dtype="int32"), lambda random: padded)
    only_2("mask_zero_average", stack(
        (7,), lambda: L.Embedding(10, 3, mask_zero=True),
        lambda: L.LSTM(4, return_sequences=True), lambda: L.GlobalAveragePooling1D(),
        dtype="int32"), lambda random: padded)
    k.case("mask_zero_backwards", stack(
        (7,), lambda: L.Embedding(10, 3, mask_zero=True),
        lambda: L.LSTM(4, go_backwards=True, return_sequences=True), lambda: L.LSTM(3),
        dtype="int32"), lambda random: padded, one)

    def masked(random):
        x = random(3, 6, 4) * np.float32(4)
        x[0, 4:] = -1
        x[1, :2] = -1
        x[2, 3] = -1
        x[2, 1, :2] = -1  # not masked: not all are -1
        return x

    # tf_keras gives all steps in one half of the modes and the last in the other; Keras 3 the
    # other way round.
    for mode in ("concat", "sum", "mul", "ave"):
        if not old and mode in ("mul", "ave"):
            continue
        sequences = old == (mode in ("concat", "mul"))
        k.case(f"masked_bidirectional_{mode}_{'sequences' if sequences else 'last'}", stack(
            (6, 4), lambda: L.Masking(-1.0),
            lambda: L.Bidirectional(L.LSTM(3, return_sequences=sequences), merge_mode=mode)),
            masked, one)

    # One LSTM with a setting

    for sequences in (True, False) if old else (True,):
        k.case(f"backwards_{'sequences' if sequences else 'last'}", stack(
            (6, 4), lambda: L.LSTM(5, go_backwards=True, return_sequences=sequences)),
            numbers(2, 6, 4), one)
    k.case("hard_sigmoid", stack(
        (6, 4), lambda: L.LSTM(5, recurrent_activation="hard_sigmoid", return_sequences=True)),
        numbers(2, 6, 4), one)
    for name in ("relu", "elu", "softsign", "softplus") if old else ("relu",):
        k.case(f"activation_{name}", stack(
            (6, 4), lambda: L.LSTM(3, activation=name, return_sequences=True)),
            numbers(2, 6, 4), one)
    only_2("no_bias", stack((6, 4), lambda: L.LSTM(3, use_bias=False)), numbers(2, 6, 4))

    # States

    def return_state():
        x = L.Input((6, 4), name="x")
        h, c = L.Input((5,), name="h"), L.Input((5,), name="c")
        lstm = L.LSTM(5, return_sequences=True, return_state=True, name="lstm")
        return K.Model([x, h, c], lstm(x, initial_state=[h, c]))

    k.case("return_state", return_state,
           lambda random: {"x": random(2, 6, 4), "h": random(2, 5), "c": random(2, 5)},
           ("h5", "keras"))

    def encoder_decoder():
        source = L.Input((5,), dtype="int32", name="source")
        target = L.Input((4, 3), name="target")
        x = L.Embedding(8, 3, name="embedding")(source)
        _, h, c = L.LSTM(5, return_state=True, name="encoder")(x)
        y = L.LSTM(5, return_sequences=True, name="decoder")(target, initial_state=[h, c])
        return K.Model([source, target], L.Dense(4, activation="softmax", name="head")(y))

    k.case("encoder_decoder", encoder_decoder,
           lambda random: {"source": random.tokens(8, 2, 5), "target": random(2, 4, 3)}, one)

    def bidirectional_states():
        x = L.Input((6, 4), name="x")
        y = L.Bidirectional(L.LSTM(3, return_sequences=True, return_state=True), name="both")(x)
        return K.Model(x, list(y))

    only_2("bidirectional_states", bidirectional_states,
           lambda random: {"x": random(2, 6, 4) * np.float32(4)})

    def stateful():
        first = {"batch_input_shape" if old else "batch_shape": (2, 5, 3)}
        return K.Sequential([
            L.InputLayer(**first), L.LSTM(4, stateful=True, return_sequences=True),
            L.LSTM(3, stateful=True)])

    def twice(model, inputs):
        for layer in model.layers:
            if hasattr(layer, "reset_states" if old else "reset_state"):
                layer.reset_states() if old else layer.reset_state()
        return np.stack([model.predict(x, batch_size=len(x), verbose=0) for x in inputs])

    k.case("stateful_last", stateful, numbers(2, 2, 5, 3), one, twice)

    # Layers around

    k.case("convolutions", stack(
        (24, 4), lambda: L.Conv1D(6, 3, padding="same", strides=2, activation="relu"),
        lambda: L.BatchNormalization(), lambda: L.Conv1D(4, 3, padding="causal", dilation_rate=2),
        lambda: L.MaxPooling1D(3, strides=2, padding="same"), lambda: L.LSTM(5),
        lambda: L.Dense(2, activation="sigmoid")), numbers(2, 24, 4), one)
    only_2("convolutions_valid", stack(
        (23, 4), lambda: L.Conv1D(6, 4, groups=2, use_bias=False),
        lambda: L.BatchNormalization(epsilon=0.01), lambda: L.Activation("relu"),
        lambda: L.MaxPooling1D(2), lambda: L.Conv1D(5, 2, strides=2, padding="causal"),
        lambda: L.AveragePooling1D(2, strides=1, padding="same"),
        lambda: L.LSTM(4, return_sequences=True), lambda: L.GlobalMaxPooling1D()),
        numbers(2, 23, 4))
    only_2("time_distributed", stack(
        (5, 8, 2), lambda: L.TimeDistributed(L.Conv1D(3, 3, activation="relu")),
        lambda: L.TimeDistributed(L.MaxPooling1D(2)), lambda: L.TimeDistributed(L.Flatten()),
        lambda: L.LSTM(4, return_sequences=True),
        lambda: L.TimeDistributed(L.Dense(3, activation="tanh"))), numbers(2, 5, 8, 2))
    only_2("shapes", stack(
        (6, 4), lambda: L.ZeroPadding1D((1, 2)), lambda: L.Permute((2, 1)),
        lambda: L.Reshape((-1, 6)), lambda: L.LSTM(5), lambda: L.RepeatVector(3),
        lambda: L.LSTM(4, return_sequences=True), lambda: L.Flatten(), lambda: L.Dense(3)),
        numbers(2, 6, 4))
    slope = {"alpha": 0.2} if old else {"negative_slope": 0.2}
    k.case("activation_layers", stack(
        (6, 4), lambda: L.SpatialDropout1D(0.2), lambda: L.GaussianNoise(0.1),
        lambda: L.Dense(5), lambda: L.LeakyReLU(**slope), lambda: L.Dropout(0.2),
        lambda: L.LSTM(5, return_sequences=True, dropout=0.1, recurrent_dropout=0.1),
        lambda: L.LayerNormalization(), lambda: L.ReLU(max_value=1.0),
        lambda: L.Dense(4, activation="elu"), lambda: L.ELU(0.7),
        lambda: L.Activation("softsign"), lambda: L.Softmax()), numbers(2, 6, 4), one)
    if not old:
        k.case("activation_more", stack(
            (6, 4), lambda: L.Dense(5, activation="swish"), lambda: L.Dense(5, activation="gelu"),
            lambda: L.LSTM(5, return_sequences=True), lambda: L.Dense(4, activation="mish"),
            lambda: L.Dense(4, activation="selu"), lambda: L.Activation("relu6"),
            lambda: L.Dense(3, activation="exponential")), numbers(2, 6, 4), one)
    only_2("relu_layer", stack(
        (6, 4), lambda: L.LSTM(5, return_sequences=True),
        lambda: L.ReLU(max_value=0.4, negative_slope=0.1, threshold=0.05),
        lambda: L.Softmax(axis=1)), numbers(2, 6, 4))

    # Graphs

    def merges():
        x = L.Input((6, 4), name="x")
        a, b = L.LSTM(3, name="a")(x), L.LSTM(3, go_backwards=True, name="b")(x)
        parts = [layer(name=layer.__name__.lower())([a, b]) for layer in (
            L.Add, L.Subtract, L.Multiply, L.Average, L.Maximum, L.Minimum)]
        return K.Model(x, L.Concatenate(name="all")(parts + [a]))

    only_2("merges", merges, lambda random: {"x": random(2, 6, 4) * np.float32(4)})

    def nested():
        inner = K.Sequential([L.Input((6, 3)), L.Dense(4, name="inner_dense"),
                              L.LSTM(5, return_sequences=True, name="inner_lstm")], name="inner")
        x = L.Input((6, 3), name="x")
        y = L.LSTM(3, name="outer_lstm")(inner(x))
        return K.Model(x, L.Dense(2, name="head")(y))

    k.case("nested", nested, lambda random: {"x": random(2, 6, 3) * np.float32(4)}, one)

    def shared():
        left, right = L.Input((5, 3), name="left"), L.Input((7, 3), name="right")
        lstm = L.LSTM(4, name="shared_lstm")
        joined = L.Concatenate(name="joined")([lstm(left), lstm(right)])
        return K.Model([left, right], L.Dense(2, activation="sigmoid", name="head")(joined))

    k.case("shared_layer", shared,
           lambda random: {"left": random(2, 5, 3), "right": random(2, 7, 3)}, one)

    def two_outputs():
        x = L.Input((6, 4), name="x")
        y = L.LSTM(5, return_sequences=True, name="lstm")(x)
        return K.Model(x, [L.Dense(2, name="steps")(y), L.GlobalMaxPooling1D(name="best")(y)])

    only_2("two_outputs", two_outputs, lambda random: {"x": random(2, 6, 4) * np.float32(4)})

    if not old:
        K.backend.clear_session()
        x = L.Input((6,), dtype="int32", name="tokens")
        y = L.GRU(4, name="gru")(L.Embedding(7, 3, name="embedding")(x))
        model = K.Model(x, L.Dense(2, name="dense")(y))
        set_weights(model, Random("refused_gru"))
        k.write(model, "refused_gru_k3_keras.keras")


def keras_models():
    import keras
    import tensorflow
    import tf_keras

    tensorflow.config.threading.set_intra_op_parallelism_threads(1)
    tensorflow.config.threading.set_inter_op_parallelism_threads(1)
    keras_cases(Keras(tf_keras, "k2"))
    keras_cases(Keras(keras, "k3"))


# Recorded


def recorded(name, arrays):
    os.makedirs(path("recorded"), exist_ok=True)
    save(path(f"recorded/{name}.npz"), arrays)


def add_outputs(graph, names, kind=FLOAT):
    there = {output.name for output in graph.output}
    graph.output.extend(helper.make_tensor_value_info(n, kind, None) for n in names
                        if n not in there)


LSTM_VALUES = {"X": 0, "initial_h": 5, "initial_c": 6}


def lstm_values(graph):
    """`node|X` and so on, each with the name of the value; outputs without one get one."""
    values = {}
    for index, node in enumerate(graph.node):
        if node.op_type != "LSTM":
            continue
        key = node.name or f"#{index}"
        for label, i in LSTM_VALUES.items():
            if i < len(node.input) and node.input[i]:
                values[f"{key}|{label}"] = node.input[i]
        for i, label in enumerate(("Y", "Y_h", "Y_c")):
            if i == len(node.output):
                node.output.append("")
            node.output[i] = node.output[i] or f"recorded {key} {label}"
            values[f"{key}|{label}"] = node.output[i]
    return values


def record_onnx(model, feeds):
    """The inputs and outputs of the LSTMs of the main graph, and all outputs of the model."""
    values = lstm_values(model.graph)
    fed = {name: feeds[name] for name in values.values() if name in feeds}
    add_outputs(model.graph, [name for name in values.values() if name not in feeds])
    results = run_onnx(model, feeds)
    return {key: fed.get(name, results.get(name)) for key, name in values.items()}, results


def speech(shared):
    """Frames of 512 samples with the 64 before each, as eval_silero.py makes them."""
    with wave.open(os.path.join(shared, "models/evaldata/silero/test.wav")) as file:
        x = np.frombuffer(file.readframes(file.getnframes()), "<i2").astype(np.float32) / 32768
    x = np.pad(x, (0, -len(x) % 512)).reshape(-1, 512)
    return np.concatenate([np.vstack([np.zeros((1, 64), np.float32), x[:-1, -64:]]), x], axis=1)


def record_silero(shared):
    frames = speech(shared)
    zeros = np.zeros((1, 1, 128), np.float32)
    file = os.path.join(shared, "models/dev/onnx-silero6a-fasterwhisper-op18.onnx")
    model = onnx.load(file)
    p = run_onnx(model, {"input": frames, "h": zeros, "c": zeros})["speech_probs"].ravel()
    start = int(np.argmax(np.convolve(p, np.ones(40), "valid")))  # the 40 surest frames
    before = run_onnx(model, {"input": frames[:start], "h": zeros, "c": zeros})
    feeds = {"input": frames[start:start + 40], "h": before["hn"], "c": before["cn"]}
    recorded("silero6a-fasterwhisper", record_onnx(model, feeds)[0])

    # The LSTM inside the If: the values of the main graph frame by frame, then the branch as a
    # graph of its own with the frames as its batch.
    model = onnx.load(os.path.join(shared, "models/dev/onnx-silero6-16k-op15-if.onnx"))
    conditional = next(n for n in model.graph.node if n.op_type == "If" and any(
        inner.op_type == "LSTM" for inner in n.attribute[0].g.node))
    x_name = "/model/decoder/If_output_0"
    add_outputs(model.graph, [x_name, conditional.input[0]])
    model.graph.output[-1].type.tensor_type.elem_type = TensorProto.BOOL
    state, xs, states = np.zeros((2, 1, 128), np.float32), [], []
    steps = 16
    for frame in frames[start:start + steps]:
        states.append(state)
        results = run_onnx(model, {"input": frame[None], "state": state,
                                   "sr": np.array(16000, np.int64)})
        state = results["stateN"]
        xs.append(results[x_name])
    taken = "then_branch" if bool(results[conditional.input[0]]) else "else_branch"
    branch = next(a.g for a in conditional.attribute if a.name == taken)
    until = next(i for i, n in enumerate(branch.node) if n.op_type == "LSTM")
    inputs = [helper.make_tensor_value_info(x_name, FLOAT, [steps, 128]),
              helper.make_tensor_value_info("state", FLOAT, [2, steps, 128])]
    used = {name for node in branch.node[:until + 1] for name in node.input}
    outer = [n for n in model.graph.node if n.op_type == "Constant" and n.output[0] in used]
    lstm = branch.node[until]
    outputs = [helper.make_tensor_value_info(lstm.output[0], FLOAT, None)]
    inner = helper.make_graph(outer + list(branch.node[:until + 1]), "branch", inputs, outputs,
                              model.graph.initializer)
    alone = helper.make_model(inner, opset_imports=model.opset_import)
    alone.ir_version = model.ir_version
    arrays, _ = record_onnx(alone, {x_name: np.concatenate(xs), "state": np.concatenate(states, 1)})
    recorded("silero6-16k-if", arrays)
    print(f"silero: frames {start} to {start + 39}, {taken}")


def record_models(shared):
    random = Random("recorded")
    model = onnx.load(os.path.join(shared, "models/dev/onnx-dtln-model1-op11.onnx"))
    feeds = {"input_2": random(1, 1, 257, low=0, high=1), "input_3": random(1, 2, 128, 2, low=0)}
    whole = run_onnx(model, feeds)
    arrays, _ = record_onnx(model, feeds)
    arrays.update({"model|in." + n: a for n, a in feeds.items()})
    recorded("dtln-model1", arrays | {"model|out." + n: a for n, a in whole.items()})

    model = onnx.load(os.path.join(shared, "models/dev/onnx-brainmaze-seizureA-bilstm.onnx"))
    feeds = {"x": random(1, 100, 30, low=-2, high=2)}
    whole = run_onnx(model, feeds)
    arrays, _ = record_onnx(model, feeds)
    arrays.update({"model|in." + n: a for n, a in feeds.items()})
    recorded("brainmaze", arrays | {"model|out." + n: a for n, a in whole.items()})


def record_textgenrnn(shared):
    import tf_keras as K

    with open(os.path.join(shared, "models/evaldata/textgenrnn/textgenrnn_vocab.json")) as file:
        vocabulary = json.load(file)
    count = len(vocabulary) + 1
    tokens = K.Input((40,), name="input")
    e = K.layers.Embedding(count, 100, name="embedding")(tokens)
    layer = {"return_sequences": True, "recurrent_activation": "sigmoid"}
    r1 = K.layers.LSTM(128, name="rnn_1", **layer)(e)
    r2 = K.layers.LSTM(128, name="rnn_2", **layer)(r1)
    model = K.Model(tokens, [e, r1, r2])
    model.load_weights(os.path.join(shared, "models/dev/h5-textgenrnn-cudnn-weights.hdf5"),
                       by_name=True)
    text = os.path.join(shared, "models/evaldata/textgenrnn/reddit_rarepuppers_politics_2000.txt")
    with open(text, encoding="utf-8") as file:
        lines = [[vocabulary[c] for c in line if c in vocabulary] for line in file][1:]
    x = np.array([line[:40] for line in lines if len(line) >= 40][:2], np.int64)
    values = model(x, training=False)
    names = ("embedding", "rnn_1", "rnn_2")
    recorded("textgenrnn", {"tokens": x} | {n: np.array(v) for n, v in zip(names, values)})


def record_impsy(shared):
    import h5py
    import tf_keras as K

    x = K.Input((1, 9), name="inputs")
    states = [K.Input((64,), name=f"state_{s}_{i}") for i in range(2) for s in "hc"]
    layers = [K.layers.LSTM(64, return_state=True, return_sequences=i == 0, name=f"lstm_{i}")
              for i in range(2)]
    first = layers[0](x, initial_state=states[:2])
    second = layers[1](first[0], initial_state=states[2:])
    model = K.Model([x] + states, first + second)
    archive = zipfile.ZipFile(
        os.path.join(shared, "models/dev/keras-impsy-dim9-keras2.15.keras"))
    with h5py.File(io.BytesIO(archive.read("model.weights.h5")), "r") as file:
        for layer, group in zip(layers, ("lstm", "lstm_1")):
            saved = file[f"layers/{group}/cell/vars"]
            layer.set_weights([saved[str(i)][()] for i in range(3)])
    random = Random("impsy")
    feeds = {"inputs": random(5, 1, 9)} | {s.name: random(5, 64) for s in states}
    values = model(list(feeds.values()), training=False)
    names = ["lstm_0", "lstm_0#1", "lstm_0#2", "lstm_1", "lstm_1#1", "lstm_1#2"]
    arrays = {"in." + name: array for name, array in feeds.items()}
    recorded("impsy", arrays | {"out." + n: np.array(v) for n, v in zip(names, values)})


def record_turbofan(shared):
    """The answers of the turbofan model for every window of its test set, as eval_pdm.py cuts them."""
    import tf_keras
    folder = os.path.join(shared, "models/evaldata/pdm")
    train, test = (np.loadtxt(os.path.join(folder, f"PM_{n}.txt")) for n in ("train", "test"))

    def features(rows):
        return np.concatenate([rows[:, 2:5], rows[:, 1:2], rows[:, 5:26]], 1)

    low, high = features(train).min(0), features(train).max(0)
    span = np.where(high > low, high - low, 1)
    windows = []
    for engine in np.unique(test[:, 0]):
        rows = (features(test[test[:, 0] == engine]) - low) / span
        windows += [rows[end - 50:end] for end in range(50, len(rows) + 1)]
    model = tf_keras.models.load_model(
        os.path.join(shared, "models/dev/h5-pdm-binary-keras2.0.5.h5"), compile=False)
    answers = model.predict(np.array(windows, "f4"), batch_size=512, verbose=0)
    recorded("turbofan", {"probabilities": answers.ravel()})


def record_keras3(shared):
    """The network-intrusion model and the supply-chain model on seeded inputs."""
    import keras
    random = Random("keras3")
    for name, file, shape in (
        ("network-intrusion", "h5-nid-cnnlstm-keras3.4.h5", (6, 76, 1)),
        ("supply-chain", "keras-supplychain-relu-keras3.6.keras", (6, 5, 13)),
    ):
        model = keras.saving.load_model(os.path.join(shared, "models/dev", file), compile=False)
        x = random(*shape)
        recorded(name, {"x": x, "y": np.array(model.predict(x, verbose=0))})


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--shared", help="the folder whose models are recorded")
    shared = parser.parse_args().shared
    for name in os.listdir(FOLDER):
        if name.endswith((".onnx", ".h5", ".keras", ".npz")):
            os.remove(path(name))
    onnx_lstms()
    onnx_graphs()
    keras_models()
    if shared:
        record_silero(shared)
        record_models(shared)
        record_textgenrnn(shared)
        record_impsy(shared)
        record_turbofan(shared)
        record_keras3(shared)


if __name__ == "__main__":
    main()
