"""The matrix, spelt out: which sessions each node gets, in order."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import product, zip_longest

from pydantic import SecretStr

from probe.errors import ConfigError
from probe.plan.diagnostics import did_you_mean
from probe.plan.fields import RESERVED_VENDORS
from probe.plan.locate import network_name
from probe.plan.model import OTHER, MatrixRow, Node, Plan
from probe.plan.scenario import Scenario

(CONTROLS,) = RESERVED_VENDORS
WindowOf = Callable[[str], str]
"""Time zone -> the window of the moment there."""


@dataclass(frozen=True, slots=True)
class SessionSpec:
    """One session to run: what to send, through which network, in which window.

    `path` names the access path of an emulated node in this window; None for a real node. `claim` names the claim
    that this is a step of, with that loss.
    """

    scenario_name: str
    scenario: Scenario
    transport: str
    network: str
    window: str
    repeat: int
    path: str | None
    claim: str | None = None
    claim_loss: float | None = None


@dataclass(frozen=True, slots=True)
class NodeSchedule:
    """The sessions of one node, one after the other; nodes run side by side.

    `vendor` is "controls" for a control; `key` is the shared key to use (None for an emulated node without one).
    """

    vendor: str
    node: Node
    role: str  # "vendor" | "control"
    key: SecretStr | None
    timezone: str
    sessions: tuple[SessionSpec, ...]


def expand(
    plan: Plan, window_of: WindowOf, only: str | None = None, *, claims: bool = True
) -> tuple[NodeSchedule, ...]:
    """The sessions of every node, vendors interleaved, controls last.

    An emulated node is measured in every window the matrix asks for, a real one in the window of the moment
    (`window_of` its time zone); outside all windows it gets every session once, as `other`. `only` is VENDOR or
    VENDOR/NODE; controls stay. `claims`: with the sweeps of the plan's claims, of vendors' nodes. Raises ConfigError when it names nothing.
    """
    vendors = [
        [
            _schedule(plan, vendor.name, node, node.key or vendor.key, window_of, claims=claims)
            for node in vendor.nodes
        ]
        for vendor in plan.vendors
    ]
    in_turn = [item for turn in zip_longest(*vendors) for item in turn if item is not None]
    if only is not None:
        in_turn = _select(in_turn, only)
    return (
        *in_turn,
        *(_schedule(plan, None, node, node.key, window_of, claims=False) for node in plan.controls),
    )


def _select(schedules: list[NodeSchedule], only: str) -> list[NodeSchedule]:
    names = {item.vendor for item in schedules} | {f"{item.vendor}/{item.node.name}" for item in schedules}
    chosen = [item for item in schedules if only in (item.vendor, f"{item.vendor}/{item.node.name}")]
    if not chosen:
        raise ConfigError(f"the plan has no vendor or node '{only}'{did_you_mean(only, sorted(names))}")
    return chosen


def _schedule(
    plan: Plan, vendor: str | None, node: Node, key: SecretStr | None, window_of: WindowOf, *, claims: bool
) -> NodeSchedule:
    timezone = node.timezone or plan.timezone
    current = None if node.endpoint.emulated else window_of(timezone)
    sessions = tuple(session for row in plan.matrix for session in _sessions(plan, row, node, current))
    if claims:
        sessions += tuple(_claim_sessions(plan, node, current))
    role = "control" if vendor is None else "vendor"
    return NodeSchedule(vendor or CONTROLS, node, role, key, timezone, sessions)


def _claim_sessions(plan: Plan, node: Node, current: str | None) -> Iterator[SessionSpec]:
    """The sweep of each claim: at the moment's window, or the first of an emulated node's that is measured."""
    window = current or next(name for row in plan.matrix for name in row.windows or tuple(plan.windows))
    path = (node.path or {}).get(window) if node.endpoint.emulated else None
    for rule in plan.claims:
        scenario = plan.scenarios[rule.scenario]
        claim = rule.claim(scenario.deadline)
        scenario = scenario.model_copy(update={"deadline": claim.deadline_ns})
        for repeat, ratio in product(range(rule.repeat), claim.steps):
            yield SessionSpec(
                rule.scenario,
                scenario,
                rule.transport,
                claim.network(ratio),
                window,
                repeat,
                None if path is None else network_name(path),
                rule.name,
                ratio,
            )


def _sessions(plan: Plan, row: MatrixRow, node: Node, current: str | None) -> Iterator[SessionSpec]:
    """A row's sessions. Windows vary fastest: what is compared is measured close together."""
    windows = row.windows or tuple(plan.windows)
    if current is not None:
        windows = (current,) if current in windows or current == OTHER else ()
    networks = [network_name(name) for name in row.networks or ()] or [
        network_name(item) if isinstance(item, str) else item.name for item in plan.networks
    ]
    choices = product(
        range(row.repeat), row.scenarios or tuple(plan.scenarios), networks, row.transports, windows
    )
    for repeat, scenario, network, transport, window in choices:
        path = (node.path or {}).get(window) if node.endpoint.emulated else None
        yield SessionSpec(
            scenario,
            plan.scenarios[scenario],
            transport,
            network,
            window,
            repeat,
            None if path is None else network_name(path),
        )
