"""Vendors' own scores: their test vectors where they publish some, their formulas else."""

from __future__ import annotations

from itertools import accumulate

import pytest

from probe.analysis.e_model import mos
from probe.analysis.vendor_scores import baresip_r, livekit_score, livekit_smoothed, opentok_r, twilio_r


@pytest.mark.parametrize(
    ("rtt", "jitter", "loss", "r", "score"),
    [
        *((0, 0, 0, 92.95, 4.404), (500, 0, 0, 54.20, 2.796), (0, 100, 0, 84.20, 4.172)),
        *((0, 200, 0, 64.20, 3.315), (0, 0, 1, 90.45, 4.350), (0, 0, 10, 67.95, 3.499)),
        *((10, 10, 10, 67.20, 3.463), (1000, 0, 0, 4.20, 1.0)),
    ],
)
def test_t25_baresip(rtt: float, jitter: float, loss: float, r: float, score: float) -> None:
    """baresip test/mos.c; its last MOS is 0.990, which our clamp does not repeat."""
    assert baresip_r(rtt, jitter, loss) == pytest.approx(r, abs=1e-9)
    assert mos(r) == pytest.approx(score, abs=1e-3)


@pytest.mark.parametrize(
    ("rtt", "jitter", "loss", "r", "score"),
    [
        *((0, 0, 0, 94.518, 4.4333), (100, 10, 0, 91.518, 4.3744), (100, 10, 1, 89.018, 4.3142)),
        *((400, 30, 0, 59.768, 3.088), (400, 30, 3, 52.268, 2.6943), (200, 20, 5, 69.268, 3.5625)),
        *((1000, 0, 0, 6.52, 1.0002), (0, 0, 50, 0, 1)),
    ],
)
def test_t26_twilio(rtt: float, jitter: float, loss: float, r: float, score: float) -> None:
    """@twilio/voice-sdk 2.18.1, mos.ts."""
    assert twilio_r(rtt, jitter, loss) == pytest.approx(r, abs=1e-9)
    assert mos(r) == pytest.approx(score, abs=1e-3)


@pytest.mark.parametrize(
    ("loss", "r", "score"),
    [(0, 88.583, 4.3028), (1, 83.434, 4.1469), (5, 70.560, 3.6231), (10, 61.283, 3.1662)],
)
def test_t27_opentok(loss: float, r: float, score: float) -> None:
    """opentok-network-test-js."""
    assert opentok_r(loss) == pytest.approx(r, abs=1e-3)
    assert mos(opentok_r(loss)) == pytest.approx(score, abs=1e-4)


def test_t27_livekit() -> None:
    """livekit connectionquality scorer: its own unit test for the first, formula for the others."""
    score = livekit_score(400, 30, 2)
    assert score == 70
    assert livekit_smoothed(100, score) == pytest.approx(76)
    floor = livekit_smoothed(100, livekit_score(0, 0, 12))
    clean = list(accumulate([100.0] * 3, livekit_smoothed, initial=floor))
    assert clean == pytest.approx([30, 58, 74.8, 84.88])
