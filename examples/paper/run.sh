#!/bin/sh
# Tests the claims of "Towards Binary-Valued Gates for Robust LSTM Training" (Li et al. 2018, arXiv:1806.02988) with
# lstmpack: trains, compresses, measures, and writes report.md. README.md beside this file says what is done.
# shellcheck disable=SC2046,SC2086  # options are split into words on purpose
set -eu
export LC_ALL=C

usage() {
  cat <<'END'
usage: run.sh --quick [options]
       run.sh --data FOLDER [options]

  --quick            the small text beside this script and a small network, for a look at the report
  --data FOLDER      a text in words: train.txt, valid.txt and test.txt, or names such as ptb.train.txt
  --model NAME       2x200 (two layers of 200 units, the default) or 1x300 (one of 300)
  --epochs N         10 for 2x200, 80 for 1x300 without it
  --out FOLDER       where everything is written; paper-MODEL without it. What is there already is not made again,
                     and training goes on where it was interrupted
  --threads N        threads of lstmpack; all processors without it
  --seed N           what everything random comes from; 1 without it
  --kinds LIST       some of soft,sharpened,gumbel; all without it
  --soft FILE, --sharpened FILE, --gumbel FILE
                     models that are trained already; FILE.vocab.json (for FILE.h5) or --vocab is their vocabulary
  --vocab FILE       the vocabulary of these models

LSTMPACK names the program; .build/release/lstmpack of this repository, or the one on the PATH, without it.
END
}

fail() { printf 'run.sh: %s\n' "$1" >&2; exit 64; }
say() { printf '%s\n' "$*" >&2; }
absolute() { case $1 in /*) printf '%s\n' "$1" ;; *) printf '%s/%s\n' "$PWD" "$1" ;; esac }

here=$(cd "$(dirname "$0")" && pwd)
quick= data= model= epochs= out= threads= seed=1 vocab= kinds='soft sharpened gumbel'
soft= sharpened= gumbel=
while [ $# -gt 0 ]; do
  case $1 in
    --quick) quick=yes; shift; continue ;;
    -h | --help) usage; exit 0 ;;
    --data | --model | --epochs | --out | --threads | --seed | --kinds | --soft | --sharpened | --gumbel | --vocab)
      [ $# -ge 2 ] || fail "$1 needs a value" ;;
    *) fail "there is no option $1; see --help" ;;
  esac
  case $1 in
    --data) data=$(absolute "$2") ;;
    --model) model=$2 ;;
    --epochs) epochs=$2 ;;
    --out) out=$(absolute "$2") ;;
    --threads) threads=$2 ;;
    --seed) seed=$2 ;;
    --kinds) kinds=$(printf '%s' "$2" | tr ',' ' ') ;;
    --soft) soft=$(absolute "$2") ;;
    --sharpened) sharpened=$(absolute "$2") ;;
    --gumbel) gumbel=$(absolute "$2") ;;
    --vocab) vocab=$(absolute "$2") ;;
  esac
  shift 2
done
if [ "$quick" ]; then
  [ -z "$data$model" ] || fail "--quick has its own text and model"
  data=$here/text
  model=quick
fi
[ "$data" ] || { usage >&2; exit 64; }
model=${model:-2x200}
for kind in $kinds; do
  case $kind in soft | sharpened | gumbel) ;; *) fail "--kinds takes soft, sharpened and gumbel, not $kind" ;; esac
done

parallel=${threads:+--threads $threads}

case $model in
  2x200)
    sizes='--embedding 200 --hidden 200 --layers 2 --dropout 0.25 --lr 20 --clip 0.25 --batch 20 --bptt 35'
    schedule="--epochs ${epochs:-10} --lr-decay 1.7 --lr-decay-from 8 --plateau-decay 4" ;;
  1x300)
    sizes='--embedding 300 --hidden 300 --layers 1 --dropout 0.5 --lr 20 --clip 0.25 --batch 20 --bptt 30'
    # With --epochs the rate falls to a thirtieth in the last ten, or the second half.
    schedule="--epochs ${epochs:-80} --plateau-decay 1.2"
    if [ "$epochs" ]; then
      from=$((epochs > 20 ? epochs - 10 : (epochs + 1) / 2))
      schedule="$schedule --lr-decay 1.4 --lr-decay-from $from"
    fi ;;
  quick)
    sizes='--embedding 72 --hidden 72 --layers 2 --dropout 0.1 --lr 10 --clip 0.25 --batch 10 --bptt 20'
    schedule="--epochs ${epochs:-8} --plateau-decay 2" ;;
  *) fail "--model takes 2x200 or 1x300, not $model" ;;
esac

# The text of a part: train.txt, ptb.train.txt, wiki.train.tokens.
text() {
  for file in "$data/$1.txt" "$data"/*."$1".txt "$data"/*."$1".tokens; do
    if [ -f "$file" ]; then printf '%s\n' "$file"; return; fi
  done
  fail "$data has no $1.txt"
}
train=$(text train)
valid=$(text valid)
test=$(text test)

lstmpack=${LSTMPACK:-$here/../../.build/release/lstmpack}
[ -x "$lstmpack" ] || lstmpack=$(command -v lstmpack) || fail "lstmpack is not built; run make build, or set LSTMPACK"
lstmpack=$(absolute "$lstmpack")

out=${out:-$PWD/paper-$model}
mkdir -p "$out"
cd "$out"

# run FILE ARGUMENTS: has lstmpack print FILE, if it is not there.
run() {
  printed=$1
  shift
  if [ -s "$printed" ]; then return; fi
  say "  $(typed "$@")"
  if ! "$lstmpack" "$@" > "$printed.part" 2> "$printed.errors"; then
    cat "$printed.errors" >&2
    exit 1
  fi
  rm -f "$printed.errors"
  mv "$printed.part" "$printed"
}

# A command as a person types it, without the folders of its files.
typed() {
  printf 'lstmpack'
  for word in "$@"; do printf ' %s' "${word##*/}"; done
  printf '\n'
}

facts=facts.tsv
: > $facts
fact() { printf '%s\t%s\n' "$1" "$2" >> $facts; }
# flat NAME FILE [PATTERN]: what is in a JSON file, as facts.
flat() { awk -v prefix="$1" -f "$here/json.awk" "$2" | grep -E "${3:-.}" >> $facts; }

# Trains a kind of gates, or goes on with it.
train() {
  set -- train "$train" --valid "$valid" --gates "$kind" $sizes $schedule --seed "$seed" $parallel \
    --out "$kind.h5" --log "$kind.csv"
  fact "$kind.command" "$(typed "$@")"
  settings="$kind $sizes $schedule --seed $seed, data $(cat "$train" "$valid" | cksum)"
  if [ -s "$kind.h5" ] || [ -s "$kind.training" ]; then
    made=$(cat "$kind.settings" 2> /dev/null || true)
  else
    made=$settings
  fi
  if [ "$made" != "$settings" ]; then
    fail "$out has a model of other settings ($made); give another --out"
  fi
  printf '%s\n' "$settings" > "$kind.settings"
  if [ -s "$kind.h5" ] && [ -s "$kind.vocab.json" ]; then return; fi
  if [ -s "$kind.training" ]; then set -- train --resume "$kind.training"; else set -- "$@" --force; fi
  say "  $(typed "$@")"
  "$lstmpack" "$@" > "$kind.train.txt"
}

# What is done to a model, by the name of the variant: matrices of input and forget gates each by itself. Weights of sharpened gates hold the temperature: they are five
# times those that the paper rounds, so the step is five times as large, too.
variants='round clip svd9 svd18 bits4 bits2'
treatment() {
  case $kind in sharpened) step=1 limit=2 ;; *) step=0.2 limit=0.4 ;; esac
  case $1 in
    round) echo "quantize --round $step --gates input,forget" ;;
    clip) echo "quantize --round $step --clip $limit --gates input,forget" ;;
    svd9) echo "lowrank --rank $(((units * 2 + 9) / 18)) --gates input,forget" ;;
    svd18) echo "lowrank --rank $(((units + 9) / 18)) --gates input,forget" ;;
    bits4) echo "quantize --bits 4" ;;
    bits2) echo "quantize --bits 2" ;;
  esac
}

# Scores a model as one stream, with and without the cache.
evaluate() {
  run "$kind.$1.eval.json" eval "$2" --data "$test" --vocab "$words" --streams 1 --cache-window 500 --cache-theta 1 \
    --cache-lambda 0.1 --json $parallel
  flat "$kind.$1" "$kind.$1.eval.json" '\.model\.'
}

fact model "$model"
fact quick "$quick"
fact train "${train##*/}"
fact test "${test##*/}"
fact version "$("$lstmpack" --version)"
for kind in $kinds; do
  say "$kind"
  case $kind in soft) given=$soft ;; sharpened) given=$sharpened ;; gumbel) given=$gumbel ;; esac
  if [ "$given" ]; then
    original=$given
    fact "$kind.given" "${given##*/}"
  else
    train
    original=$kind.h5
  fi
  words=${original%.*}.vocab.json
  if [ "$given" ] && [ "$vocab" ]; then words=$vocab; fi
  [ -f "$original" ] || fail "there is no $original"
  [ -f "$words" ] || fail "there is no $words; give --vocab"

  # What was measured of another model or text counts no longer.
  sum=$(cat "$original" "$words" "$test" | cksum)
  if [ "$(cat "$kind.sum" 2> /dev/null)" != "$sum" ]; then
    rm -f "$kind.inspect.json" "$kind.analyze.json" "$kind.original.eval.json"
    for variant in $variants; do
      rm -f "$kind.$variant.bvq" "$kind.$variant.made.json" "$kind.$variant.eval.json"
    done
    printf '%s\n' "$sum" > "$kind.sum"
  fi

  run "$kind.inspect.json" inspect "$original" --json
  units=$(awk -f "$here/json.awk" "$kind.inspect.json" | awk -F '\t' '/hiddenSize/ { print $2; exit }')
  fact units "$units"
  evaluate original "$original"
  for variant in $variants; do
    made=$kind.$variant.bvq
    set -- $(treatment $variant)
    name=$1
    shift
    if [ ! -s "$made" ]; then rm -f "$kind.$variant.made.json"; fi
    run "$kind.$variant.made.json" "$name" "$original" "$@" --out "$made" --force --json $parallel
    fact "$kind.$variant.command" "$(typed "$name" "$original" "$@" --out "$made")"
    flat "$kind.$variant" "$kind.$variant.made.json" '\.matrices\.'
    evaluate $variant "$made"
  done
  run "$kind.analyze.json" analyze "$original" --data "$test" --vocab "$words" --json $parallel
  flat "$kind" "$kind.analyze.json" '\.data\.gates\.'
  # The log of training, which stands beside a model that `lstmpack train --log` made.
  curve=${original%.*}.csv
  if [ -s "$curve" ]; then
    awk -F , -v kind="$kind" '
      NR == 1 { for (i = 1; i <= NF; i++) column[$i] = i; next }
      "validation_perplexity" in column { print kind ".epoch." $column["epoch"] "\t" $column["validation_perplexity"] }
      ' "$curve" >> $facts
  fi
  fact "$kind.done" yes
done

awk -f "$here/report.awk" $facts > report.md
say "Wrote $out/report.md"
