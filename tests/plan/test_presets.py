"""Presets of thresholds: what they hold, and how a plan uses and overrides them."""

from __future__ import annotations

from pathlib import Path

import pytest

from probe.objectives import Threshold, parse_expression
from probe.plan.load import load_text
from probe.plan.presets import PRESETS
from tests.plan.plan_text import GOOD, SECRETS


def thresholds(lines: str) -> list[Threshold]:
    head, _, rest = GOOD.partition("thresholds:\n")
    after = rest[rest.index("evidence:") :]
    return list(load_text(f"{head}thresholds: {lines}\n{after}", Path("plan.yaml"), SECRETS).thresholds)


@pytest.mark.parametrize("name", PRESETS)
def test_every_line_is_of_the_grammar_and_names_its_source(name: str) -> None:
    asked = [parse_expression(line.expr) for line in PRESETS[name].lines]
    assert len({(one.function, one.subject) for one in asked}) == len(asked)
    assert all(line.source and line.severity in ("gate", "warn") for line in PRESETS[name].lines)
    assert 1 <= sum(line.severity == "gate" for line in PRESETS[name].lines) <= 9


def test_a_plan_uses_a_preset() -> None:
    found = thresholds("[preset: video-call]")
    assert [one.expression.text for one in found] == [line.expr for line in PRESETS["video-call"].lines]
    assert any(one.expression.text == "connect.p50 < 600ms" and one.severity == "gate" for one in found)
    assert {one.line for one in found} == {found[0].line}


def test_a_later_line_with_the_same_metric_and_scope_wins() -> None:
    found = thresholds("[preset: video-call, rtt.p95 < 250ms]")
    asked = [one.expression.text for one in found]
    assert "rtt.p95 < 250ms" in asked
    assert "rtt.p95 < 300ms" not in asked
    scoped = thresholds("[preset: video-call, {expr: rtt.p95 < 250ms, scenario: voice}]")
    assert sum(one.expression.subject == "rtt.p95" for one in scoped) == 2


def test_a_preset_has_a_scope_and_a_severity() -> None:
    found = thresholds("[{preset: teams, scenario: voice, severity: warn}]")
    assert {(one.severity, one.scope["scenario"]) for one in found} == {("warn", "voice")}
