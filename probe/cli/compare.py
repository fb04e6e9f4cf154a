"""`probe compare RUN...`: which vendor is better, and what has changed."""

from __future__ import annotations

from typing import Annotated

import typer

from probe.cli.options import RESULTS, AsJson, Quiet, Results


def compare(
    runs: Annotated[
        list[str],
        typer.Argument(metavar="RUN...", help="Stored runs; later ones are held against the first."),
    ],
    *,
    reference: Annotated[
        str | None, typer.Option(metavar="VENDOR", help="Hold every other vendor against this one.")
    ] = None,
    results: Results = RESULTS,
    as_json: AsJson = False,
    quiet: Quiet = False,
) -> None:
    """Compare vendors measured in the same minutes, and runs with the first of them: paired differences with
    intervals. Sends no packet; the exit code is 0 whatever the outcome."""
    from probe.report.compare import comparison_document, comparison_report
    from probe.report.output import Output
    from probe.session.compare import compare_stored

    output = Output(as_json=as_json, quiet=quiet)
    found = compare_stored(results, runs, reference)
    for problem in found.problems:
        output.note(problem)
    if as_json:
        output.document(comparison_document(found.comparison, found.orders))
        return
    for part in comparison_report(found.comparison, quiet=quiet):
        output.out.print(part)
