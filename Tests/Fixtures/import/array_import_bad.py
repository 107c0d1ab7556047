"""Broken safetensors files in `safetensors/bad/`, written byte by byte."""

import json
import os
import struct

import numpy as np

from fixture_files import Random, folder

OUT = folder(os.path.join("safetensors", "bad"))
INPUTS, UNITS = 2, 2
SIZES = {"F32": 4, "F64": 8, "F16": 2, "I64": 8, "U8": 1}


def put(name, data):
    with open(os.path.join(OUT, name + ".safetensors"), "wb") as file:
        file.write(data)


def frame(header, data=b"", length=None):
    if not isinstance(header, bytes):
        header = json.dumps(header, separators=(",", ":")).encode()
    return struct.pack("<Q", len(header) if length is None else length) + header + data


def pack(arrays):
    """The header and the data of arrays."""
    header, data = {}, b""
    for name, array in arrays.items():
        part = np.asarray(array, np.float32).tobytes()
        header[name] = {"dtype": "F32", "shape": list(np.shape(array)),
                        "data_offsets": [len(data), len(data) + len(part)]}
        data += part
    return header, data


def lstm(layer=0, end="", inputs=INPUTS, gates=4):
    random = Random(f"bad {layer} {end}")
    shapes = {"weight_ih": (gates * UNITS, inputs), "weight_hh": (gates * UNITS, UNITS),
              "bias_ih": (gates * UNITS,), "bias_hh": (gates * UNITS,)}
    return {f"{part}_l{layer}{end}": random(*shape) for part, shape in shapes.items()}


def changed(name, **change):
    """A good file but for some fields of the entry of weight_hh_l0."""
    header, data = pack(lstm())
    header["weight_hh_l0"].update(change)
    put(name, frame(header, data))


def frames():
    header, data = pack(lstm())
    good = json.dumps(header, separators=(",", ":")).encode()
    put("empty_file", b"")
    put("seven_bytes", b"\x02\0\0\0\0\0\0")
    put("eight_bytes_only", struct.pack("<Q", len(good)))
    put("eight_zero_bytes", bytes(8))
    put("header_length_zero", frame(b"", data))
    put("header_length_beyond_file", frame(good, b"", length=len(good) + 1000))
    put("header_length_into_data", frame(good, data, length=len(good) + 16))
    put("header_cut_short", frame(good, b"", length=len(good))[:-20])
    put("header_length_one_gigabyte", frame(good, data, length=1 << 30))
    put("header_length_maximum", frame(good, data, length=(1 << 64) - 1))
    put("header_length_sign_bit", frame(good, data, length=1 << 63))
    put("header_length_minus_eight", frame(good, data, length=(1 << 64) - 8))
    put("header_not_json", frame(good.replace(b":", b"="), data))
    put("header_json_array", frame(b"[" + good + b"]", data))
    put("header_not_starting_with_brace", frame(b" " + good, data))
    put("header_trailing_text", frame(good + b"{}", data))
    put("header_not_utf8", frame(good.replace(b"weight_ih", b"weight_\xff\xfe"), data))
    put("header_deeply_nested", frame(b'{"a":' * 5000 + b"1" + b"}" * 5000, data))
    put("header_null_entry", frame(good[:-1] + b',"x":null}', data))
    entry = json.dumps(header["weight_ih_l0"], separators=(",", ":")).encode()
    put("header_duplicate_keys", frame(good[:-1] + b',"weight_ih_l0":' + entry + b"}", data))
    put("metadata_not_strings", frame({"__metadata__": {"a": 1}, **header}, data))
    put("metadata_not_an_object", frame({"__metadata__": "pt", **header}, data))
    put("data_missing", frame(good))
    put("data_cut_short", frame(good, data[:-4]))
    put("data_trailing_bytes", frame(good, data + b"garbage!"))
    put("no_tensors", frame(b"{}"))


def entries():
    header, data = pack(lstm())
    begin, end = header["weight_hh_l0"]["data_offsets"]
    changed("offsets_overlap", data_offsets=[begin - 16, end - 16])
    changed("offsets_same_as_another", data_offsets=[0, end - begin])
    changed("offsets_beyond_the_end", data_offsets=[begin + 4096, end + 4096])
    changed("offsets_end_before_begin", data_offsets=[end, begin])
    changed("offsets_negative", data_offsets=[-16, end - begin - 16])
    changed("offsets_huge", data_offsets=[(1 << 64) - (end - begin), 1 << 64])
    changed("offsets_maximum", data_offsets=[(1 << 63) - 1, (1 << 64) - 1])
    changed("offsets_fraction", data_offsets=[begin + 0.5, end + 0.5])
    changed("offsets_of_one_number", data_offsets=[begin])
    changed("offsets_of_three_numbers", data_offsets=[begin, end, end])
    changed("offsets_as_text", data_offsets=[str(begin), str(end)])
    changed("shape_bomb", shape=[1 << 32, 1 << 32])
    changed("shape_bomb_wraps_to_the_length", shape=[(1 << 62) + 2, 8])
    changed("shape_times_type_is_too_large", shape=[8, 3])
    changed("shape_times_type_is_too_small", shape=[8, 1])
    changed("shape_negative", shape=[-8, -2])
    changed("shape_zero", shape=[0, 2])
    changed("shape_not_a_list", shape=16)
    changed("shape_rank_100", shape=[8, 2] + [1] * 98)
    changed("type_unknown", dtype="F33")
    changed("type_number", dtype=4)
    changed("type_wrong_size", dtype="F64")
    changed("type_integer_weights", dtype="I32")
    for key in ("dtype", "shape", "data_offsets"):
        lacking, _ = pack(lstm())
        del lacking["weight_hh_l0"][key]
        put("entry_without_" + key, frame(lacking, data))

    hole, _ = pack(lstm())
    for name in list(hole)[1:]:
        hole[name]["data_offsets"] = [at + 16 for at in hole[name]["data_offsets"]]
    put("offsets_with_a_hole", frame(hole, data[:begin] + bytes(16) + data[begin:]))


def layers():
    def put_arrays(name, arrays):
        put(name, frame(*pack(arrays)))

    def without(arrays, *names):
        return {name: array for name, array in arrays.items() if name not in names}

    random = Random("bad layers")
    both = {**lstm(), **lstm(0, "_reverse")}
    put_arrays("lstm_three_gates_gru", lstm(gates=3))
    put_arrays("lstm_weight_ih_of_three_gates", {**lstm(), "weight_ih_l0": random(6, INPUTS)})
    put_arrays("lstm_rows_not_divisible_by_four",
               {name: array[:7] for name, array in lstm().items()})
    put_arrays("lstm_weight_hh_wide", {**lstm(), "weight_hh_l0": random(4 * UNITS, UNITS + 1)})
    put_arrays("lstm_weight_hh_narrow_without_projection",
               {**lstm(), "weight_hh_l0": random(4 * UNITS, UNITS - 1)})
    put_arrays("lstm_weight_hh_rank_1", {**lstm(), "weight_hh_l0": random(16)})
    put_arrays("lstm_weight_hh_rank_3", {**lstm(), "weight_hh_l0": random(8, 2, 1)})
    put_arrays("lstm_weight_hh_scalar", {**lstm(), "weight_hh_l0": random()})
    put_arrays("lstm_missing_weight_hh", without(lstm(), "weight_hh_l0"))
    put_arrays("lstm_missing_weight_ih", without(lstm(), "weight_ih_l0"))
    put_arrays("lstm_missing_bias_hh", without(lstm(), "bias_hh_l0"))
    put_arrays("lstm_missing_bias_ih", without(lstm(), "bias_ih_l0"))
    put_arrays("lstm_bias_short", {**lstm(), "bias_hh_l0": random(7)})
    put_arrays("lstm_missing_layer_1", {**lstm(), **lstm(2)})
    put_arrays("lstm_missing_layer_0", lstm(1))
    put_arrays("lstm_reverse_without_forward", lstm(0, "_reverse"))
    put_arrays("lstm_reverse_without_weight_hh", without(both, "weight_hh_l0_reverse"))
    put_arrays("lstm_reverse_of_other_input",
               {**lstm(), **lstm(0, "_reverse", inputs=INPUTS + 1)})
    put_arrays("lstm_layer_1_of_other_input", {**lstm(), **lstm(1, inputs=UNITS + 3)})
    put_arrays("lstm_projection_of_wrong_shape", {**lstm(), "weight_hr_l0": random(1, UNITS + 1)})
    for word, value in [("nan", np.nan), ("infinity", np.inf)]:
        arrays = lstm()
        arrays["weight_hh_l0"][1, 1] = value
        put_arrays("lstm_weights_" + word, arrays)
    zero = {name: np.zeros((0,) * array.ndim, np.float32) for name, array in lstm().items()}
    put_arrays("lstm_without_units", zero)
    raw, g = lstm(), lstm()
    raw["weight_hh_l0_raw"] = random(6, UNITS)
    put_arrays("lstm_raw_of_wrong_shape", raw)
    g["weight_hh_l0_g"] = random(4 * UNITS, 1)
    put_arrays("lstm_norm_g_without_v", without(g, "weight_hh_l0"))


def make():
    frames()
    entries()
    layers()
