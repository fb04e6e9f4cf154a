"""What can be asked of a link, and the sentences for what cannot."""

from __future__ import annotations

import pickle

import pytest

from probe.impairment.profile import CLEAN, Impairment, Loss, NetworkProfile


def test_mean_loss_and_burst_become_gilbert_probabilities() -> None:
    # reference values of the presets loss-10/30/50-burst: p = P / (B (1 - P)), r = 1 / B
    for ratio, burst, p, r in ((0.10, 3, 0.0370, 0.333), (0.30, 4, 0.1071, 0.25), (0.50, 6, 0.1667, 0.167)):
        assert Loss(ratio, burst).gilbert == pytest.approx((p, r), abs=5e-4)


def test_the_shortest_possible_burst_is_independent_loss() -> None:
    assert Loss(0.2, 1.25).gilbert == pytest.approx((0.2, 0.8))
    assert Loss(0.2).gilbert == pytest.approx((0.2, 0.8))


@pytest.mark.parametrize(
    ("ratio", "burst", "words"),
    [
        (-0.1, None, "impossible"),
        (1.5, None, "impossible"),
        (float("nan"), None, "impossible"),
        (0.5, 1.5, "shorter than a loss of 50 % allows"),
        (0.1, 1.0, "1.11 in a row"),
        (0.1, float("inf"), "burst"),
        (1.0, 5.0, "endless"),
    ],
)
def test_impossible_loss_is_refused(ratio: float, burst: float | None, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        Loss(ratio, burst)


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"delay_ns": -1}, "delay"),
        ({"jitter_ns": 3_000_000_000}, "jitter of 3000 ms"),
        ({"distribution": "gamma"}, "'gamma' is unknown"),
        ({"rate_bps": 0}, "rate of 0"),
        ({"queue_ns": 1}, "queue without a rate"),
        ({"rate_bps": 1000, "queue_ns": -1}, "queue of"),
        ({"rate_bps": 1000, "ordered": False}, "one after the other"),
        ({"overhead_bytes": -1}, "overhead"),
    ],
)
def test_impossible_impairments_are_refused(fields: dict[str, object], words: str) -> None:
    with pytest.raises(ValueError, match=words):
        Impairment(**fields)  # type: ignore[arg-type]


def test_clean_means_nothing_is_done() -> None:
    assert CLEAN.clean
    assert Impairment(loss=Loss(0.0)).clean
    assert not Impairment(delay_ns=1).clean
    weak = NetworkProfile("x", "x", Impairment(loss=Loss(0.1)), Impairment(), "own estimate")
    assert not weak.clean


def test_a_profile_travels_to_another_process() -> None:
    profile = NetworkProfile("x", "x", Impairment(loss=Loss(0.1, 3)), Impairment(delay_ns=5), "own estimate")
    assert pickle.loads(pickle.dumps(profile)) == profile
