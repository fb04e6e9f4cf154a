"""A whole run: from its manifest and stored sessions to its verdict and exit code."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Protocol

from probe.analysis.admission import Examined, examine
from probe.analysis.claims import judge_claims, judgement_of
from probe.analysis.hours import days_of_nodes, hours_in_words, windows_of
from probe.analysis.judge import judge_examined
from probe.analysis.looks import judge_at_looks
from probe.analysis.peak import peak_rows
from probe.analysis.quality import worst_grade
from probe.analysis.results import (
    FAIL,
    INCONCLUSIVE,
    NOT_MEASURED,
    PASS,
    RUN_INTERRUPTED,
    Assessment,
    Judgement,
    SessionSummary,
)
from probe.analysis.session import analyse_session
from probe.errors import ExitStatus
from probe.metrics import Rows
from probe.objectives import Claim, Evidence, Threshold
from probe.records import FAILED, INTERRUPTED, Json, SessionRecord

EXIT_STATUS = {
    FAIL: ExitStatus.FAIL,
    NOT_MEASURED: ExitStatus.NOT_MEASURED,
    INCONCLUSIVE: ExitStatus.INCONCLUSIVE,
    PASS: ExitStatus.PASS,
    RUN_INTERRUPTED: ExitStatus.SIGINT,
}
"""From the verdict that outweighs all others to the one that outweighs none, and interrupted."""

APPOINTED = ("campaign", "rehearsal")
"""Kinds of runs (`kind` in the manifest) that keep a diary of sessions over days."""


class Stored(Protocol):
    """A session as the store hands it over."""

    @property
    def record(self) -> SessionRecord: ...

    @property
    def rows(self) -> Rows: ...


def assess(
    manifest: Json,
    sessions: Iterable[Stored],
    history: Iterable[Stored] = (),
    *,
    interrupted: bool | None = None,
) -> Assessment:
    """Analyse and judge a run from stored samples alone.

    Of `manifest` are read: `run_id`, `emulated`, `vantage`, `thresholds` (`Threshold.to_json` each),
    `evidence` (`Evidence.to_json`) and, if there, `interrupted`, `sessions_planned` and `lost` (put together
    without its thresholds). `history` are
    sessions of earlier runs to compare the evening with. Raises `ValueError` for a manifest whose
    thresholds are not of the grammar.
    """
    block_ns = Evidence.from_json(manifest.get("evidence") or {}).block_ns
    summaries = [analyse_session(session.record, session.rows, block_ns) for session in sessions]
    earlier = [analyse_session(session.record, session.rows, block_ns) for session in history]
    return assess_summaries(manifest, summaries, earlier, interrupted=interrupted)


def assess_summaries(
    manifest: Json,
    summaries: Sequence[SessionSummary],
    history: Sequence[SessionSummary] = (),
    *,
    interrupted: bool | None = None,
) -> Assessment:
    """As `assess`, of sessions already analysed."""
    thresholds = [Threshold.from_json(document) for document in manifest.get("thresholds", ())]
    evidence = Evidence.from_json(manifest.get("evidence") or {})
    run_id = str(manifest["run_id"])
    everything = examine(summaries)
    # The sweep of a claim is made to break: no threshold is asked of it.
    examined = [session for session in everything if session.record.claim is None]
    before = [one for one in history if one.record.run_id != run_id and one.record.claim is None]
    earlier = examine(before)
    windows = windows_of(manifest)

    def judge_at(rule: Evidence, then: Sequence[Examined]) -> list[Judgement]:
        return judge_examined(thresholds, rule, then, earlier)

    judged = list(_with_hours(judge_at_looks(evidence, examined, judge_at), windows))
    claims = [Claim.from_json(document) for document in manifest.get("claims", ())]
    claimed = judge_claims(claims, everything, evidence.confidence)
    judged += _with_hours(map(judgement_of, claimed), windows)
    if interrupted is None:
        interrupted = _was_interrupted(manifest, summaries)
    verdict = RUN_INTERRUPTED if interrupted else run_verdict(judged)
    if manifest.get("lost") and verdict == PASS:
        verdict = INCONCLUSIVE  # nobody knows what else was asked
    return Assessment(
        run_id=run_id,
        verdict=verdict,
        exit_code=int(_exit_status(verdict, summaries)),
        emulated=bool(manifest.get("emulated", any(s.record.emulated for s in summaries))),
        vantage=manifest.get("vantage"),
        sessions=tuple(summaries),
        thresholds=tuple(judged),
        peak=tuple(peak_rows(examined, earlier, evidence)),
        quality=_run_quality(summaries),
        hours=days_of_nodes([*examined, *earlier], windows),
        claims=tuple(claimed),
    )


def _with_hours(judged: Iterable[Judgement], windows: Mapping[str, tuple[int, int]]) -> Iterator[Judgement]:
    """Say when the window of each judgement is open."""
    for one in judged:
        window = windows.get(str(one.scope.get("window")))
        yield one if window is None else replace(one, hours=hours_in_words(window))


def run_verdict(judged: Iterable[Judgement]) -> str:
    """The weightiest verdict of the gates, PASS without any; of nothing judged, nothing was measured."""
    severities = [(judgement.severity, judgement.verdict) for judgement in judged]
    gates = {verdict for severity, verdict in severities if severity == "gate"}
    return next(
        (verdict for verdict in EXIT_STATUS if verdict in gates), PASS if severities else NOT_MEASURED
    )


def _exit_status(verdict: str, summaries: Sequence[SessionSummary]) -> ExitStatus:
    """A run that was interrupted ends as the signal says that cut its sessions off."""
    signals = {(summary.record.error or {}).get("signal") for summary in summaries}
    if verdict == RUN_INTERRUPTED and "SIGTERM" in signals:
        return ExitStatus.SIGTERM
    return EXIT_STATUS[verdict]


def _was_interrupted(manifest: Json, summaries: Sequence[SessionSummary]) -> bool:
    if manifest.get("kind") in APPOINTED:
        # Its sessions are spread over days: some are missed or cut off, and the others stand.
        return bool(manifest.get("interrupted"))
    cut_off = any(summary.record.outcome == INTERRUPTED for summary in summaries)
    missing = len(summaries) < int(manifest.get("sessions_planned") or 0)
    return bool(manifest.get("interrupted")) or cut_off or missing


def _run_quality(summaries: Sequence[SessionSummary]) -> Json:
    """The worst grade of the sessions, and how many gave each reason for theirs."""
    measured = [summary for summary in summaries if summary.record.outcome != FAILED]
    given = Counter(
        (reason["code"], reason["grade"]) for summary in measured for reason in summary.quality["reasons"]
    )
    reasons = [{"code": code, "grade": grade, "sessions": n} for (code, grade), n in given.items()]
    failed = len(summaries) - len(measured)
    if failed:
        reasons.append({"code": "our_side", "grade": "invalid", "sessions": failed})
    grades = [summary.grade for summary in measured] + ["invalid"] * bool(failed)
    return {"grade": worst_grade(grades), "reasons": reasons}
