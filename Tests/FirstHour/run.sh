#!/bin/sh
# The first hours of twelve newcomers: from a model of theirs to a compressed file whose quality was judged, with the
# commands of README.md and no further options. The transcript goes to standard output; what is wrong ends the run.
# The models and data are in models/ and made by make_models.py; nothing but lstmpack is needed.
set -eu
export LC_ALL=C

usage() {
  cat <<'END_USAGE'
usage: run.sh [--large] [HOUR ...]

  HOUR      some of the hours; all but large without it:
            keras3-text tfkeras-sensor torch-lm torch-state-dict silero csv-forecast keras-weights amplifier tagger
            word-lm streaming large
  --large   also the 268 MB model, which is trained for a moment first: minutes, 2 GB of memory and of disk

LSTMPACK names the program (.build/release/lstmpack without it); LSTMPACK_SHARED the folder with models/dev, in which
Silero is. COLUMNS is the width of the transcript.
END_USAGE
}

fail() { printf 'run.sh: %s: %s\n' "${hour:-}" "$1" >&2; exit 1; }

here=$(cd "$(dirname "$0")" && pwd)
large=
case ${1:-} in
  -h | --help) usage; exit 0 ;;
  --large) large=yes; shift ;;
esac
lstmpack=${LSTMPACK:-$here/../../.build/release/lstmpack}
case $lstmpack in /*) ;; *) lstmpack=$PWD/$lstmpack ;; esac
[ -x "$lstmpack" ] || fail "there is no $lstmpack; run make build, or set LSTMPACK"
shared=${LSTMPACK_SHARED:-$here/../../../shared}
hours=${*:-keras3-text tfkeras-sensor torch-lm torch-state-dict silero csv-forecast keras-weights amplifier tagger word-lm streaming}
case " $hours " in *" large "*) ;; *) hours="$hours${large:+ large}" ;; esac

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

# Shown as a person types it.
typed() {
  printf '$ lstmpack'
  for word in "$@"; do
    case $word in *[!A-Za-z0-9_./%=,:-]*) printf " '%s'" "$word" ;; *) printf ' %s' "$word" ;; esac
  done
  printf '\n'
}

# Runs a command that must end with the code given first.
ends() {
  expected=$1
  shift
  typed "$@"
  code=0
  "$lstmpack" "$@" > "$work/last" 2>&1 || code=$?
  cat "$work/last"
  printf '\n'
  [ "$code" -eq "$expected" ] || fail "lstmpack $1 ended with $code, expected $expected"
}

lstm() { ends 0 "$@"; }

# What the last command must have said, line ends taken as spaces.
says() {
  tr '\n' ' ' < "$work/last" | tr -s ' ' | grep -qF -- "$1" || fail "it does not say '$1'"
}

# Compressed, and judged beside the original: the score and what was lost of it.
judged() {
  says "$1"
  says "worse by"
}

smaller() {
  before=$(wc -c < "$1")
  after=$(wc -c < "$2")
  printf '# %s: %s bytes, %s: %s bytes\n\n' "$1" $before "$2" $after
  [ "$((after * $3))" -le "$before" ] || fail "$2 is not $3 times smaller than $1"
}

keras3_text() {
  lstm inspect
  lstm search model.keras --max-drop 1% --data test.npz
  lstm compress model.keras --plan model.plan.json
  lstm eval model.plan.bvq --against model.keras --data test.npz
  judged accuracy
  says "2000 sequences, 2000 outputs scored as classes"
  smaller model.keras model.plan.bvq 5
}

tfkeras_sensor() {
  lstm analyze model.h5 --data test.npz
  lstm quantize model.h5 --bits 4
  lstm eval model.4bit.bvq --against model.h5 --data test.npz
  judged accuracy
  lstm export model.4bit.bvq --to keras --out small.h5
  says "a .bvq is, and so is ONNX with --weights int4"
  smaller model.h5 model.4bit.bvq 4
}

torch_lm() {
  lstm inspect model.onnx
  lstm search model.onnx --max-drop 1% --data test.txt --vocab vocab.json
  lstm compress model.onnx --plan model.plan.json
  lstm eval model.plan.bvq --against model.onnx --data test.txt --vocab vocab.json
  judged perplexity
  lstm export model.plan.bvq --to onnx --weights int2 --out small.onnx
  smaller model.onnx.data model.plan.bvq 2
}

torch_state_dict() {
  # PyTorch's own file says what to do.
  ends 65 inspect model.pt
  says "safetensors"
  # Weights alone: each LSTM by itself.
  lstm analyze model.safetensors --plan weights.plan.json
  says "hRelativeError"
  lstm compress model.safetensors --plan weights.plan.json
  lstm verify --run model.plan.bvq
  says "passes"
  # The exported model is judged whole.
  lstm quantize exported.onnx --bits 4
  lstm eval exported.4bit.bvq --against exported.onnx --data test.npz
  judged accuracy
  smaller exported.onnx.data exported.4bit.bvq 1
}

silero() {
  lstm inspect model.onnx
  lstm quantize model.onnx --bits 8
  lstm eval model.8bit.bvq --against model.onnx
  judged outputRelativeError
  lstm verify --run model.8bit.bvq
  smaller model.onnx model.8bit.bvq 1
}

csv_forecast() {
  lstm search model.keras --budget 8x --data series.csv --labels next.csv
  lstm compress model.keras --plan model.plan.json
  lstm eval model.plan.bvq --against model.keras --data series.csv --labels next.csv
  judged meanSquaredError
  smaller model.keras model.plan.bvq 3
}

keras_weights() {
  lstm inspect
  says "Embedding"
  lstm analyze model.weights.h5 --plan model.plan.json
  says "hRelativeError"
  lstm compress model.weights.h5 --plan model.plan.json
  lstm verify --run model.weights.plan.bvq
  says "passes"
  smaller model.weights.h5 model.weights.plan.bvq 4
}

amplifier() {
  lstm search model.onnx --max-drop 5% --data test.npz
  lstm compress model.onnx --plan model.plan.json
  lstm eval model.plan.bvq --against model.onnx --data test.npz
  judged meanSquaredError
  lstm bench model.plan.bvq
  smaller model.onnx model.plan.bvq 1
}

tagger() {
  lstm search model.h5 --max-drop 1% --data test.npz
  lstm compress model.h5 --plan model.plan.json
  lstm eval model.plan.bvq --against model.h5 --data test.npz
  judged accuracy
  says "4800 outputs scored as classes"
  smaller model.h5 model.plan.bvq 5
}

word_lm() {
  lstm train train.txt --hidden 64 --layers 1 --epochs 2 --out model.h5
  says "<unk>"
  lstm quantize model.h5 --bits 2 --others 8
  lstm eval model.2bit.bvq --against model.h5 --data new.txt --vocab model.vocab.json
  judged perplexity
  smaller model.h5 model.2bit.bvq 4
}

streaming() {
  lstm inspect
  lstm search model.onnx --max-drop 5%
  lstm compress model.onnx --plan model.plan.json
  lstm eval model.plan.bvq --against model.onnx
  judged outputRelativeError
  printf '$ lstmpack run model.plan.bvq --stream < frames.csv | tail -1\n'
  "$lstmpack" run model.plan.bvq --stream < frames.csv > streamed.csv
  tail -1 streamed.csv
  printf '\n'
  [ "$(wc -l < streamed.csv)" -eq "$(wc -l < frames.csv)" ] || fail "a step of the stream is missing"
  smaller model.onnx model.plan.bvq 2
}

large() {
  # Two layers of 2048 units, 134 MB each, and a text to judge it by.
  for line in $(seq 60); do printf 'the cat number %s sees a dog and the dog sees a cat\n' $((line % 7)); done > train.txt
  lstm train train.txt --embedding 2048 --hidden 2048 --layers 2 --epochs 1 --batch 4 --lr 0.1 --out model.h5
  [ "$(wc -c < model.h5)" -ge 268000000 ] || fail "the model has less than 268 MB"
  lstm inspect model.h5
  lstm quantize model.h5 --bits 4
  lstm verify model.4bit.bvq
  lstm eval model.4bit.bvq --against model.h5 --data train.txt --vocab model.vocab.json
  judged perplexity
  smaller model.h5 model.4bit.bvq 7
}

for hour in $hours; do
  if [ "$hour" = silero ] && [ ! -f "$shared/models/dev/onnx-silero6a-fasterwhisper-op18.onnx" ]; then
    printf '# silero: skipped: there is no %s\n\n' "$shared/models/dev/onnx-silero6a-fasterwhisper-op18.onnx"
    continue
  fi
  mkdir "$work/$hour"
  cd "$work/$hour"
  if [ "$hour" = silero ]; then
    cp "$shared/models/dev/onnx-silero6a-fasterwhisper-op18.onnx" model.onnx
  elif [ "$hour" != large ]; then
    cp "$here/models/$hour/"* .
    chmod u+w ./*
  fi
  printf '# %s: %s\n\n' "$hour" "$(ls | tr '\n' ' ')"
  begin=$(date +%s)
  "$(printf '%s' "$hour" | tr - _)"
  printf '# %s: done in %s s\n\n' "$hour" $(($(date +%s) - begin))
  cd "$work"
  rm -rf "${work:?}/$hour"
done
