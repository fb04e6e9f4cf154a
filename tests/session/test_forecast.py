"""What a network would do to calls: by the same methods, in virtual time, and by formula where there is one."""

from __future__ import annotations

import pytest

from probe.analysis.e_model import estimate
from probe.impairment.course import Step, Timeline
from probe.impairment.profile import Impairment, Loss, NetworkProfile
from probe.records import COMPLETED, NOT_CONNECTED
from probe.session.forecast import ATTEMPTS, forecast, scenarios_of

MS, S = 1_000_000, 1_000_000_000


def network(up: Impairment, down: Impairment | None = None) -> NetworkProfile:
    return NetworkProfile("made", "made", up, down or Impairment(), "the test")


def test_delay_alone_costs_what_the_e_model_says() -> None:
    voice, video = forecast(network(Impairment(150 * MS), Impairment(30 * MS)), scenarios_of(5 * S), 1)
    assert voice.summary.rtt_ms.p50 == pytest.approx(180)
    for played, one_way_ms in ((voice.up, 150.0), (voice.down, 30.0)):
        assert played is not None
        assert played.e_model is not None
        said = estimate(
            (one_way_ms, one_way_ms), buffer_ms=200, packet_ms=20, loss_percent=0, burst_ratio=None
        )
        assert played.e_model.mos == pytest.approx(said.mos)
    assert video.up is not None
    assert video.up.e_model is None
    assert voice.summary.counts["scheduled"] == 250


@pytest.mark.slow
def test_two_seconds_without_a_network_freeze_all_that_cannot_be_sent_again_in_time() -> None:
    gone = Timeline(
        (Step(3 * S, Impairment()), Step(2 * S, Impairment(), "drop"), Step(60 * S, Impairment()))
    )
    for call in forecast(network(Impairment(timeline=gone)), scenarios_of(10 * S), 1):
        assert call.up is not None
        assert call.down is not None
        record = call.summary.record
        freeze = call.up.freeze["audio_200ms" if record.scenario == "voice" else "video_600ms"]
        assert freeze.count == 1
        late_ns = 2 * S - record.deadline_ns  # the rest is asked for and comes at once
        assert freeze.frozen_ns == pytest.approx(late_ns, abs=2 * record.interval_ns)
        assert call.down.freeze["audio_200ms"].count == 0  # nothing was there to be sent back


@pytest.mark.slow
def test_the_same_seed_is_the_same_call_and_another_is_not() -> None:
    lossy = network(Impairment(20 * MS, loss=Loss(0.2, 3)))
    first, again, other = (forecast(lossy, scenarios_of(5 * S), seed)[0].summary for seed in (1, 1, 2))
    assert first.up == again.up
    assert first.up != other.up


def test_a_network_that_lets_nothing_through_is_tried_and_given_up() -> None:
    (call, _) = forecast(network(Impairment(loss=Loss(1.0))), scenarios_of(1 * S), 1)
    assert call.attempts == ATTEMPTS
    assert call.summary.record.outcome == NOT_CONNECTED != COMPLETED
    assert call.up is None
    assert call.down is None
