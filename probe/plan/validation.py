"""A tree against a model: the model's instance, or sentences with places.

Pydantic says what is wrong in its own words and by its own paths; here both become the plan author's.
"""

from __future__ import annotations

from collections.abc import Container, Iterator, Mapping
from types import NoneType, UnionType
from typing import Annotated, Any, TypeVar, Union, get_args, get_origin

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from probe.plan.diagnostics import Diagnostic, did_you_mean, nearest
from probe.plan.tree import Step, descend
from probe.plan.yaml_nodes import Node

Model = TypeVar("Model", bound=BaseModel)

_SENTENCES = {
    "bool_type": "this must be true or false",
    "dict_type": "this must be a mapping, such as {key: value}",
    "float_type": "this must be a number",
    "int_type": "this must be a whole number",
    "list_type": "this must be a list, such as [a, b]",
    "model_attributes_type": "this must be a mapping, such as {key: value}",
    "model_type": "this must be a mapping, such as {key: value}",
    "string_pattern_mismatch": "this must be a two-letter language code, such as en or zh",
    "string_type": "this must be text",
    "too_short": "this is empty: at least one is needed",
    "tuple_type": "this must be a list, such as [a, b]",
}


def validate(model: type[Model], root: Node) -> tuple[Model | None, list[Diagnostic]]:
    """Check `root` against `model`; all that is wrong, or the instance."""
    try:
        return model.model_validate(root.plain()), []
    except ValidationError as error:
        errors = error.errors(include_url=False)
        misspelt = {
            (*item["loc"][:-1], nearest(str(item["loc"][-1]), _keys(model, list(item["loc"][:-1]))))
            for item in errors
            if item["type"] == "extra_forbidden"
        }
        causes = [item for item in errors if not _echo(root, item, misspelt)]
        return None, [_diagnostic(model, root, item) for item in causes]


def _echo(root: Node, error: ErrorDetails, misspelt: Container[tuple[object, ...]]) -> bool:
    """A list that pydantic finds empty only because its items are wrong, or a key that is there, misspelt."""
    if error["type"] == "missing":
        return error["loc"] in misspelt
    node, _ = descend(root, [step for step in error["loc"] if step != "[key]"])
    return error["type"] == "too_short" and bool(node.value)


def _diagnostic(model: type[BaseModel], root: Node, error: ErrorDetails) -> Diagnostic:
    steps = [step for step in error["loc"] if step != "[key]"]
    if error["type"] == "plan":
        steps.append(str(error["ctx"]["key"]))
    node, missing = descend(root, steps)
    of_key = error["type"] == "extra_forbidden" or "[key]" in error["loc"]
    if error["type"] == "plan" and missing:
        of_key = True  # the key to blame is not there: point at its mapping
    message = _message(model, error, steps)
    if node.variables and isinstance(node.value, str) and node.value:
        message = message.replace(node.value, "***")  # it may be a secret under the wrong key
    return Diagnostic(node.place if of_key else node.mark, message)


def _message(model: type[BaseModel], error: ErrorDetails, steps: list[Step]) -> str:
    kind, given = error["type"], error["input"]
    context: Mapping[str, Any] = error.get("ctx") or {}
    if kind == "extra_forbidden":
        known = _keys(model, steps[:-1])
        return f"unknown key '{steps[-1]}'{did_you_mean(str(steps[-1]), known)}"
    if kind == "missing":
        return f"the key '{steps[-1]}' is missing"
    if kind == "plan":
        return str(context["sentence"])
    if kind == "value_error":
        return str(context["error"])
    if kind == "literal_error":
        known = [
            item.strip().strip("'") for item in str(context["expected"]).replace(" or ", ", ").split(",")
        ]
        return f"'{given}' is not known here{did_you_mean(str(given), known)}"
    return _SENTENCES.get(kind, error["msg"])


def _keys(model: type[BaseModel], steps: list[Step]) -> list[str]:
    """The keys that a mapping of the plan may have."""
    kinds: list[Any] = [model]
    for step in steps:
        # A step that leads nowhere is pydantic's name for the branch of a union.
        kinds = [inner for kind in kinds for inner in _inner(kind, step)] or kinds
    return [
        name
        for kind in kinds
        if isinstance(kind, type) and issubclass(kind, BaseModel)
        for name in kind.model_fields
    ]


def _inner(kind: Any, step: Step) -> Iterator[Any]:
    if isinstance(kind, type) and issubclass(kind, BaseModel):
        if step in kind.model_fields:
            yield from _alternatives(kind.model_fields[str(step)].annotation)
    elif get_origin(kind) is dict:
        yield from _alternatives(get_args(kind)[1])
    elif get_origin(kind) is tuple and isinstance(step, int):
        yield from _alternatives(get_args(kind)[0])


def _alternatives(kind: Any) -> Iterator[Any]:
    if get_origin(kind) is Annotated:
        yield from _alternatives(get_args(kind)[0])
    elif get_origin(kind) in (Union, UnionType):
        for item in get_args(kind):
            yield from _alternatives(item)
    elif kind is not NoneType:
        yield kind
