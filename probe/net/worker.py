"""The process in which a session's packets are sent and received, one job after another."""

from __future__ import annotations

import contextlib

from probe.errors import ProbeError
from probe.metrics import RUNNING
from probe.net.clock import be_punctual
from probe.net.job import PROGRESS, JobResult, MediaJob
from probe.net.pipe import Pipe
from probe.net.shared import SharedArray


def work(pipe: Pipe) -> None:
    """Entry point of the child: take a `MediaJob` with two descriptors (rows, progress), answer a
    `JobResult` or a ProbeError, until told to stop."""
    from probe.net.media_job import run_udp_job
    from probe.net.quic_job import run_quic_job

    be_punctual()
    while True:
        job, fds = pipe.receive()
        if job == "stop":
            return
        assert isinstance(job, MediaJob)
        rows = SharedArray(fds[0], RUNNING, job.rows, at_once=True)
        progress = SharedArray(fds[1], PROGRESS, 1)
        rows.close_fd()
        progress.close_fd()
        run = run_udp_job if job.transport == "udp" else run_quic_job
        answer: JobResult | ProbeError
        try:
            answer = run(job, rows.array, progress.array)
        except ProbeError as error:
            answer = error
        with contextlib.suppress(BufferError):
            del rows, progress
        pipe.send(answer)
