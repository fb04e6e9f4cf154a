"""A plan ready to run or to judge by, with everything it refers to."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from probe.errors import ConfigError
from probe.impairment.profile import NetworkProfile
from probe.objectives import SCOPE_KEYS, Evidence, Threshold, parse_expression
from probe.plan.diagnostics import Diagnostic
from probe.plan.model import Plan
from probe.plan.networks import from_document, to_document

Json = dict[str, Any]


@dataclass(frozen=True, slots=True)
class LoadedPlan:
    """A valid plan. `origin` is "given", "profiles" or "packaged"; `networks` holds each profile by name.

    `thresholds` carry the file and line of their place in the plan, for verdicts and annotations.
    """

    plan: Plan
    path: Path
    origin: str
    networks: Mapping[str, NetworkProfile]
    thresholds: tuple[Threshold, ...]
    warnings: tuple[Diagnostic, ...] = ()

    @property
    def evidence(self) -> Evidence:
        """How much a verdict needs."""
        rule = self.plan.evidence
        return Evidence(rule.confidence, rule.block, rule.min_packets, rule.min_days, rule.extend_up_to)

    def resolved(self) -> Json:
        """Everything as one JSON document, secrets as `***`: for the manifest of a run and for people.

        `plan_from_manifest` reads it back without the plan's files and without its secrets.
        """
        return {
            "path": str(self.path),
            "origin": self.origin,
            "plan": self.plan.model_dump(mode="json", exclude_none=True),
            "networks": {name: to_document(profile) for name, profile in sorted(self.networks.items())},
            "thresholds": [threshold.to_json() for threshold in self.thresholds],
        }


def thresholds_of(plan: Plan, places: Sequence[tuple[str | None, int | None]]) -> tuple[Threshold, ...]:
    """The plan's rules as objectives; `places` is the (file, line) of each."""
    found = []
    for rule, (file, line) in zip(plan.thresholds, places, strict=True):
        scope: dict[str, str | list[str]] = {}
        for key in SCOPE_KEYS:
            names = getattr(rule, key)
            if names is not None:
                scope[key] = names[0] if len(names) == 1 else list(names)
        found.append(Threshold(parse_expression(rule.expr), rule.severity, scope, file, line))
    return tuple(found)


def plan_from_manifest(document: Json) -> LoadedPlan:
    """Read back what `LoadedPlan.resolved` wrote; ConfigError when it is something else."""
    try:
        plan = Plan.model_validate(document["plan"])
        return LoadedPlan(
            plan,
            Path(document["path"]),
            document["origin"],
            {name: from_document(profile) for name, profile in document["networks"].items()},
            tuple(Threshold.from_json(threshold) for threshold in document["thresholds"]),
        )
    except (KeyError, TypeError, AttributeError, ValueError, ValidationError) as error:
        raise ConfigError(
            f"the manifest's plan cannot be read: {str(error).splitlines()[0]}",
            hint="it was written by another version, or changed by hand",
        ) from None


def with_duration(loaded: LoadedPlan, duration_ns: int) -> LoadedPlan:
    """The plan with every scenario `duration_ns` long; ConfigError when that holds no packet."""
    scenarios = {}
    for name, scenario in loaded.plan.scenarios.items():
        if duration_ns < scenario.stream.interval_ns:
            raise ConfigError(
                f"a duration of {duration_ns / 1e6:g}ms is too short for one packet of '{name}'",
                hint="give more, such as 10s",
            )
        scenarios[name] = scenario.model_copy(update={"duration": duration_ns})
    return replace(loaded, plan=loaded.plan.model_copy(update={"scenarios": scenarios}))
