"""A real `probe node` process: ready line, one port for all, silence to strangers, a clean end."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from probe.cli import app
from probe.cli.failures import execute
from probe.wire.stun import binding_request, parse

pytestmark = pytest.mark.net

KEY = "a shared key of a test"


def start(state: Path, *options: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "probe", "node", "--json", "--state", str(state), *options],
        env=os.environ | {"PROBE_NODE_KEY": KEY},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def end(process: subprocess.Popen[str]) -> tuple[int, str]:
    """Exit code and stderr after SIGTERM."""
    process.send_signal(signal.SIGTERM)
    _, said = process.communicate(timeout=20)
    return process.returncode, said


@pytest.fixture(params=[(), ("--plain-sockets",)], ids=["split port", "one socket"], scope="module")
def address(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[str, int]]:
    """Of one node for all that ask it something."""
    process = start(tmp_path_factory.mktemp("state"), "--listen", "127.0.0.1:0", *request.param)
    assert process.stdout
    ready = json.loads(process.stdout.readline())
    assert ready["fingerprint"].startswith("sha256:")
    assert KEY not in json.dumps(ready)
    yield ready["host"], ready["port"]
    assert end(process) == (0, "")


def asked(address: tuple[str, int], data: bytes, timeout: float = 5) -> bytes | None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.settimeout(timeout)
        sock.connect(address)
        sock.send(data)
        try:
            return sock.recv(2048)
        except TimeoutError:
            return None


def test_stun_is_answered_on_the_same_port(address: tuple[str, int]) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.settimeout(5)
        sock.connect(address)
        sock.send(binding_request(bytes(range(12))))
        answer = parse(sock.recv(2048))
        assert answer.transaction_id == bytes(range(12))
        assert answer.mapped_address == sock.getsockname()


@pytest.mark.parametrize(
    "data",
    [
        b"\x80\x6f" + bytes(170),  # RTP of nobody's session
        b"\x80\xcc\x00\x02" + bytes(8),  # RTCP APP
        b"\x05" * 40,  # between STUN and QUIC
        b"\x40" + bytes(60),  # QUIC short header, unknown connection
        b"\x00",
        b"",
    ],
    ids=["rtp", "rtcp", "neither", "quic", "one byte", "nothing"],
)
def test_strangers_get_silence(address: tuple[str, int], data: bytes) -> None:
    assert asked(address, data, timeout=0.3) is None
    # The node stands: it still answers.
    assert asked(address, binding_request(bytes(12))) is not None


def test_a_taken_port_is_one_sentence(tmp_path: Path) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as taken:
        taken.bind(("127.0.0.1", 0))
        port = taken.getsockname()[1]
        process = start(tmp_path, "--listen", f"127.0.0.1:{port}")
        out, said = process.communicate(timeout=20)
    assert process.returncode == 3
    assert json.loads(out)["exit_code"] == 3
    assert said.startswith(f"error: cannot listen on 127.0.0.1:{port} (UDP): Address already in use")
    assert "Traceback" not in said


def test_a_second_node_does_not_share_the_port_of_the_first(tmp_path: Path) -> None:
    first = start(tmp_path / "1", "--listen", "127.0.0.1:0")
    assert first.stdout
    port = json.loads(first.stdout.readline())["port"]
    second = start(tmp_path / "2", "--listen", f"127.0.0.1:{port}")
    second.communicate(timeout=20)
    assert second.returncode == 3
    assert end(first) == (0, "")


def test_the_certificate_outlives_the_node(tmp_path: Path) -> None:
    fingerprints = set()
    for _ in range(2):
        process = start(tmp_path, "--listen", "127.0.0.1:0")
        assert process.stdout
        fingerprints.add(json.loads(process.stdout.readline())["fingerprint"])
        assert end(process) == (0, "")
    assert len(fingerprints) == 1


@pytest.mark.parametrize("listen", ["nonsense", "127.0.0.1", "127.0.0.1:99999", "example.org:1"])
def test_a_bad_address_is_the_callers_mistake(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], listen: str
) -> None:
    assert execute(app, ["node", "--json", "--state", str(tmp_path), "--listen", listen]) == 2
    assert capsys.readouterr().err.startswith(f"error: --listen {listen}: ")
