"""Models and weights of tf_keras (k2_) and Keras 3 (k3_) in `keras/`: `<case>.h5`, `.keras` and
`.weights.h5` of one model, and `<case>.npz` with its inputs `in.<k>` and outputs `out.<k>`."""

import io
import os
import zipfile

import h5py
import keras as keras3
import numpy as np
import tensorflow as tf
import tf_keras as keras2

from fixture_files import Random, Table, folder, save_arrays
from keras_fixtures import make_deterministic
from small_hdf5 import compact

OUT = folder("keras")
TABLE = Table(OUT, ["case", "files", "library", "note"])
AS_WRITTEN = 9_000  # larger HDF5 files are rewritten to be small
ALL = ("h5", "keras", "weights.h5")


def path(name):
    return os.path.join(OUT, name)


def shrink(file):
    if os.path.getsize(file) > AS_WRITTEN:
        compact(file)


def shrink_archive(file):
    """Makes the weights in a `.keras` file small."""
    with zipfile.ZipFile(file) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    if "model.weights.h5" in members:
        weights = file + ".weights"
        with open(weights, "wb") as out:
            out.write(members["model.weights.h5"])
        shrink(weights)
        with open(weights, "rb") as out:
            members["model.weights.h5"] = out.read()
        os.remove(weights)
    with zipfile.ZipFile(file, "w") as archive:
        for name, data in members.items():
            archive.writestr(name, data)
    make_deterministic(file)


class Library:
    """One of the two libraries: builds, fills, runs, saves and reads back its models."""

    def __init__(self, tag):
        self.tag, self.K = tag, {"k2": keras2, "k3": keras3}[tag]
        self.L = self.K.layers
        self.name = {"k2": "tf_keras", "k3": "keras"}[tag] + " " + self.K.__version__

    def build(self, build, case):
        self.K.backend.clear_session()
        self.K.utils.set_random_seed(1)
        model = build(self.K, self.L)
        random = Random(case)
        for variable in model.trainable_weights:
            variable.assign(random(*variable.shape))
        return model

    def run(self, model, inputs):
        for layer in model._flatten_layers():
            if getattr(layer, "stateful", False) and hasattr(layer, "cell"):
                (layer.reset_states if self.tag == "k2" else layer.reset_state)()
        values = [tf.constant(array) for array in inputs]
        found = model(values[0] if len(values) == 1 else values, training=False)
        return [np.asarray(value) for value in tf.nest.flatten(found)]

    def inputs(self, model, case, tokens):
        random = Random(case + " inputs")
        made = []
        for tensor in model.inputs:
            shape = [2 if size is None else size for size in tensor.shape]
            made.append(random.generator.integers(1, tokens, shape, dtype=np.int32) if tokens
                        else random(*shape, scale=2))
        return made

    def save(self, model, file):
        if file.endswith(".weights.h5"):
            model.save_weights(file)
        elif file.endswith(".h5"):
            options = {"save_format": "h5"} if self.tag == "k2" else {}
            model.save(file, include_optimizer=False, **options)
        else:
            model.save(file)
        shrink_archive(file) if file.endswith(".keras") else shrink(file)

    def load(self, file, build, case):
        if not file.endswith(".weights.h5"):
            return self.K.models.load_model(file, compile=False)
        model = self.build(build, case + " again")
        model.load_weights(file)
        return model

    def case(self, name, build, note, kinds=ALL, tokens=None, change=None, check=None):
        """Writes a model; `change` edits its inputs, `check` computes its first output anew."""
        case = f"{self.tag}_{name}"
        model = self.build(build, case)
        inputs = self.inputs(model, case, tokens)
        if change:
            change(inputs)
        for kind in kinds:
            self.save(model, path(f"{case}.{kind}"))
        outputs = self.run(model, inputs)
        for kind in kinds:
            again = self.run(self.load(path(f"{case}.{kind}"), build, case), inputs)
            assert same(again, outputs), f"{case}.{kind} reads back otherwise"
        if check:
            expected = check([np.asarray(w) for w in model.get_weights()], inputs[0])
            assert same([expected], outputs[:1]), f"{case}: the numpy cell differs"
        self.record(case, inputs, outputs)
        TABLE.add(case, ", ".join(kinds), self.name, note)

    def record(self, case, inputs, outputs):
        arrays = {f"in.{k}": array for k, array in enumerate(inputs)}
        arrays.update({f"out.{k}": array for k, array in enumerate(outputs)})
        save_arrays(path(case + ".npz"), arrays)

    def refused(self, name, build, note, kinds=ALL):
        """A model without an LSTM that could be imported: no arrays."""
        case = f"not_{self.tag}_{name}"
        model = self.build(build, case)
        for kind in kinds:
            self.save(model, path(f"{case}.{kind}"))
        TABLE.add(case, ", ".join(kinds), self.name, note)


def same(left, right):
    return len(left) == len(right) and all(
        a.shape == b.shape and np.abs(a - b).max() < 2e-6 for a, b in zip(left, right))


def stack(K, layers, shape=(5, 3), **options):
    """A Sequential model; `options` are those of its input."""
    return K.Sequential([K.layers.Input(shape, name="features", **options)] + layers, name="model")


def make():
    import array_import_keras_models
    import array_import_keras_weights

    for tag in ("k2", "k3"):
        library = Library(tag)
        array_import_keras_models.make(library)
        array_import_keras_weights.make(library)
    TABLE.write()
