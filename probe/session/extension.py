"""Which sessions to repeat while gates are undecided and there is time (`evidence.extend_up_to`)."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace

from probe.analysis.looks import LOOKS
from probe.analysis.results import INCONCLUSIVE, Assessment, Judgement
from probe.plan.expand import NodeSchedule, SessionSpec

MORE_HELPS = frozenset(
    {
        "straddles_limit",
        "too_few_packets",
        "too_few_independent",
        "one_block",
        "among_many",
        "below_resolution",
    }
)
"""Reasons that more of the same minutes may lift; missing days or windows they do not."""

CELL = ("scenario", "network", "window", "transport")


@dataclass(frozen=True, slots=True)
class Round:
    """The sessions to repeat until `until_ns` of the monotonic clock; `look` is the one they are for."""

    look: int
    until_ns: int
    lanes: tuple[NodeSchedule, ...]


def next_round(
    look: int,
    began_ns: int,
    extend_ns: int,
    assessment: Assessment,
    lanes: Sequence[NodeSchedule],
    open_now: Callable[[NodeSchedule, SessionSpec], bool],
) -> Round | None:
    """None when all is decided, or what is not cannot be decided now. Looks lie evenly over the time added,
    which began at `began_ns`. `open_now` says whether a session's window is still open."""
    undecided = [one for one in assessment.thresholds if _more_helps(one)]
    chosen = [
        replace(lane, sessions=specs)
        for lane in lanes
        if (
            specs := tuple(
                s for s in _once(lane.sessions) if _wanted(lane, s, undecided) and open_now(lane, s)
            )
        )
    ]
    if not any(lane.role == "vendor" for lane in chosen):
        return None
    return Round(look, began_ns + extend_ns * look // (LOOKS - 1), tuple(chosen))


def _more_helps(one: Judgement) -> bool:
    helps = one.verdict == INCONCLUSIVE and one.reason.get("code") in MORE_HELPS
    return helps and one.severity == "gate" and not one.expr.lstrip().startswith("peak_")


def _once(specs: Iterable[SessionSpec]) -> list[SessionSpec]:
    """Repeats of one session are one; the sweep of a claim is made once."""
    return list({replace(spec, repeat=0): None for spec in specs if spec.claim is None})


def _wanted(lane: NodeSchedule, spec: SessionSpec, undecided: Sequence[Judgement]) -> bool:
    """Of a vendor what is undecided about it; of a control what is undecided about anyone."""
    return any(
        (lane.role != "vendor" or (one.scope.get("vendor"), one.scope.get("node")) == _name(lane))
        and all(_cell(spec)[key] == one.scope[key] for key in CELL if key in one.scope)
        for one in undecided
    )


def _name(lane: NodeSchedule) -> tuple[str, str]:
    return lane.vendor, lane.node.name


def _cell(spec: SessionSpec) -> dict[str, str]:
    names = (spec.scenario_name, spec.network, spec.window, spec.transport)
    return dict(zip(CELL, names, strict=True))


def repeated(specs: Sequence[SessionSpec], until_ns: int, now_ns: Callable[[], int]) -> Iterator[SessionSpec]:
    """One after the other, over and over, as long as one more fits."""
    while True:
        before = now_ns()
        for spec in specs:
            if now_ns() + spec.scenario.duration > until_ns:
                return
            yield spec
        if now_ns() == before:  # nothing took any time: the node is not to be had
            return
