#!/bin/sh
# Builds lstmpack, installs the peers in a virtual environment and runs compare.py with the arguments.
set -eu
cd "$(dirname "$0")/.."
swift build -c release --product lstmpack
swift build -c release --product lstmpack-bench
work=.build/bench
if [ ! -x "$work/venv/bin/python" ]; then
  mkdir -p "$work"
  python3 -m venv "$work/venv"
  "$work/venv/bin/pip" install --quiet numpy onnx onnx_ir onnxruntime
  "$work/venv/bin/pip" install --quiet torch --index-url https://download.pytorch.org/whl/cpu
fi
exec "$work/venv/bin/python" bench/compare.py --bin .build/release --work "$work" "$@"
