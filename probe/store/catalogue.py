"""What is in the store, without opening it all: from `catalogue.jsonl` as far as the folders are as they were then.

The folders are the truth. Each folder is looked at again (`stat`) whenever it matters: one whose stamp is another is
read anew, and so is all of it where the file is missing, damaged, foreign or of another version. A directory changes
its time with every file that comes or goes, and nothing in the store is changed in place; of a run's documents, which
others may touch, every single one is part of the stamp. Writers know nothing of the catalogue: whoever lists brings
it up to date. Where nothing can be written it stays in memory. Nothing is ever removed on the word of it.
"""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TypeVar

from probe.store import layout
from probe.store.catalogue_file import Unit, read_units, write_units
from probe.store.folder_entries import (
    HistogramFolder,
    PacketFolder,
    read_histogram_folder,
    read_packet_folder,
)
from probe.store.hist_files import Histograms, each_once
from probe.store.layout import SegmentFile
from probe.store.listing import Listing, each_segment_once
from probe.store.lookup import run_ids
from probe.store.packs import read_packs
from probe.store.parquet import Connection, connect
from probe.store.run_entries import RunEntry, documents_of_run, read_run

RUNS = "runs"
_T = TypeVar("_T", RunEntry, PacketFolder, HistogramFolder)
_F = TypeVar("_F", PacketFolder, HistogramFolder)


@dataclass(frozen=True, slots=True)
class _Found:
    """`kept`: as the file says. `newest_ns` is the last change under the stamp."""

    stamp: str
    newest_ns: int
    entry: RunEntry | PacketFolder | HistogramFolder
    kept: bool


@contextmanager
def catalogue_of(root: Path, connection: Connection | None = None) -> Iterator[Catalogue]:
    """The catalogue, for as long as `lock.reading` is held; what was read anew is in its file afterwards."""
    catalogue = Catalogue(root, connection)
    try:
        yield catalogue
    finally:
        catalogue.close()
    # A disk that is full or read-only has no catalogue, and needs none.
    with suppress(OSError):
        catalogue.keep()


class Catalogue:
    """Of one results folder, for one thread, for a moment."""

    def __init__(self, root: Path, connection: Connection | None = None, *, afresh: bool = False) -> None:
        """With `afresh` the file is not looked at."""
        self._root = root
        self._began_ns = time.monotonic_ns()
        self._kept = {} if afresh else read_units(root) or {}
        self._found: dict[str, _Found] = {}
        self._complete: set[str] = set()
        self._given = connection
        self._own: Connection | None = None

    def run(self, run_id: str) -> RunEntry:
        """What is known of a run, whose folder may be lost."""
        name = f"{RUNS}/{run_id}"
        return self._entry(
            name, RunEntry, documents_of_run(self._root, run_id), partial(read_run, self._root, run_id)
        )

    def runs(self) -> dict[str, RunEntry]:
        """All that have a folder, oldest first."""
        found = {run_id: self.run(run_id) for run_id in run_ids(self._root)}
        self._complete.add(RUNS)
        return found

    def kind_of(self, run_id: str) -> str | None:
        """The `kind` in a run's manifest if that is known without opening anything."""
        kept = self._kept.get(f"{RUNS}/{run_id}")
        if kept is None or kept.stamp != _stamp(documents_of_run(self._root, run_id))[0]:
            return None
        with suppress(KeyError, TypeError, ValueError, AttributeError):
            return str(RunEntry.from_json(kept.content).manifest.get("kind"))
        return None

    def packets(self) -> dict[str, PacketFolder]:
        """All folders under `packets`, by their path from the results folder."""
        return self._walk(layout.PACKETS, PacketFolder, read_packet_folder)

    def histogram_folders(self) -> dict[str, HistogramFolder]:
        """All folders under `hist`, by their path from the results folder."""
        return self._walk(layout.HISTOGRAMS, HistogramFolder, read_histogram_folder)

    def histograms(self) -> Histograms:
        """Every session's histogram."""
        folders = self.histogram_folders()
        parts = [part for name, folder in folders.items() for part in folder.parts_in(self._root / name)]
        return each_once(parts, [problem for folder in folders.values() for problem in folder.problems])

    def segments(self, run_id: str, country: str | None = None, vendor: str | None = None) -> Listing:
        """The segments of one run, as `listing.stored_segments` gives them: only compacted files that hold any of
        it, or cannot be read, are opened."""
        alone: list[SegmentFile] = []
        packs: list[Path] = []
        for name, folder in self._partitions(country, vendor):
            path = self._root / name
            alone += folder.segments(path, run_id)
            packs += [path / pack for pack in folder.packs_with(run_id)]
        found, problems = read_packs(self._database(), packs) if packs else ([], [])
        return each_segment_once(sorted(alone), found, problems, run_id)

    def sessions_with_packets(
        self, country: str | None = None, vendor: str | None = None
    ) -> dict[str, set[int]]:
        """By run."""
        found: dict[str, set[int]] = {}
        for _, folder in self._partitions(country, vendor):
            for run_id, index in folder.sessions():
                found.setdefault(run_id, set()).add(index)
        return found

    def close(self) -> None:
        """Close the connection, if it is our own."""
        if self._own is not None:
            self._own.close()
            self._own = None

    def keep(self) -> None:
        """Bring the file up to date, if anything has changed. Raises OSError."""
        gone = [name for name in self._kept if name not in self._found and _table(name) in self._complete]
        if gone or not all(found.kept for found in self._found.values() if found.entry.whole):
            write_units(self._root, self._new_units, time.monotonic_ns() - self._began_ns)

    def look_at_everything(self) -> None:
        self.runs()
        self.packets()
        self.histogram_folders()

    def units(self, unsettled_ns: int | None = None) -> dict[str, Unit]:
        """What the file is to hold: all that was kept or looked at, except what has changed since `unsettled_ns`."""
        units = {name: unit for name, unit in self._kept.items() if _table(name) not in self._complete}
        for name, found in self._found.items():
            units.pop(name, None)
            if found.kept:
                units[name] = self._kept[name]
            elif found.entry.whole and (unsettled_ns is None or found.newest_ns < unsettled_ns):
                units[name] = Unit(found.stamp, found.entry.to_json())
        return units

    def _new_units(self, unsettled_ns: int) -> dict[str, Unit] | None:
        units = self.units(unsettled_ns)
        return None if units == self._kept else units

    def _walk(
        self, table: str, kind: type[_F], read: Callable[[Path, Callable[[], Connection]], _F]
    ) -> dict[str, _F]:
        """The folder `table` and all below it that are still there."""
        left = [table]
        entries: dict[str, _F] = {}
        while left:
            name = left.pop()
            path = self._root / name
            with suppress(OSError):  # gone between its parent's reading and its own, or never there
                entry = self._entry(name, kind, [path], partial(read, path, self._database))
                entries[name] = entry
                left += [f"{name}/{folder}" for folder in entry.folders]
        self._complete.add(table)
        return dict(sorted(entries.items()))

    def _entry(self, name: str, kind: type[_T], paths: Iterable[Path], read: Callable[[], _T]) -> _T:
        if (known := self._found.get(name)) is not None and isinstance(known.entry, kind):
            return known.entry
        stamp, newest_ns = _stamp(paths)
        kept = self._kept.get(name)
        if kept is not None and kept.stamp == stamp:
            with suppress(KeyError, TypeError, ValueError, AttributeError):
                entry = kind.from_json(kept.content)
                self._found[name] = _Found(stamp, newest_ns, entry, kept=True)
                return entry
        entry = read()
        self._found[name] = _Found(stamp, newest_ns, entry, kept=False)
        return entry

    def _partitions(self, country: str | None, vendor: str | None) -> Iterator[tuple[str, PacketFolder]]:
        within = layout.partition(layout.PACKETS, country, vendor)
        for name, folder in self.packets().items():
            if f"{name}/".startswith(f"{within}/"):
                yield name, folder

    def _database(self) -> Connection:
        if self._given is not None:
            return self._given
        if self._own is None:
            self._own = connect()
        return self._own


def _stamp(paths: Iterable[Path]) -> tuple[str, int]:
    """Changes with each of the files and folders, and the moment of the last change of any (ns)."""
    told, newest_ns = [], 0
    for path in paths:
        try:
            found = path.stat()
        except OSError:
            told.append(path.name)
            continue
        told.append(f"{path.name} {found.st_ino} {found.st_size} {found.st_mtime_ns} {found.st_ctime_ns}")
        newest_ns = max(newest_ns, found.st_mtime_ns, found.st_ctime_ns)
    text = "\n".join(sorted(told))
    return hashlib.sha256(text.encode(errors="surrogateescape")).hexdigest()[:32], newest_ns


def _table(name: str) -> str:
    return name.partition("/")[0]
