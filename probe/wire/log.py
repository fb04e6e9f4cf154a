"""The node's receive log: one row a media datagram that arrived, in arrival order."""

from __future__ import annotations

import zlib

import numpy as np
from numpy.typing import NDArray

from probe.errors import ProtocolError

LOG = np.dtype(
    [
        ("t2", "<i8"),
        ("t3", "<i8"),  # NEVER: not reflected
        ("index", "<u4"),
        ("down_seq", "<i4"),  # -1: not reflected
        ("stream", "<u2"),
        ("size", "<u2"),
        ("flags", "u1"),
    ],
    align=True,
)
_ROW_BYTES = sum(LOG[name].itemsize for name in LOG.names or ())
"""Of a packed row; in memory rows are aligned."""
RTX, DUPLICATE, KERNEL_T2, KERNEL_T3, FIRST_LOST, RED, FEC = 1, 2, 4, 8, 16, 32, 64
"""Bits of `flags`. FIRST_LOST: the first transmission is known not to have arrived (QUIC streams). RTX, RED, FEC:
a copy that this remedy brought; of RED and FEC the first of a packet whose original had not arrived."""


def pack_log(rows: NDArray[np.void]) -> bytes:
    """Compress log rows column by column, where neighbours resemble each other."""
    return zlib.compress(b"".join(np.ascontiguousarray(rows[name]).tobytes() for name in LOG.names or ()), 1)


def unpack_log(data: bytes, count: int) -> NDArray[np.void]:
    """The inverse of `pack_log`; raises ProtocolError for anything else."""
    expected = count * _ROW_BYTES
    decompressor = zlib.decompressobj()
    try:
        raw = decompressor.decompress(data, expected + 1)
    except zlib.error as error:
        raise ProtocolError(f"the node's receive log does not decompress: {error}") from None
    if len(raw) != expected or not decompressor.eof:
        raise ProtocolError(f"the node's receive log holds {len(raw)} bytes, not the {expected} it announces")
    rows = np.zeros(count, LOG)
    at = 0
    for name in LOG.names or ():
        column = LOG[name].itemsize * count
        rows[name] = np.frombuffer(raw, LOG[name], count, at)
        at += column
    return rows
