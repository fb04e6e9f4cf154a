"""What the upkeep of a store needs from plans and analysis, which the store does not know."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from numpy.typing import NDArray

from probe.analysis.fates import fates_of
from probe.analysis.one_way import directions
from probe.analysis.session import analyse_session
from probe.analysis.vantages import Cell, Place, Seen
from probe.errors import ConfigError
from probe.metrics import Fate
from probe.plan.model import DAY_NS
from probe.plan.scalars import parse_duration
from probe.records import Json
from probe.store import layout
from probe.store.documents import Unreadable, read_json
from probe.store.keeping import Keep
from probe.store.run_entries import SessionEntry
from probe.store.session_delays import session_delays
from probe.store.sessions import StoredSession

_SENT = ("on_time", "late", "lost_up", "lost_down", "lost_unknown")


def fates_add_up(session: StoredSession) -> str | None:
    """None, or what is wrong: scheduled = unsent + sent, sent = its fates, lost + late = recovered + residual."""
    if not len(session.rows):
        return None
    summary = analyse_session(session.record, session.rows)
    counts = summary.counts
    if counts["scheduled"] != counts["unsent"] + counts["sent"]:
        return (
            f"{counts['scheduled']} packets were due, but {counts['unsent']} unsent and {counts['sent']} sent"
        )
    fates = sum(counts[name] for name in _SENT)
    if counts["sent"] != fates:
        return f"{counts['sent']} packets were sent, but {fates} have a fate"
    for name, way in (("up", summary.up), ("down", summary.down)):
        if way is not None and way.lost + way.late != way.recovered + way.residual:
            return f"lost and late {name} are not recovered and residual"
    return None


def fate_columns(session: StoredSession) -> Mapping[str, NDArray[Any]]:
    """The fate of each packet (`metrics.Fate`), for an export."""
    up, down, _ = directions(session.rows)
    return {"fate": fates_of(session.record, session.rows, up, down).fate}


FATES = ", ".join(f"{fate.value} {fate.name.lower()}" for fate in Fate)


def keeping(root: Path, given: str | None) -> Keep:
    """For how long a run's packets are kept: as `given` for all, else as each run's own plan says.

    Raises ConfigError for a text that is no duration.
    """
    if given is not None:
        try:
            every = parse_duration(given)
            if every < DAY_NS:
                raise ValueError("packets are kept for a day at least: write 14d")
        except ValueError as error:
            raise ConfigError(f"--keep-raw {given}: {error}") from None
        return lambda _: every

    def planned(run_id: str) -> int | None:
        try:
            manifest = read_json(layout.run_folder(root, run_id) / layout.MANIFEST)
            text = manifest["plan"]["plan"]["store"].get("keep_raw")
            return None if text is None else parse_duration(text)
        except (Unreadable, KeyError, TypeError, AttributeError, ValueError):
            return None

    return planned


def seen_sessions(root: Path) -> tuple[list[Seen], list[str]]:
    """Every session that has a histogram, with where it was seen from; for `vantage_rows`."""
    delays, problems = session_delays(root)
    places: dict[str, dict[str, Place]] = {}
    seen = []
    for delay in delays:
        session = delay.session
        if delay.run_id not in places:
            places[delay.run_id] = _places(root, delay.run_id)
        place = places[delay.run_id].get(session.vantage or "") or Place(session.vantage)
        date = session.local_time[:10]
        seen.append(Seen(_cell(session), place, date, delay.p95_ms, delay.lost, delay.n))
    return seen, problems


def _cell(session: SessionEntry) -> Cell:
    return Cell(
        country=session.country,
        vendor=session.vendor,
        node=session.node,
        node_city=session.city,
        timezone=session.timezone,
        scenario=session.scenario,
        network=session.network,
        window=session.window,
        transport=session.transport,
        emulated=session.emulated,
    )


def _places(root: Path, run_id: str) -> dict[str, Place]:
    """The vantages of a run's plan by name."""
    try:
        manifest = read_json(layout.run_folder(root, run_id) / layout.MANIFEST)
        listed: list[Json] = manifest["plan"]["plan"].get("vantages") or []
        return {item["name"]: Place(item["name"], item.get("isp"), item.get("city")) for item in listed}
    except (Unreadable, KeyError, TypeError, AttributeError):
        return {}
