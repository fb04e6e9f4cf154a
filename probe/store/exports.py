"""`probe store export`: the packets of runs as one CSV or Parquet file for other programs.

A row a scheduled packet in the columns of docs/results.md, with the session's labels beside; what did not
happen is NULL, empty in CSV. Runs are read as everywhere: each packet once, damaged files told.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from numpy.typing import NDArray

from probe.errors import ConfigError
from probe.metrics import NEVER, SAMPLE, TIME_FIELDS
from probe.records import SessionRecord
from probe.store import layout
from probe.store.atomic import cannot_write
from probe.store.catalogue import catalogue_of
from probe.store.localtime import local_time
from probe.store.lock import reading
from probe.store.lookup import find_run
from probe.store.parquet import Connection, connect, labels, literal, write_copy, write_table
from probe.store.sessions import StoredSession, files_of_run, load_session

CSV, PARQUET = "csv", "parquet"
Extra = Callable[[StoredSession], Mapping[str, NDArray[Any]]]
"""Columns of numbers that something above the store adds: one value a row."""

_FORMATS = {CSV: "FORMAT csv, HEADER true", PARQUET: "FORMAT parquet, COMPRESSION zstd, USE_TMP_FILE false"}


def export(
    root: Path, runs: Sequence[str], target: Path, form: str, extra: Extra = lambda _: {}
) -> tuple[int, list[str]]:
    """Write the packets of `runs` to `target`: how many, and sentences about files that are unusable.

    Raises ConfigError for a run that is not there, StoreError when `target` cannot be written.
    """
    problems: list[str] = []
    parts: list[Path] = []
    count = 0
    with _scratch(target) as folder, connect() as connection:
        for name in runs:
            for session in _sessions(connection, root, name, problems):
                if not len(session.rows):
                    continue
                parts.append(folder / f"{len(parts)}.parquet")
                _write_part(connection, parts[-1], session, extra(session))
                count += len(session.rows)
        if not parts:
            raise ConfigError(f"there are no packets of {', '.join(runs)} to export")
        listed = ", ".join(literal(str(part)) for part in parts)
        source = f"SELECT * FROM read_parquet([{listed}], hive_partitioning = false)"  # noqa: S608 - ours
        write_copy(connection, target, source, _FORMATS[form])
    return count, problems


@contextmanager
def _scratch(target: Path) -> Iterator[Path]:
    """A folder beside the file that is to be: the same disk, and gone in the end."""
    folder = target.absolute().parent
    if not folder.is_dir():
        raise ConfigError(f"cannot write {target}: there is no folder {folder}")
    try:
        scratch = tempfile.TemporaryDirectory(dir=folder, prefix=".probe-export-")
    except OSError as error:
        raise cannot_write(target, error.errno, str(error)) from error
    with scratch as name:
        yield Path(name)


def _sessions(connection: Connection, root: Path, name: str, problems: list[str]) -> Iterator[StoredSession]:
    root, run_id = find_run(root, name)
    with reading(root), catalogue_of(root, connection) as catalogue:
        stored = catalogue.segments(run_id)
        found, wrong = files_of_run(layout.run_folder(root, run_id), run_id, stored.files)
        problems += stored.problems + wrong
        for files in found:
            session, wrong = load_session(connection, files)
            problems += wrong
            if session is not None:
                yield session


def _write_part(
    connection: Connection, path: Path, session: StoredSession, extra: Mapping[str, NDArray[Any]]
) -> None:
    record, rows = session.record, session.rows
    local = local_time(rows, record)
    arrays = {name: rows[name] for name in SAMPLE.names or ()}
    arrays |= {"local_day": local.day, "local_hour": local.hour, "utc_offset_s": local.utc_offset_s, **extra}
    due = f"CASE WHEN scheduled_ns <> {NEVER} THEN"
    columns = {
        "country": literal(record.country),
        **labels(record),
        **{name: _text(record, name) for name in ("vantage", "isp", "city")},
        "wall_offset_ns": f"{record.wall_offset_ns}::BIGINT",
        "local_date": f"{due} DATE '1970-01-01' + local_day END",
        "local_hour": f"{due} local_hour END",
        "utc_offset_s": f"{due} utc_offset_s END",
        **{name: f"nullif({name}, {NEVER})" if name in TIME_FIELDS else name for name in SAMPLE.names or ()},
        **{name: name for name in extra},
    }
    write_table(connection, path, arrays, columns, {"run_id": record.run_id})


def _text(record: SessionRecord, name: str) -> str:
    value = getattr(record, name)
    return "NULL::VARCHAR" if value is None else literal(str(value))
