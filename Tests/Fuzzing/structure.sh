#!/bin/sh
# Runs FUZZ_COUNT files whose meaning was changed, of all kinds, through the commands; status 1 when there
# is a finding. FUZZ_SEED says which: the same ones for the same seeds and fixtures.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
build=$here/../../.build-fuzz
mkdir -p "$build"
build=$(cd "$build" && pwd)
cd "$here"
# SwiftPM does not see that another package has new files, as long as its plan is there.
rm -f "$build/plain/release.yaml"
swift build -c release --scratch-path "$build/plain" --product Structure
seeds=$build/structure-seeds
FUZZ_LONGEST=60000 ./seeds.sh "$seeds"
# What is refused already is refused after a change, too.
rm -f "$seeds"/*/bad-* "$seeds"/*/invalid-* "$seeds"/*/damaged-* "$seeds"/*/hostile-*
"$build/plain/release/Structure" --prepare "$seeds" > "$build/prepare.log" 2>&1
"$build/plain/release/Structure" --seeds "$seeds" --findings "$build/structure-findings" \
  --count "${FUZZ_COUNT:-20000}" --seed "${FUZZ_SEED:-1}" --workers "${FUZZ_WORKERS:-2}"
