"""Network profiles by name: each file is read once, and every mistake in it has its own place."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path

from probe.errors import ConfigError
from probe.impairment.profile import NetworkProfile
from probe.plan.diagnostics import Diagnostic, Mark, PlanError, did_you_mean
from probe.plan.locate import (
    find_network,
    is_file_reference,
    network_name,
    network_names,
    profile_directories,
)
from probe.plan.networks import BUILT_IN, NetworkSpec, warnings_of
from probe.plan.tree import descend, find, put
from probe.plan.validation import validate
from probe.plan.yaml_nodes import Node, read_tree


def load_network(name: str, environ: Mapping[str, str] | None = None) -> NetworkProfile:
    """A network by name or file, outside any plan.

    Raises PlanError with every mistake in its file, ConfigError with the nearest name when there is none.
    """
    return read_network(name, environ)[0]


def read_network(
    name: str, environ: Mapping[str, str] | None = None
) -> tuple[NetworkProfile, list[Diagnostic]]:
    """`load_network`, and what is odd about the network."""
    library = Library(None, environ or {})
    profile = library.read(name)
    if profile is None:
        raise PlanError(library.problems)
    return profile, library.warnings


def known_networks(beside: Path | None = None) -> list[str]:
    """The names of all networks that can be given by name."""
    return sorted({*BUILT_IN, *network_names(profile_directories(beside))})


def anchor_files(root: Node, directory: Path, prefix: str = "") -> None:
    """Make the files that a profile names relative to the file that it stands in."""
    for pattern in ("trace", "trace.file", *(f"{place}distribution.file" for place in _TABLES)):
        for steps, node in find(root, f"{prefix}up|down|both.{pattern}"):
            if isinstance(node.value, str):
                put(root, steps, replace(node, value=str(directory / node.value)))


_TABLES = ("", "slot.", "timeline.*.", "timeline.steps.*.")


def network_warnings(profile: NetworkProfile, root: Node) -> Iterator[Diagnostic]:
    """What a profile does that its author may not mean, with the place in its mapping."""
    for keys, sentence in warnings_of(profile):
        found = [node for key in keys for node, missing in [descend(root, [key])] if not missing]
        yield Diagnostic((found or [root])[0].mark, sentence)


class Library:
    """Reads profiles for one plan; what is wrong with them collects in `problems`, what is odd in `warnings`."""

    def __init__(self, beside: Path | None, environ: Mapping[str, str]) -> None:
        self.problems: list[Diagnostic] = []
        self.warnings: list[Diagnostic] = []
        self._beside = beside
        self._directories = profile_directories(beside)
        self._environ = environ
        self._read: dict[Path, NetworkProfile | None] = {}

    def get(self, reference: str, mark: Mark) -> NetworkProfile | None:
        """The profile that `reference` (standing at `mark`) means, or None and a problem."""
        try:
            return self.read(reference)
        except ConfigError as error:
            self.problems.append(Diagnostic(mark, str(error)))
            return None

    def read(self, reference: str) -> NetworkProfile | None:
        """The profile of that name or file, None if there is something wrong with it.

        Raises ConfigError with the nearest name when there is no such network.
        """
        if reference in BUILT_IN:
            return BUILT_IN[reference]
        if is_file_reference(reference):
            path = Path(reference)
            if not path.is_file():
                raise ConfigError(f"no network file '{reference}'")
        else:
            found = find_network(reference, self._directories)
            if found is None:
                known = known_networks(self._beside)
                raise ConfigError(
                    f"no network '{reference}'{did_you_mean(reference, known)}",
                    hint="probe weak list shows all",
                )
            path = found
        if path not in self._read:
            self._read[path] = self._load(path)
        return self._read[path]

    def _load(self, path: Path) -> NetworkProfile | None:
        try:
            tree = read_tree(read_text(path), str(path), self._environ)
        except PlanError as error:
            self.problems += error.diagnostics
            return None
        name = network_name(str(path))
        if isinstance(tree.root.value, dict):
            stated = tree.root.value.setdefault("name", Node(name, tree.root.mark))
            if stated.value != name:
                tree.problems.append(
                    Diagnostic(stated.mark, f"the name of the network is its file's: write {name}")
                )
        anchor_files(tree.root, path.parent)
        spec, problems = validate(NetworkSpec, tree.root)
        problems = tree.problems + problems
        self.problems += problems
        if spec is None or problems:
            return None
        profile = spec.profile()
        self.warnings += network_warnings(profile, tree.root)
        return profile


def read_text(path: Path) -> str:
    """The text of a file; PlanError when it cannot be read or is not UTF-8."""
    try:
        return path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError:
        raise PlanError([Diagnostic(Mark(str(path), 1, 1), "the file is not UTF-8 text")]) from None
    except OSError as error:
        reason = f"the file cannot be read: {error.strerror}"
        raise PlanError([Diagnostic(Mark(str(path), 1, 1), reason)]) from None
