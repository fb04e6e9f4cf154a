"""A child process that does one command of the store, and kills itself before the n-th change of the disk."""

from __future__ import annotations

import datetime as dt
import itertools
import multiprocessing
import os
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

from probe.store import catalogue_file
from probe.store.copying import import_results
from probe.store.reader import list_runs
from probe.store.tidying import tidy

NOW = dt.datetime(2026, 12, 31, tzinfo=dt.UTC)
DAY_NS = 86_400_000_000_000

_CHILDREN = multiprocessing.get_context("forkserver")
"""One process imports all that is needed, and has no threads: each child is a copy of it."""
_CHILDREN.set_forkserver_preload(["__main__", "duckdb", __name__])


def run_child(command: str, root: Path, kill_at: int = 0, source: Path | None = None) -> bool:
    """Whether it came to its end; False when it killed itself."""
    child = _CHILDREN.Process(target=_do, args=(command, root, kill_at, source))
    child.start()
    child.join()
    assert child.exitcode in (0, -signal.SIGKILL)
    return child.exitcode == 0


def kill_before_change(number: int) -> None:
    """Count flushes, renames and removals together."""
    calls = itertools.count(1)

    def counted(change: Callable[..., Any]) -> Callable[..., Any]:
        def doing(*arguments: Any, **named: Any) -> Any:
            if next(calls) == number:
                os.kill(os.getpid(), signal.SIGKILL)
            return change(*arguments, **named)

        return doing

    os.fsync = counted(os.fsync)
    Path.replace = counted(Path.replace)  # type: ignore[method-assign]
    Path.unlink = counted(Path.unlink)  # type: ignore[method-assign]


def _do(command: str, root: Path, kill_at: int, source: Path | None) -> None:
    if kill_at:
        kill_before_change(kill_at)
    if command == "import":
        assert source
        import_results(root, source)
    elif command == "list":
        catalogue_file.SETTLED_NS = 0
        list_runs(root)
    else:
        keep = 14 * DAY_NS if command == "remove" else None
        tidy(root, lambda _: keep, NOW)
