"""Remedies on traces made by hand, and against the formulas of quality.md 2.1 (T32, T33) on long ones."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest

from probe.analysis.crossing import crossing
from probe.analysis.delay import Floats
from probe.analysis.fates import fates_of
from probe.analysis.one_way import directions
from probe.analysis.recorded import recorded
from probe.analysis.recovery_model import residual_erasure, residual_retransmitted
from probe.analysis.remedies import Remedy
from probe.analysis.replay import Recorded, replay
from probe.metrics import NEVER, Rows
from tests.analysis.made import MS, crossings, record

N = 40_000


def trace_of(rows: Rows, way: str = "up") -> Recorded:
    up, down, _ = directions(rows)
    found = recorded(rows, up, down, fates_of(record(), rows, up, down))[way]
    assert found is not None
    return found


def made(lost: list[int], n: int = 20, *, back_lost: list[int] | None = None) -> Recorded:
    """30 ms up and 40 ms down, a packet every 20 ms; round trip 70 ms."""
    up = [None if at in lost else 30.0 for at in range(n)]
    down = [None if at in (back_lost or []) else 40.0 for at in range(n)]
    return trace_of(crossings(up, down))


def sure(trace: Recorded) -> Recorded:
    """As if what is sent beside the trace were never lost."""
    clean = replace(trace.way, loss=replace(trace.way.loss, ratio=0.0, burst=None))
    back = trace.back and replace(trace.back, loss=replace(trace.back.loss, ratio=0.0, burst=None))
    return replace(trace, way=clean, back=back)


def after_ms(trace: Recorded, remedy: Remedy, draws: int = 1) -> Floats:
    """From departure to playable, above the smallest delay, by packet."""
    found: Floats = (replay(trace, remedy, draws, 1).available - trace.departed)[0, 0] / MS
    return found


def test_a_retransmission_comes_a_packet_and_a_round_trip_later() -> None:
    """T32: interval + RTT; the request needs the next packet to reveal the gap."""
    after = after_ms(sure(made([5, 9, 10])), Remedy(retries=1))
    assert after[[5, 9, 10]] == pytest.approx([20 + 70, 40 + 70, 20 + 70], abs=0.1)
    assert np.delete(after, [5, 9, 10]) == pytest.approx(0, abs=1e-6)


def test_nothing_reveals_the_last_packet() -> None:
    assert math.isinf(after_ms(sure(made([19])), Remedy(retries=10))[19])


def test_more_requests_follow_once_a_round_trip() -> None:
    """T32: the 2nd try comes at interval + 2 RTT. The way back loses what follows a loss, and nothing else."""
    trace = sure(made([5]))
    assert trace.back is not None
    remembers = replace(trace.back.loss, ratio=1e-9, burst=1e9)
    lost = np.zeros_like(trace.back.lost)
    lost[np.searchsorted(trace.back.departed, 120 * MS + trace.receiver_ns, "right") - 1] = True
    trace = replace(trace, back=replace(trace.back, lost=lost, loss=remembers))
    assert math.isinf(after_ms(trace, Remedy(retries=1))[5])
    assert after_ms(trace, Remedy(retries=2))[5] == pytest.approx(20 + 2 * 70, abs=0.1)


def test_red_repairs_what_a_later_packet_carries() -> None:
    trace = made([5, 9, 10, 14, 15, 16])
    one, two = after_ms(trace, Remedy(red=1)), after_ms(trace, Remedy(red=2))
    assert one[[5, 10, 16]] == pytest.approx(20, abs=0.1)
    assert np.isinf(one[[9, 14, 15]]).all()
    assert two[[5, 9, 10, 15, 16]] == pytest.approx([20, 40, 20, 40, 20], abs=0.1)
    assert np.isinf(two[14])


def test_xor_repairs_one_of_a_block_with_the_last_of_it() -> None:
    """Blocks of 5: the repair packet leaves with the fifth. Two lost in a block stay lost."""
    after = after_ms(sure(made([5, 11, 12, 19])), Remedy(media=5, repair=1))
    assert after[5] == pytest.approx(80, abs=0.1)
    assert np.isinf(after[[11, 12]]).all()
    assert after[19] == pytest.approx(0, abs=0.1)
    both = after_ms(sure(made([5, 11, 12, 19])), Remedy(media=5, repair=2))
    assert both[[11, 12]] == pytest.approx([60, 40], abs=0.1)


def test_a_last_block_may_be_short() -> None:
    """It has no repair packet, as a stream that ends has none for it."""
    assert math.isinf(after_ms(sure(made([20], n=22)), Remedy(media=5, repair=1))[20])


def test_interleaved_columns_repair_a_run() -> None:
    """Blocks of six, whose columns are every second packet: 6, 8, 10 and 7, 9, 11."""
    after = after_ms(sure(made([8, 9], n=24)), Remedy(media=3, repair=1, interleave=2))
    assert after[[8, 9]] == pytest.approx([(10 - 8) * 20, (11 - 9) * 20], abs=0.1)
    assert np.isinf(after_ms(sure(made([8, 9], n=24)), Remedy(media=6, repair=1))[[8, 9]]).all()


def test_red_carries_what_fits() -> None:
    """RFC 2198: a block has at most 1023 bytes; a packet here at most 1200."""
    trace = made([5, 9])
    large = replace(trace, size=np.where(trace.there, 700.0, np.nan))
    assert np.isinf(after_ms(large, Remedy(red=1))[[5, 9]]).all()
    assert replay(large, Remedy(red=1), 1, 1).extra_bytes == 20
    medium = replace(trace, size=np.where(trace.there, 400.0, np.nan))
    assert replay(medium, Remedy(red=3), 1, 1).extra_bytes == 20 + (19 + 18) * (388 + 4)


def test_retransmissions_complete_a_block() -> None:
    """Of two lost in a block the first comes by NACK; with it XOR makes the other, whose own would come later."""
    trace = sure(made([10, 13]))
    nack = after_ms(trace, Remedy(retries=1))
    pair = after_ms(trace, Remedy(retries=1, media=5, repair=1))
    assert pair[10] == nack[10] == pytest.approx(90, abs=0.1)
    assert nack[13] == pytest.approx(90, abs=0.1)
    assert pair[13] == pytest.approx(
        30, abs=0.1
    )  # 290 ms is when the first is back, 260 ms when this one left


def test_what_is_sent_is_counted() -> None:
    trace = sure(made([5], n=20))
    media = 20 * 120
    assert replay(trace, Remedy(), 1, 1).extra_bytes == 0
    assert replay(trace, Remedy(retries=10), 1, 1).extra_bytes == 122
    assert replay(trace, Remedy(red=1), 1, 1).extra_bytes == 20 + 19 * (108 + 4)
    assert replay(trace, Remedy(red=2), 1, 1).extra_bytes == 20 + (19 + 18) * (108 + 4)
    assert replay(trace, Remedy(media=5, repair=2), 1, 1).extra_bytes == 4 * 2 * (120 + 16)
    # RED has it when the gap is revealed: nothing is asked for.
    pair = replay(trace, Remedy(retries=10, red=1), 1, 1)
    assert pair.extra_bytes == replay(trace, Remedy(red=1), 1, 1).extra_bytes
    assert media == np.nansum(trace.size)


def test_without_a_way_back_nothing_is_retransmitted() -> None:
    trace = replace(made([5]), back=None)
    with pytest.raises(ValueError, match="way back"):
        replay(trace, Remedy(retries=1), 1, 1)


def test_the_same_seed_gives_the_same_draws() -> None:
    trace = made([5, 9, 10])
    first, again, other = (
        replay(trace, Remedy(retries=2, media=5, repair=1), 20, seed).available for seed in (1, 1, 2)
    )
    assert (first == again).all()
    assert (first != other).any()


@pytest.fixture(scope="module")
def independent() -> Recorded:
    """30 % lost up, 20 % down, each packet for itself."""
    random = np.random.default_rng(11)
    up = [None if gone else 30.0 for gone in random.random(N) < 0.3]
    down = [None if gone else 40.0 for gone in random.random(N) < 0.2]
    return trace_of(crossings(up, down))


def missing(trace: Recorded, remedy: Remedy) -> float:
    return float(np.isinf(replay(trace, remedy, 4, 3).available[:, trace.there]).mean())


P, Q = 0.3, 0.2


@pytest.mark.parametrize(
    ("remedy", "expected"),
    [
        (Remedy(), P),
        *((Remedy(retries=k), residual_retransmitted(P, k, Q)) for k in (1, 2, 3)),
        *((Remedy(red=depth), P ** (depth + 1)) for depth in (1, 2, 3)),
        (Remedy(media=5, repair=1), residual_erasure(P, 5, 1)),
        (Remedy(media=10, repair=3), residual_erasure(P, 10, 3)),
        (Remedy(media=5, repair=5), residual_erasure(P, 5, 5)),
        (Remedy(retries=1, red=1), P**2 * (1 - (1 - P) * (1 - Q))),
    ],
    ids=lambda value: value.name if isinstance(value, Remedy) else "",
)
def test_independent_losses_leave_what_the_formulas_say(
    independent: Recorded, remedy: Remedy, expected: float
) -> None:
    """T33 at p = 0.3, q = 0.2. Media packets of a block count, whose share is that of all its packets."""
    assert missing(independent, remedy) == pytest.approx(expected, rel=0.06, abs=0.001)


def test_repairs_in_a_burst_are_lost_with_the_burst() -> None:
    """Mean burst 10: the next packet shares the fate, so a repair packet right behind helps far less."""
    random = np.random.default_rng(5)
    lost, states = False, []
    for draw in random.random(N).tolist():
        lost = draw >= 0.1 if lost else draw < 0.3 / 0.7 * 0.1
        states.append(lost)
    trace = trace_of(crossings([None if gone else 30.0 for gone in states], [40.0] * N))
    assert trace.way.loss.burst == pytest.approx(10, rel=0.1)
    ratio = trace.way.loss.ratio
    doubled = missing(trace, Remedy(media=1, repair=1))
    assert doubled == pytest.approx(ratio * 0.9, rel=0.05)  # 1 - r of Gilbert's model
    assert doubled > 2 * ratio**2


def test_a_crossing_without_arrivals_tells_nothing() -> None:
    rows = crossings([None] * 5, [None] * 5)
    up, _, _ = directions(rows)
    sent = rows["sent_ns"] != NEVER
    assert crossing(up, sent, sent) is None
