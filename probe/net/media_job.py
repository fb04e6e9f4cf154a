"""Run one UDP session: signalling handshake, bind, media on an absolute schedule, tail."""

from __future__ import annotations

import secrets
from dataclasses import asdict

import numpy as np
from numpy.typing import NDArray

from probe.methods.batch import ADDRESS_BYTES, Batch
from probe.methods.bind import Bind
from probe.methods.media_client import MediaClient
from probe.methods.running import Running
from probe.metrics import NEVER, T_MAX_NS, Rows, Unsent
from probe.net.clock import Waiter, monotonic_ns
from probe.net.job import DONE, HANDSHAKE_TIMEOUT_NS, SENDING, WAITING, JobResult, MediaJob
from probe.net.quality import LoopCanary, quality_facts
from probe.net.udp import UdpSocket, open_udp

START_DELAY_NS = 50_000_000
"""Between bind and the first packet: time to build the schedule."""
TAIL_MARGIN_NS = 50_000_000
IDLE_NS = 50_000_000


def run_udp_job(job: MediaJob, rows: Rows, progress: NDArray[np.void]) -> JobResult:
    """Measure one session over UDP and leave every packet in `rows`."""
    from probe.net.quic_job import quic_handshake

    result = JobResult()
    result.handshake_ms = quic_handshake(
        job.address, server_name=job.server_name, fingerprint=job.fingerprint, cafile=job.cafile
    )
    plan = job.plan()
    sock = open_udp(peer=job.address, plain=job.plain)
    try:
        result.bind_ms = _bind(sock, job)
        if result.bind_ms is None:
            result.outcome, result.error = "unreachable", {"code": "no_bind", "transport": "udp"}
            return result
        client = MediaClient(
            job.spec,
            plan,
            rows,
            ssrc_base=job.ssrc_base,
            token=job.token,
            nack=job.nack,
            start_ns=monotonic_ns() + START_DELAY_NS,
        )
        canary = LoopCanary()
        _media(client, sock, rows, progress, one_way=job.spec.one_way, canary=canary)
        result.first_packet_ms = first_packet_ms(rows)
        result.counters = asdict(client.counts) | {"refused": sock.refused, "carrier": sock.carrier}
        result.counters["nacks_sent"] = client.nacks_sent
        result.quality = quality_facts(Running(rows, plan, client.start_ns), canary, dropped=sock.dropped())
        if progress["stop"][0]:
            result.outcome = "aborted"
        return result
    finally:
        progress["phase"] = DONE
        sock.close()


def _bind(sock: UdpSocket, job: MediaJob) -> float | None:
    """Milliseconds until the node accepted this 5-tuple; None if it never did."""
    start_ns = monotonic_ns()
    bind = Bind(job.token, secrets.token_bytes(8), job.ssrc_base, job.address)
    waiter = Waiter(sock.fileno())
    while (now_ns := monotonic_ns()) < start_ns + HANDSHAKE_TIMEOUT_NS:
        elapsed = (now_ns - start_ns) / 1e9
        for data, _ in bind.datagrams_to_send(elapsed):
            sock.send(datagram(data))
        batch = sock.receive()
        for row in range(len(batch.size)):
            arrived = (int(batch.time_ns[row]) - start_ns) / 1e9
            bind.receive_datagram(batch.data[row, : batch.size[row]].tobytes(), job.address, arrived)
        if bind.bound_at is not None:
            return bind.bound_at * 1e3
        timer = bind.get_timer()
        if timer is None or timer > elapsed:
            waiter.wait(start_ns + int((timer if timer is not None else elapsed + 0.05) * 1e9))
    return None


def datagram(data: bytes) -> Batch:
    """A batch of one, for a connected socket."""
    return Batch(
        np.frombuffer(data, np.uint8)[None, :],
        np.array([len(data)], np.int64),
        np.zeros(1, np.int64),
        np.zeros((1, ADDRESS_BYTES), np.uint8),
    )


def _media(
    client: MediaClient,
    sock: UdpSocket,
    rows: Rows,
    progress: NDArray[np.void],
    *,
    one_way: bool,
    canary: LoopCanary,
) -> None:
    """The packet loop: nothing in it waits for anything but the schedule and the socket."""
    waiter = Waiter(sock.fileno())
    progress["start_ns"], progress["phase"] = client.start_ns, SENDING
    give_up_ns = 0
    while not progress["stop"][0]:
        batch = sock.receive()
        if len(batch.size):
            client.receive(batch)
            progress["received"] += len(batch.size)
        now_ns = monotonic_ns()
        batch = client.packets_to_send(now_ns, now_ns)
        if len(batch.size):
            client.on_leaving(monotonic_ns())
            sock.send(batch)
            progress["sent"] = client.sent
            continue
        if client.all_sent:
            if not give_up_ns:
                give_up_ns = now_ns + T_MAX_NS + TAIL_MARGIN_NS
                progress["phase"] = WAITING
            if now_ns >= give_up_ns or (not one_way and _all_returned(rows)):
                break
        wake_ns = min(client.next_time_ns(), now_ns + IDLE_NS)
        waiter.wait(wake_ns)
        canary.woke(wake_ns, monotonic_ns())
    progress["end_ns"] = monotonic_ns()
    _abort_rest(client, rows)


def _all_returned(rows: Rows) -> bool:
    return bool(((rows["received_ns"] != NEVER) | (rows["unsent"] != 0)).all())


def _abort_rest(client: MediaClient, rows: Rows) -> None:
    """What was scheduled and not reached when the session ended early."""
    rows["unsent"][client.unreached] = Unsent.ABORTED


def first_packet_ms(rows: Rows) -> float | None:
    """From the first media packet's leaving to the first one back; None if none came back."""
    back = rows["received_ns"][rows["received_ns"] != NEVER]
    sent = rows["sent_ns"][rows["sent_ns"] != NEVER]
    return float(back.min() - sent.min()) / 1e6 if len(back) else None
