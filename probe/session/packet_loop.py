"""A lane's worker process: given one job after another, and replaced when it does not come back."""

from __future__ import annotations

from typing import Any

from probe.errors import NotMeasured, ProbeError
from probe.metrics import RUNNING, empty_rows
from probe.net.job import PROGRESS, JobResult, MediaJob, shared_rows
from probe.net.process import Child
from probe.net.shared import SharedArray

_ENTRY = "probe.net.worker:work"
_LEAVE_S = 0.3
"""For a worker in its packet loop to see that it is told to stop; in a handshake it does not look."""


class PacketLoop:
    """Runs one job at a time. `rows` (metrics.RUNNING) and `progress` are those of the last one started."""

    def __init__(self) -> None:
        self.rows = empty_rows(0, RUNNING)
        self.progress: Any = None
        self._child: Child | None = None
        self._busy = False

    def start(self, job: MediaJob) -> None:
        """Begin; raises NotMeasured when there is no memory for the packets or no process to be had."""
        rows, progress = _shared(job.rows)
        self.rows, self.progress = rows.array, progress.array
        try:
            self._send(job, rows, progress)
        finally:
            rows.close_fd()
            progress.close_fd()
        self._busy = True

    def _send(self, job: MediaJob, rows: SharedArray, progress: SharedArray) -> None:
        if self._child is not None:
            try:
                self._child.send(job, (rows.fd, progress.fd))
                return
            except NotMeasured:  # it ended since the last job
                self._discard()
        self._child = Child.start(_ENTRY)
        self._child.send(job, (rows.fd, progress.fd))

    async def result(self, seconds: float) -> JobResult:
        """The job's result; TimeoutError when it goes on. Raises what the worker raised, and NotMeasured
        when it ended."""
        assert self._child
        try:
            answer = await self._child.receive(seconds)
        except NotMeasured:
            self._discard()
            raise
        self._busy = False
        if isinstance(answer, ProbeError):
            raise answer
        assert isinstance(answer, JobResult)
        return answer

    async def abandon(self) -> None:
        """End the job whose result nobody waits for any more, if there is one."""
        if not self._busy or self._child is None:
            return
        self.progress["stop"] = 1
        try:
            await self._child.receive(_LEAVE_S)
            self._busy = False
        except (TimeoutError, NotMeasured):
            self._discard()

    async def stop(self) -> None:
        """End the process."""
        if self._child is not None and not self._busy:
            await self._child.stop()
            self._child = None
        self._discard()

    def _discard(self) -> None:
        if self._child is not None:
            self._child.kill()
        self._child, self._busy = None, False


def _shared(rows: int) -> tuple[SharedArray, SharedArray]:
    try:
        return shared_rows(rows), SharedArray.create(PROGRESS, 1)
    except OSError as error:
        size = rows * RUNNING.itemsize / 1e6
        raise NotMeasured(
            f"no memory for the packets of a session ({size:.0f} MB): {error.strerror}",
            hint="free some in /dev/shm, or make the scenario shorter or smaller",
        ) from None
