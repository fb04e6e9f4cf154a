"""The C limits (*.c of this folder), compiled where there is a compiler."""

from __future__ import annotations

import atexit
import shutil
import subprocess
import tempfile
from functools import cache
from pathlib import Path

from bench.comparison import Skipped


@cache
def limit_program(name: str = "limit") -> str:
    """The path of `name`.c compiled, which lives as long as this process; raises Skipped without a compiler."""
    compiler = next((path for name in ("cc", "gcc", "clang") if (path := shutil.which(name))), None)
    if compiler is None:
        raise Skipped("no C compiler")
    folder = tempfile.TemporaryDirectory(prefix="probe-bench-")
    atexit.register(folder.cleanup)
    program = Path(folder.name) / name
    command = (
        compiler,
        "-O2",
        "-Wall",
        "-Wextra",
        "-o",
        str(program),
        str(Path(__file__).with_name(f"{name}.c")),
    )
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    if done.returncode:
        raise Skipped(f"{name}.c does not compile here: {done.stderr.strip()[-200:]}")
    return str(program)
