"""Judge stored runs again without a packet: by their own thresholds or by others, one run or several as one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from probe.analysis.assess import assess
from probe.analysis.results import Assessment
from probe.errors import ConfigError
from probe.objectives import Evidence, Threshold
from probe.plan.loaded import LoadedPlan
from probe.records import Json
from probe.session.run import history_of
from probe.store.reader import StoredRun, load_run


@dataclass(frozen=True, slots=True)
class Terms:
    """What runs are judged by."""

    thresholds: Sequence[Threshold]
    evidence: Evidence

    @classmethod
    def of_plan(cls, loaded: LoadedPlan) -> Terms:
        return cls(loaded.thresholds, loaded.evidence)

    def to_json(self) -> Json:
        thresholds = [threshold.to_json() for threshold in self.thresholds]
        return {"thresholds": thresholds, "evidence": self.evidence.to_json()}


def load_runs(results: Path, names: Sequence[str]) -> list[StoredRun]:
    """The runs in the order of their start, each once. Raises ConfigError."""
    found = {run.run_id: run for run in (load_run(results, name) for name in names)}
    return sorted(found.values(), key=lambda run: (str(run.manifest.get("started_at")), run.run_id))


def judge_again(runs: Sequence[StoredRun], terms: Terms | None) -> tuple[Assessment, Json]:
    """The verdict over `runs` (at least one, as `load_runs` orders them), and the manifest it was made by.

    Of one run by its own thresholds this is what the run said. Earlier runs in its folder take part in the
    comparison of the evening with other hours, as they did then. Raises ConfigError when several runs do
    not fit together.
    """
    manifest = runs[0].manifest if len(runs) == 1 else _together(runs, own=terms is None)
    if terms is not None:
        manifest = {**manifest, **terms.to_json()}
    sessions = [session for run in runs for session in run.sessions]
    # Judged as of the newest: what was measured between the runs is part of their history.
    history = history_of(runs[-1].manifest, sessions, runs[-1].folder.parent.parent)
    ids = {run.run_id for run in runs}
    return assess(manifest, sessions, (old for old in history if old.record.run_id not in ids)), manifest


def _together(runs: Sequence[StoredRun], *, own: bool) -> Json:
    newest = runs[-1].manifest
    for what in ("country", "emulated"):
        if len({str(run.manifest.get(what)) for run in runs}) > 1:
            told = ", ".join(f"{run.run_id}: {run.manifest.get(what)}" for run in runs)
            raise ConfigError(f"runs of different {_PLURAL[what]} are not one measurement ({told})")
    if own and len({_own_terms(run.manifest) for run in runs}) > 1:
        raise ConfigError(
            "the runs were measured with different thresholds", hint="say by which to judge: --with PLAN"
        )
    vantages = {run.manifest.get("vantage") for run in runs}
    return {
        **newest,
        "run_id": "+".join(run.run_id for run in runs),
        "runs": [run.run_id for run in runs],
        "started_at": runs[0].manifest.get("started_at"),
        "vantage": vantages.pop() if len(vantages) == 1 else None,
        "seed": None,
        "sessions_planned": None if None in _planned(runs) else sum(_planned(runs)),
        "interrupted": any(run.manifest.get("interrupted") for run in runs),
    }


_PLURAL = {"country": "countries", "emulated": "kinds (emulated and real)"}


def _planned(runs: Sequence[StoredRun]) -> list[Any]:
    return [run.manifest.get("sessions_planned") for run in runs]


def _own_terms(manifest: Json) -> str:
    """Comparable text of a run's thresholds; the line each stood on may differ."""
    asked = [
        (item.get("expr"), item.get("severity"), item.get("scope")) for item in manifest.get("thresholds", ())
    ]
    return repr((asked, sorted((manifest.get("evidence") or {}).items())))
