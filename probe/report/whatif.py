"""`probe whatif`: remedies by cost, the cheapest that meets the target, and prediction beside measurement."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path

from rich.console import RenderableType
from rich.text import Text

from probe.analysis.whatif import MEETS, MISSES, UNDECIDED, Measured, Prediction, WhatIf
from probe.errors import ConfigError
from probe.report import labels
from probe.report.grid import Column, Grid
from probe.report.header import EMULATED, EMULATED_STYLE
from probe.report.latency import INFINITE_NOTE, percentile
from probe.report.loss import DOWN, UP
from probe.report.numbers import NO_DATA, limit, milliseconds, percent, plural
from probe.report.output import Output
from probe.report.words import Word
from probe.session.replaying import Asked, LeftOut, Predicted, predict_run, to_json
from probe.store.reader import load_run

SCHEMA_VERSION = 1

_WORDS = {
    MEETS: Word("✓", "meets", "green"),
    MISSES: Word("✗", "misses", "red"),
    UNDECIDED: Word("?", "undecided", "cyan"),
}
_WAYS = {"up": UP, "down": DOWN}
_WHY_LEFT_OUT = {
    "no_loss": "lost no packet, so there is nothing to repair",
    "no_packets": "sent no packet",
    "quic": "went over QUIC, whose own repairs are no packets of a trace",
    "removed": "has no packet files any more (keep_raw)",
}
_WHY_NOT = {
    "no_way_back": "a one-way stream says nothing of the way back, in which retransmissions are asked for",
}
METHOD = (
    "Residual: lost or late at the deadline, with its 95 % interval over the seconds of this one trace. Copies in later"
    " packets (RED) have their fates from the trace; retransmissions, requests and FEC packets are drawn from its loss"
    " (mean and burst, one step on from the packet before). More packets are taken not to change the path."
    " Overhead: bytes sent by bytes of media, without NACKs. recovery: how much later than usual a lost packet came."
)


def tell(run: str, results: Path, asked: Asked, output: Output) -> None:
    """Load, replay, print. Raises ConfigError when there is no such run or nothing in it to replay."""
    stored = load_run(results, run)
    for problem in stored.problems:
        output.note(problem)
    predicted, left_out = predict_run(stored, asked)
    if not predicted:
        raise ConfigError(nothing(stored.run_id, left_out), hint="probe runs lists what has been measured")
    if output.as_json:
        output.document(
            {"schema_version": SCHEMA_VERSION, "run_id": stored.run_id, **_told(predicted, left_out)}
        )
        return
    for part in report(stored.run_id, predicted, left_out, quiet=output.quiet):
        output.out.print(part, highlight=False)


def nothing(run_id: str, left_out: Sequence[LeftOut]) -> str:
    """Why a run cannot be replayed, in one sentence."""
    codes = Counter(one.code for one in left_out)
    if len(codes) == 1:
        (code,) = codes
        which = "its session" if len(left_out) == 1 else f"each of its {len(left_out)} sessions"
        return f"run {run_id} has nothing to replay: {which} {_WHY_LEFT_OUT[code]}"
    each = "; ".join(f"{plural(count, 'session')}: {_WHY_LEFT_OUT[code]}" for code, count in codes.items())
    return f"run {run_id} has nothing to replay ({each or 'it has no session'})"


def report(
    run_id: str, predicted: Sequence[Predicted], left_out: Sequence[LeftOut], *, quiet: bool = False
) -> Iterator[RenderableType]:
    """A heading, a table and a sentence a direction; `quiet`: the sentences alone."""
    if not quiet:
        yield Text(f"What if, from run {run_id}: predictions from one trace each, by cost", style="bold")
    for one in predicted:
        for way in one.ways:
            if not quiet:
                yield Text("")
                yield heading(one, way)
                yield table(way)
                yield from _not_possible(way)
            where = f"{labels.one_line(one.record)} {way.way}: " if quiet else ""
            yield Text(where + sentence(one, way))
    if quiet:
        return
    yield Text("")
    for code, count in Counter(one.code for one in left_out).items():
        yield Text(f"Left out: {plural(count, 'session')} that {_WHY_LEFT_OUT[code]}.", style="dim")
    yield Text(METHOD, style="dim")


def heading(one: Predicted, way: WhatIf) -> Text:
    """What was measured, and what is asked."""
    burst = f" in bursts of {way.burst:.1f}" if way.burst else ""
    trip = f", round trip {milliseconds(way.round_trip_ms)} ms" if way.round_trip_ms else ""
    text = Text(f"{labels.one_line(one.record)}  {_WAYS[way.way]}", style="bold")
    if one.record.emulated:
        text.append(f"  {EMULATED}", style=EMULATED_STYLE)
    text.append(
        f"  {percent(way.lost / way.n)} % lost ({way.lost}/{way.n}){burst}{trip};"
        f" asked: residual ≤ {limit(100 * one.question.target, '%')}"
        f" at {limit(one.question.deadline_ns / 1e6, 'ms')}",
        style="not bold dim",
    )
    return text


def table(way: WhatIf) -> Grid:
    """A row a remedy, the cheapest first; the run's own remedy as it was measured, too."""
    grid = Grid(
        [
            Column("remedy", left=True),
            Column("overhead"),
            Column("residual\n%"),
            Column("interval\n%", drop=2),
            Column("recovery\np50 ms"),
            Column("p95 ms"),
            Column("buffer\nneeded ms", drop=1),
            Column("target", left=True),
        ]
    )
    for at, prediction in enumerate(way.predictions):
        mark = " ←" if at == way.cheapest else ""
        grid.add(prediction.remedy.name + mark, *_cells(prediction))
        if way.measured is not None and way.measured.remedy == prediction.remedy:
            grid.add("  measured", *_measured(way.measured))
    if any(cell.plain == "∞" for row in grid.rows for cell in row.cells):
        grid.notes.append(Text(INFINITE_NOTE, style="dim"))
    return grid


def _cells(prediction: Prediction) -> list[str | Text]:
    infinite = prediction.buffer_ms == float("inf")
    return [
        f"{prediction.overhead_ratio:.2f}x",
        percent(prediction.residual_ratio),
        _interval(prediction),
        percentile(prediction.recovery_ms, "p50"),
        percentile(prediction.recovery_ms, "p95"),
        milliseconds(None if infinite else prediction.buffer_ms, infinite=infinite),
        _WORDS[prediction.verdict].text(),
    ]


def _measured(measured: Measured) -> list[str | Text]:
    return [
        NO_DATA if measured.overhead_ratio is None else f"{measured.overhead_ratio:.2f}x",
        percent(measured.residual_ratio),
        "",
        percentile(measured.recovery_ms, "p50"),
        percentile(measured.recovery_ms, "p95"),
        "",
        "",
    ]


def _interval(prediction: Prediction) -> str:
    if prediction.low is None or prediction.high is None:
        return NO_DATA
    return f"{percent(prediction.low)} to {percent(prediction.high)}"


def _not_possible(way: WhatIf) -> Iterator[Text]:
    for code, names in _by_code(way.left_out).items():
        yield Text(f"Without {', '.join(names)}: {_WHY_NOT[code]}.", style="dim")


def _by_code(left_out: Sequence[tuple[str, str]]) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for name, code in left_out:
        found.setdefault(code, []).append(name)
    return found


def sentence(one: Predicted, way: WhatIf) -> str:
    """Which remedy is the cheapest that meets the target, and how sure that is."""
    target = f"a residual of {limit(100 * one.question.target, '%')} or less"
    target += f" at {limit(one.question.deadline_ns / 1e6, 'ms')}"
    if way.cheapest is None:
        best = min(way.predictions, key=lambda prediction: prediction.residual_ratio)
        return (
            f"None of these reaches {target}; {best.remedy.name} comes nearest"
            f" with {percent(best.residual_ratio)} %."
        )
    chosen = way.predictions[way.cheapest]
    cost = f"{chosen.overhead_ratio:.2f} times the media's bytes"
    if chosen.verdict == MEETS:
        return f"Cheapest for {target}: {chosen.remedy.name}, {cost}."
    return (
        f"Cheapest for {target}: {chosen.remedy.name}, {cost}; not certain, the interval goes beyond the target"
        if chosen.low is not None
        else f"Cheapest for {target}: {chosen.remedy.name}, {cost}; not certain, the trace is too short"
    ) + "."


def _told(predicted: Sequence[Predicted], left_out: Sequence[LeftOut]) -> dict[str, object]:
    content = to_json(predicted, left_out)
    for session, one in zip(content["sessions"], predicted, strict=True):
        for way, found in zip(session["ways"], one.ways, strict=True):
            way["sentence"] = sentence(one, found)
    for session, left in zip(content["left_out"], left_out, strict=True):
        session["sentence"] = f"{labels.one_line(left.record)} {_WHY_LEFT_OUT[left.code]}."
    return content | {"method": METHOD}
