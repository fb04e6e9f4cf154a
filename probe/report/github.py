"""Inside GitHub Actions: the job summary, an annotation on each failed threshold's line, and outputs.

Workflow commands go to stderr, which the runner reads as it does stdout: with --json that is one document.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import IO

from probe.analysis.results import FAIL, INCONCLUSIVE, NOT_MEASURED, Assessment, Judgement
from probe.records import Json
from probe.report.checks import told
from probe.report.labels import of_scope
from probe.report.markdown import markdown
from probe.report.numbers import plural
from probe.report.printable import printable
from probe.report.verdict import overall

SUMMARY_LIMIT = 900_000
"""Bytes: of a summary over 1 MiB GitHub keeps nothing."""

OF_A_KIND = 10
"""Annotations of one level that a step may make."""

_CUT = "\n\n**Cut here: the whole is in the run's own report.**\n"


def tell_github(
    assessment: Assessment, manifest: Json, errors: IO[str], environ: Mapping[str, str] = os.environ
) -> None:
    """Do nothing anywhere else. A summary that cannot be written is no reason to lose the verdict."""
    if environ.get("GITHUB_ACTIONS") != "true":
        return
    for line in commands(assessment, environ):
        errors.write(f"{line}\n")
    errors.flush()
    with suppress(OSError):
        if summary := environ.get("GITHUB_STEP_SUMMARY"):
            _append(Path(summary), markdown(assessment, manifest))
    with suppress(OSError):
        if output := environ.get("GITHUB_OUTPUT"):
            with Path(output).open("a", encoding="utf-8") as file:
                file.write(f"verdict={assessment.verdict}\nexit_code={assessment.exit_code}\n")
                file.write(f"run_id={printable(assessment.run_id).splitlines()[0]}\n")


def commands(assessment: Assessment, environ: Mapping[str, str]) -> Iterator[str]:
    """One a line of the plan: errors for failed gates, warnings for the rest that is not well."""
    gates = [item for item in assessment.thresholds if item.severity == "gate"]
    others = [item for item in assessment.thresholds if item.severity == "warn"]
    errors = _by_line(item for item in gates if item.verdict in (FAIL, NOT_MEASURED))
    warnings = _by_line(
        item for item in (*gates, *others) if item.verdict == (FAIL if item in others else INCONCLUSIVE)
    )
    if not assessment.thresholds or assessment.verdict == "interrupted":
        yield _command("error", {"title": "probe"}, overall(assessment).plain)
    for level, found in (("error", errors), ("warning", warnings)):
        for number, judgements in enumerate(found):
            if number == OF_A_KIND - 1 and len(found) > OF_A_KIND:
                left = plural(len(found) - number, "more threshold")
                yield _command(level, {"title": "probe"}, f"{left} did not hold: see the summary")
                break
            yield _annotation(level, judgements, environ)


def _by_line(judgements: Iterator[Judgement]) -> list[list[Judgement]]:
    lines: dict[tuple[object, ...], list[Judgement]] = {}
    for item in judgements:
        lines.setdefault((item.file, item.line, item.expr), []).append(item)
    return list(lines.values())


def _annotation(level: str, judgements: Sequence[Judgement], environ: Mapping[str, str]) -> str:
    first = judgements[0]
    properties: dict[str, str] = {}
    if first.file is not None:
        properties = {"file": _in_repository(first.file, environ), "line": str(first.line or 1)}
    properties["title"] = f"{first.expr} ({plural(len(judgements), 'place')})"
    return _command(
        level, properties, "\n".join(f"{of_scope(item.scope)}: {told(item)}" for item in judgements)
    )


def _in_repository(file: str, environ: Mapping[str, str]) -> str:
    """Annotations name files from the repository's root."""
    workspace = environ.get("GITHUB_WORKSPACE")
    path = Path(file).absolute()
    if workspace and path.is_relative_to(workspace):
        return str(path.relative_to(workspace))
    return file


def _command(level: str, properties: Mapping[str, str], message: str) -> str:
    inside = ",".join(f"{name}={_property(value)}" for name, value in properties.items())
    return f"::{level} {inside}::{_data(message)}"


def _data(text: str) -> str:
    clean = printable(text.replace("\r", "\n"))
    return clean.replace("%", "%25").replace("\n", "%0A")


def _property(text: str) -> str:
    return _data(text).replace(":", "%3A").replace(",", "%2C")


def _append(path: Path, text: str) -> None:
    """As much as there is room for, cut between lines."""
    room = SUMMARY_LIMIT - (path.stat().st_size if path.exists() else 0)
    data = text.encode(errors="replace")
    if len(data) > room:
        end = data.rfind(b"\n", 0, max(room - len(_CUT), 0))
        data = data[: max(end, 0)] + _CUT.encode()
    with path.open("ab") as file:
        file.write(data)
