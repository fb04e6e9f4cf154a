"""`probe weak relay` as a process: real sockets through it, and how it ends."""

from __future__ import annotations

import json
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import pytest

from probe.cli import app
from probe.cli.failures import execute
from probe.impairment.chain import Path
from probe.plan.library import load_network

pytestmark = pytest.mark.net

PACKETS, SEED = 200, 11


@contextmanager
def relay(*arguments: str) -> Iterator[subprocess.Popen[str]]:
    command = [sys.executable, "-m", "probe", "weak", "relay", *arguments]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        try:
            yield process
        finally:
            process.kill()


def udp() -> socket.socket:
    sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    sock.bind(("127.0.0.1", 0))
    sock.settimeout(10)
    return sock


def where(process: subprocess.Popen[str]) -> tuple[str, int]:
    assert process.stderr
    told = process.stderr.readline()
    assert " leads to " in told, told + process.stderr.read()
    host, _, port = told.split()[0].rpartition(":")
    return host, int(port)


def exchanged(process: subprocess.Popen[str], server: socket.socket, client: socket.socket) -> int:
    """Send `PACKETS` through it, and return each that comes; how many came back."""
    address = where(process)
    for number in range(PACKETS):
        client.sendto(number.to_bytes(2, "big") * 40, address)
        time.sleep(0.001)
    return returned(server, client)


def returned(server: socket.socket, client: socket.socket) -> int:
    for sock, answers in ((server, True), (client, False)):
        count = 0
        sock.settimeout(1)
        while True:
            try:
                data, sender = sock.recvfrom(2048)
            except TimeoutError:
                break
            count += 1
            if answers:
                sock.sendto(data, sender)
    return count


def test_it_does_what_the_model_says_and_tells_so_when_stopped() -> None:
    """Fates belong to a packet's number: the relay loses those that virtual time loses."""
    with udp() as server, udp() as client:
        to = f"127.0.0.1:{server.getsockname()[1]}"
        with relay("loss-10-burst", "--to", to, "--seed", str(SEED), "--json") as process:
            back = exchanged(process, server, client)
            process.send_signal(signal.SIGINT)
            out, err = process.communicate(timeout=20)
    assert process.returncode == 130, err
    document: dict[str, Any] = json.loads(out)
    network = load_network("loss-10-burst")
    path = Path.of([network.up], [network.down], SEED)
    sent = np.arange(PACKETS, dtype=np.int64)
    survived = len(path.up.push(sent, np.full(PACKETS, 80)).row)
    through = len(path.down.push(sent[:survived], np.full(survived, 80)).row)
    assert survived < PACKETS
    assert back == through
    up, down = document["counters"]["up"], document["counters"]["down"]
    assert (up["offered"], up["lost"], document["counters"]["sent_up"]) == (
        PACKETS,
        PACKETS - survived,
        survived,
    )
    assert (down["offered"], down["lost"]) == (survived, survived - through)
    assert document["counters"]["delay_up"] == {"n": survived, "mean_ms": 20, "max_ms": 20}
    assert document["stopped_by"] == "SIGINT"
    assert document["set"]["up"]["loss"] == {"ratio": "10%", "burst": 3}


def test_it_ends_after_its_duration_with_a_table() -> None:
    with udp() as server:
        to = f"127.0.0.1:{server.getsockname()[1]}"
        with relay("lossy-3g", "--to", to, "--duration", "300ms") as process:
            out, _ = process.communicate(timeout=30)
    assert process.returncode == 0
    for part in ("set", "applied", "measured", "3 (1.5)", "60 ± 10", "330 kbit/s", "↓ down"):
        assert part in out


@pytest.mark.parametrize(
    ("arguments", "code", "sentence"),
    [
        (["lossy3g", "--to", "127.0.0.1:9"], 2, "did you mean 'lossy-3g'?"),
        (["lossy-3g", "--to", "127.0.0.1"], 2, "--to 127.0.0.1 is no host and port"),
        (
            ["lossy-3g", "--to", "nowhere.invalid:9"],
            2,
            "--to nowhere.invalid:9: nowhere.invalid has no address",
        ),
        (["lossy-3g", "--to", "127.0.0.1:9", "--listen", "5000"], 2, "--listen 5000: no port"),
        (["lossy-3g", "--to", "127.0.0.1:9", "--listen", ":9"], 2, "is where the relay itself listens"),
        (["lossy-3g", "--to", "127.0.0.1:9", "--duration", "5"], 2, "--duration 5: '5' has no unit"),
        (["lossy-3g", "--to", "127.0.0.1:9", "--listen", "192.0.2.7:5000"], 3, "cannot use UDP address"),
    ],
)
def test_what_cannot_be_is_refused_in_a_sentence(
    arguments: list[str], code: int, sentence: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert execute(app, ["weak", "relay", *arguments]) == code
    assert sentence in capsys.readouterr().err


def test_an_address_in_use_is_told() -> None:
    with udp() as taken:
        listen = f"127.0.0.1:{taken.getsockname()[1]}"
        with relay("lossy-3g", "--to", "127.0.0.1:9", "--listen", listen) as process:
            _, err = process.communicate(timeout=30)
    assert process.returncode == 3
    assert f"cannot use UDP address {listen}: Address already in use" in err
    assert "give another --listen" in err
