"""Walking and merging trees of marked nodes."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from probe.plan.diagnostics import Mark
from probe.plan.yaml_nodes import Node

Step = str | int


def merge(base: Node, over: Node) -> Node:
    """`over` on top of `base`: mappings merge key by key, lists of named things name by name.

    Anything else is replaced as a whole. The order is the base's, new things after it.
    """
    if isinstance(base.value, dict) and isinstance(over.value, dict):
        merged = dict(base.value)
        for key, node in over.value.items():
            merged[key] = merge(merged[key], node) if key in merged else node
        return Node(merged, over.mark, over.key_mark)
    if isinstance(base.value, list) and isinstance(over.value, list):
        names, theirs = _names(base.value), _names(over.value)
        if names and theirs:
            items = list(base.value)
            for name, node in zip(theirs, over.value, strict=True):
                if name in names:
                    items[names.index(name)] = merge(items[names.index(name)], node)
                else:
                    items.append(node)
            return Node(items, over.mark, over.key_mark)
    return over


def descend(root: Node, steps: Sequence[Step]) -> tuple[Node, list[Step]]:
    """The deepest node on the way along `steps`, and the steps that lead to no node.

    Steps that are no key or index of the tree are pydantic's own (the branch of a union).
    """
    node, missing = root, []
    for step in steps:
        child = _child(node, step)
        if child is None:
            missing.append(step)
        else:
            node = child
    return node, missing


def find(root: Node, pattern: str) -> Iterator[tuple[tuple[Step, ...], Node]]:
    """All nodes at a pattern such as `vendors.*.nodes.*.name`; `*` is any key or index.

    A part may name alternatives: `vendors|controls`. Shapes that do not fit are passed over: the model says
    what is wrong with them.
    """
    found: list[tuple[tuple[Step, ...], Node]] = [((), root)]
    for part in pattern.split("."):
        found = [
            ((*steps, step), child)
            for steps, node in found
            for step, child in _children(node)
            if part == "*" or step in part.split("|")
        ]
    yield from found


def put(root: Node, steps: Sequence[Step], node: Node) -> None:
    """Replace the node at `steps`, which exists."""
    parent, _ = descend(root, steps[:-1])
    if isinstance(parent.value, (dict, list)):
        parent.value[steps[-1]] = node  # type: ignore[index]


def text_at(node: Node, key: str) -> str | None:
    """The text under `key` of a mapping, if there is one."""
    child = _child(node, key)
    return child.value if child is not None and isinstance(child.value, str) else None


def place_of(root: Node, *steps: Step) -> Mark:
    """Where to point for `steps`: the value's place, or the nearest there is."""
    return descend(root, steps)[0].mark


def _children(node: Node) -> list[tuple[Step, Node]]:
    if isinstance(node.value, dict):
        return list(node.value.items())
    if isinstance(node.value, list):
        return list(enumerate(node.value))
    return []


def _child(node: Node, step: Step) -> Node | None:
    if isinstance(node.value, dict) and isinstance(step, str):
        return node.value.get(step)
    if isinstance(node.value, list) and isinstance(step, int) and step < len(node.value):
        return node.value[step]
    return None


def _names(items: list[Node]) -> list[str]:
    """The name of each item; empty unless all are named things."""
    names = [text_at(item, "name") for item in items]
    return [name for name in names if name is not None] if None not in names else []
