"""Twenty steps of training in PyTorch, in `<case>.npz`: the initial weights, what is left out, the
noise, the tokens and the losses, so that another trainer can take the same steps.

    python Tests/Fixtures/training/make_training_fixtures.py

Needs numpy and torch. The cell is written out (equations 2-7 and 11-16 of arXiv:1806.02988), gradients
and optimizers are PyTorch's. Regularization as in github.com/salesforce/awd-lstm-lm, `model.py` and
`main.py`; noise as in github.com/zhuohan123/g2-lstm.
"""

import io
import os
import zipfile

import numpy as np
import torch

FOLDER = os.path.dirname(os.path.abspath(__file__))
VOCABULARY, EMBEDDING, UNITS, BATCH, STEPS, SEGMENTS = 30, 7, (9, 8), 4, 6, 20

CASES = {
    "sgd": {"optimizer": "sgd", "rate": 5.0, "clip": 0.25},
    "sgd-gumbel": {
        "optimizer": "sgd", "rate": 5.0, "clip": 0.25, "decay": 1e-3, "temperature": 0.9,
        "probability": 0.5, "drops": True, "activation": 2.0, "temporal": 1.0},
    "adam-sharpened": {
        "optimizer": "adam", "rate": 0.02, "clip": 1.0, "temperature": 0.2, "probability": 0.0,
        "drops": True, "variational": True},
}


def save(path, arrays):
    """An .npz without compression and dates: two runs give the same bytes."""
    with zipfile.ZipFile(path, "w", zipfile.ZIP_STORED) as archive:
        for name, array in arrays.items():
            data = io.BytesIO()
            np.lib.format.write_array(data, np.array(array, order="C"), allow_pickle=False)
            archive.writestr(zipfile.ZipInfo(name + ".npy", (2026, 1, 1, 0, 0, 0)), data.getvalue())


def make(name, case):
    random = np.random.default_rng(len(name))
    rows = BATCH * STEPS
    sizes = [EMBEDDING, *UNITS]
    parameters = {"embedding": (VOCABULARY, EMBEDDING)}
    for index, units in enumerate(UNITS):
        parameters[f"lstm{index + 1}.kernel"] = (sizes[index], 4 * units)
        parameters[f"lstm{index + 1}.recurrent"] = (units, 4 * units)
        parameters[f"lstm{index + 1}.bias"] = (4 * units,)
    parameters["dense.weights"] = (VOCABULARY, UNITS[-1])
    parameters["dense.bias"] = (VOCABULARY,)
    arrays = {key: (random.standard_normal(shape) * 0.3).astype(np.float32)
              for key, shape in parameters.items()}
    tokens = random.integers(0, VOCABULARY, (SEGMENTS * STEPS + 1, BATCH)).astype(np.int32)

    def mask(shape, p):
        return ((random.random(shape) >= p) / (1 - p)).astype(np.float32)

    masks = {}
    if case.get("drops"):
        height = BATCH if case.get("variational") else rows
        masks["embedding"] = mask(VOCABULARY, 0.1)
        for index, size in enumerate(sizes):
            masks[f"values{index}"] = mask((height, size), 0.3)
        for index, units in enumerate(UNITS):
            masks[f"recurrent{index}"] = mask((units, 4 * units), 0.4)
    temperature, probability = case.get("temperature", 1.0), case.get("probability", 0.0)
    if probability:
        for index, units in enumerate(UNITS):
            u = random.random((rows, 2 * units))
            noise = np.log(u + 1e-3) - np.log(1 - u + 1e-3)
            drawn = random.random((rows, 2 * units)) < probability
            masks[f"noise{index}"] = (noise * drawn).astype(np.float32)

    weights = {key: torch.tensor(value, requires_grad=True) for key, value in arrays.items()}
    torch_masks = {key: torch.tensor(value) for key, value in masks.items()}
    make_optimizer = {"sgd": torch.optim.SGD, "adam": torch.optim.Adam}[case["optimizer"]]
    optimizer = make_optimizer(
        weights.values(), lr=case["rate"], weight_decay=case.get("decay", 0.0))
    states = [(torch.zeros(BATCH, units), torch.zeros(BATCH, units)) for units in UNITS]

    def left_out(x, index):
        kept = torch_masks.get(f"values{index}")
        if kept is None:
            return x
        return x * (kept if case.get("variational") else kept.view(STEPS, BATCH, -1))

    losses = []
    for segment in range(SEGMENTS):
        read = torch.tensor(tokens[segment * STEPS:(segment + 1) * STEPS], dtype=torch.long)
        wanted = torch.tensor(tokens[segment * STEPS + 1:(segment + 1) * STEPS + 1],
                              dtype=torch.long)
        table = weights["embedding"]
        if "embedding" in torch_masks:
            table = table * torch_masks["embedding"][:, None]
        x = left_out(torch.nn.functional.embedding(read, table), 0)
        for index, units in enumerate(UNITS):
            recurrent = weights[f"lstm{index + 1}.recurrent"]
            if f"recurrent{index}" in torch_masks:
                recurrent = recurrent * torch_masks[f"recurrent{index}"]
            noise = torch_masks.get(f"noise{index}")
            h, c = (value.detach() for value in states[index])
            outputs = []
            for step in range(STEPS):
                sums = x[step] @ weights[f"lstm{index + 1}.kernel"] + h @ recurrent
                i, f, g, o = (sums + weights[f"lstm{index + 1}.bias"]).chunk(4, 1)
                if noise is not None:
                    own = noise[step * BATCH:(step + 1) * BATCH]
                    i, f = i + own[:, :units], f + own[:, units:]
                i, f = torch.sigmoid(i / temperature), torch.sigmoid(f / temperature)
                c = f * c + i * torch.tanh(g)
                h = torch.sigmoid(o) * torch.tanh(c)
                outputs.append(h)
            states[index] = (h, c)
            raw = torch.stack(outputs)
            x = left_out(raw, index + 1)
        scores = x @ weights["dense.weights"].T + weights["dense.bias"]
        loss = torch.nn.functional.cross_entropy(scores.flatten(0, 1), wanted.flatten())
        losses.append(loss.item())
        total = loss + case.get("activation", 0.0) * x.pow(2).mean()
        total = total + case.get("temporal", 0.0) * (raw[1:] - raw[:-1]).pow(2).mean()
        optimizer.zero_grad()
        total.backward()
        torch.nn.utils.clip_grad_norm_(weights.values(), case["clip"])
        optimizer.step()
    arrays = {f"weights.{key}": value for key, value in arrays.items()}
    arrays |= {f"masks.{key}": value for key, value in masks.items()}
    save(os.path.join(FOLDER, f"{name}.npz"),
         arrays | {"tokens": tokens, "losses": np.array(losses, np.float64)})
    print(name, losses[0], losses[-1])


for case_name, settings in CASES.items():
    make(case_name, settings)
