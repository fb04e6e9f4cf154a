"""numpy arrays that two processes see: an unlinked file, passed on by its descriptor."""

from __future__ import annotations

import mmap
import os
import tempfile
from typing import Any

import numpy as np
from numpy.typing import DTypeLike, NDArray

_DIRECTORY = "/dev/shm" if os.path.isdir("/dev/shm") else None  # noqa: S108, PTH112


class SharedArray:
    """`array` lives until the last process that has `fd` or the mapping ends; nothing is left behind.

    `at_once`: have all pages mapped now. To meet each for the first time costs a packet loop a microsecond.
    """

    def __init__(self, fd: int, dtype: DTypeLike, count: int, *, at_once: bool = False) -> None:
        self.fd = fd
        size = max(np.dtype(dtype).itemsize * count, 1)
        now = getattr(mmap, "MAP_POPULATE", 0) if at_once else 0
        self._memory = mmap.mmap(fd, size, flags=mmap.MAP_SHARED | now)
        self.array: NDArray[Any] = np.frombuffer(self._memory, dtype, count)

    @classmethod
    def create(cls, dtype: DTypeLike, count: int) -> SharedArray:
        """A new one, all zero; raises OSError when memory or disk is full."""
        with tempfile.TemporaryFile(dir=_DIRECTORY) as file:
            fd = os.dup(file.fileno())
        size = max(np.dtype(dtype).itemsize * count, 1)
        if hasattr(os, "posix_fallocate"):
            os.posix_fallocate(fd, 0, size)
        else:
            os.ftruncate(fd, size)
        return cls(fd, dtype, count)

    def close_fd(self) -> None:
        """Give up the descriptor (the mapping stays)."""
        if self.fd >= 0:
            os.close(self.fd)
            self.fd = -1
