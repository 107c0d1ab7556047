"""Writes ONNX files whose LSTMs are spelled out in products, splits and activations, in `cells/`:
`<case>.onnx`, and `<case>.npz` with `in.<input>` and `out.<output>` of the whole graph by ONNX
Runtime, and the weights of each LSTM: `cell.<k>.W` [4H, I], `.R` [4H, H] and `.b` [4H], gates in the
order input, forget, cell, output. Cases that begin with `not_` look like an LSTM and are none.
"""

import io
import os
import warnings

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("CUDA_VISIBLE_DEVICES", "-1")
os.environ["KERAS_BACKEND"] = "tensorflow"
warnings.simplefilter("ignore")

import numpy as np
import onnx
import onnxruntime
from onnx import TensorProto, helper, numpy_helper

from fixture_files import Random, Table, folder, save_arrays

OUT = folder("cells")
TABLE = Table(OUT, ["case", "LSTMs", "written by"])
BATCH, INPUTS, UNITS = 2, 3, 4
FLOAT = TensorProto.FLOAT


def save(name, model, feeds, cells, writer):
    """Checks a model with ONNX Runtime and writes it with its arrays."""
    path = os.path.join(OUT, name + ".onnx")
    onnx.save(model, path)
    session = onnxruntime.InferenceSession(path)
    outputs = session.run(None, feeds)
    arrays = {"in." + k: v for k, v in feeds.items()}
    arrays.update({"out." + o.name: v for o, v in zip(session.get_outputs(), outputs)})
    for k, (w, r, b) in enumerate(cells):
        arrays.update({f"cell.{k}.W": w, f"cell.{k}.R": r, f"cell.{k}.b": b})
    save_arrays(os.path.join(OUT, name + ".npz"), arrays)
    TABLE.add(name, len(cells), writer)


class Graph:
    """One step of a cell, or several, as a graph under construction."""

    def __init__(self, name, opset=17):
        self.name, self.opset, self.random = name, opset, Random(name)
        self.nodes, self.tensors = [], []
        self.x, self.h, self.c = (self.random(BATCH, n, scale=1) for n in (INPUTS, UNITS, UNITS))
        self.feeds = {"x": self.x, "h": self.h, "c": self.c}

    def tensor(self, array, name=None):
        name = name or f"t{len(self.tensors)}"
        array = np.asarray(array)
        self.tensors.append(numpy_helper.from_array(array, name))
        return name

    def op(self, kind, *inputs, count=1, **attributes):
        names = [f"{kind.lower()}_{len(self.nodes)}" + (f"_{i}" if i else "") for i in range(count)]
        self.nodes.append(helper.make_node(kind, inputs, names, name=names[0], **attributes))
        return names[0] if count == 1 else names

    def cell(self, gates, c="c", act="Tanh", candidate="Tanh", gate="Sigmoid", swapped=False,
             scale=None):
        """i, f, g, o as values before their activations; gives the names of h' and c'."""
        i, f, o = (self.op(gate, gates[k]) for k in "ifo")
        g = self.op(candidate, gates["g"])
        kept = self.op("Mul", c, f) if swapped else self.op("Mul", f, c)
        new = self.op("Mul", g, i) if swapped else self.op("Mul", i, g)
        c2 = self.op("Add", new, kept) if swapped else self.op("Add", kept, new)
        shown = self.op(act, c2)
        h2 = self.op("Mul", shown, o) if swapped else self.op("Mul", o, shown)
        if scale is not None:
            h2 = self.op("Mul", h2, self.tensor(np.float32(scale)))
        return h2, c2

    def save(self, outputs, cells, writer="by hand", reverse=False):
        info = helper.make_tensor_value_info
        outputs = list(outputs)
        for (name, value) in outputs:
            self.nodes.append(helper.make_node("Identity", [value], [name]))
        graph = helper.make_graph(
            self.nodes[::-1] if reverse else self.nodes, self.name,
            [info(n, FLOAT, ["batch", a.shape[-1]]) for n, a in self.feeds.items()],
            [info(n, FLOAT, None) for n, _ in outputs], self.tensors)
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", self.opset)],
                                  producer_name="lstmpack fixtures")
        model.ir_version = 8
        save(self.name, model, self.feeds, cells, writer)


def weights(graph, inputs=INPUTS, units=UNITS):
    return (graph.random(4 * units, inputs), graph.random(4 * units, units),
            graph.random(4 * units))


def columns(w, order):
    """Rows in the order i f g o, as columns in another one."""
    parts = dict(zip("ifgo", np.split(w, 4)))
    return np.concatenate([parts[k] for k in order]).T.copy()


def split(graph, z, order):
    sizes = graph.tensor(np.full(4, UNITS, np.int64))
    return dict(zip(order, graph.op("Split", z, sizes, count=4, axis=1)))


def write_orders():
    for order in ["ifgo", "iofg", "igfo", "figo", "oifg"]:
        g = Graph(f"order_{order}")
        w, r, b = weights(g)
        z = g.op("Add", g.op("MatMul", "x", g.tensor(columns(w, order))),
                 g.op("MatMul", "h", g.tensor(columns(r, order))))
        z = g.op("Add", z, g.tensor(columns(b[:, None], order)[0]))
        g.save(zip(("h2", "c2"), g.cell(split(g, z, order))), [(w, r, b)])


def write_shapes():
    g = Graph("gemm")
    w, r, b = weights(g)
    a = g.op("Gemm", "x", g.tensor(w), g.tensor(b), transB=1)
    z = g.op("Add", a, g.op("Gemm", "h", g.tensor(r), g.tensor(np.zeros_like(b)), transB=1))
    g.save(zip(("h2", "c2"), g.cell(split(g, z, "ifgo"))), [(w, r, b)])

    for name, values in [("concat_xh", ["x", "h"]), ("concat_hx", ["h", "x"])]:
        g = Graph(name)
        w, r, b = weights(g)
        both = {"x": w, "h": r}
        kernel = np.concatenate([columns(both[v], "igfo") for v in values])
        z = g.op("MatMul", g.op("Concat", *values, axis=1), g.tensor(kernel))
        z = g.op("Add", g.tensor(columns(b[:, None], "igfo")[0]), z)
        g.save(zip(("h2", "c2"), g.cell(split(g, z, "igfo"))), [(w, r, b)])

    g = Graph("separate")
    w, r, b = weights(g)
    gates = {}
    for k, (wk, rk, bk) in zip("ifgo", zip(np.split(w, 4), np.split(r, 4), np.split(b, 4))):
        z = g.op("Add", g.op("MatMul", "x", g.tensor(wk.T.copy())), g.tensor(bk))
        gates[k] = g.op("Add", z, g.op("MatMul", "h", g.tensor(rk.T.copy())))
    g.save(zip(("h2", "c2"), g.cell(gates)), [(w, r, b)])

    g = Graph("slices")
    w, r, b = weights(g)
    z = g.op("Add", g.op("MatMul", "x", g.tensor(columns(w, "ifgo"))),
             g.op("MatMul", "h", g.tensor(columns(r, "ifgo"))))
    z = g.op("Add", z, g.tensor(b[None]))
    axis = g.tensor(np.array([-1], np.int64))
    gates = {k: g.op("Slice", z, g.tensor(np.array([n * UNITS], np.int64)),
                     g.tensor(np.array([(n + 1) * UNITS if n < 3 else 2**31], np.int64)), axis)
             for n, k in enumerate("ifgo")}
    g.save(zip(("h2", "c2"), g.cell(gates)), [(w, r, b)])

    g = Graph("forget_bias")  # as TensorFlow 1 adds it
    w, r, b = weights(g)
    kernel = np.concatenate([columns(w, "igfo"), columns(r, "igfo")])
    z = g.op("MatMul", g.op("Concat", "x", "h", axis=1), g.tensor(kernel))
    z = g.op("Add", z, g.tensor(columns(b[:, None], "igfo")[0]))
    gates = split(g, z, "igfo")
    gates["f"] = g.op("Add", gates["f"], g.tensor(np.float32(1)))
    full = b + np.repeat([0, 1, 0, 0], UNITS).astype(np.float32)
    g.save(zip(("h2", "c2"), g.cell(gates)), [(w, r, full)])

    for name, options in [("swapped", {"swapped": True}), ("hard_sigmoid", {"gate": "HardSigmoid"}),
                          ("relu", {"candidate": "Relu", "act": "Relu"}), ("no_bias", {})]:
        g = Graph(name)
        w, r, b = weights(g)
        z = g.op("Add", g.op("MatMul", "h", g.tensor(columns(r, "ifgo"))),
                 g.op("MatMul", "x", g.tensor(columns(w, "ifgo"))))
        if name == "no_bias":
            b = np.zeros_like(b)
        else:
            z = g.op("Add", z, g.tensor(b))
        g.save(zip(("h2", "c2"), g.cell(split(g, z, "ifgo"), **options)), [(w, r, b)])


def write_unrolled():
    g = Graph("unrolled")
    w, r, b = weights(g)
    names = [g.tensor(a) for a in (columns(w, "ifgo"), columns(r, "ifgo"), b)]
    h, c = "h", "c"
    for step in range(3):
        x = "x" if step == 0 else f"x{step}"
        g.feeds[x] = g.random(BATCH, INPUTS, scale=1)
        z = g.op("Add", g.op("Add", g.op("MatMul", x, names[0]), g.op("MatMul", h, names[1])),
                 names[2])
        h, c = g.cell(split(g, z, "ifgo"), c=c)
    g.save([("h2", h), ("c2", c)], [(w, r, b)])
    write_two_layers("two_layers")
    # Nodes before those whose values they read.
    write_two_layers("two_layers_reversed", reverse=True)


def write_two_layers(name, reverse=False):
    g = Graph(name)
    cells = []
    x = "x"
    g.feeds.update({n: g.random(BATCH, UNITS, scale=1) for n in ("h_1", "c_1")})
    outputs = []
    for layer, (h, c) in enumerate([("h", "c"), ("h_1", "c_1")]):
        w, r, b = weights(g, INPUTS if layer == 0 else UNITS)
        z = g.op("Add", g.op("MatMul", x, g.tensor(columns(w, "ifgo"))),
                 g.op("MatMul", h, g.tensor(columns(r, "ifgo"))))
        z = g.op("Add", z, g.tensor(b))
        x, c2 = g.cell(split(g, z, "ifgo"), c=c)
        outputs += [(f"h2_{layer}", x), (f"c2_{layer}", c2)]
        cells.append((w, r, b))
    g.save(outputs, cells, reverse=reverse)


def write_loops():
    """A Loop and a Scan over time, with the matrices handed on and taken from outside."""
    for kind in ("Loop", "Scan"):
        g = Graph(kind.lower())
        w, r, b = weights(g)
        steps = 5
        inner = Graph(kind.lower() + "_body")
        inner.nodes, inner.tensors = [], []
        x = inner.op("Gather", "xs", "step", axis=0) if kind == "Loop" else "x_t"
        z = inner.op("Add", inner.op("MatMul", x, "w" if kind == "Loop" else "w_outside"),
                     inner.op("MatMul", "h_in", "r_outside"))
        z = inner.op("Add", z, "b_outside")
        sizes = inner.tensor(np.full(4, UNITS, np.int64), "sizes")
        gates = dict(zip("ifgo", inner.op("Split", z, sizes, count=4, axis=1)))
        h2, c2 = inner.cell(gates, c="c_in")
        nodes = inner.nodes + [helper.make_node("Identity", [h2], ["h_out"]),
                               helper.make_node("Identity", [c2], ["c_out"]),
                               helper.make_node("Identity", [h2], ["y"])]
        info = helper.make_tensor_value_info
        state_in = [info(n, FLOAT, None) for n in ("h_in", "c_in")]
        state_out = [info(n, FLOAT, None) for n in ("h_out", "c_out")]
        g.tensors = [numpy_helper.from_array(a, n) for a, n in
                     [(columns(w, "ifgo"), "w_outside"), (columns(r, "ifgo"), "r_outside"),
                      (b, "b_outside")]]
        if kind == "Loop":
            nodes += [helper.make_node("Identity", ["go"], ["go_out"]),
                      helper.make_node("Identity", ["w"], ["w_out"])]
            body = helper.make_graph(
                nodes, "body", [info("step", TensorProto.INT64, []), info("go", TensorProto.BOOL, [])]
                + state_in + [info("w", FLOAT, None)], [info("go_out", TensorProto.BOOL, [])]
                + state_out + [info("w_out", FLOAT, None), info("y", FLOAT, None)], inner.tensors)
            g.tensors += [numpy_helper.from_array(np.array(steps, np.int64), "steps"),
                          numpy_helper.from_array(np.array(True), "yes")]
            g.nodes = [helper.make_node("Loop", ["steps", "yes", "h", "c", "w_outside"],
                                        ["h2", "c2", "w_after", "ys"], name="loop", body=body)]
        else:
            body = helper.make_graph(nodes, "body", state_in + [info("x_t", FLOAT, None)],
                                     state_out + [info("y", FLOAT, None)], inner.tensors)
            g.nodes = [helper.make_node("Scan", ["h", "c", "xs"], ["h2", "c2", "ys"], name="scan",
                                        body=body, num_scan_inputs=1)]
        g.feeds = {"xs": g.random(steps, BATCH, INPUTS, scale=1), "h": g.h, "c": g.c}
        graph = helper.make_graph(
            g.nodes, g.name, [info(n, FLOAT, list(a.shape)) for n, a in g.feeds.items()],
            [info(n, FLOAT, None) for n in ("ys", "h2", "c2")], g.tensors)
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)],
                                  producer_name="lstmpack fixtures")
        model.ir_version = 8
        save(g.name, model, g.feeds, [(w, r, b)], "by hand")


def write_others():
    g = Graph("not_projected")
    outputs = 2
    w, r, b = g.random(4 * UNITS, INPUTS), g.random(4 * UNITS, outputs), g.random(4 * UNITS)
    g.feeds["h"] = g.random(BATCH, outputs, scale=1)
    z = g.op("Add", g.op("MatMul", "x", g.tensor(columns(w, "ifgo"))),
             g.op("MatMul", "h", g.tensor(columns(r, "ifgo"))))
    h, c = g.cell(split(g, g.op("Add", z, g.tensor(b)), "ifgo"))
    g.save([("h2", g.op("MatMul", h, g.tensor(g.random(UNITS, outputs)))), ("c2", c)], [])

    g = Graph("not_normalized")
    w, r, b = weights(g)
    z = g.op("Add", g.op("MatMul", "x", g.tensor(columns(w, "ifgo"))),
             g.op("MatMul", "h", g.tensor(columns(r, "ifgo"))))
    z = g.op("LayerNormalization", z, g.tensor(np.ones(4 * UNITS, np.float32)), g.tensor(b))
    g.save(zip(("h2", "c2"), g.cell(split(g, z, "ifgo"))), [])

    g = Graph("not_reset_state")  # something happens to the state before the product
    w, r, b = weights(g)
    h = g.op("Relu", "h")
    z = g.op("Add", g.op("MatMul", "x", g.tensor(columns(w, "ifgo"))),
             g.op("Add", g.op("MatMul", h, g.tensor(columns(r, "ifgo"))),
                  g.op("MatMul", "h", g.tensor(columns(r, "ifgo")))))
    g.save(zip(("h2", "c2"), g.cell(split(g, g.op("Add", z, g.tensor(b)), "ifgo"))), [])

    g = Graph("not_shared_gate")  # the output gate has another activation
    w, r, b = weights(g)
    z = g.op("Add", g.op("MatMul", "x", g.tensor(columns(w, "ifgo"))),
             g.op("MatMul", "h", g.tensor(columns(r, "ifgo"))))
    gates = split(g, g.op("Add", z, g.tensor(b)), "ifgo")
    i, f, o = g.op("Sigmoid", gates["i"]), g.op("Sigmoid", gates["f"]), g.op("Tanh", gates["o"])
    c = g.op("Add", g.op("Mul", f, "c"), g.op("Mul", i, g.op("Tanh", gates["g"])))
    g.save([("h2", g.op("Mul", o, g.op("Tanh", c))), ("c2", c)], [])

    g = Graph("not_coupled")
    w, r, b = weights(g)
    z = g.op("Add", g.op("MatMul", "x", g.tensor(columns(w, "ifgo"))),
             g.op("MatMul", "h", g.tensor(columns(r, "ifgo"))))
    gates = split(g, g.op("Add", z, g.tensor(b)), "ifgo")
    i = g.op("Sigmoid", gates["i"])
    f = g.op("Sub", g.tensor(np.float32(1)), i)
    c = g.op("Add", g.op("Mul", f, "c"), g.op("Mul", i, g.op("Tanh", gates["g"])))
    g.save([("h2", g.op("Mul", g.op("Sigmoid", gates["o"]), g.op("Tanh", c))), ("c2", c)], [])


def write_torch():
    import torch

    def export(name, module, arguments, names, cells, folding=True, opset=17,
               sizes=None):
        torch.manual_seed(1)
        data = io.BytesIO()
        inputs, outputs = names
        torch.onnx.export(module, arguments, data, input_names=inputs, output_names=outputs,
                          opset_version=opset, do_constant_folding=folding, dynamo=False,
                          dynamic_axes=sizes)
        model = onnx.load_model_from_string(data.getvalue())
        model.producer_version = ""
        save(name, model, {n: a.numpy() for n, a in zip(inputs, arguments)}, cells,
             f"PyTorch {torch.__version__.split('+')[0]}")

    def canonical(cell):
        state = {k: v.detach().numpy() for k, v in cell.state_dict().items()}
        return state["weight_ih"], state["weight_hh"], state["bias_ih"] + state["bias_hh"]

    class Step(torch.nn.Module):
        def __init__(self, cells):
            super().__init__()
            self.cells = torch.nn.ModuleList(cells)

        def forward(self, x, h, c):
            states = []
            for k, cell in enumerate(self.cells):
                x, ck = cell(x, (h[k], c[k]))
                states.append((x, ck))
            return x, torch.stack([s[0] for s in states]), torch.stack([s[1] for s in states])

    class Unrolled(torch.nn.Module):
        def __init__(self, cell):
            super().__init__()
            self.cell = cell

        def forward(self, x, h, c):
            for t in range(4):
                h, c = self.cell(x[t], (h, c))
            return h, c

    torch.manual_seed(2)
    arguments = (torch.randn(BATCH, INPUTS), torch.randn(BATCH, UNITS), torch.randn(BATCH, UNITS))
    cell = torch.nn.LSTMCell(INPUTS, UNITS)

    class One(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.cell = cell

        def forward(self, x, h, c):
            return self.cell(x, (h, c))

    for folding in (True, False):
        export("torch_cell" + ("" if folding else "_unfolded"), One(), arguments,
               (["x", "h", "c"], ["h2", "c2"]), [canonical(cell)], folding)
    cells = [torch.nn.LSTMCell(INPUTS, UNITS), torch.nn.LSTMCell(UNITS, UNITS)]
    export("torch_stack", Step(cells),
           (torch.randn(BATCH, INPUTS), torch.randn(2, BATCH, UNITS), torch.randn(2, BATCH, UNITS)),
           (["x", "h", "c"], ["y", "h2", "c2"]), [canonical(c) for c in cells])
    export("torch_unrolled", Unrolled(cell),
           (torch.randn(4, BATCH, INPUTS),) + arguments[1:], (["x", "h", "c"], ["h2", "c2"]),
           [canonical(cell)])
    export("torch_no_state", cell, arguments[:1], (["x"], ["h2", "c2"]), [canonical(cell)])

    class Chunks(torch.nn.Module):
        """A cell as people write it; the exporter works bounds of Slices out of shapes."""

        def __init__(self, inputs, peepholes):
            super().__init__()
            self.w = torch.nn.Linear(inputs, 4 * UNITS)
            self.u = torch.nn.Linear(UNITS, 4 * UNITS, bias=False)
            self.p = torch.nn.Parameter(torch.randn(3, UNITS)) if peepholes else None

        def forward(self, x):
            h = torch.zeros(x.shape[1], UNITS)
            c = h + 0.5
            for t in range(3):
                i, f, g, o = (self.w(x[t]) + self.u(h)).chunk(4, 1)
                if self.p is not None:
                    i, f = i + self.p[0] * c, f + self.p[1] * c
                c = torch.sigmoid(f) * c + torch.sigmoid(i) * torch.tanh(g)
                if self.p is not None:
                    o = o + self.p[2] * c
                h = torch.sigmoid(o) * torch.tanh(c)
            return h, c

    # As many inputs as units: widths do not tell which of the two is the state.
    for name, inputs, peepholes in (("chunks", UNITS, False), ("chunks_peepholes", INPUTS, True)):
        module = Chunks(inputs, peepholes)
        export("torch_" + name, module, (torch.randn(3, BATCH, inputs),), (["x"], ["h2", "c2"]),
               [tuple(p.detach().numpy() for p in (module.w.weight, module.u.weight, module.w.bias))],
               sizes={"x": {1: "batch"}})
    gru = torch.nn.GRUCell(INPUTS, UNITS)
    export("not_torch_gru", gru, arguments[:2], (["x", "h"], ["h2"]), [])


def write_keras():
    import keras
    import tensorflow as tf
    import tf2onnx

    keras.utils.set_random_seed(3)

    def canonical(layer):
        kernel, recurrent, bias = [np.asarray(w) for w in layer.get_weights()]
        return kernel.T.copy(), recurrent.T.copy(), bias

    def export(name, layers, cells):
        inputs = keras.Input((6, INPUTS), name="x")
        value = inputs
        for layer in layers:
            value = layer(value)
        model = keras.Model(inputs, value)
        call = tf.function(lambda x: model(x, training=False),
                           input_signature=[tf.TensorSpec((None, 6, INPUTS), tf.float32, name="x")])
        made, _ = tf2onnx.convert.from_function(call, call.input_signature, opset=15)
        made.producer_version = ""
        feeds = {made.graph.input[0].name: Random(name)(BATCH, 6, INPUTS, scale=1)}
        save(name, made, feeds, [canonical(c) for c in cells()], "Keras 3 and tf2onnx")

    first = keras.layers.LSTM(UNITS, return_sequences=True, bias_initializer="random_normal")
    second = keras.layers.LSTM(UNITS + 1, bias_initializer="random_normal")
    export("keras_loop", [first, second], lambda: [first, second])
    both = keras.layers.Bidirectional(
        keras.layers.LSTM(UNITS, return_sequences=True, bias_initializer="random_normal"))
    export("keras_bidirectional", [both], lambda: [both.forward_layer, both.backward_layer])
    other = keras.layers.LSTM(UNITS, activation="softsign", recurrent_activation="hard_sigmoid",
                              return_sequences=True, bias_initializer="random_normal")
    export("keras_activations", [other], lambda: [other])


def main():
    write_orders()
    write_shapes()
    write_unrolled()
    write_loops()
    write_others()
    write_torch()
    write_keras()
    TABLE.write()


if __name__ == "__main__":
    main()
