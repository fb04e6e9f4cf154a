"""The E-model against G.107's own numbers and the table of quality.md T24 and T24b."""

from __future__ import annotations

import pytest

from probe.analysis import e_model_terms
from probe.analysis.e_model import (
    CODECS,
    G711_PLC,
    equipment_impairment,
    estimate,
    find_codec,
    mos,
    rating,
    satisfaction,
)

WITHOUT_DELAY = 93.2
G711, G729A = CODECS["g711"], CODECS["g729a-vad"]


def test_t24_defaults() -> None:
    """G.107 7.7: R = 93.2 with all parameters at their defaults; terms as printed in quality.md 1.9."""
    signal_to_noise = e_model_terms.RO
    assert signal_to_noise == pytest.approx(94.769, abs=1e-3)
    assert e_model_terms.simultaneous_impairment(0) == pytest.approx(1.4136, abs=1e-4)
    assert e_model_terms.listener_echo(0) == pytest.approx(0.1490, abs=1e-4)
    assert rating(0) == pytest.approx(93.206, abs=1e-3)
    assert mos(rating(0)) == pytest.approx(4.4094, abs=1e-4)


@pytest.mark.parametrize(
    ("r", "expected"),
    [
        *((94, 4.424), (93.2, 4.409), (90, 4.339), (80, 4.024), (70, 3.597), (60, 3.100), (50, 2.575)),
        *((0, 1), (100, 4.5), (4.2, 1), (-5, 1), (120, 4.5)),
    ],
)
def test_t24_mos(r: float, expected: float) -> None:
    """G.107 Annex B; trap 6: the cubic is below 1 for 0 < R < 6.5."""
    assert mos(r) == pytest.approx(expected, abs=1e-3)


def test_mos_never_falls_with_r() -> None:
    values = [mos(r / 10) for r in range(-20, 1020)]
    assert values == sorted(values)


@pytest.mark.parametrize(
    ("delay", "r"),
    [
        (50, 91.76),
        (100, 90.66),
        (150, 89.54),
        (200, 85.80),
        (250, 79.18),
        (300, 72.67),
        (400, 62.25),
        (500, 54.80),
    ],
)
def test_t24_rating_by_delay(delay: float, r: float) -> None:
    assert rating(delay) == pytest.approx(r, abs=6e-3)


@pytest.mark.parametrize(
    ("delay", "idd"), [(0, 0), (100, 0), (150, 0.1635), (200, 3.0444), (300, 14.7607), (400, 24.0701)]
)
def test_t24_absolute_delay(delay: float, idd: float) -> None:
    assert e_model_terms.absolute_delay(delay) == pytest.approx(idd, abs=1e-4)


@pytest.mark.parametrize(
    ("name", "loss", "ie", "expected"),
    [
        *(("g711-plc", 1, 3.640, 4.328), ("g711-plc", 2, 7.011, 4.235), ("g711-plc", 5, 15.781, 3.923)),
        *(("g711-plc", 10, 27.066, 3.411), ("g711", 1, 17.925, 3.834), ("g711", 5, 51.075, 2.169)),
        *(("g729a-vad", 0, 11, 4.104), ("g729a-vad", 1, 15.2, 3.946), ("g729a-vad", 2, 19.0, 3.787)),
        ("g729a-vad", 5, 28.5, 3.340),
    ],
)
def test_t24b_loss_in_per_cent(name: str, loss: float, ie: float, expected: float) -> None:
    found = equipment_impairment(CODECS[name], loss)
    assert found == pytest.approx(ie, abs=1e-3)
    assert mos(WITHOUT_DELAY - found) == pytest.approx(expected, abs=1e-3)


@pytest.mark.parametrize(("ratio", "ie"), [(1, 15.781), (2, 17.2101), (4, 18.0266), (0.9, 15.781)])
def test_t24b_bursts(ratio: float, ie: float) -> None:
    """BurstR begins at 1: loss more regular than random is no better than random."""
    assert equipment_impairment(G711_PLC, 5, ratio) == pytest.approx(ie, abs=1e-3)


def test_an_unknown_delay_makes_a_range() -> None:
    """Without a common clock the one-way delay is anything up to the round trip."""
    found = estimate((0, 120), buffer_ms=100, packet_ms=20, loss_percent=1.0, burst_ratio=1.5)
    assert found.delay_ms == (120, 240)
    assert found.r == (rating(240, 1, 1.5), rating(120, 1, 1.5))
    assert found.mos[0] < found.mos[1]
    assert found.mos == (mos(found.r[0]), mos(found.r[1]))
    assert (found.label, found.outside) == ("G.711+PLC reference estimate", ())


def test_inputs_beyond_the_model_are_named() -> None:
    found = estimate((0, 900), buffer_ms=200, packet_ms=20, loss_percent=40, burst_ratio=None)
    assert found.outside == ("delay", "loss")
    assert found.burst_ratio == 1
    assert estimate((0, 9), buffer_ms=0, packet_ms=20, loss_percent=4, burst_ratio=9).outside == (
        "burst_ratio",
    )


@pytest.mark.parametrize("name", ["opus", "evs", "g722"])
def test_no_mos_for_a_codec_without_published_values(name: str) -> None:
    with pytest.raises(ValueError, match=f"published for '{name}': give one of g711-plc"):
        find_codec(name)
    assert find_codec("g729a-vad") is G729A


def test_impossible_inputs() -> None:
    with pytest.raises(ValueError, match="loss of 101 %"):
        equipment_impairment(G711, 101)
    with pytest.raises(ValueError, match="delay of -1 ms"):
        rating(-1)
    with pytest.raises(ValueError, match="must be finite"):
        estimate((0, float("inf")), buffer_ms=0, packet_ms=20, loss_percent=0, burst_ratio=1)


def test_levels() -> None:
    """G.107 Annex B."""
    names = [satisfaction(r) for r in (90, 80, 70, 60, 59.9)]
    assert names[0] == "very satisfied" and names[-1] == "nearly all dissatisfied"
    assert len(set(names)) == 5
