"""One peer behind the line protocol of `lstmpack-bench worker`: peer.py ort_fp32|ort_int8|torch_int8 MODEL.onnx UNITS THREADS"""
import json
import sys
import time

import numpy as np

name, path, units, threads = sys.argv[1], sys.argv[2], int(sys.argv[3]), int(sys.argv[4])


class ONNXRuntime:
    """State in two sets of buffers that take turns; input and output bound, so nothing is copied."""

    def __init__(self):
        import onnxruntime as ort

        options = ort.SessionOptions()
        options.intra_op_num_threads = threads
        options.inter_op_num_threads = 1
        options.log_severity_level = 3
        self.value = lambda *shape: ort.OrtValue.ortvalue_from_numpy(
            np.random.default_rng(3).uniform(-1, 1, shape).astype(np.float32))
        self.session = ort.InferenceSession(path, options, providers=["CPUExecutionProvider"])

    def binding(self, x, before, y, after):
        binding = self.session.io_binding()
        binding.bind_ortvalue_input("x", x)
        for name, value in zip(("h0", "c0"), before):
            binding.bind_ortvalue_input(name, value)
        binding.bind_ortvalue_output("y", y)
        for name, value in zip(("h1", "c1"), after):
            binding.bind_ortvalue_output(name, value)
        return binding

    def stream(self, steps):
        state = [[self.value(1, 1, units) for _ in "hc"] for _ in range(2)]
        x, y = self.value(1, 1, units), self.value(1, 1, 1, units)
        bindings = [self.binding(x, state[k], y, state[1 - k]) for k in range(2)]

        def run():
            for step in range(steps):
                self.session.run_with_iobinding(bindings[step & 1])
        return run

    def sequence(self, batch, steps):
        before, after = ([self.value(1, batch, units) for _ in "hc"] for _ in range(2))
        x, y = self.value(steps, batch, units), self.value(steps, 1, batch, units)
        binding = self.binding(x, before, y, after)
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
        bias, recurrent_bias = np.split(arrays["B"], 2)
        with torch.no_grad():
            for target, source in (("weight_ih_l0", arrays["W"]), ("weight_hh_l0", arrays["R"]),
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


peer = PyTorch() if name == "torch_int8" else ONNXRuntime()
print(json.dumps({"ready": True}), flush=True)
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
