"""At which loss a claim breaks: on steps made by hand, and on sweeps in virtual time whose answer is known."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from probe.analysis.admission import Examined, examine
from probe.analysis.assess import assess_summaries
from probe.analysis.claim_result import BREAKS, HOLDS, UNDECIDED, ClaimResult, ClaimStep
from probe.analysis.claims import bracket, crossing, judge_claims, judgement_of, monotone
from probe.analysis.results import FAIL, INCONCLUSIVE, NOT_MEASURED, PASS, SessionSummary
from probe.analysis.session import analyse_session
from probe.objectives import CLAIM_SETTLE_NS, Claim
from probe.plan.claims import networks_of
from probe.records import FAILED, NOT_CONNECTED
from tests.analysis.made import MS, S, crossings, record
from tests.virtual_sessions import measure_through

CLAIM = Claim("c", "voice", "udp", "up", "residual < 15%", 0.3, (0.0, 0.1, 0.2, 0.3), 200 * MS)


def claim(**changes: Any) -> Claim:
    return Claim.from_json(CLAIM.to_json() | changes)


def lossy_session(
    loss: float, *, claim_loss: float | None = None, seed: int = 1, **changes: Any
) -> SessionSummary:
    """13 s of voice, the last 10 of them with this share lost, evenly."""
    n = 650
    random = np.random.default_rng(seed)
    gone = random.permutation(500) < round(500 * loss)
    up = [30.0] * 150 + [None if lost else 30.0 for lost in gone]
    fields = {"claim": "c", "claim_loss": loss if claim_loss is None else claim_loss, "packets": n}
    rows = crossings(up, [40.0] * n)
    return analyse_session(record(**{**fields, "duration_ns": 13 * S, "network": "claim.c", **changes}), rows)


def swept(*losses: float) -> list[Examined]:
    return examine([lossy_session(loss, index=at) for at, loss in enumerate(losses)])


def judged(asked: Claim, sessions: list[Examined]) -> ClaimResult:
    (result,) = judge_claims([asked], sessions, 0.95)
    return result


def test_the_breaking_point_is_between_two_steps() -> None:
    result = judged(CLAIM, swept(0.0, 0.1, 0.2, 0.3))
    assert [step.verdict for step in result.steps] == [HOLDS, HOLDS, BREAKS, BREAKS]
    assert (result.low, result.high) == (0.1, 0.2)
    assert result.breaks_at == pytest.approx(0.15)
    assert (result.verdict, result.reason["code"]) == (FAIL, "claim_breaks")
    assert [step.n for step in result.steps] == [500] * 4  # the first three seconds do not count
    assert result.steps[2].measured_loss_ratio == 0.2


def test_what_is_claimed_below_the_breaking_point_passes() -> None:
    result = judged(claim(resists=0.1), swept(0.0, 0.1, 0.2, 0.3))
    assert (result.verdict, result.reason["code"], result.reason["high"]) == (PASS, "claim_holds", 20)


def test_near_the_criterion_nothing_is_decided() -> None:
    result = judged(claim(steps=[0.0, 0.15], resists=0.15), swept(0.0, 0.15))
    assert [step.verdict for step in result.steps] == [HOLDS, UNDECIDED]
    assert (result.low, result.high, result.verdict) == (0.0, None, INCONCLUSIVE)


def test_a_criterion_may_ask_for_much_instead_of_little() -> None:
    """Nothing is repaired here: `recovered` breaks wherever something is lost."""
    result = judged(claim(criterion="recovered > 50%"), swept(0.0, 0.1, 0.2, 0.3))
    assert [step.verdict for step in result.steps[1:]] == [BREAKS] * 3
    assert result.high == 0.1


def test_a_step_beyond_the_budget_breaks() -> None:
    summary = lossy_session(0.0)
    assert summary.up.repairs is not None
    expensive = analyse_session(
        record(
            claim="c", claim_loss=0.0, packets=650, duration_ns=13 * S,
            client={"retransmission_bytes": 650 * 120, "red_bytes": 0, "fec_bytes": 0},
        ),
        crossings([30.0] * 650, [40.0] * 650),
    )  # fmt: skip
    result = judged(claim(steps=[0.0], resists=0.0, overhead=1.5), examine([expensive]))
    assert (result.steps[0].overhead_ratio, result.steps[0].code) == (2.0, "over_budget")
    assert (result.verdict, result.reason["code"]) == (FAIL, "claim_over_budget")


def test_no_connection_at_a_loss_is_a_break() -> None:
    none = analyse_session(
        record(claim="c", claim_loss=0.3, outcome=NOT_CONNECTED, connect_ms=None), crossings([], [])
    )
    result = judged(CLAIM, [*swept(0.0, 0.1), *examine([none])])
    assert result.steps[3].code == "not_connected"
    assert (result.low, result.high) == (0.1, 0.3)
    assert result.reason["code"] == "claim_not_connected"


def test_what_our_side_could_not_measure_decides_nothing() -> None:
    failed = analyse_session(record(claim="c", claim_loss=0.3, outcome=FAILED), crossings([], []))
    result = judged(CLAIM, examine([failed]))
    assert (result.verdict, result.reason["code"]) == (NOT_MEASURED, "our_side")


def step(ratio: float, value: float | None, verdict: str = UNDECIDED, n: int = 100) -> ClaimStep:
    return ClaimStep(ratio, ratio, n, 10, value, None, None, None, verdict)


@pytest.mark.parametrize(
    ("verdicts", "expected"),
    [
        ([HOLDS, HOLDS, BREAKS], (0.1, 0.2)),
        ([HOLDS, UNDECIDED, BREAKS], (0.0, 0.2)),
        ([HOLDS, UNDECIDED, HOLDS], (0.0, None)),
        ([BREAKS, HOLDS, HOLDS], (None, 0.0)),
        ([UNDECIDED, UNDECIDED, UNDECIDED], (None, None)),
    ],
)
def test_brackets(verdicts: list[str], expected: tuple[float | None, float | None]) -> None:
    assert bracket([step(at / 10, None, verdict) for at, verdict in enumerate(verdicts)]) == expected


def test_values_out_of_order_are_pooled_before_they_cross() -> None:
    """Isotonic regression: 4, 2 -> 3, 3."""
    steps = [step(0.0, 0.0), step(0.1, 4.0), step(0.2, 2.0), step(0.3, 6.0)]
    less_than_4 = claim(criterion="residual < 4.5%").expression("up")
    assert crossing(steps, less_than_4) == pytest.approx(0.25)
    assert crossing(steps[:2], less_than_4) is None
    assert crossing([step(0.0, 9.0), step(0.1, 9.0)], less_than_4) == 0.0


@pytest.mark.slow
@given(st.lists(st.floats(0, 100), min_size=1, max_size=12))
def test_monotone_values_are_the_nearest(values: list[float]) -> None:
    given_values, weights = np.array(values), np.ones(len(values))
    found = monotone(given_values, weights)
    assert (np.diff(found) >= 0).all()
    assert found.mean() == pytest.approx(given_values.mean())
    if (np.diff(given_values) >= 0).all():
        assert found == pytest.approx(given_values)


def test_no_threshold_is_asked_of_a_sweep() -> None:
    sweep = [lossy_session(loss, index=at + 1) for at, loss in enumerate((0.0, 0.1, 0.2, 0.3))]
    usual = analyse_session(record(packets=1000), crossings([30.0] * 1000, [40.0] * 1000))
    manifest = {
        "run_id": "r",
        "thresholds": [{"expr": "up.loss < 1%", "severity": "gate"}],
        "claims": [CLAIM.to_json()],
        "evidence": {"min_packets": 100},
    }
    found = assess_summaries(manifest, [usual, *sweep])
    by_expr = {one.expr: one for one in found.thresholds}
    assert by_expr["up.loss < 1%"].n == 1000
    asked = by_expr["claim c: up residual < 15% up to 30% loss"]
    assert (asked.verdict, asked.low, asked.high) == (FAIL, 10, 20)
    assert asked.value == pytest.approx(15)
    assert (found.verdict, found.exit_code) == ("fail", 99)
    assert found.peak == assess_summaries(manifest | {"claims": []}, [usual]).peak
    document = json.loads(json.dumps(found.to_json(), allow_nan=False))
    assert document["claims"][0]["low"] == 0.1
    warned = assess_summaries(manifest | {"claims": [claim(severity="warn").to_json()]}, [usual, *sweep])
    assert warned.exit_code == 0
    assert judgement_of(found.claims[0]) == replace(asked, hours=None)


@pytest.mark.slow
def test_without_recovery_the_breaking_point_is_the_criterion_itself() -> None:
    """Independent loss, no remedy: a residual of 25 % is a loss of 25 %, in each direction that has it."""
    asked = claim(direction="both", criterion="residual < 25%", resists=0.2, steps=[0.0, 0.2, 0.3])
    sessions = []
    for index, network in enumerate(networks_of(asked)):
        made, rows = measure_through(
            network,
            seed=40 + index,
            seconds=18,
            nack=False,
            claim="c",
            claim_loss=asked.steps[index],
            calls=2,
        )
        made.index = index
        sessions.append(analyse_session(made, rows))
    results = judge_claims([asked], examine(sessions), 0.95)
    assert [result.way for result in results] == list(asked.ways)
    for result in results:
        assert (result.low, result.high) == (0.2, 0.3)
        assert result.breaks_at == pytest.approx(0.25, abs=0.025)
        assert result.verdict == PASS
        for one in result.steps:
            assert one.measured_loss_ratio == pytest.approx(one.loss_ratio, abs=0.04)
            assert one.value == pytest.approx(100 * (one.measured_loss_ratio or 0))


def test_the_network_is_clean_until_the_evidence_begins() -> None:
    asked = claim(direction="up", steps=[0.3], resists=0.3)
    (network,) = networks_of(asked)
    made, rows = measure_through(network, seed=1, seconds=13, nack=False)
    early = rows["scheduled_ns"] < rows["scheduled_ns"].min() + CLAIM_SETTLE_NS - 1_000 * MS
    lost = rows["node_received_ns"] < 0
    assert not lost[early].any()
    assert lost[~early].mean() > 0.2
    assert made.impairment["down"]["lost"] == 0
