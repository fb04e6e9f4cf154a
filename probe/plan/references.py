"""Names in a plan that must be the name of something: scenarios, networks, windows, vendors and so on.

Works on the tree, so that a wrong name is found together with every other mistake.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import get_args

from probe.plan.diagnostics import Diagnostic, did_you_mean
from probe.plan.locate import network_name
from probe.plan.model import OTHER, Transport
from probe.plan.tree import find, text_at
from probe.plan.yaml_nodes import Node

DEFAULT_WINDOWS = ("peak", "offpeak")

# Where things get their names: the keys of a mapping, the `name`s of a list, or plain texts.
_NAMED_LISTS = {
    "vendor": "vendors.*",
    "node": "vendors.*.nodes.*",
    "control": "controls.*",
    "vantage": "vantages.*",
    "network": "networks.*",
    "claim": "claims.*",
}
_REFERENCES = {
    "matrix.*.scenarios.*": "scenario",
    "matrix.*.networks.*": "network",
    "matrix.*.windows.*": "window",
    "claims.*.scenario": "scenario",
    **{
        f"thresholds.*.{key}{items}": key
        for key in ("vendor", "node", "isp", "city", "network", "window", "transport", "scenario", "vantage")
        for items in ("", ".*")
    },
}


def check_references(root: Node) -> list[Diagnostic]:
    """Everything that names what is not there, or that two things share a name."""
    known = _known(root)
    found = [*_duplicates(root), *_literal_keys(root), *_unknown_path_windows(root, known["window"])]
    for pattern, kind in _REFERENCES.items():
        for _, node in find(root, pattern):
            if not isinstance(node.value, str):
                continue
            name = network_name(node.value) if kind == "network" else node.value
            if name not in known[kind]:
                found.append(Diagnostic(node.mark, _unknown(kind, name, known[kind])))
    return found


def _unknown(kind: str, name: str, known: list[str]) -> str:
    hint = did_you_mean(name, known)
    if kind == "network" and not hint.startswith(","):
        return f"the network '{name}' is not in this plan's `networks`: add it there"
    return f"unknown {kind} '{name}'{hint}"


def _known(root: Node) -> dict[str, list[str]]:
    windows = _keys(root, "windows") or list(DEFAULT_WINDOWS)
    nodes = [node for pattern in ("vendors.*.nodes.*", "controls.*") for _, node in find(root, pattern)]
    vantages = [node for _, node in find(root, "vantages.*")]
    return {
        "scenario": _keys(root, "scenarios"),
        "network": [name for name, _ in _named(root, "network")] or ["clean"],
        "window": [*windows, OTHER],
        "vendor": [name for name, _ in _named(root, "vendor")],
        "node": [name for kind in ("node", "control") for name, _ in _named(root, kind)],
        "vantage": [name for name, _ in _named(root, "vantage")],
        "isp": _texts([*nodes, *vantages], "isp"),
        "city": _texts([*nodes, *vantages], "city"),
        "transport": list(get_args(Transport)),
    }


def _named(root: Node, kind: str) -> Iterator[tuple[str, Node]]:
    for _, node in find(root, _NAMED_LISTS[kind]):
        if isinstance(node.value, str):
            yield network_name(node.value), node
        else:
            name = text_at(node, "name")
            if name is not None and isinstance(node.value, dict):
                yield name, node.value["name"]


def _keys(root: Node, key: str) -> list[str]:
    mapping = root.value.get(key) if isinstance(root.value, dict) else None
    return list(mapping.value) if mapping is not None and isinstance(mapping.value, dict) else []


def _texts(nodes: list[Node], key: str) -> list[str]:
    return sorted({text for node in nodes if (text := text_at(node, key)) is not None})


def _duplicates(root: Node) -> Iterator[Diagnostic]:
    """Two vendors, or two nodes of one vendor, with one name."""
    groups = [("vendor", root), ("control", root), ("vantage", root), ("network", root), ("claim", root)]
    for kind, scope in groups:
        yield from _twice(kind, list(_named(scope, kind)))
    for _, vendor in find(root, "vendors.*"):
        nodes = [
            (name, node.value["name"])
            for _, node in find(vendor, "nodes.*")
            if isinstance(node.value, dict) and (name := text_at(node, "name")) is not None
        ]
        yield from _twice("node", nodes)


def _twice(kind: str, named: list[tuple[str, Node]]) -> Iterator[Diagnostic]:
    first: dict[str, Node] = {}
    for name, node in named:
        if name in first:
            line = first[name].mark.line
            yield Diagnostic(node.mark, f"the {kind} '{name}' is already on line {line}: names are unique")
        first.setdefault(name, node)


def _unknown_path_windows(root: Node, windows: list[str]) -> Iterator[Diagnostic]:
    for pattern in ("vendors.*.nodes.*.path.*", "controls.*.path.*"):
        for steps, node in find(root, pattern):
            window = str(steps[-1])
            if window not in windows:
                yield Diagnostic(node.place, _unknown("window", window, windows))


def _literal_keys(root: Node) -> Iterator[Diagnostic]:
    """Shared keys written into the file: a plan is shared and committed, a key is not."""
    for pattern in ("vendors|controls.*.key", "vendors.*.nodes.*.key"):
        for _, node in find(root, pattern):
            if isinstance(node.value, str) and node.value and not node.variables:
                yield Diagnostic(
                    node.mark,
                    'a key does not stand in a plan: write "${NODE_KEY}" and export NODE_KEY before the run',
                )
