"""The pipelines of docs/ci.md: their YAML parses, and their shell lines do what they say, without a server."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

TEXT = (Path(__file__).parent.parent / "docs" / "ci.md").read_text(encoding="utf-8")
GITHUB, GITLAB = (yaml.safe_load(block) for block in re.findall(r"```yaml\n(.*?)```", TEXT, re.DOTALL))


def step() -> dict[str, Any]:
    return next(step for step in GITHUB["jobs"]["probe"]["steps"] if step.get("id") == "probe")


@pytest.mark.parametrize(("code", "expected"), [(0, 0), (4, 0), (99, 99), (3, 3), (2, 2)])
def test_the_github_step_passes_every_code_on_but_the_undecided(
    tmp_path: Path, code: int, expected: int
) -> None:
    stand_in = tmp_path / ".venv" / "bin" / "probe"
    stand_in.parent.mkdir(parents=True)
    stand_in.write_text(f'#!/bin/sh\necho "$@" > asked\nexit {code}\n')
    stand_in.chmod(0o755)
    # As a runner calls it.
    told = subprocess.run(
        ["bash", "--noprofile", "--norc", "-eo", "pipefail", "-c", step()["run"]],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert told.returncode == expected
    assert told.stdout.startswith("::warning title=probe::") == (code == 4)
    assert (tmp_path / "asked").read_text().startswith("gate indonesia.yaml --out junit=probe.xml")


def test_gitlab_keeps_what_the_command_writes() -> None:
    job = GITLAB["probe"]
    asked = dict(re.findall(r"--out (\w+)=(\S+)", " ".join(job["script"])))
    assert asked["junit"] == job["artifacts"]["reports"]["junit"]
    assert asked["html"] in job["artifacts"]["paths"]
    assert job["allow_failure"] == {"exit_codes": [4]}


def test_options_of_the_examples_exist() -> None:
    from typer.main import get_command

    from probe.cli import app

    commands: Any = get_command(app)
    examples = re.findall(r"probe (gate|run|compare|report) ([^\n`]*)", TEXT)
    assert len(examples) >= 9
    for name, rest in examples:
        known = {text for option in commands.commands[name].params for text in option.opts}
        assert set(re.findall(r"--[\w-]+", rest)) <= known, (name, rest)
