"""`probe whatif RUN`: what other remedies against loss would have done, from the stored packets alone."""

from __future__ import annotations

from typing import Annotated

import typer

from probe.cli.options import RESULTS, AsJson, Quiet, Results


def whatif(
    run: Annotated[
        str, typer.Argument(metavar="RUN", help="A run's id, the beginning of one, or its folder.")
    ],
    *,
    target: Annotated[
        str | None,
        typer.Option(
            metavar="SHARE", help="Residual to stay within, such as 1%; else the run's thresholds say."
        ),
    ] = None,
    deadline: Annotated[
        str | None,
        typer.Option(metavar="TIME", help="Playout deadline, such as 200ms; else the scenario's."),
    ] = None,
    only: Annotated[
        str | None, typer.Option(metavar="VENDOR[/NODE]", help="Replay only their sessions.")
    ] = None,
    seed: Annotated[int, typer.Option(min=0, help="Of the draws for packets that were never sent.")] = 0,
    results: Results = RESULTS,
    as_json: AsJson = False,
    quiet: Quiet = False,
) -> None:
    """Replay retransmission, RED, FEC and their pairs on each session that lost packets: residual at the deadline,
    recovery time and overhead, by cost, and the cheapest that meets the target."""
    from probe.report.output import Output
    from probe.report.whatif import tell
    from probe.session.replaying import Asked

    tell(run, results, Asked(target, deadline, only, seed), Output(as_json=as_json, quiet=quiet))
