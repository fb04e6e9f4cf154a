"""What `--impair kernel` refuses before a packet is touched."""

from __future__ import annotations

from pathlib import Path

import pytest

from probe.cli import app
from probe.cli.failures import execute
from probe.errors import NotMeasured
from probe.net import kernel_netem
from probe.plan.load import load_plan
from probe.session import weakening
from probe.session.weakening import check_kernel

PLAN = """
version: 1
country: ID
timezone: Asia/Jakarta
windows: {{peak: {{start: "19:00", end: "23:00"}}}}
vendors:
  - name: v
    nodes:
      - {{name: n, endpoint: emulated, path: {{peak: {path}, other: {path}}}}}
scenarios:
  voice: {{preset: voice, duration: 2s}}
networks:
  - {{name: weak, both: {weak}}}
matrix:
  - {{scenarios: [voice], transports: [udp], networks: [weak], windows: [peak, other]}}
"""


def plan(folder: Path, weak: str, path: str = "clean") -> Path:
    file = folder / "plan.yaml"
    file.write_text(PLAN.format(weak=weak, path=path))
    return file


@pytest.mark.parametrize(
    ("weak", "path", "sentence"),
    [
        (
            "{delay: 20ms}",
            "4g",
            "4g and weak: the kernel's netem stands for one network, here are two in a row",
        ),
        (
            "{delay: 20ms, jitter: 5ms, jitter_correlation: 50%}",
            "clean",
            "weak: the kernel's netem cannot correlate the delays of successive packets: use the relay",
        ),
    ],
)
def test_what_netem_cannot_do_is_told_with_the_network(
    tmp_path: Path, weak: str, path: str, sentence: str
) -> None:
    with pytest.raises(NotMeasured) as told:
        check_kernel(load_plan(str(plan(tmp_path, weak, path))), None)
    assert str(told.value) == sentence
    assert "--impair relay" in told.value.hint


def test_what_netem_can_do_needs_a_kernel_that_has_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tried: list[bool] = []
    monkeypatch.setattr(weakening, "try_netem", lambda: tried.append(True))
    check_kernel(load_plan(str(plan(tmp_path, "{delay: 20ms, loss: 3%}"))), None)
    assert tried == [True]


@pytest.mark.net
def test_a_kernel_without_netem_ends_the_command_with_the_relays_name(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    try:
        kernel_netem.try_netem()
    except NotMeasured as error:
        why = error
    else:
        pytest.skip("this kernel has netem")
    results = tmp_path / "results"
    command = ["run", str(plan(tmp_path, "{delay: 20ms}")), "--impair", "kernel", "--results", str(results)]
    assert execute(app, command) == 3
    said = capsys.readouterr()
    assert f"error: {why}" in said.err
    assert "relay" in said.err
    assert said.out == ""
    assert not results.exists()


def test_anything_else_than_relay_and_kernel_is_a_mistake(capsys: pytest.CaptureFixture[str]) -> None:
    assert execute(app, ["run", "indonesia.yaml", "--impair", "tc"]) == 2
    assert "weak networks are applied by `relay` or `kernel`" in capsys.readouterr().err
