"""docs/measurement.md has the limits that sessions are graded by."""

from __future__ import annotations

import re
from pathlib import Path

from probe.analysis.quality import LIMITS

TEXT = (Path(__file__).parent.parent / "docs" / "measurement.md").read_text(encoding="utf-8")


def test_the_limits_of_the_page_are_those_of_the_code() -> None:
    lines = re.findall(r"^\| `\w+` .*\|$", TEXT, re.MULTILINE)
    cells = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]
    told = {row[0].strip("`"): (row[2], row[3]) for row in cells if len(row) == 4}
    assert told.pop("nothing_sent") == ("", "always")
    in_code = {}
    for limit in LIMITS:
        factor, unit = (100, "%") if limit.unit == "ratio" else (1, limit.unit)
        numbers = (limit.degraded, limit.invalid)
        in_code[limit.code] = tuple("" if n is None else f"{factor * n:g} {unit}" for n in numbers)
    assert told == in_code
