"""A campaign in virtual time: every session of its diary over the emulated paths, into the same store."""

from __future__ import annotations

import multiprocessing
import os
import secrets
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

from probe.analysis.assess import assess_summaries
from probe.analysis.results import Assessment, SessionSummary
from probe.analysis.session import analyse_session
from probe.errors import ConfigError
from probe.impairment.profile import NetworkProfile
from probe.plan.expand import NodeSchedule
from probe.plan.loaded import LoadedPlan
from probe.plan.locate import network_name
from probe.records import Json
from probe.session.appointed import manifest_of, record_of, spec_of
from probe.session.diary import Appointment, lanes_of, make_diary
from probe.session.virtual import run_virtual
from probe.session.weather import at_level, level
from probe.store.writer import RunWriter

KIND = "rehearsal"
_BATCH = 8
"""Sessions that a process takes at a time."""
MOST_SESSIONS = 20_000

Progress = Callable[[int, int], None]
"""Of sessions done and sessions in all."""


@dataclass(frozen=True, slots=True)
class Rehearsed:
    """A run in the store like any other, and its judgement."""

    manifest: Json
    assessment: Assessment


def paths_of(loaded: LoadedPlan) -> dict[tuple[str, str, str], NetworkProfile]:
    """Vendor, node, window -> the access path to rehearse over. Raises ConfigError for a node without one."""
    found = {}
    for (vendor, node), windows in lanes_of(loaded.plan).items():
        for window, lane in windows.items():
            name = (lane.node.path or {}).get(window)
            if name is not None:
                found[vendor, node, window] = loaded.networks[network_name(name)]
            elif lane.sessions:
                raise ConfigError(
                    f"node '{node}' of {vendor} has no path for the window '{window}' to rehearse over",
                    hint="rehearse with `endpoint: emulated` and a `path` for each window",
                )
    return found


def rehearse(
    loaded: LoadedPlan,
    results: Path,
    *,
    days: int,
    seed: int | None,
    now: datetime,
    progress: Progress,
    workers: int | None = None,
) -> Rehearsed:
    """Measure `days` days from the next midnight of the plan's zone on. Raises ConfigError and StoreError.

    The same seed gives the same packets, whatever the number of `workers`.
    """
    paths_of(loaded)
    seed = secrets.randbits(32) if seed is None else seed
    tomorrow = now.astimezone(ZoneInfo(loaded.plan.timezone)) + timedelta(days=1)
    start = tomorrow.replace(hour=0, minute=0, second=0, microsecond=0, fold=0)
    diary = make_diary(loaded.plan, seed, start, days)
    _check(diary)
    manifest = manifest_of(
        KIND, loaded, diary, start=start, days=days, seed=seed, emulated=True, vantage=None
    )
    with RunWriter(results, manifest):
        summaries = _measure(loaded, results, manifest, diary, progress, workers)
    assessment = assess_summaries(manifest, summaries)
    return Rehearsed(manifest, assessment)


def _check(diary: Sequence[Appointment]) -> None:
    if not diary:
        raise ConfigError("no session of the plan falls in these days", hint="give more --days")
    if len(diary) > MOST_SESSIONS:
        raise ConfigError(
            f"{len(diary)} sessions are too many to rehearse (at most {MOST_SESSIONS})",
            hint="give fewer --days or rehearse with a smaller matrix",
        )


def _measure(
    loaded: LoadedPlan,
    results: Path,
    manifest: Json,
    diary: Sequence[Appointment],
    progress: Progress,
    workers: int | None,
) -> list[SessionSummary]:
    batches = [diary[at : at + _BATCH] for at in range(0, len(diary), _BATCH)]
    found: list[SessionSummary] = []
    small = {key: value for key, value in manifest.items() if key not in ("plan", "diary")}
    with ProcessPoolExecutor(
        workers or len(os.sched_getaffinity(0)),
        multiprocessing.get_context("spawn"),
        _begin,
        (loaded, results, small),
    ) as pool:
        jobs = [pool.submit(_batch, batch) for batch in batches]
        try:
            for job in as_completed(jobs):
                found += job.result()
                progress(len(found), len(diary))
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            raise
    return sorted(found, key=lambda summary: summary.record.index)


class _Worker:
    """What a process keeps between batches."""

    def __init__(self, loaded: LoadedPlan, results: Path, manifest: Json) -> None:
        self.manifest, self.loaded = manifest, loaded
        self.lanes = lanes_of(loaded.plan)
        self.paths = paths_of(loaded)
        # Every process writes sessions of its own into the one run.
        self.writer = RunWriter(results, manifest, resume=True)

    def measure(self, appointment: Appointment) -> SessionSummary:
        lane: NodeSchedule = self.lanes[appointment.vendor, appointment.node][appointment.window]
        spec = spec_of(lane, appointment)
        record = record_of(self.manifest, appointment, lane, spec, appointment.starts)
        access = self.paths[appointment.vendor, appointment.node, appointment.window]
        busy = level(appointment, self.manifest["seed"])
        networks = [at_level(access, busy), self.loaded.networks[spec.network]]
        record.quality["path_level"] = busy
        began_ns = int(appointment.starts.timestamp()) * 1_000_000_000
        rows = run_virtual(record, spec.scenario.stream, networks, began_ns)
        record.ended_at = (appointment.starts + timedelta(seconds=appointment.seconds)).isoformat()
        self.writer.add_rows(record, rows)
        self.writer.finish_session(record)
        return analyse_session(record, rows, self.loaded.evidence.block_ns)


_worker: list[_Worker] = []


def _begin(loaded: LoadedPlan, results: Path, manifest: Json) -> None:
    _worker.append(_Worker(loaded, results, manifest))


def _batch(appointments: Sequence[Appointment]) -> list[SessionSummary]:
    return [_worker[0].measure(appointment) for appointment in appointments]
