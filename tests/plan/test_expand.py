from __future__ import annotations

import pytest

from probe.errors import ConfigError
from probe.plan.estimate import estimate_node, estimate_run, estimate_session
from probe.plan.expand import NodeSchedule, expand
from probe.plan.load import load_plan
from tests.plan.plan_text import GOOD, changed, load


def names(schedule: NodeSchedule) -> list[tuple[str, ...]]:
    return [(item.transport, item.network, item.window) for item in schedule.sessions]


def test_a_real_node_gets_the_window_of_the_moment() -> None:
    real, emulated, control = expand(load().plan, lambda timezone: "peak")
    assert (real.vendor, real.node.name, real.role) == ("alpha", "jkt-1", "vendor")
    assert (control.vendor, control.node.name, control.role) == ("controls", "own-sg-1", "control")
    assert names(real) == [
        ("udp", "clean", "peak"),
        ("quic-datagram", "clean", "peak"),
        ("udp", "lossy-3g", "peak"),
        ("quic-datagram", "lossy-3g", "peak"),
    ]
    assert names(control) == names(real)
    assert [item.path for item in real.sessions] == [None] * 4
    assert len(emulated.sessions) == 8


def test_an_emulated_node_gets_all_windows_each_behind_its_path() -> None:
    _, emulated, _ = expand(load().plan, lambda timezone: "other")
    assert names(emulated)[:2] == [("udp", "clean", "peak"), ("udp", "clean", "offpeak")]
    assert [item.path for item in emulated.sessions[:2]] == ["id-4g-evening", "id-4g-day"]


def test_outside_all_windows_a_real_node_is_measured_once_as_other() -> None:
    real, _, _ = expand(load().plan, lambda timezone: "other")
    assert [window for _, _, window in names(real)] == ["other"] * 4


def test_a_row_of_another_window_waits() -> None:
    plan = load(changed("windows: [peak, offpeak]}", "windows: [peak]}")).plan
    real, emulated, _ = expand(plan, lambda timezone: "offpeak")
    assert real.sessions == ()
    assert len(emulated.sessions) == 4


def test_a_node_is_judged_by_its_own_clock() -> None:
    plan = load(changed("isp: telkom}", "isp: telkom, timezone: Asia/Jayapura}")).plan
    asked: list[str] = []

    def window_of(timezone: str) -> str:
        asked.append(timezone)
        return "peak"

    real, *_ = expand(plan, window_of)
    assert real.timezone == "Asia/Jayapura"
    assert asked == ["Asia/Jayapura", "Asia/Jakarta"]


def test_repeats_come_one_after_the_other() -> None:
    plan = load(changed("windows: [peak, offpeak]}", "repeat: 2}")).plan
    real, *_ = expand(plan, lambda timezone: "peak")
    assert [item.repeat for item in real.sessions] == [0] * 4 + [1] * 4
    assert names(real)[:4] == names(real)[4:]


def test_vendors_take_turns() -> None:
    beta = "  - {name: beta, nodes: [{name: b-1, endpoint: emulated, path: {peak: 4g, offpeak: 4g}}]}\n"
    plan = load(GOOD.replace("scenarios:\n", beta + "scenarios:\n")).plan
    found = [(item.vendor, item.node.name) for item in expand(plan, lambda timezone: "peak")]
    assert found == [("alpha", "jkt-1"), ("beta", "b-1"), ("alpha", "sim-1"), ("controls", "own-sg-1")]


def test_only_one_vendor_or_node() -> None:
    plan = load().plan
    found = expand(plan, lambda timezone: "peak", only="alpha/sim-1")
    assert [item.node.name for item in found] == ["sim-1", "own-sg-1"]
    with pytest.raises(ConfigError, match="no vendor or node 'alfa', did you mean 'alpha'"):
        expand(plan, lambda timezone: "peak", only="alfa")


def test_what_would_be_sent() -> None:
    real, _, _ = expand(load(changed("calls: 1,", "calls: 3,")).plan, lambda timezone: "peak")
    one = estimate_session(real.sessions[0])
    assert (one.streams, one.packets) == (3, 3 * 30 * 50)
    assert one.bytes_up == one.bytes_down == pytest.approx(3 * 30 * 40_000 / 8, rel=0.02)
    assert one.rate_bps == pytest.approx(3 * 40_000, rel=0.02)
    node = estimate_node(real)
    assert node.packets == 4 * one.packets
    assert node.duration_ns == 4 * one.duration_ns
    both = estimate_run([real, real])
    assert both.duration_ns == node.duration_ns
    assert both.rate_bps == 2 * node.rate_bps


def test_a_live_stream_goes_one_way() -> None:
    plan = load(changed("preset: voice, calls: 1,", "preset: live,")).plan
    real, _, _ = expand(plan, lambda timezone: "peak")
    one = estimate_session(real.sessions[0])
    assert one.bytes_up == pytest.approx(30 * 2_500_000 / 8, rel=0.02)
    assert one.bytes_down == 0


def test_the_shipped_plan_takes_about_a_minute() -> None:
    loaded = load_plan("indonesia.yaml", {})
    good, bad = expand(loaded.plan, lambda timezone: "other")
    total = estimate_run([good, bad])
    assert total.duration_ns <= 80 * 10**9
    least = min(estimate_session(item).packets for item in good.sessions)
    assert least >= loaded.evidence.min_packets
    assert {item.window for item in bad.sessions} == {"peak", "offpeak"}
    assert {item.transport for item in bad.sessions} == {"udp", "quic-datagram", "quic-stream"}
