"""A small valid plan to change a line of."""

from __future__ import annotations

from pathlib import Path

from probe.plan.diagnostics import Diagnostic, PlanError
from probe.plan.load import load_text
from probe.plan.loaded import LoadedPlan

GOOD = """\
version: 1
country: ID
title: {en: Indonesia, zh: 印度尼西亚}
timezone: Asia/Jakarta
windows:
  peak:    {start: 19:00, end: 23:00, days: [mon, tue, wed, thu, fri, sat, sun]}
  offpeak: {start: 04:00, end: 08:00}
vantages:
  - {name: jkt-telkomsel, isp: telkomsel, asn: 7713, city: Jakarta, access: mobile-4g}
controls:
  - {name: own-sg-1, endpoint: "probe://ctl1.example.net:40000", key: "${PROBE_KEY}"}
vendors:
  - name: alpha
    key: "${ALPHA_KEY:?ask the vendor for it}"
    nodes:
      - {name: jkt-1, endpoint: "probe://jkt1.alpha.example:40000", city: Jakarta, isp: telkom}
      - {name: sim-1, endpoint: emulated, path: {peak: id-4g-evening, offpeak: id-4g-day}}
scenarios:
  voice: {preset: voice, calls: 1, duration: 30s, deadline: 200ms, recovery: {nack: true}}
  video: {preset: video, bitrate: 1200kbps, duration: 30s, deadline: 400ms}
networks: [clean, lossy-3g]
matrix:
  - {scenarios: [voice], transports: [udp, quic-datagram], networks: [clean, lossy-3g], windows: [peak, offpeak]}
thresholds:
  - rtt.p95 < 200ms
  - {expr: down.residual < 1%, network: lossy-3g, severity: gate}
evidence: {confidence: 95%, block: 10s, min_packets: 500, min_days: 6, extend_up_to: 0s}
store: {path: results}
"""
SECRETS = {"PROBE_KEY": "geheim-eins", "ALPHA_KEY": 'ge"heim: zwei\n- drei'}


def changed(old: str, new: str) -> str:
    """`GOOD` with its one `old` replaced."""
    assert GOOD.count(old) == 1, old
    return GOOD.replace(old, new)


def load(text: str = GOOD, path: Path = Path("plan.yaml")) -> LoadedPlan:
    return load_text(text, path, SECRETS)


def mistakes(text: str, path: Path = Path("plan.yaml")) -> tuple[Diagnostic, ...]:
    """What is wrong with a plan."""
    try:
        load(text, path)
    except PlanError as error:
        return error.diagnostics
    return ()
