#!/usr/bin/env python3
"""Scores a Keras model that tells whether a turbofan engine fails within 30 cycles, with tf_keras.

usage: lstmpack search model.h5 --max-drop 1% --hook 'python turbofan_keras.py {model} DATA'
DATA is a folder with PM_train.txt, PM_test.txt and PM_truth.txt (NASA C-MAPSS FD001).
needs: tensorflow-cpu tf_keras numpy

The last line is the score: the mean log loss over every window of 50 cycles, smaller is better.
"""
import json
import os
import sys

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("CUDA_VISIBLE_DEVICES", "")
import numpy as np
import tf_keras

STEPS = 50
CYCLES_LEFT = 30


def features(table):
    """Three settings, the cycle, 21 sensors."""
    return np.concatenate([table[:, 2:5], table[:, 1:2], table[:, 5:26]], axis=1)


def windows(folder):
    train, test = (np.loadtxt(os.path.join(folder, name)) for name in ("PM_train.txt", "PM_test.txt"))
    left_at_end = np.loadtxt(os.path.join(folder, "PM_truth.txt"))
    low, high = features(train).min(axis=0), features(train).max(axis=0)
    span = np.where(high > low, high - low, 1)
    inputs, labels = [], []
    for engine in np.unique(test[:, 0]).astype(int):
        rows = test[test[:, 0] == engine]
        scaled = (features(rows) - low) / span
        left = left_at_end[engine - 1] + rows[-1, 1] - rows[:, 1]
        for end in range(STEPS, len(rows) + 1):
            inputs.append(scaled[end - STEPS:end])
            labels.append(left[end - 1] <= CYCLES_LEFT)
    return np.array(inputs, dtype="float32"), np.array(labels)


def main():
    model = tf_keras.models.load_model(sys.argv[1], compile=False)
    inputs, labels = windows(sys.argv[2])
    found = model.predict(inputs, batch_size=512, verbose=0).ravel().astype("float64")
    right = np.where(labels, found, 1 - found)
    loss = -np.mean(np.log(np.clip(right, 1e-7, 1)))
    print(json.dumps({"metric": "logLoss", "value": float(loss), "higherIsBetter": False}))


if __name__ == "__main__":
    main()
