"""UDP datagrams in captured frames of any common link, over IPv4 and IPv6, all by array.

A frame that is none is counted by what it is instead. Addresses are 128 bits; an IPv4 address is the one that
RFC 4291 2.5.5.2 maps it to.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from ipaddress import IPv6Address
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from probe.metrics import NEVER, Times
from probe.wire.capture import Frames
from probe.wire.gather import Bytes, Positions

NULL, ETHERNET, RAW_BSD, RAW_OPENBSD, RAW, LOOP = 0, 1, 12, 14, 101, 108
LINUX_SLL, IPV4, IPV6, LINUX_SLL2 = 113, 228, 229, 276
"""Link types (tcpdump.org/linktypes.html)."""

IP_AT = {NULL: 4, LOOP: 4, RAW: 0, RAW_BSD: 0, RAW_OPENBSD: 0, IPV4: 0, IPV6: 0}
"""Links on which an IP packet begins at this byte; its own version says which it is."""
ETHER_TYPE_AT = {ETHERNET: 12, LINUX_SLL: 14, LINUX_SLL2: 0}
ETHER_HEADER = {ETHERNET: 14, LINUX_SLL: 16, LINUX_SLL2: 20}
"""Links with a type of Ethernet's: where it is, and where what it announces begins."""

_IPV4_TYPE, _IPV6_TYPE, _VLAN_TYPES = 0x0800, 0x86DD, (0x8100, 0x88A8, 0x9100)
_UDP, _HOP_BY_HOP, _ROUTING, _FRAGMENT, _AUTHENTICATION, _DESTINATION = 17, 0, 43, 44, 51, 60
_EXTENSIONS = (_HOP_BY_HOP, _ROUTING, _FRAGMENT, _AUTHENTICATION, _DESTINATION)
_MOST_EXTENSIONS = 8
_UDP_HEADER = 8


@dataclass(frozen=True, slots=True)
class Datagrams:
    """A row a datagram. `frame` is its frame's number from 0; `at` is where its payload begins in the file.

    `size` is that of the payload on the wire, `captured` how much of it the file has. `source` and
    `destination` are two halves of an address each.
    """

    frame: Positions
    time_ns: Times
    source: NDArray[np.uint64]
    destination: NDArray[np.uint64]
    source_port: Positions
    destination_port: Positions
    at: Positions
    size: Positions
    captured: Positions

    def __len__(self) -> int:
        return len(self.frame)

    def ends(self, row: int) -> tuple[Endpoint, Endpoint]:
        """Source and destination of one."""
        return (
            Endpoint(int(self.source[row, 0]), int(self.source[row, 1]), int(self.source_port[row])),
            Endpoint(
                int(self.destination[row, 0]), int(self.destination[row, 1]), int(self.destination_port[row])
            ),
        )

    def rows(self, chosen: NDArray[np.bool_] | NDArray[np.intp]) -> Datagrams:
        """Some of them."""
        return Datagrams(*(getattr(self, name)[chosen] for name in self.__slots__))


@dataclass(slots=True)
class _Packets:
    """IP packets on their way down: where each begins and ends in the file, and its frame's number."""

    frame: Positions
    at: Positions
    end: Positions

    def keep(self, chosen: NDArray[np.bool_]) -> _Packets:
        return _Packets(self.frame[chosen], self.at[chosen], self.end[chosen])


def read_datagrams(data: NDArray[np.uint8], frames: Frames) -> tuple[Datagrams, Counter[str]]:
    """`(datagrams, what the other frames are)`, in the order of the file.

    The counts are `link N` (not known here), `not_ip`, `not_udp`, `cut` (too little of it was captured),
    `later_fragment` (of a datagram whose first one is a row) and `no_time`; `first_fragment` rows are counted
    as well.
    """
    counts: Counter[str] = Counter()
    fields = Bytes(data)
    packets = _ip_packets(fields, frames, counts)
    version = fields.u8(packets.at) >> 4
    parts = [
        _ipv4(fields, packets.keep(version == 4), counts),
        _ipv6(fields, packets.keep(version == 6), counts),
    ]
    counts["not_ip"] += int(np.count_nonzero((version != 4) & (version != 6)))
    found = Datagrams(
        *(np.concatenate([getattr(part, name) for part in parts]) for name in Datagrams.__slots__)
    )
    found = found.rows(np.argsort(found.frame, kind="stable"))
    timed = frames.time_ns[found.frame]
    counts["no_time"] += int(np.count_nonzero(timed == NEVER))
    found = Datagrams(found.frame, timed, *(getattr(found, name) for name in Datagrams.__slots__[2:]))
    return found.rows(timed != NEVER), +counts


def _ip_packets(fields: Bytes, frames: Frames, counts: Counter[str]) -> _Packets:
    """Down to the network layer, link by link."""
    at = np.full(len(frames), -1, np.int64)
    for link in np.unique(frames.link).tolist():
        of = frames.link == link
        if link in IP_AT:
            at[of] = frames.at[of] + IP_AT[link]
        elif link in ETHER_TYPE_AT:
            at[of] = _after_ether_type(fields, frames.at[of], link)
        else:
            counts[f"link {link}"] += int(np.count_nonzero(of))
    known = at >= 0
    supported = np.isin(frames.link, (*IP_AT, *ETHER_TYPE_AT))
    end = frames.at + frames.captured
    cut = known & (at + 20 > end)
    counts["not_ip"] += int(np.count_nonzero(supported & ~known))
    counts["cut"] += int(np.count_nonzero(cut))
    chosen = np.flatnonzero(known & ~cut)
    return _Packets(chosen, at[chosen], end[chosen])


def _after_ether_type(fields: Bytes, frame: Positions, link: int) -> Positions:
    """Where the IP packet begins, beyond any VLAN tags; -1 for another type."""
    kind_at, at = frame + ETHER_TYPE_AT[link], frame + ETHER_HEADER[link]
    kind = fields.u16(kind_at)
    for _ in range(2):
        tagged = np.isin(kind, _VLAN_TYPES)
        if not tagged.any():
            break
        kind = np.where(tagged, fields.u16(at + 2), kind)
        at = np.where(tagged, at + 4, at)
    return np.where((kind == _IPV4_TYPE) | (kind == _IPV6_TYPE), at, -1)


def _ipv4(fields: Bytes, packets: _Packets, counts: Counter[str]) -> Datagrams:
    """RFC 791 3.1."""
    udp = fields.u8(packets.at + 9) == _UDP
    counts["not_udp"] += int(np.count_nonzero(~udp))
    packets = packets.keep(udp)
    at = packets.at
    fragment = fields.u16(at + 6)
    offset, more = fragment & 0x1FFF, (fragment & 0x2000) > 0
    # 0 where the network card cut the packet later: it then ends with its frame.
    total = fields.u16(at + 2)
    end = np.where(total > 0, np.minimum(at + total, packets.end), packets.end)
    mapped = np.uint64(0xFFFF << 32)
    zero = np.zeros(len(at), np.uint64)
    source, destination = (
        np.stack([zero, fields.u32(at + place).astype(np.uint64) | mapped], axis=1) for place in (12, 16)
    )
    header = (fields.u8(at) & 0x0F) * 4
    body = _Packets(packets.frame, at + header, end)
    return _udp(fields, body, (source, destination), (offset, more), counts)


def _ipv6(fields: Bytes, packets: _Packets, counts: Counter[str]) -> Datagrams:
    """RFC 8200 3 and 4: the fixed header, then extension headers up to UDP."""
    whole = packets.at + 40 <= packets.end
    counts["cut"] += int(np.count_nonzero(~whole))
    packets = packets.keep(whole)
    start = packets.at
    length = fields.u16(start + 4)
    end = np.where(length > 0, np.minimum(start + 40 + length, packets.end), packets.end)
    kind, at = fields.u8(start + 6), start + 40
    offset, more = np.zeros(len(at), np.int64), np.zeros(len(at), np.bool_)
    for _ in range(_MOST_EXTENSIONS):
        extended = np.isin(kind, _EXTENSIONS) & (offset == 0) & (at + 8 <= end)
        if not extended.any():
            break
        fragment = extended & (kind == _FRAGMENT)
        placed = fields.u16(at + 2)
        offset = np.where(fragment, placed >> 3, offset)
        more |= fragment & (placed & 1 > 0)
        units = fields.u8(at + 1)
        size = np.where(kind == _AUTHENTICATION, 4 * (units + 2), 8 * (units + 1))
        size = np.where(kind == _FRAGMENT, 8, size)
        following = fields.u8(at)
        at = np.where(extended, at + size, at)
        kind = np.where(extended, following, kind)
    udp = kind == _UDP
    counts["not_udp"] += int(np.count_nonzero(~udp))
    source, destination = (
        np.stack([fields.u64(start[udp] + place), fields.u64(start[udp] + place + 8)], axis=1)
        for place in (8, 24)
    )
    body = _Packets(packets.frame[udp], at[udp], end[udp])
    return _udp(fields, body, (source, destination), (offset[udp], more[udp]), counts)


def _udp(
    fields: Bytes,
    packets: _Packets,
    addresses: tuple[NDArray[np.uint64], NDArray[np.uint64]],
    fragments: tuple[Positions, NDArray[np.bool_]],
    counts: Counter[str],
) -> Datagrams:
    """RFC 768. The first fragment of a datagram stands for all of it; its length is the datagram's."""
    offset, more = fragments
    first = offset == 0
    whole = packets.at + _UDP_HEADER <= packets.end
    counts["later_fragment"] += int(np.count_nonzero(~first))
    counts["cut"] += int(np.count_nonzero(first & ~whole))
    counts["first_fragment"] += int(np.count_nonzero(first & whole & more))
    chosen = first & whole
    at, end = packets.at[chosen], packets.end[chosen]
    here = end - at - _UDP_HEADER
    length = fields.u16(at + 4)
    size = np.where(length >= _UDP_HEADER, length - _UDP_HEADER, here)
    return Datagrams(
        frame=packets.frame[chosen],
        time_ns=np.zeros(len(at), np.int64),
        source=addresses[0][chosen],
        destination=addresses[1][chosen],
        source_port=fields.u16(at),
        destination_port=fields.u16(at + 2),
        at=at + _UDP_HEADER,
        size=size,
        captured=np.minimum(here, size),
    )


class Endpoint(NamedTuple):
    """Where a datagram came from or went to; the address in two halves."""

    high: int
    low: int
    port: int

    @property
    def host(self) -> str:
        """The address as people write it."""
        address = IPv6Address(self.high << 64 | self.low)
        return str(address.ipv4_mapped or address)

    def __str__(self) -> str:
        """`192.0.2.1:5004`, `[2001:db8::1]:5004`."""
        host = self.host
        return f"[{host}]:{self.port}" if ":" in host else f"{host}:{self.port}"
