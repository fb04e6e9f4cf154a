"""Packets removed on purpose: `runs/<run-id>/removed.json` says of which sessions, and when.

It is written before the first file goes, so that a reader can tell what was removed from what was lost; and an
import does not bring it back. Histograms, session documents and summaries stay for ever.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from probe.records import SessionRecord
from probe.store import layout
from probe.store.documents import Unreadable, parse_record, read_json, write_json


@dataclass(frozen=True, slots=True)
class Removed:
    """A session without packets: its record as it was known, when they were removed, how many they were."""

    record: SessionRecord
    at: str
    packets: int


def read_removed(folder: Path, run_id: str) -> tuple[dict[int, Removed], list[str]]:
    """By session index; nothing for a run that has all its packets. Sentences about what is unusable."""
    path = folder / layout.REMOVED
    if not path.exists():
        return {}, []
    try:
        document = read_json(path)
        found = {}
        for told in document["sessions"]:
            record = parse_record(path, told["record"])
            if record.run_id != run_id:
                raise Unreadable(f"{path} holds run {record.run_id}: it was renamed")
            found[record.index] = Removed(record, str(told["at"]), int(told["packets"]))
    except Unreadable as error:
        return {}, [str(error)]
    except (KeyError, TypeError, ValueError) as error:
        return {}, [f"{path} is damaged: {error!r}"]
    return found, []


def add_removed(root: Path, run_id: str, more: dict[int, Removed]) -> None:
    """Add sessions to the document of a run. Raises StoreError."""
    folder = layout.run_folder(root, run_id)
    known, _ = read_removed(folder, run_id)
    every = more | known
    sessions = [
        {"record": gone.record.to_json(), "at": gone.at, "packets": gone.packets}
        for _, gone in sorted(every.items())
    ]
    write_json(folder / layout.REMOVED, {"run_id": run_id, "sessions": sessions})


def removed_sentence(run_id: str, gone: int, sessions: int) -> str:
    """What a reader of the run is told."""
    of = "all" if gone == sessions else f"{gone} of"
    return (
        f"run {run_id}: the packets of {of} its {sessions} sessions were removed (keep_raw); "
        "its histograms, session documents and summary.json are kept"
    )
