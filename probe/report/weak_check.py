"""`probe weak check`: voice and video at a node, clean and weak side by side, and a verdict each."""

from __future__ import annotations

import math
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from rich.text import Text

from probe.analysis.population import Share, pooled
from probe.analysis.results import Assessment, Judgement, Poolable, SessionSummary
from probe.errors import ConfigError
from probe.impairment.profile import CLEAN, NetworkProfile
from probe.net.node_key import client_key
from probe.objectives import METRICS
from probe.plan.adhoc import LIMITS, adhoc_plan
from probe.plan.fields import Endpoint
from probe.plan.library import read_network
from probe.plan.loaded import LoadedPlan
from probe.plan.scalars import parse_duration, parse_rate
from probe.records import Json
from probe.report.document import document
from probe.report.facts import judgement_facts
from probe.report.flags import quantity_of
from probe.report.grid import Column, Grid
from probe.report.latency import INFINITE_NOTE
from probe.report.loss import DOWN, UP
from probe.report.network_words import direction_words
from probe.report.numbers import INFINITE, NO_DATA, milliseconds, percent, share
from probe.report.output import Output
from probe.report.run import measured
from probe.report.sentences import sentence
from probe.report.verdict import overall, value_and_limit
from probe.report.words import threshold_word
from probe.session.run import RunOptions, prepare

RESULTS = Path("results")
_MEASURES: tuple[tuple[str, str | None, str], ...] = (
    *(
        (f"{way}.{metric}", None, f"{arrow} {words}")
        for way, arrow in (("up", UP), ("down", DOWN))
        for metric, words in (("loss", "loss %"), ("residual", "not in time %"), ("recovered", "recovered %"))
    ),
    ("rtt", "p50", "rtt ms p50"),
    ("rtt", "p95", "rtt ms p95"),
    ("connect", "p50", "connect ms p50"),
)
"""Metric, aggregate, and what stands in the table."""


@dataclass(frozen=True, slots=True)
class CheckOptions:
    """As a command line gives them."""

    network: str
    node: str
    key_file: Path | None
    fingerprint: str | None
    cafile: str | None
    duration: str
    video_rate: str | None
    repeat: int
    results: Path | None
    seed: int | None


def check_and_report(options: CheckOptions, output: Output) -> int:
    """Measure, print, return the exit code of the verdict. Raises ProbeError."""
    network, loaded = _prepared(options, output)
    loaded, run_options = prepare(loaded, RunOptions(options.results or RESULTS, seed=options.seed))
    assessment = measured(loaded, run_options, output)
    if output.as_json:
        rows = [_document_of(row) for row in _rows(assessment, network)]
        output.document(document(assessment) | {"check": {"network": network.name, "rows": rows}})
        if not output.quiet:
            output.err.print(overall(assessment))
        return assessment.exit_code
    if not output.quiet:
        output.out.print(check_table(assessment, network))
        output.out.print()
        output.out.print(applied_table(assessment, network))
    output.out.print(overall(assessment))
    if not output.quiet:
        output.note(f"kept in {run_options.results}; in full: probe report {assessment.run_id}")
    return assessment.exit_code


def _prepared(options: CheckOptions, output: Output) -> tuple[NetworkProfile, LoadedPlan]:
    """Everything that can be wrong before a packet is sent."""
    network, warnings = read_network(options.network, os.environ)
    if network.clean:
        raise ConfigError(
            f"'{network.name}' does nothing to packets, and the clean network is measured anyway",
            hint="probe weak list shows weak ones",
        )
    if network.name == CLEAN.name:
        raise ConfigError("'clean' is the name of the good network: give the weak one another")
    try:
        endpoint = Endpoint.parse(f"probe://{options.node}")
    except ValueError:
        raise ConfigError(
            f"{options.node} is no host and port",
            hint="write the node's as HOST:PORT, such as jkt1.example:40000",
        ) from None
    if options.fingerprint and options.cafile:
        raise ConfigError("give --fingerprint or --cafile, not both")
    if options.cafile is not None and not Path(options.cafile).is_file():
        raise ConfigError(f"--cafile {options.cafile}: there is no such file")
    loaded = adhoc_plan(
        network,
        endpoint,
        client_key(options.key_file),
        fingerprint=options.fingerprint,
        cafile=options.cafile,
        duration_ns=quantity_of("--duration", options.duration, parse_duration),
        video_bps=(
            None
            if options.video_rate is None
            else quantity_of("--video-rate", options.video_rate, parse_rate)
        ),
        repeat=options.repeat,
    )
    for warning in warnings:
        output.note(f"warning: {warning.render()}")
    return network, loaded


@dataclass(frozen=True, slots=True)
class Row:
    """A measure on both networks, pooled over the sessions of each; `judgement` where the weak one has a limit."""

    call: str
    metric: str
    aggregate: str | None
    words: str
    clean: Poolable | None
    weak: Poolable | None
    judgement: Judgement | None


def check_table(assessment: Assessment, network: NetworkProfile) -> Grid:
    """Clean beside weak, with limit and verdict where there is one."""
    grid = Grid(
        [
            Column("call", left=True, label=1),
            Column("", left=True),
            Column("clean"),
            Column(network.name),
            Column("limit"),
            Column("verdict", left=True),
            Column("why", left=True, flex=True),
        ]
    )
    infinite = False
    for row in _rows(assessment, network):
        clean, weak = (_text(part, row) for part in (row.clean, row.weak))
        infinite |= INFINITE in (clean, weak)
        grid.add(row.call, row.words, clean, weak, *_judged(row.judgement))
    if infinite:
        grid.notes.append(Text(INFINITE_NOTE, style="dim"))
    return grid


def applied_table(assessment: Assessment, network: NetworkProfile) -> Grid:
    """What the weak network was set to, what its relay did, and what the streams saw of it."""
    grid = Grid(
        [
            Column("call", left=True, label=1),
            Column("way", left=True),
            Column("loss % (burst)\nset"),
            Column("applied"),
            Column("measured"),
            Column("delay ms\nset"),
            Column("applied\nmean"),
        ]
    )
    for call in LIMITS:
        sessions = [s for s in assessment.sessions if _is(s, call, network.name) and s.record.impairment]
        for way, arrow, impairment in (("up", UP, network.up), ("down", DOWN, network.down)):
            done = [session.record.impairment for session in sessions]
            offered = sum(item[way]["offered"] for item in done)
            lost = sum(item[way][name] for item in done for name in ("lost", "outage", "overflowed"))
            delays = [item[f"delay_{way}"] for item in done if item.get(f"delay_{way}", {}).get("n")]
            packets = sum(delay["n"] for delay in delays)
            mean = sum(delay["n"] * delay["mean_ms"] for delay in delays) / packets if packets else None
            words = direction_words(impairment)
            seen = _pool(sessions, f"{way}.loss")
            grid.add(
                *(call, arrow, words.loss_percent),
                share(lost / offered if offered else None, lost, offered),
                share(seen.ratio, seen.hits, seen.n) if isinstance(seen, Share) else NO_DATA,
                *(words.delay_ms, milliseconds(mean)),
            )
    note = "applied: to all packets of the stream, repairs and handshakes too; measured: first transmissions."
    grid.notes.append(Text(note, style="dim"))
    return grid


def _is(session: SessionSummary, call: str, network: str) -> bool:
    return (session.record.scenario, session.record.network) == (call, network)


def _judged(judgement: Judgement | None) -> tuple[str | Text, ...]:
    if judgement is None:
        return "", "", ""
    _, limit = value_and_limit(judgement)
    word = threshold_word(judgement.verdict, judgement.severity)
    return limit, word.text(), sentence(judgement_facts(judgement))


def _rows(assessment: Assessment, network: NetworkProfile) -> Iterator[Row]:
    for call in LIMITS:
        parts = [
            [session for session in assessment.sessions if _is(session, call, name)]
            for name in (CLEAN.name, network.name)
        ]
        judged = {
            judgement.expr.split()[0]: judgement
            for judgement in assessment.thresholds
            if (judgement.scope.get("scenario"), judgement.scope.get("network")) == (call, network.name)
        }
        for metric, aggregate, words in _MEASURES:
            clean, weak = (_pool(sessions, metric) for sessions in parts)
            yield Row(call, metric, aggregate, words, clean, weak, judged.get(metric))


def _pool(sessions: Sequence[SessionSummary], name: str) -> Poolable | None:
    parts = [session.values[name] for session in sessions if name in session.values]
    whole: Poolable | None = pooled(parts) if parts else None
    return whole


def _text(part: Poolable | None, row: Row) -> str:
    if part is None:
        return NO_DATA
    if isinstance(part, Share):
        return percent(part.ratio) if "recovered" in row.metric else share(part.ratio, part.hits, part.n)
    value = part.value(row.aggregate)
    infinite = value is not None and math.isinf(value)
    return milliseconds(None if infinite else value, infinite=infinite)


def _document_of(row: Row) -> Json:
    judgement, name = row.judgement, row.metric if row.aggregate is None else f"{row.metric}.{row.aggregate}"
    told: Json = {
        "scenario": row.call,
        "metric": name,
        "unit": METRICS[row.metric].unit,
        "clean": _value(row.clean, row),
        "weak": _value(row.weak, row),
    }
    if judgement is not None:
        reason = sentence(judgement_facts(judgement))
        told |= {"expr": judgement.expr, "verdict": judgement.verdict, "reason": reason}
    return told


def _value(part: Poolable | None, row: Row) -> Json:
    """A number (null: no data, or infinite), and of how many packets or sessions it is."""
    value = None if part is None else part.value(row.aggregate)
    infinite = value is not None and math.isinf(value)
    return {"value": None if infinite else value, "infinite": infinite, "n": 0 if part is None else part.n}
