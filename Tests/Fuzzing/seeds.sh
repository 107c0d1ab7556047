#!/bin/sh
# Collects what the fuzzers start from: `seeds.sh FOLDER` makes FOLDER/onnx, FOLDER/hdf5 and so on.
set -eu
root=$(cd "$(dirname "$0")/../.." && pwd)
target=$1
# libFuzzer cuts what is longer than its -max_len, and a model that is cut is a poor start.
longest=${FUZZ_LONGEST:-200000}

collect() { # collect NAME PATTERN FOLDER...
  name=$1
  pattern=$2
  shift 2
  mkdir -p "$target/$name"
  for folder in "$@"; do
    [ -d "$folder" ] || continue
    # The name of the folder keeps files of the same name apart.
    find -L "$folder" -type f -name "$pattern" -size "-$((longest + 1))c" | while read -r file; do
      cp "$file" "$target/$name/$(basename "$(dirname "$file")")-$(basename "$file")"
    done
  done
  echo "$name: $(find "$target/$name" -type f | wc -l) seeds"
}

fixtures=$root/Tests/Fixtures
models=$root/../shared/models
cases=$root/../shared/cases
rm -rf "$target"
collect onnx '*.onnx' "$fixtures" "$models/dev" "$models/derived" "$cases"
collect hdf5 '*.h*5' "$fixtures" "$models/dev" "$models/derived" "$cases"
collect keras '*.keras' "$fixtures" "$models/dev" "$models/derived" "$cases"
collect safetensors '*.safetensors' "$fixtures" "$models/dev" "$models/derived" "$cases"
collect bvq '*.bvq' "$root/formats/bvq/vectors"
