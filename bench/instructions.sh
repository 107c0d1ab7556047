#!/usr/bin/env bash
# Instructions of one step, of models that bench/compare.py has made, counted by valgrind's callgrind.
#
#   bench/instructions.sh MODEL.bvq …
#
# Needs valgrind, a C compiler and `swift build -c release --product lstmpack_c`. Valgrind has no AVX-512: there as with AVX2.
set -euo pipefail
root=$(cd "$(dirname "$0")/.." && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
# Valgrind does not understand Swift's debugging information.
strip -g "$root/.build/release/liblstmpack_c.so" -o "$work/liblstmpack_c.so"
"${CC:-cc}" -O2 -I"$root/include" "$root/bench/load.c" -L"$root/.build/release" -llstmpack_c \
  -Wl,-rpath,"$work" -o "$work/load"

# The instructions of a whole process that takes so many steps.
count() {
  valgrind --tool=callgrind --callgrind-out-file="$work/out" "$work/load" "$1" "$2" \
    2> "$work/messages" > /dev/null || { cat "$work/messages" >&2; return 1; }
  sed -n 's/^\(totals\|summary\): \([0-9]*\).*/\2/p' "$work/out" | head -1
}

echo "| model | instructions of a step |"
echo "| --- | --: |"
for model in "$@"; do
  few=$(count "$model" 11)
  many=$(count "$model" 31)
  echo "| $(basename "$model") | $(((many - few) / 20)) |"
done
