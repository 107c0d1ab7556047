"""Keras files that no library writes any more, laid out by hand with h5py."""

import json
import os

import h5py
import numpy as np

from fixture_values import (
    Counter, HARD_SIGMOID_2, RELU, activation, directions, fixture, lstm)
from small_hdf5 import make_group, open_latest

SOFTMAX = activation("softmax")


def fixed(names):
    """Fixed-length null-padded strings; float64 without any, as Keras writes it."""
    return np.array([n.encode() for n in names]) if names else np.zeros((0,))


def variable(encoding):
    def make(names):
        return np.array(names, dtype=h5py.string_dtype(encoding))

    return make


def split_list(attrs, name, values, limit):
    """As Keras splits lists over 64,512 bytes: name0, name1, … and no plain name."""
    for index in range(0, len(values), limit):
        attrs[f"{name}{index // limit}"] = fixed(values[index:index + limit])


def write_layers(root, layers, strings=fixed, limit=None, dtype=None, **storage):
    """`layers`: (name, [(path of a dataset under the group, array)]), in the order of the model."""
    names = [name for name, _ in layers]
    if limit:
        split_list(root.attrs, "layer_names", names, limit)
    else:
        root.attrs["layer_names"] = strings(names)
    for name, weights in layers:
        group = make_group(root, name)
        paths = [path for path, _ in weights]
        if limit and weights:
            split_list(group.attrs, "weight_names", paths, limit)
        else:
            group.attrs["weight_names"] = strings(paths)
        for path, array in weights:
            if "/" in path:
                make_group(group, path.rpartition("/")[0])
            group.create_dataset(path, data=array, dtype=dtype or array.dtype, **storage)


def keras1_names(layer, prefix="", suffix=":0"):
    return [f"{prefix}{layer}_{m}_{g}{suffix}" for g in "icfo" for m in "WUb"]


def keras2_weights(layer, arrays, cell="", suffix=":0"):
    names = ["kernel", "recurrent_kernel", "bias"]
    return [(f"{layer}/{cell}{n}{suffix}", a) for n, a in zip(names, arrays)]


def keras1_lstm(name, units, **changes):
    config = {
        "name": name, "trainable": True, "return_sequences": False, "go_backwards": False,
        "stateful": False, "unroll": False, "consume_less": "cpu", "input_dim": 3,
        "input_length": None, "output_dim": units, "init": "glorot_uniform",
        "inner_init": "orthogonal", "forget_bias_init": "one", "activation": "tanh",
        "inner_activation": "hard_sigmoid", "W_regularizer": None, "U_regularizer": None,
        "b_regularizer": None, "dropout_W": 0.0, "dropout_U": 0.0,
        "batch_input_shape": [None, 5, 3], "input_dtype": "float32",
    }
    return {"class_name": "LSTM", "config": {**config, **changes}}


def keras2_lstm(name, units, **changes):
    config = {
        "name": name, "trainable": True, "return_sequences": False, "go_backwards": False,
        "stateful": False, "unroll": False, "units": units, "activation": "tanh",
        "recurrent_activation": "hard_sigmoid", "use_bias": True, "unit_forget_bias": True,
        "batch_input_shape": [None, 5, 3], "dtype": "float32", "implementation": 1,
    }
    return {"class_name": "LSTM", "config": {**config, **changes}}


class Writer:
    def __init__(self, folder):
        self.folder, self.entries = folder, []

    def open(self, name, latest=False, **options):
        path = os.path.join(self.folder, name)
        return open_latest(path) if latest else h5py.File(path, "w", **options)

    def full(self, name, version, config, layers, expected, **options):
        """A full model: model_config beside the group model_weights."""
        entry = {k: options.pop(k) for k in
                 ("warnings", "opaque", "dense", "embeddings", "about", "may_be_opaque")
                 if k in options}
        latest = options.pop("latest", False)
        string = np.bytes_ if latest else bytes  # fixed-length; or variable, as Keras writes it
        with self.open(name, latest) as file:
            if version:
                file.attrs["keras_version"] = string(version.encode())
                file.attrs["backend"] = string(b"tensorflow")
            model = {"class_name": "Sequential", "config": config}
            file.attrs["model_config"] = string(json.dumps(model).encode())
            write_layers(make_group(file, "model_weights"), layers, **options)
        self.entries.append(fixture("keras/" + name, expected, **entry))

    def weights_only(self, name, version, layers, expected, about, **options):
        entry = {k: options.pop(k) for k in ("opaque", "dense", "embeddings", "warnings")
                 if k in options}
        entry.setdefault("warnings", ["activation"])
        file_options = options.pop("file_options", {})
        string = np.bytes_ if file_options.get("latest") else bytes
        with self.open(name, **file_options) as file:
            if version:
                file.attrs["keras_version"] = string(version.encode())
                file.attrs["backend"] = string(b"tensorflow")
            write_layers(file, layers, **options)
        self.entries.append(fixture("keras/" + name, expected, about=about, **entry))


def write(folder):
    w = Writer(folder)
    write_keras1(w)
    write_cudnn(w)
    write_weights_only(w)
    write_storage(w)
    return w.entries


def write_keras1(w):
    one, hard = directions(1), {"gate": HARD_SIGMOID_2}
    arrays = one[0].keras1()
    layer = [("lstm_1", list(zip(keras1_names("lstm_1"), arrays)))]
    config = [keras1_lstm("lstm_1", 2)]
    expected = [lstm("lstm_1", one, **hard)]
    w.full("k1-lstm.h5", "1.2.2", config, layer, expected, about="twelve arrays, i c f o")
    w.full("k1-no-version.h5", None, config, layer, expected,
           about="without keras_version: Keras 1 is assumed")

    W, b = Counter(200).array(4, 2), Counter(220).array(4)
    w.full("k1-lstm-dense.h5", "1.2.0",
           [keras1_lstm("lstm_1", 2, activation="relu", inner_activation="sigmoid"),
            {"class_name": "Dense", "config": {
                "name": "dense_1", "bias": True, "output_dim": 4, "activation": "linear"}},
            {"class_name": "Activation", "config": {
                "name": "activation_1", "activation": "softmax"}}],
           layer + [("dense_1", [("dense_1_W:0", W.T), ("dense_1_b:0", b)]), ("activation_1", [])],
           [lstm("lstm_1", one, cell=RELU)], dense=[("dense_1", W, b, activation("linear"))],
           opaque=[("activation_1", None)],
           about="Dense of Keras 1, other activations, a layer without weights", latest=True)

    both = directions(2)
    names = [n for p in ("forward_", "backward_") for n in keras1_names("lstm_1", p, suffix="")]
    w.full("k1-bidirectional.h5", "1.2.2",
           [{"class_name": "Bidirectional", "config": {
               "name": "bidirectional_1", "trainable": True, "merge_mode": "mul",
               "batch_input_shape": [None, 5, 3], "input_dtype": "float32",
               "layer": keras1_lstm("lstm_1", 2, return_sequences=True)}}],
           [("bidirectional_1", list(zip(names, both[0].keras1() + both[1].keras1())))],
           [lstm("bidirectional_1", both, merge="multiply", **hard)],
           about="24 arrays in one group, names without :0 as with the Theano backend")

    w.full("k1-consume-less-gpu.h5", "1.2.2", [keras1_lstm("lstm_1", 2, consume_less="gpu")],
           [("lstm_1", list(zip(["lstm_1_W:0", "lstm_1_U:0", "lstm_1_b:0"], one[0].keras())))],
           expected, about="consume_less gpu: three arrays, i f c o", latest=True)
    w.weights_only("k1-weights-only.h5", "1.2.2", layer, expected,
                   "weights only, Keras 1: hard_sigmoid is assumed")


def write_cudnn(w):
    one = directions(1, recurrent_bias=True)
    layer = [("rnn", keras2_weights("rnn", one[0].cudnn()))]

    def cudnn(name, **changes):
        return {"class_name": "CuDNNLSTM", "config": {
            "name": name, "trainable": True, "return_sequences": False, "return_state": False,
            "go_backwards": False, "stateful": False, "units": 2, "unit_forget_bias": True,
            "batch_input_shape": [None, 5, 3], "dtype": "float32", **changes}}

    w.full("cudnn-lstm.h5", "2.2.4", [cudnn("rnn")], layer, [lstm("rnn", one)],
           about="class CuDNNLSTM: plain sigmoid, input blocks reread, 8H biases")
    w.weights_only("cudnn-weights-only.h5", "2.1.5", layer, [lstm("rnn", one)],
                   "weights only: 8H biases say that it is CuDNN, so sigmoid is certain",
                   warnings=[])
    w.full("cudnn-as-lstm.h5", "2.2.4",
           [keras2_lstm("rnn", 2, recurrent_activation="sigmoid")], layer, [lstm("rnn", one)],
           about="class LSTM, but 8H biases: the weights came from a CuDNNLSTM", latest=True)

    both = directions(2, recurrent_bias=True)
    weights = (keras2_weights("both/forward_rnn", both[0].cudnn())
               + keras2_weights("both/backward_rnn", both[1].cudnn()))
    w.full("cudnn-bidirectional.h5", "2.2.4",
           [{"class_name": "Bidirectional", "config": {
               "name": "both", "merge_mode": "concat", "layer": cudnn("rnn"),
               "batch_input_shape": [None, 5, 3]}}],
           [("both", weights)], [lstm("both", both, merge="concatenate")],
           about="Bidirectional(CuDNNLSTM)", latest=True)


def write_weights_only(w):
    a, b = directions(1), directions(1, inputs=2, start=80)
    W, bias = Counter(200).array(4, 2), Counter(220).array(4)
    table = Counter(230).array(5, 3)
    for name, version, cell, gate in [
        ("weights-2.2.4-tf.h5", "2.2.4-tf", "", {}),
        ("weights-2.3.0.h5", "2.3.0", "", {}),
        ("weights-2.3.0-tf.hdf5", "2.3.0-tf", "lstm_cell/", {}),
    ]:
        w.weights_only(name, version, [("lstm", keras2_weights("lstm", a[0].keras(), cell))],
                       [lstm("lstm", a, **gate)], f"weights only, keras_version {version}",
                       file_options={"latest": version == "2.3.0"})
    w.weights_only(
        "weights-2.1.5.h5", "2.1.5",
        [("input_1", []), ("embedding", [("embedding/embeddings:0", table)]),
         ("lstm_1", keras2_weights("lstm_1", a[0].keras())), ("dropout", []),
         ("lstm", keras2_weights("lstm", b[0].keras())),
         ("dense", [("dense/kernel:0", W.T), ("dense/bias:0", bias)])],
        [lstm("lstm_1", a, gate=HARD_SIGMOID_2),
         lstm("lstm", b, weight_set=1, gate=HARD_SIGMOID_2)],
        "weights only, several layers, not in alphabetical order")

    both = directions(2)
    w.weights_only(
        "weights-bidirectional-2.2.4.h5", "2.2.4",
        [("both", keras2_weights("both/forward_lstm", both[0].keras())
          + keras2_weights("both/backward_lstm", both[1].keras()))],
        [lstm("both", both, merge="concatenate", gate=HARD_SIGMOID_2)],
        "weights only: the merge mode is not in the file either, concat is the default",
        file_options={"latest": True})

    gru = Counter()
    w.weights_only(
        "weights-lstm-and-gru-2.2.4.h5", "2.2.4",
        [("lstm", keras2_weights("lstm", a[0].keras())),
         ("gru", keras2_weights("gru", [gru.array(2, 6), gru.array(2, 6), gru.array(6)]))],
        [lstm("lstm", a, gate=HARD_SIGMOID_2)],
        "weights only: kernels [I, 3H] are a GRU, told by the shapes", opaque=[("gru", "GRU")],
        file_options={"latest": True})


def write_storage(w):
    """One model, [LSTM "lstm"] of Keras 2.2.4, stored in every way HDF5 offers."""
    one = directions(1)
    layer = [("lstm", keras2_weights("lstm", one[0].keras()))]
    config = [keras2_lstm("lstm", 2)]
    expected = [lstm("lstm", one, gate=HARD_SIGMOID_2)]

    for name, about, options in [
        ("strings-vlen-ascii.h5", "variable-length ASCII lists", {"strings": variable("ascii")}),
        ("strings-vlen-utf8.h5", "variable-length UTF-8 lists",
         {"strings": variable("utf-8"), "latest": True}),
        ("split-lists.h5", "layer_names0, weight_names0, 1, 2 …: one name each", {"limit": 1}),
        ("gzip-chunked.h5", "chunked, shuffled, compressed, with checksums",
         {"chunks": True, "compression": "gzip", "shuffle": True, "fletcher32": True,
          "latest": True}),
        ("float64-big-endian.h5", "float64, big-endian", {"dtype": ">f8", "latest": True}),
        ("float16.h5", "float16", {"dtype": "<f2", "latest": True}),
        ("float32-big-endian.h5", "float32, big-endian", {"dtype": ">f4", "latest": True}),
    ]:
        w.full("storage-" + name, "2.2.4", config, layer, expected, about=about, **options)

    # More layers, so that split lists of layer names are joined in order, past ten.
    many = [(f"pad_{n}", []) for n in range(12)]
    many = many[:11] + layer + many[11:]
    w.full("storage-split-13-layers.h5", "2.2.4",
           [{"class_name": "Dropout", "config": {"name": n, "rate": 0.5}} if n != "lstm"
            else config[0] for n, _ in many],
           many, expected, limit=1, opaque=[(n, None) for n, _ in many if n != "lstm"],
           about="layer_names0 … layer_names12: 10 comes after 9", latest=True)

    # String attributes of the root in every kind: str writes UTF-8, a NumPy string fixed-length.
    name = "storage-strings-root.h5"
    with w.open(name, latest=True) as file:
        file.attrs["keras_version"] = "2.2.4"
        file.attrs["backend"] = np.bytes_(b"tensorflow")
        model = json.dumps({"class_name": "Sequential", "config": config}).encode()
        file.attrs.create("model_config", np.array(model, dtype=f"S{len(model) + 3}"))
        write_layers(make_group(file, "model_weights"), layer)
    w.entries.append(fixture(
        "keras/" + name, expected,
        about="superblock 3, UTF-8 and fixed-length scalars, null padding"))

    w.weights_only("storage-userblock.h5", "2.2.4", layer, expected,
                   "512 bytes before the HDF5 signature", file_options={"userblock_size": 512})
    w.weights_only("storage-no-version.h5", None,
                   [("lstm", keras2_weights("lstm", one[0].keras(), "lstm_cell/", ""))],
                   [lstm("lstm", one)],
                   "weights only without a version; names without :0 are of Keras 3")
