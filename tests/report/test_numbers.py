from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from probe.report import numbers


@pytest.mark.parametrize(
    ("value", "shown"),
    [(None, "–"), (0.0, "0.0"), (0.04, "0.04"), (0.999, "1.00"), (41.25, "41.2"), (1234.56, "1234.6")],
)
def test_milliseconds(value: float | None, shown: str) -> None:
    assert numbers.milliseconds(value) == shown


def test_infinite_is_shown_as_such_and_never_as_a_number() -> None:
    assert numbers.milliseconds(None, infinite=True) == "∞"
    assert numbers.quantity(None, "ms", infinite=True) == "∞"


def test_per_cent_has_two_decimals_and_its_counts_beside() -> None:
    assert numbers.percent(0.00533) == "0.53"
    assert numbers.share(8 / 1500, 8, 1500) == "0.53 (8/1500)"
    assert numbers.share(None, 0, 0) == "–"


def test_quantities_carry_their_unit() -> None:
    assert numbers.quantity(312.4, "ms") == "312.4 ms"
    assert numbers.quantity(0.533, "%") == "0.53 %"
    assert numbers.quantity(1.62, "") == "1.62x"
    assert numbers.quantity(169.2, "ms", signed=True) == "+169.2 ms"
    assert numbers.quantity(-0.001, "%", signed=True) == "0.00 %"
    assert numbers.limit(200.0, "ms") == "200 ms"
    assert numbers.limit(0.5, "%") == "0.5 %"


def test_a_value_never_reads_as_the_limit_it_misses() -> None:
    assert numbers.beside(200.04, "ms", 200.0) == "200.04 ms"
    assert numbers.beside(1.0004, "%", 1.0) == "1.0004 %"
    assert numbers.beside(200.0, "ms", 200.0) == "200.0 ms"
    assert numbers.beside(117.88, "ms", 200.0) == "117.9 ms"


@given(st.floats(0, 1e6), st.sampled_from(["ms", "%", ""]))
def test_beside_shows_a_difference_wherever_there_is_one(value: float, unit: str) -> None:
    shown = numbers.beside(value, unit, 200.0)
    assert value == 200.0 or abs(value - 200.0) < 1e-8 or shown != numbers.beside(200.0, unit, 200.0)


def test_durations() -> None:
    assert [numbers.duration(seconds) for seconds in (0, 7.2, 65, 3725)] == [
        "0 s",
        "8 s",
        "1:05 min",
        "1:02 h",
    ]
