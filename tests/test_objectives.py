"""The grammar of thresholds."""

from __future__ import annotations

import re
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from probe.objectives import (
    EXPRESSION_PATTERN,
    FUNCTIONS,
    METRIC_NAMES,
    OPERATORS,
    Evidence,
    Threshold,
    find_metric,
    parse_expression,
)


@pytest.mark.parametrize(
    ("text", "function", "metric", "aggregate", "op", "limit", "unit"),
    [
        ("rtt.p95 < 200ms", None, "rtt", "p95", "<", 200.0, "ms"),
        ("latency.p99.9<=1.5 s", None, "rtt", "p99.9", "<=", 1500.0, "ms"),
        ("connect.min > 250us", None, "connect", "min", ">", 0.25, "ms"),
        ("down.residual < 1%", None, "down.residual", None, "<", 1.0, "%"),
        ("up.recovery.p95 < 150ms", None, "up.recovery", "p95", "<", 150.0, "ms"),
        ("up.jitter.last < 30ms", None, "up.jitter", "last", "<", 30.0, "ms"),
        ("reachable >= 100%", None, "reachable", None, ">=", 100.0, "%"),
        ("peak_ratio(rtt.p95) < 1.5", "peak_ratio", "rtt", "p95", "<", 1.5, ""),
        ("peak_ratio( up.loss ) < 2x", "peak_ratio", "up.loss", None, "<", 2.0, ""),
        ("peak_shift(up.loss) < 0.3%", "peak_shift", "up.loss", None, "<", 0.3, "%"),
        ("vs_control(latency.p50) < -5ms", "vs_control", "rtt", "p50", "<", -5.0, "ms"),
    ],
)
def test_it_reads(
    text: str, function: str | None, metric: str, aggregate: str | None, op: str, limit: float, unit: str
) -> None:
    found = parse_expression(text)
    assert (found.function, found.metric, found.aggregate) == (function, metric, aggregate)
    assert (found.op, found.unit) == (op, unit)
    assert found.limit == pytest.approx(limit)
    assert re.search(EXPRESSION_PATTERN, text)


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("rt.p95 < 200ms", 'did you mean "rtt.p95"?'),
        (
            "rtt < 200ms",
            '"rtt" needs one of p50, p90, p95, p99, p99.9, min, mean, max; did you mean "rtt.p95"?',
        ),
        ("rtt.p96 < 200ms", '"rtt" needs one of'),
        ("up.jitter.p95 < 3ms", 'did you mean "up.jitter.max"?'),
        ("loss.p95 < 1%", '"loss" is one number'),
        ("up.los < 1%", 'did you mean "up.loss"?'),
        ("zzz < 1%", "there are rtt, loss, up.loss"),
        ("loss < 1", 'its unit is missing; did you mean "1%"?'),
        ("loss < 1ms", 'the limit is a share: %, not "ms"'),
        ("rtt.p95 < 200", 'did you mean "200ms"?'),
        ("rtt.p95 < 5%", 'not "%"'),
        ("rtt.p95 =< 200ms", 'did you mean "rtt.p95 <= 200ms"?'),
        ("rtt.p95 200ms", "is not METRIC OP NUMBER UNIT"),
        ("peak_rato(rtt.p95) < 2", 'did you mean "peak_ratio"?'),
        ("peak_ratio(loss) < 2%", "a plain ratio"),
        ("loss < 150%", "from 0% to 100%"),
        ("rtt.p95 < -3ms", "never negative"),
        ("", "is not METRIC OP NUMBER UNIT"),
    ],
)
def test_it_refuses_with_a_sentence(text: str, sentence: str) -> None:
    with pytest.raises(ValueError, match=re.escape(sentence)):
        parse_expression(text)


@given(st.text(max_size=40))
def test_any_text_is_an_expression_or_a_value_error(text: str) -> None:
    with suppress(ValueError):
        assert parse_expression(text).limit >= 0


@given(
    st.sampled_from(METRIC_NAMES),
    st.sampled_from((None, *FUNCTIONS)),
    st.sampled_from(OPERATORS),
    st.sampled_from(("0", "7", "99.5", "-1")),
    st.sampled_from(("", "x", "us", "ms", "s", "%", "m")),
)
def test_the_schema_pattern_and_the_parser_accept_the_same(
    name: str, function: str | None, op: str, number: str, unit: str
) -> None:
    text = f"{name if function is None else f'{function}({name})'} {op} {number}{unit}"
    try:
        parse_expression(text)
    except ValueError:
        accepted = False
    else:
        accepted = True
    assert accepted == bool(re.search(EXPRESSION_PATTERN, text))


def test_limits_hold_as_written() -> None:
    below, at_most = parse_expression("rtt.p95 < 200ms"), parse_expression("rtt.p95 <= 200ms")
    above, at_least = parse_expression("reachable > 99%"), parse_expression("reachable >= 99%")
    assert not below.holds(200)
    assert at_most.holds(200)
    assert not at_most.holds(float("inf"))
    assert not above.holds(99)
    assert at_least.holds(99)


def test_the_subject_is_the_metric_as_written_in_full() -> None:
    assert parse_expression("latency.p95 < 1s").subject == "rtt.p95"
    assert parse_expression("loss < 1%").subject == "loss"
    assert find_metric("up.pdv.p99.9")[1] == "p99.9"


def test_thresholds_and_evidence_survive_storage() -> None:
    threshold = Threshold(
        parse_expression("rtt.p95 < 200ms"), "warn", {"network": ["clean", "lossy-3g"]}, "plan.yaml", 7
    )
    assert Threshold.from_json(threshold.to_json()) == threshold
    evidence = Evidence(min_packets=10, block_ns=5)
    assert Evidence.from_json(evidence.to_json()) == evidence
    assert Evidence.from_json({}) == Evidence()
