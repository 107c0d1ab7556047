#!/bin/sh
# Builds the fuzzers with libFuzzer and AddressSanitizer into .build-fuzz.
set -eu
cd "$(dirname "$0")"
# SwiftPM passes the two sanitizers one by one, and the compiler then takes the coverage of the last
# alone: without -Xswiftc libFuzzer is blind.
# It does not see either that another package has new files, as long as its plan is there.
rm -f ../../.build-fuzz/sanitized/release.yaml
for product in FuzzONNX FuzzHDF5 FuzzKerasArchive FuzzSafetensors FuzzBVQ; do
  swift build -c release --scratch-path ../../.build-fuzz/sanitized --product "$product" \
    --sanitize address --sanitize fuzzer -Xswiftc -sanitize=fuzzer,address
done
