"""netem on a device: set up, changed, and its counters read back."""

from __future__ import annotations

import json
import os
import shutil
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from probe.errors import NotMeasured
from probe.impairment.delay import table
from probe.impairment.events import Table
from probe.impairment.profile import Impairment
from probe.impairment.tc import TcPlan
from probe.net.netns import Failed, Missing, run

_TABLES = ("/usr/lib/*/tc", "/usr/lib*/tc", "/usr/share/tc", "/lib/tc", "/usr/local/lib/tc")
"""Where systems keep the tables of iproute2."""
_PREFIX = "probe-tc-"


@dataclass(frozen=True, slots=True)
class QdiscCounters:
    """What the first netem of a device says: `dropped` is loss and overflow together, `waiting` is inside."""

    sent: int
    sent_bytes: int
    dropped: int
    waiting: int
    shown: str

    def since(self, before: QdiscCounters) -> QdiscCounters:
        """What came on top of earlier counters, which waited for nothing."""
        return replace(
            self,
            sent=self.sent - before.sent,
            sent_bytes=self.sent_bytes - before.sent_bytes,
            dropped=self.dropped - before.dropped,
        )


def apply(device: str, plan: TcPlan, tables: Path | None = None, *, change: bool = False) -> None:
    """Give a device of the present network its netems, or other values to those that it has.

    Raises Missing, naming the relay, where the kernel has no netem.
    """
    environ = {"TC_LIB_DIR": str(tables)} if tables else None
    for command in plan.commands(device, "change" if change else "add"):
        try:
            run(*command, environ=environ)
        except Failed as failure:
            if "qdisc kind is unknown" in str(failure) or "Unknown qdisc" in str(failure):
                raise Missing(
                    "this kernel has no netem (module sch_netem); our relay needs none",
                    hint="load it: sudo modprobe sch_netem; or use the relay: --impair relay",
                ) from None
            raise


def read(device: str) -> QdiscCounters:
    """The counters of a device's netem."""
    shown = run("tc", "-s", "qdisc", "show", "dev", device)
    for qdisc in json.loads(run("tc", "-s", "-j", "qdisc", "show", "dev", device)):
        if qdisc.get("root") and qdisc.get("kind") == "netem":
            return QdiscCounters(
                sent=int(qdisc["packets"]),
                sent_bytes=int(qdisc["bytes"]),
                dropped=int(qdisc["drops"]),
                waiting=int(qdisc["qlen"]),
                shown=shown,
            )
    raise NotMeasured(f"the netem of {device} is gone: somebody changed it while it was in use")


def tables_for(impairments: Sequence[Impairment]) -> tempfile.TemporaryDirectory[str] | None:
    """A folder with the delay tables that tc has to find, if any of them is one's own."""
    own = {shape for impairment in impairments for shape in _shapes(impairment) if isinstance(shape, Table)}
    if not own:
        return None
    _sweep()
    folder = tempfile.TemporaryDirectory(prefix=f"{_PREFIX}{os.getpid()}-")
    for place in _TABLES:
        for file in Path("/").glob(f"{place.lstrip('/')}/*.dist"):
            link = Path(folder.name, file.name)
            if not link.exists():
                link.symlink_to(file)
    for shape in own:
        path = Path(folder.name, f"{shape.name}.dist")
        path.unlink(missing_ok=True)
        path.write_text("\n".join(map(str, table(shape).tolist())) + "\n")
    return folder


def _sweep() -> None:
    """Remove such folders of processes that have ended without doing so: by a kill."""
    for left in Path(tempfile.gettempdir()).glob(f"{_PREFIX}*"):
        pid = left.name.removeprefix(_PREFIX).partition("-")[0]
        if pid.isdecimal() and not Path("/proc", pid).exists():
            shutil.rmtree(left, ignore_errors=True)  # somebody else's stays


def _shapes(impairment: Impairment) -> list[object]:
    shapes: list[object] = [impairment.distribution]
    if impairment.slot is not None:
        shapes.append(impairment.slot.distribution)
    for step in impairment.timeline.steps if impairment.timeline else ():
        shapes += _shapes(step.impairment)
    return shapes
