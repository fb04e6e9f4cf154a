"""Arrays that two processes see."""

from __future__ import annotations

import mmap
import platform
import sys

import numpy as np
import pytest

from probe.net.shared import SharedArray

ROWS = 400_000


def populates() -> bool:
    """Whether the kernel maps pages when it is asked to (Linux 5.14)."""
    release = platform.release().split(".")
    return sys.platform == "linux" and (int(release[0]), int(release[1])) >= (5, 14)


@pytest.mark.skipif(not populates(), reason="MADV_POPULATE_WRITE")
def test_who_fills_an_array_in_order_meets_no_page_for_the_first_time() -> None:
    from resource import RUSAGE_SELF, getrusage

    shared, met = SharedArray.create(np.int64, ROWS), 0
    for row in range(0, ROWS, 10_000):
        shared.reach(row)  # the pages that it maps count as met, too
        before = getrusage(RUSAGE_SELF).ru_minflt
        shared.array[row : row + 10_000] = row
        met += getrusage(RUSAGE_SELF).ru_minflt - before
    assert met < ROWS * 8 // mmap.PAGESIZE // 4
    assert (shared.array == np.repeat(np.arange(0, ROWS, 10_000), 10_000)).all()
    shared.close_fd()


def test_an_array_of_no_rows_has_nothing_to_reach() -> None:
    shared = SharedArray.create(np.int64, 0)
    shared.reach(0)
    shared.reach(0)
    assert len(shared.array) == 0
    shared.close_fd()
