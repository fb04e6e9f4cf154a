"""Inside GitHub Actions: workflow commands, the summary, outputs."""

from __future__ import annotations

import io
import re
from dataclasses import replace
from pathlib import Path

import pytest

from probe.report import github
from probe.report.github import OF_A_KIND, SUMMARY_LIMIT, tell_github
from tests.report.judged import MANIFEST, judged, judgement

COMMAND = re.compile(r"::(error|warning) ((?:\w+=[^:,\r\n]*,?)*)::([^\r\n]*)")


def told(environ: dict[str, str], **changes: object) -> list[str]:
    stream = io.StringIO()
    tell_github(replace(judged(), **changes), MANIFEST, stream, environ)  # type: ignore[arg-type]
    return stream.getvalue().splitlines()


def decoded(line: str) -> tuple[str, dict[str, str], str]:
    """As the runner reads a command."""
    match = COMMAND.fullmatch(line)
    assert match
    level, properties, message = match.groups()
    pairs = dict(item.split("=", 1) for item in properties.split(","))
    return level, {name: plain(value) for name, value in pairs.items()}, plain(message)


def plain(text: str) -> str:
    for code, letter in (("%2C", ","), ("%3A", ":"), ("%0A", "\n"), ("%0D", "\r"), ("%25", "%")):
        text = text.replace(code, letter)
    return text


def test_nothing_happens_elsewhere(tmp_path: Path) -> None:
    summary = tmp_path / "summary"
    assert told({"GITHUB_STEP_SUMMARY": str(summary)}) == []
    assert not summary.exists()


def test_failed_thresholds_are_annotated_on_their_line() -> None:
    found = [decoded(line) for line in told({"GITHUB_ACTIONS": "true"})]
    assert [(level, facts["line"]) for level, facts, _ in found] == [
        ("error", "41"),
        ("error", "43"),
        ("warning", "42"),
        ("warning", "44"),
    ]
    _, facts, message = found[0]
    assert facts["file"] == "plans/indonesia.yaml"
    assert facts["title"] == "rtt.p95 < 200ms (2 places)"
    assert message.count("\n") == 1
    assert "fail: 243.2 ms [231, 260] against < 200 ms" in message


def test_a_file_is_named_from_the_repository_on() -> None:
    item = judgement("fail", file="/checkout/plans/a,b:c.yaml")
    environ = {"GITHUB_ACTIONS": "true", "GITHUB_WORKSPACE": "/checkout"}
    (line,) = told(environ, thresholds=(item,))
    assert decoded(line)[1]["file"] == "plans/a,b:c.yaml"
    assert "file=plans/a%2Cb%3Ac.yaml," in line


def test_at_most_ten_of_a_kind() -> None:
    many = tuple(judgement("fail", line=line) for line in range(1, 40))
    found = [decoded(line) for line in told({"GITHUB_ACTIONS": "true"}, thresholds=many)]
    assert len(found) == OF_A_KIND
    assert found[-1][2].startswith("30 more thresholds did not hold")


def test_a_name_cannot_give_commands() -> None:
    scope = {"vendor": "x\n::set-env name=A::b\r\n", "node": "%0A::error::"}
    lines = told({"GITHUB_ACTIONS": "true"}, thresholds=(judgement("fail", scope=scope),))
    assert len(lines) == 1


def test_summary_and_outputs_are_appended(tmp_path: Path) -> None:
    summary, output = tmp_path / "summary", tmp_path / "output"
    summary.write_text("before\n")
    names = {"GITHUB_STEP_SUMMARY": str(summary), "GITHUB_OUTPUT": str(output)}
    told({"GITHUB_ACTIONS": "true", **names})
    assert summary.read_text(encoding="utf-8").startswith("before\n## Indonesia")
    assert output.read_text().splitlines()[:2] == ["verdict=fail", "exit_code=99"]


@pytest.mark.slow
def test_a_long_summary_is_cut_between_lines(tmp_path: Path) -> None:
    summary = tmp_path / "summary"
    scope = {"vendor": "x" * 500}
    many = tuple(judgement("fail", line=line, scope=scope) for line in range(1, 2000))
    told({"GITHUB_ACTIONS": "true", "GITHUB_STEP_SUMMARY": str(summary)}, thresholds=many)
    size = summary.stat().st_size
    assert SUMMARY_LIMIT - 1000 < size <= SUMMARY_LIMIT
    assert summary.read_text(encoding="utf-8").rstrip().endswith(github._CUT.strip())
    told({"GITHUB_ACTIONS": "true", "GITHUB_STEP_SUMMARY": str(summary)}, thresholds=many)
    assert summary.stat().st_size < 1024 * 1024


def test_a_summary_that_cannot_be_written_loses_nothing(tmp_path: Path) -> None:
    assert told({"GITHUB_ACTIONS": "true", "GITHUB_STEP_SUMMARY": str(tmp_path)})
