"""Inside a user-mode Linux: give netem two wordings of the same setting, and report what the kernel understood."""

from __future__ import annotations

import json
from typing import Any

from tests.uml import guest


def understood(wordings: list[list[list[str]]]) -> list[Any]:
    """The options that the kernel shows for each list of commands; or what tc said against them."""
    found: list[Any] = []
    for commands in wordings:
        guest.run("tc", "qdisc", "del", "dev", "v0", "root", check=False)
        try:
            for command in commands:
                guest.run(*command)
        except RuntimeError as error:
            found.append(str(error))
            continue
        shown = json.loads(guest.run("tc", "-j", "qdisc", "show", "dev", "v0"))
        found.append([qdisc["options"] for qdisc in shown if qdisc["kind"] == "netem"])
    return found


def work(jobs: list[list[list[list[str]]]]) -> list[list[Any]]:
    wire = guest.Wire()
    with wire.near.entered():
        return [understood(job) for job in jobs]


if __name__ == "__main__":
    guest.main(work)
