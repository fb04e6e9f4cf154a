"""What the catalogue knows of a folder under `packets` or `hist`: its files by their names, compacted ones and
histograms also by their metadata. No row is read."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Self

from probe.records import Json
from probe.store import layout
from probe.store.hist_files import HistogramPart, read_parts
from probe.store.layout import SegmentFile
from probe.store.packs import read_packs
from probe.store.parquet import Connection

Database = Callable[[], Connection]
"""A connection once it is needed."""
Key = tuple[str, int]
"""Run id and index of a session."""


@dataclass(slots=True)
class PacketFolder:
    """`alone`: segment numbers, with bytes, in files of their own; `packs`: bytes, and by session segment numbers,
    packets and SHA-256. `torn` are compacted files that cannot be read: what has any is not kept."""

    folders: list[str] = field(default_factory=list)
    alone: dict[Key, list[tuple[int, int]]] = field(default_factory=dict)
    packs: dict[str, tuple[int, dict[Key, tuple[list[int], int, str]]]] = field(default_factory=dict)
    torn: list[str] = field(default_factory=list)

    @property
    def whole(self) -> bool:
        return not self.torn

    def sessions(self) -> set[Key]:
        """Of which any segment is here."""
        return set(self.alone).union(*(sessions for _, sessions in self.packs.values()))

    def segment_keys(self) -> set[tuple[str, int, int]]:
        """Run, session and number of each segment."""
        alone = {(*key, number) for key, numbers in self.alone.items() for number, _ in numbers}
        return alone.union(
            (*key, number)
            for _, sessions in self.packs.values()
            for key, (numbers, _, _) in sessions.items()
            for number in numbers
        )

    @property
    def bytes(self) -> int:
        """Of the files that could be read."""
        alone = sum(size for numbers in self.alone.values() for _, size in numbers)
        return alone + sum(size for size, _ in self.packs.values())

    def segments(self, folder: Path, run_id: str) -> list[SegmentFile]:
        """Those of a run in files of their own."""
        return [
            SegmentFile(run, index, number, folder / layout.segment_name(run, index, number))
            for (run, index), numbers in self.alone.items()
            if run == run_id
            for number, _ in numbers
        ]

    def packs_with(self, run_id: str) -> list[str]:
        """Compacted files that hold any of a run, or may."""
        holding = [
            name for name, (_, sessions) in self.packs.items() if any(run == run_id for run, _ in sessions)
        ]
        return [*holding, *self.torn]

    def to_json(self) -> Json:
        packs = [
            {"name": name, "bytes": size, "sessions": [[*key, *told] for key, told in sessions.items()]}
            for name, (size, sessions) in self.packs.items()
        ]
        alone = [[*key, numbers] for key, numbers in self.alone.items()]
        return {"folders": self.folders, "alone": alone, "packs": packs}

    @classmethod
    def from_json(cls, content: Json) -> Self:
        """Raises KeyError, TypeError and ValueError for what `to_json` did not make."""
        found = cls(list(content["folders"]))
        for run_id, index, numbers in content["alone"]:
            found.alone[run_id, index] = [(number, size) for number, size in numbers]
        for pack in content["packs"]:
            sessions = {
                (run_id, index): (told[0], told[1], told[2]) for run_id, index, *told in pack["sessions"]
            }
            found.packs[pack["name"]] = pack["bytes"], sessions
        return found


@dataclass(slots=True)
class HistogramFolder:
    """`parts`: file, run, session, packets, whether it is a compacted file. `sizes`: bytes of each file."""

    folders: list[str] = field(default_factory=list)
    parts: list[tuple[str, str, int, int, bool]] = field(default_factory=list)
    sizes: dict[str, int] = field(default_factory=dict)
    problems: list[str] = field(default_factory=list)

    @property
    def whole(self) -> bool:
        return not self.problems

    @property
    def bytes(self) -> int:
        return sum(self.sizes.values())

    def parts_in(self, folder: Path) -> list[HistogramPart]:
        return [
            HistogramPart((run_id, index), folder / name, packets, packed)
            for name, run_id, index, packets, packed in self.parts
        ]

    def to_json(self) -> Json:
        return {"folders": self.folders, "parts": [list(part) for part in self.parts], "bytes": self.sizes}

    @classmethod
    def from_json(cls, content: Json) -> Self:
        """Raises KeyError, TypeError and ValueError for what `to_json` did not make."""
        parts = [(name, run, index, n, packed) for name, run, index, n, packed in content["parts"]]
        return cls(list(content["folders"]), parts, dict(content["bytes"]))


def read_packet_folder(folder: Path, database: Database) -> PacketFolder:
    """One folder, without those in it. Raises OSError when it is gone."""
    found = PacketFolder()
    packs = []
    for name, size in _files(folder, found.folders):
        if segment := layout.parse_segment(name):
            run_id, index, number = segment
            found.alone.setdefault((run_id, index), []).append((number, size))
        elif layout.is_pack(name):
            packs.append((folder / name, size))
    for numbers in found.alone.values():
        numbers.sort()
    if not packs:
        return found
    sizes = dict(packs)
    read, _ = read_packs(database(), sorted(sizes))
    for pack in read:
        sessions = {
            (entry.record.run_id, entry.record.index): (list(entry.numbers), entry.rows, entry.sha256)
            for entry in pack.entries
        }
        found.packs[pack.path.name] = sizes[pack.path], sessions
    found.torn = sorted(path.name for path in sizes if path.name not in found.packs)
    return found


def read_histogram_folder(folder: Path, database: Database) -> HistogramFolder:
    """One folder, without those in it. Raises OSError when it is gone."""
    found = HistogramFolder()
    packed, alone = [], []
    for name, size in sorted(_files(folder, found.folders)):
        if histogram := layout.parse_histogram(name):
            alone.append(layout.HistogramFile(*histogram, folder / name))
        elif layout.is_pack(name):
            packed.append(folder / name)
        else:
            continue
        found.sizes[name] = size
    if packed or alone:
        parts, found.problems = read_parts(database(), packed, alone)
        found.parts = [(part.path.name, *part.key, part.packets, part.packed) for part in parts]
    return found


def _files(folder: Path, folders: list[str]) -> list[tuple[str, int]]:
    """Names and sizes of the files in a folder; `folders` takes the names of those that are folders."""
    found: list[tuple[str, int]] = []
    with os.scandir(folder) as entries:
        for entry in entries:
            if entry.is_dir(follow_symlinks=False):
                folders.append(entry.name)
            elif entry.name.endswith(".parquet"):
                found.append((entry.name, entry.stat().st_size))
    folders.sort()
    return found
