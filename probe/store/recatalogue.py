"""`probe store catalogue`, and what `probe store check` says of the catalogue: it is compared with the folders."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from probe.errors import ConfigError
from probe.store.atomic import cannot_write
from probe.store.catalogue import Catalogue
from probe.store.catalogue_file import NAME, read_units
from probe.store.documents import encode
from probe.store.folder_entries import HistogramFolder, PacketFolder
from probe.store.lock import reading
from probe.store.parquet import Connection
from probe.store.run_entries import RunEntry


@dataclass(frozen=True, slots=True)
class Catalogued:
    """What there is. `left_out` are folders with something in them that cannot be read: they are looked at anew
    each time."""

    runs: int
    sessions: int
    segments: int
    histograms: int
    bytes: int
    left_out: int


def rebuild(root: Path) -> Catalogued:
    """Make the catalogue again from the folders alone. Raises ConfigError and StoreError."""
    if not root.is_dir():
        raise ConfigError(f"there are no results in {root}", hint="give their folder: --results DIR")
    catalogue = Catalogue(root, afresh=True)
    with reading(root):
        try:
            found = _count(catalogue)
        finally:
            catalogue.close()
        try:
            (root / NAME).unlink(missing_ok=True)
            catalogue.keep()
        except OSError as error:
            raise cannot_write(root / NAME, error.errno, str(error)) from error
    return found


def differences(root: Path, connection: Connection) -> Iterator[str]:
    """A sentence for each folder of which the catalogue tells something else though its stamp holds, and for a file
    that is none. A folder that has changed since is no difference. Call it within `lock.reading`."""
    path = root / NAME
    if not path.exists():
        return
    kept = read_units(root)
    if kept is None:
        yield f"{path} is damaged, or another version's: nobody reads it, and the next listing replaces it"
        return
    fresh = Catalogue(root, connection, afresh=True)
    fresh.look_at_everything()
    for name, unit in fresh.units().items():
        known = kept.get(name)
        if known and known.stamp == unit.stamp and encode(known.content) != encode(unit.content):
            yield f"{path} does not tell what is in {root / name}"


def _count(catalogue: Catalogue) -> Catalogued:
    catalogue.look_at_everything()
    runs, packets = catalogue.runs(), catalogue.packets()
    histograms = catalogue.histogram_folders()
    sessions = {key for folder in packets.values() for key in folder.sessions()}
    for run_id, entry in runs.items():
        sessions |= {(run_id, index) for index in (*entry.sessions, *entry.removed)}
    segments = {key for folder in packets.values() for key in folder.segment_keys()}
    entries: list[RunEntry | PacketFolder | HistogramFolder] = [
        *runs.values(),
        *packets.values(),
        *histograms.values(),
    ]
    return Catalogued(
        runs=len(runs),
        sessions=len(sessions),
        segments=len(segments),
        histograms=len({part[1:3] for folder in histograms.values() for part in folder.parts}),
        bytes=sum(folder.bytes for folder in packets.values()) + sum(f.bytes for f in histograms.values()),
        left_out=sum(not entry.whole for entry in entries),
    )
