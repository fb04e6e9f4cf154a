from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from probe.plan.schema import network_schema, plan_schema, schema_text
from probe.plan.yaml_nodes import read_tree
from tests.plan.plan_text import GOOD, changed

PROFILES = Path(__file__).parents[2] / "profiles"
ENVIRON = {"ALPHA_KEY": "${ALPHA_KEY}", "PROBE_KEY": "${PROBE_KEY}"}
PLAN = jsonschema.Draft202012Validator(plan_schema())
NETWORK = jsonschema.Draft202012Validator(network_schema())


def read(path: Path) -> Any:
    return as_written(path.read_text(encoding="utf-8"))


def as_written(text: str) -> Any:
    """The document an editor sees: variables are not filled in."""
    return read_tree(text.replace("$", "$$"), "x.yaml", {}).root.plain()


@pytest.mark.parametrize(
    ("name", "schema"), [("probe.schema.json", plan_schema()), ("network.schema.json", network_schema())]
)
def test_the_shipped_schemas_are_current(name: str, schema: dict[str, Any]) -> None:
    jsonschema.Draft202012Validator.check_schema(schema)
    assert (PROFILES / name).read_text(encoding="utf-8") == schema_text(schema), (
        "write it again: probe plan schema --force -o profiles/probe.schema.json (and --network)"
    )


@pytest.mark.parametrize("path", sorted(PROFILES.glob("*.yaml")), ids=lambda path: path.name)
def test_shipped_plans_satisfy_it(path: Path) -> None:
    PLAN.validate(read(path))


@pytest.mark.parametrize("path", sorted((PROFILES / "networks").glob("*.yaml")), ids=lambda path: path.name)
def test_shipped_networks_satisfy_it(path: Path) -> None:
    NETWORK.validate(read(path))


def test_the_contracts_plan_satisfies_it() -> None:
    PLAN.validate(as_written(GOOD))
    assert json.loads(schema_text(plan_schema())) == plan_schema()


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("vendors:\n", "vendor:\n"),
        ("duration: 30s, deadline: 200ms", "duration: 30, deadline: 200ms"),
        ("country: ID", "country: Indonesia"),
        ("- rtt.p95 < 200ms", "- rtt.p95 < 200"),
        ("severity: gate", "severity: hard"),
        ("preset: voice", "preset: voise"),
        ('"${ALPHA_KEY:?ask the vendor for it}"', "geheim"),
        ("[clean, lossy-3g]\nmatrix", "[clean, {name: x, up: {dealy: 1ms}}]\nmatrix"),
        ("{path: results}", "{path: results, keep_raw: 14}"),
    ],
)
def test_editors_see_what_check_refuses(old: str, new: str) -> None:
    assert not PLAN.is_valid(as_written(changed(old, new)))
