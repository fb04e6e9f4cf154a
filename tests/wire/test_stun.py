"""STUN against the sample messages of RFC 5769 and RFC 8489 B.1."""

import hmac
import struct
from ipaddress import IPv4Address, IPv6Address

import pytest
from hypothesis import given
from hypothesis import strategies as st

from probe.errors import ProtocolError
from probe.wire import stun
from probe.wire.stun import AttributeType, MessageType

TRANSACTION = bytes.fromhex("b7e7a701bc34d686fa87dfae")
PASSWORD = b"VOkJxbRl1RmTxUk/WvJxBt"

# RFC 5769 section 2.1: a request of ICE.
REQUEST = bytes.fromhex(
    "000100582112a442b7e7a701bc34d686fa87dfae"
    "802200105354554e207465737420636c69656e74"
    "002400046e0001ff80290008932ff9b151263b36"
    "000600096576746a3a68367659202020"
    "000800149aeaa70cbfd8cb56781ef2b5b2d3f249c1b571a280280004e57a3bcf"
)
# RFC 5769 sections 2.2 and 2.3: responses.
RESPONSE_4 = bytes.fromhex(
    "0101003c2112a442b7e7a701bc34d686fa87dfae8022000b7465737420766563746f7220"
    "002000080001a147e112a643000800142b91f599fd9e90c38c7489f92af9ba53f06be7d780280004c07d4c96"
)
RESPONSE_6 = bytes.fromhex(
    "010100482112a442b7e7a701bc34d686fa87dfae8022000b7465737420766563746f7220"
    "002000140002a1470113a9faa5d3f179bc25f4b5bed2b9d9"
    "00080014a382954e4be67bf11784c97c8292c275bfe3ed4180280004c8fb0b4c"
)
# RFC 5769 section 2.4: long-term credentials, no FINGERPRINT.
REQUEST_LONG_TERM = bytes.fromhex(
    "000100602112a44278ad3433c6ad72c029da412e"
    "00060012e3839ee38388e383aae38383e382afe382b90000"
    "0015001c662f2f3439396b39353464364f4c33346f4c39465354767936347341"
    "0014000b6578616d706c652e6f726700"
    "00080014f67024656dd64a3e02b8e0712e85c9a28ca89666"
)
MAPPED_4 = ("192.0.2.1", 32853)
MAPPED_6 = ("2001:db8:1234:5678:11:2233:4455:6677", 32853)


def test_the_samples_were_copied_without_a_slip() -> None:
    for message in (REQUEST, RESPONSE_4, RESPONSE_6):
        covered, integrity = message[:-32], message[-28:-8]
        length = struct.pack("!H", len(covered) + 24 - 20)  # up to MESSAGE-INTEGRITY, without FINGERPRINT
        assert hmac.digest(PASSWORD, covered[:2] + length + covered[4:], "sha1") == integrity


def test_the_sample_request_parses() -> None:
    message = stun.parse(REQUEST)
    assert message.type == MessageType.BINDING_REQUEST
    assert message.transaction_id == TRANSACTION
    assert message.first(AttributeType.USERNAME) == b"evtj:h6vY"
    assert message.first(AttributeType.REALM) is None
    assert [kind for kind, _ in message.attributes] == [0x8022, 0x0024, 0x8029, 0x0006, 0x0008, 0x8028]


@pytest.mark.parametrize(("data", "mapped"), [(RESPONSE_4, MAPPED_4), (RESPONSE_6, MAPPED_6)])
def test_the_sample_responses_parse(data: bytes, mapped: tuple[str, int]) -> None:
    message = stun.parse(data)
    assert message.type == MessageType.BINDING_SUCCESS
    assert message.mapped_address == mapped


@pytest.mark.parametrize(
    ("sample", "address"),
    [(RESPONSE_4, MAPPED_4), (RESPONSE_6, MAPPED_6), (RESPONSE_4, ("::ffff:192.0.2.1", 32853))],
)
def test_our_response_holds_the_address_as_the_sample_does(sample: bytes, address: tuple[str, int]) -> None:
    response = stun.binding_response(stun.binding_request(TRANSACTION), address)
    expected = stun.parse(sample).first(AttributeType.XOR_MAPPED_ADDRESS)
    assert stun.parse(response).first(AttributeType.XOR_MAPPED_ADDRESS) == expected
    assert response[4:20] == sample[4:20]


def test_the_smallest_exchange_byte_by_byte() -> None:
    request = bytes.fromhex("000100002112a442") + TRANSACTION
    answer = bytes.fromhex("0101000c2112a442") + TRANSACTION + bytes.fromhex("002000080001a147e112a643")
    assert stun.binding_response(request, MAPPED_4) == answer


def test_fingerprint_is_answered_with_fingerprint() -> None:
    response = stun.binding_response(stun.binding_request(TRANSACTION), MAPPED_4)
    assert [kind for kind, _ in stun.parse(response).attributes] == [0x0020, 0x8028]


def test_credentials_are_understood_and_not_used() -> None:
    """RFC 8489 section 12: a basic server must not use them, so they are no unknown attributes."""
    response = stun.parse(stun.binding_response(REQUEST_LONG_TERM, MAPPED_4))
    assert response.mapped_address == MAPPED_4


def test_attributes_that_must_be_comprehended_and_are_not_give_error_420() -> None:
    """RFC 8489 section 6.3.1; ICE's PRIORITY means nothing here."""
    response = stun.parse(stun.binding_response(REQUEST, MAPPED_4))
    assert response.type == MessageType.BINDING_ERROR
    assert response.transaction_id == TRANSACTION
    assert response.first(AttributeType.ERROR_CODE) == bytes([0, 0, 4, 20])
    assert response.first(AttributeType.UNKNOWN_ATTRIBUTES) == bytes.fromhex("0024")
    assert response.first(AttributeType.FINGERPRINT) is not None


@pytest.mark.parametrize("request_bytes", [RESPONSE_4, bytes.fromhex("001100002112a442") + TRANSACTION])
def test_responses_and_indications_are_not_answered(request_bytes: bytes) -> None:
    with pytest.raises(ProtocolError, match="not a Binding request"):
        stun.binding_response(request_bytes, MAPPED_4)


@pytest.mark.parametrize("sample", [REQUEST, RESPONSE_4, RESPONSE_6], ids=["request", "ipv4", "ipv6"])
def test_one_flipped_bit_anywhere_is_noticed_or_hides_the_fingerprint(sample: bytes) -> None:
    hidden = 0
    for bit in range(8 * len(sample)):
        data = bytearray(sample)
        data[bit // 8] ^= 1 << bit % 8
        try:
            message = stun.parse(bytes(data))
        except ProtocolError:
            continue
        assert message.first(AttributeType.FINGERPRINT) is None
        hidden += 1
    assert hidden < 32  # its own type, or a length that swallows it


def test_every_truncation_is_noticed() -> None:
    for length in range(len(RESPONSE_6)):
        with pytest.raises(ProtocolError):
            stun.parse(RESPONSE_6[:length])


@pytest.mark.parametrize(
    "attribute",
    ["", "002000000000", "00200004 00010000", "00200008 00020000 00000000", "00200008 00030000 00000000"],
)
def test_a_missing_or_malformed_address_is_a_protocol_error(attribute: str) -> None:
    body = bytes.fromhex(attribute)
    body += bytes(-len(body) % 4)
    data = (
        bytes.fromhex("0101") + struct.pack("!H", len(body)) + bytes.fromhex("2112a442") + TRANSACTION + body
    )
    with pytest.raises(ProtocolError, match=r"XOR-MAPPED-ADDRESS|longer than its message"):
        assert stun.parse(data).mapped_address


def test_a_fingerprint_that_is_not_last_is_refused() -> None:
    data = stun.binding_request(TRANSACTION) + bytes.fromhex("80220000")
    with pytest.raises(ProtocolError, match="FINGERPRINT"):
        stun.parse(data[:2] + struct.pack("!H", len(data) - 20) + data[4:])


def test_a_transaction_id_has_twelve_bytes() -> None:
    with pytest.raises(ValueError, match="12 bytes"):
        stun.binding_request(b"short")


@given(
    st.ip_addresses(v=4) | st.ip_addresses(network="2000::/3"),
    st.integers(0, 65535),
    st.binary(min_size=12, max_size=12),
)
def test_any_address_survives_the_wire(
    host: IPv4Address | IPv6Address, port: int, transaction: bytes
) -> None:
    response = stun.parse(stun.binding_response(stun.binding_request(transaction), (str(host), port)))
    assert response.mapped_address == (str(host), port)
    assert response.transaction_id == transaction


ATTRIBUTE = st.builds(
    lambda kind, value: struct.pack("!HH", kind, len(value)) + value + bytes(-len(value) % 4),
    st.sampled_from([0x0001, 0x0003, 0x0006, 0x0020, 0x8022, 0x8028]) | st.integers(0, 65535),
    st.binary(max_size=24),
)
MESSAGE = st.builds(
    lambda kind, body: struct.pack("!HHI", kind, len(body), stun.MAGIC_COOKIE) + TRANSACTION + body,
    st.sampled_from([0x0001, 0x0101, 0x0011]),
    st.lists(ATTRIBUTE, max_size=4).map(b"".join) | st.binary(max_size=32),
)


@given(st.binary(max_size=64) | MESSAGE)
def test_any_bytes_give_a_value_or_a_protocol_error(data: bytes) -> None:
    for read in (lambda: stun.binding_response(data, MAPPED_4), lambda: stun.parse(data).mapped_address):
        try:
            value = read()
        except ProtocolError:
            continue
        if isinstance(value, bytes):
            assert stun.parse(value).transaction_id == data[8:20]
            assert len(value) <= 2 * len(data)  # nobody's weapon
