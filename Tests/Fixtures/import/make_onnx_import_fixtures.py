"""Writes ONNX files with an LSTM whose weights are given in every way that exporters have, in
`onnx/`: `<case>.onnx`, and `<case>.npz` with X and what ONNX Runtime makes of it, or the numpy cell
of fixture_files.py where it does not run the file (CASES.tsv says which).

The arrays: X [steps, batch, inputs], Y [steps, directions, batch, units], Y_h and Y_c, and lengths,
h0 and c0 where the case has them; time first even with layout 1.
"""

import os

import ml_dtypes
import numpy as np
import onnx
import onnxruntime
from onnx import TensorProto, helper, numpy_helper

from fixture_files import Random, Table, folder, hard_sigmoid, run_lstm, save_arrays, sigmoid

OUT = folder("onnx")
TABLE = Table(OUT, ["case", "judge", "opset", "largest difference of the two judges"])
DIRECTIONS = ["forward", "reverse", "bidirectional"]
STEPS, BATCH, INPUTS, UNITS = 4, 2, 3, 3
LAST = 9223372036854775807
TYPES = {"float16": TensorProto.FLOAT16, "bfloat16": TensorProto.BFLOAT16,
         "double": TensorProto.DOUBLE}
NUMPY = {"float16": np.float16, "bfloat16": ml_dtypes.bfloat16, "double": np.float64}


class Case:
    """One file under construction: weights in numpy, nodes and tensors in ONNX."""

    def __init__(self, name, direction="forward", bias=True, opset=17, ir=8):
        self.name, self.direction, self.bias, self.opset, self.ir = name, direction, bias, opset, ir
        self.random = Random(name)
        self.count = 2 if direction == "bidirectional" else 1
        d = self.count
        self.W = self.random(d, 4 * UNITS, INPUTS)
        self.R = self.random(d, 4 * UNITS, UNITS)
        self.B = self.random(d, 8 * UNITS) if bias else None
        self.P = None
        self.x = self.random(STEPS, BATCH, INPUTS, scale=2)
        self.nodes, self.tensors, self.functions, self.domains = [], [], [], []
        self.inputs = [helper.make_tensor_value_info("X", TensorProto.FLOAT, self.x.shape)]
        self.feeds, self.extra, self.attributes, self.numpy = {"X": self.x}, {}, {}, {}
        self.kind = TensorProto.FLOAT
        self.layout = 0

    def tensor(self, name, array):
        self.tensors.append(numpy_helper.from_array(np.ascontiguousarray(array), name)
                            if np.ndim(array) else numpy_helper.from_array(np.asarray(array), name))
        return name

    def node(self, kind, inputs, outputs, **attributes):
        made = helper.make_node(kind, inputs, [outputs] if isinstance(outputs, str) else outputs,
                                name=f"{kind}_{len(self.nodes)}", **attributes)
        self.nodes.append(made)
        return made

    def weights(self):
        return [("W", self.W), ("R", self.R)] + ([("B", self.B)] if self.bias else [])

    def lstm(self, x="X", **options):
        """The LSTM node, which reads W, R and B by those names."""
        names = [x, "W", "R", "B" if self.bias else "", options.pop("lengths", ""),
                 options.pop("h0", ""), options.pop("c0", ""), options.pop("P", "")]
        while names[-1] == "":
            names.pop()
        attributes = dict(hidden_size=UNITS, direction=self.direction, **self.attributes, **options)
        return helper.make_node("LSTM", names, ["Y", "Y_h", "Y_c"], name="lstm", **attributes)

    def directions(self):
        result = []
        for d in range(self.count):
            b = self.B[d] if self.bias else np.zeros(8 * UNITS)
            one = {"W": self.W[d], "R": self.R[d], "b": b[:4 * UNITS] + b[4 * UNITS:],
                   "reverse": self.direction == "reverse" or d == 1}
            if self.P is not None:
                one["p"] = dict(zip("iof", self.P[d].reshape(3, UNITS)))
            one.update(self.numpy.get(d, {}))
            result.append(one)
        return result

    def model(self):
        outputs = [helper.make_tensor_value_info(n, self.kind, None) for n in ("Y", "Y_h", "Y_c")]
        graph = helper.make_graph(self.nodes, self.name, self.inputs, outputs, self.tensors)
        if self.ir < 4:
            graph.input.extend(helper.make_tensor_value_info(t.name, t.data_type, t.dims)
                               for t in self.tensors)
        opsets = [helper.make_opsetid("", self.opset)] + [helper.make_opsetid(d, 1)
                                                          for d in self.domains]
        made = helper.make_model(graph, opset_imports=opsets, functions=self.functions,
                                 producer_name="lstmpack fixtures")
        made.ir_version = self.ir
        return made

    def write(self, tolerance=1e-5, **numpy_options):
        made = self.model()
        path = os.path.join(OUT, self.name + ".onnx")
        onnx.save(made, path)
        expected = run_lstm(self.x, self.directions(), **numpy_options)
        expected = dict(zip(("Y", "Y_h", "Y_c"), expected))
        judge, difference = "numpy", "-"
        try:
            session = onnxruntime.InferenceSession(path)
            found = dict(zip(("Y", "Y_h", "Y_c"), session.run(None, self.feeds)))
            if self.layout == 1:
                found = {"Y": found["Y"].transpose(1, 2, 0, 3),
                         **{n: found[n].transpose(1, 0, 2) for n in ("Y_h", "Y_c")}}
            difference = max(np.abs(found[n].astype(np.float64).reshape(expected[n].shape)
                                    - expected[n]).max() for n in expected)
            assert difference < tolerance, (self.name, difference)
            if self.kind == TensorProto.FLOAT:
                judge, expected = "onnxruntime", found
            difference = f"{difference:.1e}"
        except Exception as error:  # a type or layout that it does not run
            if isinstance(error, AssertionError):
                raise
        arrays = {"X": self.x, **self.extra}
        arrays.update({n: np.asarray(a, np.float32) for n, a in expected.items()})
        save_arrays(os.path.join(OUT, self.name + ".npz"), arrays)
        TABLE.add(self.name, judge, self.opset, difference)


# Ways to give weights


def initializer(case):
    for name, array in case.weights():
        case.tensor(name, array)
    case.nodes.append(case.lstm())


def constant(case):
    for name, array in case.weights():
        case.node("Constant", [], name, value=numpy_helper.from_array(array))
    case.nodes.append(case.lstm())


TORCH = {"i": 0, "f": 1, "c": 2, "o": 3}  # the order of PyTorch's rows


def torch_rows(array):
    """Rows in the order i f c o of rows in the order i o f c."""
    i, o, f, c = np.split(array, 4, 0)
    return np.concatenate([i, f, c, o])


def torch_slices(case, into, prefix=""):
    """What the TorchScript exporter writes without folding: Slice, Concat, Unsqueeze."""
    old = case.opset < 10
    sources = {}
    for d in range(case.count):
        sources[f"w_ih_{d}"] = torch_rows(case.W[d])
        sources[f"w_hh_{d}"] = torch_rows(case.R[d])
        if case.bias:
            sources[f"b_ih_{d}"] = torch_rows(case.B[d][:4 * UNITS])
            sources[f"b_hh_{d}"] = torch_rows(case.B[d][4 * UNITS:])
    for name, array in sources.items():
        case.tensor(name, array)
    numbers = {n: np.array([n if n >= 0 else LAST], np.int64) for n in (0, UNITS, 3 * UNITS, -1)}
    if not old:
        for n, array in numbers.items():
            case.tensor(f"n{n}", array)

    def node(kind, inputs, output, **attributes):
        into.append(helper.make_node(kind, inputs, [output], name=f"{kind}_{output}", **attributes))
        return output

    def unsqueeze(name, output):
        if case.opset < 13:
            return node("Unsqueeze", [name], output, axes=[0])
        return node("Unsqueeze", [name, "n0"], output)

    parts = {"W": [], "R": [], "B": []}
    for d in range(case.count):
        ordered = {}
        for source in [s for s in sources if s.endswith(f"_{d}")]:
            pieces = []
            for start, end in [(0, UNITS), (3 * UNITS, -1), (UNITS, 3 * UNITS)]:
                output = f"{prefix}{source}_{start}"
                if old:
                    node("Slice", [source], output, axes=[0], starts=[start],
                         ends=[end if end > 0 else LAST])
                else:
                    node("Slice", [source, f"n{start}", f"n{end}", "n0"], output)
                pieces.append(output)
            ordered[source] = node("Concat", pieces, f"{prefix}{source}_iofc", axis=0)
        parts["W"].append(unsqueeze(ordered[f"w_ih_{d}"], f"{prefix}W_{d}"))
        parts["R"].append(unsqueeze(ordered[f"w_hh_{d}"], f"{prefix}R_{d}"))
        if case.bias:
            both = node("Concat", [ordered[f"b_ih_{d}"], ordered[f"b_hh_{d}"]], f"{prefix}b_{d}",
                        axis=0)
            parts["B"].append(unsqueeze(both, f"{prefix}B_{d}"))
    for name, values in parts.items():
        if values:
            node("Concat", values, name, axis=0)


def sliced(case):
    nodes = []
    torch_slices(case, nodes)
    case.nodes += nodes + [case.lstm()]


def branch(case, nodes, tensors=()):
    outputs = [helper.make_tensor_value_info(n, TensorProto.FLOAT, None) for n in ("Y", "Y_h", "Y_c")]
    return helper.make_graph(nodes, "branch", [], outputs, list(tensors))


def in_branches(case, graph):
    case.tensor("yes", np.array(True))
    made = helper.make_node("If", ["yes"], ["Y", "Y_h", "Y_c"], name="choose",
                            then_branch=graph, else_branch=graph)
    case.nodes.append(made)


def outer_scope(case):
    """The weights in the main graph, the LSTM in both branches of an If."""
    for name, array in case.weights():
        case.tensor(name, array)
    in_branches(case, branch(case, [case.lstm()]))


def in_if(case):
    """The weights are sliced inside the branches, as Silero has it."""
    nodes = []
    torch_slices(case, nodes)
    in_branches(case, branch(case, nodes + [case.lstm()]))


def in_loop(case):
    """One turn of a Loop, which hands W on and leaves R and B outside."""
    for name, array in case.weights():
        case.tensor("W_outside" if name == "W" else name, array)
    case.tensor("one", np.array(1, np.int64))
    case.tensor("yes", np.array(True))
    info = helper.make_tensor_value_info
    body = helper.make_graph(
        [case.lstm(), helper.make_node("Identity", ["go"], ["go_on"]),
         helper.make_node("Identity", ["W"], ["W_again"])], "body",
        [info("step", TensorProto.INT64, []), info("go", TensorProto.BOOL, []),
         info("W", TensorProto.FLOAT, case.W.shape)],
        [info("go_on", TensorProto.BOOL, []), info("W_again", TensorProto.FLOAT, case.W.shape)]
        + [info(n, TensorProto.FLOAT, None) for n in ("Y", "Y_h", "Y_c")])
    case.node("Loop", ["one", "yes", "W_outside"], ["W_after", "Ys", "Y_hs", "Y_cs"], body=body)
    case.tensor("axis0", np.array([0], np.int64))
    for name in ("Y", "Y_h", "Y_c"):
        case.node("Squeeze", [name + "s", "axis0"], name)


def in_function(case):
    """A function with the LSTM in it: W and R are its inputs, and so is its direction."""
    for name, array in case.weights():
        case.tensor("weights_" + name, array)
    inner = case.lstm()
    for attribute in inner.attribute:
        if attribute.name == "direction":
            attribute.ClearField("s")
            attribute.ref_attr_name = "way"
    names = [name for name, _ in case.weights()]
    case.functions.append(helper.make_function(
        "fixtures", "Recur", ["X"] + names, ["Y", "Y_h", "Y_c"], [inner],
        [helper.make_opsetid("", case.opset)], attributes=["way"]))
    case.domains.append("fixtures")
    case.nodes.append(helper.make_node("Recur", ["X"] + ["weights_" + n for n in names],
                                       ["Y", "Y_h", "Y_c"], name="call", domain="fixtures",
                                       way=case.direction))


def external(case):
    initializer(case)
    put_outside(case, case.tensors)


def put_outside(case, tensors):
    """Moves the data of tensors into a file beside the model."""
    data = b""
    name = case.name + ".onnx.data"
    for tensor in tensors:
        raw = tensor.raw_data
        tensor.ClearField("raw_data")
        tensor.data_location = TensorProto.EXTERNAL
        for key, value in [("location", name), ("offset", str(len(data))), ("length", str(len(raw)))]:
            entry = tensor.external_data.add()
            entry.key, entry.value = key, value
        data += raw
    with open(os.path.join(OUT, name), "wb") as file:
        file.write(data)


def external_in_if(case):
    """The weights belong to the branches and stand in another file."""
    for name, array in case.weights():
        case.tensor(name, array)
    put_outside(case, case.tensors)
    tensors, case.tensors = case.tensors, []
    in_branches(case, branch(case, [case.lstm()], tensors))


def function_of_older_operators(case):
    """A function of operator set 11, in which axes are attributes, in a model of 17."""
    in_function(case)
    function = case.functions[0]
    del function.opset_import[:]
    function.opset_import.append(helper.make_opsetid("", 11))
    function.node.insert(0, helper.make_node("Squeeze", ["W_wide"], ["W"], name="narrow", axes=[0]))
    function.node.insert(0, helper.make_node(
        "Unsqueeze", ["W_given"], ["W_wide"], name="widen", axes=[0]))
    function.input[1] = "W_given"


def float_data(case):
    for name, array in case.weights():
        case.tensors.append(helper.make_tensor(name, TensorProto.FLOAT, array.shape, array.flatten()))
    case.nodes.append(case.lstm())


def rounded(kind):
    """Weights stored in another type and cast to float32."""
    def give(case):
        for name, array in case.weights():
            stored = array.astype(NUMPY[kind])
            setattr(case, name, stored.astype(np.float32))
            case.tensor(name + "_stored", stored)
            case.node("Cast", [name + "_stored"], name, to=TensorProto.FLOAT)
        case.nodes.append(case.lstm())
    return give


def whole(kind):
    """An LSTM that computes in another type."""
    def give(case):
        case.kind = TYPES[kind]
        for name, array in case.weights():
            stored = array.astype(NUMPY[kind])
            setattr(case, name, stored.astype(np.float32))
            case.tensor(name, stored)
        case.node("Cast", ["X"], "x_cast", to=case.kind)
        case.nodes.append(case.lstm(x="x_cast"))
    return give


FORMS = {
    "initializer": (initializer, 7), "constant": (constant, 9), "sliced": (sliced, 13),
    "outer_scope": (outer_scope, 14), "in_if": (in_if, 16), "in_loop": (in_loop, 18),
    "in_function": (in_function, 17), "external": (external, 20), "float_data": (float_data, 11),
    "float16": (rounded("float16"), 15), "bfloat16": (rounded("bfloat16"), 19),
    "double": (rounded("double"), 22), "whole_float16": (whole("float16"), 14),
    "whole_bfloat16": (whole("bfloat16"), 22), "whole_double": (whole("double"), 8),
}


def write_matrix():
    for form, (give, opset) in FORMS.items():
        for direction in DIRECTIONS:
            for bias in (True, False):
                case = Case(f"{form}_{direction}_{'bias' if bias else 'nobias'}", direction, bias,
                            opset, ir=13 if opset > 22 else 10 if opset > 18 else 8)
                give(case)
                # A whole LSTM in 16 bits rounds at every step; the weights are exact.
                case.write(tolerance=0.2 if form.startswith("whole") else 1e-5)
    for opset, give in [(1, initializer), (3, sliced), (6, sliced), (24, initializer),
                        (25, constant)]:
        case = Case(f"opset{opset}", "bidirectional", True, opset, 3 if opset < 7 else 13)
        if opset < 7:
            case.attributes["output_sequence"] = 1
        give(case)
        case.write()
    for name, give, opset in [("external_in_if", external_in_if, 17),
                              ("function_of_older_operators", function_of_older_operators, 17)]:
        case = Case(name, opset=opset)
        give(case)
        case.write()


# Attributes and inputs


def with_peepholes(case):
    case.P = case.random(case.count, 3 * UNITS)
    for name, array in case.weights() + [("P", case.P)]:
        case.tensor(name, array)
    case.nodes.append(case.lstm(P="P"))


def with_attributes(**attributes):
    def give(case):
        for name, array in case.weights():
            case.tensor(name, array)
        case.nodes.append(case.lstm(**attributes))
    return give


def write_attributes():
    for direction in DIRECTIONS:
        case = Case(f"peepholes_{direction}", direction)
        with_peepholes(case)
        case.write()
        case = Case(f"lengths_{direction}", direction)
        case.extra["lengths"] = case.feeds["lengths"] = np.array([2, 4], np.int32)
        case.inputs.append(helper.make_tensor_value_info("lengths", TensorProto.INT32, [BATCH]))
        for name, array in case.weights():
            case.tensor(name, array)
        case.nodes.append(case.lstm(lengths="lengths"))
        case.write(lengths=[2, 4])
        case = Case(f"initial_{direction}", direction)
        for name in ("h0", "c0"):
            state = case.random(case.count, BATCH, UNITS)
            case.extra[name] = case.feeds[name] = state
            case.inputs.append(helper.make_tensor_value_info(name, TensorProto.FLOAT, state.shape))
        for name, array in case.weights():
            case.tensor(name, array)
        case.nodes.append(case.lstm(h0="h0", c0="c0"))
        case.write(h0=case.extra["h0"], c0=case.extra["c0"])
        case = Case(f"layout1_{direction}", direction, opset=14)
        case.layout = 1
        case.feeds["X"] = case.x.transpose(1, 0, 2).copy()
        case.inputs = [helper.make_tensor_value_info("X", TensorProto.FLOAT,
                                                     case.feeds["X"].shape)]
        with_attributes(layout=1)(case)
        case.write()
    case = Case("clip")
    with_attributes(clip=0.4)(case)
    case.write(clip=0.4)
    case = Case("input_forget", "bidirectional")
    with_attributes(input_forget=1)(case)
    case.write(input_forget=True)
    case = Case("hard_sigmoid")
    case.numpy[0] = {"f": hard_sigmoid()}
    with_attributes(activations=["HardSigmoid", "Tanh", "Tanh"])(case)
    case.write()
    case = Case("hard_sigmoid_alpha")
    case.numpy[0] = {"f": hard_sigmoid(0.3, 0.45)}
    with_attributes(activations=["HardSigmoid", "Tanh", "Tanh"], activation_alpha=[0.3],
                    activation_beta=[0.45])(case)
    case.write()
    case = Case("activations", "bidirectional")
    case.numpy = {0: {"f": hard_sigmoid(0.25, 0.5), "g": lambda x: x / (1 + np.abs(x))},
                  1: {"g": lambda x: np.maximum(x, 0), "h": lambda x: np.where(x < 0, 0.1 * x, x)}}
    with_attributes(activations=["HardSigmoid", "Softsign", "Tanh", "sigmoid", "Relu", "LeakyRelu"],
                    activation_alpha=[0.25, 0.1], activation_beta=[0.5])(case)
    case.write()


# Weights that are worked out


def write_computed():
    case = Case("computed", "bidirectional")
    case.tensor("w", case.W.transpose(2, 1, 0))
    case.node("Transpose", ["w"], "W", perm=[2, 1, 0])
    case.tensor("r", np.concatenate([np.zeros_like(case.R[:1]), case.R]))
    case.tensor("places", np.array([1, 2], np.int64))
    case.node("Gather", ["r", "places"], "R", axis=0)
    case.tensor("b", np.concatenate([case.B * 2, case.B], 1))
    case.tensor("half", np.array(0.5, np.float32))
    case.tensor("sizes", np.array([8 * UNITS, 8 * UNITS], np.int64))
    case.node("Split", ["b", "sizes"], ["b2", "unused"], axis=1)
    case.node("Mul", ["b2", "half"], "B")
    case.nodes.append(case.lstm())
    case.write()

    for name, bits, axis, block, opset in [
            ("dequantized_tensor", 8, None, 0, 13), ("dequantized_axis", 8, 1, 0, 13),
            ("dequantized_int4", 4, 2, 2, 21), ("dequantized_int2", 2, 2, 3, 25)]:
        case = Case(name, "bidirectional", True, opset, 13 if opset == 25 else 10)
        kind = {8: TensorProto.INT8, 4: TensorProto.INT4, 2: TensorProto.INT2}[bits]
        limit = {8: 127, 4: 7, 2: 1}[bits]
        for weight in ("W", "R"):
            array = getattr(case, weight)
            codes = case.random.generator.integers(-limit, limit + 1, array.shape)
            shape = [] if axis is None else list(array.shape)
            if axis is not None and block:
                shape[axis] = -(-shape[axis] // block)
            elif axis is not None:
                shape = [array.shape[axis]]
            scales = np.abs(case.random(*shape)) / limit
            full = scales
            if axis is not None and block:
                full = np.repeat(scales, block, axis).take(range(array.shape[axis]), axis)
            elif axis is not None:
                full = scales.reshape([1, -1, 1])
            setattr(case, weight, (codes * full).astype(np.float32))
            case.tensors.append(helper.make_tensor(weight + "_codes", kind, codes.shape,
                                                   codes.flatten()))
            case.tensor(weight + "_scales", scales)
            options = {} if axis is None else {"axis": axis}
            if block:
                options["block_size"] = block
            case.node("DequantizeLinear", [weight + "_codes", weight + "_scales"], weight, **options)
        case.tensor("B", case.B)
        case.nodes.append(case.lstm())
        case.write()

    for name, direction, per_column, kind in [
            ("dynamic_tensor", "forward", False, np.int8), ("dynamic_column", "forward", True, np.int8),
            ("dynamic_both", "bidirectional", False, np.uint8)]:
        case = Case(name, direction)
        names = ["X"]
        for weight in ("W", "R"):
            array = getattr(case, weight).transpose(0, 2, 1)
            zero = 0 if kind == np.int8 else 128
            scales = np.abs(array).max((1, 2) if not per_column else 1, keepdims=True) / 127
            codes = np.round(array / scales) + zero
            setattr(case, weight, ((codes - zero) * scales).transpose(0, 2, 1).astype(np.float32))
            shape = [case.count] if not per_column else [case.count, 4 * UNITS]
            names.append(case.tensor(weight, codes.astype(kind)))
            case.tensor(weight + "_scale", scales.reshape(shape).astype(np.float32))
            case.tensor(weight + "_zero", np.full(shape, zero, kind))
        case.tensor("B", case.B)
        case.domains.append("com.microsoft")
        case.nodes.append(helper.make_node(
            "DynamicQuantizeLSTM",
            names + ["B", "", "", "", "", "W_scale", "W_zero", "R_scale", "R_zero"],
            ["Y", "Y_h", "Y_c"], name="lstm", domain="com.microsoft", hidden_size=UNITS,
            direction=direction))
        case.kind = TensorProto.FLOAT
        judge = case.write
        # ONNX Runtime rounds X and h to 8 bits as well: it is no judge of the weights alone.
        run, onnxruntime.InferenceSession = onnxruntime.InferenceSession, None
        try:
            judge()
        finally:
            onnxruntime.InferenceSession = run


def main():
    write_matrix()
    write_attributes()
    write_computed()
    TABLE.write()


if __name__ == "__main__":
    main()
