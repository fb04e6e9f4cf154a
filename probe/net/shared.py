"""numpy arrays that two processes see: an unlinked file, passed on by its descriptor."""

from __future__ import annotations

import mmap
import os
import tempfile
from typing import Any

import numpy as np
from numpy.typing import DTypeLike, NDArray

_DIRECTORY = "/dev/shm" if os.path.isdir("/dev/shm") else None  # noqa: S108, PTH112
_AHEAD_BYTES = 1 << 20
_MADV_POPULATE_WRITE = 23


class SharedArray:
    """`array` lives until the last process that has `fd` or the mapping ends; nothing is left behind.

    `at_once`: have all pages mapped now. To meet each for the first time costs a packet loop a microsecond; one that
    fills an array from its start on, and cannot know how far it will come, has them mapped by `reach`.
    """

    def __init__(self, fd: int, dtype: DTypeLike, count: int, *, at_once: bool = False) -> None:
        self.fd = fd
        size = max(np.dtype(dtype).itemsize * count, 1)
        now = getattr(mmap, "MAP_POPULATE", 0) if at_once else 0
        self._memory = mmap.mmap(fd, size, flags=mmap.MAP_SHARED | now)
        self._mapped = size if at_once else 0
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

    def reach(self, rows: int) -> None:
        """`rows` are filled: have the pages of the next ones mapped (Linux 5.14 and later)."""
        size = len(self._memory)
        filled = rows * self.array.itemsize
        if self._mapped - filled >= _AHEAD_BYTES // 2 or self._mapped >= size:
            return
        start = max(self._mapped, filled - filled % mmap.PAGESIZE)
        end = min(filled - filled % mmap.PAGESIZE + _AHEAD_BYTES, size)
        try:
            self._memory.madvise(_MADV_POPULATE_WRITE, start, end - start)
        except (AttributeError, OSError):
            end = size
        self._mapped = end

    def close_fd(self) -> None:
        """Give up the descriptor (the mapping stays)."""
        if self.fd >= 0:
            os.close(self.fd)
            self.fd = -1
