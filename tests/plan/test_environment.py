from __future__ import annotations

import pytest

from probe.plan.environment import Substitution, substitute

ENVIRON = {"A": "1", "EMPTY": ""}


@pytest.mark.parametrize(
    ("text", "result"),
    [
        ("${A}", Substitution("1", True, None)),
        ("x${A}y${A}", Substitution("x1y1", True, None)),
        ("${EMPTY}", Substitution("", True, None)),
        ("${A:-b}", Substitution("1", True, None)),
        ("${EMPTY:-b}", Substitution("b", False, None)),
        ("${NONE:-}", Substitution("", False, None)),
        ("$$", Substitution("$", False, None)),
        ("$${A}", Substitution("${A}", False, None)),
    ],
)
def test_fills_in(text: str, result: Substitution) -> None:
    assert substitute(text, ENVIRON) == result


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("${NONE}", "the environment variable NONE is not set: export NONE=... before the run"),
        ("${NONE:?ask them}", "the environment variable NONE is not set: ask them"),
        ("${EMPTY:?ask them}", "the environment variable EMPTY is not set: ask them"),
        ("${NONE:?}", "the environment variable NONE is not set: export NONE=... before the run"),
        ("$A", "a lone $ is ambiguous: write ${VARIABLE}, or $$ for the sign itself"),
        ("${A", "a lone $ is ambiguous: write ${VARIABLE}, or $$ for the sign itself"),
        ("${A-b}", "a lone $ is ambiguous: write ${VARIABLE}, or $$ for the sign itself"),
    ],
)
def test_says_what_is_missing(text: str, problem: str) -> None:
    assert substitute(text, ENVIRON).problem == problem
