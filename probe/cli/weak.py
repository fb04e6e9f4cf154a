"""`probe weak`: weak networks to look at and to put programs behind."""

from __future__ import annotations

import typer

from probe.cli.options import AsJson, Quiet

app = typer.Typer(
    name="weak",
    help="Weak networks: look at them, and put programs behind them.",
    no_args_is_help=True,
    rich_markup_mode=None,
)


@app.command("list")
def list_networks(*, as_json: AsJson = False, quiet: Quiet = False) -> None:
    """List the networks that can be given by name, with their numbers and where these are from."""
    from probe.report.networks import list_networks as list_and_print
    from probe.report.output import Output

    list_and_print(Output(as_json=as_json, quiet=quiet))
