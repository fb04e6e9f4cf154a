"""Which sessions have no round trip: their records say so, their packets' columns do not."""

from __future__ import annotations

from pathlib import Path

from probe.store.listing import Listing
from probe.store.parquet import Connection
from probe.store.rebuilding import all_sessions, record_of


def one_way_sessions(connection: Connection, root: Path, listing: Listing) -> list[tuple[str, int]]:
    """Run id and index of each, from documents, compacted files, and else the session's first segment."""
    records = (record_of(connection, files) for files in all_sessions(root, listing))
    return [(record.run_id, record.index) for record in records if record is not None and record.one_way]
