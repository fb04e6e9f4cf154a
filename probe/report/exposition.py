"""Prometheus' text format (version 0.0.4): families of gauges, each sample once, no time stamps.

A sample with a time stamp makes node_exporter drop the whole file, and so does the same sample twice.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

Labels = tuple[tuple[str, str], ...]


@dataclass(slots=True)
class _Family:
    help: str
    samples: dict[Labels, float] = field(default_factory=dict)


class Exposition:
    """Gauges in the order in which they first come; of equal labels the first value stays."""

    def __init__(self, prefix: str) -> None:
        self._prefix = prefix
        self._families: dict[str, _Family] = {}

    def add(self, name: str, told: str, labels: Mapping[str, object], value: float | None) -> None:
        """`told` is the family's help. No data is no sample; labels without a value are left out."""
        if value is None:
            return
        family = self._families.setdefault(f"{self._prefix}{name}", _Family(told))
        shown = tuple((key, _text(text)) for key, text in labels.items() if text not in (None, ""))
        family.samples.setdefault(shown, value)

    def text(self) -> str:
        return "".join(f"{line}\n" for line in self._lines())

    def _lines(self) -> Iterator[str]:
        for name, family in self._families.items():
            yield f"# HELP {name} {_escaped(family.help)}"
            yield f"# TYPE {name} gauge"
            for labels, value in family.samples.items():
                inside = ",".join(f'{key}="{_quoted(text)}"' for key, text in labels)
                yield f"{name}{{{inside}}} {number(value)}" if inside else f"{name} {number(value)}"


def number(value: float) -> str:
    """As Go's ParseFloat reads it."""
    if math.isinf(value):
        return "+Inf" if value > 0 else "-Inf"
    return repr(float(value)) if not float(value).is_integer() else str(int(value))


def _text(value: object) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, list | tuple):
        return "|".join(map(str, value))
    return str(value)


def _escaped(text: str) -> str:
    return text.replace("\\", r"\\").replace("\n", r"\n")


def _quoted(text: str) -> str:
    # A lone surrogate is no UTF-8, which the format is.
    return _escaped(text.encode(errors="replace").decode()).replace('"', r"\"")
