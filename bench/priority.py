"""For a machine that is shared with others: all subjects, ours and our peers' alike, before everybody else."""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path

_nice: list[int] = []


def prefer_all(nice: int) -> None:
    """Give this nice value to all subjects from now on; raises PermissionError where we may not."""
    os.setpriority(os.PRIO_PROCESS, 0, nice)  # children inherit it
    _nice[:] = [nice]
    prefer(os.getpid())


def prefer(pid: int) -> None:
    """Let a child that leads a session profit too: with autogroups the kernel shares out CPU time by session."""
    for nice in _nice:
        with suppress(OSError):
            Path(f"/proc/{pid}/autogroup").write_text(str(nice))
