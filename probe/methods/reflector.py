"""The session reflector's side of RTP media: many sessions of many streams, a batch at a time.

Each original is logged and sent back at once with the node's own sequence number and times; duplicates
and repairs are logged only. As receiver of an upstream it asks for what is missing (RFC 4585), as sender
of a downstream it answers such requests (RFC 4588). Unknown SSRC or token: silence.
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from probe.errors import ProtocolError
from probe.methods.batch import ALONE, FOREVER, Batch, join
from probe.methods.reflected_session import ReflectedSession
from probe.methods.reflections import LOG_ROW_BITS, LOG_ROW_MASK
from probe.metrics import Times
from probe.wire import flexfec, media, rtcp, rtp
from probe.wire.bind import COOKIE_BYTES, BindMessage, Step, parse_bind


class Reflector:
    """All media sessions of a node. `secret` keys the stateless cookies of bind."""

    def __init__(self, secret: bytes) -> None:
        self.strays = 0
        self._secret = secret
        self._sessions: dict[int, ReflectedSession] = {}
        self._by_token: dict[bytes, ReflectedSession] = {}
        # A session is known by its first SSRC slot, plus one; zeros take no memory until written to.
        self._by_owner: dict[int, ReflectedSession] = {}
        self._owner = np.zeros(media.SLOT_MASK + 1, np.int32)
        self._out: list[Batch] = []

    # sessions

    def open(self, session: ReflectedSession) -> None:
        """Serve `session` from now on."""
        owner = session.slots.start + 1
        self._owner[session.slots] = owner
        self._by_owner[owner] = self._sessions[session.number] = self._by_token[session.token] = session

    def close(self, number: int) -> None:
        """Forget a session; its packets are strays from now on."""
        session = self._sessions.pop(number, None)
        if session is not None:
            self._owner[session.slots] = 0
            del self._by_token[session.token], self._by_owner[session.slots.start + 1]

    def session(self, number: int) -> ReflectedSession | None:
        return self._sessions.get(number)

    # carrier side

    def next_time_ns(self) -> int:
        next_ns = FOREVER
        for batch in self._out:
            next_ns = min(next_ns, int(batch.time_ns[0]))
        for session in self._sessions.values():
            next_ns = min(next_ns, session.next_time_ns())
        return next_ns

    def on_transmitted(self, tag: NDArray[np.int64], time_ns: Times) -> None:
        for session, mine in self._parts(self._owner[tag >> LOG_ROW_BITS]):
            if session is not None:
                session.on_transmitted(tag[mine] & LOG_ROW_MASK, time_ns[mine])

    def packets_to_send(self, now_ns: int, until_ns: int) -> Batch:
        out, self._out = self._out, []
        for session in self._sessions.values():
            if session.next_time_ns() <= until_ns:
                out.append(session.packets_to_send(now_ns, until_ns))
        return join(out)

    def receive_usual(self, batch: Batch) -> bool:
        """Take several packets that are all sound originals of one session, never seen before. False, and nothing
        done, for any other batch; `receive` of it does the same, packet for packet."""
        if len(batch.size) == ALONE or batch.data.shape[1] < media.MIN_PACKET_BYTES:
            return False
        words = media.read_words(batch.data)
        session = self._by_owner.get(int(self._owner[int(words[0, media.W_SSRC]) & media.SLOT_MASK]))
        return session is not None and session.receive_usual(batch, words)

    def receive(self, batch: Batch) -> None:
        words = media.read_words(batch.data)
        if len(words) == ALONE:
            (numbers,) = words.tolist()
            session = self._by_owner.get(int(self._owner[numbers[media.W_SSRC] & media.SLOT_MASK]))
            if session is not None and rtp.is_one_media(numbers[0]):
                self.strays += session.receive_one(batch, numbers)
                return
        good = rtp.is_media(words[:, media.W_START])
        if np.count_nonzero(good) < len(good):
            good |= flexfec.is_repair(words[:, media.W_START], media.PT_FEC)
            control = rtcp.is_rtcp(batch.data, batch.size)
            if control.any():
                self._take_control(batch.take(control))
            self.strays += len(good) - int(np.count_nonzero(good | control))
            if not good.any():
                return
            batch, words = batch.take(good), words[good]
        for session, rows in self._parts(self._owner[words[:, media.W_SSRC] & media.SLOT_MASK]):
            if session is None:
                self.strays += len(words[rows])
            elif isinstance(rows, slice):
                self.strays += session.receive(batch, words)
            else:
                self.strays += session.receive(batch.take(rows), words[rows])

    def _parts(
        self, owner: NDArray[np.int32]
    ) -> Iterator[tuple[ReflectedSession | None, NDArray[np.bool_] | slice]]:
        """Each session among the owners of rows, and which rows are its: a slice if they all are."""
        if not np.count_nonzero(owner != owner[:1]):
            for number in owner[:1].tolist():
                yield self._by_owner.get(number), slice(None)
            return
        for number in np.unique(owner).tolist():
            yield self._by_owner.get(number), owner == number

    def _take_control(self, batch: Batch) -> None:
        row, ssrc, lost = rtcp.parse_nacks(batch.data, batch.size)
        if len(row):
            for session, mine in self._parts(self._owner[ssrc & media.SLOT_MASK]):
                if session is None:
                    continue
                reply = session.retransmit(
                    ssrc[mine], lost[mine], batch.time_ns[row[mine]], batch.address[row[mine]]
                )
                if len(reply.size):
                    self._out.append(reply)
        nacked = np.zeros(len(batch.size), np.bool_)
        nacked[row] = True
        for index in np.flatnonzero(~nacked):
            self._take_bind(batch, int(index))

    def _take_bind(self, batch: Batch, index: int) -> None:
        """One message of a 5-tuple that wants to be bound; few a session, so a packet at a time."""
        try:
            message = parse_bind(batch.data[index, : batch.size[index]].tobytes())
        except ProtocolError:
            self.strays += 1
            return
        session = self._by_token.get(message.token)
        if session is None:
            self.strays += 1
            return
        address = batch.address[index]
        cookie = self._cookie(address, message.token)
        if message.step == Step.BIND:
            answer = BindMessage(Step.CHALLENGE, message.ssrc, message.nonce, cookie=cookie)
        elif message.step == Step.CONFIRM and hmac.compare_digest(message.cookie, cookie):
            session.bind(address)
            answer = BindMessage(Step.BOUND, message.ssrc, message.nonce)
        else:
            self.strays += 1
            return
        data = np.frombuffer(answer.encode(), np.uint8)[None, :]
        size = np.array([data.shape[1]], np.int64)
        self._out.append(Batch(data, size, batch.time_ns[[index]], address[None, :]))

    def _cookie(self, address: NDArray[np.uint8], token: bytes) -> bytes:
        return hmac.digest(self._secret, address.tobytes() + token, hashlib.sha256)[:COOKIE_BYTES]
