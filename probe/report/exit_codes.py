"""What every exit code means, and what a CI job makes of it."""

from __future__ import annotations

from dataclasses import dataclass

from rich.text import Text

from probe.errors import ExitStatus
from probe.records import Json
from probe.report.grid import Column, Grid

SCHEMA_VERSION = 1
PRECEDENCE = (
    ExitStatus.CONFIG,
    ExitStatus.CRASH,
    ExitStatus.FAIL,
    ExitStatus.NOT_MEASURED,
    ExitStatus.INCONCLUSIVE,
    ExitStatus.PASS,
)
"""Where several apply to one run, the first is its exit code."""


@dataclass(frozen=True, slots=True)
class Meaning:
    """`advice`: the colour in CI, and who has to act."""

    status: ExitStatus
    meaning: str
    advice: str


MEANINGS = (
    Meaning(ExitStatus.PASS, "Every gating threshold holds, on enough evidence.", "green"),
    Meaning(ExitStatus.CRASH, "A fault of probe itself.", "red, ours: report it"),
    Meaning(
        ExitStatus.CONFIG,
        "The command line or the plan is wrong; found before a packet was sent.",
        "red, the author's",
    ),
    Meaning(
        ExitStatus.NOT_MEASURED,
        "Our side could not measure: no permission, wrong key or fingerprint, own uplink or control down,"
        " disk full, or a measurement that is not valid.",
        "red or retry, ours",
    ),
    Meaning(
        ExitStatus.INCONCLUSIVE,
        "Measured, but not enough to decide: too few packets or days, or the peak window was not covered.",
        "yellow: measure more",
    ),
    Meaning(
        ExitStatus.FAIL,
        "A gating threshold failed, or a vendor's node did not answer or died.",
        "red, the vendor's",
    ),
    Meaning(ExitStatus.SIGINT, "Stopped by Ctrl-C (SIGINT); what was measured is kept.", "stopped"),
    Meaning(ExitStatus.SIGTERM, "Stopped by SIGTERM; what was measured is kept.", "stopped"),
)


def exit_codes_table() -> Grid:
    """A row a code."""
    columns = [Column("code"), Column("name", left=True), Column("in CI", left=True)]
    grid = Grid([*columns, Column("meaning", left=True, flex=True)])
    for item in MEANINGS:
        grid.add(str(int(item.status)), item.status.name, item.advice, Text(item.meaning))
    first = ", ".join(str(int(status)) for status in PRECEDENCE)
    grid.notes.append(Text(f"Where several apply, the first of {first} wins.", style="dim"))
    return grid


def exit_codes_document() -> Json:
    """The same as JSON."""
    codes = [
        {"code": int(m.status), "name": m.status.name, "meaning": m.meaning, "advice": m.advice}
        for m in MEANINGS
    ]
    return {
        "schema_version": SCHEMA_VERSION,
        "exit_codes": codes,
        "precedence": [int(status) for status in PRECEDENCE],
    }
