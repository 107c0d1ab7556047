#!/usr/bin/env python3
"""Promised against real: models that are run call by call on speech, in ONNX Runtime.

For each model: `analyze --plan` on the recording, `compress --plan --out x.onnx`, then original and compressed model are
streamed in ONNX Runtime, every state output fed back into its input, and compared. What `analyze` promised of the plan, with
two standard errors, stands beside what really happened; so do treatments of all matrices alike, and what `eval` says of the
same file. DTLN's model 1 gets magnitude spectra of 512 samples every 128, model 2 the blocks that model 1 (the original, in
ONNX Runtime) makes of them; Silero's frames are 512 samples with the 64 before them.

    venv/bin/pip install numpy onnxruntime
    venv/bin/python Tests/Judges/stepped_judge.py .build/release/lstmpack ../shared [--only SUBSTRING]

Ends with exit code 1 when a promise does not hold: the plan's real change is off by more than its uncertainty (two standard
errors and 2 % of the value), or `eval` by more than 1 % of the value.
"""
import argparse
import json
import os
import subprocess
import sys
import tempfile
import wave

import numpy as np
import onnxruntime

MODELS = {"dtln-model1": "dev/onnx-dtln-model1-op11.onnx", "dtln-model2": "dev/onnx-dtln-model2-op11-decomposed.onnx",
          "silero6a": "dev/onnx-silero6a-fasterwhisper-op18.onnx", "silero6a-floatdata": "derived/onnx-silero6a-floatdata.onnx",
          "silero6-if": "dev/onnx-silero6-16k-op15-if.onnx"}
UNIFORM = [("8 bits", "8"), ("4 bits", "4"), ("2 bits", "2")]


def session(path):
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    options.log_severity_level = 3
    return onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])


def stream(path, x):
    """Outputs for calls x [calls, ...], the second output fed into the second input."""
    run = session(path)
    inputs, outputs = run.get_inputs(), [o.name for o in run.get_outputs()]
    state = np.zeros(inputs[1].shape, "f4")
    found = []
    for call in x:
        y, state = run.run(outputs, {inputs[0].name: call[None, None], inputs[1].name: state})
        found.append(y.ravel())
    return np.array(found)


def silero(path, x):
    run = session(path)
    zeros = np.zeros((1, 1, 128), "f4")
    return run.run(None, {"input": x, "h": zeros, "c": zeros})[0].reshape(-1, 1)


def divergence(name, base, other):
    """What `eval` measures without labels."""
    base, other = base.astype("f8"), other.astype("f8")
    if name == "outputRelativeError":
        return float(np.sqrt(((other - base) ** 2).sum() / (base ** 2).sum()))
    p, q = np.clip(base, 1e-7, 1 - 1e-7), np.clip(other, 1e-7, 1 - 1e-7)
    return float((p * np.log(p / q) + (1 - p) * np.log((1 - p) / (1 - q))).mean())


def recording(shared, seconds):
    with wave.open(os.path.join(shared, "models/evaldata/silero/test.wav")) as file:
        samples = np.frombuffer(file.readframes(file.getnframes()), "<i2").astype("f4") / 32768
        return samples[:int(seconds * file.getframerate())]


def data(name, shared, seconds):
    samples = recording(shared, seconds)
    if name.startswith("silero"):
        frames = np.pad(samples, (0, -len(samples) % 512)).reshape(-1, 512)
        before = np.vstack([np.zeros((1, 64), "f4"), frames[:-1, -64:]])
        return np.concatenate([before, frames], 1)
    blocks = np.stack([samples[i:i + 512] for i in range(0, len(samples) - 511, 128)])
    spectra = np.fft.rfft(blocks)
    magnitudes = np.abs(spectra).astype("f4")
    if name == "dtln-model1":
        return magnitudes
    mask = stream(os.path.join(shared, "models", MODELS["dtln-model1"]), magnitudes)
    return np.fft.irfft(mask * spectra).astype("f4")


def run(*arguments):
    result = subprocess.run(arguments, capture_output=True, text=True)
    if result.returncode:
        raise RuntimeError(" ".join(arguments) + "\n" + result.stderr)
    return result.stdout


def judge(program, name, path, options, folder):
    shared = options.shared
    x = data(name, shared, options.seconds)
    file = os.path.join(folder, name + ".npy")
    np.save(file, x[None])
    play = silero if name.startswith("silero") else stream
    plan = os.path.join(folder, name + ".plan.json")
    report = json.loads(run(program, "analyze", path, "--data", file, "--plan", plan, "--json",
                            *(["--sample", str(options.sample)] if options.sample else [])))
    metric = report["data"]["direct"]["metric"]
    base = play(path, x)
    promises = {p["name"]: p for p in report["frontier"]}
    rows = [("suggested plan", ["compress", path, "--plan", plan])]
    rows += [(label, ["quantize", path, "--bits", bits, "--data", file]) for label, bits in UNIFORM if label in promises]
    good = True
    for label, command in rows:
        if label not in promises:
            print(f"| {name} | {label} | none within 1 % | | | |")
            continue
        out = os.path.join(folder, name + "-" + label.replace(" ", "-"))
        run(program, *command, "--out", out + ".bvq", "--force")
        run(program, "export", out + ".bvq", "--out", out + ".onnx", "--source", path, "--force")
        real = divergence(metric, base, play(out + ".onnx", x))
        said = json.loads(run(program, "eval", out + ".bvq", "--against", path, "--data", file, "--json"))
        evaluated = next(m["value"] for m in said["similarity"] if m["name"] == metric)
        promise, error = promises[label]["change"], 2 * (promises[label]["changeError"] or 0)
        holds = abs(real - promise) <= error + 0.02 * real and abs(real - evaluated) <= 0.01 * real
        good = good and holds
        print(f"| {name} | {label} | {promise:.4g} ± {error:.2g} | {real:.4g} | {evaluated:.4g} | "
              f"{'holds' if holds else 'DOES NOT HOLD'} |", flush=True)
    return good


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("program")
    parser.add_argument("shared")
    parser.add_argument("--only", default="")
    parser.add_argument("--seconds", type=float, default=1e9, help="so much of the recording")
    parser.add_argument("--sample", type=int, help="as for analyze")
    arguments = parser.parse_args()
    print("| Model | Treatment | Promised ± 2 standard errors | Streamed in ONNX Runtime | `eval` | |")
    print("| --- | --- | --- | --- | --- | --- |")
    good = True
    with tempfile.TemporaryDirectory() as folder:
        for name, relative in MODELS.items():
            if arguments.only not in name:
                continue
            path = os.path.join(arguments.shared, "models", relative)
            text = run(arguments.program, "inspect", path)
            if "cannot be run whole" in text:
                reason = next(line for line in text.splitlines() if "cannot be run whole" in line)
                print(f"| {name} | | {reason.split(':', 1)[1].strip()} | | | |")
                continue
            good = judge(os.path.abspath(arguments.program), name, path, arguments, folder) and good
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
