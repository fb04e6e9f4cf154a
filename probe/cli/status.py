"""`probe status`: where a campaign stands."""

from __future__ import annotations

from probe.cli.options import RESULTS, AsJson, Results


def status(results: Results = RESULTS, as_json: AsJson = False) -> None:
    """Tell where the newest campaign stands: sessions measured and missed, the next one, and what its evidence
    still lacks. Reads the files alone; the campaign may be running in another terminal."""
    import typer

    from probe.report.campaign_run import print_status
    from probe.report.output import Output

    raise typer.Exit(print_status(results, Output(as_json=as_json)))
