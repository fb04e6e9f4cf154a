"""Run a plan: every node's lane side by side, then judge what was stored."""

from __future__ import annotations

import asyncio
import contextlib
import platform
import random
import secrets
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

from probe import __version__
from probe.analysis.assess import assess
from probe.analysis.looks import LOOKS
from probe.analysis.results import RUN_INTERRUPTED, Assessment
from probe.errors import ConfigError, StoreError
from probe.metrics import T_MAX_NS
from probe.net.clock import monotonic_ns, wall_offset
from probe.net.job import USUAL, Carriage
from probe.net.punctual import require
from probe.plan.diagnostics import did_you_mean
from probe.plan.expand import NodeSchedule, SessionSpec, expand
from probe.plan.loaded import LoadedPlan, with_duration
from probe.plan.model import OTHER, Vantage
from probe.plan.order import order_of, shuffled
from probe.plan.scalars import parse_duration
from probe.plan.windows import window_at
from probe.records import Json
from probe.session.context import RunContext
from probe.session.extension import next_round
from probe.session.lane import Lane
from probe.session.progress import Listener, RunStarted
from probe.session.stopping import Stopping
from probe.session.waiting import opening_of
from probe.session.weakening import check_kernel
from probe.store.atomic import check_writable
from probe.store.reader import StoredRun, find_sessions, load_run
from probe.store.runid import new_run_id
from probe.store.sessions import StoredSession
from probe.store.writer import RunWriter

SCHEMA_VERSION = 1
OVERHEAD_S = 0.8
"""Of a session beyond its stream and tail: handshakes, bind, log."""
HISTORY_SESSIONS = 200
"""Earlier sessions that a node is compared with."""


@dataclass(frozen=True, slots=True)
class RunOptions:
    """What a command line adds to a plan; None leaves it to the plan."""

    results: Path | None = None
    vantage: str | None = None
    seed: int | None = None
    only: str | None = None
    duration: str | None = None
    wait: str | None = None
    carriage: Carriage = USUAL


def prepare(loaded: LoadedPlan, options: RunOptions) -> tuple[LoadedPlan, RunOptions]:
    """Apply what can be wrong before anything starts; raises ConfigError, and NotMeasured when this system grants
    less punctuality than is asked for, or its kernel no weak networks."""
    if options.duration is not None:
        try:
            loaded = with_duration(loaded, parse_duration(options.duration))
        except ValueError as error:
            raise ConfigError(f"--duration {options.duration}: {error}") from None
    vantage_named(loaded, options.vantage)
    expand(loaded.plan, lambda _: OTHER, options.only)
    options = replace(options, results=options.results or Path(loaded.plan.store.path))
    assert options.results
    if options.carriage.kernel_netem:
        check_kernel(loaded, options.only)
    if options.wait:
        opening_of(loaded, options.wait, datetime.now(UTC), options.only)
        check_writable(options.results)  # hours later is too late to tell
    require(options.carriage.punctuality)
    return loaded, options


async def run_plan(
    loaded: LoadedPlan,
    options: RunOptions,
    listener: Listener,
    stopping: Stopping,
    describe: Callable[[Assessment], Json],
) -> Assessment:
    """Measure `loaded` into `options.results` and judge it. Set `stopping` to end early: what was measured
    is kept and the verdict is `interrupted`. `describe` makes the document that summary.json keeps.

    Raises ConfigError before a packet is sent, StoreError when results cannot be written.
    """
    plan, results = loaded.plan, options.results
    assert results is not None
    now = datetime.now(UTC)
    lanes = sessions_at(now, loaded, options)
    seed = options.seed if options.seed is not None else secrets.randbits(32)
    lanes = shuffled(lanes, seed)
    manifest = _manifest(loaded, lanes, now, seed, options)
    with RunWriter(results, manifest) as writer:
        context = RunContext(
            manifest["run_id"],
            plan.country,
            seed,
            writer,
            loaded.networks,
            vantage_named(loaded, options.vantage),
            listener,
            stopping,
            options.carriage,
        )
        listener(
            RunStarted(
                manifest["run_id"],
                plan.title.get("en", plan.country),
                manifest["sessions_planned"],
                max((_expected_s(lane) for lane in lanes), default=0.0),
                manifest["emulated"],
            )
        )
        await _all_lanes([Lane(lane, context) for lane in lanes], stopping)
        assessment = await asyncio.to_thread(judge_run, results, manifest["run_id"])
        assessment = await _extended(loaded, lanes, context, results, assessment)
        if assessment.verdict == RUN_INTERRUPTED and stopping.by is not None:
            # As `assess` finds it in the sessions that were cut off, if there is one.
            assessment = replace(assessment, exit_code=128 + stopping.by)
        _write_documents(writer, describe(assessment))
    return assessment


async def _extended(
    loaded: LoadedPlan,
    lanes: Sequence[NodeSchedule],
    context: RunContext,
    results: Path,
    assessment: Assessment,
) -> Assessment:
    """Measure on while a gate is undecided and `evidence.extend_up_to` lasts."""
    extend_ns, began_ns = loaded.evidence.extend_up_to_ns, monotonic_ns()

    def open_now(lane: NodeSchedule, spec: SessionSpec) -> bool:
        current = window_at(loaded.plan.windows, lane.timezone, datetime.now(UTC))
        return lane.node.endpoint.emulated or spec.window == current

    for look in range(1, LOOKS if extend_ns else 1):
        found = next_round(look, began_ns, extend_ns, assessment, lanes, open_now)
        if found is None or context.stopping.is_set():
            break
        context.look = look
        await _all_lanes([Lane(lane, context, found.until_ns) for lane in found.lanes], context.stopping)
        assessment = await asyncio.to_thread(judge_run, results, context.run_id)
    return assessment


def _write_documents(writer: RunWriter, document: Json) -> None:
    verdict = ("schema_version", "run_id", "verdict", "exit_code", "thresholds", "peak", "quality")
    try:
        writer.write_document("summary.json", document)
        writer.write_document("verdict.json", {name: document[name] for name in verdict})
    except StoreError as error:
        hint = f"nothing that was measured is lost: probe report {writer.folder} shows it"
        raise StoreError(str(error), hint=hint) from None


def sessions_at(now: datetime, loaded: LoadedPlan, options: RunOptions) -> tuple[NodeSchedule, ...]:
    """What a run that starts `now` measures."""
    plan = loaded.plan
    return expand(plan, lambda zone: window_at(plan.windows, zone, now), options.only)


async def _all_lanes(lanes: list[Lane], stopping: Stopping) -> None:
    """Run them side by side; when one raises, the others finish the session they are in."""
    tasks = [asyncio.create_task(lane.run()) for lane in lanes]
    done, pending = await asyncio.wait(tasks, return_when=asyncio.FIRST_EXCEPTION)
    failed = [task.exception() for task in done if task.exception()]
    if failed:
        stopping.set()
        with contextlib.suppress(Exception):
            await asyncio.gather(*pending, return_exceptions=True)
        assert failed[0]
        raise failed[0]


def judge_run(results: Path, run: str) -> Assessment:
    """Analyse and judge a stored run from its files, against earlier runs of the same nodes."""
    return judge_stored(load_run(results, run), results)


def judge_stored(stored: StoredRun, results: Path) -> Assessment:
    """As `judge_run`, of a run already read."""
    return assess(stored.manifest, stored.sessions, history_of(stored.manifest, stored.sessions, results))


def history_of(manifest: Json, sessions: Sequence[StoredSession], results: Path) -> Iterator[StoredSession]:
    """Earlier sessions of this run's real nodes and controls, in every window: the evening is compared with
    other hours and other days (an emulated run holds all it is compared with)."""
    nodes = {
        (session.record.vendor, session.record.node) for session in sessions if not session.record.emulated
    }
    before = str(manifest.get("started_at") or datetime.now(UTC).isoformat())
    for vendor, node in sorted(nodes):
        yield from find_sessions(
            results,
            country=str(manifest.get("country")),
            vendor=vendor,
            node=node,
            before=before,
            limit=HISTORY_SESSIONS,
            where=lambda record: record.window != OTHER,
        )


def vantage_named(loaded: LoadedPlan, name: str | None) -> Vantage | None:
    """The plan's vantage of this name; ConfigError when it has none such."""
    if name is None:
        return None
    for vantage in loaded.plan.vantages:
        if vantage.name == name:
            return vantage
    names = [vantage.name for vantage in loaded.plan.vantages]
    raise ConfigError(f"the plan has no vantage '{name}'{did_you_mean(name, names)}")


def _expected_s(lane: NodeSchedule) -> float:
    return sum(spec.scenario.duration / 1e9 + T_MAX_NS / 1e9 + OVERHEAD_S for spec in lane.sessions)


def _manifest(
    loaded: LoadedPlan, lanes: tuple[NodeSchedule, ...], now: datetime, seed: int, options: RunOptions
) -> Json:
    """What is needed to judge the run again, without the plan's files, its secrets or this machine."""
    import aioquic
    import duckdb
    import numpy as np

    resolved, vantage = loaded.resolved(), vantage_named(loaded, options.vantage)
    return {
        "schema_version": SCHEMA_VERSION,
        "run_id": new_run_id(now, random.SystemRandom()),
        "started_at": now.isoformat(timespec="milliseconds"),
        "country": loaded.plan.country,
        "title": dict(loaded.plan.title),
        "emulated": any(lane.node.endpoint.emulated for lane in lanes),
        "vantage": vantage.name if vantage else None,
        "seed": seed,
        "impair": "kernel" if options.carriage.kernel_netem else "relay",
        "order": order_of(lanes),
        "sessions_planned": sum(len(lane.sessions) for lane in lanes),
        "thresholds": resolved["thresholds"],
        "claims": resolved["claims"],
        "evidence": loaded.evidence.to_json(),
        "plan": resolved,
        "clocks": {"wall_offset_ns": wall_offset().offset_ns},
        "versions": {
            "probe": __version__,
            "python": platform.python_version(),
            "kernel": f"{platform.system()} {platform.release()}",
            "aioquic": aioquic.__version__,
            "numpy": np.__version__,
            "duckdb": duckdb.__version__,
        },
    }
