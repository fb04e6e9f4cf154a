"""Readers and the removal of files keep out of each other's way, across processes.

Nothing in the store is ever changed, so writers need no lock. But `compact` removes files that it has put
together: a reader holds a shared lock on the results folder from listing files to the end of reading them,
and files are removed under an exclusive one. Who wants to remove closes the gate first (a lock on `packets`),
or readers that follow each other closely would keep it waiting for ever. The kernel lets go of a killed
process's locks.
"""

from __future__ import annotations

import fcntl
import os
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

from probe.errors import ConfigError
from probe.store.atomic import cannot_write, make_folder
from probe.store.layout import PACKETS

PATIENCE_S = 5.0
_POLL_S = 0.05


@contextmanager
def reading(root: Path) -> Iterator[None]:
    """No file that is listed inside disappears before the end. Nothing there to lock is nothing to lose."""
    try:
        descriptor = os.open(root, os.O_RDONLY | os.O_DIRECTORY)
    except OSError:
        yield
        return
    try:
        # A file system without locks has none for `removing` either, which then removes nothing.
        with suppress(OSError):
            with suppress(ConfigError), _opened(root / PACKETS) as gate:
                fcntl.flock(gate, fcntl.LOCK_SH)
            fcntl.flock(descriptor, fcntl.LOCK_SH)
        yield
    finally:
        os.close(descriptor)


@contextmanager
def removing(root: Path) -> Iterator[bool]:
    """Whether files may be removed now: False when readers did not end within `PATIENCE_S`.

    Raises StoreError where the file system has no locks.
    """
    with ExitStack() as stack:
        end = time.monotonic() + PATIENCE_S
        locks = [stack.enter_context(_opened(root))]
        if (root / PACKETS).is_dir():
            locks.insert(0, stack.enter_context(_opened(root / PACKETS)))
        for descriptor in locks:
            while not _try(root, descriptor):
                if time.monotonic() > end:
                    yield False
                    return
                time.sleep(_POLL_S)
        yield True


@contextmanager
def tidying(root: Path) -> Iterator[None]:
    """The one process that compacts this store. Raises ConfigError when there is one already."""
    runs = root / "runs"
    if (root / PACKETS).is_dir():
        make_folder(runs)
    with _opened(runs) as descriptor:
        if not _try(root, descriptor):
            raise ConfigError(
                f"another process is compacting {root}", hint="wait for it; two are no faster than one"
            )
        yield


@contextmanager
def _opened(folder: Path) -> Iterator[int]:
    try:
        descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    except OSError as error:
        raise ConfigError(f"there are no results in {folder}: {error.strerror}") from error
    try:
        yield descriptor
    finally:
        os.close(descriptor)


def _try(root: Path, descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError as error:
        raise cannot_write(root, error.errno, str(error)) from error
    return True
