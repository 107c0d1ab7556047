"""Writes the fixtures of this folder and what to expect of them; see README.md."""

import json
import os
import sys

FOLDER = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, FOLDER)


def clear(folder):
    """Empties a folder of fixtures, so that none stays that nothing makes any more."""
    os.makedirs(folder, exist_ok=True)
    for name in os.listdir(folder):
        os.remove(os.path.join(folder, name))


def write_list(path, key, entries):
    """A JSON object with one entry in each line."""
    lines = [json.dumps(e, separators=(",", ":"), ensure_ascii=False) for e in entries]
    with open(path, "w", encoding="utf-8") as file:
        file.write('{"%s":[\n%s\n]}\n' % (key, ",\n".join(lines)))


def main():
    import bad_inputs
    import keras_fixtures
    import keras_groups
    import keras_h5_fixtures
    import onnx_fixtures
    import onnx_graph_fixtures

    folders = {name: os.path.join(FOLDER, name) for name in ("keras", "onnx", "bad")}
    for folder in folders.values():
        clear(folder)
    entries = keras_fixtures.write_keras2(folders["keras"])
    entries += keras_fixtures.write_keras3(folders["keras"])
    entries += keras_h5_fixtures.write(folders["keras"])
    keras_groups.main()
    write_list(os.path.join(folders["keras"], "expected.json"), "fixtures", entries)
    graphs = onnx_fixtures.write(folders["onnx"]) + onnx_graph_fixtures.write(folders["onnx"])
    write_list(os.path.join(folders["onnx"], "expected.json"), "fixtures", graphs)
    bad = bad_inputs.write(folders["bad"], folders["keras"], folders["onnx"])
    write_list(os.path.join(folders["bad"], "bad_inputs.json"), "inputs", bad)
    print(f"{len(entries)} Keras and {len(graphs)} ONNX fixtures, {len(bad)} bad inputs")


if __name__ == "__main__":
    main()
