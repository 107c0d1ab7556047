"""ONNX files that must be refused, or whose broken LSTM must be named."""

import numpy as np
import onnx
from onnx import TensorProto, helper

import wire
from fixture_values import directions, onnx_b, onnx_r, onnx_w
from onnx_builder import X, Y, graph, ints, lstm_node, model, raw

# Fields of the protobuf messages: ModelProto.graph, GraphProto.node, NodeProto.attribute,
# AttributeProto.g.
GRAPH, NODE, ATTRIBUTE, G = 7, 1, 5, 6


def write(w):
    ds = directions(1, recurrent_bias=True)
    arrays = {"W": onnx_w(ds), "R": onnx_r(ds), "B": onnx_b(ds)}

    def save(name, wrong, made, outcome="skip", make=None):
        data = made if isinstance(made, bytes) else made.SerializeToString(deterministic=True)
        w.bytes(name, wrong, data, outcome, make)

    def tensors(**changes):
        made = {k: raw(v, k) for k, v in arrays.items()}
        for name, change in changes.items():
            made[name] = raw(change, name) if isinstance(change, np.ndarray) else change
        return [t for t in made.values() if t is not None]

    def one(name, wrong, nodes=(), node=None, outcome="skip", extra=(), **changes):
        made = model(graph([*nodes, node or lstm_node()], tensors(**changes) + list(extra), X, Y))
        save(name, wrong, made, outcome)

    write_tensors(one, arrays)
    write_external(save, tensors)
    write_attributes(one, arrays)
    write_graphs(save, one, tensors)


def tensor(dims, data=b"", kind=TensorProto.FLOAT, name="W"):
    made = onnx.TensorProto(name=name, data_type=kind, raw_data=data)
    made.dims.extend(dims)
    return made


def write_tensors(one, arrays):
    W = arrays["W"]
    nan, infinite = W.copy(), arrays["R"].copy()
    nan[0, 3, 1], infinite[0, 5, 1] = np.nan, np.inf
    one("nan.onnx", "NaN in W", W=nan, outcome="error")
    one("infinite.onnx", "infinity in R", R=infinite, outcome="error")
    one("dims-1e12.onnx", "dims of 10^12, no data", W=tensor([1, 8, 10**12]))
    one("dims-negative.onnx", "a negative dimension", W=tensor([1, -8, 3], bytes(96)))
    one("dims-overflow.onnx", "dims whose product is 2^96",
        W=tensor([2**32, 2**32, 2**32], bytes(96)))
    one("dims-overflow-to-zero.onnx", "dims whose product is 2^64, which wraps to 0",
        W=tensor([2**32, 2**32]))
    one("raw-data-short.onnx", "raw_data of 95 bytes for 96", W=tensor([1, 8, 3], bytes(95)))
    one("raw-data-long.onnx", "raw_data of 100 bytes for 96", W=tensor([1, 8, 3], bytes(100)))
    short = onnx.TensorProto(name="W", data_type=TensorProto.FLOAT, dims=[1, 8, 3],
                             float_data=[1.0] * 23)
    one("float-data-short.onnx", "float_data of 23 numbers for 24", W=short)
    one("type-int64.onnx", "W of integers", W=W.astype(np.int64))
    one("type-unknown.onnx", "an element type that does not exist",
        W=tensor([1, 8, 3], bytes(96), 99))
    segment = tensor([1, 8, 3], bytes(96))
    segment.segment.begin, segment.segment.end = 0, 96
    one("segment.onnx", "a tensor in segments", W=segment)
    text = onnx.TensorProto(name="W", data_type=TensorProto.STRING, dims=[1, 8, 3],
                            string_data=[b"1"] * 24)
    one("type-string.onnx", "W of strings", W=text)


def external(name, shape, **places):
    made = onnx.TensorProto(name=name, data_type=TensorProto.FLOAT, dims=shape,
                            data_location=TensorProto.EXTERNAL)
    for key, text in places.items():
        made.external_data.add(key=key, value=text)
    return made


def write_external(save, tensors):
    def file(name, wrong, make=None, **places):
        W = external("W", [1, 8, 3], **places)
        save(name, wrong, model(graph([lstm_node()], tensors(W=W), X, Y)), "skip", make)

    data = "external-good-bytes.data"
    file("external-parent.onnx", "external data with .. in its path",
         location="../onnx/external.onnx.data")
    file("external-inner-parent.onnx", "external data with .. inside its path",
         location="sub/../../onnx/external.onnx.data")
    file("external-absolute.onnx", "external data with an absolute path", location="/etc/passwd")
    file("external-missing.onnx", "external data in a file that is not there",
         location="nowhere.data")
    file("external-no-location.onnx", "external data without a location", offset="0")
    file("external-past-end.onnx", "external data past the end of its file",
         location="html.h5", offset="4096", length="96")
    file("external-negative.onnx", "external data at a negative offset",
         location="html.h5", offset="-96", length="96")
    file("external-length.onnx", "external data of 4 bytes for 96", location="html.h5",
         offset="0", length="4")
    file("external-offset-text.onnx", "an offset that is not a number", location="html.h5",
         offset="ten")
    file("external-overflow.onnx", "offset and length whose sum overflows", location="html.h5",
         offset=str(2**63 - 1), length="96")
    file("external-symlink.onnx", "external data through a symbolic link",
         {"kind": "symbolicLink", "link": data, "to": "../onnx/external.onnx.data"}, location=data)
    file("external-hard-link.onnx", "external data in a file with two names",
         {"kind": "hardLink", "link": data, "to": "../onnx/external.onnx.data"}, location=data)
    file("external-fifo.onnx", "external data in a named pipe", {"kind": "fifo", "link": data},
         location=data)
    file("external-directory.onnx", "external data in a directory", location=".")


def write_attributes(one, arrays):
    one("w-missing.onnx", "W is defined nowhere", W=None)
    one("w-empty.onnx", "W is left out", node=lstm_node(inputs=["X", "", "R", "B"]))
    one("inputs-missing.onnx", "LSTM with one input", node=lstm_node(inputs=["X"]))
    one("w-rank-2.onnx", "W of rank 2", W=arrays["W"][0])
    one("b-short.onnx", "B of 8 numbers rather than 16", B=arrays["B"][:, :8])
    one("r-not-square.onnx", "R [1, 8, 3] with 2 units", R=arrays["W"])
    one("gates-3.onnx", "W and R of 3 gates", W=arrays["W"][:, :6], R=arrays["R"][:, :6])
    one("directions-1-for-2.onnx", "direction bidirectional, weights of one",
        node=lstm_node(direction="bidirectional"))
    one("hidden-size-contradicts.onnx", "hidden_size 5, R has 2",
        node=lstm_node(hidden_size=5))
    one("hidden-size-zero.onnx", "hidden_size 0", node=lstm_node(hidden_size=0))
    one("hidden-size-huge.onnx", "hidden_size 2^62", node=lstm_node(hidden_size=2**62))
    one("direction-sideways.onnx", "direction sideways", node=lstm_node(direction="sideways"))
    one("activation-unknown.onnx", "an activation that does not exist", outcome="either",
        node=lstm_node(activations=["Sigmoid", "Swoosh", "Tanh"]))
    one("activations-two.onnx", "two activations for three",
        node=lstm_node(activations=["Sigmoid", "Tanh"]))
    one("alpha-too-many.onnx", "more constants than functions that take them", outcome="either",
        node=lstm_node(activation_alpha=[1.0, 2.0, 3.0, 4.0]))
    one("clip-nan.onnx", "clip NaN", node=lstm_node(clip=float("nan")))
    one("layout-2.onnx", "layout 2", node=lstm_node(layout=2))
    one("attribute-type.onnx", "hidden_size is a text", node=lstm_node(hidden_size="two"))


def write_graphs(save, one, tensors):
    nd = helper.make_node
    one("twice.onnx", "two nodes make R", outcome="error", R=None,
        extra=[helper.make_tensor("R2", TensorProto.FLOAT, [1, 8, 2], [1.0] * 16)],
        nodes=[nd("Identity", ["R2"], ["R"]), nd("Identity", ["R2"], ["R"])])
    one("cycle.onnx", "R needs R2, which needs R", outcome="error", R=None,
        nodes=[nd("Identity", ["R2"], ["R"]), nd("Identity", ["R"], ["R2"])])
    chain = [nd("Identity", [f"a{n}"], [f"a{n + 1}"]) for n in range(1000)]
    one("chain-1000.onnx", "R behind 1,000 Identity nodes", outcome="either", R=None,
        extra=[helper.make_tensor("a0", TensorProto.FLOAT, [1, 8, 2], [1.0] * 16)],
        nodes=chain + [nd("Identity", ["a1000"], ["R"])])
    one("constant-of-shape-1e12.onnx", "ConstantOfShape of 10^12", R=None,
        nodes=[nd("ConstantOfShape", ["shape"], ["R"])], extra=[ints("shape", 1, 8, 10**12)])
    one("constant-of-shape-negative.onnx", "ConstantOfShape of a negative size", R=None,
        nodes=[nd("ConstantOfShape", ["shape"], ["R"])], extra=[ints("shape", 1, -8, 2)])
    one("constant-of-shape-zero-overflow.onnx", "ConstantOfShape of no elements whose sizes overflow",
        R=None, nodes=[nd("ConstantOfShape", ["shape"], ["R"])],
        extra=[ints("shape", 2**40, 2**40, 0)])
    doubling = [nd("Concat", [f"a{n}", f"a{n}"], [f"a{n + 1}"], axis=1) for n in range(45)]
    one("concat-doubling.onnx", "45 Concat nodes that double a tensor: 2^49 numbers", R=None,
        extra=[helper.make_tensor("a0", TensorProto.FLOAT, [1, 8, 2], [1.0] * 16)],
        nodes=doubling + [nd("Identity", ["a45"], ["R"])])
    one("broadcast-bomb.onnx", "Add whose broadcast has 10^12 elements", R=None,
        extra=[ints("tall", 10**6, 1), ints("wide", 1, 10**6)],
        nodes=[nd("ConstantOfShape", ["tall"], ["a"]), nd("ConstantOfShape", ["wide"], ["b"]),
               nd("Add", ["a", "b"], ["R"])])

    def folded(name, wrong, op, numbers, **attributes):
        """R behind one operator with wrong arguments."""
        extra = [ints(f"n{i}", *n) for i, n in enumerate(numbers)]
        source = helper.make_tensor("S", TensorProto.FLOAT, [1, 8, 2], [1.0] * 16)
        one(name, wrong, R=None, extra=[source] + extra,
            nodes=[nd(op, ["S"] + [t.name for t in extra], ["R"], **attributes)])

    folded("reshape-wrong-size.onnx", "Reshape of 16 numbers to 15", "Reshape", [[1, 5, 3]])
    folded("reshape-two-unknown.onnx", "Reshape with two -1", "Reshape", [[-1, -1, 2]])
    folded("gather-out-of-range.onnx", "Gather of row 8 of 8", "Gather", [[8]], axis=1)
    folded("gather-negative.onnx", "Gather of row -9 of 8", "Gather", [[-9]], axis=1)
    folded("slice-axis.onnx", "Slice of axis 7", "Slice", [[0], [1], [7]])
    folded("slice-step-zero.onnx", "Slice with step 0", "Slice", [[0], [8], [1], [0]])
    folded("transpose-perm.onnx", "Transpose by 0, 0, 1", "Transpose", [], perm=[0, 0, 1])
    folded("split-sizes.onnx", "Split into 5 and 5 of 8", "Split", [[5, 5]], axis=1)
    folded("squeeze-axis.onnx", "Squeeze of an axis of size 8", "Squeeze", [[1]])
    folded("unsqueeze-twice.onnx", "Unsqueeze with the same axis twice", "Unsqueeze", [[0, 0]])
    folded("concat-no-axis.onnx", "Concat without an axis", "Concat", [])

    one("dynamic-quantize-lstm.onnx", "DynamicQuantizeLSTM in place of LSTM",
        node=helper.make_node("DynamicQuantizeLSTM", ["X", "W", "R", "B"], ["Y"], "quantized",
                              domain="com.microsoft", hidden_size=2))
    save("no-nodes.onnx", "a model without nodes", model(graph([], [], [], [])), "either")
    shell = model(graph([], [], [], []))
    shell.ClearField("graph")
    save("no-graph.onnx", "a model without a graph", shell, "error")

    opsets = [helper.make_opsetid("", 17), helper.make_opsetid("local", 1)]
    for name, wrong, functions in [
        ("function-recursion.onnx", "a function that calls itself", {"Block": "Block"}),
        ("function-ping-pong.onnx", "two functions that call each other",
         {"Block": "Other", "Other": "Block"}),
        ("function-missing.onnx", "a call of a function that is not there", {"Other": "Other"}),
    ]:
        made = model(graph(
            [helper.make_node("Block", ["X", "W", "R", "B"], ["Y"], "call", domain="local")],
            tensors(), X, Y), domains=["local"], functions=[
                helper.make_function("local", f, ["X", "W", "R", "B"], ["Y"], [
                    helper.make_node(to, ["X", "W", "R", "B"], ["Y"], "inner", domain="local")],
                    opsets) for f, to in functions.items()])
        save(name, wrong, made)
    wide = {f"F{n}": f"F{n + 1}" for n in range(40)}
    made = model(graph(
        [helper.make_node("F0", ["X", "W", "R", "B"], ["Y"], "call", domain="local")],
        tensors(), X, Y), domains=["local"], functions=[
            helper.make_function("local", f, ["X", "W", "R", "B"], ["Y"], [
                helper.make_node(to, ["X", "W", "R", "B"], [o], f"c{o}", domain="local")
                for o in ("Y0", "Y")], opsets) for f, to in wide.items()] + [
            helper.make_function("local", "F40", ["X", "W", "R", "B"], ["Y"], [lstm_node()],
                                 opsets)])
    save("function-fan-out.onnx", "40 functions, each calls the next twice: 2^40 LSTMs", made,
         "error")

    # Bytes that no library writes: graphs in graphs, and lengths that lie.
    inner = b""
    for _ in range(5000):
        inner = wire.bytes_field(NODE, wire.bytes_field(ATTRIBUTE, wire.bytes_field(G, inner)))
    head = wire.varint_field(1, 8)
    save("nested-graphs-5000.onnx", "5,000 graphs, each in an attribute of the one before",
         head + wire.bytes_field(GRAPH, inner), "error")
    save("length-past-end.onnx", "a length beyond the end of the file",
         head + wire.varint(GRAPH << 3 | 2) + wire.varint(2**62) + b"graph", "error")
    save("varint-too-long.onnx", "a number of 20 bytes",
         head + wire.varint(GRAPH << 3) + b"\xff" * 20, "error")
    save("wire-type-wrong.onnx", "the graph is a number", head + wire.varint_field(GRAPH, 7),
         "error")
    made = model(graph([lstm_node()], tensors(), X, Y))
    made.graph.node[0].op_type = ""
    save("op-type-empty.onnx", "a node without an operator", made, "either")
    made = model(graph([lstm_node()], tensors(), X, Y))
    broken = made.SerializeToString(deterministic=True).replace(b"LSTM", b"LS\xff\xfe")
    save("name-not-utf8.onnx", "an operator name that is not UTF-8", broken, "either")
    made = model(graph([lstm_node()], tensors(), X, Y))
    made.graph.initializer.append(raw(np.zeros((1, 8, 3), np.float32), "W"))
    save("initializer-twice.onnx", "two initializers named W", made, "either")
    made = model(graph([lstm_node()], tensors(), X, Y))
    made.ClearField("opset_import")
    save("no-opset.onnx", "no operator set is imported", made, "either")
    save("opset-999.onnx", "operator set 999", model(graph([lstm_node()], tensors(), X, Y), 999),
         "either")
