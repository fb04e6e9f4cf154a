"""A child process that does one command of the store, and kills itself before the n-th change of the disk."""

from __future__ import annotations

import datetime as dt
import itertools
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

NOW = dt.datetime(2026, 12, 31, tzinfo=dt.UTC)
DAY_NS = 86_400_000_000_000


def run_child(command: str, root: Path, kill_at: int = 0, *more: str) -> bool:
    """Whether it came to its end; False when it killed itself."""
    done = subprocess.run(
        [sys.executable, "-m", "tests.store.killing", command, str(root), str(kill_at), *more],
        cwd=Path(__file__).parents[2],
        check=False,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert done.returncode in (0, -signal.SIGKILL), done.stderr
    return done.returncode == 0


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


def main() -> None:
    from probe.store import catalogue_file
    from probe.store.copying import import_results
    from probe.store.reader import list_runs
    from probe.store.tidying import tidy

    command, root, kill_at = sys.argv[1], Path(sys.argv[2]), int(sys.argv[3])
    if kill_at:
        kill_before_change(kill_at)
    if command == "import":
        import_results(root, Path(sys.argv[4]))
    elif command == "list":
        catalogue_file.SETTLED_NS = 0
        list_runs(root)
    else:
        keep = 14 * DAY_NS if command == "remove" else None
        tidy(root, lambda _: keep, NOW)


if __name__ == "__main__":
    main()
