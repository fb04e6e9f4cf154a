"""JSON documents of the store: strict JSON, an object, with a schema version."""

from __future__ import annotations

import json
from dataclasses import fields
from pathlib import Path
from typing import Any

import numpy as np

from probe.records import Json, SessionRecord
from probe.store.atomic import write_atomically

SCHEMA_VERSION = 1
"""Of everything in the store. Added keys and columns do not raise it; a changed meaning does."""


class Unreadable(Exception):
    """A stored file that cannot be used; the sentence names it and says why."""


class Newer(Unreadable):
    """A stored file that only a later version of probe understands."""


def encode(document: Json, *, indent: int | None = None) -> str:
    """Strict JSON text: NaN and infinity are refused (ValueError), as no other parser takes them."""
    return json.dumps(document, allow_nan=False, ensure_ascii=False, indent=indent, default=_plain)


def write_json(path: Path, document: Json) -> None:
    """Write atomically, with `schema_version` first. Raises StoreError."""
    text = encode({"schema_version": SCHEMA_VERSION, **document}, indent=2)
    # A lone surrogate (a file name that is no UTF-8) becomes its own JSON escape.
    write_atomically(path, f"{text}\n".encode(errors="backslashreplace"))


def read_json(path: Path) -> Json:
    """The object in the file. Raises Unreadable, also when the file is not there."""
    try:
        document = json.loads(path.read_bytes())
    except OSError as error:
        raise Unreadable(f"cannot read {path}: {error.strerror}") from error
    except (ValueError, RecursionError) as error:
        raise Unreadable(f"{path} is torn or not JSON: {error}") from error
    if not isinstance(document, dict):
        raise Unreadable(f"{path} is not a document of probe: it holds no JSON object")
    check_version(path, document.get("schema_version"))
    return document


def check_version(path: Path, version: object) -> None:
    """Raise Unreadable unless this version of probe reads `version`."""
    if isinstance(version, bool) or not isinstance(version, int):
        raise Unreadable(f"{path} is not a file of probe: it has no schema_version")
    if version > SCHEMA_VERSION:
        raise Newer(
            f"{path} was written by a newer probe (schema {version}, this one reads up to "
            f"{SCHEMA_VERSION}): update probe to read it"
        )


def parse_record(path: Path, document: object) -> SessionRecord:
    """The session record in a document of file `path`. Raises Unreadable."""
    if not isinstance(document, dict):
        raise Unreadable(f"{path} holds no session record")
    try:
        record = SessionRecord.from_json(document)
    except TypeError as error:
        raise Unreadable(f"{path} holds an incomplete session record: {error}") from error
    for name, kinds in _KINDS:
        if type(getattr(record, name)) not in kinds:
            raise Unreadable(f"{path} holds a damaged session record: its {name} is no {kinds[0].__name__}")
    return record


def _kinds(annotation: str) -> tuple[type, ...]:
    """The types that a field of a record may have, as JSON has them."""
    names = {
        "str": (str,),
        "int": (int,),
        "bool": (bool,),
        "float": (float, int),
        "Json": (dict,),
        "None": (type(None),),
    }
    return tuple(kind for name in annotation.split(" | ") for kind in names.get(name, (list,)))


_KINDS = [(field.name, _kinds(str(field.type))) for field in fields(SessionRecord)]


def _plain(value: object) -> Any:
    if isinstance(value, np.generic):
        return value.item()
    raise TypeError(f"{type(value).__name__} is not JSON")
