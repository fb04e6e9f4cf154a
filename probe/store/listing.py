"""Which segments there are: in files of their own and in compacted files, each once."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from probe.store import layout
from probe.store.layout import SegmentFile
from probe.store.packs import Pack, read_packs
from probe.store.parquet import Connection, connect


@dataclass(frozen=True, slots=True)
class Listing:
    """`files` in order of run, session and number; `packs` that could be read; `problems` of the others.

    `superseded` are the files all of whose segments lie in a compacted file as well.
    """

    files: list[SegmentFile]
    packs: list[Pack]
    superseded: list[Path]
    problems: list[str]


def stored_segments(
    root: Path,
    *,
    run_id: str | None = None,
    country: str | None = None,
    vendor: str | None = None,
    connection: Connection | None = None,
) -> Listing:
    """The stored segments; files of their own are known by name, of compacted ones the metadata is read.

    List and read within `lock.reading`, or the files may be compacted in between.
    """
    alone = layout.segment_files(root, run_id=run_id, country=country, vendor=vendor)
    paths = layout.pack_files(root, country=country, vendor=vendor)
    if not paths:
        return Listing(alone, [], [], [])
    if connection is None:
        with connect() as own:
            packs, problems = read_packs(own, paths)
    else:
        packs, problems = read_packs(connection, paths)
    return each_segment_once(alone, packs, problems, run_id)


def each_segment_once(
    alone: Iterable[SegmentFile], packs: list[Pack], problems: list[str], run_id: str | None
) -> Listing:
    """Each segment of `run_id` (None: of all) in one place. Larger packs come first, so that what a smaller one holds
    as well is passed over with all of it."""
    chosen: dict[tuple[str, int, int], SegmentFile] = {}
    superseded = []
    for pack in sorted(packs, key=lambda pack: (-len(pack.segments()), str(pack.path))):
        new = {file.key: file for file in pack.segments() if file.key not in chosen}
        if not new:
            superseded.append(pack.path)
        chosen |= new
    kept = []
    for file in alone:
        if file.key in chosen:
            superseded.append(file.path)
        else:
            kept.append(file)
    kept += [file for file in chosen.values() if run_id in (None, file.run_id)]
    return Listing(sorted(kept), packs, superseded, problems)
