"""`probe run PLAN`: measure, store, judge."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def run(
    plan: Annotated[str, typer.Argument(help="a plan file, or the name of one in ./profiles or shipped")],
    results: Annotated[Path | None, typer.Option(help="where results are kept (default: the plan's)")] = None,
    vantage: Annotated[str | None, typer.Option(help="which of the plan's vantages this machine is")] = None,
    seed: Annotated[int | None, typer.Option(min=0, help="repeat the random choices of another run")] = None,
    duration: Annotated[str | None, typer.Option(help="of every scenario, such as 10s")] = None,
    only: Annotated[str | None, typer.Option(metavar="VENDOR[/NODE]", help="measure only these")] = None,
    impair: Annotated[str, typer.Option(metavar="relay", help="how weak networks are applied")] = "relay",
    wait: Annotated[str | None, typer.Option(metavar="WINDOW", help="wait until the window opens")] = None,
    json: Annotated[bool, typer.Option("--json", help="stdout is one JSON document")] = False,
    quiet: Annotated[bool, typer.Option("--quiet", help="no progress")] = False,
) -> None:
    """Measure every node of PLAN, keep every packet's record, print the tables and the verdict."""
    import asyncio

    from probe.plan.load import load_plan
    from probe.report.run import RunView
    from probe.session.command import Request, measure

    if impair != "relay":
        from probe.errors import ConfigError

        raise ConfigError(f"--impair {impair} is not available in this version", hint="use --impair relay")
    request = Request(plan, results, vantage, seed, duration, only, wait)
    view = RunView(as_json=json, quiet=quiet)
    raise typer.Exit(asyncio.run(measure(request, load_plan, view)))
