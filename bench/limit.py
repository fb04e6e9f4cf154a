"""The C limit (limit.c), compiled where there is a compiler."""

from __future__ import annotations

import atexit
import shutil
import subprocess
import tempfile
from functools import cache
from pathlib import Path

from bench.comparison import Skipped

SOURCE = Path(__file__).with_name("limit.c")


@cache
def limit_program() -> str:
    """The path of the compiled program, which lives as long as this process."""
    compiler = next((path for name in ("cc", "gcc", "clang") if (path := shutil.which(name))), None)
    if compiler is None:
        raise Skipped("no C compiler")
    folder = tempfile.TemporaryDirectory(prefix="probe-bench-")
    atexit.register(folder.cleanup)
    program = Path(folder.name) / "limit"
    command = (compiler, "-O2", "-Wall", "-Wextra", "-o", str(program), str(SOURCE))
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    if done.returncode:
        raise Skipped(f"limit.c does not compile here: {done.stderr.strip()[-200:]}")
    return str(program)
