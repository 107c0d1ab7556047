#!/usr/bin/env python3
"""Scores a Silero voice-activity model with ONNX Runtime: how far its probabilities are from the original's.

usage: lstmpack search model.onnx --budget 12x \\
         --hook 'python silero_onnxruntime.py {model} original.onnx speech.wav'
needs: onnxruntime numpy; the recording has one channel of 16-bit samples at 16 kHz.

The last line is the score: the mean absolute difference of the probabilities, plus 0.01 so that a share
of it means something for the original, too; smaller is better.
"""
import json
import sys
import wave

import numpy as np
import onnxruntime

FRAME = 512
CONTEXT = 64


def frames(path):
    with wave.open(path) as file:
        samples = np.frombuffer(file.readframes(file.getnframes()), dtype="<i2")
    samples = samples.astype("float32") / 32768
    return np.pad(samples, (0, -len(samples) % FRAME)).reshape(-1, FRAME)


def probabilities(path, recording):
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    options.log_severity_level = 3
    session = onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
    names = {entry.name for entry in session.get_inputs()}
    context = np.concatenate([np.zeros((1, CONTEXT), "float32"), recording[:-1, -CONTEXT:]])
    if "h" in names:
        # All frames at once; the state is carried inside.
        inputs = {"input": np.concatenate([context, recording], axis=1)}
        inputs |= {name: np.zeros((1, 1, 128), "float32") for name in "hc"}
        return session.run(None, inputs)[0].ravel()
    state = np.zeros((2, 1, 128), "float32")
    found = []
    for before, frame in zip(context, recording):
        inputs = {"input": np.concatenate([before, frame])[None], "state": state}
        if "sr" in names:
            inputs["sr"] = np.array(16000, dtype="int64")
        probability, state = session.run(None, inputs)[:2]
        found.append(float(np.ravel(probability)[0]))
    return np.array(found)


def main():
    model, original, recording = sys.argv[1:4]
    samples = frames(recording)
    difference = np.abs(probabilities(model, samples) - probabilities(original, samples)).mean()
    score = {"metric": "meanDifference", "value": 0.01 + float(difference), "higherIsBetter": False}
    print(json.dumps(score))


if __name__ == "__main__":
    main()
