"""Pieces of rows of bytes that begin at another column in each row."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Bytes = NDArray[np.uint8]
Places = NDArray[np.int64]


def padded(width: int) -> int:
    """The next multiple of eight: rows of such a width are read as words."""
    return (width + 7) & ~7


def place(out: Bytes, start: Places, source: Bytes, length: Places) -> None:
    """Write the first `length` bytes of each row of `source` into that row of `out`, from column `start` on."""
    if _alike(start) and _alike(length):
        for first, count in zip(start[:1].tolist(), length[:1].tolist(), strict=True):
            out[:, first : first + count] = source[:, :count]
        return
    column = np.arange(out.shape[1])
    to = (column >= start[:, None]) & (column < (start + length)[:, None])
    out[to] = source[np.arange(source.shape[1]) < length[:, None]]


def cut(data: Bytes, start: Places, length: Places, width: int) -> Bytes:
    """(n, width) the `length` bytes of each row from column `start` on, then zeros. All lie within the row."""
    out = np.zeros((len(data), width), np.uint8)
    if _alike(start) and _alike(length):
        for first, count in zip(start[:1].tolist(), length[:1].tolist(), strict=True):
            out[:, :count] = data[:, first : first + count]
        return out
    column = np.arange(data.shape[1])
    of = (column >= start[:, None]) & (column < (start + length)[:, None])
    out[np.arange(width) < length[:, None]] = data[of]
    return out


def _alike(numbers: Places) -> bool:
    return not np.count_nonzero(numbers != numbers[:1])
