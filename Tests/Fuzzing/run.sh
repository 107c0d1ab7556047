#!/bin/sh
# Runs each fuzzer that `build.sh` built for FUZZ_SECONDS; status 1 when there is a finding.
# `run.sh FuzzONNX` runs one alone.
set -u
here=$(cd "$(dirname "$0")" && pwd)
build=$(cd "$here/../../.build-fuzz" && pwd)
seconds=${FUZZ_SECONDS:-60}
mkdir -p "$build/findings" "$build/corpus"
status=0

# libhdf5 leaks, reads a little beyond names without an end (strdup), and asks for as much memory as
# a file says before it notices that the file is shorter.
export ASAN_OPTIONS=detect_leaks=0:allocator_may_return_null=1:replace_str=0

fuzz() { # fuzz TARGET SEEDS [OPTION...]
  target=$1
  seeds=$2
  shift 2
  log=$build/$target.log
  mkdir -p "$build/corpus/$seeds"
  "$build/sanitized/release/$target" -max_total_time="$seconds" -rss_limit_mb=2048 -timeout=10 \
    -max_len=200000 -artifact_prefix="$build/findings/$target-" -dict="$here/$seeds.dict" \
    -print_final_stats=1 "$@" "$build/corpus/$seeds" "$build/seeds/$seeds" > "$log" 2>&1
  result=$?
  # With -fork there are no final statistics.
  runs=$(sed -n -e 's/^stat::number_of_executed_units: *//p' -e 's/^#\([0-9]*\): cov: .*/\1/p' "$log" \
    | tail -n 1)
  if [ "$result" = 0 ]; then
    echo "$target: ${runs:-0} executions, no finding"
  else
    echo "$target: ${runs:-0} executions, a finding; see .build-fuzz/$target.log"
    grep -E '^SUMMARY|Test unit written to' "$log" | sed 's/^/  /'
    status=1
  fi
}

# libhdf5 crashes, hangs and fills the memory on damaged files; that is why the command line reads them
# in another process (`IsolatedReader`). So a fuzzer that goes through libhdf5 goes on after a finding.
# Crashes without libhdf5 on the stack count, and every finding must be refused by the command line.
through_libhdf5() { # through_libhdf5 TARGET SEEDS
  rm -f "$build/findings/$1"-*
  before=$status
  fuzz "$1" "$2" -malloc_limit_mb=1000000 -timeout=3 -fork=1 -ignore_crashes=1 -ignore_timeouts=1 \
    -ignore_ooms=1
  # What it found is judged below.
  status=$before
  awk -v target="$1" '
    /ERROR: AddressSanitizer/ { inside = 1; ours = 1; total++ }
    inside && /libhdf5/ { ours = 0 }
    /^SUMMARY/ && inside { inside = 0; own += ours }
    END {
      printf "%s: %d crashes in libhdf5, %d outside it\n", target, total - own, own
      exit own > 0
    }' "$build/$1.log" || status=1
  set -- "$build/findings/$1"-*
  if [ -e "$1" ]; then "$here/replay.sh" "$here/../../.build/release/lstmpack" "$@" || status=1; fi
}

for target in ${*:-FuzzONNX FuzzHDF5 FuzzKerasArchive FuzzSafetensors FuzzBVQ}; do
  case $target in
    FuzzONNX) fuzz "$target" onnx ;;
    FuzzHDF5) through_libhdf5 "$target" hdf5 ;;
    FuzzKerasArchive) through_libhdf5 "$target" keras ;;
    FuzzSafetensors) fuzz "$target" safetensors ;;
    FuzzBVQ) fuzz "$target" bvq ;;
    *) echo "there is no fuzzer $target"; status=2 ;;
  esac
done
exit $status
