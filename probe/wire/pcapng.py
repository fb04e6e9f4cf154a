"""pcapng: blocks of any kind and byte order, of which those with packets are read (draft-ietf-opsawg-pcapng)."""

from __future__ import annotations

import struct
from array import array
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from probe.errors import ProtocolError
from probe.metrics import NEVER
from probe.wire.capture import LONGEST, SECOND_NS, Frames
from probe.wire.gather import Bytes

SECTION, INTERFACE, OLD_PACKET, SIMPLE_PACKET, ENHANCED_PACKET = 0x0A0D0D0A, 1, 2, 3, 6
TS_RESOLUTION, TS_OFFSET = 9, 14
"""Options of an interface (4.2)."""
FINEST = 1 << 60

_ORDERS = {b"\x4d\x3c\x2b\x1a": "<", b"\x1a\x2b\x3c\x4d": ">"}


@dataclass(frozen=True, slots=True)
class Interface:
    """`units` of the time stamps make a second; they count from `offset_s`. `snap`: 0 is no limit."""

    link: int
    snap: int
    units: int
    offset_s: int


@dataclass(slots=True)
class _Section:
    """Interfaces are numbered anew in each. `packets` are places of blocks, by kind."""

    order: str
    interfaces: list[Interface] = field(default_factory=list)
    packets: dict[int, array[int]] = field(
        default_factory=lambda: {kind: array("q") for kind in (ENHANCED_PACKET, OLD_PACKET, SIMPLE_PACKET)}
    )


def read_pcapng(data: NDArray[np.uint8]) -> Frames:
    """All whole packets. Raises ProtocolError if the first block is none."""
    sections, end, damage = _sections(data)
    if not sections:
        raise ProtocolError(damage or f"ends within its first block, after {len(data)} bytes")
    parts = [part for section in sections for part in _frames(data, section)]
    packets = sum(len(places) for section in sections for places in section.packets.values())
    return _joined(parts, len(data) - end, damage, packets)


def _joined(parts: list[Frames], cut_bytes: int, damage: str | None, packets: int) -> Frames:
    """The frames of all parts, in the order of the file."""
    none = np.zeros(0, np.int64)
    whole = [
        np.concatenate([none, *(getattr(part, name) for part in parts)])
        for name in ("at", "captured", "size", "time_ns", "link")
    ]
    order = np.argsort(whole[0], kind="stable")
    at, captured, size, time_ns, link = (column[order] for column in whole)
    return Frames(at, captured, size, time_ns, link.astype(np.int32), cut_bytes, damage, packets - len(order))


def _sections(data: NDArray[np.uint8]) -> tuple[list[_Section], int, str | None]:
    """What the blocks are; where the last whole one ends, and what is wrong there but an early end."""
    whole, at, end = data.data, 0, len(data)
    sections: list[_Section] = []
    head = struct.Struct("<II").unpack_from
    packets: dict[int, array[int]] = {}
    while at + 12 <= end:
        kind, size = head(whole, at)
        if kind == SECTION:
            magic = bytes(whole[at + 8 : at + 12])
            if magic not in _ORDERS:
                return sections, at, f"the section at byte {at} has no byte order that exists"
            order = _ORDERS[magic]
            head = struct.Struct(f"{order}II").unpack_from
            size = head(whole, at)[1]
        if size < 12 or size % 4 or size > LONGEST:
            return sections, at, f"the block at byte {at} claims {size} bytes"
        if at + size > end:
            break
        if kind == SECTION:
            sections.append(_Section(order))
            packets = sections[-1].packets
        elif kind in packets:
            packets[kind].append(at)
        elif kind == INTERFACE:
            sections[-1].interfaces.append(
                _interface(bytes(whole[at + 8 : at + size - 4]), sections[-1].order)
            )
        at += size
    return sections, at, None


def _interface(body: bytes, order: str) -> Interface:
    if len(body) < 8:
        raise ProtocolError("has an interface block without a link type")
    link, _, snap = struct.unpack_from(f"{order}HHI", body)
    units, offset_s, at = 1_000_000, 0, 8
    while at + 4 <= len(body):
        code, length = struct.unpack_from(f"{order}HH", body, at)
        value = body[at + 4 : at + 4 + length]
        if code == 0:
            break
        if code == TS_RESOLUTION and value:
            units = 1 << (value[0] & 0x7F) if value[0] & 0x80 else 10 ** value[0]
            if units >= FINEST:
                raise ProtocolError("has an interface whose clock ticks faster than any can")
        elif code == TS_OFFSET and len(value) == 8:
            (offset_s,) = struct.unpack(f"{order}q", value)
        at += 4 + (length + 3) // 4 * 4
    return Interface(link, snap, units, offset_s)


def _frames(data: NDArray[np.uint8], section: _Section) -> list[Frames]:
    """The packets of each kind of block (4.3, 4.4, appendix A) with an interface that is there."""
    fields, found = Bytes(data, section.order), []
    for kind, places in section.packets.items():
        block = np.array(places, np.int64)
        if kind == SIMPLE_PACKET:
            size = fields.u32(block + 8)
            captured = np.minimum(size, fields.u32(block + 4) - 16)
            snap = section.interfaces[0].snap if section.interfaces else 0
            captured = np.minimum(captured, snap) if snap else captured
            interface, at = np.zeros(len(block), np.int64), block + 12
            stamp = None
        else:
            captured, size, at = fields.u32(block + 20), fields.u32(block + 24), block + 28
            interface = fields.u32(block + 8) if kind == ENHANCED_PACKET else fields.u16(block + 8)
            stamp = fields.u32(block + 12) << 32 | fields.u32(block + 16)
        fitting = captured <= fields.u32(block + 4) - (at - block) - 4
        for number, of in enumerate(section.interfaces):
            mine = fitting & (interface == number)
            time_ns = np.full(np.count_nonzero(mine), NEVER) if stamp is None else _ns(stamp[mine], of)
            link = np.full(len(time_ns), of.link, np.int32)
            found.append(Frames(at[mine], captured[mine], size[mine], time_ns, link))
    return found


def _ns(stamp: NDArray[np.int64], of: Interface) -> NDArray[np.int64]:
    """Whole seconds apart, so that no unit exceeds 64 bits."""
    seconds, rest = np.divmod(stamp.astype(np.uint64), np.uint64(of.units))
    if of.units <= SECOND_NS:
        parts = rest.astype(np.int64) * SECOND_NS // of.units
    else:
        parts = (rest.astype(np.float64) * (SECOND_NS / of.units)).astype(np.int64)
    total: NDArray[np.int64] = (seconds.astype(np.int64) + of.offset_s) * SECOND_NS + parts
    return total
