"""A plan ready to run or to judge by, with everything it refers to."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from probe.errors import ConfigError
from probe.impairment.profile import NetworkProfile
from probe.objectives import SCOPE_KEYS, Claim, Evidence, Threshold, parse_expression
from probe.plan.diagnostics import Diagnostic
from probe.plan.model import Plan, ThresholdRule
from probe.plan.networks import from_document, to_document
from probe.plan.presets import PRESETS, Line

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
    claims: tuple[Claim, ...] = ()
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
            "claims": [claim.to_json() for claim in self.claims],
        }


def thresholds_of(plan: Plan, places: Sequence[tuple[str | None, int | None]]) -> tuple[Threshold, ...]:
    """The plan's rules as objectives, presets spelt out; `places` is the (file, line) of each."""
    found: list[tuple[Threshold, bool]] = []
    for rule, (file, line) in zip(plan.thresholds, places, strict=True):
        made = list(_of_rule(rule, file, line))
        asked = {_question(threshold) for threshold in made}
        # Of two lines that ask the same the later one wins, if the earlier one came with a preset.
        found = [(one, preset) for one, preset in found if not (preset and _question(one) in asked)]
        found += [(threshold, rule.preset is not None) for threshold in made]
    return tuple(threshold for threshold, _ in found)


def claims_of(plan: Plan, places: Sequence[tuple[str | None, int | None]]) -> tuple[Claim, ...]:
    """The plan's claims as objectives; `places` is the (file, line) of each."""
    return tuple(
        rule.claim(plan.scenarios[rule.scenario].deadline, file, line)
        for rule, (file, line) in zip(plan.claims, places, strict=True)
    )


def _of_rule(rule: ThresholdRule, file: str | None, line: int | None) -> Iterator[Threshold]:
    scope: dict[str, str | list[str]] = {}
    for key in SCOPE_KEYS:
        names = getattr(rule, key)
        if names is not None:
            scope[key] = names[0] if len(names) == 1 else list(names)
    lines = PRESETS[rule.preset].lines if rule.preset else [Line(rule.expr or "", "")]
    for item in lines:
        severity = rule.severity or item.severity
        yield Threshold(parse_expression(item.expr), severity, scope, file, line)


def _question(threshold: Threshold) -> tuple[str, ...]:
    """What is asked, and of what: metric, aggregate and function, and the scope."""
    expression = threshold.expression
    scope = (f"{key}={value}" for key, value in sorted(threshold.scope.items()))
    return expression.function or "", expression.subject, *scope


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
            tuple(Claim.from_json(claim) for claim in document.get("claims", ())),
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
