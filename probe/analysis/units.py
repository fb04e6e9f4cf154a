"""What evidence is counted in: days, sessions, or blocks of time, whichever is the widest there is enough of.

Packets 20 ms apart say the same twice, and so do blocks of one evening. With at least `ENOUGH` local days of
several sessions each the day is the unit; else the session; else the block of `evidence.block`, and then the verdict speaks of
these minutes only.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from probe.analysis.admission import Examined
from probe.analysis.population import pooled
from probe.analysis.results import Poolable

DAY, SESSION, BLOCK = "day", "session", "block"
ENOUGH = 6
"""Units from which a wider unit is preferred: of fewer days no 95 % interval by ranks exists."""
CROWDED = 1.5
"""Sessions a day from which those of one day are pooled, as they share its weather; below, each is nearly a
day of its own, and pooling the few that are not would only throw degrees of freedom away."""


@dataclass(frozen=True, slots=True)
class Units:
    """`parts` is a metric's values a unit, in order of time; `session` numbers the session of each block.

    `blocks` are the finest units, whatever `kind` is: what says how alike neighbouring packets are.
    """

    kind: str
    parts: tuple[Any, ...]
    blocks: tuple[Any, ...]
    session: NDArray[np.int64]
    days: int = 0

    @property
    def independent(self) -> int:
        """Units for degrees of freedom: sessions of one day are not quite two."""
        return self.days if self.kind == SESSION and self.days >= ENOUGH else len(self.parts)

    @property
    def neighbours(self) -> NDArray[np.int64]:
        """Indices of the blocks that have a next one in the same session."""
        if self.kind != BLOCK:
            return np.zeros(0, np.int64)
        return np.flatnonzero(self.session[1:] == self.session[:-1])


def units_of(sessions: Sequence[Examined], metric: str) -> Units | None:
    """The units of a metric over the sessions that have it; None where none has."""
    having = [s for s in sessions if metric in s.summary.values and s.summary.values[metric].n]
    if not having:
        return None
    having.sort(key=lambda s: (s.record.started_at, s.record.index))
    blocks: list[Poolable] = []
    session: list[int] = []
    for number, one in enumerate(having):
        found = [part for part in one.summary.blocks.get(metric, ()) if part.n]
        found = found or [one.summary.values[metric]]
        blocks += found
        session += [number] * len(found)
    each = np.array(session, np.int64)
    days = by_day(having)
    if len(days) >= ENOUGH and len(having) >= CROWDED * len(days):
        parts = tuple(_pool(day, metric) for day in days.values())
        return Units(DAY, parts, tuple(blocks), each)
    if len(having) >= ENOUGH:
        return Units(SESSION, tuple(_pool([one], metric) for one in having), tuple(blocks), each, len(days))
    return Units(BLOCK, tuple(blocks), tuple(blocks), each)


def by_day(sessions: Iterable[Examined]) -> dict[str, list[Examined]]:
    """Sessions by the node's local date."""
    days: dict[str, list[Examined]] = {}
    for session in sessions:
        days.setdefault(session.record.local_time[:10], []).append(session)
    return days


def _pool(sessions: Iterable[Examined], metric: str) -> Any:
    return pooled([session.summary.values[metric] for session in sessions])
