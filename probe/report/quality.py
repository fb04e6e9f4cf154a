"""What the measurement itself is worth, told before any verdict is believed."""

from __future__ import annotations

from collections.abc import Sequence

from rich.text import Text

from probe.analysis.results import GRADE_GOOD, Assessment, SessionSummary
from probe.records import Json
from probe.report import labels
from probe.report.numbers import NO_DATA, milliseconds, plural
from probe.report.outcome_reasons import outcome_sentence, restriction_sentence
from probe.report.sentences import sentence
from probe.report.words import grade_word

TITLE = "Measurement quality"
MOST_SESSIONS = 40
_STAMPS = {"sent": "sent", "node_received": "node in", "node_sent": "node out", "received": "back"}
_LEVERS = {"realtime": "--rt", "low_latency": "--low-latency", "spin_us": "--spin"}


def quality(assessment: Assessment) -> list[Text]:
    """The grade of the run with its reasons, then a line for each session that has something to tell."""
    word = grade_word(str(assessment.quality["grade"]))
    head = Text.assemble((f"{TITLE}: ", "bold"), (f"{word.mark} {word.word}", word.style))
    reasons = [sentence(reason).rstrip(".") for reason in assessment.quality["reasons"]]
    if reasons:
        head.append(f" ({'; '.join(reasons)})")
    elif assessment.sessions:
        head.append(f" in {_all(len(assessment.sessions))}")
    head.append(". ")
    lines = [head.append_text(_how(assessment.sessions))]
    told = [
        (session, sentences)
        for session in labels.in_order(assessment.sessions)
        if (sentences := session_sentences(session))
    ]
    for session, sentences in told[:MOST_SESSIONS]:
        lines.append(
            Text.assemble("  ", (labels.one_line(session.record), "bold"), ": ", " ".join(sentences))
        )
    if len(told) > MOST_SESSIONS:
        more = plural(len(told) - MOST_SESSIONS, "more session")
        lines.append(Text(f"  and {more} with something to tell (--json has all)"))
    return lines


def session_sentences(session: SessionSummary) -> list[str]:
    """How it ended, what is wrong with its measurement, and what the node restricted."""
    record = session.record
    ended = outcome_sentence(record)
    told = [] if ended is None else [ended]
    if session.grade != GRADE_GOOD:
        told += [sentence(reason) for reason in session.quality.get("reasons", ())]
    return told + [restriction_sentence(item) for item in record.restricted]


def _how(sessions: Sequence[SessionSummary]) -> Text:
    """Where the times come from, and how punctual sending was."""
    text = _stamps(sessions)
    late = [(session.quality.get("lateness_ms") or {}).get("p99") for session in sessions]
    if known := [value for value in late if value is not None]:
        text += f" In the worst session 1 packet in 100 left {milliseconds(max(known))} ms late or more."
    for told in (_carrier(sessions), _levers(sessions)):
        text += f" {told}" if told else ""
    return Text(text, style="dim")


def _stamps(sessions: Sequence[SessionSummary]) -> str:
    """The four times of a packet, over UDP and over QUIC apart where they differ."""
    stamps: dict[str, list[Json]] = {}
    for session in sessions:
        way = "QUIC" if "quic" in session.record.transport else "UDP"
        stamps.setdefault(way, []).append(session.quality.get("stamps") or {})
    found = {way: [_source(of_way, name) or NO_DATA for name in _STAMPS] for way, of_way in stamps.items()}
    known = {way: sources for way, sources in found.items() if set(sources) != {NO_DATA}}
    if not known:
        return "No packet was stamped."
    told = [", ".join(sources) for sources in known.values()]
    if len(set(told)) > 1:
        told = [f"{text} over {way}" for text, way in zip(told, known, strict=True)]
    return f"Time stamps ({', '.join(_STAMPS.values())}): {'; '.join(dict.fromkeys(told))}."


def _carrier(sessions: Sequence[SessionSummary]) -> str:
    """Said when packets were moved one by one, as where a system has no better calls."""
    plain = [session for session in sessions if session.quality.get("carrier") == "plain"]
    return f"Plain sockets, one call a packet, in {plural(len(plain), 'session')}." if plain else ""


def _levers(sessions: Sequence[SessionSummary]) -> str:
    """What was asked for beyond an ordinary process, and in how many sessions it was not granted."""
    told = [session.quality.get("punctuality") or {} for session in sessions]
    parts = []
    for name, words in _LEVERS.items():
        asked = [one for one in told if (one.get("asked") or {}).get(name)]
        if asked:
            refused = [one for one in asked if not (one.get("granted") or {}).get(name)]
            parts.append(words + (f" (not granted in {plural(len(refused), 'session')})" if refused else ""))
    return f"Asked for: {', '.join(parts)}." if parts else ""


def _source(stamps: Sequence[Json], name: str) -> str | None:
    """`kernel`, `user` or `mixed` over all sessions; None where nothing was stamped."""
    found = {stamp.get(name) for stamp in stamps} - {None}
    return "mixed" if len(found) > 1 else next(iter(found), None)


def _all(number: int) -> str:
    return "the only session" if number == 1 else f"all {plural(number, 'session')}"
