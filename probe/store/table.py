"""Tables of packets that others wrote, CSV or Parquet, with the columns `seq`, `sent_ns` and `received_ns`."""

from __future__ import annotations

import csv
import mmap
import re
from collections.abc import Sequence
from itertools import islice
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from probe.errors import ConfigError
from probe.metrics import NEVER, Times
from probe.store.parquet import connect, literal

COLUMNS = ("seq", "sent_ns", "received_ns")
PARQUET_MAGIC = b"PAR1"
EARLIEST_NS, LATEST_NS = -(1 << 61), 1 << 62
"""Nanoseconds since 1970, up to the year 2116."""
MEMORY = "600MB"
THREADS = 2
_LINE = re.compile(r"CSV Error on Line: (\d+)", re.IGNORECASE)
_INTEGERS = ("TINYINT", "SMALLINT", "INTEGER", "BIGINT", "UTINYINT", "USMALLINT", "UINTEGER", "UBIGINT")
_HINT = "a header seq,sent_ns,received_ns, then whole numbers; received_ns is empty for a lost packet"


class Table(NamedTuple):
    """A row a packet as the file has them; `NEVER` for a time that it does not tell."""

    seq: NDArray[np.int64]
    sent_ns: Times
    received_ns: Times


def read_csv(path: Path) -> Table:
    """All rows. Raises ConfigError that names the line and what is wrong there."""
    names = _header(path)
    numbers = ", ".join(
        f"{literal(name)}: 'BIGINT'" if name in COLUMNS else f"{literal(name)}: 'VARCHAR'" for name in names
    )
    source = (
        f"read_csv({literal(str(path))}, header = true, auto_detect = false, delim = ',', quote = '\"', "
        f"columns = {{{numbers}}}, null_padding = false)"
    )
    if _has_any(path, (b".", b"e", b"E")):
        _check_whole(path, source.replace("'BIGINT'", "'VARCHAR'"))
    return _read(path, source, "CSV")


def _has_any(path: Path, signs: Sequence[bytes]) -> bool:
    """Whether one stands anywhere behind the header."""
    with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
        begin = data.find(b"\n")
        return begin >= 0 and any(data.find(sign, begin) >= 0 for sign in signs)


def _check_whole(path: Path, source: str) -> None:
    """Refuse fractions, which would be rounded. Only for files that may hold some: it reads them twice."""
    import duckdb

    whole = " AND ".join(rf"coalesce(regexp_full_match({name}, '\s*-?\d*\s*'), true)" for name in COLUMNS)
    with connect(THREADS, MEMORY) as connection:
        try:
            row = connection.execute(
                f"SELECT min(row) FROM (SELECT row_number() OVER () AS row, * FROM {source}) WHERE NOT ({whole})"  # noqa: S608 - ours
            ).fetchone()
        except duckdb.Error as error:
            raise ConfigError(_wrong(path, "CSV", str(error)), hint=_HINT) from None
    if row is not None and row[0] is not None:
        raise ConfigError(_bad_line(path, int(row[0]) + 1, "is no row of whole numbers"), hint=_HINT)


def read_parquet(path: Path) -> Table:
    """All rows; other columns are left alone."""
    import duckdb

    source = f"read_parquet({literal(str(path))})"
    with connect() as connection:
        try:
            found = connection.execute(f"DESCRIBE SELECT * FROM {source}").fetchall()  # noqa: S608 - ours
        except duckdb.Error as error:
            raise ConfigError(f"{path} is no Parquet file that can be read: {_first_line(error)}") from None
    kinds = {str(name): str(kind) for name, kind, *_ in found}
    _check_names(f"{path}", list(kinds))
    for name in COLUMNS:
        if kinds[name] not in _INTEGERS:
            raise ConfigError(f"{path}: the column {name} holds {kinds[name]}, not whole numbers", hint=_HINT)
    return _read(path, source, "Parquet")


def _header(path: Path) -> list[str]:
    with path.open(encoding="utf-8-sig", errors="replace", newline="") as file:
        line = file.readline(10_000)
    names = [name.strip() for name in next(csv.reader([line]), [])]
    _check_names(f"{path}:1", names)
    if len(set(names)) < len(names):
        raise ConfigError(f"{path}:1: a column is there twice", hint=_HINT)
    return names


def _check_names(place: str, names: list[str]) -> None:
    missing = [name for name in COLUMNS if name not in names]
    if missing:
        shown = ",".join(names)[:80] or "nothing"
        raise ConfigError(f"{place}: there is no column {missing[0]}; the header is {shown!r}", hint=_HINT)


def _read(path: Path, source: str, kind: str) -> Table:
    import duckdb

    never = f"CAST('{NEVER}' AS BIGINT)"
    chosen = f"CAST(seq AS BIGINT) AS seq, COALESCE(sent_ns, {never}), COALESCE(received_ns, {never})"
    with connect(THREADS, MEMORY) as connection:
        try:
            result = connection.execute(f"SELECT {chosen} FROM {source}")  # noqa: S608 - ours
            columns: dict[str, Any] = result.fetchnumpy()
        except duckdb.Error as error:
            raise ConfigError(_wrong(path, kind, str(error)), hint=_HINT) from None
    seq, sent, received = columns.values()
    if len(seq) == 0:
        raise ConfigError(f"{path}: a header and no packet", hint=_HINT)
    if np.ma.is_masked(seq):
        row = int(np.argmax(np.ma.getmaskarray(seq)))
        place = f"{path}:{row + 2}" if kind == "CSV" else f"{path}: row {row + 1}"
        raise ConfigError(f"{place}: seq is empty; every packet has a number", hint=_HINT)
    table = Table(*(np.asarray(column, np.int64) for column in (seq, sent, received)))
    _check_times(path, kind, table)
    return table


def _check_times(path: Path, kind: str, table: Table) -> None:
    """Refuse times whose differences would not fit into 64 bits; none is that of a packet."""
    for name, column in zip(COLUMNS[1:], table[1:], strict=True):
        lowest = int(column.min(initial=0, where=column != NEVER))
        if lowest < EARLIEST_NS or int(column.max()) > LATEST_NS:
            row = int(np.argmax((column != NEVER) & ((column < EARLIEST_NS) | (column > LATEST_NS))))
            place = f"{path}:{row + 2}" if kind == "CSV" else f"{path}: row {row + 1}"
            raise ConfigError(f"{place}: {name} is {int(column[row])}, which is no time in nanoseconds")


def _wrong(path: Path, kind: str, error: str) -> str:
    """DuckDB's many lines as one sentence with the place."""
    line = _LINE.search(error)
    if line is None:
        return f"{path} cannot be read as {kind}: {error.splitlines()[0]}"
    number = int(line[1])
    values = _line(path, number).split(",")
    counted = "columns" in error.lower() and len(values) != 3
    return _bad_line(path, number, f"has {len(values)} values" if counted else "is no row of whole numbers")


def _line(path: Path, number: int) -> str:
    with path.open(encoding="utf-8", errors="replace") as file:
        return next(islice(file, number - 1, None), "").rstrip("\n")


def _bad_line(path: Path, number: int, reason: str) -> str:
    return f"{path}:{number}: {_line(path, number)[:60]!r} {reason}"


def _first_line(error: Exception) -> str:
    return str(error).splitlines()[0]
