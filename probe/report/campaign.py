"""Campaigns in words: where one stands, what comes next, and what its evidence still lacks."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from datetime import datetime
from zoneinfo import ZoneInfo

from rich.text import Text

from probe.analysis.results import INCONCLUSIVE, Assessment
from probe.plan.scalars import format_size
from probe.records import Json
from probe.report.header import EMULATED, EMULATED_STYLE, title_of
from probe.report.numbers import duration, plural
from probe.report.sentences import sentence
from probe.report.words import verdict_word
from probe.session.campaign import Campaign
from probe.session.diary import Appointment, Standing

SCHEMA_VERSION = 1
_MOST_LACKS = 6


def opening_lines(
    campaign: Campaign, spent: int, left: int, max_bytes: int | None, limit: float
) -> Iterator[str]:
    """What is about to happen, before a packet is sent; `spent` and `left` are bytes on the wire."""
    what = "going on with" if campaign.resumed else "beginning"
    yield (
        f"{what} campaign {campaign.run_id}: {plural(len(campaign.diary), 'session')} until "
        f"{campaign.ends:%Y-%m-%d %H:%M} UTC, seed {campaign.manifest['seed']}"
    )
    cap = "no cap (--max-bytes)" if max_bytes is None else f"capped at {format_size(max_bytes)}"
    before = f", after {spent / 1e6:.1f} MB so far" if spent else ""
    closed = unopened(campaign)
    if closed:
        yield f"never open in these days, and not measured: {plural(len(closed), 'window')}: {', '.join(closed)}"
    yield f"about {left / 1e6:.1f} MB to send and receive{before}, repairs not foreseen; {cap}"
    yield (
        f"at most one session a node at a time, none while the load of this machine is above {limit:g} a "
        "processor or 5 % of its time is stolen; a missed session is not made up for"
    )


def unopened(campaign: Campaign) -> list[str]:
    """Windows of the plan in which the diary has no session."""
    measured = {one.window for one in campaign.diary}
    asked = {
        window
        for row in campaign.manifest["plan"]["plan"]["matrix"]
        for window in row.get("windows") or campaign.manifest["plan"]["plan"]["windows"]
    }
    return sorted(asked - measured)


def others_line(others: Sequence[str]) -> str:
    """Campaigns of other plans or vantages that nobody should take for this one."""
    return f"not over yet in these results: {', '.join(others)}; the plan or vantage that began it goes on with it"


def status_lines(
    campaign: Campaign,
    found: Standing,
    now: datetime,
    skipped: Json,
    assessment: Assessment | None,
    running: bool | None,
) -> Iterator[Text]:
    """Where a campaign stands; `running` is whether a process measures it, None when that is not the question."""
    manifest = campaign.manifest
    name = title_of(manifest.get("title")) or manifest["country"]
    head = Text(f"{name}: campaign {campaign.run_id}, until {campaign.ends:%Y-%m-%d %H:%M} UTC", style="bold")
    yield head.append(f"  {EMULATED}", style=EMULATED_STYLE) if manifest["emulated"] else head
    missed = {str(one.index) for one in found.missed}
    yield Text(coverage(found, len(missed & skipped.keys())))
    for line in by_window(found):
        yield Text(f"  {line}")
    if found.to_come:
        yield Text(next_session(campaign, found.to_come[0], now))
    if running is not None and found.to_come:
        yield (
            Text("a process is measuring it")
            if running
            else Text("nobody is measuring it: start probe campaign again with the same plan", style="yellow")
        )
    elif running is not None:
        yield Text("it is over")
    yield from evidence_lines(assessment)


def coverage(found: Standing, skipped: int) -> str:
    """`measured 12 of 48 sessions due (25 %), 36 missed (3 of them: machine not quiet), 600 to come`."""
    due = len(found.done) + len(found.missed)
    share = f" ({100 * len(found.done) / due:.0f} %)" if due else ""
    busy = f" ({skipped} of them: machine not quiet)" if skipped else ""
    return (
        f"measured {len(found.done)} of {plural(due, 'session')} due{share}, {len(found.missed)} missed{busy}, "
        f"{len(found.to_come)} to come"
    )


def by_window(found: Standing) -> Iterator[str]:
    """`peak: 12 of 14 sessions due measured, on 3 days`."""
    done = Counter(one.window for one in found.done)
    missed = Counter(one.window for one in found.missed)
    for window in sorted({*done, *missed}):
        days = len({one.day for one in found.done if one.window == window})
        due = done[window] + missed[window]
        yield f"{window}: {done[window]} of {plural(due, 'session')} due measured, on {plural(days, 'day')}"


def next_session(campaign: Campaign, appointment: Appointment, now: datetime) -> str:
    """`next: alpha/jkt-1 voice clean peak udp at 19:04 local time, in 1:02 h`."""
    zone = _zone(campaign, appointment)
    left = max(0.0, (appointment.starts - now).total_seconds())
    what = f"{appointment.scenario} {appointment.network} {appointment.window} {appointment.transport}"
    return (
        f"next: {appointment.vendor}/{appointment.node} {what} at "
        f"{appointment.starts.astimezone(ZoneInfo(zone)):%a %H:%M:%S} local time, in {duration(left)}"
    )


def _zone(campaign: Campaign, appointment: Appointment) -> str:
    plan = campaign.manifest["plan"]["plan"]
    nodes = [
        node for vendor in plan["vendors"] if vendor["name"] == appointment.vendor for node in vendor["nodes"]
    ]
    for node in (*nodes, *plan.get("controls", ())):
        if node["name"] == appointment.node:
            return str(node.get("timezone") or plan["timezone"])
    return str(plan["timezone"])


def evidence_lines(assessment: Assessment | None) -> Iterator[Text]:
    """The verdict so far and what it lacks."""
    if assessment is None:
        yield Text("evidence: nothing is measured yet")
        return
    yield Text("verdict so far: ").append(verdict_word(assessment.verdict).text())
    lacks = lacking(assessment)
    for text, number in lacks[:_MOST_LACKS]:
        yield Text(f"  still lacking, {plural(number, 'verdict')}: {text}")
    if len(lacks) > _MOST_LACKS:
        yield Text(f"  and {plural(len(lacks) - _MOST_LACKS, 'other reason')}")


def lacking(assessment: Assessment) -> list[tuple[str, int]]:
    """Why verdicts are open, and how many for each reason; the most frequent first."""
    open_ones = [one.reason for one in assessment.thresholds if one.verdict == INCONCLUSIVE]
    open_ones += [row.reason for row in assessment.peak if row.verdict == INCONCLUSIVE]
    return Counter(sentence(reason) for reason in open_ones).most_common()


def status_document(
    campaign: Campaign, found: Standing, skipped: Json, assessment: Assessment | None, *, running: bool
) -> Json:
    """As the lines."""
    missed = {str(one.index) for one in found.missed}
    return {
        "schema_version": SCHEMA_VERSION,
        "run_id": campaign.run_id,
        "emulated": campaign.manifest["emulated"],
        "ends_at": campaign.ends.isoformat(),
        "running": running,
        "sessions": {
            "measured": len(found.done),
            "missed": len(found.missed),
            "not_quiet": len(missed & skipped.keys()),
            "to_come": len(found.to_come),
        },
        "next": found.to_come[0].to_json() if found.to_come else None,
        "verdict": None if assessment is None else assessment.verdict,
        "lacking": [] if assessment is None else _lacking_json(lacking(assessment)),
    }


def _lacking_json(lacks: Sequence[tuple[str, int]]) -> list[Json]:
    return [{"reason": text, "verdicts": number} for text, number in lacks]
