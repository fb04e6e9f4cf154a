"""Set, applied and measured of a relay, side by side; what is its own fault is told apart."""

from __future__ import annotations

from dataclasses import replace
from io import StringIO

import pytest
from rich.console import Console

from probe.impairment.counters import LinkCounters
from probe.impairment.course import Course
from probe.impairment.profile import Chance, Impairment, Loss, NetworkProfile, Outage
from probe.net.lateness import LatenessSummary
from probe.net.relay_process import DelaySummary, RelayCounters
from probe.report.relay_tables import own_faults, relayed_document, relayed_table, standing
from probe.session.relaying import Relayed

MS = 1_000_000
HOLDS = Outage("drop", (1000 * MS, 2000 * MS), (100 * MS, 100 * MS))
NETWORK = NetworkProfile(
    "made",
    "made",
    Impairment(50 * MS, loss=Loss(0.1, 3), duplicate=Chance(0.02), rate_bps=1_000_000, queue_ns=300 * MS),
    Impairment(20 * MS, outages=(HOLDS,)),
    "the test",
)
COUNTERS = RelayCounters(
    up=LinkCounters(
        offered=1000, lost=95, overflowed=7, delivered=918, delivered_bytes=91_800, duplicated=20
    ),
    down=LinkCounters(offered=900, outage=30, delivered=870, delivered_bytes=87_000),
    course_up=Course(),
    course_down=Course(),
    sent_up=915,
    sent_down=870,
    pending_up=3,
    pending_down=0,
    flows=4,
    expired=0,
    refused=0,
    carrier="mmsg",
    lateness=LatenessSummary(1785, 80.0, 400.0, 900.0),
    socket_dropped=0,
    overrun=0,
    unsent=0,
    delay_up=DelaySummary(918, 62.5, 350.0),
    delay_down=DelaySummary(870, 20.0, 20.0),
)
RELAYED = Relayed(10_000_000_000, COUNTERS)


def drawn(relayed: Relayed) -> str:
    console = Console(width=160, file=StringIO())
    console.print(relayed_table(NETWORK, relayed))
    assert isinstance(console.file, StringIO)
    return console.file.getvalue()


def test_each_row_has_what_was_set_applied_and_measured() -> None:
    told = drawn(RELAYED)
    rows = [" ".join(line.split()) for line in told.splitlines()]
    assert "↑ up packets – 1000 in 915 out, 3 still inside" in rows
    assert "loss % (burst) 10 (3) 9.31 (95/1020) 10.00 (102/1020)" in rows
    assert "duplicates 2 % 2.00 (20/1000) –" in rows
    assert "delay ms, mean 50 62.5 + 0.08 (p50)" in rows
    assert "delay ms, largest – 350.0 + 0.40 (p99)" in rows
    assert "rate 1 Mbit/s – 73.44 kbit/s" in rows
    assert "lost at the queue 300 ms 7 –" in rows
    assert "lost in outages outages of 100 ms after 1-2 s 30 –" in rows
    assert standing(RELAYED) == (
        "10 s: 4 flows; ↑ up 1000 in, 95 lost, 7 at the queue, 3 inside, 915 out; "
        "↓ down 900 in, 0 lost, 30 in outages, 0 inside, 870 out"
    )


def test_before_any_packet_there_is_no_data() -> None:
    nothing = Relayed(
        500 * MS,
        replace(
            COUNTERS,
            up=LinkCounters(),
            down=LinkCounters(),
            sent_up=0,
            sent_down=0,
            pending_up=0,
            lateness=LatenessSummary(),
            delay_up=DelaySummary(),
            delay_down=DelaySummary(),
        ),
    )
    rows = [" ".join(line.split()) for line in drawn(nothing).splitlines()]
    assert "loss % (burst) 10 (3) – –" in rows
    assert "delay ms, mean 50 – – (p50)" in rows


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"overrun": 5}, "the relay itself lost 5 packets: dropped for want of memory or sockets"),
        ({"socket_dropped": 1}, "the relay itself lost 1 packet: dropped at its receive buffers"),
        ({"unsent": 2}, "the relay itself lost 2 packets: not taken by the kernel"),
        (
            {"lateness": LatenessSummary(100, 50.0, 2500.0, 9000.0)},
            "this machine is too busy: one packet in a hundred left 2.50 ms or more too late",
        ),
    ],
)
def test_its_own_faults_are_told(change: dict[str, object], sentence: str) -> None:
    assert own_faults(COUNTERS) == []
    assert own_faults(replace(COUNTERS, **change)) == [sentence]  # type: ignore[arg-type]


def test_the_document_holds_the_same() -> None:
    document = relayed_document(NETWORK, RELAYED, listen="a:1", target="b:2", seed=3, stopped_by="SIGINT")
    assert document["counters"]["up"]["lost"] == 95
    assert document["counters"]["delay_up"]["mean_ms"] == 62.5
    assert document["set"]["up"]["loss"] == {"ratio": "10%", "burst": 3}
    assert document["deviation"] == {"up": None, "down": None}
    assert (document["duration_s"], document["faults"]) == (10.0, [])
