"""`probe campaign PLAN`: measure for days."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from probe.cli.options import AsJson, Impair, LowLatency, Out, PlainSockets, Quiet, Rt, Spin


def campaign(
    plan: Annotated[str, typer.Argument(help="A plan file, or the name of one in ./profiles or shipped.")],
    *,
    days: Annotated[int, typer.Option(min=1, max=366, help="How long, from now on.")],
    results: Annotated[
        Path | None, typer.Option(metavar="DIR", help="The folder that results are kept in.")
    ] = None,
    seed: Annotated[int | None, typer.Option(min=0, help="Repeat the diary of another campaign.")] = None,
    vantage: Annotated[str | None, typer.Option(help="Which of the plan's vantages this machine is.")] = None,
    max_bytes: Annotated[
        str | None, typer.Option(metavar="SIZE", help="Send and receive no more in all, such as 2GB.")
    ] = None,
    max_rate: Annotated[
        str | None, typer.Option(metavar="RATE", help="Send no more to a node at a time, such as 2Mbps.")
    ] = None,
    max_load: Annotated[
        float, typer.Option(min=0.1, help="Measure only below this load average a processor.")
    ] = 1.0,
    once: Annotated[
        bool, typer.Option("--once", help="When it is over tell its verdict again, and begin no other.")
    ] = False,
    impair: Impair = "relay",
    rt: Rt = False,
    low_latency: LowLatency = False,
    spin: Spin = None,
    plain_sockets: PlainSockets = False,
    as_json: AsJson = False,
    out: Out = None,
    quiet: Quiet = False,
) -> None:
    """Measure PLAN for days: sessions at random moments inside each node's local windows. Started again with the
    same plan it goes on where it was; sessions missed meanwhile are counted, not made up for."""
    from dataclasses import replace

    from probe.cli.levers import by_kernel, punctuality
    from probe.net.job import Carriage
    from probe.report.campaign_run import campaign_and_report, options_of
    from probe.report.delivery import Delivery
    from probe.report.output import Output

    delivery = Delivery.asked(out)
    output = Output(as_json=as_json, quiet=quiet)
    options = options_of(plan, results, days, seed, vantage, max_bytes, max_rate, once=once)
    carriage = Carriage(plain_sockets, punctuality(rt, low_latency, spin), by_kernel(impair))
    options = replace(options, carriage=carriage)
    raise typer.Exit(campaign_and_report(plan, options, max_load, output, delivery))
