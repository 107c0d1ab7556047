"""LSTMs of PyTorch with seeded weights, and what each of their layers computes."""

import numpy as np
import torch

from fixture_files import Random, run_lstm

STEPS, BATCH, INPUTS, UNITS = 4, 2, 4, 3
PARTS = ["weight_ih", "weight_hh", "bias_ih", "bias_hh", "weight_hr"]


def fill(module, random):
    """Gives every parameter and float buffer of a module new numbers, in the order of its state."""
    with torch.no_grad():
        for name, tensor in module.state_dict().items():
            if not tensor.is_floating_point():
                continue
            array = random(*tensor.shape)
            if name.endswith(("running_var", "weight_hh_l0_g", "original0")):
                array = np.abs(array) + np.float32(0.2)
            tensor.copy_(torch.from_numpy(np.asarray(array)))
    return module


def lstm(random, inputs=INPUTS, units=UNITS, **options):
    return fill(torch.nn.LSTM(inputs, units, batch_first=True, **options), random)


def state_of(module, prefix=""):
    """The state under a prefix, in tensors of their own."""
    return {prefix + name: tensor.detach().clone()
            for name, tensor in module.state_dict().items()}


def layer_state(state, prefix, layer):
    """The weights of one layer, as the state of an LSTM of one layer in float64."""
    found = {}
    for part in PARTS:
        for end in ("", "_reverse"):
            name = f"{prefix}{part}_l{layer}{end}"
            if name in state:
                found[f"{part}_l0{end}"] = state[name].to(torch.float64)
    return found


def run_layer(state, x):
    """What PyTorch makes of a layer, in float64, compared with the numpy cell."""
    rows, inputs = state["weight_ih_l0"].shape
    projected = state["weight_hr_l0"].shape[0] if "weight_hr_l0" in state else 0
    both = "weight_ih_l0_reverse" in state
    module = torch.nn.LSTM(inputs, rows // 4, batch_first=True, bias="bias_ih_l0" in state,
                           bidirectional=both, proj_size=projected).double()
    module.load_state_dict(state)
    with torch.no_grad():
        y = module(torch.from_numpy(x).double())[0].numpy()
    compare(y, numpy_layer(state, x, both))
    return y.astype(np.float32)


def compare(found, expected):
    difference = float(np.abs(found - expected).max())
    assert difference < 1e-9, f"the numpy cell differs by {difference}"


def numpy_layer(state, x, both):
    directions = []
    for end in ("", "_reverse")[:2 if both else 1]:
        w, r, b, c, p = (state[f"{part}_l0{end}"].numpy() if f"{part}_l0{end}" in state else None
                         for part in PARTS)
        direction = {"W": w, "R": r, "b": np.zeros(len(w)) if b is None else b + c,
                     "reverse": end != ""}
        if p is not None:
            direction["P"] = p
        directions.append(direction)
    y = run_lstm(x.transpose(1, 0, 2), directions, order="ifco")[0]
    steps, count, batch, outputs = y.shape
    return y.transpose(2, 0, 1, 3).reshape(batch, steps, count * outputs)


def layer_arrays(case, state, layers):
    """`in.<k>` and `out.<k>` of the layers, given as (prefix, number), each on input of its own."""
    random, arrays = Random(case + " inputs"), {}
    for k, (prefix, number) in enumerate(layers):
        weights = layer_state(state, prefix, number)
        x = random(BATCH, STEPS, weights["weight_ih_l0"].shape[1], scale=2)
        arrays[f"in.{k}"], arrays[f"out.{k}"] = x, run_layer(weights, x)
    return arrays
