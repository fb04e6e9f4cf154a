"""What the node logged and what the worker writes of the same packets, while both go on."""

from __future__ import annotations

import asyncio
from typing import cast

import numpy as np
import pytest
from numpy.typing import NDArray

from probe.methods.schedule import stream_spec
from probe.metrics import NEVER, RUNNING, T_MAX_NS, Rows, Stamp, empty_rows
from probe.net.job import PROGRESS, MediaJob
from probe.net.quic import ControlConnection
from probe.records import SessionRecord
from probe.session import harvest as module
from probe.session.harvest import SETTLE_NS, Harvest
from probe.store.writer import RunWriter
from probe.wire import log

START_NS, CALLS = 1_000_000_000, 2
SETTLED_NS = T_MAX_NS + SETTLE_NS


class Node:
    """A node's log, handed out as far as it was written by then."""

    def __init__(self) -> None:
        self.entries: NDArray[np.void] = np.zeros(0, log.LOG)

    def note(
        self, index: int, stream: int, *, flags: int = log.KERNEL_T2 | log.KERNEL_T3, t3: int = 70
    ) -> None:
        entry: NDArray[np.void] = np.zeros(1, log.LOG)
        entry["index"], entry["stream"], entry["flags"] = index, stream, flags
        entry["t2"], entry["t3"], entry["down_seq"] = 50, t3, index
        self.entries = np.concatenate([self.entries, entry])

    async def log(self, _session: int, cursor: int) -> tuple[NDArray[np.void], int]:
        return self.entries[cursor:], len(self.entries)


class Store:
    """Keeps what it is given."""

    def __init__(self) -> None:
        self.given: list[Rows] = []

    def add_rows(self, _record: SessionRecord, rows: Rows) -> None:
        self.given.append(rows)


class Scene:
    """A session of two calls that runs, its clock set by hand."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        spec = stream_spec("voice", calls=CALLS, duration_ns=100_000_000)
        self.job = MediaJob(
            *("udp", ("127.0.0.1", 9), 1, bytes(16), 0, spec, 5, 10, 1, False, 200_000_000),
            server_name="localhost",
            fingerprint=None,
            cafile=None,
        )
        self.rows = empty_rows(10, RUNNING)
        self.node, self.store, self.now_ns = Node(), Store(), START_NS
        progress = np.zeros(1, PROGRESS)
        progress["start_ns"] = START_NS
        record = cast(SessionRecord, type("Record", (), {"client": {}})())
        control, writer = cast(ControlConnection, self.node), cast(RunWriter, self.store)
        self.harvest = Harvest(control, self.job, record, self.rows, progress, writer)
        monkeypatch.setattr(module, "monotonic_ns", lambda: self.now_ns)

    def step(self, after_ns: int) -> None:
        """Harvest so long after the start."""
        self.now_ns = START_NS + after_ns
        asyncio.run(self.harvest.step())

    def stored(self) -> Rows:
        return np.concatenate(self.store.given)


@pytest.fixture
def scene(monkeypatch: pytest.MonkeyPatch) -> Scene:
    return Scene(monkeypatch)


def test_the_worker_is_alone_with_a_row_until_nothing_more_happens_to_its_packet(scene: Scene) -> None:
    """A delta that a reflection told was added to the exact time when the log came in between."""
    scene.rows["node_sent_ns"][0], scene.rows["stamps"][0] = 60, int(Stamp.RECEIVED)
    scene.node.note(0, 0, t3=70)
    before = scene.rows.copy()
    scene.step(SETTLED_NS - 1)
    assert scene.rows.tobytes() == before.tobytes()
    assert not scene.store.given
    scene.rows["node_sent_ns"][0] += 10  # told by a later reflection: the same as the log says
    scene.rows["stamps"][0] |= int(Stamp.NODE_SENT)
    scene.step(SETTLED_NS)
    (stored,) = scene.stored()
    assert (stored["node_received_ns"], stored["node_sent_ns"]) == (50, 70)
    assert stored["stamps"] == Stamp.RECEIVED | Stamp.NODE_RECEIVED | Stamp.NODE_SENT


def test_each_row_is_stored_once_with_what_the_log_said_of_it_at_any_time(scene: Scene) -> None:
    for index in range(5):
        scene.node.note(index, 0)
        scene.step(index * 20_000_000 + 1)
    scene.node.note(0, 7)  # a stream that is not ours
    scene.node.note(5, 0)  # a packet that is not ours
    scene.node.note(1, 0, flags=log.DUPLICATE, t3=NEVER)
    scene.step(SETTLED_NS + 25_000_000)
    assert [len(rows) for rows in scene.store.given] == [3]
    scene.node.note(2, 1)
    asyncio.run(scene.harvest.step())
    asyncio.run(scene.harvest.finish())
    stored = scene.stored()
    assert len(stored) == len(scene.rows)
    places = list(zip(stored["seq"].tolist(), stored["stream"].tolist(), strict=True))
    assert len(set(places)) == len(places)
    reached = {place for place, row in zip(places, stored, strict=True) if row["node_received_ns"] == 50}
    assert reached == {(0, 0), (1, 0), (2, 0), (3, 0), (4, 0), (2, 1)}
    assert {place for place, row in zip(places, stored, strict=True) if row["up_duplicates"]} == {(1, 0)}
