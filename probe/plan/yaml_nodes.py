"""A YAML 1.2 file -> a tree of values that remember their place.

PyYAML reads YAML 1.1, in which `NO` is false, `19:00` is 1140 and `1_000` is 1000; with the resolvers of
YAML 1.2's core schema (section 10.3.2) all three stay what the author wrote. Everything a strict reader must
refuse is refused here with its place: duplicate keys, tags, merge keys, a second document.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, TypeAlias

import yaml

from probe.plan.diagnostics import Diagnostic, Mark, PlanError
from probe.plan.environment import Substitution, substitute

Scalar: TypeAlias = "str | int | float | bool | None"
_DEEPEST = 50
_MOST_NODES = 20_000


@dataclass(frozen=True, slots=True)
class Node:
    """A value, its place and, inside a mapping, its key's place.

    `value` is a scalar, a list of nodes or a dict of nodes. `variables` says that `${...}` filled in text
    that does not stand in the file.
    """

    value: Scalar | list[Node] | dict[str, Node]
    mark: Mark
    key_mark: Mark | None = None
    variables: bool = False

    @property
    def place(self) -> Mark:
        """Where to point when the key itself is wrong."""
        return self.key_mark or self.mark

    def plain(self) -> Any:
        """The value without places, as plain Python."""
        if isinstance(self.value, dict):
            return {key: node.plain() for key, node in self.value.items()}
        if isinstance(self.value, list):
            return [node.plain() for node in self.value]
        return self.value


@dataclass(slots=True)
class Tree:
    """A read file: its root, and what is wrong with its scalars (which does not stop the reading)."""

    root: Node
    problems: list[Diagnostic] = field(default_factory=list)


class _Loader(yaml.SafeLoader):
    """Only composes nodes; its resolvers are those of YAML 1.2's core schema."""

    yaml_implicit_resolvers: dict[str, list[tuple[str, re.Pattern[str]]]] = {}  # noqa: RUF012


def _resolver(tag: str, pattern: str, first: str) -> None:
    _Loader.add_implicit_resolver(f"tag:yaml.org,2002:{tag}", re.compile(rf"(?:{pattern})\Z"), list(first))


_resolver("null", "~|null|Null|NULL|", "~nN")
_Loader.yaml_implicit_resolvers.setdefault("", []).append(("tag:yaml.org,2002:null", re.compile(r"\Z")))
_resolver("bool", "true|True|TRUE|false|False|FALSE", "tTfF")
_resolver("int", "[-+]?[0-9]+|0o[0-7]+|0x[0-9a-fA-F]+", "-+0123456789")
_resolver("float", r"[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?", "-+.0123456789")


def read_tree(text: str, file: str, environ: Mapping[str, str]) -> Tree:
    """Parse one YAML document.

    Raises PlanError when it is not one well-formed document; unset variables and duplicate keys are
    collected in `problems`, so that they are shown together with everything else.
    """
    reader = _Reader(file, text.splitlines(), environ)
    try:
        loader = _Loader(text)
        root = loader.get_single_node()
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        raise PlanError([Diagnostic(reader.mark(mark), _sentence(error))]) from None
    except yaml.reader.ReaderError as error:
        line = text.count("\n", 0, error.position) + 1
        message = f"the character U+{int(error.character):04X} is not allowed in YAML"
        raise PlanError([Diagnostic(Mark(file, line, 1), message)]) from None
    except RecursionError:
        raise PlanError([Diagnostic(Mark(file, 1, 1), "lists or mappings are nested too deeply")]) from None
    if root is None:
        raise PlanError([Diagnostic(Mark(file, 1, 1), "the file is empty")])
    return Tree(reader.node(root), reader.problems)


class _Reader:
    """Turns PyYAML's nodes of one file into ours."""

    def __init__(self, file: str, lines: list[str], environ: Mapping[str, str]) -> None:
        self.problems: list[Diagnostic] = []
        self._file, self._lines, self._environ = file, lines, environ
        self._count = 0

    def mark(self, mark: Any) -> Mark:
        if mark is None:
            return Mark(self._file, 1, 1)
        source = self._lines[mark.line] if mark.line < len(self._lines) else ""
        return Mark(self._file, mark.line + 1, mark.column + 1, source)

    def node(self, node: yaml.Node, key_mark: Mark | None = None, depth: int = 0) -> Node:
        mark = self.mark(node.start_mark)
        self._count += 1
        # An alias inside itself, or aliases of aliases, would never end.
        if depth > _DEEPEST or self._count > _MOST_NODES:
            raise PlanError([Diagnostic(mark, "lists, mappings or aliases are nested too deeply")])
        if isinstance(node, yaml.MappingNode):
            return Node(self._mapping(node, depth), mark, key_mark)
        if isinstance(node, yaml.SequenceNode):
            return Node([self.node(item, None, depth + 1) for item in node.value], mark, key_mark)
        return self._scalar(node, mark, key_mark)

    def _mapping(self, node: yaml.MappingNode, depth: int) -> dict[str, Node]:
        found: dict[str, Node] = {}
        for key_node, value_node in node.value:
            mark = self.mark(key_node.start_mark)
            if not isinstance(key_node, yaml.ScalarNode):
                self.problems.append(Diagnostic(mark, "a key must be a word"))
                continue
            key = str(key_node.value)
            if key == "<<":
                self.problems.append(Diagnostic(mark, "merge keys (<<) are not used in plans: use `extends`"))
            elif key in found:
                line = found[key].place.line
                self.problems.append(Diagnostic(mark, f"duplicate key '{key}': it is already on line {line}"))
            else:
                found[key] = self.node(value_node, mark, depth + 1)
        return found

    def _scalar(self, node: yaml.Node, mark: Mark, key_mark: Mark | None) -> Node:
        filled = Substitution(str(node.value), False, None)
        if "$" in node.value:
            filled = substitute(node.value, self._environ)
        if filled.problem:
            self.problems.append(Diagnostic(mark, filled.problem))
        kind = node.tag.rpartition(":")[2] if node.tag.startswith("tag:yaml.org,2002:") else node.tag
        if kind not in _CONVERT:
            self.problems.append(Diagnostic(mark, f"the tag '{node.tag}' is not used in plans"))
            kind = "str"
        try:
            value = _CONVERT[kind](filled.text)
        except (ValueError, KeyError):  # an explicit tag on text of another kind: `!!int five`
            self.problems.append(Diagnostic(mark, f"'{filled.text}' is no {kind}"))
            value = None
        return Node(value, mark, key_mark, filled.variables)


def _integer(text: str) -> int:
    return int(text, 0) if text.startswith(("0o", "0x")) else int(text)


_CONVERT: dict[str, Any] = {
    "str": str,
    "null": lambda _: None,
    "bool": lambda text: {"true": True, "false": False}[text.lower()],
    "int": _integer,
    "float": float,
}


def _sentence(error: yaml.MarkedYAMLError) -> str:
    problem = error.problem or error.context or "this is not YAML"
    if "\\t" in problem:
        return "a tab cannot indent YAML: use spaces"
    if "expected a single document" in (error.context or ""):
        return "a plan is one YAML document: delete the '---' between two"
    return f"this is not valid YAML: {problem}" + (f" ({error.context})" if error.context else "")
