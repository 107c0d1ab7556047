"""ONNX files with LSTM nodes in the main graph: storage, attributes, neighbours."""

import numpy as np
import onnx
from onnx import TensorProto, helper

import wire
from fixture_values import (
    Counter, HARD_SIGMOID_2, SIGMOID, TANH, activation, directions, lstm, onnx_b, onnx_r, onnx_w,
    settings)
from onnx_builder import (
    Writer, X, Y, constant, graph, ints, lstm_node, model, raw, typed, unknown, value, weights)

LINEAR = activation("linear")


def write(folder):
    w = Writer(folder)
    write_storage(w)
    write_attributes(w)
    write_activations(w)
    write_neighbours(w)
    return w.entries


def write_storage(w):
    ds = directions(1, recurrent_bias=True)
    w.one("initializers.onnx", ds, "raw_data")
    w.one("float-data.onnx", ds, "float_data", make=typed)
    w.one("ir-10-opset-22.onnx", ds, "the newest operator set", opset=22, ir=10)

    for name, kind, dtype in [("float16", TensorProto.FLOAT16, np.float16),
                              ("double", TensorProto.DOUBLE, np.float64)]:
        x = [value("X", ["time", "batch", 3], kind)]
        w.one(f"{name}.onnx", ds, f"{name} in raw_data", x=x,
              make=lambda a, n, dtype=dtype: raw(a.astype(dtype), n))
        w.one(f"{name}-data.onnx", ds, f"{name}, not raw (float16: bit patterns in int32_data)",
              x=x, make=lambda a, n, kind=kind: typed(a, n, kind))

    def bfloat16(a, n):
        upper = (a.view(np.uint32) >> 16).astype("<u2")
        return helper.make_tensor(n, TensorProto.BFLOAT16, a.shape, upper.tobytes(), raw=True)

    x = [value("X", ["time", "batch", 3], TensorProto.BFLOAT16)]
    w.one("bfloat16.onnx", ds, "bfloat16 in raw_data", make=bfloat16, opset=22, ir=9, x=x)
    w.one("bfloat16-data.onnx", ds, "bfloat16 bit patterns in int32_data", opset=22, ir=10, x=x,
          make=lambda a, n: typed(a, n, TensorProto.BFLOAT16))

    arrays = [("W", onnx_w(ds)), ("R", onnx_r(ds)), ("B", onnx_b(ds))]
    w.save("constant-nodes.onnx",
           model(graph([constant(n, a) for n, a in arrays] + [lstm_node()], [], X, Y)),
           [lstm("lstm", ds)], about="weights as Constant nodes")
    w.save("constant-lists.onnx", model(graph([
        *[helper.make_node("Constant", [], [n + "_flat"], value_floats=a.flatten().tolist())
          for n, a in arrays],
        *[helper.make_node("Constant", [], [n + "_shape"], value_ints=list(a.shape))
          for n, a in arrays],
        *[helper.make_node("Reshape", [n + "_flat", n + "_shape"], [n]) for n, _ in arrays],
        lstm_node()], [], X, Y)),
        [lstm("lstm", ds)], about="Constant with value_floats and value_ints, Reshape")

    # Old proto2 writers: floats not packed; and dims packed, which proto2 does not do by itself.
    tensors = [
        wire.bytes_field(5, b"".join(
            [wire.bytes_field(1, b"".join(wire.varint(d) for d in a.shape)),
             wire.varint_field(2, TensorProto.FLOAT)]
            + [wire.float_field(4, v) for v in a.flatten()]
            + [wire.bytes_field(8, n.encode())]))
        for n, a in arrays]
    shell = model(graph([lstm_node()], [], X, Y))
    inner = shell.graph.SerializeToString(deterministic=True) + b"".join(tensors)
    shell.ClearField("graph")
    data = shell.SerializeToString(deterministic=True) + wire.bytes_field(7, inner)
    onnx.checker.check_model(onnx.load_from_string(data))
    w.save("unpacked-floats.onnx", data, [lstm("lstm", ds)],
           about="float_data one field each, dims packed")

    # External data: one file, the tensors behind one another, with and without a length.
    with open(w.path("external.onnx.data"), "wb") as file:
        tensors = []
        for n, a in arrays:
            tensor = onnx.TensorProto(name=n, data_type=TensorProto.FLOAT, dims=a.shape)
            tensor.data_location = TensorProto.EXTERNAL
            places = {"location": "external.onnx.data"}
            if file.tell():
                places["offset"] = str(file.tell())
            if n != "B":
                places["length"] = str(a.nbytes)
            for key, text in places.items():
                tensor.external_data.add(key=key, value=text)
            file.write(a.astype("<f4").tobytes())
            tensors.append(tensor)
    made = model(graph([lstm_node()], tensors, X, Y))
    w.save("external.onnx", made, [lstm("lstm", ds)], check=False,
           about="weights in external.onnx.data; the first without an offset, the last without a "
                 "length")
    made = model(graph(
        [helper.make_node("Constant", [], [t.name], value=t) for t in tensors] + [lstm_node()],
        [], X, Y))
    w.save("external-constants.onnx", made, [lstm("lstm", ds)], check=False,
           about="weights as Constant nodes with their data in external.onnx.data")


def write_attributes(w):
    ds, both = directions(1, recurrent_bias=True), directions(2, recurrent_bias=True)
    w.one("reverse.onnx", ds, "direction reverse: outputs stay in input order",
          direction="reverse", expect={"direction": "backward"})
    w.one("bidirectional.onnx", both, "direction bidirectional", direction="bidirectional")
    w.one("no-bias.onnx", directions(1, bias=False), "without B")
    w.one("no-bias-bidirectional.onnx", directions(2, bias=False), "without B, two directions",
          direction="bidirectional")
    w.one("peepholes.onnx", directions(1, recurrent_bias=True, peepholes=True),
          "P is in the order i o f")
    w.one("peepholes-bidirectional-no-bias.onnx", directions(2, bias=False, peepholes=True),
          "P without B: empty names between", direction="bidirectional")
    w.one("clip.onnx", ds, "clip", clip=2.5, expect={"clip": 2.5})
    w.one("input-forget.onnx", ds, "input_forget: f = 1 - i", input_forget=1,
          expect={"coupled": True})
    w.one("layout-1.onnx", ds, "layout 1 changes X and Y, not the weights", layout=1)
    w.one("no-hidden-size.onnx", ds, "hidden_size comes from R", hidden_size=None)
    w.one("explicit-defaults.onnx", ds, "every attribute at its default", direction="forward",
          activations=["Sigmoid", "Tanh", "Tanh"], input_forget=0, layout=0)

    # States and lengths stand between B and P; all outputs are asked for.
    made = model(graph(
        [lstm_node(inputs=["X", "W", "R", "B", "lengths", "h", "c"], outputs=["Y", "h1", "c1"])],
        weights(ds), X + [value("lengths", ["batch"], TensorProto.INT32),
                          value("h", [1, "batch", 2]), value("c", [1, "batch", 2])],
        [unknown("Y"), unknown("h1", 3), unknown("c1", 3)]))
    w.save("states.onnx", made, [lstm("lstm", ds)], about="sequence_lens and initial states")


def write_activations(w):
    ds, both = directions(1, recurrent_bias=True), directions(2, recurrent_bias=True)
    w.one("hard-sigmoid-default.onnx", ds, "HardSigmoid without constants: 0.2, 0.5",
          activations=["HardSigmoid", "Tanh", "Tanh"], expect={"gate": HARD_SIGMOID_2})
    w.one("hard-sigmoid-alpha-beta.onnx", ds, "HardSigmoid with constants",
          activations=["HardSigmoid", "Tanh", "Tanh"], activation_alpha=[0.25],
          activation_beta=[0.375], expect={"gate": activation("hardSigmoid", 0.25, 0.375)})
    w.one("activations-lower-case.onnx", ds, "names in lower case, as ONNX Runtime writes them",
          activations=["hardsigmoid", "relu", "tanh"],
          expect={"gate": HARD_SIGMOID_2, "cell": activation("relu"), "output": TANH})
    w.one("activations-no-constants.onnx", ds, "Relu, Softsign, Softplus",
          activations=["Softsign", "Relu", "Softplus"],
          expect={"gate": activation("softsign"), "cell": activation("relu"),
                  "output": activation("softplus")})
    w.one("activations-mixed.onnx", ds,
          "alpha and beta are consumed in order, by the functions that take them",
          activations=["HardSigmoid", "LeakyRelu", "ScaledTanh"],
          activation_alpha=[0.25, 0.125, 1.5], activation_beta=[0.375, 0.75],
          expect={"gate": activation("hardSigmoid", 0.25, 0.375),
                  "cell": activation("leakyRelu", 0.125),
                  "output": activation("scaledTanh", 1.5, 0.75)})
    w.one("activations-mixed-bidirectional.onnx", both,
          "constants pass over Sigmoid and Tanh into the second direction",
          direction="bidirectional",
          activations=["Sigmoid", "Elu", "Tanh", "HardSigmoid", "ThresholdedRelu", "Affine"],
          activation_alpha=[0.5, 0.25, 1.25, 2.0], activation_beta=[0.375, 0.125],
          expect={"each": [
              settings("forward", gate=SIGMOID, cell=activation("elu", 0.5), output=TANH),
              settings("backward", gate=activation("hardSigmoid", 0.25, 0.375),
                       cell=activation("thresholdedRelu", 1.25),
                       output=activation("affine", 2.0, 0.125))]})


def write_neighbours(w):
    ds = directions(1, recurrent_bias=True)

    # One set of weights, two nodes.
    made = model(graph(
        [lstm_node("first", outputs=["", "Y1"]), lstm_node("second", outputs=["", "Y2"])],
        weights(ds), X, [unknown("Y1", 3), unknown("Y2", 3)]))
    w.save("shared-weights.onnx", made, [lstm("first", ds), lstm("second", ds)],
           about="two nodes, one set of weights")

    # Same weights, another direction: still one set.
    made = model(graph(
        [lstm_node("onward", outputs=["Y1"]),
         lstm_node("back", outputs=["Y2"], direction="reverse")],
        weights(ds), X, [unknown("Y1"), unknown("Y2")]))
    w.save("shared-weights-reverse.onnx", made,
           [lstm("onward", ds), lstm("back", ds, direction="backward")],
           about="two nodes that read in opposite directions, one set of weights")

    # Embedding, two layers, head. Gather and Gemm with transB are as wide as they look.
    counter = Counter(150)
    table, first, bias = counter.array(5, 3), counter.array(3, 2), counter.array(3)
    second, bias2 = counter.array(4, 3), counter.array(4)
    top = directions(1, inputs=2, start=63, recurrent_bias=True)
    made = model(graph([
        helper.make_node("Gather", ["table", "tokens"], ["X"], name="letters"),
        lstm_node("bottom", outputs=["Y1"]),
        helper.make_node("Squeeze", ["Y1", "axis"], ["Y1_flat"], name="squeeze_1"),
        lstm_node("top", ["Y1_flat", "top_W", "top_R", "top_B"], ["", "h"]),
        helper.make_node("Squeeze", ["h", "axis0"], ["features"], name="squeeze_2"),
        helper.make_node("MatMul", ["features", "first"], ["m"], name="hidden"),
        helper.make_node("Add", ["m", "bias"], ["a"], name="hidden_bias"),
        helper.make_node("Gemm", ["a", "second", "bias2"], ["logits"], name="head", transB=1),
    ], weights(ds) + weights(top, "top_") + [
        raw(table, "table"), ints("axis", 1), ints("axis0", 0), raw(first.T, "first"),
        raw(bias, "bias"), raw(second, "second"), raw(bias2, "bias2"),
    ], [value("tokens", ["time", "batch"], TensorProto.INT64)], [unknown("logits", 2)]))
    w.save("embedding-head.onnx", made,
           [lstm("bottom", ds), lstm("top", top, weight_set=1)], embeddings=[("letters", table)],
           dense=[("hidden", first, None, LINEAR), ("head", second, bias2, LINEAR)],
           about="Gather, two LSTMs, MatMul and Add, Gemm with transB")

    gru = Counter(100)
    made = model(graph(
        [lstm_node(outputs=["Y"]),
         helper.make_node("GRU", ["X", "gW", "gR"], ["Y2"], name="gates", hidden_size=2)],
        weights(ds) + [raw(gru.array(1, 6, 3), "gW"), raw(gru.array(1, 6, 2), "gR")],
        X, Y + [unknown("Y2")]))
    w.save("gru-beside-lstm.onnx", made, [lstm("lstm", ds)], opaque=[("gates", "GRU")],
           about="a GRU is named, not compressed")

    made = model(graph(
        [lstm_node("known", outputs=["Y"]),
         lstm_node("fed", ["X", "W2", "R", "B"], ["Y2"])],
        weights(ds), X + [value("W2", [1, 8, 3])], Y + [unknown("Y2")]))
    w.save("weights-from-input.onnx", made, [lstm("known", ds)], opaque=[("fed", "W2")],
           about="W of one node is an input of the graph: not constant, named with a reason")

    made = model(graph(
        [helper.make_node("Sin", ["R"], ["R2"], name="bend"), lstm_node("known"),
         lstm_node("bent", ["X", "W", "R2", "B"], ["Y2"])],
        weights(ds), X, Y + [unknown("Y2")]))
    w.save("weights-through-sin.onnx", made, [lstm("known", ds)], opaque=[("bent", "Sin")],
           about="R of one node passes an operator that no importer folds")

    write_opset6(w, ds)


def write_opset6(w, ds):
    """PyTorch 0.3: IR 3, attributes where inputs are today, initializers among the inputs."""
    d = ds[0]
    torch = {"w_ih": d.W.reshape(8, 3), "w_hh": d.R.reshape(8, 2), "b_ih": d.Wb.reshape(8),
             "b_hh": d.Rb.reshape(8)}  # i f g o, the canonical order
    nodes = []
    for name in torch:
        for part, (start, end) in {"i": (0, 2), "o": (6, 8), "fg": (2, 6)}.items():
            nodes.append(helper.make_node("Slice", [name], [f"{name}_{part}"], axes=[0],
                                          starts=[start], ends=[end]))
        nodes.append(helper.make_node(
            "Concat", [f"{name}_{p}" for p in ("i", "o", "fg")], [name + "_iofc"], axis=0))
    nodes += [
        helper.make_node("Unsqueeze", ["w_ih_iofc"], ["W"], axes=[0]),
        helper.make_node("Unsqueeze", ["w_hh_iofc"], ["R"], axes=[0]),
        helper.make_node("Concat", ["b_ih_iofc", "b_hh_iofc"], ["b"], axis=0),
        helper.make_node("Unsqueeze", ["b"], ["B"], axes=[0]),
        lstm_node(outputs=["Y4"], output_sequence=1),
        helper.make_node("Squeeze", ["Y4"], ["Y"], axes=[1]),
    ]
    inputs = [value("X", [5, 1, 3])] + [value(n, a.shape) for n, a in torch.items()]
    initializers = [raw(a, n) for n, a in torch.items()]
    made = model(graph(nodes, initializers, inputs, [unknown("Y", 3)]), opset=6, ir=3)
    w.save("opset-6-ir-3.onnx", made, [lstm("lstm", ds)],
           about="attribute-style Slice, Squeeze, Unsqueeze; initializers repeated as inputs")
