"""What a relay did: set, applied and measured side by side, and how it stands while it runs."""

from __future__ import annotations

from collections.abc import Iterator

from rich.text import Text

from probe.impairment.counters import LinkCounters
from probe.impairment.held import deviation
from probe.impairment.profile import Impairment, NetworkProfile
from probe.net.lateness import LatenessSummary
from probe.net.relay_process import DelaySummary, RelayCounters
from probe.plan.networks import to_document
from probe.records import Json
from probe.report.grid import Column, Grid
from probe.report.loss import DOWN, UP
from probe.report.network_words import direction_words, rate_words
from probe.report.numbers import NO_DATA, milliseconds, plural, share
from probe.session.relaying import Relayed

SCHEMA_VERSION = 1
SATURATED_US = 2000.0
"""Above this p99 of lateness the relay adds a delay of its own that a call would notice."""


def relayed_table(network: NetworkProfile, relayed: Relayed) -> Grid:
    """Rows a direction: what the profile says, what the model decided, what left the relay and how late."""
    grid = Grid(
        [
            Column("way", left=True, label=1),
            Column("", left=True),
            Column("set"),
            Column("applied"),
            Column("measured"),
        ]
    )
    counters, seconds = relayed.counters, max(relayed.elapsed_ns / 1e9, 1e-9)
    for way, impairment, link, sent, pending, delay in (
        (UP, network.up, counters.up, counters.sent_up, counters.pending_up, counters.delay_up),
        (DOWN, network.down, counters.down, counters.sent_down, counters.pending_down, counters.delay_down),
    ):
        for row in _rows(impairment, link, sent, pending, delay, counters.lateness, seconds):
            grid.add(way, *row)
        if said := deviation(impairment, link):
            grid.notes.append(Text(f"{way}: {said}", style="dim"))
    return grid


def _rows(
    impairment: Impairment,
    link: LinkCounters,
    sent: int,
    pending: int,
    delay: DelaySummary,
    late: LatenessSummary,
    seconds: float,
) -> Iterator[tuple[str, str, str, str]]:
    words = direction_words(impairment)
    waiting = f", {pending} still inside" if pending else ""
    yield "packets", NO_DATA, f"{link.offered} in", f"{sent} out{waiting}"
    came = link.offered + link.duplicated
    gone = came - sent - pending
    yield (
        "loss % (burst)",
        words.loss_percent,
        share(_ratio(link.lost, came), link.lost, came),
        share(_ratio(gone, came), gone, came),
    )
    for name, number, chance in (
        ("duplicates", link.duplicated, impairment.duplicate),
        ("corrupt", link.corrupted, impairment.corrupt),
        ("overtook", link.overtook, impairment.reorder),
    ):
        if chance is not None or number:
            told = f"{100 * chance.ratio:g} %" if chance is not None else NO_DATA
            yield name, told, share(_ratio(number, link.offered), number, link.offered), NO_DATA
    if impairment.outages or impairment.timeline is not None or link.outage:
        yield "lost in outages", words.more or NO_DATA, str(link.outage), NO_DATA
    yield "delay ms, mean", words.delay_ms, milliseconds(delay.mean_ms), f"{_late(late.p50_us)} (p50)"
    yield "delay ms, largest", NO_DATA, milliseconds(delay.max_ms), f"{_late(late.p99_us)} (p99)"
    yield "rate", words.rate, NO_DATA, rate_words(link.delivered_bytes * 8 / seconds)
    yield "lost at the queue", words.queue, str(link.overflowed), NO_DATA


def own_faults(counters: RelayCounters) -> list[str]:
    """What the relay did that no network did, in sentences."""
    found = []
    for number, what in (
        (counters.socket_dropped, "dropped at its receive buffers"),
        (counters.overrun, "dropped for want of memory or sockets"),
        (counters.unsent, "not taken by the kernel"),
    ):
        if number:
            found.append(f"the relay itself lost {plural(number, 'packet')}: {what}")
    if counters.lateness.p99_us is not None and counters.lateness.p99_us > SATURATED_US:
        found.append(
            f"this machine is too busy: one packet in a hundred left {_us(counters.lateness.p99_us)} or more too late"
        )
    return found


def standing(relayed: Relayed) -> str:
    """A line while it runs: `12 s: 3 flows; ↑ up 600 in, 12 lost, 588 out; ↓ down ...`."""
    counters = relayed.counters
    ways = [
        _way(UP, counters.up, counters.sent_up, counters.pending_up),
        _way(DOWN, counters.down, counters.sent_down, counters.pending_down),
    ]
    return f"{relayed.elapsed_ns / 1e9:.0f} s: {plural(counters.flows, 'flow')}; {'; '.join(ways)}"


def _way(name: str, link: LinkCounters, sent: int, pending: int) -> str:
    parts = [f"{link.offered} in", f"{link.lost} lost"]
    for number, what in ((link.overflowed, "at the queue"), (link.outage, "in outages")):
        if number:
            parts.append(f"{number} {what}")
    return f"{name} {', '.join(parts)}, {pending} inside, {sent} out"


def relayed_document(
    network: NetworkProfile, relayed: Relayed, *, listen: str, target: str, seed: int, stopped_by: str | None
) -> Json:
    """`set` is the profile, `applied` the model's counters, `measured` what left and how late."""
    return {
        "schema_version": SCHEMA_VERSION,
        "listen": listen,
        "target": target,
        "seed": seed,
        "duration_s": relayed.elapsed_ns / 1e9,
        "stopped_by": stopped_by,
        "set": to_document(network),
        "counters": relayed.counters.to_json(),
        "deviation": {
            "up": deviation(network.up, relayed.counters.up),
            "down": deviation(network.down, relayed.counters.down),
        },
        "faults": own_faults(relayed.counters),
    }


def _late(value_us: float | None) -> str:
    """How late packets left after the moment that the model gave them, in both directions."""
    return NO_DATA if value_us is None else f"+ {value_us / 1000:.2f}"


def _ratio(part: int, whole: int) -> float | None:
    return part / whole if whole else None


def _us(value: float | None) -> str:
    return NO_DATA if value is None else f"{value / 1000:.2f} ms"
