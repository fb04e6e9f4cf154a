"""The model, as the relay applies it, against what a real kernel's netem did (recorded once)."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from importlib import resources
from math import inf
from typing import Any

from probe.errors import NotMeasured
from probe.impairment.compare import Row, rows
from probe.impairment.conformance import CASES
from probe.impairment.observed import Figure, figures, through_link

FIGURES = "data/netem-kernel.json"


@dataclass(frozen=True, slots=True)
class Recorded:
    """A kernel, its tools, and by case and figure what it did."""

    kernel: str
    iproute2: str
    cases: dict[str, dict[str, Figure]]


def recorded() -> Recorded:
    """The recording's figures that come with the program; NotMeasured when they are missing."""
    try:
        text = (resources.files("probe") / FIGURES).read_text(encoding="utf-8")
    except OSError:
        raise NotMeasured(
            f"the kernel's recorded figures ({FIGURES}) are missing: install probe again"
        ) from None
    document: dict[str, Any] = json.loads(text)
    cases = {
        name: {
            figure: Figure(value, inf if error is None else error)
            for figure, (value, error) in facts["figures"].items()
        }
        for name, facts in document["cases"].items()
    }
    return Recorded(document["kernel"], document["iproute2"], cases)


def conformance(kernel: Recorded, seed: int) -> Iterator[Row]:
    """A row a figure of each case, with as many packets as the kernel was given."""
    for case in CASES:
        yield from rows(case, kernel.cases[case.name], figures(case, through_link(case, seed)))
