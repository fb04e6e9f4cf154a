"""Client and node of the control channel back to back, in virtual time."""

from __future__ import annotations

import contextlib
import json
from dataclasses import asdict, replace
from typing import Any

import numpy as np
import pytest
from aioquic.quic.events import StreamDataReceived
from hypothesis import given
from hypothesis import strategies as st

from probe.errors import AuthenticationFailed, FingerprintMismatch, NotMeasured, ProtocolError, Unreachable
from probe.impairment.chain import Path
from probe.impairment.profile import Impairment, Loss
from probe.impairment.virtual import DatagramCarrier
from probe.methods.admission import Limits
from probe.methods.control import LOG_ROWS, fingerprint_hex, proof
from probe.methods.control_client import Answer, ControlClient, LogPage, Report, Welcome
from probe.methods.control_server import GRACE, OVERTIME, ControlServer
from probe.methods.negotiation import Grant
from probe.methods.quic_node import QuicNode
from probe.methods.quic_server import ServerLimits
from probe.wire.control import encode_blob, encode_message
from probe.wire.log import LOG
from tests.quic_parts import CERTIFICATE, IDENTITY, KEY, Backend, quic_node, request

SECOND_NS = 1_000_000_000
NODE = ("192.0.2.2", 40000)


class Line:
    """A client and a node with 10 ms of path between them."""

    def __init__(
        self, node: QuicNode, *, key: bytes = KEY, identity: Any = IDENTITY, loss: float = 0.0
    ) -> None:
        each = Impairment(delay_ns=10_000_000, loss=Loss(loss) if loss else None)
        self.node = node
        self.client = ControlClient(identity, key, NODE)
        self.carrier = DatagramCarrier(self.client, node, Path.of([each], [each], 3))
        self.client.connect(0.0)

    def answer(self) -> Answer | None:
        """Run until there is one; None if there is none within 20 s or the connection has ended."""
        found: list[Answer] = []

        def done() -> bool:
            answer = self.client.next_answer()
            if answer is not None:
                found.append(answer)
            return bool(found) or self.client.closed is not None

        self.carrier.run(self.carrier.now_ns + 20 * SECOND_NS, done)
        return found[0] if found else None

    def welcome(self) -> Line:
        assert isinstance(self.answer(), Welcome)
        return self

    def opened(self, **changes: Any) -> Grant:
        self.client.open(request(**changes))
        grant = self.answer()
        assert isinstance(grant, Grant)
        return grant

    def run(self, seconds: float) -> None:
        self.carrier.run(self.carrier.now_ns + int(seconds * SECOND_NS))


def test_a_session_is_opened_logged_and_closed() -> None:
    backend = Backend()
    line = Line(quic_node(backend)).welcome()
    grant = line.opened()
    assert backend.grants[grant.session] == grant
    assert grant.restricted == ()
    backend.rows = np.zeros(3, LOG)
    backend.rows["index"] = [4, 5, 6]
    line.client.log(grant.session, 1)
    page = line.answer()
    assert isinstance(page, LogPage)
    assert page.next == 3
    assert page.rows["index"].tolist() == [5, 6]
    line.client.close(grant.session)
    assert line.answer() == Report({"received": 3})
    assert not backend.grants
    assert line.node.control.sessions == 0


def test_of_a_report_numbers_alone_are_believed() -> None:
    class Fabulist(Backend):
        def report(self, session: int) -> dict[str, Any]:
            wild = {"text": "7", "list": [1], "vast": 10**400}
            return wild | {"steal_ratio": 0.25, "received": 3, "cpu_share": None}

    line = Line(quic_node(Fabulist())).welcome()
    line.client.close(line.opened().session)
    assert line.answer() == Report({"steal_ratio": 0.25, "received": 3, "cpu_share": None})


def test_the_welcome_tells_the_limits() -> None:
    answer = Line(quic_node(limits=Limits(streams=7))).answer()
    assert isinstance(answer, Welcome)
    assert answer.limits["streams"] == 7


def test_a_wrong_key_is_refused() -> None:
    line = Line(quic_node(), key=b"another key")
    answer = line.answer()
    assert isinstance(answer, AuthenticationFailed)
    assert line.node.control.rejected == 1
    line.client.open(request())
    assert line.answer() is None


def test_any_of_several_keys_opens() -> None:
    Line(quic_node(keys={"one": b"first", "two": b"second"}), key=b"second").welcome()


def test_another_node_than_the_pinned_one_is_noticed_before_the_key_is_used() -> None:
    node = quic_node()
    line = Line(node, identity=replace(IDENTITY, fingerprint="sha256:" + "00" * 32))
    with pytest.raises(FingerprintMismatch, match=f"its certificate is sha256:{CERTIFICATE.fingerprint}"):
        line.answer()
    line.run(1)
    assert node.control.rejected == 0


def test_without_a_pin_a_self_signed_certificate_is_not_trusted() -> None:
    line = Line(quic_node(), identity=replace(IDENTITY, fingerprint=None))
    assert line.answer() is None
    assert isinstance(line.client.closed, FingerprintMismatch)


def test_a_restricted_session_says_what_and_why() -> None:
    line = Line(quic_node(limits=Limits(streams=4, duration_ms=5000))).welcome()
    grant = line.opened(streams=8, rate_pps=400.0, rate_bps=320_000)
    assert (grant.streams, grant.rate_pps, grant.duration_ms) == (4, 200.0, 5000)
    assert {item.what: item.why for item in grant.restricted} == {
        "streams": "streams",
        "rate_pps": "streams",
        "rate_bps": "streams",
        "duration_ms": "duration_ms",
    }


def test_a_full_node_is_busy_until_a_session_closes() -> None:
    line = Line(quic_node(limits=Limits(sessions=1))).welcome()
    grant = line.opened()
    line.client.open(request())
    answer = line.answer()
    assert isinstance(answer, NotMeasured)
    assert "is busy: the node has 1 open sessions" in str(answer)
    line.client.close(grant.session)
    line.answer()
    line.opened()


def test_a_transport_that_the_node_does_not_serve_is_refused() -> None:
    node = quic_node()
    node.control._backends = {}
    line = Line(node).welcome()
    line.client.open(request())
    answer = line.answer()
    assert isinstance(answer, NotMeasured)
    assert "does not serve udp" in str(answer)


def test_sessions_belong_to_the_connection_that_opened_them() -> None:
    node = quic_node()
    grant = Line(node).welcome().opened()
    other = Line(node).welcome()
    other.client.close(grant.session)
    assert isinstance(other.answer(), NotMeasured)
    assert node.control.sessions == 1


def test_a_long_log_comes_in_pages() -> None:
    backend = Backend()
    line = Line(quic_node(backend)).welcome()
    grant = line.opened()
    backend.rows = np.zeros(2 * LOG_ROWS + 10, LOG)
    backend.rows["index"] = np.arange(len(backend.rows))
    cursor, pages = 0, []
    while True:
        line.client.log(grant.session, cursor)
        page = line.answer()
        assert isinstance(page, LogPage)
        if page.next == cursor:
            break
        pages.append(page.rows)
        cursor = page.next
    assert [len(page) for page in pages] == [LOG_ROWS, LOG_ROWS, 10]
    assert (np.concatenate(pages) == backend.rows).all()


@pytest.mark.slow
def test_many_questions_at_once_are_answered_without_an_endless_buffer() -> None:
    backend = Backend()
    line = Line(quic_node(backend)).welcome()
    grant = line.opened()
    rng = np.random.default_rng(1)
    backend.rows = np.zeros(LOG_ROWS, LOG)
    backend.rows["t2"] = rng.integers(1 << 60, size=LOG_ROWS)  # does not compress
    for _ in range(20):
        line.client.log(grant.session, 0)
    largest = 0
    for _ in range(20):
        assert isinstance(line.answer(), LogPage)
        (peer,) = line.node.server.peers
        sender = peer.quic._streams[0].sender
        largest = max(largest, sender._buffer_stop - sender._buffer_start)
    assert largest < 6 << 20


def test_the_channel_survives_loss() -> None:
    line = Line(quic_node(), loss=0.2).welcome()
    grant = line.opened()
    line.client.close(grant.session)
    assert isinstance(line.answer(), Report)


def test_sessions_end_shortly_after_their_connection() -> None:
    backend = Backend()
    line = Line(quic_node(backend)).welcome()
    line.opened(duration_ms=3_600_000)
    line.client.end()
    line.run(GRACE - 1)
    assert backend.grants
    line.run(5)
    assert not backend.grants


def test_a_session_does_not_outlive_its_time() -> None:
    backend = Backend()
    line = Line(quic_node(backend)).welcome()
    line.opened(duration_ms=1000)
    for _ in range(int(OVERTIME) + 2):
        line.client.ping()
        line.run(1)
    assert line.client.closed is None
    assert not backend.grants


def test_a_killed_client_leaves_nothing_behind() -> None:
    backend = Backend()
    line = Line(quic_node(backend)).welcome()
    line.opened(duration_ms=3_600_000)
    now = line.carrier.now
    while (timer := line.node.get_timer()) is not None and timer < now + 100:
        line.node.handle_timer(timer + 1e-6)
        line.node.datagrams_to_send(timer + 1e-6)
    assert not backend.grants
    assert not line.node.server.peers


def test_a_connection_without_key_is_dropped() -> None:
    node = quic_node(server_limits=ServerLimits(confirm_timeout=10.0))
    line = Line(node, key=b"wrong")
    line.answer()
    line.run(8)
    assert node.server.peers
    line.run(3)
    assert not node.server.peers
    assert node.server.counts.timed_out == 1


def test_the_node_says_goodbye() -> None:
    line = Line(quic_node()).welcome()
    line.node.close()
    line.run(1)
    assert isinstance(line.client.closed, Unreachable)
    assert "the node stops" in str(line.client.closed)


def test_a_proof_is_made_for_one_certificate() -> None:
    assert proof(KEY, bytes(32), "aa") != proof(KEY, bytes(32), "bb")


def test_fingerprints_are_written_in_several_ways() -> None:
    assert fingerprint_hex("sha256:" + "AB" * 32) == fingerprint_hex(":".join(["ab"] * 32)) == "ab" * 32
    with pytest.raises(ValueError):
        fingerprint_hex("sha256:abcd")


# A key that is right does not make a client harmless.


class _Quiet:
    """What a Peer is to the control server."""

    def __init__(self) -> None:
        self.address = ("192.0.2.9", 1)
        self.confirmed = False
        self.closed = False
        self.quic = self
        self._streams: dict[int, Any] = {}
        self.sent = b""

    def close(self, code: int, reason: str) -> None:
        self.closed = True

    def send_stream_data(self, stream_id: int, data: bytes) -> None:
        self.sent += data


def talk(data: bytes, *, with_key: bool) -> _Quiet:
    """Send bytes to a control server, on a connection that has shown its key or not."""
    node = quic_node()
    peer = _Quiet()
    control: ControlServer = node.control
    if with_key:
        control.handle(peer, _stream(encode_message({"type": "hello", "protocol": 1})), 0.0)  # type: ignore[arg-type]
        nonce = bytes.fromhex(json.loads(peer.sent[5:])["nonce"])
        shown = proof(KEY, nonce, CERTIFICATE.fingerprint).hex()
        control.handle(peer, _stream(encode_message({"type": "auth", "proof": shown})), 0.0)  # type: ignore[arg-type]
        assert peer.confirmed
    control.handle(peer, _stream(data), 0.0)  # type: ignore[arg-type]
    return peer


def _stream(data: bytes, stream_id: int = 0) -> StreamDataReceived:
    return StreamDataReceived(data=data, end_stream=False, stream_id=stream_id)


@given(st.binary(max_size=200), st.booleans())
def test_any_bytes_end_at_most_their_own_connection(data: bytes, with_key: bool) -> None:
    talk(data, with_key=with_key)


VALUES = (
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text()
)


@given(
    st.sampled_from(["hello", "auth", "open", "log", "close", "?"]),
    st.dictionaries(
        st.sampled_from(["protocol", "proof", "request", "session", "after", "nonce"]),
        VALUES | st.dictionaries(st.sampled_from(["transport", "streams", "rate_pps"]), VALUES),
    ),
    st.booleans(),
)
def test_any_message_ends_at_most_its_own_connection(
    kind: str, fields: dict[str, Any], with_key: bool
) -> None:
    try:
        data = encode_message({"type": kind} | fields)
    except ValueError:
        return
    talk(data, with_key=with_key)


@pytest.mark.parametrize(
    "data",
    [
        encode_blob(b""),
        encode_blob(b"x"),
        encode_message({"type": "auth", "proof": "00"}),
        encode_message({"type": "open", "request": request().to_json()}),
        encode_message({"type": "hello", "protocol": 1}) * 2,
        encode_message({"type": "x"}) * 100,
    ],
)
def test_what_comes_before_the_key_is_not_served(data: bytes) -> None:
    peer = talk(data, with_key=False)
    assert peer.closed
    assert b"opened" not in peer.sent


def asked_client(kind: str) -> ControlClient:
    """A client that waits for the answer to one question."""
    client = ControlClient(IDENTITY, KEY, NODE)
    client._quic.connect(NODE, 0.0)
    if kind == "open":
        client.open(request())
    elif kind == "log":
        client.log(1, 5)
    elif kind == "close":
        client.close(1)
    else:
        client._ask({"type": kind})
    return client


@pytest.mark.slow
@given(
    st.sampled_from(["hello", "auth", "open", "log", "close"]),
    st.sampled_from(["challenge", "welcome", "opened", "log", "report", "refused", "?"]),
    st.dictionaries(
        st.sampled_from(["nonce", "protocol", "grant", "rows", "next", "counters", "reason", "limits"]),
        VALUES | st.dictionaries(st.sampled_from(["transport", "token", "restricted"]), VALUES),
    ),
    st.binary(max_size=40),
)
def test_whatever_a_node_answers_is_a_value_or_a_protocol_error(
    asked: str, kind: str, fields: dict[str, Any], blob: bytes
) -> None:
    client = asked_client(asked)
    try:
        data = encode_message({"type": kind} | fields) + encode_blob(blob)
    except ValueError:
        return
    with contextlib.suppress(ProtocolError):
        client._handle(_stream(data), 1.0)


def test_a_grant_that_grew_is_refused() -> None:
    client = asked_client("open")
    grown = Grant(**asdict(request(streams=2)), session=1, token=bytes(16), ssrc_base=1 << 20)
    with pytest.raises(ProtocolError, match="granted streams 2"):
        client._handle(_stream(encode_message({"type": "opened", "grant": grown.to_json()})), 1.0)
