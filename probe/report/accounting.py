"""Every packet has one fate: the two sums of the contract, a row a session, and whether they add up."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from rich.text import Text

from probe.analysis.results import SessionSummary
from probe.report import labels
from probe.report.grid import Column, Grid
from probe.report.numbers import milliseconds, plural

TITLE = "Accounting, packets"
FATES = ("on_time", "late", "lost_up", "lost_down", "lost_unknown")
WHY_UNSENT = {
    "unsent_host_late": "this host was late",
    "unsent_cc_limited": "congestion control",
    "unsent_aborted": "aborted",
}
_BESIDE = ("policed", "socket_dropped", "corrupt")


def accounting(sessions: Sequence[SessionSummary]) -> Grid:
    """`scheduled = unsent + sent`, `sent = on time + late + lost up + lost down + lost unknown`."""
    repeated, mixed = labels.repeated(sessions), labels.mixed(sessions)
    why = any(session.counts["unsent"] for session in sessions)
    columns = [
        *labels.COLUMNS,
        *([labels.at_column(sessions)] if repeated else []),
        Column("scheduled"),
        Column("= unsent"),
        Column("+ sent"),
        Column("sent =\non time"),
        Column("+ late"),
        Column("+ lost\nup"),
        Column("+ lost\ndown"),
        Column("+ lost\nunknown"),
        Column("policed", drop=2),
        Column("socket\ndrops", drop=3),
        Column("corrupt", drop=4),
        *([Column("why unsent", left=True, flex=True)] if why else []),
    ]
    grid = Grid(columns)
    for session in labels.in_order(sessions):
        counts = session.counts
        grid.add(
            *labels.of_session(session, mixed=mixed),
            *([labels.at(session)] if repeated else []),
            *(str(counts[name]) for name in ("scheduled", "unsent", "sent", *FATES, *_BESIDE)),
            *([why_unsent(counts)] if why else []),
        )
    grid.notes.append(conclusion(sessions))
    if waited := longest_wait(sessions):
        grid.notes.append(Text(waited, style="dim"))
    return grid


def adds_up(counts: Mapping[str, int]) -> bool:
    """Whether both sums hold, and the reasons for unsent packets are as many as those."""
    return (
        counts["scheduled"] == counts["unsent"] + counts["sent"]
        and counts["sent"] == sum(counts[fate] for fate in FATES)
        and counts["unsent"] == sum(counts[why] for why in WHY_UNSENT)
    )


def conclusion(sessions: Sequence[SessionSummary]) -> Text:
    """The identity in words, and whether it holds."""
    wrong = [session for session in sessions if not adds_up(session.counts)]
    if not wrong:
        return Text(
            f"✓ Every packet has one fate in {_all(sum(session.sessions for session in sessions))}.",
            style="dim",
        )
    lines = ", ".join(labels.one_line(session.record) for session in wrong)
    return Text(f"✗ The sums do not add up, which is a fault of probe: {lines}.", style="bold red")


def longest_wait(sessions: Sequence[SessionSummary]) -> str:
    """What our own senders' queues came to; empty without such a sender."""
    waits = [float(found["p99"]) for session in sessions if (found := session.sender_queue_ms)]
    if not waits:
        return ""
    return (
        f"Over QUIC at most 1 packet in 100 waited {milliseconds(max(waits))} ms or more for congestion control"
        " before it left; that is in no delay."
    )


def why_unsent(counts: Mapping[str, int]) -> str:
    """`12 congestion control`; empty when everything was sent."""
    return ", ".join(f"{counts[name]} {words}" for name, words in WHY_UNSENT.items() if counts[name])


def _all(number: int) -> str:
    return "the session" if number == 1 else f"all {plural(number, 'session')}"
