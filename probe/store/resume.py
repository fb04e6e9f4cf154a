"""Going on with a run that was left: what of it is stored, and who may write it."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from probe.errors import ConfigError
from probe.records import Json
from probe.store import layout
from probe.store.atomic import cannot_write
from probe.store.documents import Unreadable, read_json
from probe.store.lookup import run_ids


def stored_sessions(root: Path, run_id: str) -> set[int]:
    """The numbers of the run's sessions of which anything is stored, finished or not; no file is opened."""
    folder = layout.run_folder(root, run_id) / "sessions"
    ended = {int(path.stem) for path in folder.glob("[0-9]*.json") if path.stem.isdigit()}
    return ended | {file.session for file in layout.segment_files(root, run_id=run_id)}


def manifests(root: Path, kind: str) -> Iterator[Json]:
    """The manifests of a kind, newest run first; those that cannot be read are passed over."""
    for run_id in reversed(run_ids(root)):
        try:
            manifest = read_json(layout.run_folder(root, run_id) / layout.MANIFEST)
        except Unreadable:
            continue
        if manifest.get("kind") == kind and manifest.get("run_id") == run_id:
            yield manifest


@contextmanager
def only_writer(root: Path, run_id: str) -> Iterator[None]:
    """Hold the run: no other process writes it meanwhile. The kernel lets go of it for a killed process.

    Raises ConfigError when another process has it, StoreError where the file system has no locks.
    """
    folder = layout.run_folder(root, run_id)
    try:
        descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    except OSError as error:
        raise cannot_write(folder, error.errno, str(error)) from error
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        yield
    except BlockingIOError:
        raise ConfigError(
            f"campaign {run_id} is being measured by another process",
            hint="probe status shows how far it is",
        ) from None
    except OSError as error:
        raise cannot_write(folder, error.errno, str(error)) from error
    finally:
        os.close(descriptor)
