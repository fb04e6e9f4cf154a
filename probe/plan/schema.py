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
    _allow_short_forms(definitions)
    return {"$schema": DIALECT, "title": "probe country plan", **_without_titles(schema)}


def network_schema() -> dict[str, Any]:
    """The schema of a network profile file, in which the name is the file's."""
    schema = NetworkSpec.model_json_schema()
    schema["required"] = [key for key in schema["required"] if key != "name"]
    _allow_short_forms(schema["$defs"])
    return {"$schema": DIALECT, "title": "probe network profile", **_without_titles(schema)}


def schema_text(schema: dict[str, Any]) -> str:
    """As it is shipped in `profiles/`."""
    return json.dumps(schema, indent=2, ensure_ascii=False, allow_nan=False) + "\n"


def _allow_short_forms(definitions: dict[str, Any]) -> None:
    """`loss: 3%` beside `loss: {ratio: 3%, burst: 4}`, a list for a time line's steps, and the like."""
    for holder in ("DirectionSpec", "StepSpec"):
        properties = definitions[holder]["properties"]
        for key, spec, short in _SHORT_FORMS:
            if key in properties:
                scalar = definitions[spec]["properties"][short]
                properties[key] = {"anyOf": [{"$ref": f"#/$defs/{spec}"}, _plain(scalar)]}
    ratio = definitions["LossSpec"]
    ratio["oneOf"] = [{"required": [name]} for name in ("ratio", "gemodel", "state")]


def _plain(schema: dict[str, Any]) -> dict[str, Any]:
    """An optional property's schema without the `null`."""
    kinds = [kind for kind in schema.get("anyOf", [schema]) if kind.get("type") != "null"]
    return dict(kinds[0])


_SHORT_FORMS = (
    ("loss", "LossSpec", "ratio"),
    ("duplicate", "ChanceSpec", "ratio"),
    ("corrupt", "ChanceSpec", "ratio"),
    ("reorder", "ReorderSpec", "ratio"),
    ("slot", "SlotSpec", "every"),
    ("timeline", "TimelineSpec", "steps"),
    ("trace", "TraceSpec", "file"),
)


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
