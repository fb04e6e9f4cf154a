"""The JSON document of a run: what `--json` prints and `summary.json` keeps (docs/contract.md)."""

from __future__ import annotations

import json
from collections.abc import Sequence

from probe.analysis.claim_result import ClaimResult
from probe.analysis.results import Assessment, Judgement, PeakRow, SessionSummary
from probe.records import Json
from probe.report.facts import expression_of, judgement_facts, peak_facts
from probe.report.forward import judgement_sentence, peak_sentence
from probe.report.outcome_reasons import outcome_sentence
from probe.report.sentences import sentence


def document(assessment: Assessment) -> Json:
    """As `Assessment.to_json`, with every reason as a sentence and its code beside it.

    A reason's own parameters stand in `reason_facts`. No data is null, never 0.
    """
    return assessment.to_json() | {
        "sessions": [_session(session) for session in assessment.sessions],
        "thresholds": [_threshold(judgement) for judgement in assessment.thresholds],
        "peak": [_peak(row) for row in assessment.peak],
        "quality": _quality(assessment.quality),
        "claims": [_claim(result) for result in assessment.claims],
    }


def encode(content: Json, *, indent: int | None = 2) -> str:
    """Strict JSON in ASCII, so that it survives any terminal and locale.

    Without an indent it is one line: millions of numbers would be mostly indents. Raises `ValueError` for
    NaN and infinity, which no other parser takes.
    """
    return json.dumps(content, allow_nan=False, indent=indent)


def _session(session: SessionSummary) -> Json:
    told = outcome_sentence(session.record)
    return session.to_json() | {"outcome_sentence": told, "quality": _quality(session.quality)}


def _threshold(judgement: Judgement) -> Json:
    expression = expression_of(judgement)
    limit = None if expression is None else expression.limit
    op = None if expression is None else expression.op
    return (
        judgement.to_json()
        | {"op": op, "limit": limit, "sentence": judgement_sentence(judgement)}
        | _reason(judgement.reason, judgement_facts(judgement))
    )


def _claim(result: ClaimResult) -> Json:
    return result.to_json() | _reason(result.reason, result.reason)


def _peak(row: PeakRow) -> Json:
    return row.to_json() | {"sentence": peak_sentence(row)} | _reason(row.reason, peak_facts(row))


def _reason(reason: Json, facts: Json) -> Json:
    parameters = {name: value for name, value in reason.items() if name != "code"}
    return {"reason": sentence(facts), "reason_code": reason.get("code"), "reason_facts": parameters}


def _quality(quality: Json) -> Json:
    reasons: Sequence[Json] = quality["reasons"]
    return quality | {
        "reasons": [sentence(reason) for reason in reasons],
        "reason_codes": [reason["code"] for reason in reasons],
    }
