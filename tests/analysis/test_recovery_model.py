"""What remedies can do: quality.md T31 to T33."""

from __future__ import annotations

from itertools import pairwise

import pytest

from probe.analysis.recovery_model import (
    attempts_within,
    copies_for,
    head_of_line_delays,
    repair_after,
    residual_copies,
    residual_erasure,
    residual_retransmitted,
    retransmission_buffer,
)


@pytest.mark.parametrize(
    ("bandwidth", "rtt", "nack", "seconds"),
    [
        (64_000, 0.05, True, {1: 1.21, 2: 2.44, 5: 6.28, 7: 8.97, 10: 13.18}),
        (512_000, 0.2, True, {1: 0.345, 2: 0.69, 5: 1.75, 7: 2.48, 10: 3.59}),
        (64_000, 0.05, False, {1: 1.16, 2: 2.32, 5: 5.79, 7: 8.11, 10: 11.58}),
    ],
)
def test_t31_rfc_4588_table(bandwidth: float, rtt: float, nack: bool, seconds: dict[int, float]) -> None:
    """RFC 4588 A.3."""
    for attempts, expected in seconds.items():
        found = retransmission_buffer(attempts, rtt, bandwidth, generic_nack=nack)
        assert found == pytest.approx(expected, abs=6e-3)


@pytest.mark.parametrize(("rtt", "first", "second"), [(100, 120, 220), (300, 320, 620)])
def test_t32_timeline(rtt: float, first: float, second: float) -> None:
    assert [repair_after(20, rtt, n) for n in (1, 2)] == [first, second]


@pytest.mark.parametrize(
    ("rtt", "attempts"), [(50, 7), (76, 5), (100, 3), (150, 2), (200, 1), (300, 1), (400, 0)]
)
def test_t32_attempts(rtt: float, attempts: int) -> None:
    assert attempts_within(400, 20, rtt) == attempts
    assert attempts_within(10, 20, rtt) == 0


@pytest.mark.parametrize(
    ("p", "k", "residual"),
    [(0.1, 1, 0.019), (0.1, 2, 0.00361), (0.3, 3, 0.0398), (0.7, 4, 0.48), (0.7, 5, 0.4368)],
)
def test_t33_loss_both_ways(p: float, k: int, residual: float) -> None:
    assert residual_retransmitted(p, k, p) == pytest.approx(residual, abs=6e-5)


def test_t33_forward_only() -> None:
    assert residual_copies(0.7, 6) == pytest.approx(0.1176, abs=6e-5)
    assert residual_retransmitted(0.7, 5) == pytest.approx(residual_copies(0.7, 6))


@pytest.mark.parametrize(("p", "copies"), [(0.5, 7), (0.7, 13), (0.8, 21), (0.1, 2), (0.01, 1), (0, 1)])
def test_t33_copies_for_one_per_cent(p: float, copies: int) -> None:
    assert copies_for(p, 0.01) == copies


def test_no_number_of_copies_helps_where_all_is_lost() -> None:
    with pytest.raises(ValueError, match="below 100 %"):
        copies_for(1, 0.01)


@pytest.mark.parametrize(
    ("media", "repair", "p", "residual"), [(10, 2, 0.05, 0.005095), (5, 5, 0.3, 0.029643), (1, 1, 0.1, 0.01)]
)
def test_t33_erasure_code(media: int, repair: int, p: float, residual: float) -> None:
    assert residual_erasure(p, media, repair) == pytest.approx(residual, abs=1e-6)


@pytest.mark.parametrize(
    ("interval", "rtt", "ack", "first", "last"),
    [(20, 200, 0, 325, 105), (20, 100, 1, 171, 51), (20, 50, 1, 96, 36), (5, 100, 0, 162.5, 52.5)],
)
def test_t36_head_of_line_delay(interval: float, rtt: float, ack: float, first: float, last: float) -> None:
    """T36: each message behind the hole waits one interval less, down to the one-way delay."""
    found = head_of_line_delays(interval, rtt, ack_delay=ack)
    assert (found[0], found[-1]) == (first, last)
    assert [a - b for a, b in pairwise(found)] == pytest.approx([interval] * (len(found) - 1))
