"""What a campaign says it puts on the wire, held against what an interface counted."""

from __future__ import annotations

from dataclasses import replace

import pytest

from probe.plan.expand import SessionSpec
from probe.plan.scenario import Scenario
from probe.session.volume import UDP_BYTES, foreseen, rate_bps, repairs
from tests.session.test_virtual import record

# Bytes of IPv4 packets that `lo` counted in a namespace with nothing else in it: `probe run` of 20 s of voice
# against `probe node`, control channel and all.
COUNTED = {"udp": 291_602, "quic-datagram": 481_898, "quic-stream": 491_517}
# Bits a second of IPv4 packets to the node's port in the middle of such a session, seen by dumpcap.
SEEN = {"udp": 53_600, "quic-datagram": 91_200, "quic-stream": 93_300}


def spec(transport: str, **recovery: object) -> SessionSpec:
    scenario = Scenario.model_validate({"preset": "voice", "duration": "20s", "recovery": recovery})
    return SessionSpec("voice", scenario, transport, "clean", "peak", 0, None)


@pytest.mark.parametrize("transport", COUNTED)
def test_what_is_foreseen_is_what_was_counted(transport: str) -> None:
    assert foreseen(spec(transport, nack=True)) == pytest.approx(COUNTED[transport], rel=0.05)


@pytest.mark.parametrize("transport", SEEN)
def test_the_rate_is_what_was_seen_on_the_wire(transport: str) -> None:
    assert rate_bps(spec(transport, nack=True)) == pytest.approx(SEEN[transport], rel=0.03)


def test_a_protected_stream_sends_at_a_higher_rate() -> None:
    assert rate_bps(spec("udp", red=1)) > 1.5 * rate_bps(spec("udp", nack=True))


def test_remedies_that_leave_with_the_media_are_foreseen() -> None:
    plain = foreseen(spec("udp", nack=True))
    assert foreseen(spec("udp", red=1)) > 1.5 * plain
    assert foreseen(spec("udp", fec={"k": 4})) > 1.2 * plain


def test_repairs_are_counted_when_they_are_known() -> None:
    ended = replace(
        record(1),
        client={"retransmissions_sent": 2, "retransmission_bytes": 250},
        counters={"retransmissions_sent": 1, "retransmission_bytes": 120, "quic_repeated_bytes": 7},
    )
    assert repairs(ended) == 250 + 120 + 7 + 3 * UDP_BYTES
