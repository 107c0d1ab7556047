"""Weights of Keras models in files of their own and in unusual forms: legacy HDF5, shards, npz in a
`.keras` file, the older root of the v3 layout, bfloat16."""

import os
import shutil

import h5py
import numpy as np

from array_import_keras import OUT, TABLE, path, same, shrink, shrink_archive, stack
from keras_fixtures import make_deterministic


def plain(K, L):
    return stack(K, [L.LSTM(3, return_sequences=True, name="b"),
                     L.Bidirectional(L.LSTM(2, return_sequences=True), name="both"),
                     L.RNN(L.LSTMCell(4), name="a"), L.Dense(2, name="head")])


def cell(K, L):
    return stack(K, [L.RNN(L.LSTMCell(3), return_sequences=True, name="memory")])


def stacked(K, L):
    return stack(K, [L.RNN([L.LSTMCell(3), L.LSTMCell(2)], return_sequences=True, name="memory")])


def both(K, L):
    return stack(K, [L.Bidirectional(L.RNN(L.LSTMCell(3), return_sequences=True), name="both")])


def spread(K, L):
    return stack(K, [L.TimeDistributed(L.LSTM(3), name="each")], (2, 5, 3))


def nested(K, L):
    inside = K.Sequential([L.Input((5, 3), name="inside"),
                           L.LSTM(3, return_sequences=True, name="deep")], name="sub")
    return stack(K, [inside, L.LSTM(2, name="last")])


MODELS = {"plain": plain, "cell": cell, "stacked": stacked, "bidirectional": both,
          "time_distributed": spread, "nested": nested}


class Case:
    """A model with its inputs and outputs; `check` reads its files back."""

    def __init__(self, k, name, build):
        self.k, self.case, self.build = k, f"{k.tag}_{name}", build
        self.model = k.build(build, self.case)
        self.inputs = k.inputs(self.model, self.case, None)
        self.outputs = k.run(self.model, self.inputs)

    def file(self, kind):
        return path(f"{self.case}.{kind}")

    def check(self, model):
        found = self.k.run(model, self.inputs)
        assert same(found, self.outputs), f"{self.case} reads back otherwise"

    def fresh(self):
        return self.k.build(self.build, self.case + " again")

    def record(self, files, note):
        self.k.record(self.case, self.inputs, self.outputs)
        TABLE.add(self.case, files, self.k.name, note)


def legacy(k, name, build):
    made = Case(k, f"legacy_weights_{name}", build)
    file = made.file("h5")
    again = made.fresh()
    if k.tag == "k2":
        made.model.save_weights(file, save_format="h5")
        again.load_weights(file)
    else:  # save_weights of Keras 3 refuses the name; model.save(".h5") calls this
        from keras.src.legacy.saving import legacy_h5_format
        with h5py.File(file, "w") as root:
            legacy_h5_format.save_weights_to_hdf5_group(root, made.model)
        with h5py.File(file, "r") as root:
            legacy_h5_format.load_weights_from_hdf5_group(root, again)
    made.check(again)
    shrink(file)
    made.record("h5", "weights only, legacy layout, no configuration")


def npz(k, name, build):
    """Pickled objects, which the libraries write and refuse to read."""
    if k.tag == "k2":
        from tf_keras.src.saving import saving_lib
    else:
        from keras.src.saving import saving_lib
    case = f"not_{k.tag}_npz_{name}"
    file = path(case + ".keras")
    saving_lib.save_model(k.build(build, case), file, weights_format="npz")
    shrink_archive(file)
    try:
        k.K.models.load_model(file, compile=False)
    except ValueError:
        TABLE.add(case, "keras", k.name,
                  "model.weights.npz, of pickled objects: the library refuses")
        return
    raise AssertionError(f"{case} can be read: it needs expected arrays")


def older_root(k, name, build):
    """The layers under the name that Keras 2.11 and 2.12 gave to their group."""
    made = Case(k, f"older_root_{name}", build)
    file = made.file("weights.h5")
    made.model.save_weights(file)
    with h5py.File(file, "r+") as root:
        move_layers(root)
    shrink(file)
    if k.tag == "k3":  # tf_keras does not look for this name
        again = made.fresh()
        again.load_weights(file)
        made.check(again)
    made.record("weights.h5", "_layer_checkpoint_dependencies in place of layers")


def move_layers(group):
    for name, item in list(group.items()):
        if isinstance(item, h5py.Group):
            move_layers(item)
    group.attrs.pop("name", None)
    if "layers" in group:
        group.move("layers", "_layer_checkpoint_dependencies")


def sharded(k, name, build):
    made = Case(k, f"sharded_{name}", build)
    folder = os.path.join(OUT, made.case)
    shutil.rmtree(folder, ignore_errors=True)
    os.makedirs(folder)
    file = os.path.join(folder, "model.weights.json")
    made.model.save_weights(file, max_shard_size=400 / 1024 ** 3)
    again = made.fresh()
    again.load_weights(file)
    made.check(again)
    shards = [part for part in sorted(os.listdir(folder)) if part.endswith(".h5")]
    for part in shards:
        shrink(os.path.join(folder, part))
    made.record(f"{made.case}/", f"save_weights with max_shard_size: {len(shards)} shards")


def half(k, kind):
    """Variables in another type; the outputs are those of the same numbers in float32."""
    def build_as(kind):
        return lambda K, L: stack(K, [L.LSTM(3, return_sequences=True, name="memory", dtype=kind,
                                                 recurrent_initializer="zeros")])

    made = Case(k, kind, build_as("float32"))
    small = k.build(build_as(kind), made.case)
    made.model.set_weights([np.asarray(w).astype(np.float32) for w in small.get_weights()])
    made.outputs = k.run(made.model, made.inputs)
    small.save(made.file("keras"))
    make_deterministic(made.file("keras"))
    small.save_weights(made.file("weights.h5"))
    made.record("keras, weights.h5", f"variables in {kind}; outputs in float32")


def make(k):
    for name, build in MODELS.items():
        legacy(k, name, build)
    for name in ("plain", "stacked"):
        npz(k, name, MODELS[name])
    for name in ("plain", "stacked", "time_distributed", "nested"):
        older_root(k, name, MODELS[name])
    if k.tag == "k3":
        for name in ("plain", "stacked", "nested"):
            sharded(k, name, MODELS[name])
        half(k, "bfloat16")
        half(k, "float16")
