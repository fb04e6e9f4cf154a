"""`probe report RUN`: the tables and the verdict of a stored run, from its packets."""

from __future__ import annotations

from typing import Annotated

import typer

from probe.cli.options import RESULTS, AsJson, Out, Quiet, Results


def report(
    run: Annotated[
        str, typer.Argument(metavar="RUN", help="A run's id, the beginning of one, or its folder.")
    ],
    results: Results = RESULTS,
    as_json: AsJson = False,
    quiet: Quiet = False,
    out: Out = None,
    timeline: Annotated[
        bool, typer.Option("--timeline", help="Draw delay, loss and goodput over time, too.")
    ] = False,
) -> None:
    """Analyse and judge a stored run again, from its packet files alone; exit code as its verdict."""
    from probe.errors import ConfigError
    from probe.report.delivery import Delivery
    from probe.report.output import Output
    from probe.report.timeline import drawings
    from probe.session.run import judge_stored
    from probe.store.reader import load_run

    if timeline and (as_json or quiet):
        raise ConfigError("--timeline is drawn for people", hint="give it without --json and --quiet")
    delivery = Delivery.asked(out, in_ci=False)
    output = Output(as_json=as_json, quiet=quiet)
    stored = load_run(results, run)
    for problem in stored.problems:
        output.note(problem)
    assessment = judge_stored(stored, stored.folder.parent.parent)
    if timeline:
        output.draw(drawings(assessment, stored.sessions, output.out.width))
    raise typer.Exit(delivery.deliver(output, assessment, stored.manifest))
