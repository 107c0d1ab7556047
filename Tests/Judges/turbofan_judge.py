#!/usr/bin/env python3
"""Scores compressed turbofan models with Keras, beside `lstmpack eval`.

usage: turbofan_judge.py LSTMPACK SHARED    needs: numpy h5py tensorflow-cpu tf_keras

For each row: lstmpack compresses the Keras model, examples/read_bvq reads the weights back as numbers, they are
put into a copy of the Keras file, and SHARED/models/eval/eval_pdm.py scores that copy. The log loss must be that of
`lstmpack eval` on the same windows to 1e-4. Ends with exit code 1 when it is not.
"""
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile

import h5py
import numpy as np

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "../../examples/read_bvq"))
import read_bvq

ROWS = [["quantize", "--bits", "4"], ["quantize", "--bits", "1"], ["lowrank", "--rank", "16"]]
KERAS_GATES = ["input", "forget", "cell", "output"]


def windows(folder):
    """The test windows and labels, as eval_pdm.py cuts them."""
    train, test = (np.loadtxt(os.path.join(folder, f"PM_{n}.txt")) for n in ("train", "test"))
    truth = np.loadtxt(os.path.join(folder, "PM_truth.txt"))

    def features(rows):
        return np.concatenate([rows[:, 2:5], rows[:, 1:2], rows[:, 5:26]], 1)

    low, high = features(train).min(0), features(train).max(0)
    span = np.where(high > low, high - low, 1)
    x, y = [], []
    for engine in np.unique(test[:, 0]).astype(int):
        rows = test[test[:, 0] == engine]
        scaled = (features(rows) - low) / span
        left = truth[engine - 1] + rows[-1, 1] - rows[:, 1]
        for end in range(50, len(rows) + 1):
            x.append(scaled[end - 50:end])
            y.append(left[end - 1] <= 30)
    return np.array(x, "f4"), np.array(y, "i8")


def main():
    program, shared = os.path.abspath(sys.argv[1]), os.path.abspath(sys.argv[2])
    source = os.path.join(shared, "models/dev/h5-pdm-binary-keras2.0.5.h5")
    judge = os.path.join(shared, "models/eval/eval_pdm.py")
    worst = 0
    with tempfile.TemporaryDirectory() as folder:
        x, y = windows(os.path.join(shared, "models/evaldata/pdm"))
        np.save(os.path.join(folder, "x.npy"), x)
        np.save(os.path.join(folder, "y.npy"), y)
        for row in ROWS:
            packed = os.path.join(folder, "m.bvq")
            command = [program, row[0], source] + row[1:] + ["--out", packed, "--force"]
            subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
            report = json.loads(subprocess.run(
                [program, "eval", packed, "--data", "x.npy", "--labels", "y.npy", "--json"],
                check=True, cwd=folder, capture_output=True).stdout)
            own = next(m["value"] for m in report["model"]["metrics"] if m["name"] == "logLoss")

            tensors = read_bvq.load(packed)[1]
            copy = os.path.join(folder, "copy.h5")
            shutil.copyfile(source, copy)
            with h5py.File(copy, "r+") as file:
                for layer in ("lstm_1", "lstm_2"):
                    for name, role in (("kernel", "input"), ("recurrent_kernel", "recurrent")):
                        place = f"model_weights/{layer}/{layer}/{name}:0"
                        gates = [read_bvq.matrix(tensors, f"{layer}/forward/{role}/{gate}").T
                                 for gate in KERAS_GATES]
                        file[place][...] = np.concatenate(gates, 1)
            text = subprocess.run(
                [sys.executable, judge, copy], check=True, capture_output=True, text=True).stdout
            judged = float(re.search(r"logloss=([0-9.]+)", text)[1])
            worst = max(worst, abs(own - judged))
            print(f"{' '.join(row):24} lstmpack {own:.5f}  Keras {judged:.5f}  "
                  f"difference {abs(own - judged):.1e}", flush=True)
    sys.exit(0 if worst < 1e-4 else 1)


main()
