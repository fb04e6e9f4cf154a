"""A table that never cuts a number off: it changes its shape with the width it is given.

1. All columns; a label that repeats the row above is left blank.
2. Too wide: labels of level 1 become a heading line above the rows they belong to.
3. Still too wide: columns are left out, the one with the highest `drop` first, and named below.
4. Still too wide: labels of level 2 go to the heading as well.
5. Still too wide: left-aligned cells wrap.

The last column may be prose (`flex`): it takes the width that is left, or stands below its row.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from rich.cells import cell_len
from rich.console import Console, ConsoleOptions, RenderResult
from rich.text import Text

GAP = 2
INDENT = 2
FLEX_MIN = 36
"""Prose narrower than this reads badly: it goes below its row."""

_NARROWEST = 8
_HEAD, _RULE, _NOTE = "bold", "dim", "dim"


@dataclass(frozen=True, slots=True)
class Column:
    """`head` may have two lines. `label`: 1 or 2, says what the row is about. `drop`: 0 is never left out.

    `flex`: prose, only the last.
    """

    head: str
    left: bool = False
    label: int = 0
    drop: int = 0
    flex: bool = False

    @property
    def name(self) -> str:
        """The head on one line."""
        return self.head.replace("-\n", "").replace("\n", " ")

    @property
    def width(self) -> int:
        return max(map(cell_len, self.head.split("\n")))


@dataclass(frozen=True, slots=True)
class Row:
    """One cell a column; `below` are lines under the row, across the whole table."""

    cells: Sequence[Text]
    below: Sequence[Text] = ()


@dataclass(slots=True)
class Grid:
    """A rich renderable. `headed`: labels are heading lines at every width. `notes` stand below."""

    columns: Sequence[Column]
    rows: list[Row] = field(default_factory=list)
    headed: bool = False
    notes: list[Text] = field(default_factory=list)

    def add(self, *cells: str | Text, below: Sequence[Text] = ()) -> None:
        texts = [Text(cell) if isinstance(cell, str) else cell for cell in cells]
        self.rows.append(Row(texts, below))

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        yield from _Layout(self, options.max_width, console).lines()


class _Layout:
    """The shape of one grid at one width."""

    def __init__(self, grid: Grid, width: int, console: Console) -> None:
        self.grid, self.width, self.console = grid, width, console
        self.labels = [at for at, column in enumerate(grid.columns) if column.label == 1]
        self.shown = [at for at, column in enumerate(grid.columns) if not column.flex]
        self.flex = [at for at, column in enumerate(grid.columns) if column.flex]
        self.heading: list[int] = []
        if grid.headed or self._total() > width:
            self._head_with(1)
        self.left_out = self._leave_out()
        if self._total() > width:
            self._head_with(2)
        self.widths = self._shrink()
        rest = width - self._total() - GAP
        self.beside = bool(self.flex) and rest >= FLEX_MIN
        if self.beside:
            longest = max((cell_len(row.cells[self.flex[0]].plain) for row in grid.rows), default=0)
            self.shown.append(self.flex[0])
            self.widths[self.flex[0]] = min(rest, max(longest, grid.columns[self.flex[0]].width))

    @property
    def indent(self) -> int:
        return INDENT if self.heading else 0

    def lines(self) -> Iterator[Text]:
        columns = self.grid.columns
        yield from self._row([Text(column.head, style=_HEAD) for column in columns], bottom=True)
        yield Text("─" * min(self._total(), self.width), style=_RULE)
        previous: Row | None = None
        for row in self.grid.rows:
            yield from self._heading(row, previous)
            yield from self._row(self._blanked(row, previous))
            yield from self._below(row)
            previous = row
        for note in self._notes():
            yield from note.wrap(self.console, self.width)

    def _heading(self, row: Row, previous: Row | None) -> Iterator[Text]:
        """What stands between two rows that are about different things."""
        apart = self.labels if self.heading else self.labels[:1]
        if previous is not None and not _alike(row, previous, apart):
            yield Text("")
        if self.heading and (previous is None or not _alike(row, previous, self.heading)):
            heading = Text(" · ").join(row.cells[at] for at in self.heading if row.cells[at].plain)
            heading.stylize_before(_HEAD)
            yield from heading.wrap(self.console, self.width)

    def _blanked(self, row: Row, previous: Row | None) -> list[Text]:
        """The cells, without the labels that the row above has told.

        Those of level 2 are told in every row, except where nothing but the values differs.
        """
        cells = list(row.cells)
        if previous is None:
            return cells
        every = [at for at, column in enumerate(self.grid.columns) if column.label]
        again = every if _alike(row, previous, every) else self.labels
        for at in again:
            if not _alike(row, previous, [at]):
                break
            cells[at] = Text("")
        return cells

    def _row(self, cells: list[Text], *, bottom: bool = False) -> Iterator[Text]:
        """The lines of one row: as many as its tallest cell."""
        blocks = [self._block(at, cells[at]) for at in self.shown]
        height = max(map(len, blocks), default=0)
        if bottom:
            blocks = [[Text("")] * (height - len(block)) + block for block in blocks]
        for number in range(height):
            line = Text(" " * self.indent)
            for at, block in zip(self.shown, blocks, strict=True):
                part = block[number] if number < len(block) else Text("")
                space = " " * (self.widths[at] - cell_len(part.plain))
                pieces = (part, space) if self.grid.columns[at].left else (space, part)
                line.append_text(Text.assemble(*pieces, " " * GAP))
            line.rstrip()
            yield line

    def _block(self, at: int, cell: Text) -> list[Text]:
        if "\n" not in cell.plain and cell_len(cell.plain) <= self.widths[at]:
            return [cell]
        lines = list(cell.wrap(self.console, self.widths[at], overflow="fold"))
        for line in lines:
            line.rstrip()
        return lines

    def _below(self, row: Row) -> Iterator[Text]:
        prose = list(row.below)
        if self.flex and not self.beside:
            prose.insert(0, row.cells[self.flex[0]])
        margin = self.indent + INDENT
        for text in prose:
            for line in text.wrap(self.console, max(self.width - margin, _NARROWEST)):
                line.rstrip()
                if line.plain:
                    yield Text.assemble(" " * margin, line)

    def _notes(self) -> list[Text]:
        notes = list(self.grid.notes)
        if self.left_out:
            names = ", ".join(self.grid.columns[at].name for at in self.left_out)
            notes.append(Text(f"Not shown at {self.width} columns: {names}.", style=_NOTE))
        return notes

    def _head_with(self, level: int) -> None:
        """Move the labels up to `level` from the rows to the heading."""
        columns = self.grid.columns
        self.heading = [at for at, column in enumerate(columns) if 0 < column.label <= level]
        self.shown = [at for at in self.shown if at not in self.heading]

    def _leave_out(self) -> list[int]:
        gone: list[int] = []
        while self._total() > self.width:
            candidates = [at for at in self.shown if self.grid.columns[at].drop]
            if not candidates:
                break
            at = max(candidates, key=lambda at: self.grid.columns[at].drop)
            self.shown.remove(at)
            gone.append(at)
        return sorted(gone)

    def _shrink(self) -> dict[int, int]:
        """The width of each shown column; the widest left-aligned ones give way."""
        widths = {at: self._natural(at) for at in self.shown}
        over = self._total() - self.width
        while over > 0:
            soft = [at for at in self.shown if self.grid.columns[at].left and widths[at] > _NARROWEST]
            if not soft:
                break
            widths[max(soft, key=widths.__getitem__)] -= 1
            over -= 1
        return widths

    def _total(self) -> int:
        widths = getattr(self, "widths", None)
        taken = [widths[at] if widths else self._natural(at) for at in self.shown]
        return self.indent + sum(taken) + GAP * max(len(taken) - 1, 0)

    def _natural(self, at: int) -> int:
        cells = (cell_len(row.cells[at].plain) for row in self.grid.rows)
        return max(self.grid.columns[at].width, *cells, 0)


def _alike(row: Row, other: Row, columns: Sequence[int]) -> bool:
    return all(row.cells[at].plain == other.cells[at].plain for at in columns)
