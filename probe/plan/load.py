"""From a plan's name to a `LoadedPlan`: find, read, extend, validate; every mistake at once."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from probe.impairment.profile import NetworkProfile
from probe.plan.checks import check_functions, check_plan, warn_plan
from probe.plan.claims import networks_of
from probe.plan.diagnostics import Diagnostic, PlanError, did_you_mean, ordered
from probe.plan.library import Library, anchor_files, network_warnings, read_text
from probe.plan.loaded import LoadedPlan, claims_of, thresholds_of
from probe.plan.locate import GIVEN, find_plan, is_file_reference
from probe.plan.model import Plan
from probe.plan.networks import BUILT_IN, NetworkSpec
from probe.plan.references import check_references
from probe.plan.tree import find, merge, place_of, put
from probe.plan.validation import validate
from probe.plan.yaml_nodes import Node, Tree, read_tree


def load_plan(name: str | Path, environ: Mapping[str, str] | None = None) -> LoadedPlan:
    """The plan of that name or file, with its variables filled in from `environ` (the process's if None).

    Raises ConfigError when there is no such plan, and PlanError with everything that is wrong with it.
    """
    path, origin = find_plan(str(name))
    return _load(path, origin, read_text(path), os.environ if environ is None else environ)


def load_text(text: str, path: Path, environ: Mapping[str, str] | None = None) -> LoadedPlan:
    """A plan that is not (yet) a file; `path` is where it would be."""
    return _load(path, GIVEN, text, os.environ if environ is None else environ)


def _load(path: Path, origin: str, text: str, environ: Mapping[str, str]) -> LoadedPlan:
    tree = _read(path, text, environ, ())
    root, problems = tree.root, tree.problems
    if not isinstance(root.value, dict):
        raise PlanError([Diagnostic(root.mark, "a plan is a mapping: it starts with `version: 1`")])
    problems += [*check_references(root), *check_functions(root)]
    networks, library = _networks(root, path.parent, environ)
    problems += library.problems
    plan, model_problems = validate(Plan, root)
    said = {problem.mark for problem in problems}
    if plan is not None:
        problems += [*check_plan(plan, root, said), *_missing_files(root)]
    # What has been said about a place is the cause; what the model says there is its echo.
    problems += [problem for problem in model_problems if problem.mark not in said]
    if problems or plan is None:
        raise PlanError(problems)
    places = _places(root, "thresholds", len(plan.thresholds))
    claims = claims_of(plan, _places(root, "claims", len(plan.claims)))
    networks |= {profile.name: profile for claim in claims for profile in networks_of(claim)}
    return LoadedPlan(
        plan,
        path,
        origin,
        networks,
        thresholds_of(plan, places),
        claims,
        ordered([*warn_plan(plan, root), *library.warnings]),
    )


def _places(root: Node, key: str, count: int) -> list[tuple[str | None, int | None]]:
    """Where each item of a list stands."""
    marks = [place_of(root, key, number) for number in range(count)]
    return [(mark.file, mark.line) for mark in marks]


def _read(path: Path, text: str, environ: Mapping[str, str], chain: tuple[Path, ...]) -> Tree:
    """A plan's tree on top of those it extends."""
    tree = read_tree(text, str(path), environ)
    _anchor_files(tree.root, path.parent)
    below: Node | None = None
    for _, item in find(tree.root, "extends.*"):
        if not isinstance(item.value, str):
            continue
        base = path.parent / item.value
        if base.resolve() in (*chain, path.resolve()):
            tree.problems.append(Diagnostic(item.mark, f"'{item.value}' extends this plan in turn"))
            continue
        try:
            base_text = read_text(base)
        except PlanError:
            tree.problems.append(Diagnostic(item.mark, _no_base(item.value, base)))
            continue
        extended = _read(base, base_text, environ, (*chain, path.resolve()))
        tree.problems += extended.problems
        if isinstance(extended.root.value, dict):
            extended.root.value.pop("extends", None)
        below = extended.root if below is None else merge(below, extended.root)
    if below is not None:
        tree.root = merge(below, tree.root)
    return tree


def _no_base(name: str, path: Path) -> str:
    try:
        beside = sorted(other.name for other in path.parent.iterdir() if other.suffix == path.suffix)
    except OSError:
        beside = []
    return f"no plan '{name}' to extend beside this one{did_you_mean(path.name, beside)}"


def _anchor_files(root: Node, directory: Path) -> None:
    """Make files relative to the plan that names them, before plans are merged."""
    patterns = (
        "networks.*",
        "vendors.*.nodes.*.path.*",
        "controls.*.path.*",
        "vendors.*.nodes.*.cafile",
        "controls.*.cafile",
    )
    for pattern in patterns:
        for steps, node in find(root, pattern):
            if isinstance(node.value, str) and (steps[-1] == "cafile" or is_file_reference(node.value)):
                put(root, steps, replace(node, value=str(directory / node.value)))
    anchor_files(root, directory, "networks.*.")


def _networks(
    root: Node, beside: Path, environ: Mapping[str, str]
) -> tuple[dict[str, NetworkProfile], Library]:
    """Every profile the plan names, by name, and what the library found wrong with them."""
    library = Library(beside, environ)
    found: dict[str, NetworkProfile] = {}
    for pattern in ("networks.*", "vendors.*.nodes.*.path.*", "controls.*.path.*"):
        for _, node in find(root, pattern):
            profile = _network(node, library)
            if profile is None:
                continue
            known = BUILT_IN.get(profile.name) or found.setdefault(profile.name, profile)
            # Two of one name in `networks` are found there; a path may name a third.
            if known != profile and (pattern != "networks.*" or profile.name in BUILT_IN):
                kind = "built in" if profile.name in BUILT_IN else "another one already"
                library.problems.append(
                    Diagnostic(node.mark, f"the network '{profile.name}' is {kind}: choose another name")
                )
    return {**BUILT_IN, **found}, library


def _network(node: Node, library: Library) -> NetworkProfile | None:
    if isinstance(node.value, str):
        return library.get(node.value, node.mark)
    if isinstance(node.value, dict):
        spec, _ = validate(NetworkSpec, node)  # what is wrong with it, the plan's own validation says
        if spec is None:
            return None
        profile = spec.profile()
        library.warnings += network_warnings(profile, node)
        return profile
    return None


def _missing_files(root: Node) -> list[Diagnostic]:
    return [
        Diagnostic(node.mark, f"there is no file '{node.value}'")
        for pattern in ("vendors.*.nodes.*.cafile", "controls.*.cafile")
        for _, node in find(root, pattern)
        if isinstance(node.value, str) and not Path(node.value).is_file()
    ]
