"""Run one RTP over QUIC session in a worker process: handshake, token, media on an absolute schedule, tail."""

from __future__ import annotations

import gc
from dataclasses import asdict

import numpy as np
from numpy.typing import NDArray

from probe.errors import Unreachable
from probe.methods.batch import FOREVER
from probe.methods.media_client import MediaClient
from probe.methods.negotiation import QUIC_STREAM
from probe.methods.quic_client import Handshake, NodeIdentity
from probe.methods.quic_server import Datagrams
from probe.methods.roq_client import RoqClient
from probe.methods.running import Running
from probe.methods.schedule import SECOND_NS
from probe.metrics import NEVER, T_MAX_NS, Rows
from probe.net.address import Address
from probe.net.certificate import authorities
from probe.net.clock import Alarm, Waiter, monotonic_ns
from probe.net.job import DONE, HANDSHAKE_TIMEOUT_NS, SENDING, WAITING, JobResult, MediaJob
from probe.net.punctual import Privileges
from probe.net.quality import LoopWatch, quality_facts
from probe.net.quic_datagrams import arrivals, as_batch
from probe.net.transmit import stamping_at
from probe.net.udp import UdpSocket, open_udp

START_DELAY_NS = 50_000_000
TAIL_MARGIN_NS = 50_000_000
IDLE_NS = 50_000_000
RECEIVE_AT_ONCE = 8
"""What is due is looked for again after so many arrivals: each takes QUIC a fraction of a millisecond."""
_HANDSHAKE = FOREVER
"""Tag of datagrams before the media."""
_PROGRESS_NS = 20_000
"""A timer that is due again at once waits so long: aioquic arms its loss timer one rounding error early."""


def run_quic_job(job: MediaJob, rows: Rows, progress: NDArray[np.void]) -> JobResult:
    """Measure one session over QUIC and leave every packet in `rows`.

    Raises FingerprintMismatch when the test connection reaches another node than the control channel's,
    NotMeasured when the stream cannot be sent over it.
    """
    sock = open_udp(peer=job.address, plain=job.plain, slots=RECEIVE_AT_ONCE)
    privileges = Privileges(job.punctuality)
    punctuality = {"asked": job.punctuality.to_json(), "granted": privileges.granted()}
    try:
        result = _QuicSession(job, sock, rows, progress).run()
        result.quality["punctuality"] = punctuality
        return result
    finally:
        progress["phase"] = DONE
        privileges.drop()
        sock.close()
        gc.collect()  # connections are cycles, and this process collects only when told


def quic_handshake(
    address: Address,
    *,
    server_name: str = "",
    fingerprint: str | None = None,
    cafile: str | None = None,
    plain: bool = False,
) -> float | None:
    """Milliseconds of a QUIC handshake with the node at `address`, on a new connection that is closed at
    once; None if there was none in time. Raises FingerprintMismatch."""
    handshake = Handshake(NodeIdentity(server_name or address[0], fingerprint, authorities(cafile)), address)
    sock = open_udp(peer=address, plain=plain)
    start_ns = monotonic_ns()
    waiter = Waiter(sock.fileno())
    try:
        handshake.connect(0.0)
        while (now_ns := monotonic_ns()) < start_ns + HANDSHAKE_TIMEOUT_NS and not sock.refused:
            now = (now_ns - start_ns) / 1e9
            handshake.handle_timer(now)
            if datagrams := handshake.datagrams_to_send(now):
                sock.send(as_batch(datagrams, connected=True))
            if handshake.completed_at is not None or handshake.closed:
                break
            came = list(arrivals(sock))
            for data, _, at_ns, _ in came:
                handshake.receive_datagram(data, address, (at_ns - start_ns) / 1e9)
            if not came:
                due = handshake.get_timer()
                waiter.wait(start_ns + round(due * 1e9) if due is not None else now_ns + IDLE_NS)
    finally:
        sock.close()
    return None if handshake.completed_at is None else handshake.completed_at * 1e3


class _QuicSession:
    """The packet loop: nothing in it waits for anything but the schedule, QUIC's timers and the socket."""

    def __init__(self, job: MediaJob, sock: UdpSocket, rows: Rows, progress: NDArray[np.void]) -> None:
        self._job, self._sock, self._rows, self._progress = job, sock, rows, progress
        self._plan = job.plan()
        self._origin_ns = monotonic_ns()
        self._client = RoqClient(
            NodeIdentity(job.server_name or job.address[0], job.fingerprint, authorities(job.cafile)),
            address=job.address,
            token=job.token,
            streams=job.transport == QUIC_STREAM,
            deadline_ns=job.deadline_ns,
            origin_ns=self._origin_ns,
        )
        self._checked = {"sent": False, "received": False}
        self._alarm = Alarm(sock.fileno(), spin_ns=job.punctuality.spin_ns)
        self._watch, self._awake_ns = LoopWatch(sock.wall), self._origin_ns

    def run(self) -> JobResult:
        result = JobResult()
        client = self._client
        if error := self._connect():
            result.outcome = "aborted" if self._progress["stop"][0] else "unreachable"
            code = "no_handshake" if client.handshake_at is None else "no_bind"
            result.error = {"code": code, "transport": self._job.transport, "detail": error}
        if client.handshake_at is not None:
            result.handshake_ms = client.handshake_at * 1e3
        if client.handshake_at is None or client.bound_at is None:
            return result
        result.bind_ms = (client.bound_at - client.handshake_at) * 1e3
        client.check_size(int(self._plan.size.max()))
        rate_pps = len(self._rows) / (self._job.spec.duration_ns / SECOND_NS)
        self._sock.stamp(stamping_at(rate_pps) if self._checked["sent"] else 0)
        media = self._media()
        result.first_packet_ms = self._first_packet_ms()
        result.counters = asdict(media.counts) | client.counters()
        result.counters |= {
            "refused": self._sock.refused,
            "carrier": self._sock.carrier,
            "socket_dropped": self._sock.dropped(),
        }
        taken = Running(self._taken_rows(), self._plan, media.start_ns)
        result.quality = quality_facts(taken) | self._watch.facts()
        result.quality["stamps_checked"] = self._checked
        result.quality["asked_pps"] = rate_pps
        if self._progress["stop"][0] or client.closed:
            result.outcome = "aborted"
        client.close()
        self._step()
        return result

    def _connect(self) -> str | None:
        """Handshake and token; returns why there is no connection."""
        self._sock.stamp(1)
        self._client.connect(0.0)
        while self._client.bound_at is None:
            if monotonic_ns() >= self._origin_ns + HANDSHAKE_TIMEOUT_NS:
                return f"no answer within {HANDSHAKE_TIMEOUT_NS / 1e9:g} s"
            if reason := self._client.closed:
                if not isinstance(reason, Unreachable):
                    raise reason
                return str(reason)
            if self._sock.refused:
                return "nobody listens there"
            if self._progress["stop"][0]:
                return "stopped"
            self._step()
        return None

    def _media(self) -> MediaClient:
        job, client, progress = self._job, self._client, self._progress
        media = MediaClient(
            job.spec,
            self._plan,
            self._rows,
            ssrc_base=job.ssrc_base,
            token=job.token,
            nack=False,
            start_ns=monotonic_ns() + START_DELAY_NS,
        )
        client.start(media, self._rows, streams=job.spec.calls, ssrc_base=job.ssrc_base)
        self._watch, self._awake_ns = LoopWatch(self._sock.wall), monotonic_ns()  # the handshake is no stall
        progress["start_ns"], progress["phase"] = media.start_ns, SENDING
        give_up_ns = 0
        while not progress["stop"][0] and client.closed is None:
            self._step()
            progress["sent"], progress["received"] = media.sent, client.packets_back
            if not client.all_sent:
                continue
            if not give_up_ns:
                give_up_ns = monotonic_ns() + T_MAX_NS + TAIL_MARGIN_NS
                progress["phase"] = WAITING
            if monotonic_ns() >= give_up_ns or self._nothing_outstanding():
                break
        progress["end_ns"] = monotonic_ns()
        client.abort()
        return media

    def _step(self) -> None:
        """Take what arrived, send what is due, then wait for either."""
        client = self._client
        if self._sock.unstamped:
            self._take_stamps()
        for data, _, at_ns, stamped in arrivals(self._sock):
            client.kernel_stamped = stamped
            self._checked["received"] |= stamped
            client.receive_datagram(data, self._job.address, self._seconds(at_ns))
        now_ns = monotonic_ns()
        client.handle_timer(self._seconds(now_ns))
        datagrams = client.datagrams_to_send(self._seconds(now_ns))
        if datagrams:
            self._send(datagrams)
        timer = client.get_timer()
        wake_ns = now_ns + IDLE_NS
        if timer is not None:
            wake_ns = min(wake_ns, max(self._origin_ns + round(timer * 1e9), now_ns + _PROGRESS_NS))
        since_ns, self._awake_ns = self._awake_ns, monotonic_ns()
        self._watch.worked(since_ns, self._awake_ns)
        if self._awake_ns < wake_ns:
            readable = self._alarm.wait(wake_ns)
            self._awake_ns = monotonic_ns()
            self._watch.woke(wake_ns, self._awake_ns)
            if readable and not self._sock.unstamped:
                self._take_stamps()  # one that was given up would go on waking us

    def _send(self, datagrams: Datagrams) -> None:
        client = self._client
        tags = client.tags(len(datagrams)) if client.sends_media else np.full(len(datagrams), _HANDSHAKE)
        batch = as_batch(datagrams, tags, connected=True)
        client.on_leaving(monotonic_ns())
        self._sock.send(batch)

    def _take_stamps(self) -> None:
        """When datagrams really left; those of the handshake tell whether the kernel knows."""
        if not (told := self._sock.transmitted()):
            return
        self._checked["sent"] = True
        tags, time_ns = told
        media = tags != _HANDSHAKE
        self._client.on_transmitted(tags[media], time_ns[media])

    def _seconds(self, at_ns: int) -> float:
        return (at_ns - self._origin_ns) / 1e9

    def _nothing_outstanding(self) -> bool:
        if self._job.spec.one_way:
            return False
        rows = self._rows
        back = (rows["received_ns"] != NEVER) | (rows["down_repaired_ns"] != NEVER)
        return bool((back | (rows["unsent"] != 0)).all())

    def _first_packet_ms(self) -> float | None:
        rows = self._rows
        back = np.concatenate(
            [rows[name][rows[name] != NEVER] for name in ("received_ns", "down_repaired_ns")]
        )
        sent = rows["sent_ns"][rows["sent_ns"] != NEVER]
        return float(back.min() - sent.min()) / 1e6 if len(back) else None

    def _taken_rows(self) -> Rows:
        """The rows with the moments at which our host had done its part, before the congestion window."""
        taken = self._rows.copy()
        sent = taken["sent_ns"] != NEVER
        taken["sent_ns"][sent] = self._client.taken_ns[sent]
        return taken
