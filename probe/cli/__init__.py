"""The command line. Modules here import nothing heavier than typer until a command runs."""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from probe import __version__
from probe.cli import (
    analyze,
    campaign,
    compare,
    doctor,
    exit_codes,
    gate,
    node,
    plan,
    rehearse,
    report,
    run,
    runs,
    selftest,
    status,
    store,
    weak,
    whatif,
)

app = typer.Typer(
    name="probe",
    help="Decide whether a real-time-communication vendor is good enough in a country: "
    "pass, fail, or not enough evidence.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _print_version(asked: bool) -> None:
    if asked:
        typer.echo(f"probe {__version__}")
        raise typer.Exit


@app.callback()
def probe(
    version: Annotated[
        bool,
        typer.Option("--version", help="Print the version and exit.", callback=_print_version, is_eager=True),
    ] = False,
) -> None:
    """Options of `probe` itself."""


app.command(short_help="Measure a plan, keep every packet's record, judge.")(run.run)
app.command(short_help="Measure a plan for days, at random moments of its windows.")(campaign.campaign)
app.command(short_help="A campaign in virtual time: what a plan can find out.")(rehearse.rehearse)
app.command(short_help="Where a campaign stands.")(status.status)
app.command(short_help="The verdict for CI: judge stored runs again, or run a plan.")(gate.gate)
app.command(short_help="Hold vendors and runs against each other.")(compare.compare)
app.command(short_help="Every media metric of a capture, a table of packets, or a stored run.")(
    analyze.analyze
)
app.command(short_help="Run a partner node.")(node.node)
app.add_typer(plan.app, name="plan")
app.add_typer(weak.app, name="weak")
app.command(short_help="Show a stored run again, from its packets.")(report.report)
app.command(short_help="What other remedies against loss would have done, from a stored run.")(whatif.whatif)
app.command(short_help="List the stored runs.")(runs.runs)
app.add_typer(store.app, name="store")
app.command(short_help="What this machine can measure.")(doctor.doctor)
app.command(short_help="Can this machine apply and measure weak networks?")(selftest.selftest)
app.command("exit-codes", short_help="Explain every exit code.")(exit_codes.exit_codes)


def main() -> None:
    """Run one command; the process ends with the exit code that `probe exit-codes` explains."""
    from probe.cli.failures import execute

    sys.exit(execute(app, sys.argv[1:]))
