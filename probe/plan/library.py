"""Network profiles by name: each file is read once, and every mistake in it has its own place."""

from __future__ import annotations

from collections.abc import Mapping
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
from probe.plan.networks import BUILT_IN, NetworkSpec
from probe.plan.validation import validate
from probe.plan.yaml_nodes import Node, read_tree


def load_network(name: str, environ: Mapping[str, str] | None = None) -> NetworkProfile:
    """A network by name or file, outside any plan.

    Raises PlanError with every mistake in its file, ConfigError with the nearest name when there is none.
    """
    library = Library(None, environ or {})
    profile = library.read(name)
    if profile is None:
        raise PlanError(library.problems)
    return profile


def known_networks(beside: Path | None = None) -> list[str]:
    """The names of all networks that can be given by name."""
    return sorted({*BUILT_IN, *network_names(profile_directories(beside))})


class Library:
    """Reads profiles for one plan; what is wrong with them collects in `problems`."""

    def __init__(self, beside: Path | None, environ: Mapping[str, str]) -> None:
        self.problems: list[Diagnostic] = []
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
                raise ConfigError(f"no network '{reference}'{did_you_mean(reference, known)}")
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
        spec, problems = validate(NetworkSpec, tree.root)
        problems = tree.problems + problems
        self.problems += problems
        return spec.profile() if spec is not None and not problems else None


def read_text(path: Path) -> str:
    """The text of a file; PlanError when it cannot be read or is not UTF-8."""
    try:
        return path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError:
        raise PlanError([Diagnostic(Mark(str(path), 1, 1), "the file is not UTF-8 text")]) from None
    except OSError as error:
        reason = f"the file cannot be read: {error.strerror}"
        raise PlanError([Diagnostic(Mark(str(path), 1, 1), reason)]) from None
