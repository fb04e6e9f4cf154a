"""The JSON document: strict, complete, and of the contract's names."""

from __future__ import annotations

import json
import math
from dataclasses import replace
from typing import Any

import jsonschema
import pytest

from probe.analysis.results import COUNTS
from probe.report.document import document, encode
from tests.report import samples
from tests.report.samples import assessment, judgement, lossy, session, unreachable

NUMBER = {"type": ["number", "null"]}
TEXT = {"type": ["string", "null"]}
NAME = {"type": "string"}
COUNT = {"type": "integer"}
NAMES = {"type": "array", "items": {"type": "string"}}


def shape(**properties: Any) -> dict[str, Any]:
    """An object with all of these keys."""
    return {"type": "object", "properties": properties, "required": list(properties)}


DISTRIBUTION = shape(
    n={"type": "integer"},
    infinite=NAMES,
    **dict.fromkeys(("min", "mean", "p50", "p90", "p95", "p99", "p99_9", "max"), NUMBER),
)
RATIOS = ("loss_ratio", "residual_ratio", "recovered_ratio", "reordered_ratio")
DIRECTION = shape(
    **dict.fromkeys(RATIOS, NUMBER),
    **dict.fromkeys(("recovery_ms", "pdv_ms", "ipdv_ms"), DISTRIBUTION),
    jitter_ms=shape(max=NUMBER, mean=NUMBER, last=NUMBER),
)
QUALITY = shape(grade={"enum": ["good", "degraded", "invalid"]}, reasons=NAMES, reason_codes=NAMES)
SESSION = shape(
    **dict.fromkeys(("vendor", "node", "scenario", "network", "window", "transport"), NAME),
    **dict.fromkeys(("started_at", "local_time", "outcome"), NAME),
    counts=shape(**dict.fromkeys(COUNTS, COUNT)),
    rtt_ms=DISTRIBUTION,
    connect_ms=NUMBER,
    handshake_ms=NUMBER,
    loss_ratio=NUMBER,
    reachable_ratio=NUMBER,
    up=DIRECTION,
    down={"oneOf": [DIRECTION, {"type": "null"}]},
    quality=QUALITY,
)
REASON: dict[str, Any] = {
    "reason": {"type": "string", "minLength": 1},
    "reason_code": TEXT,
    "reason_facts": {"type": "object"},
}
THRESHOLD = shape(
    expr={"type": "string"},
    scope={"type": "object"},
    **dict.fromkeys(("value", "limit", "low", "high"), NUMBER),
    unit={"type": "string"},
    n={"type": "integer"},
    blocks={"type": "integer"},
    sessions={"type": "integer"},
    days={"type": "integer"},
    **dict.fromkeys(("counted_in", "hours"), TEXT),
    n_eff=NUMBER,
    attribution={"type": ["object", "null"]},
    sentence={"type": "string", "minLength": 1},
    verdict={"enum": ["pass", "fail", "inconclusive", "not_measured"]},
    severity={"enum": ["gate", "warn", "info"]},
    file=TEXT,
    line={"type": ["integer", "null"]},
    **REASON,
)
PEAK = shape(
    **dict.fromkeys(("vendor", "node", "scenario", "network", "transport", "metric"), NAME),
    **dict.fromkeys(("peak", "offpeak", "shift", "ratio", "low", "high"), NUMBER),
    **dict.fromkeys(("ratio_low", "ratio_high"), NUMBER),
    paired={"type": "boolean"},
    sentence={"type": "string", "minLength": 1},
    days={"type": "integer"},
    verdict={"enum": ["degraded", "not_degraded", "inconclusive"]},
    **REASON,
)
SCHEMA = shape(
    schema_version={"const": 1},
    run_id={"type": "string"},
    verdict={"enum": ["pass", "fail", "inconclusive", "not_measured", "interrupted"]},
    exit_code={"enum": [0, 3, 4, 99, 130, 143]},
    emulated={"type": "boolean"},
    vantage=TEXT,
    sessions={"type": "array", "items": SESSION},
    thresholds={"type": "array", "items": THRESHOLD},
    peak={"type": "array", "items": PEAK},
    quality=QUALITY,
    hours={"type": "array"},
    claims={"type": "array"},
)


def checked(shown: Any) -> Any:
    """The document as another program reads it, of the pinned shape."""
    content = json.loads(encode(document(shown)))
    jsonschema.validate(content, SCHEMA)
    return content


def test_a_whole_run_is_of_the_pinned_shape() -> None:
    content = checked(samples.evening())
    assert len(content["sessions"]) == 24
    assert content["exit_code"] == 99


def test_no_key_of_the_top_is_missing_or_new() -> None:
    assert list(document(assessment())) == SCHEMA["required"]


def test_no_data_is_null_and_never_zero() -> None:
    found = checked(assessment(sessions=(unreachable(),)))["sessions"][0]
    assert found["loss_ratio"] is None
    assert found["connect_ms"] is None
    assert found["rtt_ms"] == {"n": 0, "infinite": []} | dict.fromkeys(
        ("min", "mean", "p50", "p90", "p95", "p99", "p99_9", "max")
    )
    assert found["up"]["jitter_ms"] == {"max": None, "mean": None, "last": None}
    assert found["reachable_ratio"] == 0.0
    assert found["outcome_sentence"].startswith("The node did not answer")


def test_infinite_percentiles_are_null_and_named() -> None:
    found = checked(assessment(sessions=(lossy(),)))["sessions"][0]["rtt_ms"]
    assert found["infinite"] == ["p95", "p99", "p99_9"]
    assert found["p95"] is None
    assert found["p90"] == 144.0


def test_reasons_are_sentences_with_their_code_beside() -> None:
    shown = judgement("inconclusive")
    found = checked(assessment(thresholds=(shown,)))["thresholds"][0]
    assert found["reason"] == "320 of the 500 packets that a verdict needs (evidence.min_packets)."
    assert found["reason_code"] == "too_few_packets"
    assert found["reason_facts"] == {"n": 320, "min_packets": 500}
    assert (found["op"], found["limit"]) == ("<", 200.0)


def test_quality_reasons_are_sentences_too() -> None:
    stall = {"code": "stall", "grade": "degraded", "value": 35.0, "limit": 20.0, "unit": "ms"}
    bad = replace(session(), quality=samples.GOOD | {"grade": "degraded", "reasons": [stall]})
    found = checked(assessment(sessions=(bad,)))["sessions"][0]["quality"]
    assert found["reasons"] == ["The packet loop stood still for 35.0 ms (limit 20 ms)."]
    assert found["reason_codes"] == ["stall"]
    assert found["stamps"]["received"] == "kernel"


def test_one_way_sessions_have_no_down() -> None:
    assert checked(assessment(sessions=(replace(session(), down=None),)))["sessions"][0]["down"] is None


def test_nan_and_infinity_are_refused_not_printed() -> None:
    for value in (math.nan, math.inf):
        with pytest.raises(ValueError, match="JSON compliant"):
            encode(document(assessment(thresholds=(judgement(value=value),))))


def test_the_text_is_ascii_whatever_the_names() -> None:
    text = encode(document(assessment(sessions=(session(city="雅加达"),))))
    assert text.isascii()
    assert json.loads(text)["sessions"][0]["city"] == "雅加达"
