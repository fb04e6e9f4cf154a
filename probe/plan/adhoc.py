"""A plan that no file has: one node, voice and video, on the good network and on a weak one."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from pydantic import ValidationError

from probe.errors import ConfigError
from probe.impairment.profile import CLEAN, NetworkProfile
from probe.plan.fields import UNKNOWN_COUNTRY, Endpoint
from probe.plan.loaded import LoadedPlan, thresholds_of
from probe.plan.model import Plan
from probe.plan.presets import PRESETS
from probe.plan.scalars import format_duration, format_rate

VENDOR, NODE = "adhoc", "node"
ORIGIN = "adhoc"
LIMITS = {"voice": "voice-room", "video": "video-call"}
"""Scenario -> the threshold preset whose limits of `residual` apply."""
BLOCK = "2s"


def adhoc_plan(
    network: NetworkProfile,
    endpoint: Endpoint,
    key: bytes,
    *,
    fingerprint: str | None,
    cafile: str | None,
    duration_ns: int,
    video_bps: int | None,
    repeat: int,
) -> LoadedPlan:
    """Each of voice and video, clean and behind `network`, `repeat` times; gates are what is not playable in time
    behind it. Raises ConfigError when something given is none of its kind."""
    duration = format_duration(duration_ns)
    video = {"preset": "video", "duration": duration} | (
        {"bitrate": format_rate(video_bps)} if video_bps is not None else {}
    )
    node: dict[str, Any] = {"name": NODE, "endpoint": str(endpoint)}
    node |= {
        name: value for name, value in (("fingerprint", fingerprint), ("cafile", cafile)) if value is not None
    }
    document = {
        "version": 1,
        "country": UNKNOWN_COUNTRY,
        "title": {"en": f"Check of {str(endpoint).removeprefix('probe://')} behind {network.name}"},
        "timezone": "UTC",
        "windows": {},
        "vendors": [{"name": VENDOR, "key": key.decode(errors="surrogateescape"), "nodes": [node]}],
        "scenarios": {"voice": {"preset": "voice", "duration": duration}, "video": video},
        "networks": [CLEAN.name, network.name],
        "matrix": [{"repeat": repeat}],
        "thresholds": [
            *(_thresholds(network.name, "gate")),
            *(_thresholds(CLEAN.name, "info")),
        ],
        "evidence": {"block": BLOCK},
    }
    try:
        plan = Plan.model_validate(document)
    except ValidationError as error:
        raise ConfigError(_first(error)) from None
    nowhere: list[tuple[str | None, int | None]] = [(None, None)] * len(plan.thresholds)
    networks = {CLEAN.name: CLEAN, network.name: network}
    return LoadedPlan(plan, Path(ORIGIN), ORIGIN, networks, thresholds_of(plan, nowhere))


def _thresholds(network: str, severity: str) -> list[dict[str, str]]:
    return [
        {"expr": line.expr, "severity": severity, "scenario": scenario, "network": network}
        for scenario, preset in LIMITS.items()
        for line in PRESETS[preset].lines
        if ".residual " in line.expr
    ]


def _first(error: ValidationError) -> str:
    """The first thing that is wrong, in our own words."""
    item = error.errors(include_url=False)[0]
    context = item.get("ctx") or {}
    return f"{item['loc'][-1]}: {context.get('sentence') or context.get('error') or item['msg']}"
