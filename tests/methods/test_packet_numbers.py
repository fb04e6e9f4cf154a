from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from probe.methods.packet_numbers import PacketNumbers


@given(st.lists(st.integers(0, 40)))
def test_it_is_a_set(numbers: list[int]) -> None:
    found = PacketNumbers()
    for number in numbers:
        found.add(number)
    assert [number for number in range(42) if number in found] == sorted(set(numbers))
    assert len(found) == len(set(numbers))


def test_it_is_as_small_as_its_gaps_are_few() -> None:
    found = PacketNumbers()
    for number in [0, 1, 2, 5, 4, 3, 9, 7]:
        found.add(number)
    assert (found._starts, found._stops) == ([0, 7, 9], [6, 8, 10])
