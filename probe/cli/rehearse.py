"""`probe rehearse PLAN`: a campaign in virtual time."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from probe.cli.options import AsJson, Out, Quiet


def rehearse(
    plan: Annotated[str, typer.Argument(help="A plan file, or the name of one in ./profiles or shipped.")],
    *,
    days: Annotated[int, typer.Option(min=1, max=366, help="How long the campaign would be.")] = 14,
    results: Annotated[
        Path | None, typer.Option(metavar="DIR", help="The folder that results are kept in.")
    ] = None,
    seed: Annotated[int | None, typer.Option(min=0, help="Repeat another rehearsal.")] = None,
    as_json: AsJson = False,
    out: Out = None,
    quiet: Quiet = False,
) -> None:
    """Run a whole campaign in virtual time over the emulated paths of PLAN, without sending a packet: the same
    methods, store and tables, marked EMULATED. Ends with what the plan can find out, and how to change it."""
    from probe.report.out_files import parse_out
    from probe.report.output import Output
    from probe.report.rehearse import rehearse_and_report

    files = parse_out(out or ())
    output = Output(as_json=as_json, quiet=quiet)
    raise typer.Exit(rehearse_and_report(plan, results, days, seed, output, files))
