"""`probe analyze FILE`: every media metric of every stream of a capture, a table, or a stored run."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, TypeAlias

import typer

from probe.cli.options import RESULTS, AsJson, Quiet, Results

if TYPE_CHECKING:
    from probe.report.output import Output

Source: TypeAlias = Annotated[
    str,
    typer.Argument(
        metavar="FILE",
        help="A pcap or pcapng, a CSV or Parquet with seq,sent_ns,received_ns, or a stored run.",
    ),
]
Interval: TypeAlias = Annotated[
    str | None, typer.Option(metavar="TIME", help="Media time of a packet (20ms); else as the stream tells.")
]
Clock: TypeAlias = Annotated[
    int | None,
    typer.Option(metavar="HZ", min=1, help="RTP clock of payload types that are not static (48000)."),
]
Deadline: TypeAlias = Annotated[
    str | None,
    typer.Option(
        metavar="TIME", help="Playout deadline above the smallest delay; 200ms, or the session's own."
    ),
]
OneWay: TypeAlias = Annotated[
    str | None,
    typer.Option(
        "--one-way",
        metavar="TIME",
        help="The smallest one-way delay where you know it (40ms), or what it lies between (0ms..80ms).",
    ),
]
CodecName: TypeAlias = Annotated[
    str | None,
    typer.Option(metavar="NAME", help="Whose Ie and Bpl the E-model takes: g711-plc, g729a-vad, ..."),
]
RemoveSkew: TypeAlias = Annotated[
    bool, typer.Option("--remove-skew", help="Bring the receiver's clock to the sender's rate first.")
]
Stream: TypeAlias = Annotated[int | None, typer.Option(metavar="N", help="Only this stream, as numbered.")]
Fit: TypeAlias = Annotated[
    Path | None,
    typer.Option(metavar="FILE", help="Write a network profile with this loss and delay, to be replayed."),
]
Pcap: TypeAlias = Annotated[
    Path | None,
    typer.Option(metavar="FILE", help="Write what arrived as a capture that other programs open."),
]
Explain: TypeAlias = Annotated[
    int | None, typer.Option(metavar="N", min=1, help="Show one frame of a capture, field by field.")
]
OutJson: TypeAlias = Annotated[
    list[str] | None,
    typer.Option("--out", metavar="json=PATH", help="Write the JSON document to a file, too."),
]


def analyze(
    source: Source,
    *,
    interval: Interval = None,
    clock: Clock = None,
    deadline: Deadline = None,
    one_way: OneWay = None,
    codec: CodecName = None,
    remove_skew: RemoveSkew = False,
    stream: Stream = None,
    fit: Fit = None,
    pcap: Pcap = None,
    explain: Explain = None,
    results: Results = RESULTS,
    as_json: AsJson = False,
    quiet: Quiet = False,
    out: OutJson = None,
) -> None:
    """Analyse packets that were measured before, by anyone. Sends none; the exit code is 0 unless the file
    cannot be used."""
    from probe.report.output import Output

    output = Output(as_json=as_json, quiet=quiet)
    if explain is not None:
        _explain(output, source, explain)
        return
    from probe.report.analyze import deliver_analysis, json_path
    from probe.report.capture_out import check_capture, write_capture
    from probe.session.analyze import analyse
    from probe.session.analyze_options import wanted
    from probe.session.fit import check_fit, write_fit

    asked = wanted(
        interval=interval,
        clock_hz=clock,
        deadline=deadline,
        one_way=one_way,
        codec=codec,
        remove_skew=remove_skew,
        stream=stream,
    )
    target = json_path(out or [])
    if fit is not None:
        check_fit(fit)
    if pcap is not None:
        check_capture(pcap)
    analysis = analyse(source, results, asked)
    fitted = None if fit is None else (fit, write_fit(analysis, fit))
    written = None if pcap is None else (pcap, write_capture(pcap, analysis.streams))
    deliver_analysis(output, analysis, target, fitted, written)


def _explain(output: Output, source: str, frame: int) -> None:
    from probe.report.explain import explain_frame

    told = explain_frame(source, frame)
    if output.as_json:
        output.document({"schema_version": 1, "frame": frame, "text": told})
    else:
        output.out.print(told, soft_wrap=True)
