"""What kind of file somebody wants analysed, by its first bytes."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from probe.errors import ConfigError
from probe.store.table import PARQUET_MAGIC
from probe.wire.capture import PCAPNG_MAGIC, is_capture

Kind = Literal["csv", "parquet", "pcap", "pcapng", "run"]

_PACKED = {
    b"\x1f\x8b": ("gzip", "gunzip"),
    b"\x28\xb5\x2f\xfd": ("zstd", "unzstd"),
    b"BZh": ("bzip2", "bunzip2"),
    b"\xfd7zXZ": ("xz", "unxz"),
    b"PK\x03\x04": ("zip", "unzip"),
}
_HINT = "probe analyze takes a pcap or pcapng, a CSV or Parquet with seq,sent_ns,received_ns, or a stored run"


def kind_of(source: str) -> Kind:
    """Raises ConfigError of one sentence for a file that is nothing of it. What is no file is a run."""
    path = Path(source)
    if path.is_dir() or (not path.exists() and not path.suffix and "/" not in source):
        return "run"
    if not path.is_file():
        return _refuse(f"{source} is no plain file" if path.exists() else f"there is no file {source}")
    try:
        with path.open("rb") as file:
            start = file.read(4096)
    except OSError as error:
        return _refuse(f"{source} cannot be read: {error.strerror}")
    if not start:
        return _refuse(f"{source} is empty")
    if is_capture(start):
        return "pcapng" if start[:4] == PCAPNG_MAGIC else "pcap"
    if start[:4] == PARQUET_MAGIC:
        return "parquet"
    for magic, (name, program) in _PACKED.items():
        if start.startswith(magic):
            return _refuse(f"{source} is packed with {name}: {program} it first")
    if b"\0" in start or not _is_text(start):
        return _refuse(f"{source} is neither a capture nor a table: it begins with {start[:8].hex(' ')}")
    return "csv"


def _is_text(start: bytes) -> bool:
    """Whether it is UTF-8, the last character aside, which may be cut."""
    try:
        start[:-4].decode()
    except UnicodeDecodeError:
        return False
    return True


def _refuse(sentence: str) -> Kind:
    raise ConfigError(sentence, hint=_HINT)
