"""Rules that need the whole plan: what fits together, and what will disappoint."""

from __future__ import annotations

from collections.abc import Container, Iterator
from itertools import combinations

from probe.objectives import CLAIM_SETTLE_NS, parse_expression
from probe.plan.diagnostics import Diagnostic, Mark
from probe.plan.model import DAYS, OTHER, Node, Plan, Window
from probe.plan.scalars import format_duration, format_rate
from probe.plan.scenario import Recovery
from probe.plan.tree import find, place_of
from probe.plan.yaml_nodes import Node as TreeNode

QUIC_RATE_BPS = 500_000
"""Above this, aioquic's Reno on a path with loss measures its own window (its floor is two packets a round
trip, 192 kbit/s at 100 ms), not the network."""

LEAST_CLAIM_NS = 7_000_000_000
"""Under loss; fewer seconds decide nothing."""

_WEEK = 7 * 24 * 60


def check_plan(plan: Plan, root: TreeNode, said: Container[Mark]) -> list[Diagnostic]:
    """Errors of a plan whose every part is valid; `said` are the places already complained about."""
    return [
        *_windows(plan, root),
        *_paths(plan, root),
        *_claims(plan, root),
        *_keys(plan, root, said),
        *_remedies(plan, root),
    ]


def warn_plan(plan: Plan, root: TreeNode) -> list[Diagnostic]:
    """What is allowed and worth a sentence."""
    return [*_idle_paths(plan, root), *_heavy_quic(plan, root)]


def minutes_of_week(window: Window) -> set[int]:
    """The minutes after Monday 00:00, local, that the window covers."""
    length = (window.end - window.start) % (24 * 60) or 24 * 60
    starts = [DAYS.index(day) * 24 * 60 + window.start for day in window.days]
    return {(start + minute) % _WEEK for start in starts for minute in range(length)}


def all_nodes(plan: Plan) -> Iterator[tuple[tuple[str | int, ...], str | None, Node]]:
    """(place in the plan, vendor or None for a control, node) of every node."""
    for number, vendor in enumerate(plan.vendors):
        for index, node in enumerate(vendor.nodes):
            yield ("vendors", number, "nodes", index), vendor.name, node
    for number, control in enumerate(plan.controls):
        yield ("controls", number), None, control


def _windows(plan: Plan, root: TreeNode) -> Iterator[Diagnostic]:
    if OTHER in plan.windows:
        yield Diagnostic(
            place_of(root, "windows", OTHER),
            "'other' is the name of all hours outside the windows: choose another",
        )
    for (first, one), (second, two) in combinations(plan.windows.items(), 2):
        if minutes_of_week(one) & minutes_of_week(two):
            yield Diagnostic(
                place_of(root, "windows", second),
                f"the windows '{first}' and '{second}' overlap: a packet would be in both",
            )


def _paths(plan: Plan, root: TreeNode) -> Iterator[Diagnostic]:
    """Emulated nodes need a path in every window that is measured."""
    known = {*plan.windows, OTHER}
    wanted = [window for window in wanted_windows(plan) if window in known]
    for steps, _, node in all_nodes(plan):
        path = node.path or {}
        lacking = [window for window in wanted if window not in path]
        # A window that is unknown is most likely the lacking one, misspelt; that has been said.
        if node.endpoint.emulated and lacking and known.issuperset(path):
            yield Diagnostic(
                place_of(root, *steps, "path"),
                f"the node '{node.name}' has no path for the window '{lacking[0]}'",
            )


def _keys(plan: Plan, root: TreeNode, said: Container[Mark]) -> Iterator[Diagnostic]:
    """Real nodes need a shared key, their own or their vendor's."""
    for steps, vendor, node in all_nodes(plan):
        shared = plan.vendors[int(steps[1])].key if vendor is not None else None
        given = [place_of(root, *steps, "key"), place_of(root, *steps[:2], "key")]
        if node.endpoint.emulated or node.key or shared or any(mark in said for mark in given):
            continue
        where = "here" if vendor is None else "here or on its vendor"
        yield Diagnostic(
            place_of(root, *steps, "endpoint"),
            f"the node '{node.name}' has no key, or an empty one: "
            f'write key: "${{NODE_KEY}}" {where} and export NODE_KEY before the run',
        )


def _remedies(plan: Plan, root: TreeNode) -> Iterator[Diagnostic]:
    """RED and parity are part of the RTP stream over UDP; QUIC repairs, or does not, by itself."""
    for number, row in enumerate(plan.matrix):
        quic = [transport for transport in row.transports if transport != "udp"]
        for name in row.scenarios or tuple(plan.scenarios):
            scenario = plan.scenarios.get(name)
            if quic and scenario is not None and scenario.recovery.protection:
                yield Diagnostic(
                    place_of(root, "matrix", number, "transports"),
                    f"'{name}' uses {' and '.join(_forward(scenario.recovery))}, which go over udp and not over "
                    f"{quic[0]}: give {quic[0]} a scenario without",
                )


def _forward(recovery: Recovery) -> list[str]:
    return [*(["red"] if recovery.red else []), *(["fec"] if recovery.fec else [])]


def _claims(plan: Plan, root: TreeNode) -> Iterator[Diagnostic]:
    """A claim needs a stream in its direction, long enough to tell."""
    for number, claim in enumerate(plan.claims):
        scenario = plan.scenarios.get(claim.scenario)
        if scenario is None:
            continue  # that has been said
        if scenario.stream.one_way and claim.direction != "up":
            yield Diagnostic(
                place_of(root, "claims", number, "direction"),
                f"'{claim.scenario}' sends up alone: write direction: up",
            )
        least = CLAIM_SETTLE_NS + LEAST_CLAIM_NS
        if scenario.duration < least:
            yield Diagnostic(
                place_of(root, "claims", number, "scenario"),
                f"'{claim.scenario}' lasts {format_duration(scenario.duration)}: a claim needs "
                f"{format_duration(least)} or more, the first {format_duration(CLAIM_SETTLE_NS)} of which do not count",
            )


def wanted_windows(plan: Plan) -> list[str]:
    """The windows in which the matrix measures, each once."""
    named = [window for row in plan.matrix for window in row.windows or tuple(plan.windows)]
    return list(dict.fromkeys(named))


def check_functions(root: TreeNode) -> Iterator[Diagnostic]:
    """Thresholds that compare with something the plan does not have."""
    controls = any(find(root, "controls.*"))
    windows = [str(steps[-1]) for steps, _ in find(root, "windows.*")] or ["peak", "offpeak"]
    for pattern in ("thresholds.*", "thresholds.*.expr"):
        for _, node in find(root, pattern):
            function = _function(node.value)
            if function == "vs_control" and not controls:
                yield Diagnostic(
                    node.mark,
                    "vs_control() compares with the plan's controls, and it has none: add `controls`",
                )
            elif function in ("peak_ratio", "peak_shift") and not {"peak", "offpeak"} <= set(windows):
                yield Diagnostic(
                    node.mark,
                    f"{function}() compares the windows 'peak' and 'offpeak': define both in `windows`",
                )


def _function(expression: object) -> str | None:
    try:
        return parse_expression(expression).function if isinstance(expression, str) else None
    except ValueError:
        return None  # the model says what is wrong with it


def _idle_paths(plan: Plan, root: TreeNode) -> Iterator[Diagnostic]:
    for steps, _, node in all_nodes(plan):
        if node.path and not node.endpoint.emulated:
            yield Diagnostic(
                place_of(root, *steps, "path"),
                f"the path of '{node.name}' plays no part: a real node has a real path, so delete this key",
            )


def _heavy_quic(plan: Plan, root: TreeNode) -> Iterator[Diagnostic]:
    for number, row in enumerate(plan.matrix):
        quic = [transport for transport in row.transports if transport != "udp"]
        for name in row.scenarios or tuple(plan.scenarios):
            rate = plan.scenarios[name].bitrate * plan.scenarios[name].calls
            if quic and rate > QUIC_RATE_BPS:
                yield Diagnostic(
                    place_of(root, "matrix", number, "transports"),
                    f"'{name}' over {quic[0]} sends {format_rate(rate)}: above {format_rate(QUIC_RATE_BPS)} a path "
                    "with loss is limited by congestion control here (unsent: cc_limited), so compare QUIC at "
                    "voice rate",
                )
