"""Going on with a run that was left: what of it is stored, and who may write it."""

from __future__ import annotations

import fcntl
import hashlib
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from probe.errors import ConfigError
from probe.records import Json, SessionRecord
from probe.store import layout
from probe.store.atomic import cannot_write, make_folder
from probe.store.catalogue import Catalogue
from probe.store.documents import Unreadable, parse_record, read_json
from probe.store.lookup import run_ids


def stored_sessions(root: Path, run_id: str) -> set[int]:
    """The numbers of the run's sessions of which anything is stored, finished or not; no file is opened."""
    folder = layout.run_folder(root, run_id) / "sessions"
    ended = {int(path.stem) for path in folder.glob("[0-9]*.json") if path.stem.isdigit()}
    return ended | {file.session for file in layout.segment_files(root, run_id=run_id)}


def finished_record(root: Path, run_id: str, index: int) -> SessionRecord | None:
    """What the document of a session says; None when it has none, or one that cannot be read."""
    path = layout.session_path(root, run_id, index)
    try:
        return parse_record(path, read_json(path))
    except Unreadable:
        return None


def manifests(root: Path, kind: str) -> Iterator[Json]:
    """The manifests of a kind, newest run first; those that cannot be read are passed over. Only those are opened that
    the catalogue does not know to be of another kind."""
    catalogue = Catalogue(root)
    for run_id in reversed(run_ids(root)):
        if catalogue.kind_of(run_id) not in (None, kind):
            continue
        try:
            manifest = read_json(layout.run_folder(root, run_id) / layout.MANIFEST)
        except Unreadable:
            continue
        if manifest.get("kind") == kind and manifest.get("run_id") == run_id:
            yield manifest


@contextmanager
def beginning(root: Path) -> Iterator[None]:
    """Look for a run to go on with, and begin one: a process at a time. Raises StoreError."""
    with _lock_file(root, ".beginning") as (_, descriptor):
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield


@contextmanager
def at_node(root: Path, endpoint: str) -> Iterator[bool]:
    """Whether no other campaign that keeps its results here is at this node now; until the end none will be.

    Raises StoreError.
    """
    digest = hashlib.sha256(endpoint.encode()).hexdigest()[:16]
    with _lock_file(root, f".node-{digest}") as (path, descriptor):
        yield _try(path, descriptor, fcntl.LOCK_EX)


@contextmanager
def _lock_file(root: Path, name: str) -> Iterator[tuple[Path, int]]:
    path = root / "runs" / name
    try:
        make_folder(path.parent)
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o666)
    except OSError as error:
        raise cannot_write(path.parent, error.errno, str(error)) from error
    try:
        yield path, descriptor
    finally:
        os.close(descriptor)


_PATIENCE_S = 1.0


@contextmanager
def only_writer(root: Path, run_id: str) -> Iterator[None]:
    """Hold the run: no other process writes it meanwhile. The kernel lets go of it for a killed process.

    Raises ConfigError when another process has it, StoreError where the file system has no locks.
    """
    with _locked(root, run_id, fcntl.LOCK_EX, _PATIENCE_S) as held:
        if not held:
            raise ConfigError(
                f"campaign {run_id} is being measured by another process",
                hint="probe status shows how far it is",
            )
        yield


def is_written(root: Path, run_id: str) -> bool:
    """Whether a process holds the run right now. Raises StoreError."""
    with _locked(root, run_id, fcntl.LOCK_SH, 0.0) as free:
        return not free


@contextmanager
def _locked(root: Path, run_id: str, kind: int, patience_s: float) -> Iterator[bool]:
    """Whether the lock was had, in time: somebody who only asks lets go of it at once."""
    folder = layout.run_folder(root, run_id)
    end = time.monotonic() + patience_s
    try:
        descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    except OSError as error:
        raise cannot_write(folder, error.errno, str(error)) from error
    try:
        while not (held := _try(folder, descriptor, kind)) and time.monotonic() < end:
            time.sleep(0.02)
        yield held
    finally:
        os.close(descriptor)


def _try(folder: Path, descriptor: int, kind: int) -> bool:
    try:
        fcntl.flock(descriptor, kind | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError as error:
        raise cannot_write(folder, error.errno, str(error)) from error
    return True
