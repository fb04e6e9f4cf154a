"""A UDP socket as every system has it: one call a datagram, times taken in this process."""

from __future__ import annotations

import errno
import socket
import time

import numpy as np
from numpy.typing import NDArray

from probe.methods.batch import ADDRESS_BYTES, Batch, empty_batch, no_address
from probe.metrics import Times
from probe.net.address import Address, pack_address, unpack_address
from probe.net.clock import WallClock
from probe.net.drops import socket_drops

RECEIVE_BYTES = 2048
_FULL = (errno.EAGAIN, errno.ENOBUFS)


class PlainSocket:
    """net.udp.UdpSocket for systems without `MmsgSocket`'s calls."""

    carrier = "plain"
    stamped_every = unstamped = 0

    def __init__(self, sock: socket.socket, *, connected: bool, slots: int) -> None:
        self.slots = slots
        self.refused = 0
        self.failed: list[int] = []
        self.wall = WallClock()
        self._sock, self._connected = sock, connected
        self._names: dict[bytes, Address] = {}
        self._packed: dict[Address, bytes] = {}

    def fileno(self) -> int:
        return self._sock.fileno()

    def local(self) -> Address:
        name = self._sock.getsockname()
        return str(name[0]), int(name[1])

    def receive(self) -> Batch:
        packets: list[bytes] = []
        times: list[int] = []
        senders: list[bytes] = []
        while len(packets) < self.slots:
            try:
                data, sender = self._sock.recvfrom(RECEIVE_BYTES)
            except BlockingIOError:
                break
            except OSError:
                self.refused += 1
                continue
            times.append(time.monotonic_ns())
            packets.append(data)
            if not self._connected:
                senders.append(self._pack((sender[0], sender[1])))
        if not packets:
            return empty_batch()
        size = [len(data) for data in packets]
        width = max((max(size) + 7) & ~7, 8)  # also an empty datagram has a first byte to look at: zero
        matrix = bytearray().join(packet.ljust(width, b"\0") for packet in packets)
        address = no_address(len(packets))
        if senders:
            address = np.frombuffer(b"".join(senders), np.uint8).reshape(-1, ADDRESS_BYTES)
        return Batch(
            np.frombuffer(matrix, np.uint8).reshape(len(packets), width),
            np.array(size, np.int64),
            np.array(times, np.int64),
            address,
        )

    def _pack(self, sender: Address) -> bytes:
        packed = self._packed.get(sender)
        if packed is None:
            if len(self._packed) > 4096:
                self._packed.clear()
                self._names.clear()
            packed = self._packed[sender] = pack_address(sender)
            self._names[packed] = sender
        return packed

    def _name(self, packed: bytes) -> Address:
        return self._names.get(packed) or unpack_address(packed)

    def stamp(self, every: int) -> bool:
        return False

    def segment(self, *, wanted: bool) -> bool:
        return False

    def transmitted(self) -> tuple[NDArray[np.int64], Times] | None:
        return None

    def send(self, batch: Batch) -> int:
        self.failed = [row for row in range(len(batch.size)) if not self._send_one(batch, row)]
        return len(batch.size) - len(self.failed)

    def _send_one(self, batch: Batch, row: int) -> bool:
        datagram = batch.data[row, : batch.size[row]].data
        for _ in range(3):
            try:
                if self._connected:
                    self._sock.send(datagram)
                else:
                    self._sock.sendto(datagram, self._name(batch.address[row].tobytes()))
                return True
            except OSError as error:
                if error.errno not in _FULL:
                    self.refused += 1
        return False

    def dropped(self) -> int:
        return socket_drops(self._sock)

    def close(self) -> None:
        self._sock.close()
