#!/usr/bin/env python3
"""Training speed and memory of lstmpack beside PyTorch's, in turn.

usage: training_speed.py LSTMPACK_BENCH SHARED [--rounds 3] [--units 200,650] [--threads 2,1]
needs: torch

PyTorch's fused `nn.LSTM` is SHARED/perf/bench_train.py, batch 20, length 35, 10,000 words, two layers; its
loop with Gumbel gates is SHARED/reference/train_ref.py on the Penn Treebank. Prints a table of medians and
ratios.
"""
import argparse
import json
import os
import re
import statistics
import subprocess
import sys

CASES = {200: ("small_200x2", 0.0), 650: ("medium_650x2", 0.5)}


def ours(bench, units, threads, gates, dropout):
    # As many steps as bench_train.py counts.
    segments = {200: 150, 650: 50}[units]
    out = subprocess.run(
        [bench, "train", "--units", str(units), "--threads", str(threads), "--gates", gates,
         "--dropout", str(dropout), "--segments", str(segments)],
        check=True, capture_output=True, text=True).stdout
    report = json.loads(out)
    return report["tokensPerSecond"], report["peakMegabytes"]


def fused(shared, units, threads):
    folder = os.path.join(shared, "perf")
    environment = {**os.environ, **{name: str(threads) for name in
                                    ("OMP_NUM_THREADS", "MKL_NUM_THREADS")}}
    out = subprocess.run(
        [sys.executable, "bench_train.py", "--case", CASES[units][0] + ":mkldnn", "--nthreads",
         str(threads)], cwd=folder, env=environment, check=True, capture_output=True, text=True)
    report = json.loads([line for line in out.stdout.splitlines() if line.startswith("{")][-1])
    return report["tok_per_s"]["med"], report["peak_rss_mb"]


def loop(shared, units, threads):
    """The rate after the first hundred of two hundred segments is not printed; the mean of all is."""
    with subprocess.Popen(
            [sys.executable, os.path.join(shared, "reference/train_ref.py"), "--data",
             os.path.join(shared, "data/ptb"), "--out", os.devnull, "--hidden", str(units),
             "--gumbel-p", "0.2", "--tau", "0.9", "--threads", str(threads)],
            stdout=subprocess.PIPE, text=True) as process:
        for line in process.stdout:
            found = re.search(r"tok/s (\d+)", line)
            if found:
                process.kill()
                return float(found.group(1)), float("nan")
    raise SystemExit("train_ref.py ended without a rate")


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("bench")
    parser.add_argument("shared")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--units", default="200,650")
    parser.add_argument("--threads", default="2,1")
    parser.add_argument("--no-loop", action="store_true")
    arguments = parser.parse_args()
    print("| units | threads | gates | ours, tokens/s | PyTorch | ratio | ours, MB | PyTorch | share |")
    print("| --: | --: | --- | --: | --: | --: | --: | --: | --: |")
    for units in map(int, arguments.units.split(",")):
        for threads in map(int, arguments.threads.split(",")):
            peers = [("soft", CASES[units][1], fused)]
            if not arguments.no_loop:
                peers.append(("gumbel", 0.25, loop))
            for gates, dropout, peer in peers:
                pairs = [(ours(arguments.bench, units, threads, gates, dropout),
                          peer(arguments.shared, units, threads)) for _ in range(arguments.rounds)]
                own, other = ([statistics.median(pair[side][what] for pair in pairs)
                               for what in (0, 1)] for side in (0, 1))
                print(f"| {units} | {threads} | {gates} | {own[0]:.0f} | {other[0]:.0f} "
                      f"| {own[0] / other[0]:.2f} | {own[1]:.0f} | {other[1]:.0f} "
                      f"| {own[1] / other[1]:.2f} |", flush=True)


if __name__ == "__main__":
    main()
