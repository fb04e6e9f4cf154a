"""A claim put to a node over real sockets: the loss is the sweep's, what repairs it costs, and the run says both."""

from __future__ import annotations

from pathlib import Path

import pytest

from probe.analysis.results import FAIL
from tests.nodes import NodeProcess, write_plan
from tests.session.measuring import measure

pytestmark = pytest.mark.net

SETTLE_NS = 200_000_000
"""A claim's sessions are shortened for the test; nothing else is."""
CALLS, SECONDS, LEAST_SECONDS = 4, 3.4, 3
LOSS, OVERHEAD = 0.5, 1.2


async def test_a_sweep_imposes_its_loss_and_counts_what_repairs_cost(
    node: NodeProcess, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Half of what comes down is lost. NACK brings it back, at a second packet for each, which the budget forbids."""
    for module in ("probe.plan.checks", "probe.plan.claims", "probe.analysis.claim_parts"):
        monkeypatch.setattr(f"{module}.CLAIM_SETTLE_NS", SETTLE_NS)
    monkeypatch.setattr("probe.plan.checks.LEAST_CLAIM_NS", LEAST_SECONDS * 1_000_000_000)
    monkeypatch.setattr("probe.analysis.claims.LEAST_SECONDS", LEAST_SECONDS)
    short = {"preset": "voice", "duration": "200ms"}
    voice = short | {"calls": CALLS, "duration": f"{1000 * SECONDS:.0f}ms", "deadline": "1500ms"}
    claim = {
        "name": "resists-half",
        "scenario": "calls",
        "direction": "down",
        "criterion": "residual < 20%",
        "resists": f"{LOSS:.0%}",
        "steps": ["0%"],
        "budget": {"overhead": f"{OVERHEAD}x"},
    }
    plan = write_plan(
        tmp_path,
        node.entry(),
        scenarios={"voice": short, "calls": voice | {"recovery": {"nack": True}}},
        claims=[claim],
    )
    found = await measure(plan, tmp_path / "results", seed=5)

    assert {session.record.claim_loss for session in found.sessions} == {None, 0.0, LOSS}
    (result,) = found.assessment.claims
    clean, lossy = result.steps
    due = round(CALLS * 50 * (SECONDS - SETTLE_NS / 1e9))
    for step in result.steps:
        assert 0.8 * due < step.n <= due  # a busy machine leaves some unsent
    assert clean.verdict == "holds"
    assert clean.measured_loss_ratio is not None and clean.measured_loss_ratio < 0.05
    assert clean.overhead_ratio is not None and clean.overhead_ratio < OVERHEAD
    # Of more than 500 packets: six standard errors.
    assert lossy.measured_loss_ratio == pytest.approx(LOSS, abs=0.14)
    assert lossy.value is not None and lossy.value < 20
    assert lossy.overhead_ratio is not None and lossy.overhead_ratio > 1 + LOSS / 2 > OVERHEAD
    assert (lossy.verdict, lossy.code) == ("breaks", "over_budget")
    assert (result.low, result.high, result.breaks_at) == (0.0, LOSS, None)
    assert (result.verdict, found.assessment.exit_code) == (FAIL, 99)
