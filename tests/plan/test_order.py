"""The order of measuring: random, kept, and the same for all nodes."""

from __future__ import annotations

from collections import Counter

from probe.plan.expand import NodeSchedule, SessionSpec, expand
from probe.plan.order import order_of, shuffled
from tests.plan.plan_text import changed, load

ROW = "windows: [peak, offpeak]}"
PLAN = load(
    changed(ROW, f"{ROW[:-1]}, repeat: 2}}").replace("scenarios: [voice]", "scenarios: [voice, video]")
).plan
SCHEDULES = expand(PLAN, lambda _: "peak")


def block(spec: SessionSpec) -> tuple[int, str, str, str]:
    return spec.repeat, spec.scenario_name, spec.network, spec.transport


def blocks(lane: NodeSchedule) -> list[tuple[int, str, str, str]]:
    return list(dict.fromkeys(block(spec) for spec in lane.sessions))


def test_the_same_sessions_in_another_order() -> None:
    for before, after in zip(SCHEDULES, shuffled(SCHEDULES, 1), strict=True):
        assert after.node == before.node
        assert after.sessions != before.sessions
        assert Counter(map(str, after.sessions)) == Counter(map(str, before.sessions))


def test_the_seed_gives_the_order() -> None:
    assert shuffled(SCHEDULES, 5) == shuffled(SCHEDULES, 5)
    assert len({str(order_of(shuffled(SCHEDULES, seed))) for seed in range(20)}) == 20


def test_windows_stay_together_and_repeats_one_after_the_other() -> None:
    _, emulated, _ = shuffled(SCHEDULES, 2)
    pairs = list(zip(emulated.sessions[::2], emulated.sessions[1::2], strict=True))
    assert all(block(first) == block(second) for first, second in pairs)
    assert {first.window for first, _ in pairs} == {"peak", "offpeak"}
    repeats = [spec.repeat for spec in emulated.sessions]
    assert repeats == sorted(repeats)


def test_all_nodes_measure_the_same_at_the_same_time() -> None:
    real, emulated, control = shuffled(SCHEDULES, 3)
    assert blocks(real) == blocks(emulated) == blocks(control)


def test_every_block_comes_first_about_as_often() -> None:
    first = Counter(blocks(shuffled(SCHEDULES, seed)[0])[0] for seed in range(400))
    assert len(first) == 8
    assert min(first.values()) > 20


def test_the_order_is_kept_in_words() -> None:
    lanes = shuffled(SCHEDULES, 4)
    told = order_of(lanes)
    assert len(told) == len(lanes[1].sessions)
    spec = lanes[1].sessions[0]
    assert told[0] == {
        "repeat": 0,
        "scenario": spec.scenario_name,
        "network": spec.network,
        "transport": spec.transport,
        "window": spec.window,
    }
    assert order_of([]) == []
