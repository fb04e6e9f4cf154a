"""Partner nodes as processes on loopback, the plans that name them, and the runs that measure them."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import chdir, contextmanager, redirect_stderr, redirect_stdout
from io import StringIO
from pathlib import Path
from typing import Any

import yaml

from probe.cli import app
from probe.cli.failures import execute

KEY = "correct-horse-battery"
VARIABLES = {"NODE_KEY": KEY}
"""What plans fill in from the environment."""
BOUND_S = 60.0
"""No command of these tests takes longer, or something hangs."""


class NodeProcess:
    """A running `probe node`: where it is, who it is, and its end by pid."""

    def __init__(self, process: subprocess.Popen[str], ready: Mapping[str, Any]) -> None:
        self.process, self.ready = process, ready
        self.host, self.port = str(ready["host"]), int(ready["port"])
        self.fingerprint = str(ready["fingerprint"])

    @property
    def endpoint(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"probe://{host}:{self.port}"

    def entry(self, name: str = "n1", **changes: Any) -> dict[str, Any]:
        """This node in a plan."""
        entry = {"name": name, "endpoint": self.endpoint, "fingerprint": self.fingerprint} | changes
        return {key: value for key, value in entry.items() if value is not None}

    def stop(self, number: signal.Signals = signal.SIGTERM) -> int:
        """Its exit code."""
        self.process.send_signal(number)
        return self.process.wait(BOUND_S)


def node_command(*arguments: str, listen: str = "127.0.0.1:0") -> list[str]:
    return [sys.executable, "-m", "probe", "node", "--json", "--listen", listen, *arguments]


@contextmanager
def node_process(
    *arguments: str, listen: str = "127.0.0.1:0", under: Sequence[str] = (), key: str = KEY
) -> Iterator[NodeProcess]:
    """A node with a certificate of its own; `under`: a command that starts it."""
    identity = [] if "--state" in arguments else ["--ephemeral"]
    process = subprocess.Popen(
        [*under, *node_command(*identity, *arguments, listen=listen)],
        env=os.environ | {"PROBE_NODE_KEY": key},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stdout and process.stderr
    try:
        line = process.stdout.readline()
        assert line, process.stderr.read()
        yield NodeProcess(process, json.loads(line))
    finally:
        for pid in (*descendants(process.pid), process.pid):
            end(pid)
        process.wait(BOUND_S)
        process.stdout.close()
        process.stderr.close()


def end(pid: int) -> None:
    """SIGKILL, if it is still there."""
    try:
        os.kill(pid, signal.SIGKILL)
    except ProcessLookupError:
        return


def children(pid: int) -> list[int]:
    """The processes that `pid` started, by /proc."""
    found: list[int] = []
    for entry in Path("/proc").iterdir():
        if not entry.name.isdigit():
            continue
        try:
            parent = int((entry / "stat").read_text().rpartition(")")[2].split()[1])
        except OSError:
            continue
        if parent == pid:
            found.append(int(entry.name))
    return found


def descendants(pid: int) -> list[int]:
    """All processes below `pid`."""
    return [below for child in children(pid) for below in (child, *descendants(child))]


def alive(pids: Sequence[int]) -> list[int]:
    """Those that run: ended ones that nobody has waited for yet are none, unless one of their threads has not ended, which
    keeps their sockets open."""
    running = []
    for pid in pids:
        try:
            state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
            threads = len(list(Path(f"/proc/{pid}/task").iterdir()))
        except OSError:
            continue
        if state != "Z" or threads > 1:
            running.append(pid)
    return running


def wait_until_gone(pids: Sequence[int], seconds: float = 10.0) -> None:
    """Processes end a moment after what ends them."""
    until = time.monotonic() + seconds
    while alive(pids) and time.monotonic() < until:
        time.sleep(0.02)
    assert not alive(pids)


def write_plan(folder: Path, *nodes: Mapping[str, Any], **changes: Any) -> Path:
    """A plan of one voice session of 25 packets over UDP for each of `nodes`, all vendor alpha's."""
    content: dict[str, Any] = {
        "version": 1,
        "country": "ID",
        "timezone": "Asia/Jakarta",
        "vendors": [{"name": "alpha", "key": "${NODE_KEY}", "nodes": [dict(node) for node in nodes]}],
        "scenarios": {
            "voice": {"preset": "voice", "duration": "500ms", "deadline": "400ms", "recovery": {"nack": True}}
        },
        "networks": ["clean"],
        "matrix": [{"scenarios": ["voice"], "transports": ["udp"]}],
        "thresholds": ["reachable >= 99%"],
        "evidence": {"block": "500ms", "min_packets": 20},
    }
    path = folder / "plan.yaml"
    path.write_text(yaml.safe_dump(content | changes, sort_keys=False))
    return path


def transports(*names: str) -> list[dict[str, Any]]:
    """A matrix of one row."""
    return [{"scenarios": ["voice"], "transports": list(names)}]


def probe(*arguments: str, cwd: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    """One command, as a user runs it in `cwd`."""
    return subprocess.run(
        [sys.executable, "-m", "probe", *arguments],
        cwd=cwd,
        env=os.environ | VARIABLES | environment,
        capture_output=True,
        text=True,
        check=False,
        timeout=BOUND_S,
    )


def probe_here(*arguments: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    """The same without a process, for commands that measure nothing."""
    out, err = StringIO(), StringIO()
    with chdir(cwd), redirect_stdout(out), redirect_stderr(err):
        code = execute(app, arguments)
    return subprocess.CompletedProcess(arguments, code, out.getvalue(), err.getvalue())


@contextmanager
def probe_run(*arguments: str, cwd: Path, **environment: str) -> Iterator[subprocess.Popen[str]]:
    """`probe run` in the background; nothing of it stays."""
    process = subprocess.Popen(
        [sys.executable, "-m", "probe", "run", *arguments],
        cwd=cwd,
        env=os.environ | VARIABLES | environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        yield process
    finally:
        for pid in (*descendants(process.pid), process.pid):
            end(pid)
        process.wait(BOUND_S)
        assert process.stdout
        assert process.stderr
        process.stdout.close()
        process.stderr.close()
