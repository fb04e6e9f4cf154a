"""aioquic's loss detection against RFC 9002: quality.md T34 and T35. Our QUIC figures rest on it."""

from __future__ import annotations

import pytest
from aioquic.quic.packet import QuicPacketType
from aioquic.quic.packet_builder import QuicSentPacket
from aioquic.quic.rangeset import RangeSet
from aioquic.quic.recovery import QuicPacketRecovery, QuicPacketSpace
from aioquic.tls import Epoch

MS = 1e-3


def made() -> tuple[QuicPacketRecovery, QuicPacketSpace]:
    recovery = QuicPacketRecovery(
        congestion_control_algorithm="reno",
        initial_rtt=0.333,
        max_datagram_size=1200,
        peer_completed_address_validation=True,
        send_probe=lambda: None,
    )
    space = QuicPacketSpace()
    recovery.spaces = [space]
    return recovery, space


def sent(number: int, at: float) -> QuicSentPacket:
    return QuicSentPacket(
        epoch=Epoch.ONE_RTT,
        in_flight=True,
        is_ack_eliciting=True,
        is_crypto_packet=False,
        packet_number=number,
        packet_type=QuicPacketType.ONE_RTT,
        sent_time=at,
        sent_bytes=1000,
    )


def round_trip(
    recovery: QuicPacketRecovery, space: QuicPacketSpace, number: int, rtt: float, ack_delay: float = 0.0
) -> None:
    packet = sent(number, float(number))
    recovery.on_packet_sent(packet=packet, space=space)
    acked = RangeSet([range(number, number + 1)])
    recovery.on_ack_received(ack_rangeset=acked, ack_delay=ack_delay, now=number + rtt, space=space)


def test_t34_the_first_sample() -> None:
    recovery, space = made()
    round_trip(recovery, space, 1, 100 * MS)
    assert recovery._rtt_smoothed == pytest.approx(100 * MS)
    assert recovery._rtt_variance == pytest.approx(50 * MS)
    assert recovery.get_probe_timeout() == pytest.approx(325 * MS)
    recovery.on_packet_sent(packet=sent(2, 2.0), space=space)
    recovery.on_packet_sent(packet=sent(3, 2.0), space=space)
    recovery.on_ack_received(ack_rangeset=RangeSet([range(3, 4)]), ack_delay=0, now=2.1, space=space)
    # Packet 2 is not lost yet: the time threshold is 9/8 of the round trip.
    assert space.loss_time == pytest.approx(2.0 + 112.5 * MS)


def test_t34_the_second_sample_is_adjusted_by_the_delay_of_its_acknowledgement() -> None:
    """120 ms with 10 ms of delay: 110. The variance is that of A.7's order, 40.0; 5.3's order would be 39.6875."""
    recovery, space = made()
    round_trip(recovery, space, 1, 100 * MS)
    round_trip(recovery, space, 2, 120 * MS, 10 * MS)
    assert recovery._rtt_smoothed == pytest.approx(101.25 * MS)
    assert recovery._rtt_variance == pytest.approx(40.0 * MS)
    assert recovery.get_probe_timeout() == pytest.approx(286.25 * MS)


def test_t34_before_any_sample_aioquic_waits_twice_the_initial_round_trip() -> None:
    """As A.8 has it; 6.2.2 makes it 333 + 4 x 166.5 = 999 ms."""
    assert made()[0].get_probe_timeout() == pytest.approx(666 * MS)


@pytest.mark.parametrize(("last", "persistent"), [(8, True), (7, False)])
def test_t35_persistent_congestion(last: int, persistent: bool) -> None:
    """RFC 9002 7.6.2: a PTO of 2, all lost from t = 1 on: 7 is longer than 3 PTO, 6 is not."""
    recovery, space = made()
    round_trip(recovery, space, 0, 100 * MS)
    recovery._rtt_smoothed, recovery._rtt_variance, recovery.max_ack_delay = 1.0, 0.25, 0.0
    recovery._rtt_first_sample_time = 0.5
    assert recovery.get_probe_timeout() == 2
    lost = [sent(number + 1, float(number)) for number in range(1, last + 1)]
    assert recovery._in_persistent_congestion(packets=lost) is persistent
