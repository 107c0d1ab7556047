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
NBITS = ["ort_nbits4", "ort_nbits2"]
CASES = [("stream", 1), ("seq", 1), ("seq", 32)]


def uniform(rng, units, *shape):
    bound = 1 / np.sqrt(units)
    return rng.uniform(-bound, bound, shape).astype(np.float32)


def lstm_layer(rng, number, units, x, states):
    """A node and its weights, uniform in +-1/sqrt(units)."""
    names = [f"{kind}{number}" for kind in "WRB"]
    shapes = [(1, 4 * units, units), (1, 4 * units, units), (1, 8 * units)]
    node = helper.make_node(
        "LSTM", [x, *names, "", *states[:2]], [f"y{number}", *states[2:]], name=f"lstm{number}", hidden_size=units)
    return node, [numpy_helper.from_array(uniform(rng, units, *shape), name) for name, shape in zip(names, shapes)]


def save_model(path, nodes, weights, x, y, units, layers):
    """States are inputs and outputs."""
    value = lambda name: helper.make_tensor_value_info(name, TensorProto.FLOAT, [1, "B", units])
    before, after = ([value(f"{kind}{n}{end}") for n in range(layers) for kind in "hc"] for end in ("", "_out"))
    graph = helper.make_graph(nodes, "model", [x, *before], [y, *after], weights)
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9), path)


def states(number):
    return [f"h{number}", f"c{number}", f"h{number}_out", f"c{number}_out"]


def make_layer(path, units):
    """One LSTM layer."""
    value = lambda name, shape: helper.make_tensor_value_info(name, TensorProto.FLOAT, shape)
    node, weights = lstm_layer(np.random.default_rng(1), 0, units, "x", states(0))
    save_model(path, [node], weights, value("x", ["T", "B", units]), value("y0", ["T", 1, "B", units]), units, 1)


def make_language_model(path, layers, units, tokens=10000):
    """An embedding, LSTM layers and logits."""
    rng = np.random.default_rng(1)
    value = lambda name, kind, shape: helper.make_tensor_value_info(name, kind, shape)
    arrays = {"embedding": uniform(rng, units, tokens, units), "dense": uniform(rng, units, units, tokens),
              "bias": uniform(rng, units, tokens), "axis": np.array([1])}
    weights = [numpy_helper.from_array(array, name) for name, array in arrays.items()]
    nodes, x = [helper.make_node("Gather", ["embedding", "ids"], ["embedded"])], "embedded"
    for number in range(layers):
        node, own = lstm_layer(rng, number, units, x, states(number))
        x = f"x{number}"
        nodes += [node, helper.make_node("Squeeze", [f"y{number}", "axis"], [x])]
        weights += own
    nodes += [helper.make_node("MatMul", [x, "dense"], ["products"]),
              helper.make_node("Add", ["products", "bias"], ["logits"])]
    save_model(path, nodes, weights, value("ids", TensorProto.INT64, ["T", "B"]),
               value("logits", TensorProto.FLOAT, ["T", "B", tokens]), units, layers)


def make_dense(path, units):
    """A matrix with four times as many rows as columns."""
    value = lambda name, size: helper.make_tensor_value_info(name, TensorProto.FLOAT, ["T", "B", size])
    weights = [numpy_helper.from_array(uniform(np.random.default_rng(1), units, units, 4 * units), "dense")]
    node = helper.make_node("MatMul", ["x", "dense"], ["y"], name="dense")
    save_model(path, [node], weights, value("x", units), value("y", 4 * units), units, 0)


def make_peers_files(path, peers):
    """What the peers run, beside the model."""
    from onnxruntime.quantization import QuantType, quantize_dynamic
    quantize_dynamic(path + ".onnx", path + ".int8.onnx", weight_type=QuantType.QInt8, per_channel=True)
    for peer in peers:
        if peer.startswith("ort_nbits"):
            from onnxruntime.quantization.matmul_nbits_quantizer import MatMulNBitsQuantizer
            quantizer = MatMulNBitsQuantizer(
                onnx.load(path + ".onnx"), bits=int(peer[-1]), block_size=128, is_symmetric=True, accuracy_level=4)
            quantizer.process()
            quantizer.model.save_model_to_file(f"{path}.nbits{peer[-1]}.onnx", False)


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
    parser.add_argument(
        "--sizes", default="256,650,1024,1500,2048",
        help="units of one layer; 2x1500 is a language model of two, dense1024 a matrix of 4096 x 1024")
    parser.add_argument("--bits", default="1,ternary,2,4,8", help="of quantize; f32 is the model as it is")
    parser.add_argument("--peers", default=",".join(PEERS + NBITS))
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
    for size in options.sizes.split(","):
        path = os.path.join(options.work, f"lstm_{size}")
        layers, is_language_model, units = size.removeprefix("dense").rpartition("x")
        is_dense = size.startswith("dense")
        if is_dense:
            make_dense(path + ".onnx", int(units))
        elif is_language_model:
            make_language_model(path + ".onnx", int(layers), int(units))
        else:
            make_layer(path + ".onnx", int(units))
        peers = [*PEERS[:2], *NBITS] if is_dense else PEERS[:2] if is_language_model else PEERS
        peers = [peer for peer in peers if peer in options.peers.split(",")]
        make_peers_files(path, peers)
        runtimes = []
        for peer in peers:
            suffix = {"ort_int8": ".int8", "ort_nbits4": ".nbits4", "ort_nbits2": ".nbits2"}.get(peer, "")
            command = [sys.executable, os.path.join(os.path.dirname(__file__), "peer.py"), peer, path + suffix + ".onnx"]
            runtimes.append(Runtime(peer, command + [units, str(options.threads)], processors))
        if is_dense:
            # Only LSTMs are compressed: the layer has two such matrices, so half a step is the longest that one takes.
            path = os.path.join(options.work, f"lstm_{units}")
            make_layer(path + ".onnx", int(units))
        for bits in options.bits.split(","):
            model = path + ".onnx" if bits == "f32" else f"{path}.{bits}.bvq"
            if bits != "f32":
                others = ["--others", bits] if is_language_model else []
                subprocess.run(
                    [os.path.join(options.bin, "lstmpack"), "quantize", path + ".onnx", "--bits", bits, "--out", model,
                     "--force", *others], check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
            command = [os.path.join(options.bin, "lstmpack-bench"), "worker", model]
            runtimes.append(
                Runtime(f"lstmpack_{bits}", command + ["--threads", str(options.threads)], processors))
        for mode, batch in CASES:
            if f"{mode}{batch}" not in options.cases.split(","):
                continue
            times = {runtime.name: [] for runtime in runtimes}
            best = {}
            for _ in range(options.rounds):
                for runtime in runtimes:
                    products = 2 if is_dense and runtime.name.startswith("lstmpack") else 1
                    mean, fastest = (
                        time / products for time in runtime.run(mode, batch, 64, options.seconds))
                    times[runtime.name].append(mean)
                    best[runtime.name] = min(fastest, best.get(runtime.name, fastest))
            medians = {name: statistics.median(each) for name, each in times.items()}
            int8 = [name for name in medians if name.endswith("_int8")]
            peer = min((medians[name] for name in int8), default=None)
            best_peer = min((best[name] for name in int8), default=None)
            for runtime in runtimes:
                name, median = runtime.name, medians[runtime.name]
                entry = {"size": size, "mode": mode, "batch": batch, "runtime": name,
                         "medianMicroseconds": median * 1e6, "bestMicroseconds": best[name] * 1e6,
                         "rounds": times[name], "start": runtime.ready}
                if peer:
                    entry["int8PeerOverThis"] = peer / median
                    entry["bestInt8PeerOverBest"] = best_peer / best[name]
                if "ort_fp32" in medians:
                    entry["float32OverThis"] = medians["ort_fp32"] / median
                report.append(entry)
                print(f"{size:>6} {mode:6} batch {batch:2} {name:18} {median * 1e6:9.2f} us  best {best[name] * 1e6:9.2f} us"
                      f"  x int8 {entry.get('int8PeerOverThis', 0):5.2f} (best {entry.get('bestInt8PeerOverBest', 0):5.2f})"
                      f"  x float32 {entry.get('float32OverThis', 0):6.2f}", file=sys.stderr)
        for runtime in runtimes:
            runtime.quit()
    json.dump({"schema": 1, "threads": options.threads, "results": report}, sys.stdout, indent=1)
    print()


if __name__ == "__main__":
    main()
