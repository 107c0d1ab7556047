"""Writes what ONNX Runtime and Keras make of the inputs of this folder, beside the models.

    python3 Tests/Fixtures/axes/make_outputs.py      needs numpy, onnxruntime, tensorflow, keras

A model with a batch of fixed size gets its sequences in calls of that size, one after the other.
"""

import os
import pathlib

os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
os.environ["CUDA_VISIBLE_DEVICES"] = ""
os.environ.setdefault("KERAS_BACKEND", "tensorflow")

import keras
import numpy as np
import onnxruntime

FOLDER = pathlib.Path(__file__).resolve().parent


def session(name):
    return onnxruntime.InferenceSession(FOLDER / name, providers=["CPUExecutionProvider"])


def load(name):
    return np.load(FOLDER / name)


def save(name, array):
    np.save(FOLDER / name, array)
    print(name, array.shape)


def start_states_moved():
    """States of zeros; the three models are the same but for the operation on the state."""
    x = load("start-states-moved/x.npy")
    zeros = np.zeros((1, 1, 2), np.float32)
    outputs = []
    for name in ("Expand", "Reshape", "Tile"):
        model = session(f"start-states-moved/st_{name}.onnx")
        calls = [model.run(None, {"x": x[:, index:index + 1], "h0": zeros})[0] for index in range(x.shape[1])]
        outputs.append(np.concatenate(calls, axis=2))
    assert all(np.array_equal(outputs[0], other) for other in outputs)
    save("start-states-moved/y.npy", outputs[0])


def whole(model, x, y):
    save(y, session(model).run(None, {"x": load(x)})[0])


def fixed_batch():
    model = keras.models.load_model(FOLDER / "fixed-batch-1/model.keras")
    x = load("fixed-batch-1/windows.x.npy")
    save(
        "fixed-batch-1/windows.y.npy",
        np.concatenate([np.asarray(model(x[index:index + 1])) for index in range(len(x))]))


if __name__ == "__main__":
    start_states_moved()
    whole("time-first-onnx/dynamic.onnx", "time-first-onnx/x.npy", "time-first-onnx/dynamic.y.npy")
    for name in ("last_50x1", "last_400x1", "every_200x1", "every_100x4"):
        base = f"time-first-fixed-sizes/{name}"
        whole(f"{base}.onnx", f"{base}.x.npy", f"{base}.y.npy")
    fixed_batch()
