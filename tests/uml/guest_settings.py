"""Inside a user-mode Linux: give netem wordings of settings, and report what the kernel understood of each."""

from __future__ import annotations

import json
import subprocess
from typing import Any

from tests.uml import guest

DEVICE = "v0"


def understood(wordings: list[list[list[str]]]) -> list[Any]:
    """The options that the kernel shows for each list of commands; or what tc said against them.

    All are lines of one `tc -batch`: to start a program takes a guest longer than all that it does.
    """
    lines = []
    for commands in wordings:
        lines += [" ".join(command[1:]) for command in commands]
        lines += [f"qdisc show dev {DEVICE}", f"qdisc del dev {DEVICE} root"]
    done = subprocess.run(
        ["tc", "-j", "-batch", "-"], input="\n".join(lines), capture_output=True, text=True, check=False
    )
    if done.returncode:
        return [done.stderr] * len(wordings)
    found: list[Any] = []
    decoder, at = json.JSONDecoder(), 0
    while len(found) < len(wordings):
        at += len(done.stdout[at:]) - len(done.stdout[at:].lstrip())
        shown, at = decoder.raw_decode(done.stdout, at)
        found.append([qdisc["options"] for qdisc in shown if qdisc["kind"] == "netem"])
    return found


def work(jobs: list[list[list[list[str]]]]) -> list[list[Any]]:
    wire = guest.Wire()
    with wire.near.entered():
        return [understood(job) for job in jobs]


if __name__ == "__main__":
    guest.main(work)
