"""Judges models that lstmpack wrote as another kind of file.

    python Tests/Judges/cross_kind_judge.py .build/release/lstmpack

Keras fixtures become ONNX, and ONNX Runtime must give the outputs that Keras gave. PyTorch state dicts
become ONNX and Keras, and ONNX Runtime, tf_keras and Keras 3 must give what `lstmpack run` gives. ONNX
models as PyTorch exports them become Keras, and tf_keras must give what PyTorch gives.
Needs numpy, onnx, onnxruntime, tf_keras, keras and torch.
"""

import argparse
import os
import pathlib
import subprocess
import sys
import tempfile

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import keras
import numpy as np
import onnx
import onnxruntime
import tf_keras
import torch

FIXTURES = pathlib.Path(__file__).resolve().parents[1] / "Fixtures"
BOUND = 1e-5


def export(lstmpack, model, out):
    """Returns why the export was refused, or None."""
    done = subprocess.run(
        [lstmpack, "export", model, "--out", out, "--force"], capture_output=True, text=True)
    lines = [line for line in done.stderr.splitlines() if line.startswith("error:")]
    return lines[-1].split(": ", 2)[-1] if done.returncode else None


def run_onnx(path, inputs):
    onnx.checker.check_model(onnx.load(path), full_check=True)
    session = onnxruntime.InferenceSession(path)
    feeds = {}
    for wanted in session.get_inputs():
        array = inputs.get(wanted.name, next(iter(inputs.values())))
        feeds[wanted.name] = array.astype(np.int64 if "int" in wanted.type else np.float32)
    names = [output.name for output in session.get_outputs()]
    return dict(zip(names, session.run(names, feeds)))


def keras_fixtures(lstmpack, folder):
    """Yields (name, largest difference or the reason of a refusal)."""
    models = sorted((FIXTURES / "runtime").glob("*.h5")) + sorted(
        (FIXTURES / "runtime").glob("*.keras"))
    out = str(folder / "model.onnx")
    for model in models:
        # These hold the outputs of several calls.
        if model.name.startswith("stateful"):
            continue
        refusal = export(lstmpack, model, out)
        if refusal:
            yield f"{model.name} to ONNX", refusal
            continue
        arrays = np.load(model.with_suffix(".npz"))
        given = {key[3:]: arrays[key] for key in arrays if key.startswith("in.")}
        expected = {key[4:]: arrays[key] for key in arrays if key.startswith("out.")}
        found = run_onnx(out, given)
        if len(found) == 1:
            found = dict(zip(expected, found.values()))
        yield f"{model.name} to ONNX", max(
            float(np.abs(found[name] - expected[name]).max()) for name in expected)


def state_dicts(lstmpack, folder):
    random = np.random.default_rng(1)
    for model in sorted((FIXTURES / "import/safetensors").glob("*.safetensors")):
        for ending in ["onnx", "h5"]:
            out = str(folder / f"model.{ending}")
            refusal = export(lstmpack, model, out)
            if refusal:
                yield f"{model.name} to {ending}", refusal
                continue
            if ending == "onnx":
                size = onnxruntime.InferenceSession(out).get_inputs()[0].shape[2]
            else:
                old = tf_keras.models.load_model(out, compile=False)
                size = old.input_shape[-1]
            x = random.standard_normal((2, 7, size)).astype(np.float32)
            np.save(folder / "x.npy", x)
            subprocess.run(
                [lstmpack, "run", model, "--data", folder / "x.npy", "--out", folder / "y.npz",
                 "--force"], check=True, capture_output=True)
            expected = np.load(folder / "y.npz")
            expected = expected[expected.files[0]]
            if ending == "onnx":
                found = list(run_onnx(out, {"x": x}).values())
            else:
                new = keras.models.load_model(out, compile=False)
                found = [old(x).numpy(), np.asarray(new([x]))]
            yield f"{model.name} to {ending}", max(
                float(np.abs(y - expected.reshape(y.shape)).max()) for y in found)


class Classifier(torch.nn.Module):
    """An LSTM with a head, as people write it."""

    def __init__(self, bidirectional, batch_first, layers, reads):
        super().__init__()
        self.reads = reads
        self.lstm = torch.nn.LSTM(
            5, 6, layers, batch_first=batch_first, bidirectional=bidirectional)
        self.head = torch.nn.Linear(12 if bidirectional else 6, 3)

    def forward(self, x):
        y, (h, _) = self.lstm(x)
        if self.reads == "state":
            y = h[-1]
        elif self.reads == "last step":
            y = y[:, -1] if self.lstm.batch_first else y[-1]
        return torch.softmax(self.head(y), -1)


def pytorch_exports(lstmpack, folder):
    out = str(folder / "model.h5")
    path = str(folder / "torch.onnx")
    cases = [
        (False, first, layers, reads)
        for first in [True, False] for layers in [1, 2] for reads in ["steps", "last step", "state"]
    ] + [(True, first, layers, "steps") for first in [True, False] for layers in [1, 2]]
    for bidirectional, batch_first, layers, reads in cases:
        torch.manual_seed(1)
        model = Classifier(bidirectional, batch_first, layers, reads).eval()
        x = torch.randn(2, 7, 5)
        for sizes in [None, {"x": {0: "first", 1: "second"}}]:
            torch.onnx.export(
                model, x, path, dynamo=False, input_names=["x"], output_names=["y"],
                dynamic_axes=sizes, opset_version=17)
            what = (f"PyTorch, {layers} {'bidirectional ' if bidirectional else ''}layers, {reads}, "
                    f"{'batch' if batch_first else 'steps'} first to Keras")
            refusal = export(lstmpack, path, out)
            if refusal:
                yield what, refusal
                continue
            expected = model(x).detach().numpy()
            given = x.numpy()
            if not batch_first:
                given = given.transpose(1, 0, 2)
                if expected.ndim == 3:
                    expected = expected.transpose(1, 0, 2)
            found = tf_keras.models.load_model(out, compile=False)(given).numpy()
            yield what, float(np.abs(found - expected).max())


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("lstmpack")
    lstmpack = str(pathlib.Path(parser.parse_args().lstmpack).resolve())
    judged = failed = refused = 0
    worst = 0.0
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        for judge in [keras_fixtures, state_dicts, pytorch_exports]:
            for what, result in judge(lstmpack, folder):
                if isinstance(result, str):
                    refused += 1
                    print(f"refused  {what}: {result}")
                    continue
                judged += 1
                worst = max(worst, result)
                if not result < BOUND:
                    failed += 1
                    print(f"FAILED   {what}: {result:.2e}")
    print(f"{judged} judged, largest difference {worst:.2e}, {failed} beyond {BOUND}; {refused} refused")
    return 1 if failed or not judged else 0


if __name__ == "__main__":
    sys.exit(main())
