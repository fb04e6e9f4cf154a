"""Ethernet frames with IPv4 or IPv6 in them, as arrays: what of them opens a flow, and which (RFC 791, 8200, 9293)."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

ICMP, TCP, UDP, ICMP6 = 1, 6, 17, 58
KEY_BYTES = 22
"""A flow of one host: version of IP, protocol, the host's port, then address (16 bytes, of IPv4 the first four)
and port of its peer."""

_SYN, _ACK = 0x02, 0x10
_NEEDED = 68  # the last byte looked at: TCP's flags over IPv6


class Flow(NamedTuple):
    """One flow of a host: over `protocol`, from its `port`, to a peer."""

    protocol: int
    port: int
    address: bytes
    """Of the peer, 4 or 16 bytes."""
    peer_port: int

    @property
    def six(self) -> bool:
        """Whether it goes over IPv6."""
        return len(self.address) == 16


class Seen(NamedTuple):
    """What each of n frames is to somebody who keeps flows."""

    opens: NDArray[np.bool_]
    """It may open a flow: a TCP SYN, or any UDP datagram (of several fragments the first)."""
    ping: NDArray[np.bool_]
    """ICMP of either version."""
    key: NDArray[np.uint8]
    """(n, KEY_BYTES) its flow, where it `opens`; where it is a ping, the address is right."""


def look(data: NDArray[np.uint8], size: NDArray[np.int64]) -> Seen:
    """Look at n frames; `data` is zero beyond a frame's size."""
    head = data[:, :_NEEDED]
    if head.shape[1] < _NEEDED:
        head = np.pad(head, ((0, 0), (0, _NEEDED - head.shape[1])))
    four = (head[:, 12] == 0x08) & (head[:, 13] == 0x00) & (head[:, 14] == 0x45)
    six = (head[:, 12] == 0x86) & (head[:, 13] == 0xDD)
    protocol = np.where(six, head[:, 20], np.where(four, head[:, 23], 0))
    flags = np.where(six, head[:, 67], head[:, 47])
    syn = (protocol == TCP) & ((flags & (_SYN | _ACK)) == _SYN)
    later = four & (((head[:, 20] & 0x1F) != 0) | (head[:, 21] != 0))  # a fragment without ports
    wide = six[:, None]
    key = np.zeros((len(size), KEY_BYTES), np.uint8)
    key[:, 0] = np.where(six, 6, 4)
    key[:, 1] = protocol
    key[:, 2:4] = np.where(wide, head[:, 54:56], head[:, 34:36])
    key[:, 4:8] = head[:, 30:34]
    key[six, 4:20] = head[six, 38:54]
    key[:, 20:22] = np.where(wide, head[:, 56:58], head[:, 36:38])
    ping = ((protocol == ICMP) & four) | ((protocol == ICMP6) & six)
    return Seen((syn | (protocol == UDP)) & ~later, ping, key)


def to_many(data: NDArray[np.uint8]) -> NDArray[np.bool_]:
    """Which frames are broadcast or multicast."""
    return np.asarray((data[:, 0] & 1) != 0, np.bool_)


def flow_of(key: bytes) -> Flow:
    """The flow that a row of `Seen.key` names."""
    address = key[4:20] if key[0] == 6 else key[4:8]
    return Flow(key[1], int.from_bytes(key[2:4], "big"), address, int.from_bytes(key[20:22], "big"))
