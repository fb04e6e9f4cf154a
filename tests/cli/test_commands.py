"""The command line as a user meets it: in a process of its own."""

from __future__ import annotations

import json
import os
import subprocess
import sys

import pytest

from probe import __version__

HEAVY = {"aioquic", "cryptography", "duckdb", "numpy", "rich", "scapy", "yaml"}
COMMANDS = (
    "run",
    "gate",
    "compare",
    "node",
    "plan",
    "weak",
    "selftest",
    "report",
    "runs",
    "exit-codes",
    "campaign",
    "rehearse",
    "status",
    "store",
)
IMPORTED = """
import json, sys
from probe.cli import app
from probe.cli.failures import execute
found = {}
for command in sys.argv[1:]:
    assert execute(app, [command, "--help"] if command else ["--help"]) == 0
    found[command] = sorted({name.split(".")[0] for name in sys.modules})
json.dump(found, sys.stderr)
"""


def probe(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    clean = {name: value for name, value in os.environ.items() if name not in ("COLUMNS", "NO_COLOR")}
    return subprocess.run(
        [sys.executable, "-m", "probe", *arguments],
        capture_output=True,
        text=True,
        encoding="utf-8",
        check=False,
        env=clean | environment,
    )


def test_help_names_every_command() -> None:
    told = probe("--help")
    assert told.returncode == 0
    assert all(f"\n  {command} " in told.stdout for command in COMMANDS)


def test_no_arguments_show_the_help_and_are_an_error() -> None:
    told = probe()
    assert told.returncode == 2
    assert "Usage: probe" in told.stderr
    assert told.stdout == ""


def test_help_imports_nothing_heavy() -> None:
    """One process for all: what the first one imports, it has until the last."""
    told = subprocess.run(
        [sys.executable, "-c", IMPORTED, "", *COMMANDS], capture_output=True, text=True, check=True
    )
    found = json.loads(told.stderr)
    assert set(found) == {"", *COMMANDS}
    assert not {command: heavy for command, names in found.items() if (heavy := HEAVY.intersection(names))}


def test_version() -> None:
    assert probe("--version").stdout == f"probe {__version__}\n"


def test_an_unknown_command() -> None:
    told = probe("rnu")
    assert told.returncode == 2
    assert "'rnu'" in told.stderr


@pytest.mark.slow
@pytest.mark.parametrize("option", ["--lang"])
def test_options_of_later_versions_are_refused(option: str) -> None:
    assert probe("report", "x", option, "zh").returncode == 2


@pytest.mark.slow
def test_exit_codes_for_people_and_programs() -> None:
    assert "99  FAIL" in probe("exit-codes").stdout
    codes = json.loads(probe("exit-codes", "--json").stdout)["exit_codes"]
    assert [item["code"] for item in codes] == [0, 1, 2, 3, 4, 99, 130, 143]


@pytest.mark.slow
def test_a_pipe_is_160_columns_wide_and_plain() -> None:
    told = probe("exit-codes").stdout
    assert max(map(len, told.splitlines())) > 120
    assert "\x1b" not in told


@pytest.mark.slow
def test_columns_is_honoured() -> None:
    assert max(map(len, probe("exit-codes", COLUMNS="60").stdout.splitlines())) <= 60


@pytest.mark.slow
def test_colour_can_be_forced_and_refused() -> None:
    assert "\x1b[" in probe("exit-codes", FORCE_COLOR="1").stdout
    assert "\x1b[3" not in probe("exit-codes", FORCE_COLOR="1", NO_COLOR="1").stdout


@pytest.mark.slow
def test_a_terminal_without_the_letters_still_gets_the_text() -> None:
    told = subprocess.run(
        [sys.executable, "-m", "probe", "exit-codes"],
        capture_output=True,
        check=False,
        env=os.environ | {"PYTHONIOENCODING": "ascii"},
    )
    assert told.returncode == 0
    assert b"99  FAIL" in told.stdout


@pytest.mark.slow
@pytest.mark.parametrize("arguments", [["exit-codes"], ["exit-codes", "--json"], ["plan", "schema"]])
def test_a_reader_that_goes_away_is_no_fault(arguments: list[str]) -> None:
    with subprocess.Popen(
        [sys.executable, "-m", "probe", *arguments], stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.close()
        told = process.stderr.read()
    assert process.returncode == 141
    assert told == b""
