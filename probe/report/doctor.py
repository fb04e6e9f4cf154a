"""`probe doctor` as its user reads it: a line a check, the command that mends each lack, and the last word."""

from __future__ import annotations

import asyncio

from rich.text import Text

from probe.analysis.quality import LIMITS
from probe.analysis.results import GRADE_GOOD
from probe.errors import ExitStatus
from probe.net.job import Carriage
from probe.records import Json
from probe.report.doctor_sentences import FOUND, NAMES, remedy
from probe.report.grid import Column, Grid
from probe.report.output import Output
from probe.report.quality_reasons import LIMITS_PAGE
from probe.report.sentences import sentence
from probe.report.words import Word, grade_word
from probe.session.doctor import OK, Check, Diagnosis, diagnose

SCHEMA_VERSION = 1
_STATUS = {OK: Word("✓", "ok", "green")}
_LACK = Word("!", "lack", "yellow")


def diagnose_and_report(carriage: Carriage, output: Output) -> int:
    """Examine this machine, print; returns the exit code."""
    if not output.quiet:
        output.note("trying out this machine; nothing leaves it")
    diagnosis = asyncio.run(diagnose(carriage))
    code = int(ExitStatus.PASS if diagnosis.can_measure else ExitStatus.NOT_MEASURED)
    if output.as_json:
        output.document(diagnosis_document(diagnosis, code))
        return code
    last, *advice = conclusion(diagnosis)
    if output.quiet:
        output.out.print(last)
        return code
    output.out.print(table(diagnosis.checks))
    for line in (last, *advice):
        output.out.print(line)
    return code


def table(checks: tuple[Check, ...]) -> Grid:
    """A row a check; below it what to do about each lack."""
    grid = Grid([Column("", left=True), Column("check", left=True), Column("found", left=True, flex=True)])
    for check in checks:
        below = [Text(f"    → {remedy(check, lack)}", style="dim") for lack in check.lacks]
        word = _STATUS.get(check.status, _LACK)
        grid.add(word.text(), NAMES[check.name], Text(FOUND[check.name](check.facts)), below=below)
    return grid


def conclusion(diagnosis: Diagnosis) -> list[Text]:
    """Whether it can measure, graded by the limits of any session, and why not."""
    call, reasons = diagnosis.call, _reasons(diagnosis)
    if call is None or not diagnosis.can_measure:
        why = "; ".join([str(diagnosis.error)] if call is None else reasons) or "no packet came back"
        told = Text("✗ This machine cannot measure well enough", style="bold red")
        return [told.append(f": {why} (exit code 3).", style="not bold default"), _advice()]
    word = grade_word(call.grade)
    told = Text(f"{word.mark} This machine can measure", style=word.style)
    told.append(
        f": a call with itself of {call.counts['sent']} packets was graded {word.word}", style="default"
    )
    told.append(f" ({'; '.join(reasons)})." if reasons else ".", style="default")
    return [told] if call.grade == GRADE_GOOD else [told, _advice()]


def _reasons(diagnosis: Diagnosis) -> list[str]:
    reasons = diagnosis.call.quality["reasons"] if diagnosis.call else []
    return [sentence(reason).rstrip(".") for reason in reasons]


def _advice() -> Text:
    return Text(
        "  → end other programs, or try again with --rt, --low-latency or --spin 200us; "
        f"the limits are in {LIMITS_PAGE}",
        style="dim",
    )


def diagnosis_document(diagnosis: Diagnosis, code: int) -> Json:
    """The same as JSON."""
    call = diagnosis.call
    error = diagnosis.error
    return {
        "schema_version": SCHEMA_VERSION,
        "can_measure": diagnosis.can_measure,
        "exit_code": code,
        "grade": call.grade if call else None,
        "reasons": _reasons(diagnosis),
        "error": None if error is None else {"message": str(error), "hint": error.hint},
        "checks": [_check(check) for check in diagnosis.checks],
        "limits": [
            {"code": one.code, "unit": one.unit, "degraded": one.degraded, "invalid": one.invalid}
            for one in LIMITS
        ],
        "quality": call.quality if call else None,
    }


def _check(check: Check) -> Json:
    return {
        "name": check.name,
        "status": check.status,
        "sentence": FOUND[check.name](check.facts),
        "lacks": [{"code": lack, "remedy": remedy(check, lack)} for lack in check.lacks],
        "facts": check.facts,
    }
