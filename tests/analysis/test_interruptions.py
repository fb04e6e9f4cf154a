"""Outages of sessions: on made packets by the definitions, and on the three transports in virtual time."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from dataclasses import asdict

import pytest

from probe.analysis.event import Event
from probe.analysis.session import analyse_session
from probe.analysis.timeline import timelines
from probe.impairment.course import Course, Interruption, OutageKind, Step, Timeline
from probe.impairment.profile import Impairment
from probe.metrics import NEVER, Rows, Unsent
from tests.analysis.made import MS, START, S, crossings, record
from tests.virtual_sessions import measure

QUIET = 800  # packets of 20 ms: 16 s


def events_of(rows: Rows, **changes: object) -> tuple[Event, ...]:
    changes = {"packets": len(rows), "duration_ns": len(rows) * 20 * MS, **changes}
    return tuple(analyse_session(record(**changes), rows).outages)


def gap(first: int, last: int, n: int = QUIET) -> list[float | None]:
    return [None if first <= at < last else 30.0 for at in range(n)]


def injected(*spans: tuple[OutageKind, float, float], way: str = "up") -> dict[str, object]:
    """As a relay tells it; milliseconds after the first packet, on our clock."""
    told = [Interruption(kind, START + int(a * MS), START + int(b * MS)) for kind, a, b in spans]
    course = Course(tuple(told), 7 * MS)
    return {"impairment": {f"course_{way}": asdict(course)}}


def test_a_session_without_an_outage_has_none() -> None:
    rows = crossings([None if at % 50 == 7 else 30.0 for at in range(QUIET)], [40.0] * QUIET)
    assert events_of(rows) == ()
    session = analyse_session(record(packets=QUIET), rows)
    assert session.to_json()["outages"] is None


def test_a_run_of_loss_is_seen_and_both_lengths_agree() -> None:
    """T38 at a smaller size: lost / offered rate; by arrival times one interval more."""
    (event,) = events_of(crossings(gap(200, 250), [40.0] * QUIET))
    assert (event.way, event.source, event.kind) == ("up", "observed", "loss")
    assert (event.started_ms, event.length_ms, event.lost) == (4000, 1000, 50)
    assert (event.by_loss_ms, event.by_time_ms, event.agree) == (1000, 1020, True)
    assert (event.time_to_recover_ms, event.ramp_t90_ms, event.catch_up_ms) == (0, 0, None)
    assert event.observed_ms == 11_000


def test_our_own_outage_is_known() -> None:
    """Also where it hits between two packets, and what was still in our own sender is told apart."""
    rows = crossings(gap(200, 250), [40.0] * QUIET)
    rows["unsent"][240:260] = Unsent.CC_LIMITED
    for name in ("sent_ns", "node_received_ns", "node_sent_ns", "received_ns"):
        rows[name][240:260] = NEVER
    (event,) = events_of(rows, **injected(("drop", 3990, 4985)))
    assert (event.source, event.kind, event.started_ms, event.length_ms) == ("injected", "drop", 3990, 995)
    assert (event.lost, event.unsent, event.by_loss_ms) == (40, 20, 1000)
    assert event.limited_ms == 5180 - 4985
    assert event.time_to_recover_ms == 5200 - 4985  # the first that left again


def test_what_comes_down_passes_our_relay_before_it_is_here() -> None:
    """The node's clock is far off: the event is found by our own, less the delay from the relay to us."""
    rows = crossings([30.0] * QUIET, gap(200, 250))
    starts = 200 * 20 + 30 + 0.05 + 30 - 7  # when the first that is lost passes the relay
    (event,) = events_of(rows, **injected(("drop", starts - 5, starts + 995), way="down"))
    assert (event.way, event.lost, event.by_loss_ms, event.agree) == ("down", 50, 1000, True)
    assert event.started_ms == pytest.approx(3995, abs=0.2)


def test_a_hold_is_no_loss_and_is_caught_up_with() -> None:
    delays = [30.0] * QUIET
    for at in range(200, 250):
        delays[at] = 30.0 + 1000 - 20 * (at - 200)
    (event,) = events_of(crossings(delays, [40.0] * QUIET), **injected(("hold", 4000, 5000)))
    assert (event.kind, event.lost, event.by_loss_ms, event.agree) == ("hold", 0, None, None)
    assert event.by_time_ms == 1020
    assert event.catch_up_ms == 0
    assert event.time_to_recover_ms == 0


def test_an_event_is_watched_until_the_next() -> None:
    rows = crossings([a and b for a, b in zip(gap(200, 250), gap(400, 450), strict=True)], [40.0] * QUIET)
    first, second = events_of(rows)
    assert math.isinf(first.time_to_recover_ms or 0) and first.observed_ms == 3000
    document = json.loads(json.dumps(first.to_json(), allow_nan=False))
    assert document["time_to_recover_ms"] is None and "time_to_recover_ms" in document["infinite"]
    assert second.time_to_recover_ms == 0


def test_without_a_before_nothing_is_said_of_an_after() -> None:
    (event,) = events_of(crossings(gap(0, 50), [40.0] * QUIET), **injected(("drop", 0, 1000)))
    assert (event.time_to_recover_ms, event.ramp_t90_ms, event.by_time_ms) == (None, None, None)


def test_an_outage_is_one_for_all_streams() -> None:
    rows = crossings(gap(200, 250) * 3, [40.0] * 3 * QUIET, streams=3)
    changes = {"calls": 3, "packets": QUIET, "duration_ns": QUIET * 20 * MS}
    (event,) = analyse_session(record(**changes), rows).outages
    assert event.lost == 150
    assert event.by_loss_ms == pytest.approx(1000, abs=0.1)
    assert event.agree


def outage(at_s: float) -> Impairment:
    base = Impairment(delay_ns=50 * MS)
    steps = (Step(int(at_s * S), base), Step(S, base, "drop"), Step(3600 * S, base))
    return Impairment(delay_ns=50 * MS, timeline=Timeline(steps, loop=False))


def one_second(transport: str) -> tuple[Event, Sequence[float | None], Sequence[float]]:
    """Up; and what the picture shows of it: worst delay and share missing of each quarter of a second."""
    session, rows = measure(outage(4), outage(4), seed=5, seconds=12, transport=transport)
    (event,) = [one for one in analyse_session(session, rows).outages if one.way == "up"]
    line = timelines(session, rows, 48)[0]
    return event, line.delay_ms, line.missing


def test_an_outage_of_a_second_over_udp() -> None:
    event, _, _ = one_second("udp")
    assert (event.lost, event.by_loss_ms, event.by_time_ms, event.agree) == (50, 1000, 1020, True)
    assert event.time_to_recover_ms is not None and event.time_to_recover_ms <= 20
    # The first packet after it shows the gap, and the last of the lost is asked for again.
    assert event.detection_ms is not None and event.repair_ms is not None
    assert event.detection_ms <= 20
    assert event.repair_ms >= 100  # a round trip of the path
    assert (event.drain_ms, event.catch_up_ms) == (0, event.detection_ms + event.repair_ms)


@pytest.mark.slow
def test_an_outage_of_a_second_over_quic_datagrams() -> None:
    event, delays, missing = one_second("quic-datagram")
    assert (event.lost + event.unsent, event.agree, event.catch_up_ms) == (50, True, None)
    assert (event.detection_ms, event.repair_ms, event.drain_ms) == (None, None, None)
    assert event.time_to_recover_ms is not None and event.time_to_recover_ms <= 20
    at = int(event.started_ms // 250) + 1
    assert missing[at] == 1 and delays[at] is None
    assert missing[at + 5] == 0


@pytest.mark.slow
def test_an_outage_of_a_second_over_a_quic_stream() -> None:
    """All waits behind the hole until a probe timeout repairs it: later to recover than datagrams (T37)."""
    event, delays, _ = one_second("quic-stream")
    assert event.time_to_recover_ms is not None and 50 < event.time_to_recover_ms < 1500
    assert event.catch_up_ms is not None and event.catch_up_ms >= 100
    assert event.by_time_ms is not None and event.by_time_ms > 1020
    at = int(event.started_ms // 250) + 1
    stalled = delays[at]
    assert stalled is None or stalled > 500
    assert (delays[at + 10] or 0) < 20
