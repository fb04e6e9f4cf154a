"""`probe gate PLAN|RUN...`: the verdict for a CI job."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from probe.cli.options import AsJson, LowLatency, Out, PlainSockets, Quiet, Rt, Spin


def gate(
    names: Annotated[
        list[str],
        typer.Argument(metavar="PLAN|RUN...", help="Stored runs, judged as one; or a plan, run first."),
    ],
    *,
    terms: Annotated[
        str | None, typer.Option("--with", metavar="PLAN", help="Judge by the thresholds of this plan.")
    ] = None,
    inconclusive_as: Annotated[
        int, typer.Option(metavar="0|4|99", help="Exit code where the evidence decides nothing.")
    ] = 4,
    out: Out = None,
    results: Annotated[
        Path | None, typer.Option(metavar="DIR", help="The folder that results are kept in.")
    ] = None,
    vantage: Annotated[str | None, typer.Option(help="Measuring: which vantage this machine is.")] = None,
    seed: Annotated[int | None, typer.Option(min=0, help="Measuring: repeat random choices.")] = None,
    duration: Annotated[str | None, typer.Option(help="Measuring: of every scenario, such as 10s.")] = None,
    only: Annotated[str | None, typer.Option(metavar="VENDOR[/NODE]", help="Measuring: only these.")] = None,
    wait: Annotated[
        str | None, typer.Option(metavar="WINDOW", help="Measuring: wait until the window opens.")
    ] = None,
    rt: Rt = False,
    low_latency: LowLatency = False,
    spin: Spin = None,
    plain_sockets: PlainSockets = False,
    as_json: AsJson = False,
    quiet: Quiet = False,
) -> None:
    """Judge stored runs again without sending a packet, by their own thresholds or by those of a PLAN given
    with them; or run a PLAN and judge it. The exit code is the verdict's (`probe exit-codes`)."""
    from probe.cli.levers import punctuality
    from probe.net.job import Carriage
    from probe.report.delivery import Delivery
    from probe.report.gate import gate as judge
    from probe.report.output import Output
    from probe.session.run import RunOptions

    delivery = Delivery.asked(out, inconclusive_as)
    carriage = Carriage(plain_sockets, punctuality(rt, low_latency, spin))
    options = RunOptions(results, vantage, seed, only, duration, wait, carriage)
    output = Output(as_json=as_json, quiet=quiet)
    raise typer.Exit(judge(names, terms, options, output, delivery))
