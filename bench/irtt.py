"""irtt (https://github.com/heistp/irtt), the peer: its server, its client, and a forged sender."""

from __future__ import annotations

import json
import os
import select
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bench.ports import free_port, wait_until_bound
from bench.processes import finish, require, running
from probe.net.address import Address

_TOKEN, _SEQUENCE = slice(4, 12), slice(12, 16)


@contextmanager
def irtt_server(*, cpu: int | None = None) -> Iterator[tuple[int, Address]]:
    """A server without rate limits for the length of the block: its pid and its address."""
    address = "127.0.0.1", free_port()
    command = (require("irtt"), "server", "-b", f"{address[0]}:{address[1]}", "-i", "0")
    with running(*command, cpu=cpu) as server:
        wait_until_bound("udp", address[1])
        yield server.pid, address


def client_command(
    server: Address, *, interval: str, seconds: float, packet_bytes: int, json_out: bool
) -> list[str]:
    """The client as a user would start it: default timer, both server times."""
    command = [
        require("irtt"),
        "client",
        "-Q",
        "-i",
        interval,
        "-d",
        f"{seconds:g}s",
        "-l",
        str(packet_bytes),
    ]
    return [*command, "--wait=300ms", *(["-o", "-"] if json_out else []), f"{server[0]}:{server[1]}"]


def irtt_client(server: Address, *, interval: str, seconds: float, packet_bytes: int) -> dict[str, Any]:
    """Run a client to its end; its JSON."""
    command = client_command(
        server, interval=interval, seconds=seconds, packet_bytes=packet_bytes, json_out=True
    )
    with running(*command) as child:
        return parse_output(finish(child, seconds + 15))


def parse_output(stdout: str) -> dict[str, Any]:
    result: dict[str, Any] = json.loads(stdout[stdout.index("{") :])
    return result


def round_trips_us(result: dict[str, Any]) -> NDArray[np.float64]:
    """Round trips without the server's processing time, as irtt reports them."""
    trips = [trip["delay"]["rtt"] for trip in result["round_trips"] if "rtt" in trip.get("delay", {})]
    return np.array(trips, np.float64) / 1e3


def forged_sender(server: Address, packet_bytes: int, packets: int) -> tuple[socket.socket, int]:
    """A socket that the server takes for a client's, and a file of request packets for it to send.

    The opening is a real client's, replayed: it speaks to us, we say the same to the server.
    """
    sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    sock.connect(server)
    sock.send(_opening_of_a_client(packet_bytes))
    opened = _answer(sock)
    request = np.zeros((packets, packet_bytes), np.uint8)
    request[:, :12] = np.frombuffer(opened[:12], np.uint8)
    request[:, 3] = 0  # flags: neither open nor reply
    request[:, _SEQUENCE] = np.arange(packets, dtype="<u4").view(np.uint8).reshape(-1, 4)
    fd = os.memfd_create("requests")
    os.write(fd, request.tobytes())
    return sock, fd


def _opening_of_a_client(packet_bytes: int) -> bytes:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as listener:
        listener.bind(("127.0.0.1", 0))
        command = client_command(
            listener.getsockname(), interval="20ms", seconds=1, packet_bytes=packet_bytes, json_out=False
        )
        with running(*command):
            return _answer(listener)


def _answer(sock: socket.socket) -> bytes:
    if not select.select([sock], [], [], 5)[0]:
        raise RuntimeError("irtt does not answer")
    return sock.recv(2048)
