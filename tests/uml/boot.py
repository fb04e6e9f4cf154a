"""Run a Python script as the first process of a user-mode Linux, on the host's own files.

The kernel is an ordinary program of an ordinary user. Its root is the host's file system, read only; one
folder is writable, in which the script finds `job.json` and leaves `result.json` and what else it makes.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

STOCK = "linux.uml"
"""Debian's package user-mode-linux, with sch_netem as a module."""


class GuestError(RuntimeError):
    """The guest did not bring a result; with the end of its console."""


def stock_kernel() -> str | None:
    """Where the distribution's user-mode Linux is, if it is installed."""
    return shutil.which(STOCK)


def common_python() -> str | None:
    """An interpreter of our version that other users may execute too, if there is one."""
    version = f"python3.{sys.version_info.minor}"
    for candidate in (sys.executable, f"/usr/bin/{version}", f"/usr/local/bin/{version}"):
        path = Path(candidate).resolve()
        if path.exists() and all(place.stat().st_mode & 1 for place in (path, *path.parents)):
            return candidate
    return None


def _environment(folder: Path) -> dict[str, str]:
    """With what makes the guest's kernel run where processors have more state than it knows of."""
    if "amx_tile" not in Path("/proc/cpuinfo").read_text():
        return dict(os.environ)
    library = folder / "whole_state.so"
    source = Path(__file__).parent / "whole_state.c"
    subprocess.run(["cc", "-O2", "-shared", "-fPIC", "-o", library, source, "-ldl"], check=True)
    return os.environ | {"LD_PRELOAD": str(library)}


def run_guest(
    script: Path,
    job: Any,
    *,
    kernel: str,
    timeout: float,
    time_travel: bool = False,
    memory: str = "256M",
    files: Path | None = None,
    python: str = sys.executable,
) -> dict[str, Any]:
    """Boot, run `script` with `job`, and return its result; files that it made are moved to `files`."""
    with tempfile.TemporaryDirectory(prefix="netem-") as name:
        folder = Path(name)
        (folder / "job.json").write_text(json.dumps(job))
        init = folder / "init"
        # The kernel hands no environment on; libraries are found by the interpreter's own path.
        packages = [place for place in sys.path if place.endswith(("site-packages", "dist-packages"))]
        path = os.pathsep.join([str(Path(__file__).parents[2]), *packages])
        init.write_text(
            "#!/bin/sh\n"
            "export PATH=/usr/sbin:/usr/bin:/sbin:/bin HOME=/tmp\n"
            f"export PYTHONPATH='{path}' PYTHONDONTWRITEBYTECODE=1\n"
            f"mount -t hostfs none '{folder}' -o '{folder}'\n"
            f"exec '{python}' '{script}' '{folder}'\n"
        )
        init.chmod(0o755)
        command = [
            kernel,
            f"mem={memory}",
            "root=/dev/root",
            "rootfstype=hostfs",
            "ro",
            f"init={init}",
            "con=null",
            "con0=null,fd:1",
            "con1=null",
            "quiet",
            *(["time-travel=inf-cpu"] if time_travel else []),
        ]
        try:
            # Its memory is a file there; a temporary file system may forbid to execute from it.
            done = subprocess.run(
                command,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                timeout=timeout,
                check=False,
                start_new_session=True,
                env=_environment(folder),
            )
            console = done.stdout
        except subprocess.TimeoutExpired as late:
            console = late.stdout or b""
        result = folder / "result.json"
        if not result.exists():
            raise GuestError(
                f"no result from {kernel}; its console ends: {console[-2000:].decode(errors='replace')}"
            )
        answer: dict[str, Any] = json.loads(result.read_text())
        if "error" in answer:
            raise GuestError(answer["error"])
        if files is not None:
            for made in folder.iterdir():
                if made.name not in ("job.json", "result.json", "init", "whole_state.so"):
                    shutil.move(str(made), files / made.name)
        return answer
