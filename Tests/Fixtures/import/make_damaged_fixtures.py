"""Damages a Keras file in the ways in which fuzzing made libhdf5 1.10 crash, hang or fill the memory,
in `damaged/<what>.h5`. Each is what a fuzzer found, made again in a small file of our own.

Needs h5py only. Source of the layout: the HDF5 file format specification, version 3.
"""

import os
import struct

import h5py
import numpy as np

from fixture_files import folder

FOLDER = folder("damaged")


def small_model():
    """A file of weights whose attributes are texts of variable length, as Keras writes them."""
    path = os.path.join(FOLDER, "scratch.h5")
    with h5py.File(path, "w") as file:
        file.attrs["keras_version"] = "2.5.0"
        file.attrs["model_config"] = '{"class_name": "Sequential", "config": []}'
        file.attrs.create("layer_names", [b"lstm"])
        group = file.create_group("lstm")
        group.attrs.create("weight_names", [b"lstm/kernel:0"])
        group["lstm/kernel:0"] = np.zeros((2, 8), np.float32)
    with open(path, "rb") as file:
        data = bytearray(file.read())
    os.remove(path)
    return data


def damage(name, change):
    data = small_model()
    change(data)
    with open(os.path.join(FOLDER, f"{name}.h5"), "wb") as file:
        file.write(data)


def heap_object(data):
    """Where the first object of the global heap begins: index, count, reserved, size."""
    return data.index(b"GCOL") + 16


def reference(data):
    """Where an attribute refers to the heap: length, address, index."""
    return data.index(struct.pack("<Q", data.index(b"GCOL"))) - 4


def rows(data):
    """Where the shape of the kernel says how many rows it has."""
    return data.index(struct.pack("<QQ", 2, 8))


def main():
    damage("heap-object-of-no-size",
           lambda d: d.__setitem__(slice(heap_object(d) + 8, heap_object(d) + 16), bytes(8)))
    damage("heap-object-beyond-heap",
           lambda d: d.__setitem__(slice(heap_object(d) + 8, heap_object(d) + 16),
                                   struct.pack("<Q", 1 << 40)))
    damage("heap-index-not-there",
           lambda d: d.__setitem__(slice(reference(d) + 12, reference(d) + 16),
                                   struct.pack("<I", 0xFFFF)))
    damage("text-of-4-gb",
           lambda d: d.__setitem__(slice(reference(d), reference(d) + 4),
                                   struct.pack("<I", 0xFFFFFF00)))
    damage("tree-child-nowhere",
           lambda d: d.__setitem__(slice(d.index(b"TREE") + 32, d.index(b"TREE") + 40), b"\xff" * 8))
    damage("shape-of-16-mb-in-64-bytes",
           lambda d: d.__setitem__(slice(rows(d), rows(d) + 8), struct.pack("<Q", 500_000)))


if __name__ == "__main__":
    main()
