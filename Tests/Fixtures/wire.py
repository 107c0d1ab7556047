"""Protobuf fields by hand, for files that no library writes."""

import struct


def varint(n):
    n &= (1 << 64) - 1  # negative numbers take ten bytes
    out = bytearray()
    while n > 0x7F:
        out.append(n & 0x7F | 0x80)
        n >>= 7
    out.append(n)
    return bytes(out)


def varint_field(number, n):
    return varint(number << 3) + varint(n)


def bytes_field(number, data):
    return varint(number << 3 | 2) + varint(len(data)) + data


def float_field(number, value):
    return varint(number << 3 | 5) + struct.pack("<f", value)
