from __future__ import annotations

from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from probe.plan import scalars


@pytest.mark.parametrize(
    ("parse", "text", "value"),
    [
        (scalars.parse_duration, "30s", 30_000_000_000),
        (scalars.parse_duration, "1.5 ms", 1_500_000),
        (scalars.parse_duration, "14d", 14 * 86_400 * 10**9),
        (scalars.parse_duration, "0s", 0),
        (scalars.parse_size, "1200B", 1200),
        (scalars.parse_size, "16MiB", 16 << 20),
        (scalars.parse_rate, "1200kbps", 1_200_000),
        (scalars.parse_rate, "2.5Mbps", 2_500_000),
        (scalars.parse_percent, "95%", 0.95),
        (scalars.parse_percent, "0.5%", 0.005),
        (scalars.parse_clock, "19:00", 19 * 60),
        (scalars.parse_clock, "4:05", 4 * 60 + 5),
        (scalars.parse_clock, "24:00", 24 * 60),
    ],
)
def test_reads_a_number_with_its_unit(parse: Callable[[object], float], text: str, value: float) -> None:
    assert parse(text) == value


@pytest.mark.parametrize(
    ("parse", "value", "sentence"),
    [
        (scalars.parse_duration, 30, "30 has no unit: write a duration such as 30s, 200ms or 5m"),
        (scalars.parse_duration, "30", "'30' has no unit: write a duration such as 30s, 200ms or 5m"),
        (scalars.parse_duration, "30S", "'30S' has the unknown unit 'S': did you mean 's'?"),
        (
            scalars.parse_duration,
            "30sec",
            "'30sec' has the unknown unit 'sec': use ns, us, ms, s, m, h, d",
        ),
        (scalars.parse_duration, "-1s", "'-1s' is negative: a duration is zero or more"),
        (scalars.parse_duration, "0.5ns", "'0.5ns' is not a whole number of ns"),
        (scalars.parse_duration, "99999999d", "'99999999d' is too large for a duration"),
        (scalars.parse_duration, True, "true is not a duration: write 30s, 200ms or 5m"),
        (scalars.parse_duration, None, "nothing is not a duration: write 30s, 200ms or 5m"),
        (scalars.parse_duration, [1], "a list is not a duration: write 30s, 200ms or 5m"),
        (scalars.parse_duration, "soon", "'soon' is not a duration: write 30s, 200ms or 5m"),
        (scalars.parse_rate, 1200, "1200 has no unit: write a rate such as 1200kbps or 2.5Mbps"),
        (
            scalars.parse_rate,
            "1mbps",
            "'1mbps' has the unknown unit 'mbps': did you mean 'Mbps'?",
        ),
        (scalars.parse_size, 1200, "1200 has no unit: write a size such as 1200B or 16MiB"),
        (scalars.parse_percent, 0.95, "0.95 has no % sign: write 3% or 0.5%"),
        (scalars.parse_percent, "120%", "'120%' is more than 100%"),
        (scalars.parse_clock, 1140, "1140 is not a time of day: write HH:MM, such as 19:00"),
        (scalars.parse_clock, "7pm", "'7pm' is not a time of day: write HH:MM, such as 19:00"),
        (scalars.parse_clock, "24:01", "'24:01' is not a time of day: it goes from 00:00 to 24:00"),
    ],
)
def test_refuses_in_one_sentence(parse: Callable[[object], float], value: object, sentence: str) -> None:
    with pytest.raises(ValueError) as refusal:
        parse(value)
    assert str(refusal.value) == sentence


@given(st.integers(0, 10**15))
def test_writes_what_it_reads(value: int) -> None:
    assert scalars.parse_duration(scalars.format_duration(value)) == value
    assert scalars.parse_rate(scalars.format_rate(value)) == value
    assert scalars.parse_size(scalars.format_size(value)) == value


@given(st.integers(0, 24 * 60), st.integers(0, 10_000))
def test_writes_clocks_and_percents(minutes: int, hundredths: int) -> None:
    assert scalars.parse_clock(scalars.format_clock(minutes)) == minutes
    ratio = hundredths / 10_000
    assert scalars.parse_percent(scalars.format_percent(ratio)) == pytest.approx(ratio, abs=1e-15)


@given(st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8))
def test_any_scalar_is_a_number_or_a_value_error(value: object) -> None:
    for parse in (scalars.parse_duration, scalars.parse_rate, scalars.parse_percent, scalars.parse_clock):
        try:
            parsed = parse(value)
        except ValueError:
            continue
        assert parsed >= 0
