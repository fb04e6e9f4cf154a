"""Evening peak against off-peak: a row a metric of each node."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, replace
from itertools import groupby

from rich.text import Text

from probe.analysis.results import PeakRow
from probe.report import labels
from probe.report.facts import peak_facts
from probe.report.grid import Column, Grid
from probe.report.numbers import difference, quantity
from probe.report.sentences import sentence
from probe.report.words import peak_word

TITLE = "Evening peak against off-peak"
COLUMNS = (
    Column("vendor/node", left=True, label=1),
    Column("scenario", left=True, label=1),
    Column("network", left=True, label=1),
    Column("transport", left=True, label=1),
    Column("metric", left=True),
    Column("peak"),
    Column("off-peak"),
    Column("change"),
    Column("ratio", drop=2),
    Column("days"),
    Column("n\npeak/off", drop=1),
    Column("verdict", left=True),
    Column("why", left=True, flex=True),
)


def peak(rows: Sequence[PeakRow]) -> Grid:
    """`change` is the median over days of peak minus off-peak. What is 0 in both windows is only named."""
    grid = Grid(COLUMNS, headed=True)
    for _, group in groupby(labels.ordered(rows, asdict), key=_where):
        cell = _without_repeats(list(group))
        told = [row for row in cell if row.peak or row.offpeak or row.infinite] or cell
        zero = ", ".join(row.metric for row in cell if row not in told)
        for row in told:
            last = zero and row is told[-1]
            below = [Text(f"0 in both windows: {zero}", style="dim")] if last else []
            grid.add(*_cells(row), below=below)
    return grid


def _without_repeats(cell: list[PeakRow]) -> list[PeakRow]:
    """One row for all metrics where none has a value and all say why in the same words."""
    said = {sentence(peak_facts(row)) for row in cell}
    if len(cell) == 1 or len(said) > 1 or any(row.n_peak or row.n_offpeak for row in cell):
        return cell
    return [replace(cell[0], metric=f"all {len(cell)} metrics")]


def _cells(row: PeakRow) -> list[str | Text]:
    unit, infinite = row.unit, row.infinite
    change = difference(row.shift, unit, infinite="shift" in infinite, signed=True)
    return [
        *_where(row),
        row.metric,
        quantity(row.peak, unit, infinite="peak" in infinite),
        quantity(row.offpeak, unit, infinite="offpeak" in infinite),
        change + _interval(row),
        quantity(row.ratio, "x", infinite="ratio" in infinite),
        str(row.days) if row.paired else f"{row.days} unpaired",
        f"{row.n_peak}/{row.n_offpeak}",
        peak_word(row.verdict).text(),
        Text(sentence(peak_facts(row))),
    ]


def _where(row: PeakRow) -> tuple[str, ...]:
    return f"{row.vendor}/{row.node}", row.scenario, row.network, row.transport


def _interval(row: PeakRow) -> str:
    if not {"low", "high"} <= set(row.infinite) and (row.low is None or row.high is None):
        return ""
    bounds = (quantity(getattr(row, name), "", infinite=name in row.infinite) for name in ("low", "high"))
    return f" [{', '.join(bound.rstrip('x') for bound in bounds)}]"
