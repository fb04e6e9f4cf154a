"""One bad plan for each rule: the sentence, and what the caret points at."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from probe.errors import ConfigError, ExitStatus
from probe.plan.diagnostics import PlanError
from probe.plan.load import load_plan, load_text
from tests.plan.bad_rules import RULES
from tests.plan.plan_text import GOOD, SECRETS, changed, mistakes


@pytest.mark.parametrize(("old", "new", "caret", "sentence"), RULES, ids=[rule[3][:60] for rule in RULES])
def test_one_mistake_is_told_in_one_sentence_at_its_place(
    old: str, new: str, caret: str, sentence: str
) -> None:
    found = mistakes(changed(old, new))
    assert [item.message for item in found] == [sentence]
    source = f"{found[0].mark.source}\n"
    assert source[found[0].mark.column - 1 :].startswith(caret)


def test_all_mistakes_are_told_at_once_in_the_order_of_the_file() -> None:
    text = (
        changed("country: ID", "country: NOO")
        .replace("nack: true", "nak: true")
        .replace("[voice]", "[voize]")
    )
    found = mistakes(text.replace("rtt.p95 < 200ms", "rtt.p95 < 200").replace("start: 04:00", "start: 4"))
    assert [item.mark.line for item in found] == [2, 7, 19, 23, 25]


def test_a_mistake_is_shown_with_its_line_and_a_caret() -> None:
    with pytest.raises(PlanError) as refusal:
        load_text(changed("    nodes:", "    node:"), Path("bad.yaml"), SECRETS)
    assert str(refusal.value) == (
        "bad.yaml:15:5: unknown key 'node', did you mean 'nodes'?\n    15 |     node:\n       |     ^"
    )
    assert refusal.value.exit_status == ExitStatus.CONFIG


def test_functions_need_what_they_compare_with() -> None:
    controls = GOOD[GOOD.index("controls:") : GOOD.index("vendors:")]
    text = GOOD.replace(controls, "").replace("rtt.p95 < 200ms", "vs_control(rtt.p95) < 50ms")
    (found,) = mistakes(text)
    assert found.message == "vs_control() compares with the plan's controls, and it has none: add `controls`"
    text = changed("  peak:    {", "  evening: {").replace("[peak, offpeak]", "[evening, offpeak]")
    text = text.replace("{peak: id", "{evening: id").replace("rtt.p95 < 200ms", "peak_ratio(rtt.p95) < 2x")
    (found,) = mistakes(text)
    assert found.message == "peak_ratio() compares the windows 'peak' and 'offpeak': define both in `windows`"


def test_no_secret_is_in_a_mistake() -> None:
    text = changed('key: "${ALPHA_KEY:?ask the vendor for it}"', "key: geheim-drei\n    fingerprint: x")
    text = text.replace('"probe://ctl1.example.net:40000"', '"${PROBE_KEY}"').replace(
        "city: Jakarta, isp", "key: geheim-vier, isp"
    )
    shown = "\n".join(item.render() for item in mistakes(text))
    assert shown.count("***") >= 3
    assert "geheim" not in shown


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("- 1\n- 2\n", "a plan is a mapping: it starts with `version: 1`"),
        ("hello", "a plan is a mapping: it starts with `version: 1`"),
        ("", "the file is empty"),
    ],
)
def test_what_is_no_plan_at_all(text: str, sentence: str) -> None:
    assert [item.message for item in mistakes(text)] == [sentence]


def test_a_file_that_is_no_text(tmp_path: Path) -> None:
    path = tmp_path / "plan.yaml"
    path.write_bytes(b"\xff\xfe\x00")
    with pytest.raises(ConfigError, match="the file is not UTF-8 text"):
        load_plan(path, {})


SNIPPETS = (
    "",
    "1",
    "-1",
    "1.5",
    "true",
    "NO",
    "x",
    "[]",
    "[1]",
    "[[]]",
    "{}",
    "{a: 1}",
    "[{a: 1}]",
    "${PROBE_KEY}",
    '"\\0"',
)
TOKENS = tuple(re.findall(r"(?<=: )[^\s,{}\[\]]+|[\[{][^\[\]{}]*[\]}]", GOOD))


@pytest.mark.slow
@settings(max_examples=200)
@given(st.sampled_from(TOKENS), st.sampled_from(SNIPPETS), st.sampled_from(TOKENS), st.sampled_from(SNIPPETS))
def test_any_value_anywhere_is_a_plan_or_a_plan_error(old: str, new: str, other: str, more: str) -> None:
    for mistake in mistakes(GOOD.replace(old, new, 1).replace(other, more, 1)):
        assert mistake.render()
        assert "geheim" not in mistake.render()
