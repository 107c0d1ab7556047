"""Makes keras/k3-groups*.weights.h5: layers of Keras 3 under names that say something else.

make_fixtures.py calls it; needs keras and h5py. The files are as Keras saves them, copied with compact groups.
"""

import os
from pathlib import Path

os.environ.setdefault("KERAS_BACKEND", "tensorflow")
os.environ.setdefault("CUDA_VISIBLE_DEVICES", "")

import h5py
import keras
import numpy as np

L = keras.layers
HERE = Path(__file__).resolve().parent / "keras"


def save(model, name):
    whole, path = HERE / "whole.weights.h5", HERE / name
    model.save_weights(whole)
    with h5py.File(whole) as source, h5py.File(path, "w", libver="latest") as target:
        for key in source:
            source.copy(key, target)
    whole.unlink()
    print(path.name, path.stat().st_size)


def layer_kinds():
    """Every kind of layer by its class, with and without a bias, many of them named for another kind."""
    x = keras.Input((7,), dtype="int32")
    y = L.Embedding(9, 4, name="tok")(x)
    y = L.Conv1D(5, 3, use_bias=False, padding="same", name="embedding_of_steps")(y)
    y = L.Conv1D(5, 3, padding="same", name="dense_steps")(y)
    y = L.SeparableConv1D(5, 3, padding="same", use_bias=False, name="sep")(y)
    y = L.BatchNormalization(name="bn")(y)
    y = L.TimeDistributed(L.Dense(6, name="inner"), name="td")(y)
    y = L.TimeDistributed(L.Dense(6, use_bias=False), name="td_free")(y)
    y = L.Bidirectional(L.LSTM(3, return_sequences=True), name="both")(y)
    y = L.Bidirectional(L.GRU(3, return_sequences=True), name="both_gru")(y)
    y = L.RNN(L.LSTMCell(4), return_sequences=True, name="one_cell")(y)
    y = L.RNN([L.LSTMCell(4), L.LSTMCell(5)], return_sequences=True, name="stack")(y)
    y = L.LSTM(4, return_sequences=True, name="embedding_lstm")(y)
    y = L.LSTM(4, return_sequences=True, use_bias=False, name="dense")(y)
    y = L.GRU(4, return_sequences=True, name="lstm")(y)
    y = L.LSTM(4, name="gru")(y)
    y = L.Dense(6, use_bias=False, name="embedding_out")(y)
    y = L.Dense(4, name="scores")(y)
    save(keras.Model(x, y), "k3-groups.weights.h5")


def nested():
    inner = keras.Sequential([
        keras.Input((5, 3)), *[L.LSTM(2, return_sequences=True, name=f"l{n}") for n in range(11)],
        L.Dense(2, name="c")], name="enc")
    start = keras.Input((5, 3))
    save(keras.Model(start, L.Dense(2, name="head")(inner(start))), "k3-groups-nested.weights.h5")


class Subclassed(keras.Model):
    """Layers in attributes, in a list, in a model and in a block of their own."""

    def __init__(self):
        super().__init__()
        self.tok = L.Embedding(9, 4)
        self.reader = L.LSTM(5, return_sequences=True)
        self.stack = [L.LSTM(4, return_sequences=True), L.LSTM(4)]
        self.inner = keras.Sequential([L.Dense(4), L.Dense(4)])
        self.block = Block()
        self.head = L.Dense(3)

    def call(self, x):
        y = self.reader(self.tok(x))
        for layer in self.stack:
            y = layer(y)
        return self.head(self.block(self.inner(y)))


class Block(L.Layer):
    def __init__(self):
        super().__init__()
        self.a = L.Dense(4)
        self.scale = self.add_weight(shape=(1,), name="scale")

    def build(self, shape):
        self.a.build(shape)
        self.built = True

    def call(self, x):
        return self.a(x) * self.scale


def subclassed():
    model = Subclassed()
    model(np.zeros((1, 5), "int32"))
    save(model, "k3-groups-subclassed.weights.h5")


def main():
    for make in layer_kinds, nested, subclassed:
        keras.utils.clear_session()
        keras.utils.set_random_seed(1)
        make()


if __name__ == "__main__":
    main()
