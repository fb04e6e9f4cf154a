"""How long `probe --help` takes, against importing the library that prints it, and what it imports."""

from __future__ import annotations

import statistics
import sys
import time

from bench.comparison import PROBE, Comparison, Effort, Goal, Sample
from bench.processes import run

TYPER = "import typer"
RUNS = 5
METRIC = "wall_ms"
HEAVY = ("scapy", "duckdb", "aioquic", "numpy")
_COUNT_HEAVY = (
    "import sys; sys.argv = ['probe', '--help']\n"
    "from probe.cli import main\n"
    "try: main()\n"
    f"except SystemExit: print('heavy:', sum(name in sys.modules for name in {HEAVY!r}))"
)


def comparison() -> Comparison:
    return Comparison(
        "help",
        "`probe --help`, wall",
        {PROBE: probe, TYPER: typer},
        (
            Goal("wall", METRIC, 2.0, TYPER, unit="ms"),
            Goal("heavy packages imported", "heavy_imports", 0.0),
        ),
    )


def probe(_: Effort) -> Sample:
    said = run(sys.executable, "-c", _COUNT_HEAVY, timeout=30).stdout
    heavy = float(said.rsplit("heavy:", 1)[1])
    return {METRIC: _wall_ms(sys.executable, "-m", "probe", "--help"), "heavy_imports": heavy}


def typer(_: Effort) -> Sample:
    return {METRIC: _wall_ms(sys.executable, "-c", "import typer")}


def _wall_ms(*command: str) -> float:
    walls = []
    for _ in range(RUNS):
        start = time.perf_counter()
        run(*command, timeout=30)
        walls.append((time.perf_counter() - start) * 1e3)
    return statistics.median(walls)
