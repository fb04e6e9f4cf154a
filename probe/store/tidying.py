"""`probe store compact`, step by step; each is whole by itself, so a kill in between only leaves less done."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from pathlib import Path

from probe.store.check import leftovers
from probe.store.compact import compact_segments
from probe.store.hist_files import compact_histograms
from probe.store.keeping import Dropped, Keep, remove_old
from probe.store.lock import tidying
from probe.store.parquet import connect
from probe.store.rebuilding import ensure_histograms
from probe.store.recatalogue import rebuild


@dataclass(frozen=True, slots=True)
class Tidied:
    """What was done; `waiting` files are superseded, but a reader kept them from being removed."""

    histograms_rebuilt: int
    dropped: Dropped
    files_written: int
    files_removed: int
    waiting: int
    leftovers: int
    problems: tuple[str, ...]


def tidy(root: Path, keep: Keep, now: dt.datetime) -> Tidied:
    """Histograms first, then what `keep` gives up, then few files for many.

    Raises ConfigError when another process is at it, StoreError when the disk is full: nothing is lost.
    """
    with tidying(root), connect() as connection:
        removed_leftovers = remove_leftovers(root)
        rebuilt = ensure_histograms(connection, root)
        dropped = remove_old(connection, root, keep, rebuilt.safe, now)
        packed = compact_segments(connection, root)
        written, removed, wrong = compact_histograms(connection, root)
    problems = dict.fromkeys((*rebuilt.problems, *packed.problems, *wrong))
    return Tidied(
        rebuilt.written,
        dropped,
        packed.written + written,
        packed.removed + removed + dropped.files,
        packed.waiting,
        removed_leftovers,
        tuple(problems),
    )


def repair(root: Path) -> tuple[int, int]:
    """Rebuild missing histograms and the catalogue, and remove temporary leftovers: how many files of the first and
    last. Raises StoreError."""
    with tidying(root), connect() as connection:
        removed = remove_leftovers(root)
        made = ensure_histograms(connection, root).written
        rebuild(root)
        return made, removed


def remove_leftovers(root: Path) -> int:
    """Delete temporary files that no living process writes."""
    old = leftovers(root)
    for path in old:
        path.unlink(missing_ok=True)
    return len(old)
