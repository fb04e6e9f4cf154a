"""`probe node` as a partner meets it."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from probe.net.certificate import CERTIFICATE_NAME, KEY_NAME
from tests.authority import certificate_for_localhost
from tests.nodes import (
    BOUND_S,
    KEY,
    NodeProcess,
    children,
    descendants,
    end,
    node_command,
    node_process,
    probe,
    probe_here,
    transports,
    wait_until_gone,
    write_plan,
)

pytestmark = pytest.mark.net


def test_one_line_when_ready_and_a_clean_end(tmp_path: Path) -> None:
    key_file = tmp_path / "key"
    key_file.write_text(KEY + "\n")
    command = node_command("--key-file", str(key_file), "--state", str(tmp_path / "state"))
    fingerprints = set()
    for number in (signal.SIGTERM, signal.SIGINT):
        process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        assert process.stdout
        ready = json.loads(process.stdout.readline())
        assert ready["ready"] is True
        assert ready["key_source"] == str(key_file)
        fingerprints.add(ready["fingerprint"])
        family = descendants(process.pid)
        process.send_signal(number)
        out, err = process.communicate(timeout=BOUND_S)
        assert (process.returncode, out, err) == (0, "", "")
        wait_until_gone(family)
    assert len(fingerprints) == 1  # the certificate is kept
    told = KEY in "".join(path.read_text(errors="replace") for path in (tmp_path / "state").iterdir())
    assert not told


def test_a_taken_port_is_told_in_a_sentence(node: NodeProcess, tmp_path: Path) -> None:
    told = probe(
        "node", "--listen", f"127.0.0.1:{node.port}", "--ephemeral", cwd=tmp_path, PROBE_NODE_KEY=KEY
    )
    assert told.returncode == 3
    first, hint = told.stderr.splitlines()
    assert first == f"error: cannot listen on 127.0.0.1:{node.port} (UDP): Address already in use"
    assert "--listen" in hint
    assert told.stdout == ""


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["--listen", "40000"], "no port"),
        (["--listen", "127.0.0.1:99999"], "'99999' is no port"),
        (["--listen", "node.example:40000"], "is not an IP address"),
        (["--key-file", "missing"], "cannot read the key file missing"),
        (["--key-file", "short"], "has 5 bytes"),
    ],
)
def test_what_cannot_be_used_is_told_in_a_sentence(arguments: list[str], told: str, tmp_path: Path) -> None:
    (tmp_path / "short").write_text("short\n")
    ended = probe_here("node", *arguments, "--ephemeral", cwd=tmp_path)
    assert ended.returncode == 2
    assert told in ended.stderr.splitlines()[0]


def test_a_node_whose_media_loop_is_killed_ends(tmp_path: Path) -> None:
    with node_process() as node:
        (media,) = children(node.process.pid)
        end(media)
        assert node.process.wait(BOUND_S) == 3
        assert node.process.stderr
        error = node.process.stderr.read()
    assert error.startswith("error: the node's media loop ended, so the node stops: ")
    assert "SIGKILL" in error
    assert "Traceback" not in error


def test_a_node_whose_quic_loop_is_killed_ends() -> None:
    with node_process() as node:
        (media,) = children(node.process.pid)
        end(node.process.pid)
        wait_until_gone([node.process.pid, media])
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
            sock.bind((node.host, node.port))  # nobody holds the port


def test_several_clients_at_once(node: NodeProcess, tmp_path: Path) -> None:
    plan = write_plan(tmp_path, node.entry(), matrix=transports("udp", "quic-datagram"))

    def run(number: int) -> list[str]:
        told = probe("run", str(plan), "--json", "--results", f"results-{number}", cwd=tmp_path)
        document = json.loads(told.stdout)
        assert (told.returncode, document["verdict"]) == (0, "pass")
        return [f"{session['outcome']} {session['counts']['lost_up']}" for session in document["sessions"]]

    with ThreadPoolExecutor(3) as pool:
        assert list(pool.map(run, range(3))) == [["completed 0"] * 2] * 3


def has_ipv6() -> bool:
    try:
        with socket.socket(socket.AF_INET6, socket.SOCK_DGRAM) as sock:
            sock.bind(("::1", 0))
    except OSError:
        return False
    return True


@pytest.mark.skipif(not has_ipv6(), reason="this machine has no IPv6")
def test_ipv6(tmp_path: Path) -> None:
    with node_process(listen="[::1]:0") as node:
        assert node.endpoint.startswith("probe://[::1]:")
        networks = [{"name": "slow", "up": {"delay": "10ms"}, "down": {"delay": "10ms"}}]
        plan = write_plan(tmp_path, node.entry(), networks=networks, matrix=transports("udp", "quic-stream"))
        told = probe("run", str(plan), "--json", cwd=tmp_path)
    sessions = json.loads(told.stdout)["sessions"]
    assert [session["outcome"] for session in sessions] == ["completed"] * 2
    assert all(session["counts"]["on_time"] == session["counts"]["sent"] > 0 for session in sessions)
    assert told.returncode == 0


def test_a_node_known_by_its_authority(tmp_path: Path) -> None:
    made = certificate_for_localhost()
    state = tmp_path / "state"
    state.mkdir()
    (state / CERTIFICATE_NAME).write_bytes(made.certificate.public_bytes(Encoding.PEM))
    key = made.private_key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    (state / KEY_NAME).write_bytes(key)
    (tmp_path / "authority.pem").write_bytes(made.authority.public_bytes(Encoding.PEM))
    with node_process("--state", str(state)) as node:
        port = f"probe://localhost:{node.port}"
        entry = node.entry(endpoint=port, fingerprint=None, cafile="authority.pem")
        plan = write_plan(tmp_path, entry, matrix=transports("udp", "quic-datagram"))
        # From another folder: the file's place is beside the plan.
        told = probe("run", str(plan), "--json", cwd=state)
    assert told.returncode == 0, told.stderr
    assert [session["outcome"] for session in json.loads(told.stdout)["sessions"]] == ["completed"] * 2


@pytest.mark.skipif(os.geteuid() != 0, reason="a process namespace needs root")
def test_a_node_that_is_process_one_of_its_container() -> None:
    with node_process(under=["unshare", "--pid", "--fork", "--mount-proc"]) as node:
        assert node.port
