"""HDF5 files of a few KB: the newer format (superblock 3), no time stamps, no reserved space."""

import os

import h5py
import numpy as np


def open_latest(path):
    fcpl = h5py.h5p.create(h5py.h5p.FILE_CREATE)
    fcpl.set_obj_track_times(False)
    fapl = h5py.h5p.create(h5py.h5p.FILE_ACCESS)
    fapl.set_libver_bounds(h5py.h5f.LIBVER_V110, h5py.h5f.LIBVER_V110)
    fapl.set_meta_block_size(64)
    return h5py.File(h5py.h5f.create(os.fsencode(path), h5py.h5f.ACC_TRUNC, fcpl, fapl))


def make_group(root, path):
    """The group at a path, with those on the way to it; none keeps the time it was made."""
    gcpl = h5py.h5p.create(h5py.h5p.GROUP_CREATE)
    gcpl.set_obj_track_times(False)
    at = root
    for name in path.split("/"):
        if name not in at:
            h5py.h5g.create(at.id, name.encode(), gcpl=gcpl)
        at = at[name]
    return at


def compact(path):
    """Rewrites a file of a library in this form: the same groups, datasets and attributes; string
    scalars of variable length become fixed."""
    small = path + ".small"
    with h5py.File(path, "r") as source, open_latest(small) as target:
        copy_attributes(source, target)

        def copy(name, item):
            if isinstance(item, h5py.Group):
                copy_attributes(item, make_group(target, name))
            else:
                copy_attributes(item, target.create_dataset(name, data=item[()]))

        source.visititems(copy)
    os.replace(small, path)


def copy_attributes(source, target):
    for name, value in source.attrs.items():
        if isinstance(value, str):
            value = np.bytes_(value.encode())
        elif h5py.check_string_dtype(value.dtype):
            value = np.array([v.encode() if isinstance(v, str) else v for v in value])
        target.attrs[name] = value
