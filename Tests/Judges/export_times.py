"""How long each export takes, and whether its check passes: every development model to every kind of file.

    python3 Tests/Judges/export_times.py .build/release/lstmpack [OLDER_LSTMPACK] [--models FOLDER]

Prints a table: seconds of wall time (the best of three) of the older program, if one is given, and of this one; what the
check compared; or why the export is refused. Ends with code 1 when a file is another model than the one exported.
"""

import argparse
import json
import pathlib
import subprocess
import sys
import tempfile
import time

# Beside the repository, wherever this is called.
SHARED = pathlib.Path(__file__).resolve().parents[3] / "shared/models"


def export(program, model, kind, folder):
    best, run = None, None
    for _ in range(3):
        out = folder / f"out.{program.name}.{kind}"
        ending = {"onnx": ".onnx", "safetensors": ".safetensors"}.get(kind)
        ending = ending or (".keras" if model.suffix == ".keras" else ".h5")
        start = time.monotonic()
        run = subprocess.run(
            [program, "export", model, "--to", kind, "--out", out.with_suffix(ending), "--force", "--json"],
            capture_output=True, text=True)
        seconds = time.monotonic() - start
        best = seconds if best is None else min(best, seconds)
        if run.returncode != 0:
            break
    return best, run


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("program", type=pathlib.Path)
    parser.add_argument("older", type=pathlib.Path, nargs="?")
    parser.add_argument("--models", type=pathlib.Path, default=SHARED)
    options = parser.parse_args()
    program = options.program.resolve()
    older = options.older.resolve() if options.older else None
    endings = {".h5", ".hdf5", ".keras", ".onnx"}
    models = sorted(
        path for part in ("dev", "derived") for path in (options.models / part).iterdir()
        if path.suffix in endings)
    failures = 0
    print("| Model | To | Before (s) | After (s) | Check |")
    print("| --- | --- | --- | --- | --- |")
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        for model in models:
            for kind in ("keras", "onnx", "safetensors"):
                after, run = export(program, model.resolve(), kind, folder)
                before = ""
                if older:
                    seconds, _ = export(older, model.resolve(), kind, folder)
                    before = f"{seconds:.2f}"
                if run.returncode != 0:
                    error = run.stderr.strip().splitlines()[-1]
                    text = error.split(": ", 2)[-1][:90]
                    failures += run.returncode not in (1, 65) or "the file" in error
                    print(f"| {model.name} | {kind} | {before} | {after:.2f} | refused: {text} |", flush=True)
                    continue
                check = json.loads(run.stdout)["check"]
                text = f"{check['matrices']} matrices"
                if check["precision"] != "float32":
                    text += f" ({check['precision']})"
                if "outputs" in check:
                    text += f", {check['outputs']} outputs within {check['largestDifference']:.0e}"
                for reason in check["notCompared"]:
                    text += f"; not compared: {reason[:90]}"
                print(f"| {model.name} | {kind} | {before} | {after:.2f} | {text} |", flush=True)
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
