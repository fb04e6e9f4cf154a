"""Percentiles of the round trip by country, vendor and hour of the node's own day.

From histograms in a moment, for as long as they are kept, within half a per cent; from packets exactly, as long
as those are kept. Percentiles are of all packets sent, with lost = infinite (RFC 7679 5.1), by rank
(`inverted_cdf`), as everywhere. The queries over histograms are plain SQL that any engine runs.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from itertools import groupby
from pathlib import Path
from typing import Any

from probe.errors import ConfigError
from probe.metrics import T_MAX_NS
from probe.store.catalogue import catalogue_of
from probe.store.hist_files import Histograms
from probe.store.histograms import INFINITE, WIDTH
from probe.store.listing import Listing, stored_segments
from probe.store.lock import reading
from probe.store.one_way import one_way_sessions
from probe.store.parquet import Connection, connect, literal
from probe.store.segments import short, usable

LEVELS = (500, 950, 990)
"""Per mille."""

MEMORY = "1500MB"
_BY_HOUR = ("country", "vendor", "emulated", "local_hour")


@dataclass(frozen=True, slots=True)
class Hour:
    """One row of the table; percentiles in ms, None = infinite (among the lost)."""

    country: str
    vendor: str
    emulated: bool
    local_hour: int
    n: int
    lost: int
    p50_ms: float | None
    p95_ms: float | None
    p99_ms: float | None


def hours_from_histograms(root: Path, threads: int = 2) -> tuple[list[Hour], list[str]]:
    """The table from histograms, and sentences about files that cannot be used."""
    with reading(root), connect(threads) as connection, catalogue_of(root, connection) as catalogue:
        found = catalogue.histograms()
        rows, torn = percentiles(connection, found, _BY_HOUR)
    return [Hour(*row) for row in rows], [*found.problems, *torn]


def percentiles(
    connection: Connection, found: Histograms, by: Sequence[str]
) -> tuple[list[tuple[Any, ...]], list[str]]:
    """Rows of `by`, n, lost and a percentile in ms for each of `LEVELS`, in the order of `by`; and a sentence for each
    file whose rows cannot be read, which is left out."""
    if not found.parts:
        return [], []
    return _without_torn(
        lambda paths: _percentiles(connection, found.only({*paths}), by), found.paths, "histogram of probe"
    )


def _without_torn(
    read: Callable[[Sequence[Path]], list[tuple[Any, ...]]], paths: Sequence[Path], kind: str
) -> tuple[list[tuple[Any, ...]], list[str]]:
    """What `read` makes of the files whose rows can be read, and a sentence for each other. All at once, and one by
    one only if that fails."""
    import duckdb

    try:
        return read(paths), []
    except duckdb.OutOfMemoryException:
        raise
    except duckdb.Error as error:
        if len(paths) == 1:
            return [], [f"{paths[0]} is torn or no {kind}: {short(error)}"]
    whole: list[Path] = []
    problems: list[str] = []
    for path in paths:
        _, wrong = _without_torn(read, [path], kind)
        whole += [] if wrong else [path]
        problems += wrong
    return (read(whole) if whole else []), problems


def _percentiles(connection: Connection, found: Histograms, by: Sequence[str]) -> list[tuple[Any, ...]]:
    keys = ", ".join(f'"{name}"' for name in by)
    ranked = ", ".join(
        f"min(CASE WHEN reached * 1000 >= {level} * n THEN bucket END) AS b{level}" for level in LEVELS
    )
    values = ", ".join(
        f"CASE WHEN b{level} < {INFINITE} THEN power({WIDTH}, b{level} + 0.5) / 1000 END" for level in LEVELS
    )
    return connection.execute(
        f"WITH merged AS (SELECT {keys}, bucket, CAST(sum(count) AS BIGINT) AS c "  # noqa: S608 - ours
        f"FROM {found.source()} GROUP BY {keys}, bucket), "
        f"running AS (SELECT {keys}, bucket, c, "
        f"sum(c) OVER (PARTITION BY {keys} ORDER BY bucket) AS reached, "
        f"sum(c) OVER (PARTITION BY {keys}) AS n FROM merged), "
        f"ranked AS (SELECT {keys}, CAST(max(n) AS BIGINT) AS n, "
        f"CAST(sum(CASE WHEN bucket = {INFINITE} THEN c ELSE 0 END) AS BIGINT) AS lost, {ranked} "
        f"FROM running GROUP BY {keys}) "
        f"SELECT {keys}, n, lost, {values} FROM ranked ORDER BY {keys}"
    ).fetchall()


def hours_from_packets(root: Path, threads: int = 2) -> tuple[list[Hour], list[str]]:
    """The same table, exact, from every stored packet: a vendor at a time, which bounds the memory."""
    with reading(root), connect(threads, MEMORY) as connection:
        listing = stored_segments(root, connection=connection)
        alone, problems = usable(connection, [file for file in listing.files if file.entry is None])
        packed = [file for file in listing.files if file.entry is not None]
        paths = whole_files(replace(listing, files=[*alone, *packed]))
        skipped = one_way_sessions(connection, root, listing)
        rows: list[Hour] = []
        for _, group in groupby(sorted(paths), key=lambda path: path.parent.parent):
            told, torn = _without_torn(
                lambda paths: _exact(connection, paths, skipped), list(group), "Parquet file of packets"
            )
            rows += [Hour(*row) for row in told]
            problems += torn
    order = sorted(rows, key=lambda row: (row.country, row.vendor, row.emulated, row.local_hour))
    return order, [*listing.problems, *problems]


def whole_files(listing: Listing) -> list[Path]:
    """The files that hold every segment once. Raises ConfigError where compacted files overlap."""
    chosen = {file.path for file in listing.files}
    every = {pack.path: len(pack.segments()) for pack in listing.packs}
    used: dict[Path, int] = {}
    for file in listing.files:
        used[file.path] = used.get(file.path, 0) + 1
    partly = [path for path in chosen if path in every and used[path] < every[path]]
    if partly:
        raise ConfigError(
            f"{partly[0]} overlaps another compacted file, as after an import",
            hint="probe store compact puts them right",
        )
    return sorted(chosen)


def _exact(
    connection: Connection, paths: Sequence[Path], skipped: Sequence[tuple[str, int]]
) -> list[tuple[Any, ...]]:
    """Delays as 32-bit nanoseconds: T_max fits, infinity is the largest number."""
    listed = ", ".join(f"({literal(run)}, {index})" for run, index in skipped)
    both_ways = f"AND (run_id, session) NOT IN ({listed})" if skipped else ""
    levels = ", ".join(str(level / 1000) for level in LEVELS)
    query = (
        "WITH sent AS (SELECT country, vendor, emulated, local_hour, "  # noqa: S608 - ours
        f"CASE WHEN received_ns - sent_ns <= {T_MAX_NS} "
        "THEN greatest(received_ns - sent_ns - coalesce(node_sent_ns - node_received_ns, 0), 1) "
        f"ELSE {INFINITE} END::INTEGER AS rtt FROM read_parquet(?, hive_partitioning = true) "
        f"WHERE unsent = 0 AND sent_ns IS NOT NULL AND scheduled_ns IS NOT NULL {both_ways}), "
        "grouped AS (SELECT country, vendor, emulated, local_hour, count(*) AS n, "
        f"count(*) FILTER (rtt = {INFINITE}) AS lost, quantile_disc(rtt, [{levels}]) AS q FROM sent GROUP BY ALL) "
        "SELECT country, vendor, emulated, local_hour, n, lost, "
        + ", ".join(f"nullif(q[{at}], {INFINITE}) / 1e6" for at in range(1, len(LEVELS) + 1))
        + " FROM grouped"
    )
    return connection.execute(query, [[str(path) for path in paths]]).fetchall()
