"""Captures of packets, pcap and pcapng, as arrays: where each frame lies, when it was seen, what link it is of.

The bytes are those of the whole file (a mapped file will do). Records hang together by their lengths, so that
finding them goes from one to the next; everything else is read by array.
pcap: draft-ietf-opsawg-pcap; pcapng: draft-ietf-opsawg-pcapng.
"""

from __future__ import annotations

import struct
from array import array
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from probe.errors import ProtocolError
from probe.metrics import NEVER, Times
from probe.wire.gather import Bytes, Positions

PCAP_MAGICS = {
    b"\xd4\xc3\xb2\xa1": ("<", 1000),
    b"\xa1\xb2\xc3\xd4": (">", 1000),
    b"\x4d\x3c\xb2\xa1": ("<", 1),
    b"\xa1\xb2\x3c\x4d": (">", 1),
}
"""First bytes -> byte order, and nanoseconds a unit of the time stamps' second half."""

PCAPNG_MAGIC = b"\x0a\x0d\x0d\x0a"
LONGEST = 1 << 26
"""A record of more bytes is damage: the largest snapshot that capturing programs take is 256 KiB."""

_FILE_HEADER = 24
_RECORD_HEADER = 16
SECOND_NS = 1_000_000_000


@dataclass(frozen=True, slots=True)
class Frames:
    """`at` and `captured` say which bytes of the file a frame is, `size` how many it had on the wire.

    `time_ns` is since 1970, `NEVER` for a frame that was stored without a time. `cut_bytes` at the end of the
    file are no whole record; `damage` says where they begin if that is not just an early end. `unreadable`
    records contradict themselves.
    """

    at: Positions
    captured: Positions
    size: Positions
    time_ns: Times
    link: NDArray[np.int32]
    cut_bytes: int = 0
    damage: str | None = None
    unreadable: int = 0

    def __len__(self) -> int:
        return len(self.at)

    @property
    def without_time(self) -> int:
        """Frames that were stored without a time."""
        return int(np.count_nonzero(self.time_ns == NEVER))


def is_capture(start: bytes) -> bool:
    """By the first four bytes of a file."""
    return start[:4] in PCAP_MAGICS or start[:4] == PCAPNG_MAGIC


def read_pcap(data: NDArray[np.uint8]) -> Frames:
    """All whole records. Raises ProtocolError for a file that ends within its header."""
    if len(data) < _FILE_HEADER:
        raise ProtocolError(f"ends within its header, after {len(data)} of {_FILE_HEADER} bytes")
    order, unit_ns = PCAP_MAGICS[data[:4].tobytes()]
    # The upper bits say how long the checksum at the end of each frame is.
    (link,) = struct.unpack_from(f"{order}I", data.data, 20)
    records, end, damage = _records(data, order)
    fields = Bytes(data, order)
    seconds = fields.u32(records).astype(np.int64)
    captured = fields.u32(records + 8)
    return Frames(
        at=records + _RECORD_HEADER,
        captured=captured,
        size=np.maximum(fields.u32(records + 12), captured),
        time_ns=seconds * SECOND_NS + fields.u32(records + 4) * unit_ns,
        link=np.full(len(records), link & 0xFFFF, np.int32),
        cut_bytes=len(data) - end,
        damage=damage,
    )


def _records(data: NDArray[np.uint8], order: str) -> tuple[Positions, int, str | None]:
    """Where records begin, where the last whole one ends, and what is wrong there but an early end."""
    length = struct.Struct(f"{order}I").unpack_from
    whole, at, end = data.data, _FILE_HEADER, len(data)
    found = array("q")
    while at + _RECORD_HEADER <= end:
        (size,) = length(whole, at + 8)
        if size > LONGEST:
            return np.frombuffer(found, np.int64), at, f"the record at byte {at} claims {size} bytes"
        after = at + _RECORD_HEADER + size
        if after > end:
            break
        found.append(at)
        at = after
    return np.frombuffer(found, np.int64) if found else np.zeros(0, np.int64), at, None
