"""`probe runs`: what has been measured."""

from __future__ import annotations

from probe.cli.options import RESULTS, AsJson, Quiet, Results


def runs(results: Results = RESULTS, as_json: AsJson = False, quiet: Quiet = False) -> None:
    """List the stored runs, oldest first; with --quiet their ids alone."""
    from probe.report.output import Output
    from probe.report.runs import runs_document, runs_table
    from probe.store.reader import list_runs

    output = Output(as_json=as_json, quiet=quiet)
    found = list_runs(results)
    for problem in (problem for run in found for problem in run.problems):
        output.note(problem)
    if as_json:
        output.document(runs_document(found))
    elif quiet:
        for run in found:
            output.out.print(run.run_id)
    elif found:
        output.out.print(runs_table(found))
    else:
        output.out.print(f"There are no runs in {results}; probe run PLAN makes one.")
