"""Writes files with LSTMs as plain arrays and as Keras models, in `safetensors/`, `arrays/` and
`keras/`, each with what its LSTMs compute. CASES.tsv in each folder lists them.

usage: make_array_import_fixtures.py [safetensors] [arrays] [keras]
"""

import importlib
import os
import sys

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("CUDA_VISIBLE_DEVICES", "-1")
os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "0")
os.environ["KERAS_BACKEND"] = "tensorflow"
sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))

MODULES = {"safetensors": ["array_import_safetensors"], "arrays": ["array_import_hdf5"],
           "keras": ["array_import_keras"]}

if __name__ == "__main__":
    for part in sys.argv[1:] or MODULES:
        for module in MODULES[part]:
            importlib.import_module(module).make()
