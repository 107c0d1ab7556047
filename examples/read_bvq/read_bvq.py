#!/usr/bin/env python3
"""Reads .bvq files with numpy alone; written from formats/bvq/SPEC.md.

As a module:

    from read_bvq import load, matrix
    metadata, tensors = load("model.bvq")
    forget = matrix(tensors, "lstm_1/forward/recurrent/forget")

As a program:

    python3 read_bvq.py model.bvq            lists the tensors
    python3 read_bvq.py --sha256 model.bvq   the SHA-256 of each one's elements

It checks every rule about places, bytes and checksums; what the metadata say of layers (rule 19 and
section 4) it hands over as it is.
"""

import argparse
import hashlib
import json
import struct
import sys
import unicodedata
import zlib
from typing import NamedTuple

import numpy as np

MAGIC = bytes.fromhex("89425651 0D0A1A0A")
HEADER = struct.Struct("<8sHHIIIQQQQII")
RECORD = struct.Struct("<IHHHHIiIQQQQQ")
FLOAT32 = 3
SHARED = 1  # the required feature of shared factors
KINDS = {1: "matrix", 2: "leftFactor", 3: "rightFactor", 4: "vector", 5: "opaque", 6: "selfTest"}
LIMITS = {"metadata": 16 << 20, "tensors": 1 << 18, "names": 16 << 20, "elements": 1 << 31}


class BVQError(Exception):
    """The file breaks a rule of SPEC.md."""


class ElementType(NamedTuple):
    name: str
    numpy: str


ELEMENT_TYPES = {
    1: ElementType("float16", "<f2"),
    2: ElementType("bfloat16", "<u2"),  # its 16 bits: numpy has no such type
    3: ElementType("float32", "<f4"),
    4: ElementType("float64", "<f8"),
    5: ElementType("int8", "i1"),
    6: ElementType("int16", "<i2"),
    7: ElementType("int32", "<i4"),
    8: ElementType("int64", "<i8"),
    9: ElementType("uint8", "u1"),
    10: ElementType("uint16", "<u2"),
    11: ElementType("uint32", "<u4"),
    12: ElementType("uint64", "<u8"),
    13: ElementType("bool", "u1"),
}


class Encoding(NamedTuple):
    name: str
    bits: int  # 0 for five trits in a byte
    parameters: int


ENCODINGS = {
    1: Encoding("float16", 16, 0),
    2: Encoding("binary", 1, 1),
    3: Encoding("ternary2", 2, 1),
    4: Encoding("ternary5in8", 0, 1),
    5: Encoding("codebook2", 2, 4),
    6: Encoding("uniform3", 3, 2),
    7: Encoding("uniform4", 4, 2),
    8: Encoding("uniform8", 8, 2),
}


class Record(NamedTuple):
    name: str
    kind: int
    encoding: int
    element_type: int
    group_size: int
    scale_exponent: int
    crc: int
    rows: int
    columns: int
    offset: int
    length: int

    @property
    def storage(self):
        if self.encoding:
            return ENCODINGS[self.encoding].name
        return ELEMENT_TYPES[self.element_type].name


def check(condition, text):
    if not condition:
        raise BVQError(text)


def align(offset, multiple):
    return -(-offset // multiple) * multiple


def unique_keys(pairs):
    result = dict(pairs)
    check(len(result) == len(pairs), "metadata: a key stands twice in an object")
    return result


def row_bytes(encoding, columns):
    return align(columns, 5) // 5 if encoding.bits == 0 else (columns * encoding.bits + 7) // 8


def sizes(record):
    """The bytes of codes, of the gap, and the number of parameters."""
    encoding = ENCODINGS[record.encoding]
    codes = record.rows * row_bytes(encoding, record.columns)
    groups = align(record.columns, record.group_size) // record.group_size
    parameters = record.rows * groups * encoding.parameters
    return codes, codes % 2 if parameters else 0, parameters


def check_record(record):
    """Rules 13, 15 and 18."""
    name, smallest = record.name, 0 if record.kind in (5, 6) else 1
    check(record.kind in KINDS, f"{name}: unknown kind {record.kind}")
    check(
        min(record.rows, record.columns) >= smallest
        and max(record.rows, record.columns, record.rows * record.columns) <= LIMITS["elements"],
        f"{name}: impossible shape [{record.rows}, {record.columns}]",
    )
    if record.encoding:
        check(record.encoding in ENCODINGS, f"{name}: unknown encoding {record.encoding}")
        check(record.kind in (1, 2, 3) and record.element_type == 0, f"{name}: cannot be encoded")
        check(1 <= record.group_size <= record.columns, f"{name}: impossible group size")
        check(-126 <= record.scale_exponent <= 127, f"{name}: impossible scale exponent")
        codes, gap, parameters = sizes(record)
        length = codes + gap + 2 * parameters
    else:
        check(record.element_type in ELEMENT_TYPES, f"{name}: unknown element type")
        check(record.kind in (5, 6) or record.element_type == FLOAT32, f"{name}: must be float32")
        check(record.group_size == 0 and record.scale_exponent == 0, f"{name}: raw with groups")
        itemsize = np.dtype(ELEMENT_TYPES[record.element_type].numpy).itemsize
        length = record.rows * record.columns * itemsize
    check(record.length == length, f"{name}: has {record.length} bytes, needs {length}")


def read_directory(data):
    """Header, metadata and tensor table: returns the metadata and the records."""
    check(data[:8] == MAGIC, "not a .bvq file")
    check(len(data) >= HEADER.size, "cut off inside the header")
    (_, major, _, required, _, count, metadata_length, table, payload, length, pool_length, crc) = (
        HEADER.unpack_from(data)
    )
    check(major == 1, f"version {major} is not known")
    check(zlib.crc32(data[:60]) == crc, "header: wrong checksum")
    check(required & ~SHARED == 0, f"unknown required features {required:#x}")
    check(length == len(data), f"the header says {length} bytes, the file has {len(data)}")
    check(metadata_length <= LIMITS["metadata"], "too much metadata")
    check(count <= LIMITS["tensors"], "too many tensors")
    check(pool_length <= LIMITS["names"], "too many bytes of names")
    check(table == align(64 + metadata_length, 8), "wrong offset of the tensor table")
    pool = table + count * RECORD.size
    directory_end = pool + pool_length
    check(payload == align(directory_end + 4, 64), "wrong offset of the payload")
    trailer = length - 32
    check(payload <= trailer, "the tables do not fit into the file")
    (crc,) = struct.unpack_from("<I", data, directory_end)
    check(zlib.crc32(data[64:directory_end]) == crc, "metadata and tensor table: wrong checksum")
    check(not any(data[64 + metadata_length : table]), "padding is not zero")
    check(not any(data[directory_end + 4 : payload]), "padding is not zero")
    metadata = json.loads(
        bytes(data[64 : 64 + metadata_length]).decode("utf-8"), object_pairs_hook=unique_keys
    )
    check(isinstance(metadata, dict), "the metadata are not an object")
    check(("shared" in metadata) == bool(required & SHARED), "feature bit 0 and 'shared' disagree")

    records, name_end, begin, end = [], 0, payload, payload
    for index in range(count):
        (
            name_offset, name_length, kind, encoding, element_type, group_size, exponent, crc,
            rows, columns, offset, byte_count, reserved,
        ) = RECORD.unpack_from(data, table + index * RECORD.size)
        check(name_offset == name_end and 1 <= name_length <= 4096, f"tensor {index}: wrong name")
        name_end += name_length
        check(name_end <= pool_length, f"tensor {index}: the name ends after the pool")
        name = bytes(data[pool + name_offset : pool + name_end]).decode("utf-8")
        record = Record(
            name, kind, encoding, element_type, group_size, exponent, crc, rows, columns, offset,
            byte_count,
        )
        check(reserved == 0, f"{name}: reserved bytes are not zero")
        check_record(record)
        check(offset == begin, f"{name}: begins at {offset}, not at {begin}")
        end = offset + byte_count
        check(end <= trailer, f"{name}: reaches beyond the payload")
        begin = align(end, 64)
        check(not any(data[end : min(begin, trailer)]), f"{name}: padding is not zero")
        records.append(record)
    check(name_end == pool_length, "names are left over")
    check(end == trailer, "bytes are left over after the last tensor")
    names = {unicodedata.normalize("NFC", record.name) for record in records}
    check(len(names) == count, "a tensor name stands twice")
    factors = {record.name for record in records if record.kind in (2, 3)}
    for name, stored in metadata.get("shared", {}).items():
        path, other = name.split("/"), stored.split("/")
        # LAYER/DIRECTION/MATRIX/GATE/SIDE: the same layer, direction and side.
        alike = len(path) > 4 and path[:-3] == other[:-3] and path[-1] == other[-1]
        check(
            name not in names and stored in factors and alike,
            f"{name}: {stored} cannot stand for it",
        )
    return metadata, records


def unpack(record, rows):
    """The codes [rows, columns] of the bytes [rows, row bytes]."""
    encoding = ENCODINGS[record.encoding]
    if encoding.bits == 16:
        return rows.reshape(-1).view("<u2").reshape(record.rows, record.columns)
    if encoding.bits == 8:
        return rows
    if encoding.bits == 0:
        check(rows.max() < 243, f"{record.name}: illegal byte")
        digits = rows[:, :, None] // np.array([1, 3, 9, 27, 81], np.uint8) % 3
        codes = digits.reshape(record.rows, -1)
        check(not codes[:, record.columns :].any(), f"{record.name}: unused trits are not zero")
        return codes[:, : record.columns]
    bits = np.unpackbits(rows, axis=1, bitorder="little")
    used = record.columns * encoding.bits
    check(not bits[:, used:].any(), f"{record.name}: unused bits are not zero")
    bits = bits[:, :used].reshape(record.rows, record.columns, encoding.bits)
    weights = (1 << np.arange(encoding.bits)).astype(np.uint8)
    codes = (bits * weights).sum(axis=2, dtype=np.uint8)
    check(record.encoding != 3 or codes.max() < 3, f"{record.name}: illegal code")
    return codes


def decode(record, data):
    """The float32 weights [rows, columns] of an encoded tensor."""
    encoding = ENCODINGS[record.encoding]
    code_bytes, gap, parameter_count = sizes(record)
    rows = np.frombuffer(data, np.uint8, code_bytes).reshape(record.rows, -1)
    codes = unpack(record, rows)
    if encoding.parameters == 0:
        values = codes.view("<f2").astype(np.float32)
        check(np.isfinite(values).all(), f"{record.name}: a weight is not finite")
        return values
    check(not any(data[code_bytes : code_bytes + gap]), f"{record.name}: the gap is not zero")
    halves = np.frombuffer(data, "<f2", parameter_count, code_bytes + gap)
    check(np.isfinite(halves).all(), f"{record.name}: a parameter is not finite")
    factor = np.float32(2.0**record.scale_exponent)
    with np.errstate(over="ignore"):  # checked below
        parameters = halves.astype(np.float32) * factor
        parameters = parameters.reshape(record.rows, -1, encoding.parameters)
        group = np.arange(record.columns) // record.group_size
        first = parameters[:, group, 0]
        if encoding.name == "binary":
            values = np.where(codes == 1, first, -first)
        elif encoding.name.startswith("ternary"):
            values = np.where(codes == 1, first, np.where(codes == 2, -first, np.float32(0)))
        elif encoding.name == "codebook2":
            values = np.take_along_axis(parameters[:, group, :], codes[:, :, None], axis=2)[:, :, 0]
        else:  # two float32 operations, each rounded
            values = parameters[:, group, 1] + first * codes.astype(np.float32)
    check(np.isfinite(values).all(), f"{record.name}: a weight is not finite")
    return values


def load_records(path):
    """Reads and checks a file.

    Returns the metadata, the records, and the elements by name: float32 for matrices, factors and
    vectors; the source's own type and shape for the tensors of opaque layers.
    """
    with open(path, "rb") as file:
        data = file.read()
    metadata, records = read_directory(memoryview(data))
    check(hashlib.sha256(memoryview(data)[:-32]).digest() == data[-32:], "wrong SHA-256 at the end")
    shapes = {
        f"{layer['name']}/tensor/{index}": tensor["shape"]
        for layer in metadata["layers"]
        for index, tensor in enumerate(layer.get("tensors", []))
    }
    tensors = {}
    for record in records:
        payload = memoryview(data)[record.offset : record.offset + record.length]
        check(zlib.crc32(payload) == record.crc, f"{record.name}: wrong checksum")
        if record.encoding:
            values = decode(record, payload)
        else:
            values = np.frombuffer(payload, ELEMENT_TYPES[record.element_type].numpy)
            shape = shapes[record.name] if record.kind == 5 else (record.rows, record.columns)
            check(values.size == np.prod(shape, dtype=object), f"{record.name}: wrong shape")
            values = values.reshape(shape)
            check(
                record.kind in (5, 6) or np.isfinite(values).all(),
                f"{record.name}: a number is not finite",
            )
        tensors[record.name] = values
    return metadata, records, tensors


def load(path):
    """Reads a file: returns its metadata and its tensors by name. Factors stay factors; those that
    others stand for are there by their own names, too."""
    metadata, _, tensors = load_records(path)
    for name, stored in metadata.get("shared", {}).items():
        tensors[name] = tensors[stored]
    return metadata, tensors


def matrix(tensors, name):
    """A matrix by name, its factors multiplied when it is stored as two."""
    if name in tensors:
        return tensors[name]
    left, right = tensors[f"{name}/left"], tensors[f"{name}/right"]
    return (left.astype(np.float64) @ right.astype(np.float64)).astype(np.float32)


def main():
    parser = argparse.ArgumentParser(description="Lists the tensors of a .bvq file.")
    parser.add_argument("file")
    parser.add_argument(
        "--sha256", action="store_true", help="print name, shape and SHA-256 of the elements"
    )
    arguments = parser.parse_args()
    try:
        metadata, records, tensors = load_records(arguments.file)
    except (BVQError, OSError, ValueError, KeyError, TypeError) as error:
        sys.exit(f"{arguments.file}: {error}")
    if arguments.sha256:
        for record in records:
            values = tensors[record.name]
            shape = "x".join(map(str, values.shape))
            print(record.name, shape, hashlib.sha256(values.tobytes()).hexdigest(), sep="\t")
        return
    producer = metadata["producer"]
    print(f"written by {producer['name']} {producer['version']}")
    for record in records:
        shape = "x".join(map(str, tensors[record.name].shape))
        print(f"{record.length:>12} {record.storage:<12} {shape:<12} {record.name}")


if __name__ == "__main__":
    main()
