"""`probe weak run` as an ordinary user meets it."""

from __future__ import annotations

import contextlib
import http.server
import json
import os
import shutil
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from probe.cli import app
from probe.cli.failures import execute
from probe.impairment.held import loss_band
from probe.impairment.profile import Loss
from tests.networks import own_networks
from tests.uml.boot import common_python

__all__ = ["own_networks"]

pytestmark = [pytest.mark.net, pytest.mark.usefixtures("own_networks")]

NOBODY = 65534
PATIENCE = 30
MARK = "PROBE_TEST_MARK"
PYTHON = common_python()
WEAK = "up: {delay: 20ms, loss: {ratio: 20%, burst: 2}}\ndown: {delay: 30ms, loss: 10%, rate: 2Mbps, queue: 300ms}\n"


def weak_run(*arguments: Any, **options: Any) -> subprocess.Popen[str]:
    """`probe weak run`, by an ordinary user if we are root."""
    if os.geteuid() == 0:
        if PYTHON is None:
            pytest.skip("needs a Python that other users may execute")
        options |= {"user": NOBODY, "group": NOBODY, "extra_groups": []}
    packages = [place for place in sys.path if place.endswith(("site-packages", "dist-packages"))]
    path = os.pathsep.join([str(Path(__file__).parents[2]), *packages])
    environ = os.environ | {"PYTHONPATH": path, "PYTHONDONTWRITEBYTECODE": "1", "HOME": "/"}
    command = [PYTHON or sys.executable, "-m", "probe", "weak", "run", *map(str, arguments)]
    return subprocess.Popen(
        command,
        env=environ | options.pop("env", {}),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        **options,
    )


def ended(process: subprocess.Popen[str]) -> tuple[int, str, str]:
    out, err = process.communicate(timeout=PATIENCE)
    return process.returncode, out, err


@pytest.fixture
def weak(tmp_path: Path) -> Iterator[Path]:
    """A weak network in a file, in a folder that everybody may read and write."""
    folder = Path("/tmp") / f"probe-weak-{uuid4().hex}"
    folder.mkdir(mode=0o777)
    folder.chmod(0o777)
    (folder / "weak.yaml").write_text(WEAK)
    yield folder / "weak.yaml"
    shutil.rmtree(folder)


@contextlib.contextmanager
def web(folder: Path) -> Iterator[int]:
    """A web server of this machine's own."""

    class Quiet(http.server.SimpleHTTPRequestHandler):
        def log_message(self, format: str, *args: Any) -> None:  # noqa: A002
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=str(folder))) as server:
        threading.Thread(target=server.serve_forever).start()
        yield server.server_address[1]
        server.shutdown()


@contextlib.contextmanager
def irtt_server() -> Iterator[int]:
    if shutil.which("irtt") is None:
        assert os.environ.get("CI") != "true", "irtt is missing"
        pytest.skip("needs irtt")
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    server = subprocess.Popen(
        ["irtt", "server", "-i", "1ms", "-b", f"127.0.0.1:{port}"],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
    )
    try:
        assert server.stdout is not None
        while b"starting" not in (line := server.stdout.readline()):
            assert line, "irtt's server has ended"
        yield port
    finally:
        server.terminate()
        server.communicate()


DOWNLOAD = """
import os, sys, urllib.request
size = len(urllib.request.urlopen(f"http://{os.environ['PROBE_HOST']}:{sys.argv[1]}/content").read())
sys.exit(size != int(sys.argv[2]))
"""


@pytest.mark.foreign
@pytest.mark.slow
def test_a_download_and_irtt_behind_it_see_what_was_set(weak: Path) -> None:
    content = bytes(60_000)
    (weak.parent / "content").write_bytes(content)
    with web(weak.parent) as port, irtt_server() as irtt_port:
        (weak.parent / "download.py").write_text(DOWNLOAD)
        script = (
            f"{PYTHON or sys.executable} -S {weak.parent}/download.py {port} {len(content)} && id -u >&2 && "
            f"irtt client -q -o - -d 2s -i 4ms -l 100 --timeouts=250ms,500ms,1s,2s,2s,2s,2s "
            f"$PROBE_HOST:{irtt_port}"
        )
        file = weak.parent / "counters.json"
        code, out, err = ended(weak_run(weak, "--seed", 5, "--out", f"json={file}", "--", "sh", "-c", script))
    assert code == 0, err
    if os.geteuid() == 0:
        assert f"\n{NOBODY}\n" in err
    seen = json.loads(out)["stats"]
    sent, there, back = seen["packets_sent"], seen["server_packets_received"], seen["packets_received"]
    assert sent > 300
    for total, arrived, loss in ((sent, there, Loss(0.2, 2)), (there, back, Loss(0.1))):
        assert 1 - arrived / total == pytest.approx(loss.ratio, abs=loss_band(loss, total))
    assert seen["rtt"]["min"] >= 50e6
    document = json.loads(file.read_text())
    assert document["exit_code"] == 0
    for way, loss, least, delay_ms in (("up", Loss(0.2, 2), sent, 20), ("down", Loss(0.1), there, 30)):
        offered, measured = document[way]["applied"]["offered"], document[way]["measured"]
        assert offered >= least
        assert measured["loss_ratio"] == pytest.approx(loss.ratio, abs=loss_band(loss, offered))
        assert measured["delay_ms"]["p50"] >= delay_ms
    assert document["down"]["measured"]["busiest_second_bps"] <= 2_000_000 + 8 * 1514 * 20


def test_the_programs_output_and_exit_code_are_its_own(weak: Path) -> None:
    code, out, err = ended(weak_run(weak, "--quiet", "--", "sh", "-c", "echo mine; exit 42"))
    assert (code, out, err) == (42, "mine\n", "")


def test_with_json_stdout_is_one_document(weak: Path) -> None:
    code, out, err = ended(weak_run(weak, "--seed", 5, "--json", "--", "sh", "-c", "echo mine"))
    document = json.loads(out)
    assert (code, document["exit_code"]) == (0, 0)
    assert (document["seed"], document["carrier"]) == (5, "our own model")
    assert document["up"]["set"]["delay"] == "20ms"
    assert "mine\n" in err


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["no-such-network", "--", "true"], "no network 'no-such-network'"),
        (["lossy-3g", "--", "no-such-program"], "there is no program `no-such-program` to run"),
        (["lossy-3g", "--out", "junit=x", "--", "true"], "counters are written as json"),
        (["lossy-3g"], "Missing argument"),
    ],
)
def test_mistakes_are_told_before_anything_runs(
    arguments: list[str], sentence: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert execute(app, ["weak", "run", *arguments]) == 2
    said = capsys.readouterr()
    assert said.out == ""
    assert sentence in said.err


def test_a_signal_reaches_the_program(weak: Path) -> None:
    process = weak_run(
        weak, "--quiet", "--", "sh", "-c", "trap 'exit 9' TERM; echo up; while :; do sleep 0.01; done"
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "up\n"
    process.terminate()
    code, _, _ = ended(process)
    assert code == 9


def test_after_a_kill_nothing_is_left_behind(weak: Path) -> None:
    mark = uuid4().hex
    script = "(setsid sleep 60 &); nohup sleep 60 >/dev/null 2>&1 & echo up; sleep 60"
    process = weak_run(weak, "--", "sh", "-c", script, env={MARK: mark})
    assert process.stdout is not None
    assert process.stdout.readline() == "up\n"
    # three that sleep, and probe, holder, pump, gateway, starter and the shell
    waited_for(lambda: len(marked(mark)) >= 9)
    process.kill()
    process.communicate()
    waited_for(lambda: not marked(mark))


def waited_for(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def marked(mark: str) -> list[str]:
    """The processes that were started with this mark in their environment, but zombies."""
    found = []
    for place in Path("/proc").iterdir():
        if place.name.isdecimal():
            with contextlib.suppress(OSError):
                if f"{MARK}={mark}".encode() in (place / "environ").read_bytes():
                    found.append((place / "cmdline").read_bytes().replace(b"\0", b" ").decode())
    return found
