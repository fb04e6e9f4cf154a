"""Whether this system gives a network of one's own, with netem in it: tried, in a process that then ends.

A user namespace can only be entered by a process with one thread: nothing here imports a library that starts some.
"""

from __future__ import annotations

import ctypes
import os
import socket
import time
from contextlib import closing
from typing import Any

from probe.errors import NotMeasured
from probe.net.clock import LINUX
from probe.net.netns import Failed, Missing, leave_host, run
from probe.net.pipe import Pipe
from probe.net.process import Child

AS_OURSELVES, AS_ORDINARY_USER = "ourselves", "ordinary user"
DELAY_MS = 10
_PACKETS = 10
_NOBODY = 65_534
_PR_SET_DUMPABLE = 4
_ANSWER_S = 20.0


async def namespace_facts(who: str) -> dict[str, Any]:
    """`namespace` and `netem`, each with `_error` and `_hint` where there is none; of `netem_n` packets that a
    netem of DELAY_MS delayed `netem_min_ms` is the least."""
    if not LINUX:
        return _none("network namespaces are Linux", "use the relay, which needs nothing")
    child = Child.start("probe.net.machine.namespaces:attempt")
    try:
        child.send(who)
        answer: dict[str, Any] = await child.receive(_ANSWER_S)
    except TimeoutError:
        return _none("no answer in time", "use the relay, which needs nothing")
    finally:
        await child.stop()
    return answer


def _none(error: str, hint: str) -> dict[str, Any]:
    told = {"error": error, "hint": hint}
    return {
        f"{what}{name}": value
        for what in ("namespace", "netem")
        for name, value in (("", False), *((f"_{key}", text) for key, text in told.items()))
    }


def attempt(pipe: Pipe) -> None:
    """Entry point of the child: the first message is who tries; the answer is what came of it."""
    who, _ = pipe.receive()
    found: dict[str, Any] = {"namespace": False, "netem": False}
    for what, step in (("namespace", _leave), ("netem", _delay)):
        try:
            found |= {what: True} | step(who)
        except NotMeasured as error:
            found |= {f"{what}_error": str(error), f"{what}_hint": error.hint}
            break
        except OSError as error:
            found |= {f"{what}_error": str(error), f"{what}_hint": ""}
            break
    pipe.send(found)


def _leave(who: str) -> dict[str, Any]:
    if who == AS_ORDINARY_USER and os.geteuid() == 0:
        os.setgroups([])
        os.setgid(_NOBODY)
        os.setuid(_NOBODY)
        # A process that changed its user is not "dumpable", and may not write its own maps of users.
        ctypes.CDLL(None).prctl(_PR_SET_DUMPABLE, 1, 0, 0, 0)
    leave_host()
    return {}


def _delay(_who: str) -> dict[str, Any]:
    run("ip", "link", "set", "lo", "up")
    try:
        run("tc", "qdisc", "add", "dev", "lo", "root", "netem", "delay", f"{DELAY_MS}ms")
    except Failed as failure:
        if "kind is unknown" not in str(failure):
            raise
        raise Missing(
            "this kernel has no netem (module sch_netem)",
            hint="load it: sudo modprobe sch_netem; or use the relay, which needs nothing",
        ) from None
    took_ms = []
    with closing(socket.socket(socket.AF_INET, socket.SOCK_DGRAM)) as sock:
        sock.settimeout(1.0)
        sock.bind(("127.0.0.1", 0))
        for _ in range(_PACKETS):
            sent_ns = time.monotonic_ns()
            sock.sendto(b"x", sock.getsockname())
            sock.recv(1)
            took_ms.append((time.monotonic_ns() - sent_ns) / 1e6)
    if min(took_ms) < DELAY_MS:
        raise NotMeasured(
            f"its netem delayed a packet by {min(took_ms):.1f} ms instead of {DELAY_MS}",
            hint="use the relay: --impair relay",
        )
    return {"netem_n": _PACKETS, "netem_min_ms": min(took_ms)}
