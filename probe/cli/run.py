"""`probe run PLAN`: measure, store, judge."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from probe.cli.options import Impair, LowLatency, Out, PlainSockets, Rt, Spin


def run(
    plan: Annotated[str, typer.Argument(help="a plan file, or the name of one in ./profiles or shipped")],
    *,
    results: Annotated[Path | None, typer.Option(help="where results are kept (default: the plan's)")] = None,
    vantage: Annotated[str | None, typer.Option(help="which of the plan's vantages this machine is")] = None,
    seed: Annotated[int | None, typer.Option(min=0, help="repeat the random choices of another run")] = None,
    duration: Annotated[str | None, typer.Option(help="of every scenario, such as 10s")] = None,
    only: Annotated[str | None, typer.Option(metavar="VENDOR[/NODE]", help="measure only these")] = None,
    impair: Impair = "relay",
    wait: Annotated[str | None, typer.Option(metavar="WINDOW", help="wait until the window opens")] = None,
    rt: Rt = False,
    low_latency: LowLatency = False,
    spin: Spin = None,
    plain_sockets: PlainSockets = False,
    as_json: Annotated[bool, typer.Option("--json", help="stdout is one JSON document")] = False,
    out: Out = None,
    quiet: Annotated[bool, typer.Option("--quiet", help="no progress")] = False,
) -> None:
    """Measure every node of PLAN, keep every packet's record, print the tables and the verdict."""
    from probe.cli.levers import by_kernel, punctuality
    from probe.net.job import Carriage
    from probe.report.delivery import Delivery
    from probe.report.output import Output
    from probe.report.run import run_and_report
    from probe.session.run import RunOptions

    carriage = Carriage(plain_sockets, punctuality(rt, low_latency, spin), by_kernel(impair))
    options = RunOptions(results, vantage, seed, only, duration, wait, carriage)
    output = Output(as_json=as_json, quiet=quiet)
    raise typer.Exit(run_and_report(plan, options, output, Delivery.asked(out)))
