#!/usr/bin/env python3
"""Runs exported ONNX models with packed or factored weights in ONNX Runtime, beside `lstmpack run`.

For each model and treatment lstmpack compresses the checkpoint to a .bvq and exports that with `--weights int2`, `int4` or
`factors`. The export has to hold what it says: weights of 2 or 4 bits, or factors, which make it smaller. Then:

- outputs: ONNX Runtime's against those of `lstmpack run` on the .bvq. Where lstmpack does not run the model whole (Silero,
  brainmaze), each LSTM is cut out of the export with all that its weights are computed from, and given the inputs that it
  has in the model. Of the second DTLN model everything up to its last convolution is compared.
- last states: the last h and c of those LSTMs.
- whole: all outputs of the model in ONNX Runtime against those of the export with `--weights float`.

None may differ by 1e-5, relative to the largest value of a tensor where that is above 1. Beside them are the bytes of the
files: the source, the export, and what onnxruntime.quantization.quantize_dynamic makes of the source. Below the table is
what that did to the LSTMs, and its bytes when it is to leave convolutions alone, as lstmpack does.

Prints a Markdown table; ends with exit code 1 when a difference is beyond its bound.
"""
import argparse
import collections
import contextlib
import io
import logging
import os
import runpy
import subprocess
import sys
import tempfile

import numpy as np
import onnx
import onnxruntime
from onnxruntime.quantization import QuantType, quantize_dynamic

BOUND = 1e-5
FRAMES = 100
FORMS = [("1 bit", ["quantize", "--bits", "1"], "int2"), ("ternary", ["quantize", "--bits", "ternary"], "int2"),
         ("2 bits", ["quantize", "--bits", "2"], "int2"), ("4 bits", ["quantize", "--bits", "4"], "int4"),
         ("rank 16", ["lowrank", "--rank", "16"], "factors")]


def run_quietly(command):
    result = subprocess.run(command, capture_output=True, text=True, stdin=subprocess.DEVNULL)
    if result.returncode:
        raise RuntimeError(f"{' '.join(command)}: {result.stderr.strip()[-400:]}")


def run_here(script, *arguments):
    """The variables of a script after it ran."""
    own, sys.argv = sys.argv, [script, *arguments]
    with contextlib.redirect_stdout(io.StringIO()):
        variables = runpy.run_path(script)
    sys.argv = own
    return variables


def largest_difference(a, b):
    """Relative to the largest of b, at least 1. Infinite when it is not a number, or when the shapes differ."""
    if a.shape != b.shape:
        return np.inf
    return float(np.nan_to_num(np.abs(a.astype("f8") - b).max() / max(1, np.abs(b).max()), nan=np.inf))


def run_onnx(model, inputs, outputs=None):
    """{output: value} of a file or a model, by ONNX Runtime."""
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    session = onnxruntime.InferenceSession(model if isinstance(model, str) else model.SerializeToString(), options,
                                           providers=["CPUExecutionProvider"])
    names = outputs or [output.name for output in session.get_outputs()]
    return dict(zip(names, session.run(names, inputs)))


def with_outputs(path, names):
    """The model with tensors of its main graph as further outputs."""
    model = onnx.load(path)
    known = {output.name for output in model.graph.output}
    model.graph.output.extend(onnx.ValueInfoProto(name=name) for name in names if name not in known)
    return model


# An LSTM cut out of its model.


def walk(graph):
    yield graph
    for node in graph.node:
        for attribute in node.attribute:
            if attribute.HasField("g"):
                yield from walk(attribute.g)


def lstm_alone(path, name):
    """The LSTM node of that name, wherever it is, from X to Y, Y_h and Y_c and with a state of zeros; its weights are
    computed as in the model."""
    model = onnx.load(path)
    graphs = list(walk(model.graph))
    constants = {tensor.name: tensor for graph in graphs for tensor in graph.initializer}
    producers = {output: node for graph in graphs for node in graph.node for output in node.output}
    lstm = next(node for graph in graphs for node in graph.node if node.op_type == "LSTM" and node.name == name)
    nodes, used = [], {}

    def need(tensor):
        if tensor in constants:
            used[tensor] = constants[tensor]
        elif tensor and producers[tensor] not in nodes:
            for source in producers[tensor].input:
                need(source)
            nodes.append(producers[tensor])

    for weights in lstm.input[1:4]:
        need(weights)
    alone = onnx.NodeProto()
    alone.CopyFrom(lstm)
    del alone.input[4:], alone.output[:]
    alone.input[0] = "X"
    alone.output.extend(["Y", "Y_h", "Y_c"])
    float_tensor = onnx.TensorProto.FLOAT
    graph = onnx.helper.make_graph(
        nodes + [alone], "alone", [onnx.helper.make_tensor_value_info("X", float_tensor, [None, None, None])],
        [onnx.helper.make_tensor_value_info(n, float_tensor, None) for n in alone.output], list(used.values()))
    return onnx.helper.make_model(graph, opset_imports=model.opset_import, ir_version=model.ir_version)


# The models.


def audio(shared):
    """Frames of the test recording with 64 samples of context, as eval_silero.py makes them."""
    frames = run_here(os.path.join(shared, "models/eval/eval_silero.py"))["x"][:FRAMES]
    context = np.vstack([np.zeros((1, 64), "f4"), frames[:-1, -64:]])
    return np.concatenate([context, frames], 1)


def silero(shared):
    return {"input": audio(shared), "h": np.zeros((1, 1, 128), "f4"), "c": np.zeros((1, 1, 128), "f4")}


def silero_if(shared):
    return {"input": audio(shared), "state": np.zeros((2, FRAMES, 128), "f4"), "sr": np.array(16000, "i8")}


def brainmaze(shared):
    return {"x": np.random.default_rng(1).standard_normal((4, 100, 60)).astype("f4")}


def dtln_1(shared):
    random = np.random.default_rng(1)
    return {"input_2": np.abs(random.standard_normal((1, 1, 257))).astype("f4"),
            "input_3": random.uniform(-0.5, 0.5, (1, 2, 128, 2)).astype("f4")}


def dtln_2(shared):
    random = np.random.default_rng(1)
    return {"input_4": random.uniform(-0.5, 0.5, (1, 1, 512)).astype("f4"),
            "input_5": random.uniform(-0.5, 0.5, (1, 2, 128, 2)).astype("f4")}


class Whole:
    """A model that lstmpack runs, up to some outputs: {its name: ONNX Runtime's}."""

    def __init__(self, file, inputs, outputs):
        self.file, self.inputs, self.outputs = file, inputs, outputs

    def what(self):
        return ", ".join(self.outputs)

    def differences(self, lstmpack, packed, export, inputs, folder):
        """Of the outputs, and None: those hold the states that there are."""
        data, out = os.path.join(folder, "x.npz"), os.path.join(folder, "y.npz")
        np.savez(data, **inputs)
        options = [word for name in self.outputs for word in ("--output", name)]
        run_quietly([lstmpack, "run", packed, "--data", data, *options, "--out", out, "--force"])
        found = run_onnx(with_outputs(export, self.outputs.values()), inputs, list(self.outputs.values()))
        with np.load(out) as own:
            return max(largest_difference(own[name], found[theirs]) for name, theirs in self.outputs.items()), None


class Layers:
    """A model of which lstmpack runs the LSTMs: {layer: (node, the tensor that it reads)}."""

    def __init__(self, file, inputs, layers, to_steps=lambda x: x):
        self.file, self.inputs, self.layers, self.to_steps = file, inputs, layers, to_steps

    def what(self):
        return ", ".join(node for node, _ in self.layers.values())

    def differences(self, lstmpack, packed, export, inputs, folder):
        """Of h at every step, and of the last h and c."""
        data, out = os.path.join(folder, "x.npy"), os.path.join(folder, "y.npz")
        tensors = [tensor for _, tensor in self.layers.values()]
        read = run_onnx(with_outputs(export, dict.fromkeys(tensors)), inputs, tensors)
        outputs, states = [], []
        for layer, (node, tensor) in self.layers.items():
            x = self.to_steps(read[tensor])
            np.save(data, x.transpose(1, 0, 2))
            run_quietly([lstmpack, "run", packed, "--layer", layer, "--data", data, "--states", "--out", out, "--force"])
            found = run_onnx(lstm_alone(export, node), {"X": x})
            # [steps, directions, sequences, units] as lstmpack has them: sequences first, directions side by side.
            steps, batch = x.shape[:2]
            found = {"": found["Y"].transpose(2, 0, 1, 3).reshape(batch, steps, -1),
                     "/h": found["Y_h"].transpose(1, 0, 2).reshape(batch, -1),
                     "/c": found["Y_c"].transpose(1, 0, 2).reshape(batch, -1)}
            with np.load(out) as own:
                for suffix, values in found.items():
                    (states if suffix else outputs).append(largest_difference(own[layer + suffix], values))
        return max(outputs), max(states)


MODELS = [
    Layers("onnx-silero6a-fasterwhisper-op18.onnx", silero,
           {"/decoder/rnn/LSTM": ("/decoder/rnn/LSTM", "/Transpose_output_0")}),
    Layers("onnx-silero6-16k-op15-if.onnx", silero_if,
           {f"If:/model/decoder/If_1.{branch}_branch/{node}": (node, "/model/encoder/3/activation/Relu_output_0")
            for branch, node in (("then", "/model/decoder/rnn/LSTM"), ("else", "/model/decoder/rnn_1/LSTM"))},
           to_steps=lambda x: x.transpose(0, 2, 1)),  # [frames, 128, 1]: a step each
    Layers("onnx-brainmaze-seizureA-bilstm.onnx", brainmaze,
           {"/lstm/LSTM": ("/lstm/LSTM", "/Transpose_output_0"),
            "/lstm/LSTM_1": ("/lstm/LSTM_1", "/lstm/Reshape_output_0")}),
    Whole("onnx-dtln-model1-op11.onnx", dtln_1, {n: n for n in ("activation_2", "tf_op_layer_stack_2")}),
    Whole("onnx-dtln-model2-op11-decomposed.onnx", dtln_2,
          {"model_2/multiply_2/mul": "model_2/multiply_2/mul:0", "tf_op_layer_stack_5": "tf_op_layer_stack_5"}),
]


def narrow_weights(path):
    """How many weights each element type of 2, 4 or 8 bits has."""
    counts = collections.Counter()
    for graph in walk(onnx.load(path).graph):
        for tensor in graph.initializer:
            counts[onnx.TensorProto.DataType.Name(tensor.data_type)] += int(np.prod(tensor.dims))
    return {name: counts[name] for name in ("INT2", "UINT2", "INT4", "UINT4", "INT8", "UINT8") if counts[name]}


def is_as_said(export, form, source_bytes):
    narrow = {name.removeprefix("U").lower() for name in narrow_weights(export)}
    return os.path.getsize(export) < source_bytes and narrow == (set() if form == "factors" else {form})


def dynamic_quantization(source, folder, inputs):
    """The bytes of what quantize_dynamic makes of the source, and what it did."""
    target, narrow = os.path.join(folder, "dynamic.onnx"), os.path.join(folder, "narrow.onnx")
    try:
        quantize_dynamic(source, target, weight_type=QuantType.QInt8)
        quantize_dynamic(source, narrow, weight_type=QuantType.QInt8, op_types_to_quantize=["LSTM", "MatMul"])
    except Exception as error:
        return "fails", f"fails: {str(error).splitlines()[0]}"
    kinds = collections.Counter(node.op_type for graph in walk(onnx.load(target).graph) for node in graph.node)
    done = ", ".join(f"{kinds[kind]} {kind}" for kind in
                     ("LSTM", "DynamicQuantizeLSTM", "MatMul", "MatMulInteger", "Conv", "ConvInteger") if kinds[kind])
    try:
        original, found = run_onnx(source, inputs), run_onnx(target, inputs)
        error = max(largest_difference(found[name], value) for name, value in original.items())
        done += f", outputs differ from the source's by {error:.1g}"
    except Exception as error:
        done += f", ONNX Runtime does not run it: {str(error).splitlines()[0]}"
    return os.path.getsize(target), f"{done}; {os.path.getsize(narrow)} bytes without convolutions"


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("lstmpack")
    parser.add_argument("shared")
    parser.add_argument("--only", default="", metavar="SUBSTRING", help="only the models whose file name has it")
    arguments = parser.parse_args()
    lstmpack, shared = os.path.abspath(arguments.lstmpack), os.path.abspath(arguments.shared)
    logging.disable(logging.WARNING)
    failed, notes = False, []
    print("| model | treatment | weights | outputs | last states | whole "
          "| source bytes | export | quantize_dynamic |")
    print("| --- | --- | --- | --: | --: | --: | --: | --: | --: |")
    for model in MODELS:
        if arguments.only not in model.file:
            continue
        source = os.path.join(shared, "models/dev", model.file)
        inputs = model.inputs(shared)
        with tempfile.TemporaryDirectory() as folder:
            dynamic, note = dynamic_quantization(source, folder, inputs)
            notes.append(f"- {model.file}: compared are {model.what()}. quantize_dynamic: {note}.")
            packed, export, floats = (os.path.join(folder, name) for name in ("m.bvq", "m.onnx", "float.onnx"))
            for treatment, (verb, *options), form in FORMS:
                run_quietly([lstmpack, verb, source, *options, "--out", packed, "--force"])
                for path, weights in ((export, form), (floats, "float")):
                    run_quietly([lstmpack, "export", packed, "--source", source, "--weights", weights, "--out", path,
                                 "--force"])
                outputs, states = model.differences(lstmpack, packed, export, inputs, folder)
                expected, found = run_onnx(floats, inputs), run_onnx(export, inputs)
                whole = max(largest_difference(found[name], value) for name, value in expected.items())
                good = max(outputs, states or 0, whole) < BOUND and is_as_said(export, form, os.path.getsize(source))
                failed |= not good
                print(f"| {model.file} | {treatment} | {form} | {outputs:.1e} | {'' if states is None else f'{states:.1e}'} "
                      f"| {whole:.1e} | {os.path.getsize(source)} | {os.path.getsize(export)} | {dynamic} |"
                      + ("" if good else f" **beyond the bound, or not as said: {narrow_weights(export)}**"), flush=True)
    print("\n" + "\n".join(notes))
    sys.exit(int(failed))


if __name__ == "__main__":
    main()
