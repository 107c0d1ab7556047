#!/bin/sh
# Reads files with lstmpack as a user would: replay.sh LSTMPACK FILE...
# Status 1 when one ends by a signal, takes longer than 10 s, or does not say `error:` and is no model.
set -u
lstmpack=$1
shift
imported=0
refused=0
bad=0
said=$(mktemp)
trap 'rm -f "$said"' EXIT
for file; do
  timeout -s KILL 10 "$lstmpack" inspect "$file" > /dev/null 2> "$said"
  result=$?
  if [ "$result" = 0 ]; then
    imported=$((imported + 1))
  elif [ "$result" -lt 128 ] && grep -q '^error: ' "$said"; then
    refused=$((refused + 1))
  else
    bad=$((bad + 1))
    echo "status $result: $file"
  fi
done
echo "replayed $((imported + refused + bad)): $refused refused, $imported imported, $bad crashed or hung"
[ "$bad" = 0 ]
