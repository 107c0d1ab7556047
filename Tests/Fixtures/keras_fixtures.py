"""Keras files written by the libraries themselves: tf_keras (Keras 2) and Keras 3."""

import io
import json
import os
import re
import zipfile

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("CUDA_VISIBLE_DEVICES", "-1")
os.environ["KERAS_BACKEND"] = "tensorflow"

import h5py
import keras as keras3
import tf_keras as keras2

from fixture_values import (
    Counter, HARD_SIGMOID_2, HARD_SIGMOID_3, RELU, activation, directions, fixture,
    lstm, settings)
from small_hdf5 import compact

# Files that stay byte for byte as the library wrote them; the others are rewritten to be small.
AS_WRITTEN = (".weights.h5", "sequential", "stacked-renamed", "bidirectional-concat", "nested")
LINEAR, SOFTMAX = activation("linear"), activation("softmax")


class Writer:
    """Writes models of one of the two libraries and keeps their expectations."""

    def __init__(self, folder, keras):
        self.folder, self.K, self.L = folder, keras, keras.layers
        self.entries = []

    def path(self, name):
        return os.path.join(self.folder, name)

    def sequential(self, layers, shape, name="model", dtype=None):
        self.K.backend.clear_session()
        first = self.L.Input(shape, dtype=dtype, name="features")
        return self.K.Sequential([first] + layers, name=name)

    def save(self, model, name, layers, **options):
        if name.endswith(".weights.h5"):
            model.save_weights(self.path(name))
        elif name.endswith(".h5") and self.K is keras2:
            model.save(self.path(name), save_format="h5",
                       include_optimizer=options.pop("optimizer", False))
        else:
            model.save(self.path(name), include_optimizer=False)
        if name.endswith(".keras"):
            make_deterministic(self.path(name))
        elif not any(part in name for part in AS_WRITTEN):
            compact(self.path(name))
        self.entries.append(fixture("keras/" + name, layers, **options))


def make_deterministic(path, change=None):
    """Replaces the dates in a `.keras` file, in its zip entries and in its metadata; `change` may
    edit the weights."""
    with zipfile.ZipFile(path) as archive:
        members = {i.filename: archive.read(i) for i in archive.infolist()}
    if change:
        weights = io.BytesIO(members["model.weights.h5"])
        with h5py.File(weights, "r+") as file:
            change(file)
        members["model.weights.h5"] = weights.getvalue()
    write_zip(path, members.items())


def renumber(config):
    """Numbers the shared objects 1, 2, 3 …: Keras 3 writes addresses in memory."""
    seen = {}
    return re.sub(
        r'("shared_object_id": )(\d+)',
        lambda m: m[1] + str(seen.setdefault(m[2], len(seen) + 1)), config)


def write_zip(path, members):
    with zipfile.ZipFile(path, "w", zipfile.ZIP_STORED) as archive:
        for name, data in members:
            if name == "metadata.json":
                metadata = json.loads(data)
                metadata["date_saved"] = "2026-01-01@00:00:00"
                data = json.dumps(metadata).encode()
            elif name == "config.json":
                data = renumber(data.decode()).encode()
            archive.writestr(zipfile.ZipInfo(name, (2026, 1, 1, 0, 0, 0)), data)


def flat(ds):
    return [array for d in ds for array in d.keras()]


def head(counter, inputs, outputs):
    """Canonical weights [outputs, inputs] and bias of a dense layer."""
    return counter.array(outputs, inputs), counter.array(outputs)


# Models that both libraries write in the same way.


def common(w, prefix, suffixes=(".h5",), bidirectional_modes=("concat",)):
    """Single, stacked, bidirectional, nested, embedding models; each with every suffix."""
    K, L = w.K, w.L
    one = directions(1)
    no_bias = directions(1, bias=False)
    hard = HARD_SIGMOID_2 if K is keras2 else HARD_SIGMOID_3
    merges = {"concat": "concatenate", "sum": "sum", "mul": "multiply", "ave": "average",
              None: "separate"}
    for suffix in suffixes:
        weights_only = suffix == ".weights.h5"
        # A weights-only file does not say its activations.
        warn = {"warnings": ["activation"]} if weights_only else {}

        if K is keras2 or suffix == ".keras":
            model = w.sequential([L.LSTM(2, name="memory")], (5, 3))
            model.get_layer("memory").set_weights(flat(one))
            w.save(model, f"{prefix}-sequential{suffix}", [lstm("memory", one)],
                   about="one LSTM", **warn)

        if K is keras2 or weights_only:
            model = w.sequential([L.LSTM(2, use_bias=False, name="memory")], (5, 3))
            model.get_layer("memory").set_weights(flat(no_bias))
            w.save(model, f"{prefix}-no-bias{suffix}", [lstm("memory", no_bias)],
                   about="use_bias=False: two arrays", **warn)

        # Two LSTMs of one class whose names do not sort in the order of the layers.
        a, b = directions(1), directions(1, inputs=2, units=3, start=80)
        W, bias = head(Counter(200), 3, 2)
        model = w.sequential([
            L.LSTM(2, return_sequences=True, name="zebra"), L.LSTM(3, name="ant"),
            L.Dense(2, activation="softmax", name="mouse")], (5, 3))
        model.get_layer("zebra").set_weights(flat(a))
        model.get_layer("ant").set_weights(flat(b))
        model.get_layer("mouse").set_weights([W.T, bias])
        w.save(model, f"{prefix}-stacked-renamed{suffix}",
               [lstm("zebra", a), lstm("ant", b, weight_set=1)],
               dense=[("mouse", W, bias, SOFTMAX)],
               about="two LSTMs, names not in alphabetical order", **warn)

        for mode in bidirectional_modes if suffix != ".weights.h5" else ("concat",):
            both = directions(2)
            K.backend.clear_session()
            start = L.Input((5, 3), name="features")  # functional: mode None has two outputs
            inner = L.LSTM(2, return_sequences=True, name="inner")
            layer = L.Bidirectional(inner, merge_mode=mode, name="both")
            model = K.Model(start, layer(start), name="model")
            model.get_layer("both").set_weights(flat(both))
            w.save(model, f"{prefix}-bidirectional-{str(mode).lower()}{suffix}",
                   [lstm("both", both, merge=merges[mode])],
                   about=f"Bidirectional, merge_mode {mode}", **warn)

        if weights_only:
            continue

        for name, options, expect in [
            ("go-backwards", {"go_backwards": True}, {"direction": "backward", "keeps": True}),
            ("hard-sigmoid", {"recurrent_activation": "hard_sigmoid"}, {"gate": hard}),
            ("relu", {"activation": "relu"}, {"cell": RELU}),
        ]:
            if K is keras3 and not (name == "hard-sigmoid" and suffix == ".keras"):
                continue  # said once is enough; the files add up
            model = w.sequential([L.LSTM(2, name="memory", **options)], (5, 3))
            model.get_layer("memory").set_weights(flat(one))
            w.save(model, f"{prefix}-{name}{suffix}", [lstm("memory", one, **expect)],
                   about=json.dumps(options))

        K.backend.clear_session()
        inner_lstm, outer_lstm = directions(1), directions(1, inputs=2, units=2, start=80)
        inside = K.Sequential([L.Input((5, 3), name="inside_input"),
                               L.LSTM(2, return_sequences=True, name="inner_lstm")], name="sub")
        start = L.Input((5, 3), name="features")
        model = K.Model(start, L.LSTM(2, name="outer_lstm")(inside(start)), name="model")
        inside.get_layer("inner_lstm").set_weights(flat(inner_lstm))
        model.get_layer("outer_lstm").set_weights(flat(outer_lstm))
        w.save(model, f"{prefix}-nested{suffix}",
               [lstm("inner_lstm", inner_lstm), lstm("outer_lstm", outer_lstm, weight_set=1)],
               about="a Sequential inside a functional model")

        table, (W, bias) = Counter(150).array(6, 3), head(Counter(170), 2, 6)
        model = w.sequential([
            L.Embedding(6, 3, mask_zero=True, name="letters"),
            L.LSTM(2, return_sequences=True, name="memory"), L.Dropout(0.5, name="drop"),
            L.TimeDistributed(L.Dense(6, name="inner"), name="head")], (5,), dtype="int32")
        model.get_layer("letters").set_weights([table])
        model.get_layer("memory").set_weights(flat(one))
        model.get_layer("head").set_weights([W.T, bias])
        w.save(model, f"{prefix}-embedding-time-distributed{suffix}", [lstm("memory", one)],
               embeddings=[("letters", table)], dense=[("head", W, bias, LINEAR)],
               opaque=[("drop", None)], about="Embedding, LSTM, TimeDistributed(Dense)")

        if K is keras3:
            continue
        gru_kernel = Counter(100)
        model = w.sequential([L.LSTM(2, return_sequences=True, name="memory"),
                              L.GRU(2, name="gates")], (5, 3))
        model.get_layer("memory").set_weights(flat(one))
        model.get_layer("gates").set_weights(
            [gru_kernel.array(*v.shape) for v in model.get_layer("gates").weights])
        w.save(model, f"{prefix}-lstm-and-gru{suffix}", [lstm("memory", one)],
               opaque=[("gates", "GRU")], about="a GRU beside an LSTM is named")


def write_keras2(folder):
    w = Writer(folder, keras2)
    K, L = w.K, w.L
    common(w, "k2", bidirectional_modes=("concat", "sum", "mul", "ave", None))
    one = directions(1)

    # Two branches, one LSTM used twice.
    K.backend.clear_session()
    left, right, shared = directions(1), directions(1, start=80), directions(1, start=160)
    start = L.Input((5, 3), name="features")
    common_lstm = L.LSTM(2, name="shared")
    joined = L.Concatenate(name="joined")([
        L.LSTM(2, name="left")(start), L.LSTM(2, name="right")(start), common_lstm(start),
        common_lstm(L.ReLU(name="positive")(start))])
    model = K.Model(start, L.Dense(1, use_bias=False, name="out")(joined), name="model")
    W = Counter(230).array(1, 8)
    for name, ds in [("left", left), ("right", right), ("shared", shared)]:
        model.get_layer(name).set_weights(flat(ds))
    model.get_layer("out").set_weights([W.T])
    w.save(model, "k2-functional.h5",
           [lstm("left", left), lstm("right", right, weight_set=1),
            lstm("shared", shared, weight_set=2)],
           dense=[("out", W, None, LINEAR)],
           opaque=[("joined", None), ("positive", None)],
           about="branches; a layer called twice is one layer")

    # Without an LSTM: every recurrent layer is named with a reason.
    for name, layer, shape, reason in [
        ("gru-only", L.GRU(2, name="recurrent"), (5, 3), "GRU"),
        ("simple-rnn-only", L.SimpleRNN(2, name="recurrent"), (5, 3), "SimpleRNN"),
        ("conv-lstm-only", L.ConvLSTM2D(2, (1, 1), name="recurrent"), (2, 3, 3, 1), "ConvLSTM"),
    ]:
        model = w.sequential([layer], shape)
        counter = Counter()
        model.get_layer("recurrent").set_weights(
            [counter.array(*v.shape) for v in model.get_layer("recurrent").weights])
        w.save(model, f"k2-{name}.h5", [], opaque=[("recurrent", reason)],
               about="no LSTM: to be refused, or imported with the layer named")

    model = w.sequential([L.RNN(L.LSTMCell(2, name="cell"), name="memory")], (5, 3))
    model.get_layer("memory").set_weights(flat(one))
    w.save(model, "k2-rnn-cell.h5", [lstm("memory", one)], may_be_opaque=True,
           about="RNN(LSTMCell)")

    # A backward layer of its own: other activations, no bias.
    forward, backward = directions(1), directions(1, start=100, bias=False)
    model = w.sequential([L.Bidirectional(
        L.LSTM(2, name="onward"), name="both", merge_mode="sum",
        backward_layer=L.LSTM(2, name="back", go_backwards=True, use_bias=False,
                              activation="relu", recurrent_activation="hard_sigmoid"))], (5, 3))
    model.get_layer("both").set_weights(flat(forward + backward))
    w.save(model, "k2-bidirectional-own-backward.h5",
           [lstm("both", forward + backward, merge="sum",
                 each=[settings(), settings("backward", gate=HARD_SIGMOID_2, cell=RELU)])],
           about="Bidirectional with a backward_layer that differs")

    # Optimizer weights have the same names under optimizer_weights and must not be read.
    model = w.sequential([L.LSTM(2, name="memory")], (5, 3))
    model.get_layer("memory").set_weights(flat(one))
    model.compile(optimizer=K.optimizers.legacy.Adam(), loss="mse")
    model.optimizer._create_all_weights(model.trainable_weights)
    w.save(model, "k2-optimizer-weights.h5", [lstm("memory", one)], optimizer=True,
           about="optimizer_weights hold arrays of the same shapes; they are ignored")

    # Weights only, legacy layout with the version of today's tf_keras.
    model = w.sequential([L.LSTM(2, name="memory")], (5, 3))
    model.get_layer("memory").set_weights(flat(one))
    model.save_weights(w.path("k2-weights-only.h5"))
    w.entries.append(fixture("keras/k2-weights-only.h5", [lstm("memory", one)],
                             warnings=["activation"],
                             about="weights only, keras_version 2.x: sigmoid is assumed"))
    return w.entries


def write_keras3(folder):
    w = Writer(folder, keras3)
    L = w.L
    common(w, "k3", suffixes=(".h5", ".keras", ".weights.h5"), bidirectional_modes=("concat",))
    one = directions(1)

    model = w.sequential([L.LSTM(2, name="memory", dtype="float16")], (5, 3))
    model.get_layer("memory").set_weights(flat(one))
    w.save(model, "k3-float16.keras", [lstm("memory", one)], about="float16 variables")

    # Late tf.keras 2 wrote another name for the folder of the layers.
    model = w.sequential([L.LSTM(2, return_sequences=True, name="b"), L.LSTM(2, name="a")], (5, 3))
    a, b = directions(1, inputs=2, start=80), directions(1)
    model.get_layer("a").set_weights(flat(a))
    model.get_layer("b").set_weights(flat(b))
    name = "k3-checkpoint-dependencies.keras"
    w.save(model, name, [lstm("b", b), lstm("a", a, weight_set=1)],
           about="_layer_checkpoint_dependencies in place of layers")
    make_deterministic(w.path(name), rename_layers_group)
    return w.entries


def rename_layers_group(file):
    file.move("layers", "_layer_checkpoint_dependencies")
    file["_layer_checkpoint_dependencies"].visititems(
        lambda _, item: item.attrs.pop("name", None) and None)
