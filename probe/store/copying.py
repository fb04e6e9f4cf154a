"""`probe store import`: another machine's results into ours, as often as one likes.

A run's name is its own on every machine, and so is a segment's: what is here already is passed over. Packets
come before the documents that say how many there are, and each file appears whole; a kill in between leaves a
run that reads as interrupted, and importing again completes it.
"""

from __future__ import annotations

import shutil
from dataclasses import dataclass, field
from pathlib import Path

from probe.errors import ConfigError
from probe.store import layout
from probe.store.atomic import cannot_write, publishing
from probe.store.compact import verify
from probe.store.documents import Unreadable, read_json
from probe.store.hist_files import stored_histograms
from probe.store.layout import SegmentFile
from probe.store.listing import Listing, stored_segments
from probe.store.lock import reading
from probe.store.lookup import run_ids
from probe.store.parquet import Connection, connect
from probe.store.removed import add_removed, read_removed
from probe.store.segments import read_segments


@dataclass(slots=True)
class Imported:
    """What came in; `known` is what was here before. `problems`: what was not taken, and why."""

    runs: list[str] = field(default_factory=list)
    segments: int = 0
    histograms: int = 0
    documents: int = 0
    known: int = 0
    problems: list[str] = field(default_factory=list)


def import_results(root: Path, source: Path) -> Imported:
    """Take over everything in the results folder `source`. Raises ConfigError and StoreError."""
    if not any((source / name).is_dir() for name in ("runs", layout.PACKETS)):
        raise ConfigError(
            f"{source} is no results folder: it has neither runs/ nor packets/",
            hint="give the folder that probe run --results wrote to",
        )
    if root.exists() and source.resolve() == root.resolve():
        raise ConfigError(f"{source} is the results folder itself: there is nothing to import")
    done = Imported()
    with reading(source), connect() as connection:
        foreign = stored_segments(source, connection=connection)
        done.problems += foreign.problems
        known_runs = set(run_ids(root))
        accepted = _acceptable(root, source, {*run_ids(source), *(f.run_id for f in foreign.files)}, done)
        _take_removals(root, source, accepted)
        _take_segments(connection, root, source, foreign, accepted, done)
        _take_histograms(connection, root, source, accepted, done)
        for run_id in sorted(accepted):
            _take_documents(layout.run_folder(root, run_id), layout.run_folder(source, run_id), done)
    done.runs = sorted(accepted - known_runs)
    return done


def _acceptable(root: Path, source: Path, runs: set[str], done: Imported) -> set[str]:
    """The runs that are none of another name's: two runs of one name are told and left alone."""
    accepted = set()
    for run_id in sorted(runs):
        mine, theirs = (layout.run_folder(folder, run_id) / layout.MANIFEST for folder in (root, source))
        try:
            if theirs.exists():
                document = read_json(theirs)
                if mine.exists() and read_json(mine) != document:
                    raise Unreadable(f"{theirs} is another run of the same name as ours: it was not imported")
            accepted.add(run_id)
        except Unreadable as error:
            done.problems.append(str(error))
    return accepted


def _take_removals(root: Path, source: Path, accepted: set[str]) -> None:
    for run_id in sorted(accepted):
        theirs, _ = read_removed(layout.run_folder(source, run_id), run_id)
        mine, _ = read_removed(layout.run_folder(root, run_id), run_id)
        # What they removed and we still have stays; what neither has is told.
        here = {file.session for file in layout.segment_files(root, run_id=run_id)} if theirs else set()
        more = {index: gone for index, gone in theirs.items() if index not in mine and index not in here}
        if more:
            add_removed(root, run_id, more)


def _take_segments(
    connection: Connection, root: Path, source: Path, foreign: Listing, accepted: set[str], done: Imported
) -> None:
    known = {file.key for file in stored_segments(root, connection=connection).files}
    gone = {(run, index) for run in accepted for index in read_removed(layout.run_folder(root, run), run)[0]}
    wanted: dict[Path, list[SegmentFile]] = {}
    for file in foreign.files:
        if file.run_id not in accepted:
            continue
        if file.key in known or file.key[:2] in gone:
            done.known += 1
        else:
            wanted.setdefault(file.path, []).append(file)
    for path, files in sorted(wanted.items()):
        target = root / path.relative_to(source)
        problems: list[str] = []
        if files[0].entry is None:
            problems = read_segments(connection, files)[1]
        elif (
            not {file.run_id for pack in foreign.packs if pack.path == path for file in pack.segments()}
            <= accepted
        ):
            problems = [f"{path} holds packets of a run that was not imported, and was left out with it"]
        if problems:
            done.problems += problems
            continue
        with publishing(target) as temporary:
            _copy(path, temporary, target)
            if files[0].entry is not None:
                verify(connection, temporary, target)
        done.segments += len(files)


def _take_histograms(
    connection: Connection, root: Path, source: Path, accepted: set[str], done: Imported
) -> None:
    mine, theirs = stored_histograms(connection, root), stored_histograms(connection, source)
    done.problems += theirs.problems
    wanted = set()
    for key, part in theirs.parts.items():
        ours = mine.parts.get(key)
        if key[0] in accepted and (ours is None or ours.packets < part.packets):
            wanted.add(part.path)
    for path in sorted(wanted):
        target = root / path.relative_to(source)
        with publishing(target) as temporary:
            _copy(path, temporary, target)
        done.histograms += 1


def _take_documents(mine: Path, theirs: Path, done: Imported) -> None:
    """Sessions before the run's own documents, the verdict last: it says that the run has ended."""
    if not theirs.is_dir():
        return
    last = (layout.MANIFEST, layout.SUMMARY, layout.VERDICT)
    every = [path for path in theirs.rglob("*") if path.is_file() and path.name != layout.REMOVED]
    paths = [path for path in every if not (path.name.startswith(".") or path.name.endswith(".tmp"))]

    def order(path: Path) -> tuple[int, Path]:
        return (last.index(path.name) if path.name in last else -1), path

    for path in sorted(paths, key=order):
        target = mine / path.relative_to(theirs)
        if target.exists():
            done.known += 1
            continue
        try:
            if path.suffix == ".json":
                read_json(path)
        except Unreadable as error:
            done.problems.append(str(error))
            continue
        with publishing(target) as temporary:
            _copy(path, temporary, target)
        done.documents += 1


def _copy(path: Path, temporary: Path, target: Path) -> None:
    try:
        shutil.copyfile(path, temporary)
    except OSError as error:
        raise cannot_write(target, error.errno, str(error)) from error
