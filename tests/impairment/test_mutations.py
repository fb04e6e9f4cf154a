"""A wrong model does not pass: each of these mistakes, made on purpose, is found by the recorded kernel."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from probe.impairment import delay, fates, line, loss, slots
from probe.impairment.compare import rows
from probe.impairment.conformance import CASES, Case
from probe.impairment.loss import Flags, Losses
from probe.impairment.losses import FourState, GilbertElliott
from probe.impairment.observed import figures, through_link
from probe.impairment.profile import Impairment
from probe.metrics import Times
from tests.impairment.golden import observed

BY_NAME = {case.name: case for case in CASES}
Patch = pytest.MonkeyPatch


def found(case: Case) -> bool:
    """Whether a figure is out of its band, or, where nothing is left to chance, other packets come."""
    kernel, mine = observed(case), through_link(case, 20261122)
    if case.kind == "exact" and kernel.copies.tolist() != mine.copies.tolist():
        return True
    return any(not row.inside for row in rows(case, figures(case, kernel), figures(case, mine)))


def swap_p_and_r(patch: Patch) -> None:
    made = loss.ElliottLoss.__init__
    patch.setattr(
        loss.ElliottLoss,
        "__init__",
        lambda self, model, seed: made(self, replace(model, p=model.r, r=model.p), seed),
    )


def decide_after_the_transition(patch: Patch) -> None:
    chances = loss.ElliottLoss._chances

    def wrong(self: loss.ElliottLoss, offset: int) -> loss._Chances:
        following, lost = chances(self, offset)
        return loss._Chances(following, np.take_along_axis(np.asarray(lost), following, 1))

    patch.setattr(loss.ElliottLoss, "_chances", wrong)


def decide_before_the_transition_of_four_states(patch: Patch) -> None:
    chances = loss.FourStateLoss._chances

    def wrong(self: loss.FourStateLoss, offset: int) -> loss._Chances:
        following, _ = chances(self, offset)
        return loss._Chances(
            following, np.broadcast_to(np.array([False, False, True, True]), following.shape)
        )

    patch.setattr(loss.FourStateLoss, "_chances", wrong)


def swap_the_ways_out_of_a_burst(patch: Patch) -> None:
    made = loss.FourStateLoss.__init__
    patch.setattr(
        loss.FourStateLoss,
        "__init__",
        lambda self, model, seed: made(
            self, FourState(model.p13, model.p32, model.p31, model.p23, model.p14), seed
        ),
    )


def forget_the_copys_own_loss_draw(patch: Patch) -> None:
    right = fates.Fates._doubled

    def wrong(self: fates.Fates, twice: Flags, losses: Losses) -> fates.Passes:
        return right(self, twice, Losses(losses.original, np.zeros_like(losses.copy)))

    patch.setattr(fates.Fates, "_doubled", wrong)


def let_copies_leave_the_chain_alone(patch: Patch) -> None:
    right = loss._Chain.block

    def wrong(self: loss._Chain, doubled: Flags | None = None) -> Losses:
        original, _ = right(self)
        return Losses(original, original)

    patch.setattr(loss._Chain, "block", wrong)


def lose_a_packet_that_is_lost_and_doubled(patch: Patch) -> None:
    right = fates.Fates._doubled

    def wrong(self: fates.Fates, twice: Flags, losses: Losses) -> fates.Passes:
        return right(self, twice & ~losses.original, losses)

    patch.setattr(fates.Fates, "_doubled", wrong)


def take_correlation_out_of_chances(patch: Patch) -> None:
    patch.setattr(loss, "CorrelatedLoss", lambda ratio, correlation, seed: loss.RandomLoss(ratio, seed))


def let_jitter_be_normal_without_a_table(patch: Patch) -> None:
    made = delay.DelayLine.__init__

    def wrong(self: delay.DelayLine, impairment: Impairment, seed: int) -> None:
        shape = "normal" if impairment.distribution == "uniform" else impairment.distribution
        made(self, replace(impairment, distribution=shape), seed)

    patch.setattr(delay.DelayLine, "__init__", wrong)


def keep_jitter_in_order_always(patch: Patch) -> None:
    made = line.Line.__init__
    patch.setattr(
        line.Line,
        "__init__",
        lambda self, impairment, capacity=None, in_bits=False: made(
            self, replace(impairment, ordered=True), capacity, in_bits=in_bits
        ),
    )


def never_let_a_negative_delay_reach_into_the_line(patch: Patch) -> None:
    right = line.Line.push

    def wrong(self: line.Line, arrival: Times, wait: Times, *rest: object) -> Times:
        return right(self, arrival, np.maximum(wait, 0), *rest)  # type: ignore[arg-type]

    patch.setattr(line.Line, "push", wrong)


def count_one_packet_fewer_inside(patch: Patch) -> None:
    made = line.Terms.of.__func__  # type: ignore[attr-defined]

    def wrong(cls: type[line.Terms], impairment: Impairment, *, in_bits: bool) -> line.Terms:
        terms: line.Terms = made(cls, impairment, in_bits=in_bits)
        return replace(terms, limit=terms.limit + 1) if terms.limit else terms

    patch.setattr(line.Terms, "of", classmethod(wrong))


def forget_the_overhead(patch: Patch) -> None:
    right = line.Terms.service
    patch.setattr(line.Terms, "service", lambda self, size: right(replace(self, overhead_bytes=42), size))


def wait_one_packet_less_between_overtakers(patch: Patch) -> None:
    made = fates._Overtaking.__init__
    patch.setattr(
        fates._Overtaking,
        "__init__",
        lambda self, reorder, seed: made(self, replace(reorder, gap=max(1, reorder.gap - 1)), seed),
    )


def open_slots_at_fixed_times(patch: Patch) -> None:
    right = slots.SlotGate._next
    patch.setattr(slots.SlotGate, "_next", lambda self, now: right(self, now - now % 20_000_000))


MUTATIONS: tuple[tuple[Callable[[Patch], None], str], ...] = (
    (swap_p_and_r, "gemodel 5 40"),
    (decide_after_the_transition, "gemodel 100 100"),
    (decide_before_the_transition_of_four_states, "state 100 100"),
    (swap_the_ways_out_of_a_burst, "state 2 30 20 40 .5"),
    (forget_the_copys_own_loss_draw, "duplicate 20 % loss 20 %"),
    (let_copies_leave_the_chain_alone, "duplicate 40 % gemodel 5 30"),
    (lose_a_packet_that_is_lost_and_doubled, "duplicate 20 % loss 20 %"),
    (take_correlation_out_of_chances, "loss 10 % corr 25 %"),
    (let_jitter_be_normal_without_a_table, "delay 100 ms 20 ms uniform"),
    (keep_jitter_in_order_always, "delay 100 ms 20 ms normal"),
    (never_let_a_negative_delay_reach_into_the_line, "delay 5 ms 20 ms rate 200 kbit/s"),
    (count_one_packet_fewer_inside, "limit 50, rate 1 Mbit/s at 1.6 times"),
    (forget_the_overhead, "rate overhead -14"),
    (wait_one_packet_less_between_overtakers, "reorder 25 % gap 5"),
    (open_slots_at_fixed_times, "slot 20-40 ms, 500/s"),
)


@pytest.mark.parametrize(
    ("mutate", "name"),
    [
        pytest.param(
            mutate,
            name,
            id=mutate.__name__,
            marks=pytest.mark.slow if BY_NAME[name].traffic.packets >= 100_000 else (),
        )
        for mutate, name in MUTATIONS
    ],
)
def test_the_recorded_kernel_finds(
    mutate: Callable[[Patch], None], name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    case = BY_NAME[name]
    assert not found(case)
    mutate(monkeypatch)
    assert found(case)


def test_the_right_order_of_the_chances_is_what_was_meant() -> None:
    assert GilbertElliott(0.05, 0.4).ratio == pytest.approx(0.111, abs=1e-3)
