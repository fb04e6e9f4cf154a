"""What a row of a table is about: node, scenario, network, window, transport, in the run's own order."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from typing import Any, TypeVar

from probe.analysis.results import SessionSummary
from probe.records import SessionRecord
from probe.report.grid import Column

CELL = ("scenario", "network", "window", "transport")
COLUMNS = tuple(
    Column(head, left=True, label=2 if head in ("window", "transport") else 1)
    for head in ("vendor/node", *CELL)
)
"""The leading columns of a table with a row a session."""

AT_COLUMN = Column("at", left=True)
"""Local time of the start, where a cell was measured more than once."""

CONTROL = "control"

_KNOWN = {"window": ("peak", "offpeak"), "transport": ("udp", "quic-datagram", "quic-stream")}

T = TypeVar("T")


def node_of(session: SessionSummary, *, mixed: bool = False) -> str:
    """`alpha/jkt-1`. `mixed`: some nodes of the run are emulated and some are not, so say which."""
    record = session.record
    marks = [CONTROL] if record.role == CONTROL and record.vendor != CONTROL else []
    marks += ["emulated"] if mixed and record.emulated else []
    name = f"{record.vendor}/{record.node}"
    return f"{name} ({', '.join(marks)})" if marks else name


def of_session(session: SessionSummary, *, mixed: bool = False) -> tuple[str, ...]:
    """The cells of `COLUMNS`."""
    return (node_of(session, mixed=mixed), *(str(getattr(session.record, name)) for name in CELL))


def started(record: SessionRecord) -> str:
    """`19:30:05` on the node's own clock on the wall."""
    return record.local_time[11:19]


def at_column(sessions: Iterable[SessionSummary]) -> Column:
    """What tells the sessions of a cell apart, or how many they are where a row pools them."""
    return Column("sessions") if any(s.sessions > 1 for s in sessions) else AT_COLUMN


def at(session: SessionSummary) -> str:
    """`19:30:05` on the node's own clock on the wall; the number of sessions where there are more."""
    return str(session.sessions) if session.sessions > 1 else started(session.record)


def one_line(record: SessionRecord) -> str:
    """`alpha/jkt-1 voice clean peak udp`."""
    return " ".join([f"{record.vendor}/{record.node}", *(str(getattr(record, name)) for name in CELL)])


def of_scope(scope: Mapping[str, Any]) -> str:
    """The cell of a threshold in the same words; what is not in the scope is pooled, and not told."""
    who = "/".join(_names(scope[name]) for name in ("vendor", "node") if scope.get(name))
    others = [name for name in scope if name not in ("vendor", "node", *CELL)]
    named = [_names(scope[name]) for name in (*CELL, *others) if scope.get(name)]
    return " ".join([who, *named] if who else named) or "the whole run"


def _names(value: Any) -> str:
    """One name, or any of several."""
    return "|".join(map(str, value)) if isinstance(value, list | tuple) else str(value)


def ordered(items: Iterable[T], where: Callable[[T], Mapping[str, Any]]) -> list[T]:
    """By node, then by cell: the same order in every table and every run, however they were measured.

    Scenarios and networks keep the order in which they come first; `where` names what an item is about.
    """
    chosen = list(items)
    rank: dict[tuple[str, str], int] = {}
    for item in chosen:
        for name in ("scenario", "network"):
            rank.setdefault((name, str(where(item).get(name))), len(rank))

    def place(item: T) -> tuple[Any, ...]:
        names = {name: str(where(item).get(name)) for name in ("vendor", "node", *CELL)}
        cell = [rank[name, names[name]] for name in ("scenario", "network")]
        known = [
            order.index(names[name]) if names[name] in order else len(order) for name, order in _KNOWN.items()
        ]
        return (names["vendor"], names["node"], *cell, *known)

    return sorted(chosen, key=place)


def in_order(sessions: Iterable[SessionSummary]) -> list[SessionSummary]:
    """Sessions as `ordered`, controls after vendors, repeats by time."""
    by_time = sorted(sessions, key=lambda session: (session.record.started_at, session.record.index))
    placed = ordered(by_time, lambda session: session.record.to_json())
    return sorted(placed, key=lambda session: session.record.role == CONTROL)


def repeated(sessions: Iterable[SessionSummary]) -> bool:
    """Whether some cell was measured more than once."""
    sessions = list(sessions)
    if any(session.sessions > 1 for session in sessions):
        return True
    cells = Counter(of_session(session) for session in sessions)
    return any(number > 1 for number in cells.values())


def mixed(sessions: Iterable[SessionSummary]) -> bool:
    """Whether some nodes are emulated and some are real."""
    return len({session.record.emulated for session in sessions}) > 1
