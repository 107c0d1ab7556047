"""Files that must be refused: texts, cut files, broken HDF5 and zip archives."""

import io
import json
import os
import struct
import zipfile
import zlib

import h5py
import numpy as np

from fixture_values import directions
from keras_fixtures import write_zip
from small_hdf5 import make_group, open_latest

LFS_POINTER = (
    b"version https://git-lfs.github.com/spec/v1\n"
    b"oid sha256:4d7a214614ab2935c943f9e0ff69d22eadbb8f32b1258daaa5e2ca24d17e2393\nsize 345678\n")
HTML = b"<!DOCTYPE html>\n<html><head><title>Sign in</title></head><body>Sign in</body></html>\n"


class Writer:
    def __init__(self, folder):
        self.folder, self.entries = folder, []

    def path(self, name):
        return os.path.join(self.folder, name)

    def add(self, name, wrong, outcome="error", make=None):
        entry = {"file": "bad/" + name, "wrong": wrong, "outcome": outcome}
        self.entries.append({**entry, "make": make} if make else entry)

    def bytes(self, name, wrong, data, outcome="error", make=None):
        with open(self.path(name), "wb") as file:
            file.write(data)
        self.add(name, wrong, outcome, make)


def read(*parts):
    with open(os.path.join(*parts), "rb") as file:
        return file.read()


def write(folder, keras, onnx):
    import bad_onnx

    w = Writer(folder)
    write_texts(w, keras, onnx)
    write_foreign(w)
    write_hdf5(w)
    write_hdf5_storage(w)
    write_archives(w)
    bad_onnx.write(w)
    return w.entries


def write_texts(w, keras, onnx):
    w.bytes("html.h5", "an HTML page named .h5", HTML)
    w.bytes("html.keras", "an HTML page named .keras", HTML)
    w.bytes("text.onnx", "a text named .onnx", b"This is not a model.\nIt is two lines of text.\n")
    w.bytes("empty.h5", "no bytes at all", b"")
    w.bytes("empty.onnx", "no bytes at all: also an empty protobuf", b"")
    w.bytes("lfs-pointer.h5", "a Git LFS pointer in place of the file", LFS_POINTER)
    w.bytes("lfs-pointer.onnx", "a Git LFS pointer in place of the file", LFS_POINTER)
    noise = np.random.default_rng(7).integers(0, 256, 500, dtype=np.uint8).tobytes()
    w.bytes("random.h5", "random bytes", noise)
    w.bytes("random.onnx", "random bytes", noise)
    w.bytes("random.keras", "random bytes", noise)
    good = read(keras, "storage-float16.h5")
    w.bytes("truncated-100.h5", "the first 100 bytes of an HDF5 file", good[:100])
    w.bytes("truncated-tail.h5", "an HDF5 file without its last 64 bytes", good[:-64])
    good = read(onnx, "initializers.onnx")
    w.bytes("truncated.onnx", "an ONNX file without its last 20 bytes", good[:-20])
    good = read(keras, "k3-float16.keras")
    w.bytes("truncated.keras", "a zip archive cut before its directory", good[:800])
    w.add("folder.h5", "a directory named .h5", make={"kind": "directory"})


def write_foreign(w):
    """Models and arrays of other tools."""
    w.bytes("converted.tflite", "a TensorFlow Lite model",
            struct.pack("<I", 28) + b"TFL3" + bytes(40))
    w.bytes("weights.gguf", "a GGUF file", b"GGUF" + struct.pack("<I", 3) + bytes(40))
    w.bytes("old-torch.pt", "a pickle of protocol 2, as torch.save wrote before PyTorch 1.6",
            b"\x80\x02\x8a\nl\xfc\x9cF\xf9 j\xa8P\x19.\x80\x02M\xe9\x03.")
    with zipfile.ZipFile(w.path("arrays.npz"), "w") as archive:
        data = io.BytesIO()
        np.save(data, np.zeros(3, np.float32))
        archive.writestr(zipfile.ZipInfo("weights.npy"), data.getvalue())
    w.add("arrays.npz", "an .npz of arrays")


# HDF5 files of one LSTM "lstm" with 2 units and 3 inputs, each broken in one place.


def config(units=2, **changes):
    layer = {"name": "lstm", "units": units, "activation": "tanh",
             "recurrent_activation": "sigmoid", "use_bias": True,
             "batch_input_shape": [None, 5, 3], **changes}
    return {"class_name": "Sequential", "config": [{"class_name": "LSTM", "config": layer}]}


def good_arrays():
    return dict(zip(("kernel", "recurrent_kernel", "bias"), directions(1)[0].keras()))


def write_model(path, arrays, names=None, model_config=None):
    """Returns the open file; `arrays` maps names under the layer's group to arrays."""
    file = open_latest(path)
    text = json.dumps(config()) if model_config is None else model_config
    file.attrs["model_config"] = np.bytes_(text.encode())
    file.attrs["keras_version"] = np.bytes_(b"2.4.0")
    root = make_group(file, "model_weights")
    root.attrs["layer_names"] = np.array([b"lstm"])
    layer = make_group(root, "lstm")
    layer.attrs["weight_names"] = np.array(
        [n.encode() for n in names or ("kernel", "recurrent_kernel", "bias")])
    for name, array in arrays.items():
        if array is not None:
            layer.create_dataset(name, data=array)
    return file


def write_hdf5(w):
    def model(name, wrong, outcome="error", names=None, model_config=None, **changes):
        write_model(w.path(name), {**good_arrays(), **changes}, names, model_config).close()
        w.add(name, wrong, outcome)

    f4 = np.float32
    model("kernel-3h.h5", "class LSTM, but kernels of 3 gates", kernel=np.ones((3, 6), f4),
          recurrent_kernel=np.ones((2, 6), f4), bias=np.ones(6, f4))
    model("units-contradict.h5", "the config says 3 units, the arrays have 2",
          model_config=json.dumps(config(units=3)))
    model("recurrent-not-square.h5", "recurrent kernel [3, 8] with 2 units",
          recurrent_kernel=np.ones((3, 8), f4))
    model("bias-short.h5", "bias of 7 numbers with 2 units", bias=np.ones(7, f4))
    model("kernel-rank-3.h5", "kernel of rank 3", kernel=np.ones((3, 8, 1), f4))
    model("kernel-scalar.h5", "kernel without axes", kernel=f4(1))
    model("kernel-empty.h5", "kernel [0, 8]", kernel=np.ones((0, 8), f4))
    model("kernel-int32.h5", "kernel of integers", kernel=np.ones((3, 8), np.int32))
    model("kernel-compound.h5", "kernel of a compound type",
          kernel=np.zeros((3, 8), [("a", "<f4"), ("b", "<f4")]))
    model("kernel-string.h5", "kernel of strings", kernel=np.full((3, 8), b"1"))
    model("kernel-nan.h5", "NaN in the kernel", kernel=np.where(
        np.arange(24).reshape(3, 8) == 13, np.nan, 1).astype(f4))
    model("bias-infinite.h5", "infinity in the bias",
          bias=np.array([1, 2, 3, np.inf, 5, 6, 7, 8], f4))
    model("kernel-too-large-for-float32.h5", "1e300 in a float64 kernel",
          kernel=np.full((3, 8), 1e300))
    model("dataset-missing.h5", "weight_names lists a dataset that is not there", bias=None)
    model("recurrent-missing.h5", "weight_names lists kernel and bias only",
          names=("kernel", "bias"), recurrent_kernel=None)
    model("bias-missing.h5", "use_bias true, weight_names lists the kernels only",
          names=("kernel", "recurrent_kernel"), bias=None,
          model_config=json.dumps(config(use_bias=True)))
    model("config-not-json.h5", "model_config is not JSON", model_config="{'class_name': LSTM,")
    model("config-deep.h5", "model_config of 10,000 nested arrays",
          model_config="[" * 10_000 + "]" * 10_000)
    model("config-list.h5", "model_config is a number", model_config="42")
    model("config-units-text.h5", "units is a text", model_config=json.dumps(config("many")))
    model("config-units-huge.h5", "units is 10^18", model_config=json.dumps(config(10**18)))
    model("time-major.h5", "time_major true", "skip",
          model_config=json.dumps(config(time_major=True)))
    many = {"class_name": "Bidirectional", "config": {
        "name": "lstm", "merge_mode": "concat", "layer": config()["config"][0]}}
    model("bidirectional-half.h5", "Bidirectional with the arrays of one direction",
          model_config=json.dumps({"class_name": "Sequential", "config": [many]}))

    with write_model(w.path("layer-names-missing.h5"), good_arrays()) as file:
        del file["model_weights"].attrs["layer_names"]
    w.add("layer-names-missing.h5", "model_weights without layer_names")
    with write_model(w.path("layer-names-numbers.h5"), good_arrays()) as file:
        file["model_weights"].attrs["layer_names"] = np.arange(3)
    w.add("layer-names-numbers.h5", "layer_names holds integers")
    with write_model(w.path("layer-group-missing.h5"), good_arrays()) as file:
        file["model_weights"].attrs["layer_names"] = np.array([b"lstm", b"other"])
    w.add("layer-group-missing.h5", "layer_names lists a group that is not there")
    with write_model(w.path("dataset-is-group.h5"), {**good_arrays(), "bias": None}) as file:
        make_group(file["model_weights/lstm"], "bias")
    w.add("dataset-is-group.h5", "a group where a dataset should be")
    with open_latest(w.path("not-keras.h5")) as file:
        file.create_dataset("measurements", data=np.arange(10.0))
    w.add("not-keras.h5", "an HDF5 file that is not Keras")
    with open_latest(w.path("no-objects.h5")):
        pass
    w.add("no-objects.h5", "an HDF5 file with nothing in it")


def write_hdf5_storage(w):
    """What a kernel can be besides a plain dataset."""
    def kernel(name, wrong, make, outcome="error"):
        with write_model(w.path(name), {**good_arrays(), "kernel": None}) as file:
            make(file, file["model_weights/lstm"])
        w.add(name, wrong, outcome)

    def soft_link(file, layer):
        file.create_dataset("elsewhere", data=good_arrays()["kernel"])
        layer["kernel"] = h5py.SoftLink("/elsewhere")

    def soft_link_to_itself(file, layer):
        layer["kernel"] = h5py.SoftLink("/model_weights/lstm/kernel")

    def external_link(file, layer):
        layer["kernel"] = h5py.ExternalLink("not-keras.h5", "/measurements")

    def external_storage(file, layer):
        layer.create_dataset("kernel", (3, 8), "<f4", external=[("html.h5", 0, 96)])

    def virtual(file, layer):
        dcpl = h5py.h5p.create(h5py.h5p.DATASET_CREATE)
        dcpl.set_obj_track_times(False)
        space = h5py.h5s.create_simple((3, 8))
        dcpl.set_virtual(space, b"not-keras.h5", b"measurements", space)
        h5py.h5d.create(layer.id, b"kernel", h5py.h5t.IEEE_F32LE, space, dcpl)

    def declared(file, layer):
        layer.create_dataset("kernel", (125_000_000_000, 8), "<f4", chunks=(1024, 8))

    def unwritten(file, layer):
        layer.create_dataset("kernel", (2**21, 8), "<f4", chunks=(1024, 8))

    def overflowing(file, layer):
        layer.create_dataset("kernel", (2**61, 8), "<f4", chunks=(1024, 8))

    def bomb(file, layer):
        # 1.3 GB of zeros in 20 chunks, each deflated twice.
        rows = 2**21
        dcpl = h5py.h5p.create(h5py.h5p.DATASET_CREATE)
        dcpl.set_chunk((rows, 8))
        dcpl.set_deflate(9)
        dcpl.set_deflate(9)
        dcpl.set_obj_track_times(False)
        space = h5py.h5s.create_simple((20 * rows, 8))
        made = h5py.h5d.create(layer.id, b"kernel", h5py.h5t.IEEE_F32LE, space, dcpl)
        chunk = zlib.compress(zlib.compress(bytes(rows * 32), 9), 9)
        for index in range(20):
            made.write_direct_chunk((index * rows, 0), chunk)

    def broken_chunk(file, layer):
        made = layer.create_dataset("kernel", (3, 8), "<f4", chunks=(3, 8), compression="gzip")
        made.id.write_direct_chunk((0, 0), b"this is not deflated")

    def unknown_filter(file, layer):
        dcpl = h5py.h5p.create(h5py.h5p.DATASET_CREATE)
        dcpl.set_chunk((3, 8))
        dcpl.set_filter(32768 - 1, h5py.h5z.FLAG_OPTIONAL)
        dcpl.set_obj_track_times(False)
        made = h5py.h5d.create(layer.id, b"kernel", h5py.h5t.IEEE_F32LE,
                               h5py.h5s.create_simple((3, 8)), dcpl)
        made.write_direct_chunk((0, 0), bytes(96))

    def group_in_itself(file, layer):
        layer.create_dataset("kernel", data=good_arrays()["kernel"])
        layer["again"] = file["model_weights"]

    kernel("soft-link.h5", "a soft link where the kernel should be", soft_link)
    kernel("soft-link-circle.h5", "a soft link to itself", soft_link_to_itself)
    kernel("external-link.h5", "a link to a dataset of another file", external_link)
    kernel("external-storage.h5", "a dataset whose bytes are in another file", external_storage)
    kernel("virtual-dataset.h5", "a virtual dataset", virtual)
    kernel("shape-1e12.h5", "a declared shape of 10^12 elements, nothing stored", declared)
    kernel("shape-64-mb-unwritten.h5", "a declared shape of 64 MB, nothing stored", unwritten)
    kernel("shape-overflow.h5", "a declared shape of 2^64 elements", overflowing)
    kernel("gzip-bomb.h5", "1.3 GB of zeros in a few KB", bomb)
    kernel("chunk-not-deflated.h5", "a chunk that does not inflate", broken_chunk)
    kernel("unknown-filter.h5", "a filter that nobody has", unknown_filter)
    kernel("group-in-itself.h5", "a group that holds its own parent", group_in_itself, "either")


# `.keras` archives


def v3_weights(w, arrays):
    path = w.path("v3.tmp")
    with open_latest(path) as file:
        for name, array in zip("012", arrays):
            make_group(file, "layers/lstm/cell/vars").create_dataset(name, data=array)
        make_group(file, "layers/lstm/vars").attrs["name"] = np.bytes_(b"lstm")
    data = read(path)
    os.remove(path)
    return data


def write_archives(w):
    layer = {"module": "keras.layers", "class_name": "LSTM", "config": {
        "name": "lstm", "units": 2, "activation": "tanh", "recurrent_activation": "sigmoid",
        "use_bias": True}, "registered_name": None, "build_config": {"input_shape": [None, 5, 3]}}
    settings = json.dumps({"module": "keras", "class_name": "Sequential", "config": {
        "name": "model", "layers": [layer]}, "registered_name": None}).encode()
    metadata = json.dumps({"keras_version": "3.15.1"}).encode()
    arrays = list(good_arrays().values())
    weights = v3_weights(w, arrays)
    good = [("metadata.json", metadata), ("config.json", settings), ("model.weights.h5", weights)]

    def archive(name, wrong, members, outcome="error"):
        write_zip(w.path(name), members)
        w.add(name, wrong, outcome)

    archive("config-missing.keras", "no config.json", [good[0], good[2]])
    archive("weights-missing.keras", "no model.weights.h5", good[:2])
    archive("weights-npz.keras", "model.weights.npz in place of .h5",
            good[:2] + [("model.weights.npz", b"PK\x05\x06" + bytes(18))])
    archive("lstm-without-weights.keras", "the config names an LSTM, the weights have none",
            good[:2] + [("model.weights.h5", v3_weights(w, []))])
    archive("lstm-without-recurrent.keras", "an LSTM with one array",
            good[:2] + [("model.weights.h5", v3_weights(w, arrays[:1]))])
    archive("weights-not-hdf5.keras", "model.weights.h5 is a text",
            good[:2] + [("model.weights.h5", HTML)])
    archive("config-deep.keras", "config.json of 10,000 nested arrays",
            [good[0], ("config.json", b"[" * 10_000 + b"]" * 10_000), good[2]])
    archive("pickle.keras", "a zip like those of torch.save", [
        ("archive/data.pkl", b"\x80\x02}q\x00X\x06\x00\x00\x00weightq\x01K\x01s."),
        ("archive/version", b"3\n"), ("archive/data/0", bytes(64))])
    archive("climbing-member.keras", "a member named ../config.json besides the good ones",
            good + [("../config.json", b"{}")], "either")
    archive("no-members.keras", "a zip without members", [])

    write_zip(w.path("bad-crc.keras"), good)
    data = bytearray(read(w.path("bad-crc.keras")))
    at = data.index(weights) + weights.index(arrays[0].tobytes())
    data[at] ^= 1
    w.bytes("bad-crc.keras", "one bit of the kernel differs from what the CRC says", bytes(data))

    bomb = zipfile.ZipInfo("model.weights.h5", (2026, 1, 1, 0, 0, 0))
    bomb.compress_type = zipfile.ZIP_DEFLATED
    with zipfile.ZipFile(w.path("zip-bomb.keras"), "w") as file:
        for name, data in good[:2]:
            file.writestr(zipfile.ZipInfo(name, (2026, 1, 1, 0, 0, 0)), data)
        file.writestr(bomb, weights + bytes(16_000_000), compresslevel=9)
    w.add("zip-bomb.keras", "a member of 16 MB in 16 KB, beyond 100 times its stored size")

    # The sizes in the directory and in front of the member differ.
    write_zip(w.path("huge-member.keras"), good)
    data = bytearray(read(w.path("huge-member.keras")))
    at = data.rindex(b"PK\x01\x02")
    data[at + 24:at + 28] = (0xFFFFFFF0).to_bytes(4, "little")
    w.bytes("huge-member.keras", "the directory says 4 GB for a member of 4 KB", bytes(data))
