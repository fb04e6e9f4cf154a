from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from probe.plan.diagnostics import PlanError
from probe.plan.yaml_nodes import read_tree


def read(text: str) -> Any:
    tree = read_tree(text, "x.yaml", {"NAME": "alpha", "ODD": 'a: "b"\n- c'})
    assert not tree.problems, tree.problems
    return tree.root.plain()


def problem(text: str) -> str:
    """The one sentence, with its place, about a file."""
    try:
        problems = read_tree(text, "x.yaml", {}).problems
    except PlanError as error:
        problems = list(error.diagnostics)
    (found,) = problems
    return f"{found.mark.line}:{found.mark.column}: {found.message}"


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("NO", "NO"),  # Norway; false in YAML 1.1
        ("off", "off"),
        ("y", "y"),
        ("19:00", "19:00"),  # 1140 in YAML 1.1
        ("04:00", "04:00"),
        ("1_000", "1_000"),
        ("2026-11-22", "2026-11-22"),
        ("007", 7),  # 8-based only with 0o
        ("0o17", 15),
        ("0x1F", 31),
        ("-3", -3),
        ("1.5", 1.5),
        ("1e3", 1000.0),
        ("true", True),
        ("False", False),
        ("~", None),
        ("null", None),
        ("''", ""),
        ("'1'", "1"),
        ("30s", "30s"),
    ],
)
def test_scalars_are_those_of_yaml_1_2(text: str, value: object) -> None:
    found = read(f"key: {text}")["key"]
    assert found == value
    assert type(found) is type(value)


def test_an_empty_value_is_null() -> None:
    assert read("key:\nother: 1") == {"key": None, "other": 1}


def test_keys_stay_words() -> None:
    assert read("on: 1\n19:00: 2\n") == {"on": 1, "19:00": 2}


def test_a_variable_is_text_and_cannot_change_the_structure() -> None:
    assert read("name: ${NAME}\nkey: ${ODD}\n") == {"name": "alpha", "key": 'a: "b"\n- c'}


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("a: 1\nb: 2\na: 3\n", "3:1: duplicate key 'a': it is already on line 1"),
        ("a: {b: 1, b: 2}", "1:11: duplicate key 'b': it is already on line 1"),
        ("<<: {a: 1}", "1:1: merge keys (<<) are not used in plans: use `extends`"),
        ("? [a]\n: 1", "1:3: a key must be a word"),
        (
            "a: !!python/name:os.system x",
            "1:4: the tag 'tag:yaml.org,2002:python/name:os.system' is not used in plans",
        ),
        ("a: !secret x", "1:4: the tag '!secret' is not used in plans"),
        ("a: !!int five", "1:4: 'five' is no int"),
        (
            "a: ${MISSING}",
            "1:4: the environment variable MISSING is not set: export MISSING=... before the run",
        ),
        ("a: ${MISSING:?ask}", "1:4: the environment variable MISSING is not set: ask"),
        ("a: $5", "1:4: a lone $ is ambiguous: write ${VARIABLE}, or $$ for the sign itself"),
        ("a: 1\n\tb: 2", "2:1: a tab cannot indent YAML: use spaces"),
        ("a: 1\n---\nb: 2\n", "2:1: a plan is one YAML document: delete the '---' between two"),
        (
            "a: 'x",
            "1:6: this is not valid YAML: found unexpected end of stream (while scanning a quoted scalar)",
        ),
        ("a: *x", "1:4: this is not valid YAML: found undefined alias 'x'"),
        ("a: \x07", "1:1: the character U+0007 is not allowed in YAML"),
        ("", "1:1: the file is empty"),
        ("# only a comment\n", "1:1: the file is empty"),
        ("a: &x [*x]", "1:4: lists, mappings or aliases are nested too deeply"),
        ("[" * 60 + "]" * 60, "1:52: lists, mappings or aliases are nested too deeply"),
        pytest.param("[" * 5000, "1:1: lists or mappings are nested too deeply", marks=pytest.mark.slow),
    ],
)
def test_refuses_with_a_place(text: str, sentence: str) -> None:
    assert problem(text) == sentence


def test_aliases_of_aliases_end() -> None:
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]" for n in range(1, 9)]
    assert "nested too deeply" in problem("\n".join(lines))


@given(st.text(alphabet="ab:-{}[]&*!|>'\"#%@,\n \t$?~0é\x00", max_size=60))
def test_any_text_is_a_tree_or_a_plan_error(text: str) -> None:
    try:
        tree = read_tree(text, "x.yaml", {})
    except PlanError:
        return
    tree.root.plain()
