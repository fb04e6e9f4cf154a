"""`probe weak show`: a network in numbers, in a picture, and what calls would suffer behind it."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence

from rich.console import RenderableType
from rich.text import Text

from probe.analysis.stream_metrics import StreamMetrics
from probe.errors import ConfigError
from probe.impairment.portrait import Portrait, portraits
from probe.impairment.profile import Impairment, NetworkProfile
from probe.plan.library import read_network
from probe.plan.networks import to_document
from probe.plan.scalars import parse_duration
from probe.records import COMPLETED, Json
from probe.report.flags import quantity_of
from probe.report.grid import Column, Grid
from probe.report.latency import INFINITE_NOTE, percentile
from probe.report.loss import DOWN, UP
from probe.report.networks import networks_table
from probe.report.numbers import INFINITE, NO_DATA, milliseconds, percent, plural, share
from probe.report.output import Output
from probe.report.picture import SLICES, picture, picture_document, picture_note
from probe.session.forecast import VOICE, Call, forecast, scenarios_of

SCHEMA_VERSION = 1
_SECOND_NS = 1_000_000_000
SHORTEST_NS, LONGEST_NS = 30 * _SECOND_NS, 120 * _SECOND_NS
BEYOND = "~"
_ROUNDS = 4
"""Outages to be seen."""


def show_network(name: str, duration: str | None, seed: int, output: Output) -> None:
    """Print the network `name` (or of a file). Raises ProbeError."""
    network, warnings = read_network(name, os.environ)
    span_ns = span_of(network) if duration is None else _duration(duration)
    for warning in warnings:
        output.note(f"warning: {warning.render()}")
    up, down = portraits(network, seed, span_ns, SLICES)
    scenarios = scenarios_of(span_ns)
    calls = forecast(network, scenarios, seed)
    if output.as_json:
        told = [warning.render() for warning in warnings]
        output.document(_document(network, told, seed, span_ns, (up, down), calls))
        return
    if not output.quiet:
        for part in _drawn(network, up, down, span_ns, seed):
            output.out.print(part)
    for part in calls_table(calls, span_ns, seed):
        output.out.print(part)


def span_of(network: NetworkProfile) -> int:
    """How much of a network is worth seeing, ns: a round of its time line or trace, a few of its outages."""
    spans = [_own_span(way) for way in (network.up, network.down)]
    return min(max(SHORTEST_NS, *spans), LONGEST_NS)


def _own_span(impairment: Impairment) -> int:
    spans = [_ROUNDS * (outage.every_ns[1] + outage.lasts_ns[1]) for outage in impairment.outages]
    if impairment.timeline is not None:
        spans.append(impairment.timeline.period_ns)
    if impairment.delivery is not None:
        spans.append(impairment.delivery.period_ns)
    return max(spans, default=0)


def _duration(text: str) -> int:
    duration = quantity_of("--duration", text, parse_duration)
    if not _SECOND_NS <= duration <= 600 * _SECOND_NS:
        raise ConfigError(f"--duration {text}: give 1s to 10m")
    return duration


def _drawn(
    network: NetworkProfile, up: Portrait, down: Portrait, span_ns: int, seed: int
) -> Iterator[RenderableType]:
    yield networks_table([network])
    yield Text("")
    if network.clean:
        return
    for title, portrait in ((f"{UP}, client to node", up), (f"{DOWN}, node to client", down)):
        yield from picture(title, portrait, span_ns)
        yield Text("")
    yield picture_note(seed)
    yield Text("")


def calls_table(calls: Sequence[Call], span_ns: int, seed: int) -> Iterator[RenderableType]:
    """What each call loses and waits for, a row a direction."""
    yield Text(f"What a call of {span_ns / 1e9:g} s would suffer, in virtual time", style="bold")
    grid = Grid(
        [
            Column("call", left=True, label=1),
            Column("way", left=True),
            Column("loss %\n(lost/sent)"),
            Column("not in time\nresidual %"),
            Column("recovered\n%", drop=2),
            Column("frozen\n%", drop=3),
            Column("MOS", drop=4),
            Column("packets"),
            Column("rtt ms\np50"),
            Column("p95"),
            Column("p99"),
            Column("connect\nms", drop=1),
        ]
    )
    for call in calls:
        _add(grid, call)
    records = [call.summary.record for call in calls]
    limits = ", ".join(f"{record.deadline_ns / 1e6:g} ms for {record.scenario}" for record in records)
    note = f"In time: within {limits} above the smallest delay. With NACK and RTX; no stream adapts its rate. Seed {seed}."
    grid.notes.append(Text(note, style="dim"))
    more = (
        "Frozen: in gaps above 200 ms of voice, 600 ms of video. MOS: E-model (G.107) for G.711 with concealment, "
        f"a reference; {BEYOND} is beyond what it was checked for."
    )
    grid.notes.append(Text(more, style="dim"))
    if any(cell.plain == INFINITE for row in grid.rows for cell in row.cells):
        grid.notes.append(Text(INFINITE_NOTE, style="dim"))
    yield grid


def _add(grid: Grid, call: Call) -> None:
    record, rtt = call.summary.record, call.summary.rtt_ms
    if record.outcome != COMPLETED:
        grid.add(record.scenario, "", f"never connected ({plural(call.attempts, 'attempt')})", *[""] * 9)
        return
    again = f"connected at attempt {call.attempts}" if call.attempts > 1 else ""
    trips = [percentile(rtt, part) for part in ("p50", "p95", "p99")]
    for way, sent, played in (
        (UP, call.summary.up, call.up),
        (DOWN, call.summary.down, call.down),
    ):
        if sent is None:
            continue
        first = [str(rtt.n), *trips, milliseconds(record.connect_ms)] if way == UP else [""] * 5
        grid.add(
            record.scenario,
            way,
            share(sent.loss_ratio, sent.lost, sent.sent),
            percent(sent.residual_ratio),
            percent(sent.recovered_ratio),
            percent(_frozen(played, record.scenario)),
            _mos(played),
            *first,
            below=[Text(again, style="dim")] if again and way == DOWN else [],
        )


def _frozen(played: StreamMetrics | None, scenario: str) -> float | None:
    """Share of the media in freezes that are noticed as such."""
    if played is None:
        return None
    return played.freeze["audio_200ms" if scenario == VOICE else "video_600ms"].ratio


def _mos(played: StreamMetrics | None) -> str:
    if played is None or played.e_model is None:
        return NO_DATA
    beyond = BEYOND if played.e_model.outside else ""
    return f"{beyond}{played.e_model.mos[0]:.1f}"


_OF_CALL = ("scenario", "transport", "counts", "rtt_ms", "connect_ms", "loss_ratio", "up", "down")


def _document(
    network: NetworkProfile,
    warnings: Sequence[str],
    seed: int,
    span_ns: int,
    drawn: tuple[Portrait, Portrait],
    calls: Sequence[Call],
) -> Json:
    up, down = drawn
    told = []
    for call in calls:
        whole, record = call.summary.to_json(), call.summary.record
        facts = {
            "outcome": record.outcome,
            "attempts": call.attempts,
            "seed": record.seed,
            "rate_pps": record.rate_pps,
            "deadline_ms": record.deadline_ns / 1e6,
            "frozen_ratio": {
                "up": _frozen(call.up, record.scenario),
                "down": _frozen(call.down, record.scenario),
            },
            "mos_g711_reference": {
                way: None if played is None or played.e_model is None else played.e_model.mos[0]
                for way, played in (("up", call.up), ("down", call.down))
            },
        }
        told.append({name: whole[name] for name in _OF_CALL} | facts)
    return {
        "schema_version": SCHEMA_VERSION,
        "network": to_document(network),
        "warnings": list(warnings),
        "seed": seed,
        "duration_s": span_ns / 1e9,
        "slices": SLICES,
        "up": picture_document(up),
        "down": picture_document(down),
        "calls": told,
    }
