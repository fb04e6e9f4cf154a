"""What a plan can find out about the evening: simulated from rehearsed days, judged by the rules of `peak`.

A simulated campaign draws whole days of one rehearsed node with replacement: what a day does to both windows stays
together. The peak comparison of these days, their own shift taken out, tells which shift of the evening it would
have called degraded: estimate and interval move with the evening, the margin does not.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import date, timedelta

import numpy as np
from numpy.typing import NDArray

from probe.analysis.admission import CONTROL, Examined, examine
from probe.analysis.cells import PEAK_CELL, Key, group
from probe.analysis.peak import Comparison, compare, margin, peak_rows, verdict_of
from probe.analysis.population import Population
from probe.analysis.results import DEGRADED, SessionSummary
from probe.objectives import Evidence, find_metric

METRIC = "rtt.p95"
_UNIT = "ms"
POWER = 0.90
SIMULATIONS = 200
_QUANTILES = 100
"""Values that stand for a session's packets; simulation sorts them again and again."""
_MOST_MS, _STEP_MS = 200.0, 0.5
_MOST_DAYS = 60
_FIRST_DAY = date(2000, 1, 1)


@dataclass(slots=True)
class _Cell:
    """A node's rehearsed days: sessions by local date and window, evenings moved to no shift at all."""

    days: list[dict[str, list[Examined]]]
    _made: dict[tuple[int, int, float, bool], list[Examined]] = field(default_factory=dict)

    def day(self, number: int, place: int, shift: float, *, half: bool) -> list[Examined]:
        """Rehearsed day `number` as day `place` of a simulated campaign, its evening `shift` ms slower."""
        key = (number, place, shift, half)
        if key not in self._made:
            when = (_FIRST_DAY + timedelta(days=place)).isoformat()
            self._made[key] = [
                _moved(session, when, shift if window == "peak" else 0.0)
                for window, sessions in self.days[number].items()
                for session in (sessions[::2] if half else sessions)
            ]
        return self._made[key]

    def forget(self) -> None:
        self._made.clear()


@dataclass(frozen=True, slots=True)
class Finding:
    """Of one scenario, network and transport. `shifts` is days -> the smallest shift of `METRIC` in ms that is
    found with `POWER` (None: not even 200 ms); `least_days` the fewest after which there is a verdict at all.
    `half_sessions` is the smallest shift in all days with every other session, `left_out` are nodes whose evening
    loses too many packets to have a percentile."""

    scenario: str
    network: str
    transport: str
    least_days: int | None
    shifts: dict[int, float | None]
    half_sessions: float | None
    nodes: int
    left_out: tuple[str, ...]


def findings(
    summaries: Sequence[SessionSummary],
    evidence: Evidence,
    days: int,
    seed: int,
    simulations: int = SIMULATIONS,
) -> list[Finding]:
    """What a campaign of `days` days like these sessions would find out; an entry a kind of session."""
    found = []
    for kind, cells, left_out in _kinds(summaries, evidence):
        least = _least_days(cells, evidence, seed)
        shifts: dict[int, float | None] = {}
        half = None
        if least is not None:
            for number in sorted({least, days, 2 * days} - set(range(least))):
                shifts[number] = smallest_shift(cells, evidence, number, seed, simulations)
            if days >= least:
                half = smallest_shift(cells, evidence, days, seed, simulations, half=True)
        found.append(Finding(*kind, least, shifts, half, len(cells), left_out))
    return found


def detected(
    summaries: Sequence[SessionSummary],
    evidence: Evidence,
    days: int,
    shift_ms: float,
    seed: int,
    simulations: int = SIMULATIONS,
) -> float:
    """The share of simulated campaigns that find a shift of `shift_ms`, over all kinds of session."""
    shares = [
        power(cells, evidence, days, shift_ms, seed, simulations)
        for _, cells, _ in _kinds(summaries, evidence)
        if cells
    ]
    return float(np.mean(shares)) if shares else 0.0


def _kinds(
    summaries: Sequence[SessionSummary], evidence: Evidence
) -> list[tuple[tuple[str, str, str], list[_Cell], tuple[str, ...]]]:
    sessions = [one for one in examine(summaries) if one.record.role != CONTROL and one.objection is None]
    shifts = {
        (row.vendor, row.node, row.scenario, row.network, row.transport): row.shift
        for row in peak_rows(sessions, (), evidence)
        if row.metric == METRIC
    }
    kinds: dict[tuple[str, str, str], tuple[list[_Cell], list[str]]] = {}
    for key, chosen in group(sessions, PEAK_CELL).items():
        cells, left_out = kinds.setdefault((key[2], key[3], key[4]), ([], []))
        shift = shifts.get(key)
        cell = None if shift is None else _cell(chosen, shift)
        if cell is None:
            left_out.append(_name(key))
        else:
            cells.append(cell)
    return [(kind, cells, tuple(left_out)) for kind, (cells, left_out) in kinds.items()]


def _name(key: Key) -> str:
    return f"{key[0]}/{key[1]}"


def _cell(sessions: Sequence[Examined], shift: float) -> _Cell | None:
    """None when no day has both windows."""
    by_day: dict[str, dict[str, list[Examined]]] = {}
    for session in sessions:
        window = session.record.window
        if window in ("peak", "offpeak") and "rtt" in session.summary.values:
            day = by_day.setdefault(session.record.local_time[:10], {"peak": [], "offpeak": []})
            day[window].append(
                _moved(_thin(session), session.record.local_time[:10], -shift * (window == "peak"))
            )
    days = [day for _, day in sorted(by_day.items()) if day["peak"] and day["offpeak"]]
    return _Cell(days) if days else None


def _thin(session: Examined) -> Examined:
    values = session.summary.values["rtt"]
    assert isinstance(values, Population)
    levels = [(2 * place + 1) * 500 // _QUANTILES for place in range(_QUANTILES)]
    points = [values.percentile(level) for level in levels]
    finite = np.array([point for point in points if point is not None and np.isfinite(point)])
    thin = {"rtt": Population(finite, _QUANTILES - len(finite)), "loss": session.summary.values["loss"]}
    return session._replace(summary=replace(session.summary, values=thin))


def _moved(session: Examined, day: str, shift: float) -> Examined:
    """The session on another day, and `shift` ms slower."""
    record = replace(session.record, local_time=day + session.record.local_time[10:])
    values = dict(session.summary.values)
    rtt = values["rtt"]
    assert isinstance(rtt, Population)
    values["rtt"] = Population(rtt.finite + shift, rtt.infinite)
    return session._replace(summary=replace(session.summary, record=record, values=values))


def power(
    cells: Sequence[_Cell], evidence: Evidence, days: int, shift: float, seed: int, simulations: int
) -> float:
    """The share of simulated campaigns, each evening `shift` ms slower, whose verdict is `degraded`."""
    random = np.random.default_rng([seed, days])
    verdicts = [
        verdict_of(_compared(_drawn(cells, days, shift, random), evidence), _UNIT)[0]
        for _ in range(simulations)
    ]
    for cell in cells:
        cell.forget()
    return verdicts.count(DEGRADED) / simulations


def _drawn(
    cells: Sequence[_Cell], days: int, shift: float, random: np.random.Generator, *, half: bool = False
) -> list[Examined]:
    cell = cells[int(random.integers(len(cells)))]
    numbers: NDArray[np.int64] = random.integers(len(cell.days), size=days)
    chosen = [cell.day(int(number), place, shift, half=half) for place, number in enumerate(numbers)]
    return [session for sessions in chosen for session in sessions]


def _compared(sessions: Sequence[Examined], evidence: Evidence) -> Comparison:
    """As the peak table's row for `METRIC`."""
    metric, aggregate = find_metric(METRIC)
    return compare(sessions, metric.name, aggregate, evidence)


def _least(found: Comparison) -> float:
    """Any shift (ms) above this would have been called degraded; infinite where none would."""
    if found.objection is not None or found.low is None or found.offpeak is None:
        return math.inf
    return margin(_UNIT, found.offpeak) - found.low


def _least_days(cells: Sequence[_Cell], evidence: Evidence, seed: int) -> int | None:
    """The fewest days after which some shift is called so."""
    for days in range(1, _MOST_DAYS + 1) if cells else ():
        random = np.random.default_rng([seed, days])
        if math.isfinite(_least(_compared(_drawn(cells, days, 0.0, random), evidence))):
            return days
    return None


def smallest_shift(
    cells: Sequence[_Cell],
    evidence: Evidence,
    days: int,
    seed: int,
    simulations: int = SIMULATIONS,
    *,
    half: bool = False,
) -> float | None:
    """The smallest shift (ms, to half a millisecond) found with `POWER`; None when 200 ms is not."""
    random = np.random.default_rng([seed, days])
    least = sorted(
        _least(_compared(_drawn(cells, days, 0.0, random, half=half), evidence)) for _ in range(simulations)
    )
    enough = least[math.ceil(POWER * simulations) - 1]
    if enough >= _MOST_MS:
        return None
    return max(_STEP_MS, (math.floor(enough / _STEP_MS) + 1) * _STEP_MS)
