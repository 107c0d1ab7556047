"""HDF5 files of plain arrays in `arrays/`, under the names of PyTorch and under names that only a
mapping file explains; `<case>.npz` has the input `in.<k>` and output `out.<k>` of LSTM layer k."""

import os

import h5py
import numpy as np
import torch

from array_import_torch import (
    BATCH, INPUTS, STEPS, UNITS, fill, layer_arrays, lstm, state_of)
from fixture_files import Random, Table, folder, run_lstm, save_arrays

OUT = folder("arrays")
TABLE = Table(OUT, ["case", "library", "note"])
LIBRARY = f"h5py {h5py.__version__}"


def write(case, arrays, results, note, storage=None, attributes=None, library=LIBRARY):
    with h5py.File(os.path.join(OUT, case + ".h5"), "w") as file:
        for name, array in arrays.items():
            array = np.asarray(array)
            file.create_dataset(name, data=array, **(storage or {} if array.ndim else {}))
        file.attrs.update(attributes or {})
    save_arrays(os.path.join(OUT, case + ".npz"), results)
    TABLE.add(case, library, note)


# PyTorch


def write_state(case, state, layers, note, kind=None, separator=".", truth=None, **options):
    library = f"{LIBRARY}, torch {torch.__version__.split('+')[0]}"
    arrays = {name.replace(".", separator): tensor.numpy() if kind is None
              else tensor.numpy().astype(kind) for name, tensor in state.items()}
    results = layer_arrays(case, truth or state, layers)
    write(case, arrays, results, note, library=library, **options)


def torch_case(name, note, layers=1, prefix="", separator=".", torch_kind=torch.float32,
               storage=None, kind=None, **options):
    case = "torch_" + name
    module = lstm(Random(case), num_layers=layers, **options).to(torch_kind)
    write_state(case, state_of(module, prefix), [(prefix, k) for k in range(layers)], note,
                kind=kind, separator=separator, storage=storage)


def torch_cases():
    torch_case("root", "names at the root")
    torch_case("no_bias", "bias=False", bias=False)
    torch_case("2_layers", "num_layers=2", layers=2)
    torch_case("bidirectional", "names with _reverse", bidirectional=True)
    torch_case("bidirectional_2_layers", "the same, num_layers=2", layers=2, bidirectional=True)
    torch_case("projection", "weight_hr_l0", proj_size=2)
    torch_case("projection_bidirectional_2_layers", "weight_hr_l<n>[_reverse]", layers=2,
               bidirectional=True, proj_size=2)
    torch_case("groups", "encoder/lstm/weight_ih_l0", layers=2, prefix="encoder.lstm.",
               separator="/")
    torch_case("dotted", "encoder.lstm.weight_ih_l0 as the name of a dataset", layers=2,
               prefix="encoder.lstm.")
    torch_case("group_dotted", "state_dict/encoder.lstm.weight_ih_l0",
               prefix="state_dict/encoder.lstm.")
    chunks = {"chunks": True, "compression": "gzip", "shuffle": True, "fletcher32": True}
    torch_case("gzip", "chunked, shuffle, gzip, fletcher32", storage=chunks)
    torch_case("float16", "float16 arrays", torch_kind=torch.float16)
    torch_case("float64", "float64 arrays", torch_kind=torch.float64)
    torch_case("float64_gzip", "float64 arrays, gzip", torch_kind=torch.float64, storage=chunks)
    torch_case("big_endian", "big-endian float32", kind=">f4")

    case = "torch_cell"
    cell = state_of(fill(torch.nn.LSTMCell(INPUTS, UNITS), Random(case)))
    write_state(case, cell, [("", 0)], "nn.LSTMCell: names without _l0",
                truth={name + "_l0": tensor for name, tensor in cell.items()})

    case = "torch_several"
    random, state = Random(case), {}
    for prefix, module in [
        ("decoder.rnn.", torch.nn.LSTM(3, 2)), ("embedding.", torch.nn.Embedding(5, 4)),
        ("encoder.lstm.", torch.nn.LSTM(4, 3, bidirectional=True)),
        ("gates.", torch.nn.GRU(4, 4)), ("linear.", torch.nn.Linear(2, 3)),
        ("norm.", torch.nn.BatchNorm1d(3)),
    ]:
        state.update(state_of(fill(module, random), prefix))
    for name, separator in [("groups", "/"), ("dotted", ".")]:
        write_state(f"{case}_{name}", state, [("decoder.rnn.", 0), ("encoder.lstm.", 0)],
                    "two LSTMs among an embedding, a GRU, a linear layer and a norm with an int64",
                    separator=separator)


# Layouts that need a mapping


class Odd:
    """An LSTM by gate in float32, for a file whose layout is nobody's."""

    def __init__(self, case, inputs=INPUTS, units=UNITS):
        random = Random(case)
        self.case = case
        self.W = {gate: random(units, inputs) for gate in "ifco"}
        self.R = {gate: random(units, units) for gate in "ifco"}
        self.b = {gate: random(units) for gate in "ifco"}
        self.x = random(BATCH, STEPS, inputs, scale=2)

    def rows(self, part, order):
        return np.concatenate([part[gate] for gate in order])

    def write(self, arrays, note, reverse=False):
        order = "ifco"
        direction = {"W": self.rows(self.W, order), "R": self.rows(self.R, order),
                     "b": self.rows(self.b, order), "reverse": reverse}
        y = run_lstm(self.x.transpose(1, 0, 2), [direction], order=order)[0]
        results = {"in.0": self.x, "out.0": y[:, 0].transpose(1, 0, 2).astype(np.float32)}
        write(self.case, arrays, results, note)


def odd_layouts():
    odd = Odd("odd_gates")
    names = {"i": "write", "f": "keep", "c": "idea", "o": "show"}
    arrays = {}
    for gate, name in names.items():
        turned = gate in "fo"  # two of the gates are stored [from, to]
        arrays[f"net/0/{name}/see"] = odd.W[gate] if turned else odd.W[gate].T
        arrays[f"net/0/{name}/echo"] = odd.R[gate].T if turned else odd.R[gate]
        arrays[f"net/0/{name}/lean"] = odd.b[gate].reshape(1, -1)
    odd.write(arrays, "one array per gate, write/keep/idea/show = i/f/c/o; keep and show: see [H,I]"
              " and echo transposed [from,to]; write and idea: see [I,H] and echo [H,H];"
              " lean [1,H]")

    odd = Odd("odd_joined")
    joined = np.concatenate([odd.rows(odd.R, "ofic"), odd.rows(odd.W, "ofic")], 1)
    odd.write({"joined": joined, "offset": odd.rows(odd.b, "ofic").reshape(4, UNITS)},
              "joined [4H, H+I]: h before x, order o f i c; offset [4,H]")

    odd = Odd("odd_rank3")
    w = np.stack([odd.W[gate].T for gate in "cifo"])
    r = np.stack([odd.R[gate].T for gate in "cifo"], 1)
    odd.write({"layer/x_gate_unit": w, "layer/h_gate_unit": r,
               "layer/bias": np.stack([odd.b[gate] for gate in "cifo"], 1)},
              "rank 3, order c i f o: x_gate_unit [4,I,H], h_gate_unit [H,4,H], bias [H,4]")

    odd = Odd("odd_interleaved")
    odd.write({"a": np.stack([odd.W[gate] for gate in "ifco"], 1).reshape(4 * UNITS, -1),
               "b": np.stack([odd.R[gate] for gate in "ifco"], 1).reshape(4 * UNITS, -1),
               "c": np.stack([odd.b[gate] for gate in "ifco"], 1).reshape(-1)},
              "rows by unit, then gate i f c o: a [4H,I], b [4H,H], c [4H]")

    odd = Odd("odd_blocks")
    odd.b = {gate: np.zeros(UNITS, np.float32) for gate in "ifco"}
    odd.write({"kernel_input": odd.rows(odd.W, "ifco").T, "kernel_state": odd.rows(odd.R, "ifco")},
              "no bias; kernel_input [I,4H], kernel_state [4H,H] not transposed, order i f c o")

    odd = Odd("odd_reverse")
    odd.write({"rev_Wx": odd.rows(odd.W, "ifoc").T, "rev_Wh": odd.rows(odd.R, "ifoc").T,
               "rev_b": odd.rows(odd.b, "ifoc")},
              "[I,4H], [H,4H], [4H], order i f o c; runs from the last step to the first, output in"
              " the order of the input", reverse=True)


def make():
    torch_cases()
    odd_layouts()
    import array_import_tf1

    array_import_tf1.make()
    TABLE.write()
