#!/usr/bin/env python3
"""Scores exported models with the framework they came from, beside `lstmpack eval`.

For each model and treatment lstmpack compresses the checkpoint to a .bvq and exports that to the kind of file the
checkpoint has. The framework of the checkpoint (tf_keras for Keras 1 and 2, Keras 3, ONNX Runtime) loads the export and
computes every metric of `lstmpack eval` from its own outputs of the export and of the checkpoint; `lstmpack eval` computes
them from the .bvq. None may differ by more than 1e-4, and neither may the outputs, relative to the largest (at least 1).

- pdm is scored by SHARED/models/eval/eval_pdm.py, on its labelled windows.
- textgenrnn is scored by eval_textgenrnn.py. lstmpack does not run a file of weights whole, so its side is `lstmpack run`
  for the LSTM layers, and numpy for embedding, attention and softmax.
- Other models get seeded inputs; their labels are drawn from the probabilities that the checkpoint gives, or lie around
  its outputs.

Prints a Markdown table; ends with exit code 1 when a difference is beyond its bound.
"""
import argparse
import contextlib
import io
import json
import os
import re
import runpy
import subprocess
import sys
import tempfile

os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
os.environ["CUDA_VISIBLE_DEVICES"] = ""

import h5py
import numpy as np

BOUND = 1e-4
SEQUENCES = 64


def run_quietly(command):
    """What a command prints; on failure its complaint."""
    result = subprocess.run(command, capture_output=True, text=True, stdin=subprocess.DEVNULL)
    if result.returncode:
        raise RuntimeError(f"{' '.join(command)}: {result.stderr.strip()[-400:]}")
    return result.stdout


def run_here(script, *arguments):
    """The variables of a script after it ran."""
    own, sys.argv = sys.argv, [script, *arguments]
    with contextlib.redirect_stdout(io.StringIO()):
        variables = runpy.run_path(script)
    sys.argv = own
    return variables


# The frameworks: each loader returns a function from inputs to the first output.


def keras_2(path):
    import tf_keras
    return predictor(tf_keras.models.load_model(path, compile=False))


def keras_3(path):
    import keras
    return predictor(keras.models.load_model(path, compile=False))


def keras_1(architecture):
    """A loader that builds the architecture with tf_keras, which converts weights of Keras 1, but not its configuration."""
    def load(path):
        import tf_keras
        model = tf_keras.Sequential(architecture(tf_keras.layers))
        model.load_weights(path)
        return predictor(model)
    return load


def predictor(model):
    return lambda inputs: model.predict(inputs["x"], batch_size=len(inputs["x"]), verbose=0)


def onnx_runtime(path):
    import onnxruntime
    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    return lambda inputs: session.run(None, inputs)[0]


def bidirectional(layers):
    lstm = layers.LSTM(10, return_sequences=True, recurrent_activation="hard_sigmoid")
    return [layers.InputLayer((4, 10)), layers.Bidirectional(lstm)]


def neural_complete(layers):
    return [layers.InputLayer((None, 97)), layers.LSTM(128, recurrent_activation="hard_sigmoid"),
            layers.Dense(87, activation="softmax")]


# The inputs.


def normal(*shape, scale=1):
    return lambda random: {"x": (scale * random.standard_normal((SEQUENCES, *shape))).astype("f4")}


def characters(random):
    return {"x": np.eye(97, dtype="f4")[random.integers(0, 97, (SEQUENCES, 40))]}


def spectrum(random):
    """A frame and the state before it: the model takes one sequence of one step."""
    return {"input_2": np.abs(random.standard_normal((1, 1, 257))).astype("f4"),
            "input_3": random.uniform(-0.5, 0.5, (1, 2, 128, 2)).astype("f4")}


# The metrics of `lstmpack eval`, in numpy.


def f1(label, guess, classes):
    """The mean of 2TP / (2TP + FP + FN) over the classes; 0 for one without a hit."""
    hits = [np.sum((guess == c) & (label == c)) for c in classes]
    return np.mean([2 * n / (np.sum(guess == c) + np.sum(label == c)) if n else 0 for c, n in zip(classes, hits)])


def metrics(task, outputs, original, labels):
    outputs, original = outputs.astype("f8"), original.astype("f8")
    if task == "regression":
        error = outputs - original
        return {"meanSquaredError": np.mean((outputs - labels) ** 2),
                "outputRelativeError": np.linalg.norm(error) / np.linalg.norm(original),
                "outputMaximumDifference": np.abs(error).max()}
    if task == "binary":
        outputs, original = (np.concatenate([1 - p, p], 1) for p in (outputs, original))
    label, guess = labels.ravel(), outputs.argmax(1)
    p, q = np.maximum(original, 1e-30), np.maximum(outputs, 1e-30)
    return {"logLoss": -np.log(q[np.arange(len(label)), label]).mean(), "accuracy": np.mean(guess == label),
            "f1": f1(label, guess, [1] if task == "binary" else np.union1d(label, guess)),
            "top1Agreement": np.mean(guess == original.argmax(1)), "klDivergence": (p * np.log(p / q)).sum(1).mean()}


def drawn_labels(task, original, random):
    if task == "regression":
        return original + random.standard_normal(original.shape).astype("f4")
    sums = np.cumsum(np.concatenate([1 - original, original], 1) if task == "binary" else original, 1)
    return np.minimum((random.random((len(sums), 1)) > sums).sum(1), sums.shape[1] - 1).astype("i8")


class Case:
    """A checkpoint, exported after each treatment."""

    def __init__(self, file, framework, rank):
        self.file, self.framework = file, framework
        self.treatments = {"2 bits": ["quantize", "--bits", "2"], "ternary": ["quantize", "--bits", "ternary"],
                           "1 bit": ["quantize", "--bits", "1"], f"rank {rank}": ["lowrank", "--rank", str(rank)]}

    def prepare(self, lstmpack, shared, folder):
        """Compresses and exports; {treatment: (.bvq, export)}."""
        self.lstmpack, self.shared, self.folder = lstmpack, shared, folder
        self.source = os.path.join(shared, "models/dev", self.file)
        made = {}
        for treatment, (verb, *options) in self.treatments.items():
            packed = os.path.join(folder, treatment.replace(" ", "-") + ".bvq")
            export = packed[:-4] + os.path.splitext(self.file)[1]
            run_quietly([lstmpack, verb, self.source, *options, "--out", packed])
            run_quietly([lstmpack, "export", packed, "--source", self.source, "--out", export])
            made[treatment] = packed, export
        return made

    def eval(self, packed, data, labels, *options):
        """The metrics of `lstmpack eval`, the deciding one first."""
        report = json.loads(run_quietly([self.lstmpack, "eval", packed, "--data", data, "--labels", labels, "--json",
                                         *options]))
        return {m["name"]: m["value"] for m in report["model"]["metrics"] + report["similarity"]}

    def saved(self, name, array):
        path = os.path.join(self.folder, name)
        np.savez(path, **array) if isinstance(array, dict) else np.save(path, array)
        return path


class Outputs(Case):
    """A model that lstmpack runs whole: metrics and outputs are compared."""

    def __init__(self, file, framework, load, task, inputs, rank=16):
        super().__init__(file, framework, rank)
        self.load, self.task, self.inputs = load, task, inputs

    def rows(self, made):
        random = np.random.default_rng(1)
        inputs = self.inputs(random)
        original = self.load(self.source)(inputs)
        labels = drawn_labels(self.task, original, random)
        data = self.saved("x.npy", inputs["x"]) if "x" in inputs else self.saved("x.npz", inputs)
        y = self.saved("y.npy", labels)
        for treatment, (packed, export) in made.items():
            own = self.eval(packed, data, y, "--task", self.task, "--against", self.source)
            out = os.path.join(self.folder, "out.npz")
            run_quietly([self.lstmpack, "run", packed, "--data", data, "--out", out, "--force"])
            judged = self.load(export)(inputs)
            with np.load(out) as file:
                difference = np.abs(file[file.files[0]] - judged).max() / max(1, np.abs(judged).max())
            yield treatment, own, metrics(self.task, judged, original, labels), difference


class Turbofan(Case):
    def rows(self, made):
        script = os.path.join(self.shared, "models/eval/eval_pdm.py")
        windows = run_here(script)
        x, y = self.saved("x.npy", windows["win"]), self.saved("y.npy", windows["wlab"].astype("i8"))
        lines = run_quietly([sys.executable, script] + [export for _, export in made.values()]).splitlines()
        for (treatment, (packed, _)), line in zip(made.items(), lines, strict=True):
            all_windows = line.split("all-windows")[1]
            judged = {name: float(re.search(rf"{short}=([0-9.]+)", all_windows)[1])
                      for name, short in (("logLoss", "logloss"), ("accuracy", "acc"), ("f1", "f1"))}
            yield treatment, self.eval(packed, x, y), judged, None


class TextGenerator(Case):
    def rows(self, made):
        script = os.path.join(self.shared, "models/eval/eval_textgenrnn.py")
        count = ["--n", "500"]
        space = run_here(script, self.source, *count)
        lines = run_quietly([sys.executable, script, *(export for _, export in made.values()), *count]).splitlines()
        for (treatment, (packed, _)), line in zip(made.items(), lines, strict=True):
            p = self.probabilities(packed, space["X"])
            label = space["Y"]
            own = {"bits_per_char": -np.log2(np.maximum(p[np.arange(len(label)), label], 1e-12)).mean(),
                   "top1": np.mean(p.argmax(1) == label)}
            yield treatment, own, {n: float(re.search(rf"{n}=([0-9.]+)", line)[1]) for n in own}, None

    def probabilities(self, packed, tokens):
        """The model as eval_textgenrnn.py builds it, with lstmpack for its LSTM layers."""
        def weights(path):
            with h5py.File(self.source) as file:
                return file[path][...]

        parts = [weights("embedding/embedding/embeddings:0")[tokens]]
        for layer in ("rnn_1", "rnn_2"):
            out = os.path.join(self.folder, "out.npy")
            run_quietly([self.lstmpack, "run", packed, "--layer", layer, "--data", self.saved("x.npy", parts[-1]),
                         "--out", out, "--force"])
            parts.append(np.load(out))
        joined = np.concatenate(parts, 2).astype("f8")
        attention = np.exp(joined @ weights("attention/attention/attention_W:0"))
        context = (joined * attention / attention.sum(1, keepdims=True)).sum(1)
        scores = np.exp(context @ weights("output/output/kernel:0") + weights("output/output/bias:0"))
        return scores / scores.sum(1, keepdims=True)


CASES = [
    Turbofan("h5-pdm-binary-keras2.0.5.h5", "eval_pdm.py", 16),
    TextGenerator("h5-textgenrnn-cudnn-weights.hdf5", "eval_textgenrnn.py", 16),
    Outputs("h5-nid-cnnlstm-keras3.4.h5", "Keras 3", keras_3, "binary", normal(76, 1, scale=0.1)),
    Outputs("keras-supplychain-relu-keras3.6.keras", "Keras 3", keras_3, "regression", normal(5, 13)),
    Outputs("h5-dl4j-bidirectional-keras1-theano.h5", "tf_keras", keras_1(bidirectional), "regression", normal(4, 10), 3),
    Outputs("h5-dl4j-bidirectional-keras2-tf.h5", "tf_keras", keras_2, "regression", normal(4, 10), 3),
    Outputs("h5-neuralcomplete-char-keras1.2.h5", "tf_keras", keras_1(neural_complete), "classes", characters),
    Outputs("onnx-dtln-model1-op11.onnx", "ONNX Runtime", onnx_runtime, "regression", spectrum),
]


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("lstmpack")
    parser.add_argument("shared")
    parser.add_argument("--only", default="", metavar="SUBSTRING", help="only the models whose file name has it")
    arguments = parser.parse_args()
    failed = False
    print("| model | judge | treatment | metric | lstmpack | judge | worst difference of all metrics | of outputs |")
    print("| --- | --- | --- | --- | --: | --: | --- | --: |")
    for case in CASES:
        if arguments.only not in case.file:
            continue
        with tempfile.TemporaryDirectory() as folder:
            made = case.prepare(os.path.abspath(arguments.lstmpack), os.path.abspath(arguments.shared), folder)
            for treatment, own, judged, outputs in case.rows(made):
                names = [name for name in own if name in judged]
                # Not a number is no agreement.
                differences = {n: float(np.nan_to_num(abs(own[n] - judged[n]), nan=np.inf)) for n in names}
                worst = max(names, key=differences.get)
                good = differences[worst] <= BOUND and (outputs is None or outputs <= BOUND)
                failed |= not good
                print(f"| {case.file} | {case.framework} | {treatment} | {names[0]} | {own[names[0]]:.6f} "
                      f"| {judged[names[0]]:.6f} | {differences[worst]:.1e} ({worst}, {len(names)} metrics) "
                      f"| {'' if outputs is None else f'{outputs:.1e}'} |" + ("" if good else " **beyond the bound**"),
                      flush=True)
    sys.exit(int(failed))


if __name__ == "__main__":
    main()
