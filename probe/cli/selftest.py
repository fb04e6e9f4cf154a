"""`probe selftest`: can this machine be trusted with a weak network?"""

from __future__ import annotations

from typing import Annotated

import typer

from probe.cli.options import AsJson, Quiet


def selftest(
    *,
    model: Annotated[
        bool, typer.Option("--model", help="Hold the model against a recorded kernel instead; sends nothing.")
    ] = False,
    seed: Annotated[int | None, typer.Option(min=0, help="Repeat the draws of another time.")] = None,
    as_json: AsJson = False,
    quiet: Quiet = False,
) -> None:
    """Put known impairments on real sockets of this machine, measure them, and hold set against measured, in some
    30 seconds. Exit code 3: this machine cannot measure well enough."""
    from probe.report.output import Output
    from probe.report.selftest import conformance_and_report, selftest_and_report

    output = Output(as_json=as_json, quiet=quiet)
    raise typer.Exit(conformance_and_report(output) if model else selftest_and_report(seed, output))
