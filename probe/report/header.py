"""The first lines: what was measured, from where, when, and whether it was only emulated."""

from __future__ import annotations

from rich.text import Text

from probe.analysis.results import Assessment
from probe.records import Json
from probe.report.numbers import plural

EMULATED = "EMULATED"
EMULATED_STYLE = "bold magenta"
_WHOLLY = "EMULATED: every node is on this machine behind an emulated path; no network was measured."
_PARTLY = "EMULATED in part: the nodes marked (emulated) are on this machine behind an emulated path."


def header(assessment: Assessment, manifest: Json) -> list[Text]:
    """Country and title, run, vantage and time; `manifest` may be what little is left of one."""
    name = Text(country_of(assessment, manifest), style="bold")
    if assessment.emulated:
        name.append(f"  {EMULATED}", style=EMULATED_STYLE)
    facts = [
        f"run {assessment.run_id}",
        f"vantage {assessment.vantage or 'none'}",
        *([f"started {started}"] if (started := when(manifest, assessment)) else []),
        _sessions(len(assessment.sessions), len(manifest.get("diary") or ())),
        *([f"seed {manifest['seed']}"] if manifest.get("seed") is not None else []),
    ]
    lines = [name, Text(" · ".join(facts), style="dim")]
    if assessment.emulated:
        lines.append(Text(_WHOLLY if _all_emulated(assessment) else _PARTLY, style=EMULATED_STYLE))
    return lines


def _sessions(measured: int, planned: int) -> str:
    """`70 of 84 planned sessions`: what a campaign has not covered is seen."""
    if planned in (0, measured):
        return plural(measured, "session")
    return f"{measured} of {plural(planned, 'planned session')}"


def heading(title: str, assessment: Assessment) -> Text:
    """The heading of one table, marked when emulated."""
    text = Text(title, style="bold")
    return text.append(f"  {EMULATED}", style=EMULATED_STYLE) if assessment.emulated else text


def country_of(assessment: Assessment, manifest: Json) -> str:
    """`Indonesia (ID)`, or as much of it as is known."""
    country = manifest.get("country") or next((s.record.country for s in assessment.sessions), "")
    title = title_of(manifest.get("title"))
    if title and country:
        return f"{title} ({country})"
    return title or str(country) or "unknown country"


def title_of(title: object) -> str:
    """The English title of a plan, any other for want of one."""
    if isinstance(title, dict):
        return str(title.get("en") or next(iter(title.values()), ""))
    return str(title or "")


def when(manifest: Json, assessment: Assessment) -> str:
    """`2026-11-22 12:30:00 UTC`."""
    known = [str(manifest["started_at"])] if manifest.get("started_at") else []
    started = min(known or [session.record.started_at for session in assessment.sessions], default="")
    return f"{started[:19].replace('T', ' ')} UTC" if started else ""


def _all_emulated(assessment: Assessment) -> bool:
    return all(session.record.emulated for session in assessment.sessions)
