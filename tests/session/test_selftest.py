"""The self-test finds what is wrong: a relay that does not do what was drawn, a model that is not netem's."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest

from probe.impairment import loss
from probe.impairment.conformance import CASES
from probe.impairment.profile import Impairment
from probe.impairment.trials import TRIALS, Trial
from probe.net.relay import Relay
from probe.session import conformance, selftest
from probe.session.selftest import MACHINE, Check
from tests.data.netem.figures import document


def shortened(name: str, packets: int) -> Trial:
    trial = next(trial for trial in TRIALS if trial.case.name == name)
    return replace(trial, case=replace(trial.case, traffic=replace(trial.case.traffic, packets=packets)))


SHORT = (
    shortened("loss 10 %, up", 1500),
    shortened("loss 10 %, down", 1500),
    shortened("duplicate 10 %, loss 5 %", 1500),
    shortened("corrupt 5 %", 1500),
    shortened("reorder 25 %, delay 20 ms", 300),
    shortened("delay 50 ± 10 ms, unordered", 300),
)


def measured(monkeypatch: pytest.MonkeyPatch, trials: tuple[Trial, ...]) -> list[Check]:
    monkeypatch.setattr(selftest, "TRIALS", trials)
    monkeypatch.setattr(selftest, "TAIL_NS", 0)
    return asyncio.run(selftest.selftest(7, lambda done, of, name: None))


@pytest.mark.net
def test_every_packet_fares_on_sockets_as_it_was_drawn(monkeypatch: pytest.MonkeyPatch) -> None:
    checks = measured(monkeypatch, SHORT)
    fates = [check for check in checks if check.parameter == "fates other than drawn"]
    assert [check.trial for check in fates] == [trial.case.name for trial in SHORT[:5]]
    assert all(check.measured == 0 for check in fates)
    for check in checks:
        if check.parameter in ("loss %", "doubled %", "one bit flipped %"):
            assert check.inside, check
    assert [check.trial for check in checks[-2:]] == [MACHINE, MACHINE]
    assert 0 < checks[-2].measured <= checks[-1].measured


@pytest.mark.net
def test_a_relay_that_does_something_else_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    right = Relay.configure

    async def wrong(relay: Relay, up: Impairment, down: Impairment, seed: int) -> None:
        await right(relay, up, down, seed + 1)

    monkeypatch.setattr(Relay, "configure", wrong)
    checks = measured(monkeypatch, SHORT[:1])
    found = next(check for check in checks if check.parameter == "fates other than drawn")
    assert not found.inside
    assert found.attempt == 2
    assert found.measured > 100


@pytest.mark.slow
def test_the_figures_that_are_shipped_are_the_recordings() -> None:
    shipped = conformance.recorded()
    made = document()
    assert (shipped.kernel, shipped.iproute2) == (made["kernel"], made["iproute2"])
    assert set(shipped.cases) == {case.name for case in CASES} == set(made["cases"])
    for name, facts in made["cases"].items():
        for figure, (value, _) in facts["figures"].items():
            assert shipped.cases[name][figure].value == pytest.approx(value, rel=1e-6, abs=1e-8)


def test_a_wrong_model_is_outside(monkeypatch: pytest.MonkeyPatch) -> None:
    cases = [case for case in CASES if case.name.startswith("gemodel 2 20 80")]
    monkeypatch.setattr(conformance, "CASES", cases)
    kernel = conformance.recorded()
    assert all(row.inside for row in conformance.conformance(kernel, 1))
    made = loss.ElliottLoss.__init__
    monkeypatch.setattr(
        loss.ElliottLoss,
        "__init__",
        lambda self, model, seed: made(self, replace(model, p=model.r, r=model.p), seed),
    )
    assert not all(row.inside for row in conformance.conformance(kernel, 1))
