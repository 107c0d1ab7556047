"""ONNX files whose LSTMs stand in inner graphs and functions, or whose weights are computed."""

import copy

import numpy as np
from onnx import AttributeProto, TensorProto, helper

from fixture_values import directions, lstm, onnx_b, onnx_r, onnx_w
from onnx_builder import (
    Writer, X, Y, constant, graph, ints, lstm_node, model, raw, unknown, value, weights)

LAST = 9223372036854775807  # the end of a slice as PyTorch writes it
CONDITION = [value("condition", [], TensorProto.BOOL)]


def write(folder):
    w = Writer(folder)
    write_branches(w)
    write_loops(w)
    write_functions(w)
    write_computed(w)
    write_quantized(w)
    return w.entries


def node(op, inputs, outputs, **attributes):
    outputs = [outputs] if isinstance(outputs, str) else outputs
    return helper.make_node(op, inputs, outputs, name=f"{op}_{outputs[0]}", **attributes)


def torch_arrays(d):
    """As PyTorch keeps them: [4H, I], [4H, H], [4H], [4H] in the order i f g o."""
    hidden = d.R.shape[2]
    return {"w_ih": d.W.reshape(4 * hidden, -1), "w_hh": d.R.reshape(4 * hidden, hidden),
            "b_ih": d.Wb.reshape(-1), "b_hh": d.Rb.reshape(-1)}


def torch_slices(prefix=""):
    """The nodes that the TorchScript exporter writes to reorder them. `prefix` is of the results;
    the sources and the numbers keep their names."""
    nodes = []
    for name in ("w_ih", "w_hh", "b_ih", "b_hh"):
        for part, start, end in [("i", "n0", "n2"), ("o", "n6", "last"), ("fg", "n2", "n6")]:
            nodes.append(node("Slice", [name, start, end, "n0"], f"{prefix}{name}_{part}"))
        nodes.append(node("Concat", [f"{prefix}{name}_{p}" for p in ("i", "o", "fg")],
                          f"{prefix}{name}_iofc", axis=0))
    return nodes + [
        node("Unsqueeze", [prefix + "w_ih_iofc", "n0"], prefix + "W"),
        node("Unsqueeze", [prefix + "w_hh_iofc", "n0"], prefix + "R"),
        node("Concat", [prefix + "b_ih_iofc", prefix + "b_hh_iofc"], prefix + "b", axis=0),
        node("Unsqueeze", [prefix + "b", "n0"], prefix + "B"),
    ]


NUMBERS = [ints("n0", 0), ints("n2", 2), ints("n6", 6), ints("last", LAST)]


def branch(name, prefix="", nodes=(), initializers=(), **attributes):
    """The graph of one branch: an LSTM named lstm_<name>."""
    result = name + "_Y"
    inputs = ["X"] + [prefix + n for n in "WRB"]
    return graph([*nodes, lstm_node("lstm_" + name, inputs, [result], **attributes)],
                 initializers, [], [unknown(result)], name)


def choice(then, other, name="choose", output="Y"):
    return helper.make_node("If", ["condition"], [output], name=name, then_branch=then,
                            else_branch=other)


def write_branches(w):
    ds = directions(1, recurrent_bias=True)
    sources = [raw(a, n) for n, a in torch_arrays(ds[0]).items()]
    both = [lstm("lstm_then", ds), lstm("lstm_else", ds)]

    w.save("if-sliced-outside.onnx", model(graph(
        torch_slices() + [choice(branch("then"), branch("else"))],
        sources + NUMBERS, X + CONDITION, Y)), both,
        about="PyTorch order, reordered in the outer graph, used in both branches")
    w.save("if-sliced-inside.onnx", model(graph(
        [choice(branch("then", "t_", torch_slices("t_")),
                branch("else", "e_", torch_slices("e_")))],
        sources + NUMBERS, X + CONDITION, Y)), both,
        about="each branch reorders the same outer tensors: one set of weights")
    constants = [constant(n, a) for n, a in torch_arrays(ds[0]).items()]
    w.save("if-outer-constants.onnx", model(graph(
        constants + [choice(branch("then", "t_", torch_slices("t_")),
                            branch("else", "e_", torch_slices("e_")))],
        NUMBERS, X + CONDITION, Y)), both,
        about="as if-sliced-inside, the sources are Constant nodes of the outer graph")

    other = directions(1, recurrent_bias=True, start=100)
    w.save("if-own-initializers.onnx", model(graph(
        [choice(branch("then", "t_", initializers=weights(ds, "t_")),
                branch("else", "e_", initializers=weights(other, "e_")))],
        [], X + CONDITION, Y)),
        [lstm("lstm_then", ds), lstm("lstm_else", other, weight_set=1)],
        about="each branch has initializers of its own")
    # The same names in sibling scopes are different tensors.
    w.save("if-same-names.onnx", model(graph(
        [choice(branch("then", initializers=weights(ds)),
                branch("else", initializers=weights(other)))],
        [], X + CONDITION, Y)),
        [lstm("lstm_then", ds), lstm("lstm_else", other, weight_set=1)],
        about="both branches call their initializers W, R, B: two sets")

    inner = graph([choice(branch("then"), branch("else"), "inner", "inner_Y")], [], [],
                  [unknown("inner_Y")], "outer_then")
    w.save("if-nested.onnx", model(graph(
        torch_slices() + [choice(inner, branch("outer", direction="reverse"), "outer")],
        sources + NUMBERS, X + CONDITION, Y)),
        both + [lstm("lstm_outer", ds, direction="backward")],
        about="an If in an If; weights two scopes up")


def write_loops(w):
    ds = directions(1, recurrent_bias=True)
    sources = [raw(a, n) for n, a in torch_arrays(ds[0]).items()]

    def body(nodes, initializers=(), prefix=""):
        return graph(
            [*nodes, lstm_node("lstm", ["X"] + [prefix + n for n in "WRB"], ["", "h_next"]),
             node("Identity", ["going"], "still_going")],
            initializers,
            [value("round", [], TensorProto.INT64), value("going", [], TensorProto.BOOL),
             value("h", [1, "batch", 2])],
            [value("still_going", [], TensorProto.BOOL), unknown("h_next", 3)], "body")

    def loop(inner):
        return helper.make_node("Loop", ["count", "", "h0"], ["h_last"], name="loop", body=inner)

    inputs = X + [value("h0", [1, "batch", 2])]
    outputs = [unknown("h_last", 3)]
    w.save("loop-outer-weights.onnx", model(graph(
        torch_slices() + [loop(body([]))], sources + NUMBERS + [ints("count", 3)], inputs,
        outputs)), [lstm("lstm", ds)], about="Loop body, weights computed outside")
    w.save("loop-body-weights.onnx", model(graph(
        [loop(body(torch_slices("in_"), sources + NUMBERS, "in_"))], [ints("count", 3)], inputs,
        outputs)), [lstm("lstm", ds)], about="Loop body with initializers and slices of its own")

    # The state of a loop is not a constant, whatever its first value is.
    made = graph(
        [lstm_node("lstm", ["X", "W", "R_now", "B"], ["Y_now"]), node("Add", ["R_now", "R_now"],
                                                                      "R_next"),
         node("Identity", ["going"], "still_going")], [],
        [value("round", [], TensorProto.INT64), value("going", [], TensorProto.BOOL),
         value("R_now", [1, 8, 2])],
        [value("still_going", [], TensorProto.BOOL), value("R_next", [1, 8, 2]),
         unknown("Y_now")], "body")
    w.save("loop-carried-weights.onnx", model(graph(
        [helper.make_node("Loop", ["count", "", "R"], ["R_last", "Y"], name="loop", body=made),
         lstm_node("known", outputs=["Y2"])],
        weights(ds) + [ints("count", 3)], X, [unknown("Y", 5), unknown("Y2")])),
        [lstm("known", ds)], opaque=[("lstm", "R_now")],
        about="R is a state that the loop carries: not constant, named with a reason")

    scan_body = graph([
        node("Unsqueeze", ["x", "n0"], "x_one"),
        lstm_node("lstm", ["x_one", "W", "R", "B", "", "h"], ["", "h_next"]),
        node("Identity", ["h_next"], "out")],
        [], [value("h", [1, "batch", 2]), value("x", ["batch", 3])],
        [unknown("h_next", 3), unknown("out", 3)], "body")
    w.save("scan-body.onnx", model(graph(
        torch_slices() + [helper.make_node("Scan", ["h0", "X"], ["h_last", "Y"], name="scan",
                                           body=scan_body, num_scan_inputs=1)],
        sources + NUMBERS, inputs, [unknown("h_last", 3), unknown("Y")])), [lstm("lstm", ds)],
        about="Scan body, weights computed outside")


def write_functions(w):
    a = directions(1, recurrent_bias=True)
    b = directions(1, recurrent_bias=True, start=100)
    opsets = [helper.make_opsetid("", 17)]

    def function(name, inputs, nodes, attributes=()):
        return helper.make_function("local", name, inputs, ["Y"], nodes, opsets, list(attributes))

    def call(name, inputs, output="Y", of="Block", **attributes):
        return helper.make_node(of, inputs, [output], name=name, domain="local", **attributes)

    block = function("Block", ["X", "W", "R", "B"], [lstm_node()])
    w.save("function-inputs.onnx", model(graph(
        [call("call", ["X", "W", "R", "B"])], weights(a), X, Y), functions=[block],
        domains=["local"]), [lstm("lstm", a)], about="weights are inputs of a local function")
    w.save("function-twice.onnx", model(graph(
        [call("call_a", ["X", "a_W", "a_R", "a_B"], "Y1"),
         call("call_b", ["X", "b_W", "b_R", "b_B"], "Y2"),
         call("call_a_again", ["X", "a_W", "a_R", "a_B"], "Y3")],
        weights(a, "a_") + weights(b, "b_"), X, [unknown(n) for n in ("Y1", "Y2", "Y3")]),
        functions=[block], domains=["local"]),
        [lstm(None, a), lstm(None, b, weight_set=1), lstm(None, a)],
        about="one function called three times: three layers, two sets of weights")

    arrays = [("W", onnx_w(a)), ("R", onnx_r(a)), ("B", onnx_b(a))]
    inside = function("Block", ["X"], [constant(n, v) for n, v in arrays] + [lstm_node()])
    w.save("function-constants.onnx", model(graph(
        [call("call", ["X"])], [], X, Y), functions=[inside], domains=["local"]),
        [lstm("lstm", a)], about="weights are Constant nodes of the function")

    referring = lstm_node(hidden_size=None)
    for name, kind, outer in [("hidden_size", AttributeProto.INT, "size"),
                              ("direction", AttributeProto.STRING, "way")]:
        referring.attribute.add(name=name, type=kind, ref_attr_name=outer)
    block = function("Block", ["X", "W", "R", "B"], [referring], ["size", "way"])
    outer = function("Outer", ["X", "W", "R", "B"],
                     [call("inner_call", ["X", "W", "R", "B"], size=2, way="reverse")])
    outer.opset_import.append(helper.make_opsetid("local", 1))
    w.save("function-attributes.onnx", model(graph(
        [call("call", ["X", "W", "R", "B"], of="Outer")], weights(a), X, Y),
        functions=[block, outer], domains=["local"]), [lstm("lstm", a, direction="backward")],
        about="a function in a function; attributes that refer to those of the call")

    # A name of the calling graph is not visible in a function.
    hidden = function("Block", ["X", "R"], [node("Identity", ["R"], "W"),
                                            lstm_node(inputs=["X", "W", "R"])])
    square = copy.deepcopy(directions(1, inputs=2, bias=False))
    square[0].R = square[0].W
    w.save("function-scope.onnx", model(graph(
        [call("call", ["X2", "W"])], [raw(onnx_w(square), "W"), raw(onnx_r(a) + 1, "R")],
        [value("X2", ["time", "batch", 2])], Y), functions=[hidden], domains=["local"]),
        [lstm("lstm", square)],
        about="R inside the function is the caller's W; the caller's R is another tensor")


def write_computed(w):
    ds = directions(1, recurrent_bias=True)
    d = ds[0]

    flat = copy.deepcopy(directions(1, bias=False))
    flat[0].W[:], flat[0].R[:] = 7, -3
    w.save("constant-of-shape.onnx", model(graph([
        node("ConstantOfShape", ["W_shape"], "W", value=raw(np.array([7], np.float32), "v")),
        node("ConstantOfShape", ["R_shape"], "R", value=raw(np.array([-3], np.float32), "v")),
        lstm_node(inputs=["X", "W", "R"])],
        [ints("W_shape", 1, 8, 3), ints("R_shape", 1, 8, 2)], X, Y)), [lstm("lstm", flat)],
        about="weights by ConstantOfShape")

    # B of zeros, its shape computed from R: [1, 8, 2] -> [1, 16].
    zero = copy.deepcopy(ds)
    zero[0].Wb[:], zero[0].Rb[:] = 0, 0
    w.save("constant-of-shape-computed.onnx", model(graph([
        node("Shape", ["R"], "shape"), node("Gather", ["shape", "n1"], "rows"),
        node("Gather", ["shape", "n2"], "columns"), node("Mul", ["rows", "columns"], "size"),
        node("Concat", ["one", "size"], "B_shape", axis=0),
        node("ConstantOfShape", ["B_shape"], "B"), lstm_node()],
        weights(ds)[:2] + [ints("n1", 1), ints("n2", 2), ints("one", 1)], X, Y)),
        [lstm("lstm", zero)], about="Shape, Gather, Mul, Concat, ConstantOfShape without a value")

    # Keras kernels [I, 4H] i f c o as tf2onnx has them: Transpose, Split, Concat, Reshape.
    kernel, recurrent, bias = d.keras()
    bias2 = np.concatenate([d.Rb[g] for g in range(4)])
    for opset, split in [(11, {"split": [2, 2, 2, 2]}), (17, {}), (18, {"num_outputs": 4})]:
        nodes = []
        for n in ("kernel", "recurrent"):
            nodes += [node("Transpose", [n], n + "_T", perm=[1, 0]),
                      node("Split", [n + "_T"], [f"{n}_{g}" for g in "ifco"], axis=0, **split),
                      node("Concat", [f"{n}_{g}" for g in "iofc"], n + "_iofc", axis=-2)]
        nodes += [node("Reshape", ["kernel_iofc", "W_shape"], "W"),
                  node("Reshape", ["recurrent_iofc", "R_shape"], "R"),
                  node("Gather", ["biases", "order"], "b", axis=1),
                  node("Reshape", ["b", "B_shape"], "B"), lstm_node()]
        order = ints("order", *[2 * gate + unit for gate in (0, 3, 1, 2) for unit in (0, 1)])
        w.save(f"chain-opset-{opset}.onnx", model(graph(nodes, [
            raw(kernel, "kernel"), raw(recurrent, "recurrent"),
            raw(np.stack([bias, bias2]), "biases"), order, ints("W_shape", 1, -1, 3),
            ints("R_shape", -1, 8, 2), ints("B_shape", 1, -1)], X, Y), opset),
            [lstm("lstm", ds)], about="Transpose, Split, Concat, Reshape, Gather from Keras order")

    # Default perm, negative axes and steps, Squeeze without axes, Cast, Add, Mul, Identity.
    doubled = (onnx_w(ds).astype(np.float64) * 2 - 8)
    w.save("chain-arithmetic.onnx", model(graph([
        node("Add", ["doubled", "eight"], "W2"), node("Mul", ["W2", "half"], "W_double"),
        node("Cast", ["W_double"], "W_float", to=TensorProto.FLOAT),
        node("Identity", ["W_float"], "W"),
        node("Transpose", ["R_reversed"], "R_cube"),  # no perm: all axes turned round
        node("Squeeze", ["R_cube"], "R_flat"),
        node("Slice", ["R_flat", "minus1", "far", "rows", "minus1"], "R_rows"),
        node("Unsqueeze", ["R_rows", "minus3"], "R"), lstm_node()],
        [raw(doubled, "doubled"), raw(np.float64(8).reshape(()), "eight"),
         raw(np.array([[0.5]]), "half"),
         raw(onnx_r(ds)[0, ::-1].T[:, :, None], "R_reversed"), ints("minus1", -1),
         ints("far", -LAST - 1), ints("rows", -2), ints("minus3", -3), weights(ds)[2]], X, Y)),
        [lstm("lstm", ds)],
        about="scalars broadcast, float64 to float32, negative axes and a step of -1")


def write_quantized(w):
    ds = directions(1, recurrent_bias=True)
    W, R, B = onnx_w(ds), onnx_r(ds), onnx_b(ds)
    scales = np.where(np.arange(8) % 2 == 0, 0.5, 1.0).astype(np.float32)
    w.save("dequantize-linear.onnx", model(graph([
        node("DequantizeLinear", ["W_q", "W_scale"], "W"),
        node("DequantizeLinear", ["R_q", "R_scale", "R_zero"], "R", axis=1), lstm_node()],
        [raw((W * 2).astype(np.int8), "W_q"), raw(np.float32(0.5).reshape(()), "W_scale"),
         raw((R / scales[None, :, None] + 128).astype(np.uint8), "R_q"), raw(scales, "R_scale"),
         raw(np.full(8, 128, np.uint8), "R_zero"), raw(B, "B")], X, Y)),
        [lstm("lstm", ds)],
        about="int8 with one scale, uint8 with a scale and a zero point per row (axis 1)")
