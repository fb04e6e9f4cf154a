"""The plan's JSON Schema, for editors; made from the models, so it cannot differ from them."""

from __future__ import annotations

import json
from typing import Any

from probe.objectives import EXPRESSION_PATTERN
from probe.plan.model import Plan
from probe.plan.networks import NetworkSpec
from probe.plan.presets import PRESETS

DIALECT = "https://json-schema.org/draft/2020-12/schema"


def plan_schema() -> dict[str, Any]:
    """The schema of a plan file."""
    schema = Plan.model_json_schema()
    definitions = schema["$defs"]
    rule = definitions["ThresholdRule"]
    rule["properties"]["expr"] = {"type": "string", "pattern": EXPRESSION_PATTERN}
    rule["properties"]["preset"] = {"enum": list(PRESETS)}
    rule["oneOf"] = [{"required": ["expr"]}, {"required": ["preset"]}]
    schema["properties"]["thresholds"]["items"] = {
        "anyOf": [{"type": "string", "pattern": EXPRESSION_PATTERN}, {"$ref": "#/$defs/ThresholdRule"}]
    }
    _allow_short_loss(definitions)
    return {"$schema": DIALECT, "title": "probe country plan", **_without_titles(schema)}


def network_schema() -> dict[str, Any]:
    """The schema of a network profile file, in which the name is the file's."""
    schema = NetworkSpec.model_json_schema()
    schema["required"] = [key for key in schema["required"] if key != "name"]
    _allow_short_loss(schema["$defs"])
    return {"$schema": DIALECT, "title": "probe network profile", **_without_titles(schema)}


def schema_text(schema: dict[str, Any]) -> str:
    """As it is shipped in `profiles/`."""
    return json.dumps(schema, indent=2, ensure_ascii=False, allow_nan=False) + "\n"


def _allow_short_loss(definitions: dict[str, Any]) -> None:
    """`loss: 3%` beside `loss: {ratio: 3%, burst: 4}`."""
    ratio = definitions["LossSpec"]["properties"]["ratio"]
    definitions["DirectionSpec"]["properties"]["loss"] = {"anyOf": [{"$ref": "#/$defs/LossSpec"}, ratio]}


def _without_titles(value: Any) -> Any:
    """Pydantic titles every property with its own name, and shows our own types' defaults as numbers."""
    if isinstance(value, dict):
        return {
            key: _without_titles(item)
            for key, item in value.items()
            # a property may be called `title`; then its value is a schema, not a text
            if key != "default" and not (key == "title" and isinstance(item, str))
        }
    if isinstance(value, list):
        return [_without_titles(item) for item in value]
    return value
