"""`probe store`: keep the results small, whole, and in one place."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from probe.cli.options import RESULTS, AsJson, Quiet, Results
from probe.errors import ConfigError, ExitStatus

app = typer.Typer(
    name="store",
    help="Compact, export, import, check and catalogue stored results.",
    no_args_is_help=True,
    rich_markup_mode=None,
)


@app.command()
def compact(
    results: Results = RESULTS,
    keep_raw: Annotated[
        str | None,
        typer.Option(
            metavar="AGE",
            help="Remove packets that are older (14d); else as each run's plan says, or never. "
            "Histograms and documents stay for ever.",
        ),
    ] = None,
    as_json: AsJson = False,
    quiet: Quiet = False,
) -> None:
    """Put many small files into few, and remove packets that are older than asked for.

    Safe while a run is written and reports are read, and after a kill at any moment: run it again.
    """
    from datetime import UTC, datetime

    from probe.report.output import Output
    from probe.report.store import done_document, tidied_sentences
    from probe.session.upkeep import keeping
    from probe.store.tidying import tidy

    output = Output(as_json=as_json, quiet=quiet)
    done = tidy(results, keeping(results, keep_raw), datetime.now(UTC))
    for problem in done.problems:
        output.note(problem)
    if as_json:
        output.document(done_document(done))
    elif not quiet:
        for sentence in tidied_sentences(done):
            output.out.print(sentence)


@app.command()
def export(
    runs: Annotated[list[str], typer.Argument(metavar="RUN...", help="Ids, or the beginnings of them.")],
    target: Annotated[Path, typer.Option("--output", "-o", metavar="FILE", help="The file to write.")],
    csv: Annotated[bool, typer.Option("--csv", help="As CSV, with a header.")] = False,
    parquet: Annotated[bool, typer.Option("--parquet", help="As Parquet.")] = False,
    force: Annotated[bool, typer.Option("--force", help="Replace the file if it exists.")] = False,
    results: Results = RESULTS,
    as_json: AsJson = False,
    quiet: Quiet = False,
) -> None:
    """Write the packets of runs, each with its labels and its fate, to one file for other programs."""
    from probe.report.output import Output
    from probe.report.store import SCHEMA_VERSION
    from probe.session.upkeep import fate_columns
    from probe.store.exports import CSV, PARQUET
    from probe.store.exports import export as write

    if csv == parquet:
        raise ConfigError("give --csv or --parquet, one of them")
    if target.exists() and not force:
        raise ConfigError(f"{target} exists", hint="--force replaces it")
    output = Output(as_json=as_json, quiet=quiet)
    packets, problems = write(results, runs, target, CSV if csv else PARQUET, fate_columns)
    for problem in problems:
        output.note(problem)
    if as_json:
        output.document({"schema_version": SCHEMA_VERSION, "path": str(target), "packets": packets})
    elif not quiet:
        output.out.print(f"Wrote {packets} packets to {target}.")


@app.command("import")
def import_(
    source: Annotated[Path, typer.Argument(metavar="DIR", help="The results folder of another machine.")],
    results: Results = RESULTS,
    as_json: AsJson = False,
    quiet: Quiet = False,
) -> None:
    """Take over another machine's results; again and again, what is here already is passed over."""
    from probe.report.output import Output
    from probe.report.store import done_document, imported_sentence
    from probe.store.copying import import_results

    output = Output(as_json=as_json, quiet=quiet)
    done = import_results(results, source)
    for problem in done.problems:
        output.note(problem)
    if as_json:
        output.document(done_document(done))
    elif not quiet:
        output.out.print(imported_sentence(done, source))
    if done.problems:
        raise typer.Exit(int(ExitStatus.NOT_MEASURED))


@app.command()
def check(
    results: Results = RESULTS,
    repair: Annotated[
        bool,
        typer.Option(
            "--repair", help="First make missing histograms and the catalogue, remove temporary files."
        ),
    ] = False,
    as_json: AsJson = False,
    quiet: Quiet = False,
) -> None:
    """Read every file and compare it with what it says of itself; exit code 3 if something is damaged."""
    from probe.report.output import Output
    from probe.report.store import checked_document, checked_sentences
    from probe.session.upkeep import fates_add_up
    from probe.store.check import DAMAGE
    from probe.store.check import check as look
    from probe.store.tidying import repair as mend

    output = Output(as_json=as_json, quiet=quiet)
    if not results.is_dir():
        raise ConfigError(f"there are no results in {results}", hint="give their folder: --results DIR")
    if repair:
        made, removed = mend(results)
        output.note(f"Made {made} histograms, removed {removed} temporary files.")
    found = look(results, fates_add_up)
    if as_json:
        output.document(checked_document(found))
    else:
        told = checked_sentences(found)
        for sentence in told[-1:] if quiet else told:
            output.out.print(sentence)
    if any(finding.kind == DAMAGE for finding in found.findings):
        raise typer.Exit(int(ExitStatus.NOT_MEASURED))


@app.command()
def catalogue(results: Results = RESULTS, as_json: AsJson = False, quiet: Quiet = False) -> None:
    """Make the catalogue again from the folders. It is never needed: the file may be deleted at any time, and
    whoever lists runs brings it up to date."""
    from probe.report.output import Output
    from probe.report.store import catalogued_sentences, done_document
    from probe.store.recatalogue import rebuild

    output = Output(as_json=as_json, quiet=quiet)
    done = rebuild(results)
    if as_json:
        output.document(done_document(done))
    elif not quiet:
        for sentence in catalogued_sentences(done):
            output.out.print(sentence)


@app.command()
def hours(
    results: Results = RESULTS,
    exact: Annotated[
        bool, typer.Option("--exact", help="From every packet that is kept, not from histograms.")
    ] = False,
    as_json: AsJson = False,
    quiet: Quiet = False,
) -> None:
    """Show round trips by vendor and hour of the nodes' own day, over all that was ever measured."""
    from probe.report.output import Output
    from probe.report.store import hours_document, hours_table
    from probe.store.hours import hours_from_histograms, hours_from_packets

    output = Output(as_json=as_json, quiet=quiet)
    rows, problems = (hours_from_packets if exact else hours_from_histograms)(results)
    for problem in () if quiet else problems:
        output.note(problem)
    if as_json:
        output.document(hours_document(rows, exact=exact))
    elif rows:
        output.out.print(hours_table(rows))
    else:
        output.out.print(f"There are no round trips in {results}.")


@app.command()
def vantages(results: Results = RESULTS, as_json: AsJson = False, quiet: Quiet = False) -> None:
    """Compare what was seen of the same node from several places, with intervals."""
    from probe.analysis.vantages import vantage_rows
    from probe.report.output import Output
    from probe.report.store import vantages_document, vantages_table
    from probe.session.upkeep import seen_sessions

    output = Output(as_json=as_json, quiet=quiet)
    seen, problems = seen_sessions(results)
    for problem in () if quiet else problems:
        output.note(problem)
    rows = vantage_rows(seen)
    if as_json:
        output.document(vantages_document(rows))
    elif rows:
        output.out.print(vantages_table(rows))
    else:
        output.out.print(f"There are no round trips in {results}.")
