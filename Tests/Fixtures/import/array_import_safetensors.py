"""States of PyTorch modules in `safetensors/`: `<case>.safetensors`, and `<case>.npz` with the
input `in.<k>` and output `out.<k>` [batch, steps, features] of LSTM layer k, by prefix and
number."""

import os

import safetensors
import safetensors.torch
import torch
from torch.nn.utils import parametrizations, weight_norm

import array_import_bad
from array_import_torch import (
    INPUTS, UNITS, fill, layer_arrays, lstm, state_of)
from fixture_files import Random, Table, folder, save_arrays

OUT = folder("safetensors")
TABLE = Table(OUT, ["case", "library", "note"])
LIBRARY = f"torch {torch.__version__.split('+')[0]}, safetensors {safetensors.__version__}"
PT = {"format": "pt"}


def write(case, state, layers, note, truth=None, metadata=PT):
    """`truth` holds the weights that count, where the state has them under other names."""
    state = {name: tensor.contiguous() for name, tensor in state.items()}
    path = os.path.join(OUT, case + ".safetensors")
    safetensors.torch.save_file(state, path, metadata)
    os.chmod(path, 0o644)
    save_arrays(os.path.join(OUT, case + ".npz"), layer_arrays(case, truth or state, layers))
    TABLE.add(case, LIBRARY, note)


def plain(case, note, layers=1, prefix="", metadata=PT, kind=torch.float32, **options):
    module = lstm(Random(case), num_layers=layers, **options).to(kind)
    write(case, state_of(module, prefix), [(prefix, k) for k in range(layers)], note,
          metadata=metadata)


def plain_cases():
    plain("lstm", "nn.LSTM, no prefix")
    plain("lstm_no_metadata", "no __metadata__", metadata=None)
    plain("lstm_prefix", "prefix model.rnn.", prefix="model.rnn.")
    plain("lstm_2_layers", "num_layers=2", layers=2)
    plain("lstm_11_layers", "num_layers=11: l10 comes after l9", layers=11, units=2, inputs=2)
    plain("lstm_bidirectional", "bidirectional", bidirectional=True)
    plain("lstm_bidirectional_2_layers", "bidirectional, num_layers=2", layers=2,
          bidirectional=True)
    plain("lstm_no_bias", "bias=False", bias=False)
    plain("lstm_no_bias_bidirectional", "bias=False, bidirectional", bias=False,
          bidirectional=True)
    plain("lstm_one_unit", "hidden_size=1, input_size=1", inputs=1, units=1)
    for kind in ("float64", "float16", "bfloat16"):
        plain("lstm_" + kind, f"state in {kind}", kind=getattr(torch, kind), layers=2)
    plain("projection", "proj_size=2", proj_size=2)
    plain("projection_2_layers", "proj_size=2, num_layers=2", layers=2, proj_size=2)
    plain("projection_bidirectional", "proj_size=2, bidirectional", proj_size=2,
          bidirectional=True)
    plain("projection_bidirectional_2_layers", "proj_size=2, bidirectional, num_layers=2",
          layers=2, proj_size=2, bidirectional=True)
    plain("projection_no_bias", "proj_size=1, bias=False", proj_size=1, bias=False)


def cell_state(cell):
    """A cell's weights under the names of an LSTM of one layer."""
    return {name + "_l0": tensor for name, tensor in state_of(cell).items()}


def cells():
    for case, bias in [("cell", True), ("cell_no_bias", False)]:
        made = fill(torch.nn.LSTMCell(INPUTS, UNITS, bias=bias), Random(case))
        write(case, state_of(made), [("", 0)], f"nn.LSTMCell, bias={bias}: names without _l0",
              cell_state(made))
    case, state, truth = "cells_in_a_list", {}, {}
    for k in range(2):
        made = fill(torch.nn.LSTMCell(INPUTS if k == 0 else UNITS, UNITS), Random(f"{case} {k}"))
        state.update(state_of(made, f"decoder.cells.{k}."))
        truth.update({f"{k}." + name: tensor for name, tensor in cell_state(made).items()})
    write(case, state, [("0.", 0), ("1.", 0)], "two nn.LSTMCell in a ModuleList", truth)


def company():
    """LSTMs among other modules; the GRU's 4 units make 12 rows, which 4 gates divide too."""
    case = "several_prefixes"
    random, state = Random(case), {}
    for prefix, module in [
        ("embedding.", torch.nn.Embedding(7, INPUTS)),
        ("conv.", torch.nn.Conv1d(INPUTS, INPUTS, 3)),
        ("norm.", torch.nn.BatchNorm1d(INPUTS)),
        ("encoder.lstm.", torch.nn.LSTM(INPUTS, UNITS, num_layers=2, bidirectional=True)),
        ("gates.", torch.nn.GRU(INPUTS, 4)),
        ("simple.", torch.nn.RNN(INPUTS, 4)),
        ("layer_norm.", torch.nn.LayerNorm(6)),
        ("decoder.rnn.", torch.nn.LSTM(5, 2)),
        ("attention.", torch.nn.MultiheadAttention(4, 2)),
        ("heads.0.", torch.nn.Linear(2, 3)),
        ("heads.1.", torch.nn.Linear(2, 1, bias=False)),
        ("linear.", torch.nn.Linear(2, 4)),
    ]:
        state.update(state_of(fill(module, random), prefix))
    write(case, state, [("decoder.rnn.", 0), ("encoder.lstm.", 0), ("encoder.lstm.", 1)],
          "two LSTMs among an embedding, a convolution, norms, attention, a GRU, an RNN, heads")

    case = "mixed_types"
    random = Random(case)
    state = {**state_of(lstm(random).half(), "a."), **state_of(lstm(random).double(), "b."),
             "steps": torch.tensor(12), "mask": torch.tensor([True, False]),
             "table": torch.arange(6, dtype=torch.uint8).reshape(2, 3),
             "nothing": torch.zeros(0, 4)}
    write(case, state, [("a.", 0), ("b.", 0)],
          "float16 and float64 LSTMs beside int64, bool, uint8 and an array without elements")

    case = "lone_bias_names"
    random = Random(case)
    state = state_of(lstm(random), "rnn.")
    state.update({"crf.weight_ih": random.generator.normal(size=(3, 5)),
                  "rnn.bias_ih_scale": random(1)})
    state = {name: torch.as_tensor(value) for name, value in state.items()}
    write(case, state, [("rnn.", 0)], "names that begin like an LSTM's and are none")


def rename(state, change):
    return {change.get(name, name): tensor for name, tensor in state.items()}


def weight_drop():
    """AWD-LSTM: the raw weights are the trained ones; a plain one beside them is a leftover."""
    raw = "weight_hh_l0_raw"
    for case, prefix, stale in [("weight_drop_instead", "rnn.module.", False),
                                ("weight_drop_beside", "rnn.module.", True)]:
        truth = state_of(lstm(Random(case)), prefix)
        state = rename(truth, {prefix + "weight_hh_l0": prefix + raw})
        if stale:
            state[prefix + "weight_hh_l0"] = truth[prefix + "weight_hh_l0"] * 0.5
        write(case, state, [(prefix, 0)],
              f"{prefix}{raw}" + (" beside a stale weight_hh_l0" if stale else ""), truth)

    for case, stale in [("awd_lstm", False), ("awd_lstm_stale", True), ("awd_lstm_fastai", True)]:
        state, truth, layers = {}, {}, []
        for k, (inputs, units) in enumerate([(4, 3), (3, 3), (3, 4)]):
            prefix = f"rnns.{k}.module."
            made = state_of(lstm(Random(f"{case} {k}"), inputs, units), prefix)
            truth.update(made)
            layers.append((prefix, 0))
            home = f"rnns.{k}." if case == "awd_lstm_fastai" else prefix
            state.update(rename(made, {prefix + "weight_hh_l0": home + raw}))
            if stale:
                state[prefix + "weight_hh_l0"] = made[prefix + "weight_hh_l0"] * 0.5
        state["encoder.weight"] = torch.from_numpy(Random(case)(6, 4))
        state["decoder.weight"] = state["encoder.weight"].clone()
        note = {"awd_lstm": "three layers with rnns.<n>.module.weight_hh_l0_raw",
                "awd_lstm_stale": "the same with stale weight_hh_l0",
                "awd_lstm_fastai": "fastai: rnns.<n>.weight_hh_l0_raw outside of module"}[case]
        write(case, state, layers, note, truth)


def effective(module, prefix):
    """The state of an LSTM whose weights are computed from others, under its plain names."""
    module(torch.zeros(1, 1, module.input_size, dtype=torch.float64))
    names = [f"{part}_l0{end}" for part in ("weight_ih", "weight_hh", "bias_ih", "bias_hh")
             for end in ("", "_reverse")]
    return {prefix + name: getattr(module, name).detach().clone()
            for name in names if hasattr(module, name)}


def weight_norms():
    ways = {"old": weight_norm, "new": parametrizations.weight_norm}
    names = {"old": "_g, _v", "new": "parametrizations.*.original0, original1"}
    for way, norm in ways.items():
        for case, parts, options, both in [
            ("", ["weight_hh_l0"], {}, False),
            ("_dim1", ["weight_hh_l0"], {"dim": 1}, False),
            ("_both", ["weight_ih_l0", "weight_hh_l0"], {}, False),
            ("_bidirectional", ["weight_hh_l0", "weight_hh_l0_reverse"], {}, True),
        ]:
            case = f"weight_norm_{way}{case}"
            module = lstm(Random(case), bidirectional=both)
            for part in parts:
                module = norm(module, part, **options)
            fill(module, Random(case + " norms"))
            state = state_of(module, "rnn.")
            truth = effective(module.double(), "rnn.")
            check_norms(state, truth, parts, options.get("dim", 0))
            write(case, state, [("rnn.", 0)],
                  f"{names[way]} of {', '.join(parts)} {options or ''}".strip(), truth)


def check_norms(state, truth, parts, dim):
    for part in parts:
        pair = [f"rnn.{part}_g", f"rnn.{part}_v"]
        if pair[0] not in state:
            pair = [f"rnn.parametrizations.{part}.original{k}" for k in range(2)]
        g, v = (state[name].double() for name in pair)
        expected = g * v / v.pow(2).sum(1 - dim, keepdim=True).sqrt()
        assert float((truth["rnn." + part] - expected).abs().max()) < 1e-12, part


def make():
    plain_cases()
    cells()
    company()
    weight_drop()
    weight_norms()
    array_import_bad.make()
    TABLE.write()
