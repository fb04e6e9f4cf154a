"""Every code that analysis can give has a sentence, with its numbers."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

import probe.analysis
from probe.analysis.quality import LIMITS
from probe.records import Json
from probe.report.facts import judgement_facts, peak_facts
from probe.report.outcome_reasons import outcome_sentence, restriction_sentence
from probe.report.sentences import SPEAKERS, sentence
from tests.report.samples import judgement, peak_row, record

ANALYSIS = Path(probe.analysis.__file__).parent


def codes_of_analysis() -> set[str]:
    sources = "".join(path.read_text() for path in ANALYSIS.glob("*.py"))
    literal = set(re.findall(r'"code": "(\w+)"', sources))
    chosen = set(re.findall(r'"(control_\w+)"', sources)) - {"control_fault", "control_infinite"}
    chosen |= {"control_infinite"}
    return literal | chosen | {limit.code for limit in LIMITS} | {"no_data", "unreachable", "died"}


def test_every_code_of_analysis_has_a_sentence() -> None:
    assert codes_of_analysis() - set(SPEAKERS) == set()


def judged(reason: Json, **changes: Any) -> str:
    return sentence(judgement_facts(judgement(reason=reason, **changes)))


@pytest.mark.parametrize(
    ("reason", "changes", "expected"),
    [
        ({"code": "within_limit"}, {}, "Holds, with 82.1 ms to spare."),
        ({"code": "within_limit"}, {"value": 200.0}, "Holds, exactly at the limit."),
        ({"code": "beyond_limit"}, {"value": 312.4}, "112.4 ms above the limit."),
        (
            {"code": "beyond_limit"},
            {"expr": "up.recovered >= 90%", "unit": "%", "value": 82.25},
            "7.75 points below the limit.",
        ),
        (
            {"code": "beyond_limit"},
            {"value": 200.0},
            "Exactly at the limit, which it must not reach.",
        ),
        (
            {"code": "infinite", "lost": 150, "n": 1500},
            {"value": None, "infinite": ("value",)},
            "150 of 1500 packets were lost (10.00 %), more than the 5 % that p95 leaves out.",
        ),
        (
            {"code": "infinite", "lost": 3, "n": 10},
            {"expr": "down.recovery.p95 < 150ms", "value": None, "infinite": ("value",)},
            "3 of 10 lost or late packets never came again (30.00 %), more than the 5 % that p95 leaves out.",
        ),
        (
            {"code": "infinite", "lost": 1, "n": 2},
            {"expr": "connect.p50 < 600ms", "value": None, "infinite": ("value",)},
            "1 of 2 sessions never got so far (50.00 %), more than the 50 % that p50 leaves out.",
        ),
        (
            {"code": "too_few_packets", "n": 320, "min_packets": 500},
            {},
            "320 of the 500 packets that a verdict needs (evidence.min_packets).",
        ),
        (
            {"code": "below_resolution", "aggregate": "p99", "n": 1, "min_n": 100, "of": "sessions"},
            {},
            "A p99 needs 100 sessions, there is 1.",
        ),
        (
            {"code": "not_reachable", "sessions": 3, "unreachable": 2, "died": 1, "controls": ["own-sg-1"]},
            {},
            "Of 3 sessions 2 got no answer and 1 lost the node on the way, while control own-sg-1 answered.",
        ),
        (
            {"code": "not_reachable", "sessions": 1, "unreachable": 0, "died": 1, "controls": []},
            {},
            "Of 1 session 1 lost the node on the way, and no control was there to say that it was our side.",
        ),
        (
            {"code": "controls_down", "controls": ["own-hk-1", "own-sg-1"]},
            {},
            "Controls own-hk-1, own-sg-1 did not answer either, so it may be our own uplink.",
        ),
        (
            {"code": "our_side", "error": {"code": "AuthenticationFailed", "detail": "the key is refused."}},
            {},
            "Our side could not measure: the key is refused.",
        ),
        (
            {"code": "within_limit", "set_aside": 1},
            {},
            "Holds, with 82.1 ms to spare. 1 session of it could not be used.",
        ),
        (
            {"code": "straddles_limit", "more": {"unit": "minute", "n": 11}},
            {},
            "The interval holds the limit; about 11 more minutes would decide.",
        ),
        (
            {"code": "straddles_limit", "more": {"unit": "evening", "n": 2}},
            {},
            "The interval holds the limit; about 2 more evenings would decide.",
        ),
        (
            {"code": "straddles_limit", "more": {"unit": "never"}},
            {},
            "The interval holds the limit; no sensible amount more would decide, so near the limit it is.",
        ),
        (
            {"code": "too_few_independent", "aggregate": "p99", "n_eff": 40, "min_n": 299},
            {},
            (
                "Not enough data: packets come in bunches, and these are worth 40 independent ones; "
                "a p99 needs 299."
            ),
        ),
        (
            {"code": "among_many", "gates": 40, "chance": 0.3},
            {},
            "Alone it would fail, but one of 40 gates may do so by luck (Holm).",
        ),
        (
            {"code": "own_side", "controls": ["own-sg-1"]},
            {},
            "Control own-sg-1 broke the same limit at the same minutes: our own uplink or ISP.",
        ),
    ],
)
def test_thresholds(reason: Json, changes: dict[str, Any], expected: str) -> None:
    assert judged(reason, **changes) == expected


def test_an_invalid_measurement_names_what_is_wrong() -> None:
    stall = {"code": "stall", "grade": "invalid", "value": 35.0, "limit": 20.0, "unit": "ms"}
    late = {"code": "host_late", "grade": "invalid", "value": 0.08, "limit": 0.05, "unit": "ratio"}
    assert judged({"code": "invalid_measurement", "reasons": [stall, late]}) == (
        "The measurement itself is not valid. The packet loop stood still for 35.0 ms (limit 20 ms). "
        "This host was too late to send 8.00 % of the packets (limit 5 %)."
    )


def test_quality_of_a_run_counts_sessions() -> None:
    reason = {"code": "stall", "grade": "degraded", "sessions": 2}
    assert sentence(reason) == "The packet loop stood still in 2 sessions."


@pytest.mark.parametrize(
    ("reason", "expected"),
    [
        (
            {"code": "beyond_margin", "margin": 14.32},
            "Worse by more than 14.3 ms, the smallest change that counts.",
        ),
        (
            {"code": "too_few_days", "days": 1, "min_days": 6},
            "Not enough data, 1 of 6 days (evidence.min_days).",
        ),
        (
            {"code": "window_missing", "window": "peak"},
            "Nothing is measured in the evening peak yet, and there is nothing to compare with.",
        ),
        (
            {
                "code": "below_resolution",
                "aggregate": "p95",
                "n": 4,
                "min_n": 20,
                "of": "packets",
                "window": "peak",
            },
            "A p95 needs 20 packets, the evening peak has 4.",
        ),
        (
            {"code": "too_few_packets", "n": 1, "min_packets": 500, "window": "offpeak"},
            "1 in the off-peak window of the 500 packets that a verdict needs (evidence.min_packets).",
        ),
    ],
)
def test_peak_rows(reason: Json, expected: str) -> None:
    assert sentence(peak_facts(peak_row(reason=reason))) == expected


def test_codes_of_a_newer_version_are_spelt_out() -> None:
    assert sentence({"code": "solar_flare", "watts": 3.5}) == "Solar flare (watts 3.5)."
    assert sentence({}) == "No reason."


def test_known_codes_with_other_parameters_are_spelt_out() -> None:
    assert sentence({"code": "too_few_packets", "packets": 3}) == "Too few packets (packets 3)."


def test_outcomes() -> None:
    assert outcome_sentence(record()) is None
    error = {"code": "unreachable", "detail": "no answer from [2001:db8::1]:40000 within 5 s."}
    assert outcome_sentence(record(outcome="unreachable", error=error)) == (
        "The node did not answer: no answer from [2001:db8::1]:40000 within 5 s."
    )
    assert outcome_sentence(record(outcome="died")) == "The node stopped answering."
    failed = {
        "code": "AuthenticationFailed",
        "detail": "the node refuses our key",
        "hint": "check $ALPHA_KEY",
    }
    assert outcome_sentence(record(outcome="failed", error=failed)) == (
        "Our side could not measure: the node refuses our key (check $ALPHA_KEY)."
    )


def test_what_a_node_says_cannot_steer_the_terminal() -> None:
    error = {"code": "refused", "detail": "busy\x1b]0;owned\x07\r\nreally"}
    told = outcome_sentence(record(outcome="failed", error=error))
    assert told == "Our side could not measure: busy?]0;owned?? really."


def test_restrictions() -> None:
    restriction = {"what": "streams", "asked": 100, "granted": 10, "why": "limit of the node"}
    assert restriction_sentence(restriction) == (
        "The node granted 10 instead of 100 streams: limit of the node."
    )
