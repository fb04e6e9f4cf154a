"""`probe analyze`: a file's streams for people, and as one JSON document."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from rich.console import RenderableType
from rich.text import Text

from probe.analysis.stream_document import stream_document
from probe.analysis.stream_metrics import is_a_clocks
from probe.errors import ConfigError
from probe.impairment.profile import Loss, NetworkProfile
from probe.records import Json
from probe.report.analyze_facts import facts_lines, rtcp_line, stream_name
from probe.report.analyze_intervals import interval_line
from probe.report.analyze_model import model_lines
from probe.report.analyze_strips import strips
from probe.report.document import encode
from probe.report.grid import Column, Grid
from probe.report.latency import INFINITE_NOTE, percentile
from probe.report.numbers import INFINITE, NO_DATA, count, milliseconds, percent, plural, share
from probe.report.out_files import parse_out
from probe.report.output import Output
from probe.session.analyze import AnalysedStream, Analysis
from probe.store.atomic import write_atomically

SCHEMA_VERSION = 1
MOST = 24
"""Streams shown; JSON has all of them."""


def analysis_document(analysis: Analysis) -> Json:
    """Everything, by the names of docs/contract.md."""
    return {
        "schema_version": SCHEMA_VERSION,
        "source": analysis.source,
        "kind": analysis.kind,
        "facts": analysis.facts,
        "problems": list(analysis.problems),
        "streams": [_stream(stream) for stream in analysis.streams],
    }


def json_path(out: Sequence[str]) -> Path | None:
    """The file of `--out json=PATH`. Raises ConfigError, before anything is analysed."""
    files = parse_out(out)
    for file in files:
        if file.form != "json":
            raise ConfigError(
                f"--out {file.form}={file.path}: an analysis has no verdict to write as {file.form}",
                hint="--out json=PATH writes its document",
            )
    if len(files) > 1:
        raise ConfigError("--out json=PATH: give one file")
    return files[0].path if files else None


def deliver_analysis(
    output: Output,
    analysis: Analysis,
    target: Path | None = None,
    fitted: tuple[Path, NetworkProfile] | None = None,
    written: tuple[Path, int] | None = None,
) -> None:
    """Write the file, print. Raises StoreError before anything is printed."""
    for problem in analysis.problems:
        output.note(problem)
    content = analysis_document(analysis) if output.as_json or target is not None else {}
    if target is not None:
        write_atomically(target, (encode(content, indent=None) + "\n").encode())
    if output.as_json:
        output.document(content, indent=None)
    elif output.quiet:
        output.out.print(_last_line(analysis))
    else:
        for part in analysis_report(analysis):
            output.out.print(part)
    told = output.err if output.as_json else output.out
    if fitted is not None:
        told.print(_fitted_line(*fitted))
    if written is not None:
        told.print(Text(f"Wrote {written[1]} packets to {written[0]}."))


def _last_line(analysis: Analysis) -> Text:
    sent = sum(stream.metrics.sent for stream in analysis.streams)
    lost = sum(stream.metrics.lost for stream in analysis.streams)
    return Text(f"{plural(len(analysis.streams), 'stream')}, {share(lost / sent, lost, sent)} % lost")


def _fitted_line(path: Path, profile: NetworkProfile) -> Text:
    ways = [("up", profile.up), ("down", profile.down)]
    if profile.up == profile.down:
        ways = [("both ways", profile.up)]
    told = []
    for name, way in ways:
        loss = "no loss"
        if isinstance(way.loss, Loss):
            loss = f"{percent(way.loss.ratio)} % lost in runs of {way.loss.mean_burst:.2f}"
        told.append(f"{name} {loss}, delay {way.delay_ns / 1e6:.1f} ms")
    return Text(f"Wrote {path}: {'; '.join(told)}. probe weak relay {path} replays it.")


def _stream(stream: AnalysedStream) -> Json:
    model: Json = {"refused": stream.refused} if stream.refused else {}
    document = stream_document(stream.metrics)
    if stream.refused is None and document["e_model"] is not None:
        document["e_model"] |= {"refused": None}
    return (
        {"number": stream.number, "what": stream.what, "delay_is": stream.delay_is}
        | document
        | ({"e_model": model} if model else {})
        | {"rtcp": None if stream.rtcp is None else stream.rtcp.to_json()}
    )


def analysis_report(analysis: Analysis) -> Iterator[RenderableType]:
    """A heading, what was in the file, and tables; every number with its n."""
    total = len(analysis.streams)
    yield Text(f"{analysis.source}  {analysis.kind} · {plural(total, 'stream')}", style="bold")
    for line in facts_lines(analysis):
        yield Text(line, style="dim")
    streams = analysis.streams[:MOST]
    for title, grid in (
        ("Delay and its variation, ms", _delays(streams)),
        ("Loss", _losses(streams)),
        ("What a player would have had to conceal", _playout(streams)),
    ):
        yield Text("")
        yield Text(title, style="bold")
        yield grid
    yield Text("")
    yield from strips(streams)
    for stream in streams:
        for line in (rtcp_line(stream), interval_line(stream), *model_lines(stream)):
            if line:
                yield Text(f"#{stream.number}  {line}")
    if total > MOST:
        yield Text(f"{total - MOST} streams more are not shown: --stream N shows one, --json has all.")


def _labels(stream: AnalysedStream) -> tuple[str, str]:
    return f"#{stream.number}", stream_name(stream)


_LABELS = (Column("#", left=True), Column("stream", left=True, label=2))


def _delays(streams: Sequence[AnalysedStream]) -> Grid:
    """`n` is of PDV, whose percentiles count the lost as infinite; IPDV and jitter have their own."""
    grid = Grid(
        [
            *_LABELS,
            Column("n"),
            Column("pdv\np50"),
            Column("p95"),
            Column("p99", drop=2),
            Column("p99.9", drop=3),
            Column("max"),
            Column("n of\nipdv", drop=5),
            Column("ipdv\np95"),
            Column("ipdv\nmax", drop=4),
            Column("n of\njitter", drop=5),
            Column("jitter\nmean"),
            Column("jitter\nmax"),
            Column("skew\nppm", drop=1),
        ]
    )
    for stream in streams:
        metrics, jitter = stream.metrics, stream.metrics.jitter
        grid.add(
            *_labels(stream),
            count(metrics.pdv.n),
            *(percentile(metrics.pdv, name) for name in ("p50", "p95", "p99", "p99_9")),
            milliseconds(metrics.pdv.max),
            count(metrics.ipdv.n),
            percentile(metrics.ipdv, "p95"),
            milliseconds(metrics.ipdv.max),
            count(jitter.n),
            milliseconds(jitter.value("mean")),
            milliseconds(jitter.value("max")),
            f"{1e6 * (metrics.skew or 0):.1f}" if is_a_clocks(metrics) else NO_DATA,
        )
    if any(cell.plain == INFINITE for row in grid.rows for cell in row.cells):
        grid.notes.append(Text(INFINITE_NOTE, style="dim"))
    return grid


def _losses(streams: Sequence[AnalysedStream]) -> Grid:
    grid = Grid(
        [
            *_LABELS,
            Column("loss %\n(lost/sent)"),
            Column("loss\nperiods"),
            Column("longest", drop=2),
            Column("burst\nratio"),
            Column("dup-\nlicates"),
            Column("reordered %\n(of received)"),
            Column("worst\n200 ms %", drop=4),
            Column("worst\n1 s %", drop=3),
            Column("worst\n15 s %"),
        ]
    )
    for stream in streams:
        metrics, loss, reordered = stream.metrics, stream.metrics.loss, stream.metrics.reordering.ratio
        ratio = loss.burst_ratio
        grid.add(
            *_labels(stream),
            share(metrics.lost / metrics.sent, metrics.lost, metrics.sent),
            count(loss.count),
            count(int(loss.lengths.max()) if loss.count else 0),
            NO_DATA if ratio is None else f"{ratio:.2f}",
            count(metrics.duplicates),
            share(reordered.ratio, reordered.hits, reordered.n),
            *(f"{percent(window.ratio)} ({window.lost}/{window.packets})" for window in metrics.worst_loss),
        )
    return grid


def _playout(streams: Sequence[AnalysedStream]) -> Grid:
    grid = Grid(
        [
            *_LABELS,
            Column("deadline\nms"),
            Column("lost or late %\n(of sent)"),
            Column("enough for\n1 %, ms"),
            Column("bursts"),
            Column("isolated"),
            Column("seconds\nconcealed", drop=1),
            Column("severely", drop=1),
            Column("audio frozen\n>200 ms %"),
            Column("video\n>600 ms %", drop=2),
        ]
    )
    for stream in streams:
        metrics = stream.metrics
        residual = metrics.residual[metrics.deadline_ns]
        enough, concealed = metrics.required_buffer_ns, metrics.concealed
        grid.add(
            *_labels(stream),
            f"{metrics.deadline_ns / 1e6:g}",
            share(residual.ratio, residual.hits, residual.n),
            NO_DATA if enough is None else milliseconds(enough / 1e6, infinite=enough == float("inf")),
            count(metrics.bad.bursts),
            count(metrics.bad.isolated),
            f"{concealed.concealed}/{concealed.seconds}",
            f"{concealed.severely}/{concealed.seconds}",
            percent(metrics.freeze["audio_200ms"].ratio),
            percent(metrics.freeze["video_600ms"].ratio),
        )
    return grid
