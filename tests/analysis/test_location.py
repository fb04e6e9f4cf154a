"""Great circles and the speed of light: quality.md T41."""

from __future__ import annotations

import pytest

from probe.analysis.location import Place, distance_km, least_round_trip_ms, refuted

SIN, FRA, JKT = Place(1.3521, 103.8198), Place(50.1109, 8.6821), Place(-6.2088, 106.8456)
LHR, SFO, LOS, JNB = (
    Place(51.5074, -0.1278),
    Place(37.7749, -122.4194),
    Place(6.5244, 3.3792),
    Place(-26.2041, 28.0473),
)


@pytest.mark.parametrize(
    ("one", "other", "km", "ms"),
    [
        (SIN, FRA, 10258.0, 102.6),
        (SIN, JKT, 905.4, 9.05),
        (LHR, SFO, 8616.4, 86.2),
        (LOS, LHR, 5012.3, 50.1),
        (LOS, JNB, 4508.4, 45.1),
    ],
)
def test_t41_distances(one: Place, other: Place, km: float, ms: float) -> None:
    assert distance_km(one, other) == pytest.approx(km, abs=0.06)
    assert least_round_trip_ms(one, other) == pytest.approx(ms, abs=0.06)


def test_t41_a_claim_is_refuted_and_never_proved() -> None:
    """Claimed Lagos and 8 ms from London: it is within 800 km of London."""
    assert refuted(LOS, LHR, 8)
    assert not refuted(LHR, LHR, 8)
    assert not refuted(LOS, LHR, 60)
