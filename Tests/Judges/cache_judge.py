#!/usr/bin/env python3
"""Perplexity with a continuous cache: `lstmpack eval` against numpy, on SHARED/reference/plain.

usage: cache_judge.py LSTMPACK SHARED    needs: numpy onnx onnxruntime

ONNX Runtime gives scores and hidden states of plain.onnx, numpy computes the cache (arXiv:1612.04426) in float64.
Ends with exit code 1 when a number of lstmpack is off by more than 1e-5 of it. The last column is what comes out
when, as in pointer.py of AWD-LSTM, the cache counts only from the step on that has more than a window behind it.
"""
import json
import os
import subprocess
import sys

import numpy as np
import onnx
import onnxruntime
from onnx import TensorProto, helper

CASES = [(1, 500, 1, 0.1), (10, 500, 0.3, 0.2), (10, 20, 1, 0.05)]  # streams, window, theta, lambda
HIDDEN = "x2"  # what the product of the decoder reads


def read(shared):
    """The model and the text."""
    model = onnx.load(os.path.join(shared, "reference/plain.onnx"))
    assert [n.input[0] for n in model.graph.node if n.op_type == "MatMul"] == [HIDDEN]
    model.graph.output.append(helper.make_tensor_value_info(HIDDEN, TensorProto.FLOAT, None))
    with open(os.path.join(shared, "reference/vocab.json")) as file:
        numbers = {word: number for number, word in enumerate(json.load(file))}
    with open(os.path.join(shared, "data/ptb/ptb.test.txt")) as file:
        tokens = np.array([numbers[w] for line in file for w in line.split() + ["<eos>"]])
    return onnxruntime.InferenceSession(model.SerializeToString()), tokens


def run(session, text):
    """Log probabilities of the next tokens [streams, steps], and hidden states [streams, steps, size]."""
    streams, length = text.shape
    states = {name: np.zeros((1, streams, 200), "f4") for name in ("h0", "c0", "h1", "c1")}
    logs, hidden = [], []
    for start in range(0, length - 1, 500):
        end = min(start + 500, length - 1)
        scores, *new, h = session.run(
            None, {"tokens": np.ascontiguousarray(text[:, start:end].T), **states})
        states = dict(zip(states, new))
        scores = scores.astype("f8").transpose(1, 0, 2)
        top = scores.max(-1, keepdims=True)
        total = np.log(np.exp(scores - top).sum(-1)) + top[..., 0]
        targets = text[:, start + 1:end + 1, None]
        logs.append(np.take_along_axis(scores, targets, -1)[..., 0] - total)
        hidden.append(h.astype("f8").transpose(1, 0, 2))
    return np.concatenate(logs, 1), np.concatenate(hidden, 1)


def perplexity(logs, hidden, text, window, theta, weight, first):
    """With a cache that counts from step `first` on."""
    loss = 0.0
    for h, following, p in zip(hidden, text[:, 1:], np.exp(logs)):
        for t in range(len(p)):
            probability = p[t]
            if t >= first:
                history = slice(max(0, t - window), t)
                likeness = theta * (h[history] @ h[t])
                terms = np.exp(likeness - likeness.max())
                cached = terms[following[history] == following[t]].sum() / terms.sum()
                probability = (1 - weight) * probability + weight * cached
            loss -= np.log(probability)
    return np.exp(loss / logs.size)


def main():
    lstmpack, shared = sys.argv[1:3]
    session, tokens = read(shared)
    failed = False
    print("| model | streams | window | theta | lambda | lstmpack | numpy | difference | as pointer.py |")
    print("| --- | --: | --: | --: | --: | --: | --: | --: | --: |")
    for streams, window, theta, weight in CASES:
        length = len(tokens) // streams
        text = tokens[:length * streams].reshape(streams, length)
        logs, hidden = run(session, text)
        expected = perplexity(logs, hidden, text, window, theta, weight, 1)
        late = perplexity(logs, hidden, text, window, theta, weight, window + 1)
        for model in ("plain.h5", "plain.onnx"):
            report = json.loads(subprocess.run(
                [lstmpack, "eval", os.path.join(shared, "reference", model),
                 "--data", os.path.join(shared, "data/ptb/ptb.test.txt"),
                 "--vocab", os.path.join(shared, "reference/vocab.json"), "--streams", str(streams),
                 "--cache-window", str(window), "--cache-theta", str(theta),
                 "--cache-lambda", str(weight), "--json"],
                check=True, capture_output=True).stdout)
            found = next(m["value"] for m in report["model"]["metrics"] if m["name"] == "cachePerplexity")
            failed |= not abs(found / expected - 1) < 1e-5
            print(f"| {model} | {streams} | {window} | {theta} | {weight} | {found:.6f} | {expected:.6f} "
                  f"| {found / expected - 1:.1e} | {late:.4f} |")
    sys.exit(failed)


main()
