"""What a weak network was set to, what was done to the packets, and what came out: side by side."""

from __future__ import annotations

from dataclasses import asdict

from rich.text import Text

from probe.impairment.held import deviation
from probe.impairment.profile import Impairment
from probe.net.lateness import LatenessSummary
from probe.net.weak_network import WeakCounters, WeakWay
from probe.plan.network_document import direction_document
from probe.records import Json
from probe.report.grid import Column, Grid
from probe.report.network_words import direction_words, rate_words
from probe.report.numbers import NO_DATA

UP, DOWN = "↑", "↓"


def ways_table(up: Impairment, down: Impairment, counters: WeakCounters) -> Grid:
    """Rows of delay, loss and rate for either way."""
    grid = Grid(
        [
            Column("way", left=True, label=1),
            Column("of packets", left=True),
            Column("set"),
            Column("applied"),
            Column("measured"),
            Column("n"),
        ]
    )
    for arrow, impairment, way in ((UP, up, counters.up), (DOWN, down, counters.down)):
        words = direction_words(impairment)
        grid.add(
            arrow,
            "delay ms",
            words.delay_ms,
            _quantiles(way.planned),
            _quantiles(way.delay),
            str(way.delay.n),
        )
        link = way.link
        lost = link.lost + link.outage + link.overflowed
        cells = (_share(lost, link.offered), _share(way.missing, link.offered))
        grid.add(arrow, "loss %", words.loss_percent, *cells, str(link.offered))
        busiest = rate_words(way.busiest_bps) if way.busiest_bps else NO_DATA
        grid.add(arrow, "rate", words.rate, NO_DATA, busiest, str(way.came_out))
    notes = [
        "delays are p50/p99; loss counts what found a full queue, too; rate is that of the busiest second"
    ]
    for arrow, impairment, way in ((UP, up, counters.up), (DOWN, down, counters.down)):
        if said := deviation(impairment, way.link):
            notes.append(f"{arrow} {said}")
    grid.notes += [Text(note, style="dim") for note in notes]
    return grid


def way_line(arrow: str, way: WeakWay) -> str:
    """One way in a few words, for a live view."""
    words = f"{arrow} {way.link.offered} packets, {_share(way.missing, way.link.offered)} % lost"
    return words + (f", {way.delay.p50_us / 1e3:.0f} ms" if way.delay.p50_us is not None else "")


def ways_document(up: Impairment, down: Impairment, counters: WeakCounters) -> Json:
    """The same for programs; `quality` has what we ourselves did to the packets."""
    pump = counters.pump
    return {
        "up": _way_document(up, counters.up),
        "down": _way_document(down, counters.down),
        "quality": {
            "lateness_us": _spread(pump.lateness, 1.0),
            "socket_dropped": pump.socket_dropped,
            "overrun": pump.overrun,
            "unsent": pump.unsent,
            "withheld": pump.withheld,
        },
    }


def _way_document(impairment: Impairment, way: WeakWay) -> Json:
    applied = asdict(way.link) | {"delay_ms": _spread(way.planned, 1e3)}
    if way.tc:  # the kernel does not tell these apart, or not at all
        applied |= dict.fromkeys(("overflowed", "outage", "corrupted", "overtook", "offered_bytes"))
    return {
        "set": direction_document(impairment),
        "applied": applied,
        "measured": {
            "came_out": way.came_out,
            "pending": way.pending,
            "loss_ratio": way.missing / way.link.offered if way.link.offered else None,
            "delay_ms": _spread(way.delay, 1e3),
            "busiest_second_bps": way.busiest_bps or None,
        },
        "deviation": deviation(impairment, way.link),
        "tc": way.tc or None,
    }


def _spread(summary: LatenessSummary, divisor: float) -> Json:
    values = {"p50": summary.p50_us, "p99": summary.p99_us, "max": summary.max_us}
    return {"n": summary.n} | {
        name: None if value is None else round(value / divisor, 3) for name, value in values.items()
    }


def _quantiles(summary: LatenessSummary) -> str:
    if summary.p50_us is None or summary.p99_us is None:
        return NO_DATA
    return f"{summary.p50_us / 1e3:.1f}/{summary.p99_us / 1e3:.1f}"


def _share(part: int, whole: int) -> str:
    return f"{100 * part / whole:.2f}" if whole else NO_DATA
