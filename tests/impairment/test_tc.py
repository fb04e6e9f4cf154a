"""Profiles as tc commands. That a kernel understands them as meant is tested in tests/uml."""

from __future__ import annotations

import pytest

from probe.impairment.course import Delivery, Outage, Step, Timeline
from probe.impairment.profile import Chance, FourState, GilbertElliott, Impairment, Loss, Reorder, Slot, Table
from probe.impairment.tc import step_plan, tc_plan

MS = 1_000_000


def stages(impairment: Impairment) -> list[str]:
    return [" ".join(stage) for stage in tc_plan(impairment).stages]


@pytest.mark.parametrize(
    ("impairment", "words"),
    [
        (Impairment(), ["limit 1000000"]),
        (Impairment(50 * MS), ["limit 1000000 delay 50000.000us 0.000us"]),
        (
            Impairment(50 * MS, 10 * MS),
            ["limit 1000000 delay 50000.000us 10000.000us distribution normal rate 100gbit"],
        ),
        (
            Impairment(50 * MS, 10 * MS, "uniform", ordered=False, delay_correlation=0.5),
            ["limit 1000000 delay 50000.000us 10000.000us 50%"],
        ),
        (Impairment(loss=Loss(0.1)), ["limit 1000000 loss 10%"]),
        (Impairment(loss=Loss(0.1, correlation=0.25)), ["limit 1000000 loss 10% 25%"]),
        (Impairment(loss=Loss(0.3, 4)), ["limit 1000000 loss gemodel 10.7142857% 25%"]),
        (
            Impairment(loss=GilbertElliott(0.01, 0.1, 0.7, 0.001)),
            ["limit 1000000 loss gemodel 1% 10% 70% 0.1%"],
        ),
        (
            Impairment(loss=FourState(0.02, 0.3, 0.2, 0.4, 0.005)),
            ["limit 1000000 loss state 2% 30% 20% 40% 0.5%"],
        ),
        (
            Impairment(50 * MS, duplicate=Chance(0.01), corrupt=Chance(0.02, 0.1), reorder=Reorder(0.25, 5)),
            ["limit 1000000 delay 50000.000us 0.000us duplicate 1% corrupt 2% 10% reorder 25% gap 5"],
        ),
        (
            Impairment(rate_bps=1_000_000, overhead_bytes=28, limit_packets=50),
            ["limit 50 rate 1000000bit -14"],
        ),
        (
            Impairment(rate_bps=1_000_000, cell_bytes=48, cell_overhead_bytes=5),
            ["limit 1000000 rate 1000000bit 0 48 5"],
        ),
        (
            Impairment(20 * MS, 5 * MS, rate_bps=1_000_000, queue_ns=100 * MS),
            [
                "limit 1000000 delay 20000.000us 5000.000us distribution normal rate 100gbit",
                "limit 11 rate 1000000bit",
            ],
        ),
        (
            Impairment(slot=Slot(20 * MS, 40 * MS, packets=5)),
            ["limit 1000000 slot 20000.000us 40000.000us packets 5"],
        ),
        (
            Impairment(20 * MS, slot=Slot(20 * MS, 20 * MS, bytes=3000, jitter_ns=MS, distribution="pareto")),
            [
                "limit 1000000 delay 20000.000us 0.000us",
                "limit 1000000 slot distribution pareto 20000.000us 1000.000us bytes 3000",
            ],
        ),
        (
            Impairment(9 * MS, MS, Table("mine", (0, 1)), ordered=False),
            ["limit 1000000 delay 9000.000us 1000.000us distribution mine"],
        ),
    ],
)
def test_words(impairment: Impairment, words: list[str]) -> None:
    assert stages(impairment) == words


def test_stages_are_children_of_each_other() -> None:
    plan = tc_plan(Impairment(20 * MS, rate_bps=1_000_000, queue_ns=100 * MS, slot=Slot(MS, MS)))
    assert [" ".join(command[:10]) for command in plan.commands("v0")] == [
        "tc qdisc add dev v0 root handle 1: netem limit",
        "tc qdisc add dev v0 parent 1:1 handle 2: netem",
        "tc qdisc add dev v0 parent 2:1 handle 3: netem",
    ]
    assert plan.notes == ("the queue of 100 ms is 11 packets of 1242 bytes in the kernel",)
    assert tc_plan(Impairment(rate_bps=1_000_000, queue_ns=392 * MS), 958).stages[1][:2] == ("limit", "50")


def test_a_queue_beside_duplicates_is_netems_own() -> None:
    plan = tc_plan(Impairment(20 * MS, rate_bps=1_000_000, queue_ns=100 * MS, duplicate=Chance(0.1)))
    assert len(plan.stages) == 1
    assert plan.notes[1] == "the queue counts the packets in the delay line too, as netem's does"


def test_a_step_says_everything_because_tc_keeps_what_is_not_said() -> None:
    (words,) = step_plan(Step(MS, Impairment(40 * MS))).stages
    assert " ".join(words) == (
        "limit 1000000 delay 40000.000us 0.000us loss 0% duplicate 0% corrupt 0% rate 100gbit"
    )
    (words,) = step_plan(Step(MS, Impairment(40 * MS, loss=Loss(0.1, 3)), "drop")).stages
    assert "loss 100% duplicate" in " ".join(words)


@pytest.mark.parametrize(
    ("impairment", "what"),
    [
        (Impairment(5, 5, jitter_correlation=0.5), "correlate the delays of successive packets"),
        (Impairment(delivery=Delivery("x", (1,))), "replay recorded delivery opportunities"),
        (Impairment(outages=(Outage("hold", (1, 1), (1, 1)),)), "interrupt the link at random"),
    ],
)
def test_what_the_kernel_cannot_do_names_the_relay(impairment: Impairment, what: str) -> None:
    with pytest.raises(ValueError, match=f"cannot {what}: use the relay"):
        tc_plan(impairment)


def test_some_combinations_are_beyond_it() -> None:
    with pytest.raises(ValueError, match="slots behind duplicates or reordering: use the relay"):
        tc_plan(Impairment(MS, duplicate=Chance(0.1), slot=Slot(1, 1)))
    with pytest.raises(ValueError, match="uniform"):
        tc_plan(Impairment(slot=Slot(5, 5, jitter_ns=1, distribution="uniform")))
    with pytest.raises(ValueError, match="cannot hold packets"):
        step_plan(Step(1, Impairment(), "hold"))
    assert Timeline((Step(1, Impairment(), "hold"), Step(1, Impairment()))).steps[0].outage == "hold"
