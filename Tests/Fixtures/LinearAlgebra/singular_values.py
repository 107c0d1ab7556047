#!/usr/bin/env python3
"""Prints the singular values that SingularValueDecompositionTests expects (numpy, double precision)."""
import numpy as np

rows, columns = 12, 9
a = np.array([[((i * i * 7 + j * 13 + i * j * 5) % 23 - 11) / 8 for j in range(columns)] for i in range(rows)])
print(", ".join(f"{s:.9f}" for s in np.linalg.svd(a, compute_uv=False)))
