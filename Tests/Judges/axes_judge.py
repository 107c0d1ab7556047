"""Runs models of every layout through `lstmpack run` and through the framework that made them.

{batch-first, time-major} x {any batch, batch 1, batch 3} x {one direction, two} x {states given, not}
x {keras, tf_keras, torch-dynamo, torch-script, tf2onnx}. Arrays have the shapes that `inspect` prints
(open axes: 7 steps, 5 sequences) and go to both as they are; models with a fixed batch are also given
more sequences than that, which the framework gets call by call.

    python Tests/Judges/axes_judge.py .build/release/lstmpack --makers keras,tf_keras,torch-dynamo

Needs the packages of the makers that are asked for. Prints a line for each model and a table; exits
with 1 when an output differs by more than 1e-5 or a shape is refused.
"""

import argparse
import itertools
import json
import os
import pathlib
import subprocess
import sys
import tempfile

import numpy as np

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
STEPS, OPEN_BATCH, FEATURES, UNITS, CLASSES, FIXED = 7, 5, 4, 6, 3, 3
LIMIT = 1e-5


class Refused(Exception):
    """A combination that the maker does not have."""


def batch_of(size):
    return {"any": None, "1": 1, "N": FIXED}[size]


def keras_model(keras, size, directions, states):
    x = keras.Input(batch_shape=(batch_of(size), STEPS, FEATURES), name="x")
    given = []
    if states:
        given = [
            keras.Input(batch_shape=(batch_of(size), UNITS), name=f"s{i}")
            for i in range(2 * directions)
        ]
    lstm = keras.layers.LSTM(UNITS, return_sequences=True, return_state=True, name="lstm")
    if directions == 2:
        lstm = keras.layers.Bidirectional(lstm, name="both")
    made = lstm(x, initial_state=given or None)
    y = keras.layers.Dense(CLASSES, name="scores")(made[0])
    return keras.Model([x] + given, [y] + list(made[1:]))


def make_keras(name, folder, order, size, directions, states):
    if order == "time-major":
        raise Refused("Keras models have the batch first" if name == "keras" else "see whole models")
    keras = __import__(name)
    keras.backend.clear_session()
    model = keras_model(keras, size, directions, states)
    path = folder / ("m.keras" if name == "keras" else "m.h5")
    model.save(path)

    def run(arrays):
        names = [i.name.split(":")[0] for i in model.inputs]
        made = model([arrays[n] for n in names], training=False)
        return [np.asarray(v) for v in made]

    return path, run


def make_torch(dynamo, folder, order, size, directions, states):
    import torch

    class Net(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.lstm = torch.nn.LSTM(
                FEATURES, UNITS, num_layers=2, batch_first=order == "batch-first",
                bidirectional=directions == 2)
            self.scores = torch.nn.Linear(directions * UNITS, CLASSES)

        def forward(self, x, h=None, c=None):
            y, (h, c) = self.lstm(x, None if h is None else (h, c))
            return self.scores(y), h, c

    net = Net().eval()
    batch = batch_of(size) or OPEN_BATCH
    shape = (batch, STEPS, FEATURES) if order == "batch-first" else (STEPS, batch, FEATURES)
    state = (2 * directions, batch, UNITS)
    example = (torch.randn(shape),) + (
        (torch.randn(state), torch.randn(state)) if states else ())
    names = ["x", "h", "c"][: len(example)]
    path = folder / "m.onnx"
    at = 0 if order == "batch-first" else 1
    options = {}
    if size == "any" and dynamo:
        batch_axis, time_axis = torch.export.Dim("batch"), torch.export.Dim("steps")
        options["dynamic_shapes"] = {"x": {at: batch_axis, 1 - at: time_axis}}
        for name in names[1:]:
            options["dynamic_shapes"][name] = {1: batch_axis}
    elif size == "any":
        options["dynamic_axes"] = {"x": {at: "batch", 1 - at: "steps"}}
        for name in names[1:]:
            options["dynamic_axes"][name] = {1: "batch"}
    torch.onnx.export(
        net, example, str(path), input_names=names, output_names=["y", "hn", "cn"], dynamo=dynamo,
        **({"external_data": False} if dynamo else {"opset_version": 17}), **options)

    def run(arrays):
        with torch.no_grad():
            made = net(*[torch.from_numpy(arrays[n]) for n in names])
        return [v.numpy() for v in made]

    return path, run


def make_tf2onnx(folder, order, size, directions, states):
    import tensorflow as tf
    import tf2onnx
    import tf_keras

    tf_keras.backend.clear_session()
    batch = batch_of(size)
    inner = keras_model(tf_keras, size, directions, states)
    turns = order == "time-major"
    x = tf.TensorSpec((STEPS, batch, FEATURES) if turns else (batch, STEPS, FEATURES), name="x")
    specs = [x] + [
        tf.TensorSpec((batch, UNITS), name=f"s{i}") for i in range(2 * directions if states else 0)
    ]

    @tf.function(input_signature=specs)
    def call(x, *given):
        made = inner([tf.transpose(x, [1, 0, 2]) if turns else x] + list(given), training=False)
        y = tf.transpose(made[0], [1, 0, 2]) if turns else made[0]
        return [tf.identity(y, "y")] + [tf.identity(v) for v in made[1:]]

    path = folder / "m.onnx"
    tf2onnx.convert.from_function(call, input_signature=specs, opset=15, output_path=str(path))

    def run(arrays):
        values = {key.split(":")[0]: value for key, value in arrays.items()}
        return [np.asarray(v) for v in call(*[values[s.name] for s in specs])]

    return path, run


MAKERS = {
    "keras": lambda *a: make_keras("keras", *a),
    "tf_keras": lambda *a: make_keras("tf_keras", *a),
    "torch-dynamo": lambda *a: make_torch(True, *a),
    "torch-script": lambda *a: make_torch(False, *a),
    "tf2onnx": make_tf2onnx,
}


def lstmpack(program, *arguments):
    done = subprocess.run([program, *map(str, arguments)], capture_output=True, text=True)
    if done.returncode != 0:
        raise RuntimeError(f"{' '.join(map(str, arguments[:1]))}: {done.stderr.strip()[:300]}")
    return done.stdout


def inputs_of(program, path):
    """The inputs with the shapes that `inspect` prints, and the axis of their sequences."""
    report = json.loads(lstmpack(program, "inspect", path, "--json"))
    sizes = {"time": STEPS, "batch": OPEN_BATCH}
    found = {}
    for entry in report["inputs"]:
        axes = entry["axes"]
        if axes is None or "batch" not in axes:
            raise RuntimeError(f"inspect does not name the axes of {entry['name']}: {axes}")
        shape = [s if s is not None else sizes[a] for s, a in zip(entry["shape"], axes)]
        found[entry["name"]] = (shape, axes.index("batch"), entry["shape"][axes.index("batch")])
    return found, [output["axes"].index("batch") for output in report["outputShapes"]]


def compare(program, path, run, inputs, out_axes, folder, sequences, generator):
    """Runs both on as many sequences; returns the largest difference."""
    arrays = {}
    for name, (shape, axis, _) in inputs.items():
        shape = list(shape)
        if sequences is not None:
            shape[axis] = sequences
        arrays[name] = generator.standard_normal(shape).astype(np.float32)
    np.savez(folder / "in.npz", **arrays)
    lstmpack(program, "run", path, "--data", folder / "in.npz", "--out", folder / "out.npz", "--force")
    made = np.load(folder / "out.npz")
    if sequences is None:
        wanted = run(arrays)
    else:
        fixed = next(iter(inputs.values()))[2]
        parts = []
        for start in range(0, sequences, fixed):
            cut = {}
            for name, (_, axis, _) in inputs.items():
                part = np.take(
                    arrays[name], np.minimum(np.arange(start, start + fixed), sequences - 1), axis)
                cut[name] = part
            parts.append(run(cut))
        wanted = [
            np.take(np.concatenate([p[i] for p in parts], a), np.arange(sequences), a)
            for i, a in enumerate(out_axes)
        ]
    names = list(made.keys())
    if len(names) != len(wanted):
        raise RuntimeError(f"{len(names)} outputs, the framework has {len(wanted)}")
    largest = 0.0
    for name, value in zip(names, wanted):
        if made[name].shape != value.shape:
            raise RuntimeError(f"{name}: shape {made[name].shape}, the framework has {value.shape}")
        largest = max(largest, float(np.abs(made[name] - value).max()))
    return largest


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("lstmpack")
    parser.add_argument("--makers", default=",".join(MAKERS))
    parser.add_argument("--keep", help="a folder for the models")
    options = parser.parse_args()
    program = str(pathlib.Path(options.lstmpack).resolve())
    rows, failures = {}, 0
    for maker, order, size, directions, states in itertools.product(
            options.makers.split(","), ["batch-first", "time-major"], ["any", "1", "N"], [1, 2],
            [False, True]):
        key = (order, size, directions, states)
        name = f"{maker} {order} batch {size} directions {directions} states {states}"
        with tempfile.TemporaryDirectory() as temporary:
            folder = pathlib.Path(temporary)
            if options.keep:
                folder = pathlib.Path(options.keep) / name.replace(" ", "_")
                folder.mkdir(parents=True, exist_ok=True)
            try:
                path, run = MAKERS[maker](folder, order, size, directions, states)
            except Refused as reason:
                rows.setdefault(key, {})[maker] = "-"
                continue
            except Exception as problem:  # The maker's own faults are no findings.
                rows.setdefault(key, {})[maker] = "maker"
                print(f"{name}: not made: {type(problem).__name__} {str(problem)[:200]}", flush=True)
                continue
            generator = np.random.default_rng(1)
            try:
                inputs, out_axes = inputs_of(program, path)
                worst = compare(program, path, run, inputs, out_axes, folder, None, generator)
                if size != "any":
                    more = 2 * batch_of(size) + (1 if size == "N" else 0)
                    worst = max(
                        worst,
                        compare(program, path, run, inputs, out_axes, folder, more, generator))
                text = f"{worst:.1e}"
                failed = worst > LIMIT
            except Exception as problem:
                text, failed = "FAILS", True
                print(f"{name}: {problem}", flush=True)
            failures += failed
            rows.setdefault(key, {})[maker] = text
            print(f"{name}: {text}", flush=True)
    makers = options.makers.split(",")
    print("\n| order | batch | directions | states | " + " | ".join(makers) + " |")
    print("| --- " * (4 + len(makers)) + "|")
    for key, cells in rows.items():
        print(
            "| " + " | ".join([key[0], key[1], str(key[2]), "given" if key[3] else "no"]
                              + [cells.get(m, "") for m in makers]) + " |")
    sys.exit(1 if failures else 0)


if __name__ == "__main__":
    main()
