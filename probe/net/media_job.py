"""Run one UDP session: signalling handshake, bind, media on an absolute schedule, tail."""

from __future__ import annotations

import secrets
from dataclasses import asdict
from typing import Any

import numpy as np
from numpy.typing import NDArray

from probe.methods.batch import Batch, no_address
from probe.methods.bind import Bind
from probe.methods.media_client import MediaClient
from probe.methods.running import Running
from probe.methods.schedule import SECOND_NS
from probe.metrics import NEVER, Rows, Unsent
from probe.net.clock import Waiter, monotonic_ns
from probe.net.job import DONE, HANDSHAKE_TIMEOUT_NS, JobResult, MediaJob
from probe.net.media_loop import MediaLoop
from probe.net.punctual import Privileges
from probe.net.quality import quality_facts
from probe.net.transmit import stamping_at
from probe.net.udp import MEDIA_SLOTS, SAMPLED, UdpSocket, open_udp

START_DELAY_NS = 50_000_000
"""Between bind and the first packet: time to build the schedule."""


def run_udp_job(job: MediaJob, rows: Rows, progress: NDArray[np.void]) -> JobResult:
    """Measure one session over UDP and leave every packet in `rows`."""
    from probe.net.quic_job import quic_handshake

    result = JobResult()
    if job.signalling:
        result.handshake_ms = quic_handshake(
            job.address,
            server_name=job.server_name,
            fingerprint=job.fingerprint,
            cafile=job.cafile,
            plain=job.plain,
        )
    sock = open_udp(peer=job.address, plain=job.plain, slots=MEDIA_SLOTS)
    privileges = Privileges(job.punctuality)
    try:
        sock.stamp(1)
        bind = _Binding(sock, job)
        result.bind_ms = bind.run(progress)
        if result.bind_ms is None:
            stopped = bool(progress["stop"][0])
            result.outcome = "aborted" if stopped else "unreachable"
            result.error = {"code": "no_bind", "transport": "udp"}
            return result
        result.quality = {
            "stamps_checked": bind.stamps,
            "punctuality": {"asked": job.punctuality.to_json(), "granted": privileges.granted()},
        }
        _measure(job, sock, rows, progress, result, spin_ns=privileges.spin_ns)
        if progress["stop"][0]:
            result.outcome = "aborted"
        return result
    finally:
        progress["phase"] = DONE
        privileges.drop()
        sock.close()


def _measure(
    job: MediaJob,
    sock: UdpSocket,
    rows: Rows,
    progress: NDArray[np.void],
    result: JobResult,
    *,
    spin_ns: int,
) -> None:
    """The media of a bound session."""
    plan = job.plan()
    rate_pps = len(rows) / (job.spec.duration_ns / SECOND_NS)
    every = stamping_at(rate_pps)
    if sock.stamped_every:
        sock.stamp(every)
    sock.segment(wanted=every == SAMPLED)
    client = MediaClient(
        job.spec,
        plan,
        rows,
        ssrc_base=job.ssrc_base,
        token=job.token,
        nack=job.nack,
        start_ns=monotonic_ns() + START_DELAY_NS,
        protection=job.protection,
        passing=True,
    )
    loop = MediaLoop(
        client,
        sock,
        progress,
        one_way=job.spec.one_way,
        nack=job.nack,
        rate_pps=rate_pps,
        kernel_stamped=result.quality["stamps_checked"]["received"],
        spin_ns=spin_ns,
    )
    loop.run()
    rows["unsent"][client.unreached] = Unsent.ABORTED
    result.first_packet_ms = first_packet_ms(rows)
    result.counters = asdict(client.counts) | {
        "refused": sock.refused,
        "carrier": sock.carrier,
        "socket_dropped": sock.dropped(),
    }
    result.counters["nacks_sent"] = client.nacks_sent
    result.quality |= quality_facts(Running(rows, plan, client.start_ns)) | loop.watch.facts()
    result.quality["asked_pps"] = rate_pps


class _Binding:
    """Binds a 5-tuple, and sees by these real packets which stamps the kernel really gives."""

    def __init__(self, sock: UdpSocket, job: MediaJob) -> None:
        self.stamps: dict[str, Any] = {"sent": False, "received": False}
        self._sock, self._address = sock, job.address
        self._bind = Bind(job.token, secrets.token_bytes(8), job.ssrc_base, job.address)
        self._start_ns = monotonic_ns()

    def run(self, progress: NDArray[np.void]) -> float | None:
        """Milliseconds until the node accepted this 5-tuple; None if it never did."""
        sock, bind, start_ns = self._sock, self._bind, self._start_ns
        waiter = Waiter(sock.fileno())
        while (now_ns := monotonic_ns()) < start_ns + HANDSHAKE_TIMEOUT_NS and not progress["stop"][0]:
            elapsed = (now_ns - start_ns) / 1e9
            for data, _ in bind.datagrams_to_send(elapsed):
                sock.send(datagram(data))
            self._receive()
            if bind.bound_at is not None:
                if not self.stamps["sent"]:
                    sock.stamp(0)
                return bind.bound_at * 1e3
            timer = bind.get_timer()
            if timer is None or timer > elapsed:
                waiter.wait(start_ns + int((timer if timer is not None else elapsed + 0.05) * 1e9))
        return None

    def _receive(self) -> None:
        if self._sock.transmitted():
            self.stamps["sent"] = True
        batch = self._sock.receive()
        for row in range(len(batch.size)):
            self.stamps["received"] = batch.kernel_stamped
            arrived = (int(batch.time_ns[row]) - self._start_ns) / 1e9
            data = batch.data[row, : batch.size[row]].tobytes()
            self._bind.receive_datagram(data, self._address, arrived)


def datagram(data: bytes) -> Batch:
    """A batch of one, for a connected socket."""
    matrix = np.frombuffer(data, np.uint8)[None, :]
    return Batch(
        matrix, np.array([len(data)]), np.zeros(1, np.int64), no_address(1), tag=np.zeros(1, np.int64)
    )


def first_packet_ms(rows: Rows) -> float | None:
    """From the first media packet's leaving to the first one back; None if none came back."""
    back = rows["received_ns"][rows["received_ns"] != NEVER]
    sent = rows["sent_ns"][rows["sent_ns"] != NEVER]
    return float(back.min() - sent.min()) / 1e6 if len(back) else None
