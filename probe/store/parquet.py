"""numpy arrays to and from Parquet through DuckDB alone, in process and in memory.

A `Connection` belongs to one writer or one reading; nothing is shared between them.
"""

from __future__ import annotations

import errno
import os
import re
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from probe.records import SessionRecord
from probe.store.atomic import cannot_write, publishing

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

Connection: TypeAlias = "DuckDBPyConnection"

_ERRNO = re.compile(r'"errno":"(\d+)"')


def connect(threads: int = 1, memory: str = "") -> Connection:
    """A database in memory for one thread at a time.

    It works with one thread of its own, because the packet loop may be running beside it, and never
    downloads an extension. `memory` limits what it keeps (`1GB`).
    """
    import duckdb

    limit = {"memory_limit": memory} if memory else {}

    connection = duckdb.connect(
        ":memory:",
        config={
            "threads": threads,
            **limit,
            "autoinstall_known_extensions": False,
            "autoload_known_extensions": False,
            "python_enable_replacements": False,
        },
    )
    # It would go to stdout, into the one JSON document.
    connection.execute("SET enable_progress_bar = false")
    return connection


def literal(text: str) -> str:
    """`text` as an SQL string."""
    clean = text.replace("\0", "").encode(errors="backslashreplace").decode()
    return "'" + clean.replace("'", "''") + "'"


def labels(record: SessionRecord) -> dict[str, str]:
    """The columns that are the same in every row of a session, as SQL expressions.

    They make each file understandable alone, whatever folder it was copied to.
    """
    names = ("vendor", "node", "scenario", "network", "window", "transport")
    return {
        "run_id": literal(record.run_id),
        "session": f"{record.index}::INTEGER",
        **{name: literal(getattr(record, name)) for name in names},
        "emulated": "true" if record.emulated else "false",
    }


def write_table(
    connection: Connection,
    path: Path,
    arrays: Mapping[str, NDArray[Any]],
    columns: Mapping[str, str],
    metadata: Mapping[str, str],
) -> None:
    """Write `columns` (name -> SQL expression over `arrays`) as one Parquet file, zstd, all or nothing.

    `metadata` becomes the file's key/value metadata. Raises StoreError.
    """
    select = ", ".join(f'{expression} AS "{name}"' for name, expression in columns.items())
    connection.register("arrays", {name: np.ascontiguousarray(array) for name, array in arrays.items()})
    try:
        write_query(connection, path, f"SELECT {select} FROM arrays", metadata)  # noqa: S608 - ours
    finally:
        connection.unregister("arrays")


def write_query(
    connection: Connection,
    path: Path,
    query: str,
    metadata: Mapping[str, str],
    check: Callable[[Path], object] | None = None,
) -> None:
    """Write the result of `query` in its order, as `write_table`; `check` may look at it before it is there.

    Raises StoreError, and what `check` raises.
    """
    pairs = ", ".join(f"{name}: {literal(value)}" for name, value in metadata.items())
    write_copy(
        connection,
        path,
        query,
        f"FORMAT parquet, COMPRESSION zstd, USE_TMP_FILE false, KV_METADATA {{{pairs}}}",
        check,
    )


def write_copy(
    connection: Connection,
    path: Path,
    query: str,
    options: str,
    check: Callable[[Path], object] | None = None,
) -> None:
    """`COPY (query) TO path (options)`, all or nothing. Raises StoreError."""
    import duckdb

    try:
        with publishing(path) as temporary:
            connection.execute(f"COPY ({query}) TO {literal(str(temporary))} ({options})")
            if check is not None:
                check(temporary)
    except duckdb.Error as error:
        raise cannot_write(path, _errno(str(error)), _first_line(error)) from error


def read_metadata(connection: Connection, paths: Sequence[Path]) -> list[dict[str, str]]:
    """The key/value metadata of each file, in the same order. Raises duckdb.Error."""
    found: dict[str, dict[str, str]] = {str(path): {} for path in paths}
    rows = connection.execute(
        "SELECT file_name, key, value FROM parquet_kv_metadata(?)", [list(found)]
    ).fetchall()
    for name, key, value in rows:
        found.setdefault(name, {})[key.decode(errors="replace")] = value.decode(errors="replace")
    return [found[str(path)] for path in paths]


def read_columns(
    connection: Connection, paths: Sequence[Path], columns: Mapping[str, str]
) -> dict[str, NDArray[Any]]:
    """`columns` (name -> SQL expression) of the files one after another. Raises duckdb.Error."""
    select = ", ".join(f'{expression} AS "{name}"' for name, expression in columns.items())
    return connection.execute(
        f"SELECT {select} FROM read_parquet(?, hive_partitioning = false)",  # noqa: S608 - ours
        [[str(path) for path in paths]],
    ).fetchnumpy()


def _errno(message: str) -> int | None:
    """DuckDB has no errno of its own; newer versions print it, older ones print the system's words."""
    match = _ERRNO.search(message)
    if match:
        return int(match[1])
    known = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EROFS, errno.EACCES, errno.EIO)
    return next((code for code in known if os.strerror(code) in message), None)


def _first_line(error: BaseException) -> str:
    return str(error).strip().partition("\n")[0]
