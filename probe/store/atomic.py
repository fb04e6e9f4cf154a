"""Whole files or none: written under a temporary name in the same folder, flushed, then renamed.

A reader, or a machine that loses power, sees the file complete under its final name or not at all.
Temporary names begin with a dot and end in `.tmp`; whoever finds one after a crash may delete it.
"""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from secrets import token_hex

from probe.errors import StoreError

_REASONS = {
    errno.ENOSPC: "no space left on the disk",
    errno.EDQUOT: "the disk quota is used up",
    errno.EFBIG: "the file would be larger than this process may write",
    errno.EROFS: "the file system is read-only",
    errno.EACCES: "permission denied",
    errno.EPERM: "permission denied",
    errno.ENOTDIR: "a part of the path is a file, not a folder",
    errno.EEXIST: "a part of the path is a file, not a folder",
    errno.EIO: "the disk reports an input/output error",
}
_HINT = "free some space or give the results another folder: --results DIR"


def cannot_write(path: Path, code: int | None, detail: str) -> StoreError:
    """The sentence for a failed write: `code` is the errno, `detail` what is said when it is unknown."""
    reason = _REASONS.get(code, os.strerror(code)) if code is not None else detail
    return StoreError(f"cannot write {path}: {reason}", hint=_HINT)


def write_atomically(path: Path, data: bytes) -> None:
    """Make `path` hold exactly `data`, replacing what was there; folders are made as needed.

    Raises StoreError; nothing half-written is left behind.
    """
    with publishing(path) as temporary:
        temporary.write_bytes(data)


@contextmanager
def publishing(path: Path) -> Iterator[Path]:
    """Give a temporary name to write to; on leaving flush it and rename it to `path`.

    On any exception the temporary file is removed and `path` is as it was. An OSError becomes a
    StoreError that names `path`.
    """
    temporary = path.with_name(f".{path.name}.{token_hex(4)}.tmp")
    try:
        make_folder(path.parent)
        yield temporary
        _flush(temporary)
        temporary.replace(path)
        _flush(path.parent)
    except BaseException as error:
        with suppress(OSError):
            temporary.unlink(missing_ok=True)
        if isinstance(error, OSError):
            raise cannot_write(path, error.errno, str(error)) from error
        raise


def check_writable(folder: Path) -> None:
    """Make `folder` and try a file in it; raises StoreError."""
    write_atomically(trial := folder / f".probe-{token_hex(4)}", b"")
    trial.unlink()


def make_folder(folder: Path) -> None:
    """Make `folder` and its parents, and flush the entries: a rename into it must survive power loss."""
    folder = folder.absolute()
    missing: list[Path] = []
    while not folder.is_dir():
        missing.append(folder)
        folder = folder.parent
    for new in reversed(missing):
        new.mkdir(exist_ok=True)
        _flush(new.parent)


def _flush(path: Path) -> None:
    """fsync a file, or a folder's entries."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
