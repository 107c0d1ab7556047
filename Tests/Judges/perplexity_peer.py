#!/usr/bin/env python3
"""Perplexity of SHARED/reference/plain.onnx on the Penn Treebank test text, with ONNX Runtime.

usage: perplexity_peer.py SHARED [THREADS]    needs: numpy onnxruntime

The text is cut into ten streams as `lstmpack eval` cuts it. Prints tokens per second of the model alone and with
the scoring of its outputs.
"""
import json
import os
import resource
import sys
import time

import numpy as np
import onnxruntime

STREAMS, STEPS = 10, 35


def main():
    shared = sys.argv[1]
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = int(sys.argv[2]) if len(sys.argv) > 2 else 2
    session = onnxruntime.InferenceSession(os.path.join(shared, "reference/plain.onnx"), options)
    with open(os.path.join(shared, "reference/vocab.json")) as file:
        numbers = {word: number for number, word in enumerate(json.load(file))}
    with open(os.path.join(shared, "data/ptb/ptb.test.txt")) as file:
        tokens = np.array([numbers[w] for line in file for w in line.split() + ["<eos>"]])
    length = len(tokens) // STREAMS
    text = tokens[:length * STREAMS].reshape(STREAMS, length)
    names = ("h0", "c0", "h1", "c1")
    states = {name: np.zeros((1, STREAMS, 200), "f4") for name in names}
    loss, count, running, start = 0.0, 0, 0.0, time.time()
    for first in range(0, length - 1, STEPS):
        x = text[:, first:min(first + STEPS, length - 1)]
        y = text[:, first + 1:first + 1 + x.shape[1]]
        before = time.time()
        logits, *new = session.run(None, {"tokens": np.ascontiguousarray(x.T), **states})
        running += time.time() - before
        states = dict(zip(names, new))
        logits = logits.transpose(1, 0, 2)
        top = logits.max(-1, keepdims=True)
        total = np.log(np.exp(logits - top).sum(-1)) + top[..., 0]
        loss += (total - np.take_along_axis(logits, y[..., None], -1)[..., 0]).sum()
        count += y.size
    print(json.dumps({
        "perplexity": float(np.exp(loss / count)), "tokensPerSecondOfTheModel": count / running,
        "tokensPerSecond": count / (time.time() - start),
        "peakKilobytes": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss}))


main()
