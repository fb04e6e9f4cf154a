"""What a campaign and its rehearsal share: the manifest with the diary in it, and the record of a session."""

from __future__ import annotations

import hashlib
import json
import random
from collections.abc import Sequence
from datetime import UTC, datetime

import numpy as np

from probe import __version__
from probe.plan.expand import NodeSchedule, SessionSpec
from probe.plan.loaded import LoadedPlan
from probe.records import Json, SessionRecord
from probe.session.begun import begun_record
from probe.session.diary import Appointment
from probe.store.runid import new_run_id

SCHEMA_VERSION = 1


def plan_digest(loaded: LoadedPlan) -> str:
    """The same for the same plan, wherever its file lies: by this a campaign is found again."""
    resolved = {key: value for key, value in loaded.resolved().items() if key not in ("path", "origin")}
    for threshold in resolved["thresholds"]:
        threshold.pop("file", None)
    return hashlib.sha256(json.dumps(resolved, sort_keys=True).encode()).hexdigest()


def manifest_of(
    kind: str,
    loaded: LoadedPlan,
    diary: Sequence[Appointment],
    *,
    start: datetime,
    days: int,
    seed: int,
    emulated: bool,
    vantage: str | None,
) -> Json:
    """All that is needed to go on with it and to judge it; the diary is written down, not computed again."""
    resolved = loaded.resolved()
    return {
        "schema_version": SCHEMA_VERSION,
        "run_id": new_run_id(datetime.now(UTC), random.SystemRandom()),
        "kind": kind,
        "started_at": start.isoformat(timespec="milliseconds"),
        "days": days,
        "country": loaded.plan.country,
        "title": dict(loaded.plan.title),
        "emulated": emulated,
        "vantage": vantage,
        "seed": seed,
        "plan_digest": plan_digest(loaded),
        "thresholds": resolved["thresholds"],
        "evidence": loaded.evidence.to_json(),
        "plan": resolved,
        "versions": {"probe": __version__, "numpy": np.__version__},
        "diary": [appointment.to_json() for appointment in diary],
    }


def diary_in(manifest: Json) -> list[Appointment]:
    """The diary as the manifest keeps it."""
    return [Appointment.from_json(item) for item in manifest["diary"]]


def spec_of(lane: NodeSchedule, appointment: Appointment) -> SessionSpec:
    """What an appointment measures at its node."""
    asked = (appointment.scenario, appointment.network, appointment.transport, appointment.repeat)
    for spec in lane.sessions:
        if (spec.scenario_name, spec.network, spec.transport, spec.repeat) == asked:
            return spec
    raise LookupError(appointment.name)


def record_of(
    manifest: Json, appointment: Appointment, lane: NodeSchedule, spec: SessionSpec, now: datetime
) -> SessionRecord:
    """The record of a session of the diary that begins `now`."""
    record = begun_record(
        lane,
        spec,
        now,
        run_id=manifest["run_id"],
        country=manifest["country"],
        vantage=manifest["vantage"],
        seed=manifest["seed"],
        index=appointment.index,
    )
    record.emulated = record.emulated or bool(manifest["emulated"])
    record.appointment = appointment.name
    return record
