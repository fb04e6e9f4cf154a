"""`probe analyze FILE`: every media metric of every stream of a capture, a table, or a stored run."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from probe.cli.options import RESULTS, AsJson, Quiet, Results


def analyze(
    source: Annotated[
        str,
        typer.Argument(
            metavar="FILE",
            help="A pcap or pcapng, a CSV or Parquet with seq,sent_ns,received_ns, or a stored run.",
        ),
    ],
    *,
    interval: Annotated[
        str | None,
        typer.Option(metavar="TIME", help="Media time of a packet (20ms); else as the stream tells."),
    ] = None,
    clock: Annotated[
        int | None,
        typer.Option(metavar="HZ", min=1, help="RTP clock of payload types that are not static (48000)."),
    ] = None,
    deadline: Annotated[
        str | None,
        typer.Option(
            metavar="TIME", help="Playout deadline above the smallest delay; 200ms, or the session's own."
        ),
    ] = None,
    one_way: Annotated[
        str | None,
        typer.Option(
            "--one-way",
            metavar="TIME",
            help="The smallest one-way delay where you know it (40ms), or what it lies between (0ms..80ms).",
        ),
    ] = None,
    codec: Annotated[
        str | None,
        typer.Option(metavar="NAME", help="Whose Ie and Bpl the E-model takes: g711-plc, g729a-vad, ..."),
    ] = None,
    remove_skew: Annotated[
        bool, typer.Option("--remove-skew", help="Bring the receiver's clock to the sender's rate first.")
    ] = False,
    stream: Annotated[int | None, typer.Option(metavar="N", help="Only this stream, as numbered.")] = None,
    fit: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE", help="Write a network profile with this loss and delay, to be replayed."
        ),
    ] = None,
    pcap: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Write what arrived as a capture that other programs open."),
    ] = None,
    explain: Annotated[
        int | None, typer.Option(metavar="N", min=1, help="Show one frame of a capture, field by field.")
    ] = None,
    results: Results = RESULTS,
    as_json: AsJson = False,
    quiet: Quiet = False,
    out: Annotated[
        list[str] | None,
        typer.Option("--out", metavar="json=PATH", help="Write the JSON document to a file, too."),
    ] = None,
) -> None:
    """Analyse packets that were measured before, by anyone. Sends none; the exit code is 0 unless the file
    cannot be used."""
    from probe.report.output import Output

    output = Output(as_json=as_json, quiet=quiet)
    if explain is not None:
        from probe.report.explain import explain_frame

        told = explain_frame(source, explain)
        if as_json:
            output.document({"schema_version": 1, "frame": explain, "text": told})
        else:
            output.out.print(told, soft_wrap=True)
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
