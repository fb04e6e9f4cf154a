"""`probe status`: where a campaign stands."""

from __future__ import annotations

from typing import Annotated

import typer

from probe.cli.options import RESULTS, AsJson, Quiet, Results


def status(
    campaign: Annotated[
        str | None, typer.Argument(help="The beginning of a campaign's id (default: the newest).")
    ] = None,
    *,
    results: Results = RESULTS,
    as_json: AsJson = False,
    quiet: Quiet = False,
) -> None:
    """Tell where a campaign stands: sessions measured and missed, the next one, and what its evidence still
    lacks. Reads the files alone; the campaign may be running in another terminal."""
    from probe.report.campaign_status import print_status
    from probe.report.output import Output

    raise typer.Exit(print_status(results, campaign, Output(as_json=as_json, quiet=quiet)))
