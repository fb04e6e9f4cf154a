"""`catalogue.jsonl`: what each folder of the store held, and the stamp by which the folder is known again.

A line a folder under a first line with the version and a SHA-256 of the rest. It is a cache: whatever is wrong with
the file, it is as if it were not there. Nothing is flushed to the disk, as nothing would be lost with it.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from secrets import token_hex
from typing import BinaryIO

from probe.records import Json
from probe.store.documents import SCHEMA_VERSION, encode

NAME = "catalogue.jsonl"
VERSION = 1
"""Of the file's own form; another one is not read, and replaced."""
SETTLED_NS = 2_000_000_000
"""A folder may change twice in one tick of its file system's clock (2 s on FAT), and its stamp only once. What was
changed so shortly before it was read is therefore not kept."""


@dataclass(frozen=True, slots=True)
class Unit:
    """What a folder held. `stamp` changes with it."""

    stamp: str
    content: Json


Fresh = Callable[[int], Mapping[str, Unit] | None]
"""Called with the moment from which on changes may hide behind a stamp (ns of the file system's clock)."""


def read_units(root: Path) -> dict[str, Unit] | None:
    """By the folder's path below `root`; None: there is no file that could be used."""
    try:
        head, _, body = (root / NAME).read_bytes().partition(b"\n")
        if json.loads(head) != _head(body):
            return None
        told = map(json.loads, body.splitlines())
        return {str(line["folder"]): Unit(str(line["stamp"]), line["content"]) for line in told}
    except (OSError, ValueError, KeyError, TypeError, RecursionError):
        return None


def write_units(root: Path, fresh: Fresh, elapsed_ns: int) -> None:
    """Replace the file by what `fresh` gives, if anything, which was read within the last `elapsed_ns`. Raises OSError."""
    temporary = root / f".{NAME}.{token_hex(4)}.tmp"
    try:
        with temporary.open("xb") as file:
            units = fresh(os.fstat(file.fileno()).st_mtime_ns - elapsed_ns - SETTLED_NS)
            if units is not None:
                _write(file, units)
        if units is None:
            temporary.unlink()
        else:
            temporary.replace(root / NAME)
    except BaseException:
        with suppress(OSError):
            temporary.unlink(missing_ok=True)
        raise


def _write(file: BinaryIO, units: Mapping[str, Unit]) -> None:
    lines = [
        encode({"folder": folder, "stamp": unit.stamp, "content": unit.content})
        for folder, unit in sorted(units.items())
    ]
    body = "".join(f"{line}\n" for line in lines).encode(errors="backslashreplace")
    file.write(json.dumps(_head(body)).encode() + b"\n" + body)


def _head(body: bytes) -> Json:
    digest = hashlib.sha256(body).hexdigest()
    return {"catalogue": VERSION, "schema_version": SCHEMA_VERSION, "sha256": digest}
