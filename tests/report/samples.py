"""Hand-made results: small, plausible, and with every edge a report must show."""

from __future__ import annotations

from dataclasses import replace
from itertools import product
from typing import Any

from probe.analysis.results import (
    Assessment,
    Direction,
    Distribution,
    Judgement,
    PeakRow,
    SessionSummary,
)
from probe.records import COMPLETED, Json, SessionRecord

RUN = "20261122T123000Z-ab12cd"
MANIFEST: Json = {
    "run_id": RUN,
    "country": "ID",
    "title": {"en": "Indonesia", "zh": "印度尼西亚"},
    "started_at": "2026-11-22T12:30:00+00:00",
    "seed": 7,
}


def record(**changes: Any) -> SessionRecord:
    base = SessionRecord(
        run_id=RUN,
        index=0,
        country="ID",
        vendor="alpha",
        node="jkt-1",
        role="vendor",
        scenario="voice",
        network="clean",
        window="peak",
        transport="udp",
        endpoint="probe://jkt1.alpha.example:40000",
        emulated=False,
        seed=7,
        started_at="2026-11-22T12:30:00+00:00",
        local_time="2026-11-22T19:30:00+07:00",
        timezone="Asia/Jakarta",
        calls=1,
        packets=1500,
        rate_pps=50.0,
        interval_ns=20_000_000,
        duration_ns=30_000_000_000,
        deadline_ns=200_000_000,
        one_way=False,
        nack=True,
        outcome=COMPLETED,
        connect_ms=41.25,
    )
    return replace(base, **changes)


def spread(p50: float, n: int = 1500, infinite: tuple[str, ...] = ()) -> Distribution:
    """A distribution around a median; the named percentiles are infinite."""
    values: dict[str, float | None] = {
        "min": 0.8 * p50,
        "mean": 1.05 * p50,
        "p50": p50,
        "p90": 1.2 * p50,
        "p95": 1.4 * p50,
        "p99": 1.9 * p50,
        "p99_9": 2.4 * p50,
        "max": 2.5 * p50,
    }
    values |= dict.fromkeys(infinite)
    return Distribution(n=n, infinite=infinite, **values)


def direction(lost: int = 8, late: int = 2, recovered: int = 9, sent: int = 1500) -> Direction:
    troubled = lost + late
    return Direction(
        sent=sent,
        lost=lost,
        late=late,
        recovered=recovered,
        residual=troubled - recovered,
        loss_ratio=lost / sent,
        residual_ratio=(troubled - recovered) / sent,
        recovered_ratio=recovered / troubled if troubled else None,
        reordered_ratio=0.0,
        recovery_ms=spread(68.0, troubled) if troubled else Distribution(),
        pdv_ms=spread(6.2),
        ipdv_ms=spread(2.1),
        jitter_ms={"max": 3.4, "mean": 1.9, "last": 2.0},
    )


NO_DIRECTION = Direction(
    sent=0,
    lost=0,
    late=0,
    recovered=0,
    residual=0,
    loss_ratio=None,
    residual_ratio=None,
    recovered_ratio=None,
    reordered_ratio=None,
    recovery_ms=Distribution(),
    pdv_ms=Distribution(),
    ipdv_ms=Distribution(),
    jitter_ms={"max": None, "mean": None, "last": None},
)


def counts(scheduled: int = 1500, **changes: int) -> dict[str, int]:
    """Counts that add up: what is not named is on time."""
    why = ("unsent_host_late", "unsent_cc_limited", "unsent_aborted")
    fates = ("late", "lost_up", "lost_down", "lost_unknown")
    beside = ("duplicates", "reordered", "policed", "socket_dropped", "corrupt")
    found = dict.fromkeys((*why, *fates, *beside), 0) | changes
    unsent = sum(found[name] for name in why)
    sent = scheduled - unsent
    gone = sum(found[name] for name in fates)
    return {"scheduled": scheduled, "unsent": unsent, "sent": sent, "on_time": sent - gone} | found


GOOD: Json = {
    "grade": "good",
    "reasons": [],
    "stamps": {"sent": "user", "node_received": "kernel", "node_sent": "user", "received": "kernel"},
    "lateness_ms": {"p50": 0.05, "p99": 0.4, "max": 1.2},
    "drops": {"policed": 0, "socket_dropped": 0, "corrupt": 0},
    "clock": {"skew_ppm": 12.0, "up_slope_ppm": 12.0, "down_slope_ppm": -12.0, "path_trend": 0.0},
}


def session(p50: float = 84.2, **changes: Any) -> SessionSummary:
    """A session that completed; `changes` are of its record."""
    return SessionSummary(
        record=record(**changes),
        counts=counts(lost_up=8, lost_down=3, late=4),
        rtt_ms=spread(p50),
        loss_ratio=11 / 1500,
        up=direction(),
        down=direction(lost=3, late=2, recovered=5, sent=1492),
        worst_call=None,
        quality=GOOD,
    )


def unreachable(**changes: Any) -> SessionSummary:
    """A session whose node never answered: no data anywhere."""
    error = {"code": "unreachable", "detail": "no answer from jkt1.alpha.example:40000 within 5 s"}
    told = record(outcome="unreachable", error=error, connect_ms=None, **changes)
    return SessionSummary(
        record=told,
        counts=counts(0),
        rtt_ms=Distribution(),
        loss_ratio=None,
        up=NO_DIRECTION,
        down=NO_DIRECTION,
        worst_call=None,
        quality=GOOD
        | {"stamps": dict.fromkeys(GOOD["stamps"]), "lateness_ms": dict.fromkeys(("p50", "p99"))},
    )


def lossy(**changes: Any) -> SessionSummary:
    """A session that lost so much that its upper percentiles are infinite."""
    base = session(**changes)
    return replace(
        base,
        counts=counts(lost_up=100, lost_down=50),
        rtt_ms=spread(120.0, infinite=("p95", "p99", "p99_9")),
        loss_ratio=0.1,
        up=direction(lost=100, recovered=92),
        down=direction(lost=50, recovered=40, sent=1400),
    )


CELL = {
    "vendor": "alpha",
    "node": "jkt-1",
    "scenario": "voice",
    "network": "clean",
    "window": "peak",
    "transport": "udp",
}


def judgement(verdict: str = "pass", **changes: Any) -> Judgement:
    reason = {"pass": "within_limit", "fail": "beyond_limit"}.get(verdict, "too_few_packets")
    base = Judgement(
        expr="rtt.p95 < 200ms",
        scope=CELL,
        value=312.4 if verdict == "fail" else 117.88,
        unit="ms",
        n=1500,
        verdict=verdict,
        severity="gate",
        reason={"code": reason} | ({"n": 320, "min_packets": 500} if reason == "too_few_packets" else {}),
        blocks=3,
        file="indonesia.yaml",
        line=41,
    )
    return replace(base, **changes)


def peak_row(**changes: Any) -> PeakRow:
    base = PeakRow(
        vendor="alpha",
        node="jkt-1",
        scenario="voice",
        network="clean",
        transport="udp",
        metric="rtt.p95",
        unit="ms",
        peak=312.4,
        offpeak=143.2,
        shift=169.2,
        ratio=2.1816,
        days=6,
        n_peak=9000,
        n_offpeak=9000,
        verdict="degraded",
        reason={"code": "beyond_margin", "margin": 14.32},
    )
    return replace(base, **changes)


def assessment(**changes: Any) -> Assessment:
    base = Assessment(
        run_id=RUN,
        verdict="pass",
        exit_code=0,
        emulated=False,
        vantage="jkt-telkomsel",
        sessions=(session(),),
        thresholds=(judgement(),),
        peak=(),
        quality={"grade": "good", "reasons": []},
    )
    return replace(base, **changes)


def evening() -> Assessment:
    """A whole emulated run with a good vendor and one whose evening is bad."""
    sessions: list[SessionSummary] = []
    thresholds: list[Judgement] = []
    for vendor, network, window, transport in product(
        ("alpha", "beta"),
        ("clean", "lossy-3g"),
        ("peak", "offpeak"),
        ("udp", "quic-datagram", "quic-stream"),
    ):
        where = {"vendor": vendor, "network": network, "window": window, "transport": transport}
        facts: dict[str, Any] = {"emulated": True, "index": len(sessions)}
        facts["handshake_ms"] = None if transport == "udp" else 95.0
        bad = vendor == "beta" and window == "peak"
        if bad and network == "lossy-3g":
            sessions.append(lossy(**where, **facts))
        else:
            sessions.append(session(171.3 if bad else 43.1, **where, **facts))
        if network == "clean":
            thresholds.append(judgement("fail" if bad else "pass", scope=CELL | where))
    thresholds.append(
        judgement(
            "inconclusive",
            expr="down.residual < 1%",
            unit="%",
            value=0.64,
            scope=CELL | {"vendor": "beta", "network": "lossy-3g"},
            severity="warn",
            line=42,
        )
    )
    peak = [
        row
        for transport in ("udp", "quic-stream")
        for row in (
            good_peak(vendor="alpha", transport=transport),
            peak_row(vendor="beta", transport=transport),
            few_days(vendor="beta", transport=transport),
        )
    ]
    return assessment(
        verdict="fail",
        exit_code=99,
        emulated=True,
        vantage=None,
        sessions=tuple(sessions),
        thresholds=tuple(thresholds),
        peak=tuple(peak),
    )


def good_peak(**changes: Any) -> PeakRow:
    values = {"peak": 61.0, "offpeak": 60.2, "shift": 0.8, "ratio": 1.0133}
    reason = {"code": "within_margin", "margin": 10.0}
    return peak_row(**(values | {"verdict": "not_degraded", "reason": reason} | changes))


def few_days(**changes: Any) -> PeakRow:
    """Undecided, with an infinite ratio: off-peak is zero."""
    values = {"metric": "up.residual", "unit": "%", "peak": 0.67, "offpeak": 0.0, "shift": 0.67}
    reason = {"code": "too_few_days", "days": 1, "min_days": 6}
    undecided = {"ratio": None, "infinite": ("ratio",), "days": 1, "verdict": "inconclusive"}
    return peak_row(**(values | undecided | {"reason": reason} | changes))
