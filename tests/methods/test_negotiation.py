from __future__ import annotations

import json
from dataclasses import asdict, replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from probe.errors import ProtocolError
from probe.methods.negotiation import Grant, OpenRequest, Restriction, check_grant
from tests.quic_parts import request


def grant(**changes: Any) -> Grant:
    terms = {**asdict(request()), "session": 1, "token": bytes(16), "ssrc_base": 5 << 20}
    return Grant(**(terms | changes))


def test_requests_and_grants_survive_json() -> None:
    asked = request(rate_pps=33.25)
    assert OpenRequest.from_json(json.loads(json.dumps(asked.to_json()))) == asked
    given_ = grant(packets=9, restricted=(Restriction("packets", 500, 9, "packets"),))
    assert Grant.from_json(json.loads(json.dumps(given_.to_json()))) == given_


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("transport", "tcp"),
        ("transport", None),
        ("streams", 0),
        ("streams", True),
        ("streams", 2**53),
        ("packets", 1.5),
        ("rate_pps", 0),
        ("rate_pps", "50"),
        ("rate_pps", True),
        ("one_way", 1),
        ("nack", None),
        ("deadline_ms", -1),
    ],
)
def test_a_request_of_the_wrong_kind_is_a_protocol_error(field: str, value: object) -> None:
    with pytest.raises(ProtocolError):
        OpenRequest.from_json(request().to_json() | {field: value})


@pytest.mark.slow
@given(st.recursive(st.none() | st.integers() | st.text(), lambda inner: st.dictionaries(st.text(), inner)))
def test_anything_is_a_grant_or_a_protocol_error(document: Any) -> None:
    with pytest.raises(ProtocolError):
        Grant.from_json(document)


def test_the_same_or_less_is_accepted() -> None:
    check_grant(request(), grant())
    check_grant(request(), grant(packets=9, restricted=(Restriction("packets", 500, 9, "packets"),)))


@pytest.mark.parametrize(
    "changes",
    [
        {"streams": 2},
        {"rate_pps": 50.1},
        {"packets": 499},  # without saying so
        {"transport": "quic-stream"},
        {"one_way": True},
        {"nack": False},
        {"deadline_ms": 100},
        {"token": bytes(8)},
        {"ssrc_base": 1 << 30},
    ],
)
def test_what_grew_or_changed_in_kind_is_refused(changes: dict[str, Any]) -> None:
    with pytest.raises(ProtocolError):
        check_grant(request(), grant(**changes))


def test_streams_stay_within_one_prefix() -> None:
    asked = request(streams=3)
    ends = grant(streams=3, ssrc_base=(6 << 20) - 3)
    check_grant(asked, ends)
    with pytest.raises(ProtocolError, match="SSRC"):
        check_grant(asked, replace(ends, ssrc_base=(6 << 20) - 2))
