"""Inside a user-mode Linux: `probe weak run` and `probe run --impair kernel`, by an ordinary user, with its netem."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

from tests.uml import guest

USER = 1001
HOME = Path("/run/user")
PATIENCE = 60
ENVIRON = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"} | {
    "PYTHONPYCACHEPREFIX": str(HOME / "compiled")  # each of our processes would compile all that it imports
}

CLIENT = """
import os, socket, sys, time
with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
    sock.connect((os.environ["PROBE_HOST"], int(sys.argv[1])))
    sock.settimeout(1)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 20)  # nothing is read before all is sent
    for number in range(int(sys.argv[2])):
        sock.send(number.to_bytes(4, "big") + bytes(96))
        time.sleep(0.002)
    back = 0
    try:
        while sock.recv(2048):
            back += 1
    except TimeoutError:
        print(back)
"""


def echo(sock: socket.socket, seen: list[int]) -> None:
    """Send everything back, and count it."""
    while True:
        data, sender = sock.recvfrom(2048)
        seen.append(int.from_bytes(data[:4], "big"))
        sock.sendto(data, sender)


def probe(*arguments: str) -> dict[str, Any]:
    """A command of ours, and what it says."""
    done = subprocess.run(
        [sys.executable, "-m", "probe", *arguments],
        env=ENVIRON,
        capture_output=True,
        text=True,
        check=False,
        cwd=HOME,
        timeout=PATIENCE,
        user=USER,
        group=USER,
        extra_groups=[],
    )
    return {"code": done.returncode, "out": done.stdout, "err": done.stderr}


def work(job: dict[str, Any]) -> dict[str, Any]:
    guest.run("ip", "link", "set", "lo", "up")
    HOME.mkdir()
    HOME.chmod(0o777)
    for name in ("plan.yaml", "weak.yaml"):
        (HOME / name).write_text(job[name])
    seen: list[int] = []
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.bind(("127.0.0.1", 0))
        port = sock.getsockname()[1]
        threading.Thread(target=echo, args=(sock, seen), daemon=True).start()
        client = [sys.executable, "-S", "-c", CLIENT, str(port), str(job["packets"])]
        weak = probe("weak", "run", "weak.yaml", "--out", "json=weak.json", "--", *client)
    counters = HOME / "weak.json"
    weak |= {"seen": seen, "document": json.loads(counters.read_text()) if counters.exists() else None}
    run = probe("run", "plan.yaml", "--impair", "kernel", "--results", "results", "--json")
    records = [json.loads(path.read_text()) for path in HOME.glob("results/runs/*/sessions/*.json")]
    return {"weak": weak, "run": run, "records": records}


if __name__ == "__main__":
    guest.main(work)
