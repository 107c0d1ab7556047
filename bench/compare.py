"""lstmpack and its peers in turn on the same weights; see README.md. Prints a table to stderr and JSON to stdout."""
import argparse
import json
import os
import statistics
import subprocess
import sys
import warnings

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

PEERS = ["ort_fp32", "ort_int8", "torch_int8"]
CASES = [("stream", 1), ("seq", 1), ("seq", 32)]


def make_model(path, units):
    """One LSTM layer, weights uniform in +-1/sqrt(units), the state an input and an output."""
    rng = np.random.default_rng(1)
    bound = 1 / np.sqrt(units)
    uniform = lambda *shape: rng.uniform(-bound, bound, shape).astype(np.float32)
    weights = {"W": uniform(1, 4 * units, units), "R": uniform(1, 4 * units, units), "B": uniform(1, 8 * units)}
    node = helper.make_node(
        "LSTM", ["x", "W", "R", "B", "", "h0", "c0"], ["y", "h1", "c1"], name="lstm", hidden_size=units)
    value = lambda name, shape: helper.make_tensor_value_info(name, TensorProto.FLOAT, shape)
    graph = helper.make_graph(
        [node], "lstm",
        [value("x", ["T", "B", units]), value("h0", [1, "B", units]), value("c0", [1, "B", units])],
        [value("y", ["T", 1, "B", units]), value("h1", [1, "B", units]), value("c1", [1, "B", units])],
        [numpy_helper.from_array(array, name) for name, array in weights.items()])
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9), path)


class Runtime:
    """A process behind the line protocol, on one processor."""

    def __init__(self, name, command, processors):
        self.name = name
        self.process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True,
            preexec_fn=lambda: os.sched_setaffinity(0, processors))
        self.ready = json.loads(self.process.stdout.readline())

    def run(self, mode, batch, steps, seconds):
        """Seconds for a step, of the mean and of the fastest call."""
        request = {"op": "run", "mode": mode, "batch": batch, "T": steps, "min_s": seconds}
        self.process.stdin.write(json.dumps(request) + "\n")
        self.process.stdin.flush()
        answer = json.loads(self.process.stdout.readline())
        return answer["s"] / answer["tokens"], answer["best_s"] / (batch * steps)

    def quit(self):
        self.process.stdin.write('{"op":"quit"}\n')
        self.process.stdin.close()
        self.process.wait()


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--bin", default=".build/release")
    parser.add_argument("--work", default=".build/bench")
    parser.add_argument("--sizes", default="256,650,1024,1500,2048")
    parser.add_argument("--bits", default="1,ternary,2,4,8")
    parser.add_argument("--peers", default=",".join(PEERS))
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=0.15, help="of each runtime in each round")
    parser.add_argument("--cases", default="stream1,seq1,seq32")
    options = parser.parse_args()
    os.makedirs(options.work, exist_ok=True)
    warnings.filterwarnings("ignore")
    available = sorted(os.sched_getaffinity(0))
    processors = set(available[-options.threads:])
    report = []
    for units in map(int, options.sizes.split(",")):
        path = os.path.join(options.work, f"lstm_{units}")
        make_model(path + ".onnx", units)
        from onnxruntime.quantization import QuantType, quantize_dynamic
        quantize_dynamic(path + ".onnx", path + ".int8.onnx", weight_type=QuantType.QInt8, per_channel=True)
        runtimes = []
        for peer in options.peers.split(","):
            model = path + (".int8.onnx" if peer == "ort_int8" else ".onnx")
            command = [sys.executable, os.path.join(os.path.dirname(__file__), "peer.py"), peer, model]
            runtimes.append(Runtime(peer, command + [str(units), str(options.threads)], processors))
        for bits in options.bits.split(","):
            packed = f"{path}.{bits}.bvq"
            subprocess.run(
                [os.path.join(options.bin, "lstmpack"), "quantize", path + ".onnx", "--bits", bits, "--out", packed,
                 "--force"], check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
            command = [os.path.join(options.bin, "lstmpack-bench"), "worker", packed]
            runtimes.append(
                Runtime(f"lstmpack_{bits}", command + ["--threads", str(options.threads)], processors))
        for mode, batch in CASES:
            if f"{mode}{batch}" not in options.cases.split(","):
                continue
            times = {runtime.name: [] for runtime in runtimes}
            best = {}
            for _ in range(options.rounds):
                for runtime in runtimes:
                    mean, fastest = runtime.run(mode, batch, 64, options.seconds)
                    times[runtime.name].append(mean)
                    best[runtime.name] = min(fastest, best.get(runtime.name, fastest))
            medians = {name: statistics.median(each) for name, each in times.items()}
            int8 = [name for name in medians if name.endswith("_int8")]
            peer = min((medians[name] for name in int8), default=None)
            best_peer = min((best[name] for name in int8), default=None)
            for name, median in medians.items():
                entry = {"units": units, "mode": mode, "batch": batch, "runtime": name,
                         "medianMicroseconds": median * 1e6, "bestMicroseconds": best[name] * 1e6}
                if peer:
                    entry["int8PeerOverThis"] = peer / median
                    entry["bestInt8PeerOverBest"] = best_peer / best[name]
                if "ort_fp32" in medians:
                    entry["float32OverThis"] = medians["ort_fp32"] / median
                report.append(entry)
                print(f"{units:5} {mode:6} batch {batch:2} {name:18} {median * 1e6:9.2f} us  best {best[name] * 1e6:9.2f} us"
                      f"  x int8 {entry.get('int8PeerOverThis', 0):5.2f} (best {entry.get('bestInt8PeerOverBest', 0):5.2f})"
                      f"  x float32 {entry.get('float32OverThis', 0):6.2f}", file=sys.stderr)
        for runtime in runtimes:
            runtime.quit()
    json.dump({"schema": 1, "threads": options.threads, "results": report}, sys.stdout, indent=1)
    print()


if __name__ == "__main__":
    main()
