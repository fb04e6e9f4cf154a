"""Numbers at many places of one block of bytes, as arrays: a view that has one at every byte, indexed."""

from __future__ import annotations

from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

Positions: TypeAlias = NDArray[np.int64]


class Bytes:
    """Big-endian fields unless `order` is `<`. A place beyond the end reads as the last one before it."""

    def __init__(self, data: NDArray[np.uint8], order: str = ">") -> None:
        self.data, self.order = data, order

    def __len__(self) -> int:
        return len(self.data)

    def u8(self, at: Positions) -> Positions:
        return self._at(at, "u1")

    def u16(self, at: Positions) -> Positions:
        return self._at(at, "u2")

    def u32(self, at: Positions) -> Positions:
        return self._at(at, "u4")

    def u64(self, at: Positions) -> NDArray[np.uint64]:
        return self._view("u8", at).astype(np.uint64)

    def _at(self, at: Positions, kind: str) -> Positions:
        return self._view(kind, at).astype(np.int64)

    def _view(self, kind: str, at: Positions) -> NDArray[Any]:
        dtype = np.dtype(self.order + kind)
        places = len(self.data) - dtype.itemsize + 1
        if places < 1 or len(at) == 0:
            return np.zeros(len(at), dtype)
        view: NDArray[Any] = np.ndarray((places,), dtype, self.data, strides=(1,))
        return view[np.minimum(at, places - 1)]
