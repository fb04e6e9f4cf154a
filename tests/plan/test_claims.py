"""Claims in a plan: what they become, and what is refused."""

from __future__ import annotations

import pytest

from probe.impairment.profile import Loss
from probe.objectives import CLAIM_SETTLE_NS, Claim
from probe.plan.expand import expand
from probe.plan.loaded import LoadedPlan, plan_from_manifest
from tests.plan.plan_text import GOOD, load, mistakes

CLAIM = """\
claims:
  - {name: c-70, scenario: voice, direction: up, criterion: residual < 5%, resists: 70%, steps: [0%, 30%], deadline: 300ms}
"""


def with_claim(old: str = "", new: str = "") -> str:
    assert not old or CLAIM.count(old) == 1
    return GOOD + CLAIM.replace(old, new) if old else GOOD + CLAIM


def sweep(loaded: LoadedPlan, *, claims: bool = True) -> list[tuple[str, str, str, float | None]]:
    return [
        (lane.node.name, spec.network, spec.window, spec.claim_loss)
        for lane in expand(loaded.plan, lambda _: "offpeak", claims=claims)
        for spec in lane.sessions
        if spec.claim
    ]


def test_a_claim_is_a_sweep_of_its_own_at_each_vendor_node() -> None:
    loaded = load(with_claim())
    (claim,) = loaded.claims
    assert (claim.steps, claim.resists, claim.deadline_ns, claim.severity) == (
        (0, 0.3, 0.7),
        0.7,
        300_000_000,
        "gate",
    )
    assert (claim.file, claim.line) == ("plan.yaml", GOOD.count("\n") + 2)
    networks = ["claim.c-70.0", "claim.c-70.30", "claim.c-70.70"]
    assert sweep(loaded) == [
        *(("jkt-1", name, "offpeak", loss) for name, loss in zip(networks, claim.steps, strict=True)),
        *(("sim-1", name, "peak", loss) for name, loss in zip(networks, claim.steps, strict=True)),
    ]
    assert sweep(loaded, claims=False) == []
    specs = [spec for lane in expand(loaded.plan, lambda _: "peak") for spec in lane.sessions if spec.claim]
    assert {spec.scenario.deadline for spec in specs} == {300_000_000}
    assert [spec.path for spec in specs] == [None] * 3 + ["id-4g-evening"] * 3


def test_its_networks_are_clean_first_and_lossy_in_its_direction() -> None:
    networks = load(with_claim("resists: 70%", "resists: 70%, burst: 4, budget: {rate: 100kbps}")).networks
    assert networks["claim.c-70.0"].up.timeline is None
    assert networks["claim.c-70.0"].up.rate_bps == 100_000
    lossy = networks["claim.c-70.30"].up.timeline
    assert lossy is not None and not lossy.loop
    first, then = lossy.steps
    assert (first.duration_ns, first.impairment.loss) == (CLAIM_SETTLE_NS, None)
    loss = then.impairment.loss
    assert loss == Loss(0.3, 4)
    assert then.impairment.rate_bps == 100_000
    assert networks["claim.c-70.30"].down.timeline is None


def test_a_manifest_brings_it_back() -> None:
    loaded = load(with_claim("deadline: 300ms", "budget: {overhead: 1.5x}, severity: warn"))
    again = plan_from_manifest(loaded.resolved())
    assert again.claims == loaded.claims
    assert again.claims[0].overhead == 1.5
    assert again.claims[0].deadline_ns == 200_000_000  # the scenario's
    assert again.networks == loaded.networks
    assert Claim.from_json(again.claims[0].to_json() | {"newer": 1}) == again.claims[0]


@pytest.mark.parametrize(
    ("old", "new", "sentence"),
    [
        ("scenario: voice", "scenario: voise", "unknown scenario 'voise', did you mean 'voice'?"),
        ("residual < 5%", "loss < 5%", 'a criterion is about what recovery leaves or repairs, without a direction: write "residual < 5%" or "recovered > 90%" (got "loss < 5%")'),
        ("residual < 5%", "residual < 5", '"up.residual < 5": the limit is a share: %, and its unit is missing; did you mean "5%"?'),
        ("direction: up", "direction: upward", "'upward' is not known here (known: up, down, both)"),
        ("resists: 70%", "resists: 70", "70 has no % sign: write 3% or 0.5%"),
        ("[0%, 30%]", "[0%, 100%]", "of a loss of 100% nothing can be said: give less"),
        ("deadline: 300ms", "deadline: 3s", "a deadline lies between 0s and 2s, after which a packet is lost"),
        ("deadline: 300ms", "budget: {overhead: 150%}", "an overhead is bytes sent by bytes of media: write 1.5x"),
        ("deadline: 300ms", "budget: {overhead: 0.5x}", "nothing less than the media is sent: an overhead is 1x or more (got 0.5x)"),
        ("deadline: 300ms", "loss: iid", "unknown key 'loss' (known: name, scenario, transport, direction, criterion, resists, burst, steps, deadline, budget, repeat, severity)"),
        ("name: c-70", f"name: {'c' * 49}", "the name of a claim has at most 48 letters"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_told_in_one_sentence(old: str, new: str, sentence: str) -> None:
    assert [item.message for item in mistakes(with_claim(old, new))] == [sentence]


def test_bursts_shorter_than_the_loss_allows() -> None:
    (found,) = mistakes(with_claim("deadline: 300ms", "burst: 2"))
    assert found.message.startswith("a mean burst of 2 is shorter than a loss of 70 % allows")


def test_two_of_one_name() -> None:
    (found,) = mistakes(with_claim() + CLAIM.splitlines()[1] + "\n")
    assert "names are unique" in found.message


def test_a_claim_needs_a_stream_in_its_direction_and_time() -> None:
    text = with_claim("direction: up", "direction: both").replace(
        "voice: {preset: voice", "voice: {preset: live"
    )
    assert "'voice' sends up alone: write direction: up" in [item.message for item in mistakes(text)]
    short = with_claim().replace("calls: 1, duration: 30s", "calls: 1, duration: 9s")
    (found,) = mistakes(short)
    assert found.message == "'voice' lasts 9s: a claim needs 10s or more, the first 3s of which do not count"
