"""One peer behind the line protocol of `lstmpack-bench worker`: peer.py ort_fp32|ort_int8|torch_int8 MODEL.onnx UNITS THREADS"""
import json
import resource
import sys
import time

import numpy as np

name, path, units, threads = sys.argv[1], sys.argv[2], int(sys.argv[3]), int(sys.argv[4])


class ONNXRuntime:
    """A model whose first input and output are data and whose others are states, in two sets of buffers that take
    turns; all bound, so nothing is copied."""

    def __init__(self):
        import onnxruntime as ort

        options = ort.SessionOptions()
        options.intra_op_num_threads = threads
        options.inter_op_num_threads = 1
        options.log_severity_level = 3
        self.make = ort.OrtValue.ortvalue_from_numpy
        self.session = ort.InferenceSession(path, options, providers=["CPUExecutionProvider"])

    def value(self, place, steps, batch):
        shape = [{"T": steps, "B": batch}.get(size, size) for size in place.shape]
        random = np.random.default_rng(3)
        return self.make(
            random.integers(0, 1000, shape) if "int" in place.type
            else random.uniform(-1, 1, shape).astype(np.float32))

    def bindings(self, steps, batch, count):
        """Bindings of which each reads the states that the one before wrote."""
        inputs, outputs = self.session.get_inputs(), self.session.get_outputs()
        x, y = self.value(inputs[0], steps, batch), self.value(outputs[0], steps, batch)
        states = [[self.value(place, steps, batch) for place in inputs[1:]] for _ in range(2)]
        for k in range(count):
            binding = self.session.io_binding()
            binding.bind_ortvalue_input(inputs[0].name, x)
            binding.bind_ortvalue_output(outputs[0].name, y)
            for before, after, now, then in zip(inputs[1:], outputs[1:], states[k], states[1 - k]):
                binding.bind_ortvalue_input(before.name, now)
                binding.bind_ortvalue_output(after.name, then)
            yield binding

    def stream(self, steps):
        bindings = list(self.bindings(1, 1, 2))

        def run():
            for step in range(steps):
                self.session.run_with_iobinding(bindings[step & 1])
        return run

    def sequence(self, batch, steps):
        [binding] = self.bindings(steps, batch, 1)
        return lambda: self.session.run_with_iobinding(binding)


class PyTorch:
    """The same weights, quantized by PyTorch itself."""

    def __init__(self):
        import onnx
        import torch
        from onnx import numpy_helper

        torch.set_num_threads(threads)
        self.torch = torch
        arrays = {t.name: numpy_helper.to_array(t)[0] for t in onnx.load(path).graph.initializer}

        def gates(a):  # i o f c to i f g o
            i, o, f, c = np.split(a, 4)
            return torch.from_numpy(np.ascontiguousarray(np.concatenate([i, f, c, o])))

        lstm = torch.nn.LSTM(units, units)
        bias, recurrent_bias = np.split(arrays["B0"], 2)
        with torch.no_grad():
            for target, source in (("weight_ih_l0", arrays["W0"]), ("weight_hh_l0", arrays["R0"]),
                                   ("bias_ih_l0", bias), ("bias_hh_l0", recurrent_bias)):
                getattr(lstm, target).copy_(gates(source))
        self.model = torch.ao.quantization.quantize_dynamic(
            torch.nn.Sequential(lstm), {torch.nn.LSTM}, dtype=torch.qint8)[0]

    def stream(self, steps):
        x = self.torch.randn(1, 1, units)
        state = [(self.torch.zeros(1, 1, units), self.torch.zeros(1, 1, units))]

        def run():
            with self.torch.inference_mode():
                for _ in range(steps):
                    _, state[0] = self.model(x, state[0])
        return run

    def sequence(self, batch, steps):
        x = self.torch.randn(steps, batch, units)

        def run():
            with self.torch.inference_mode():
                self.model(x)
        return run


started = time.perf_counter()
peer = PyTorch() if name == "torch_int8" else ONNXRuntime()
print(json.dumps({"ready": True, "load_s": time.perf_counter() - started,
                  "rss_first_peak_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 / 1e6}), flush=True)
prepared = {}
for line in sys.stdin:
    request = json.loads(line)
    if request["op"] == "quit":
        break
    key = (request["mode"], request["batch"], request["T"])
    if key not in prepared:
        prepared[key] = (peer.stream(key[2]) if key[0] == "stream" else peer.sequence(key[1], key[2]))
        prepared[key]()
    times = []
    while sum(times) < request["min_s"]:
        start = time.perf_counter()
        prepared[key]()
        times.append(time.perf_counter() - start)
    print(json.dumps({"calls": len(times), "tokens": len(times) * key[1] * key[2], "s": sum(times),
                      "best_s": min(times)}), flush=True)
