"""The ONNX twin of the Keras model that train.py makes, built node by node, and a run of it."""

import numpy as np
import onnx
import onnxruntime
from onnx import TensorProto, helper, numpy_helper


def lstm_tensors(layer, prefix):
    """W [1, 4H, I], R [1, 4H, H] and B [1, 8H] of one Keras LSTM layer as ONNX initialisers.

    Keras stores the gates as i f c o with the units last; ONNX wants i o f c with the units first
    and a second bias, which is zero here.
    """
    kernel, recurrent, bias = layer.get_weights()

    def reorder(array):
        i, f, c, o = np.split(array, 4, axis=-1)
        return np.concatenate([i, o, f, c], axis=-1)

    tensors = {
        "W": reorder(kernel).T[np.newaxis],
        "R": reorder(recurrent).T[np.newaxis],
        "B": np.concatenate([reorder(bias), np.zeros_like(bias)])[np.newaxis],
    }
    return [
        numpy_helper.from_array(np.ascontiguousarray(array), f"{prefix}_{name}")
        for name, array in tensors.items()
    ]


def write_onnx(model, path):
    """Write the ONNX twin of `model`: characters [batch, time] to probabilities alike in shape."""
    embedding = model.get_layer("embedding").get_weights()[0]
    dense, dense_bias = model.get_layer("next_character").get_weights()
    tensors = [
        numpy_helper.from_array(embedding, "embedding"),
        *lstm_tensors(model.get_layer("lstm_1"), "lstm_1"),
        *lstm_tensors(model.get_layer("lstm_2"), "lstm_2"),
        numpy_helper.from_array(dense, "next_character_kernel"),
        numpy_helper.from_array(dense_bias, "next_character_bias"),
        numpy_helper.from_array(np.array([1], dtype=np.int64), "direction_axis"),
    ]
    node = helper.make_node
    nodes = [
        # The ONNX LSTM takes time first.
        node("Transpose", ["characters"], ["by_time"], "to_time_major", perm=[1, 0]),
        node("Gather", ["embedding", "by_time"], ["embedded"], "embedding", axis=0),
    ]
    previous = "embedded"
    for name in ("lstm_1", "lstm_2"):
        inputs = [previous, f"{name}_W", f"{name}_R", f"{name}_B"]
        nodes += [
            node("LSTM", inputs, [f"{name}_Y"], name, hidden_size=model.get_layer(name).units),
            node("Squeeze", [f"{name}_Y", "direction_axis"], [f"{name}_H"], f"{name}_squeeze"),
        ]
        previous = f"{name}_H"
    nodes += [
        node("Transpose", [previous], ["by_batch"], "to_batch_major", perm=[1, 0, 2]),
        node("MatMul", ["by_batch", "next_character_kernel"], ["product"], "next_character"),
        node("Add", ["product", "next_character_bias"], ["logits"], "next_character_add"),
        node("Softmax", ["logits"], ["probabilities"], "softmax", axis=-1),
    ]
    shape = ["batch", "time"]
    graph = helper.make_graph(
        nodes,
        "char_lm",
        [helper.make_tensor_value_info("characters", TensorProto.INT32, shape)],
        [
            helper.make_tensor_value_info(
                "probabilities", TensorProto.FLOAT, shape + [embedding.shape[0]]
            )
        ],
        initializer=tensors,
    )
    proto = helper.make_model(
        graph,
        producer_name="lstmpack-example",
        ir_version=8,
        opset_imports=[helper.make_opsetid("", 17)],
    )
    onnx.checker.check_model(proto, full_check=True)
    path.write_bytes(proto.SerializeToString(deterministic=True))


def run_onnx(path, indices):
    """The twin's probabilities [1, time, characters] in ONNX Runtime on one thread."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    session = onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
    return session.run(None, {"characters": indices[np.newaxis]})[0]
