from __future__ import annotations

from dataclasses import fields, replace
from random import Random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from probe.methods.admission import QUIC_STREAMS, Admission, Limits, Load, Slots, restrict
from probe.methods.negotiation import Grant, Refusal, check_grant
from probe.wire import media
from tests.quic_parts import request


def restricted(limits: Limits, load: Load | None = None, **asked: Any) -> dict[str, tuple[float, str]]:
    terms = restrict(request(**asked), limits, load or Load())
    assert not isinstance(terms, Refusal)
    return {item.what: (item.granted, item.why) for item in terms[1]}


def test_what_fits_is_granted_as_asked() -> None:
    assert restricted(Limits()) == {}


@pytest.mark.parametrize(
    ("limits", "asked", "expected"),
    [
        ({"packets": 100}, {}, {"packets": (100, "packets")}),
        ({"packets": 100}, {"streams": 3}, {"packets": (33, "packets")}),
        ({"packet_bytes": 100}, {}, {"packet_bytes": (100, "packet_bytes")}),
        ({"duration_ms": 10}, {}, {"duration_ms": (10, "duration_ms")}),
        ({"rate_pps": 20.0}, {}, {"rate_pps": (20.0, "rate_pps")}),
        ({"rate_bps": 20_000}, {}, {"rate_bps": (20_000, "rate_bps")}),
        (
            {"rate_pps": 110.0},
            {"streams": 3, "rate_pps": 150.0, "rate_bps": 120_000},
            {"streams": (2, "rate_pps"), "rate_pps": (100.0, "rate_pps"), "rate_bps": (80_000, "rate_pps")},
        ),
        (
            {"quic_rate_pps": 100.0},
            {"streams": 3, "rate_pps": 150.0, "rate_bps": 3000, "transport": "quic-datagram"},
            {
                "streams": (2, "quic_rate_pps"),
                "rate_pps": (100.0, "quic_rate_pps"),
                "rate_bps": (2000, "quic_rate_pps"),
            },
        ),
    ],
)
def test_each_limit_restricts_and_is_named(
    limits: dict[str, Any], asked: dict[str, Any], expected: dict[str, Any]
) -> None:
    assert restricted(Limits(**limits), **asked) == expected


def test_a_quic_stream_session_has_no_more_streams_than_quic_opens() -> None:
    many: dict[str, Any] = {"streams": 120, "rate_pps": 600.0, "rate_bps": 600, "transport": "quic-stream"}
    assert restricted(Limits(), **many)["streams"] == (QUIC_STREAMS, "quic_streams")


@pytest.mark.parametrize(
    ("limits", "load"),
    [
        (Limits(), Load(sessions=64)),
        (Limits(), Load(address_sessions=8)),
        (Limits(), Load(key_sessions=32)),
        (Limits(), Load(rate_bps=1_000_000_000 - 39_999)),
        (Limits(), Load(packets=16_000_000)),
    ],
)
def test_a_full_node_is_busy(limits: Limits, load: Load) -> None:
    refusal = restrict(request(), limits, load)
    assert isinstance(refusal, Refusal)
    assert refusal.reason == "busy"


def test_packets_too_short_for_the_probe_payload_are_refused() -> None:
    refusal = restrict(request(packet_bytes=media.MIN_PACKET_BYTES - 1), Limits(), Load())
    assert isinstance(refusal, Refusal)


sizes = st.integers(1, 10**6)


@pytest.mark.slow
@given(
    st.builds(
        request,
        transport=st.sampled_from(["udp", "quic-stream", "quic-datagram"]),
        streams=st.integers(1, 5000),
        packets=sizes,
        packet_bytes=st.integers(60, 1500),
        rate_pps=st.floats(0.1, 1e6),
        rate_bps=sizes,
        duration_ms=sizes,
    ),
    st.builds(
        Limits,
        streams=st.integers(1, 3000),
        packets=sizes,
        packet_bytes=st.integers(72, 1200),
        rate_pps=st.floats(0.1, 1e6),
        rate_bps=sizes,
        duration_ms=sizes,
        node_rate_bps=sizes,
        quic_rate_pps=st.floats(0.1, 1e6),
    ),
)
def test_nothing_ever_grows_and_limits_hold(asked: Any, limits: Limits) -> None:
    admission = Admission(limits, Random(1).randbytes)
    grant = admission.admit(asked, address="a", key="k")
    if isinstance(grant, Refusal):
        return
    check_grant(asked, grant)
    for name in ("streams", "packet_bytes", "duration_ms", "rate_bps"):
        assert getattr(grant, name) <= getattr(limits, name)
    assert grant.packets * grant.streams <= limits.packets
    assert grant.rate_pps <= limits.rate_pps * (1 + 1e-6)


def test_every_limit_is_told_to_clients() -> None:
    assert set(Limits().to_json()) == {item.name for item in fields(Limits)}


def test_slots_fill_gaps() -> None:
    slots = Slots(10)
    assert [slots.take(4), slots.take(4), slots.take(4), slots.take(2)] == [0, 4, None, 8]
    slots.free(0)
    assert [slots.take(3), slots.take(1), slots.take(1)] == [0, 3, None]
    slots.free(4)
    assert slots.take(4) == 4


def admitted(admission: Admission, **changes: Any) -> Grant:
    grant = admission.admit(request(**changes), address="a", key="k")
    assert isinstance(grant, Grant)
    return grant


def test_sessions_have_ssrcs_and_tokens_of_their_own() -> None:
    admission = Admission(Limits(), Random(1).randbytes)
    first, second = admitted(admission, streams=3, rate_pps=150.0), admitted(admission)
    assert first.ssrc_base & media.SLOT_MASK == 0
    assert second.ssrc_base & media.SLOT_MASK == 3
    assert not (first.ssrc_base | second.ssrc_base) & (media.DOWN_SSRC | media.RTX_SSRC)
    assert len(first.token) == 16
    assert first.token != second.token
    assert first.session != second.session


def test_a_released_share_is_free_again() -> None:
    admission = Admission(replace(Limits(), node_rate_bps=80_000), Random(1).randbytes)
    first, _ = admitted(admission), admitted(admission)
    assert isinstance(admission.admit(request(), address="b", key="k"), Refusal)
    admission.release(first.session)
    admission.release(first.session)
    again = admitted(admission)
    assert again.ssrc_base & media.SLOT_MASK == first.ssrc_base & media.SLOT_MASK
    assert again.session not in (first.session, 2)
