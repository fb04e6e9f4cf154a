"""What this machine can measure: every check tried for real, in a few seconds."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import Any

from probe.analysis.quality import LIMITS
from probe.analysis.results import GRADE_INVALID, SessionSummary
from probe.errors import NotMeasured
from probe.net.clock import LINUX
from probe.net.job import Carriage
from probe.net.machine.buffers import buffer_facts
from probe.net.machine.clocks import clock_facts
from probe.net.machine.namespaces import AS_ORDINARY_USER, AS_OURSELVES, namespace_facts
from probe.net.machine.privileges import privilege_facts
from probe.net.machine.system import call_facts, connector_facts, ipv6_facts, processor_facts
from probe.records import COMPLETED, Json
from probe.session.quiet import MAX_LOAD, MAX_STEAL
from probe.session.self_call import call_oneself

OK, LACK = "ok", "lack"
_LIMIT = {limit.code: limit for limit in LIMITS}


@dataclass(frozen=True, slots=True)
class Check:
    """One question about this machine. `lacks` are codes of what is missing, each with a remedy in the report."""

    name: str
    facts: Json
    lacks: tuple[str, ...] = ()

    @property
    def status(self) -> str:
        return LACK if self.lacks else OK


@dataclass(frozen=True, slots=True)
class Diagnosis:
    """`call` is the measurement of this machine with itself; None, with `error`, when there was none."""

    checks: tuple[Check, ...]
    call: SessionSummary | None
    error: NotMeasured | None = None

    @property
    def can_measure(self) -> bool:
        """Whether a session of this machine would count: graded by the limits of any other."""
        call = self.call
        return call is not None and call.record.outcome == COMPLETED and call.grade != GRADE_INVALID


async def diagnose(carriage: Carriage) -> Diagnosis:
    """Run every check; the call goes alone, so that nothing of ours makes it late."""
    call, error = None, None
    try:
        call = await call_oneself(carriage)
    except NotMeasured as failed:
        error = failed
    processors = processor_facts()
    own, ordinary = await asyncio.gather(namespace_facts(AS_OURSELVES), namespace_facts(AS_ORDINARY_USER))
    checks = (
        *(_measured(call) if call else ()),
        _calls(call),
        _buffers(buffer_facts()),
        _namespaces(own, ordinary),
        _netem(own),
        _connectors(connector_facts()),
        _privileges(privilege_facts()),
        _clock(clock_facts(), call),
        _processors(processors, call),
        _ipv6(ipv6_facts()),
    )
    return Diagnosis(checks, call, error)


def _measured(call: SessionSummary) -> tuple[Check, Check]:
    quality, counts = call.quality, call.counts
    stamps = quality["stamps"]
    facts = {"n": counts["sent"], "stamps": stamps, "checked": quality["stamps_checked"]}
    arrivals = all(stamps[name] == "kernel" for name in ("node_received", "received"))
    departures = all(stamps[name] == "kernel" for name in ("sent", "node_sent"))
    lacks = (*(() if arrivals else ("receive_stamps",)), *(() if departures else ("transmit_stamps",)))
    late = quality["lateness_ms"] | {
        "scheduled": counts["scheduled"],
        "sent": counts["sent"],
        "lost": counts["lost_up"] + counts["lost_down"] + counts["lost_unknown"],
        "socket_dropped": counts["socket_dropped"],
        "stall_ms": quality["stall_ms"],
        "limit_p99_ms": _LIMIT["lateness_p99"].degraded,
        "punctuality": quality["punctuality"],
    }
    on_time = late["p99"] is not None and late["p99"] <= _LIMIT["lateness_p99"].degraded
    whole = counts["unsent_host_late"] <= _LIMIT["host_late"].degraded * counts["scheduled"]
    steady = (quality["stall_ms"] or 0.0) <= _LIMIT["stall"].degraded
    punctual = on_time and whole and steady
    return Check("stamps", facts, lacks), Check("lateness", late, () if punctual else ("lateness",))


def _calls(call: SessionSummary | None) -> Check:
    facts = call_facts() | {"carrier": call.quality["carrier"] if call else None}
    many = facts["sendmmsg"] and facts["recvmmsg"] and facts["pointer_bits"] == 64 and LINUX
    return Check("calls", facts, () if many else ("sendmmsg",))


def _buffers(facts: Json) -> Check:
    lacks = [f"{way}_buffer" for way in ("receive", "send") if facts[f"{way}_bytes"] < facts["asked_bytes"]]
    counted = facts["drops_found"] == facts["drops_sent"]
    return Check("buffers", facts, (*lacks, *(() if counted else ("drop_count",))))


def _namespaces(own: Json, ordinary: Json) -> Check:
    facts = {
        "ourselves": own["namespace"],
        "error": own.get("namespace_error"),
        "hint": own.get("namespace_hint"),
        "ordinary_user": ordinary["namespace"],
        "ordinary_user_error": ordinary.get("namespace_error"),
    }
    return Check("namespaces", facts, () if own["namespace"] else ("namespaces",))


def _netem(own: Json) -> Check:
    facts: Json = {
        "works": own["netem"],
        "n": own.get("netem_n"),
        "min_ms": own.get("netem_min_ms"),
        "error": own.get("netem_error"),
        "hint": own.get("netem_hint"),
    }
    return Check("netem", facts, () if own["netem"] else ("netem",))


def _connectors(facts: Json) -> Check:
    any_program = facts["pasta"] or facts["slirp4netns"]
    return Check(
        "connectors", facts, (*(() if any_program else ("pasta",)), *(() if facts["tun"] else ("tun",)))
    )


def _privileges(facts: Json) -> Check:
    return Check("privileges", facts, tuple(name for name, held in facts.items() if held is False))


def _clock(facts: Json, call: SessionSummary | None) -> Check:
    step: Any = call.quality["clock_step_ms"] if call else None
    facts = facts | {"largest_step_ms": step}
    lacks = ["synchronised"] if facts["synchronised"] is False else []
    if step is not None and abs(step) > _LIMIT["clock_step"].degraded:
        lacks.append("clock_step")
    return Check("clock", facts, tuple(lacks))


def _processors(facts: Json, call: SessionSummary | None) -> Check:
    steal = call.quality["steal_ratio"] if call else None
    facts = facts | {
        "steal_ratio": steal,
        "cpu_share": call.quality["cpu_share"] if call else None,
        "limit_load": MAX_LOAD,
        "limit_steal_ratio": MAX_STEAL,
    }
    lacks = ["load"] if facts["load"] > MAX_LOAD else []
    if steal is not None and steal > MAX_STEAL:
        lacks.append("steal")
    return Check("processors", facts, tuple(lacks))


def _ipv6(facts: Json) -> Check:
    lacks = [] if facts["loopback_back"] == facts["loopback_sent"] else ["ipv6"]
    return Check("ipv6", facts, tuple(lacks or ([] if facts["route"] else ["ipv6_route"])))
