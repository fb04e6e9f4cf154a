"""Pieces cover what they are of, and the memory of whole numbers can hold them as floats."""

from __future__ import annotations

import numpy as np
import pytest

from probe.analysis.pieces import into_floats, pieces


@pytest.mark.parametrize(("count", "length"), [(0, 3), (1, 3), (3, 3), (10, 3), (10, 100)])
def test_pieces_are_the_whole_in_order(count: int, length: int) -> None:
    found = list(pieces(count, length))
    assert [i for piece in found for i in range(piece.start, piece.stop)] == list(range(count))
    assert all(0 < piece.stop - piece.start <= length for piece in found)


def test_floats_take_the_place_of_whole_numbers(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("probe.analysis.pieces.PIECE", 4)
    numbers = np.random.default_rng(2).integers(-(1 << 60), 1 << 60, 11)
    expected = numbers.astype(np.float64)
    floats = into_floats(numbers)
    assert floats.tolist() == expected.tolist()
    assert np.shares_memory(floats, numbers)
