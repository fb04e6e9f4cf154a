"""Freezes by each vendor's threshold, and by the W3C's."""

from __future__ import annotations

import numpy as np
import pytest

from probe.analysis.freeze import (
    AUDIO_FREEZE_NS,
    VIDEO_FREEZE_NS,
    Freeze,
    freezes,
    media_freezes,
    share_above,
    w3c_freezes,
    w3c_threshold,
)
from tests.analysis.made import MS, S, times


@pytest.mark.parametrize(
    ("fps", "threshold_ms"), [(60, 166.67), (30, 183.33), (24, 191.67), (15, 216.67), (10, 300), (5, 600)]
)
def test_t28_w3c_threshold(fps: int, threshold_ms: float) -> None:
    """W3C webrtc-stats freezeCount: max(3 mean, mean + 150 ms)."""
    assert w3c_threshold(S / fps) == pytest.approx(threshold_ms * MS, abs=0.01 * MS)


def test_t29_audio_freezes_are_strictly_longer_than_200_ms() -> None:
    """Agora's definition."""
    found = freezes(times([20, 20, 250, 20, 420, 199, 200, 201]), AUDIO_FREEZE_NS)
    assert found == Freeze(3, 871 * MS, 1330 * MS)
    assert found.ratio == pytest.approx(0.6549, abs=1e-4)


def test_t30_network_delay_rate() -> None:
    """Agora: the share of time with an end-to-end delay above 400 ms."""
    assert share_above(np.array([120, 60, 20]) * S, times([380, 450, 410]), 400 * MS) == 0.4
    assert share_above(times([]), times([]), 400 * MS) is None


def test_a_run_of_unplayable_media() -> None:
    bad = np.zeros(100, np.bool_)
    bad[10:20] = bad[30:41] = bad[97:] = True
    assert media_freezes(bad, 20 * MS, AUDIO_FREEZE_NS) == Freeze(1, 220 * MS, 2000 * MS)
    assert media_freezes(np.ones(40, np.bool_), 20 * MS, VIDEO_FREEZE_NS) == Freeze(1, 800 * MS, 800 * MS)
    clean = media_freezes(np.zeros(0, np.bool_), 20 * MS, AUDIO_FREEZE_NS)
    assert clean == Freeze(0, 0, 0)
    assert clean.ratio is None


def rendered(intervals: list[float]) -> Freeze:
    return w3c_freezes(times(np.cumsum([0.0, *intervals]).tolist()))


def test_w3c_freezes() -> None:
    """At 30 fps from 183.33 ms on; a freeze counts whole, and into the mean that follows."""
    assert rendered([100 / 3] * 30 + [183] + [100 / 3] * 30).count == 0
    found = rendered([100 / 3] * 30 + [184] + [100 / 3] * 30)
    assert (found.count, found.frozen_ns) == (1, 184 * MS)
    assert rendered([10.0] * 30 + [400] + [160] * 2).count == 1
    assert rendered([10.0] * 30 + [400] + [175] * 2).count == 2


def test_a_freeze_needs_five_intervals_and_is_no_pause() -> None:
    assert rendered([20.0] * 4 + [1000]).count == 0
    assert rendered([20.0] * 5 + [1000]).count == 1
    found = rendered([20.0] * 10 + [5001] + [20.0] * 10 + [5000])
    assert (found.count, found.frozen_ns, found.played_ns) == (1, 5000 * MS, 5400 * MS)


def test_few_frames_freeze_nothing() -> None:
    assert w3c_freezes(times([])) == w3c_freezes(times([5])) == Freeze(0, 0, 0)
