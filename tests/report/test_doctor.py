"""What a diagnosis says: every check has a sentence, every lack a remedy, and the exit code is the grade's."""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

import probe.session.doctor
from probe.analysis.quality import LIMITS
from probe.errors import NotMeasured
from probe.net.job import USUAL, Carriage
from probe.records import Json
from probe.report import doctor
from probe.report.doctor import conclusion, diagnosis_document, table
from probe.report.doctor_sentences import FOUND, NAMES, REMEDIES, remedy
from probe.report.output import Output
from probe.session.doctor import (
    Check,
    Diagnosis,
    _buffers,
    _clock,
    _connectors,
    _ipv6,
    _measured,
    _namespaces,
    _netem,
    _privileges,
    _processors,
)
from tests.analysis.made import MS, steady, summary

KERNEL: Json = {"stamps_checked": {"sent": True, "received": True}, "stall_ms": 1.0, "steal_ratio": 0.0}
BUFFERS: Json = {
    "asked_bytes": 8 << 20,
    "receive_bytes": 8 << 20,
    "send_bytes": 8 << 20,
    "rmem_max": 4 << 20,
    "wmem_max": None,
    "drops_sent": 64,
    "drops_found": 64,
}
NAMESPACE: Json = {"namespace": True, "netem": True, "netem_n": 10, "netem_min_ms": 10.2}
REFUSED: Json = {"namespace": False, "netem": False, "namespace_error": "no", "namespace_hint": "sudo this"}
CLOCK: Json = {
    "source": "tsc",
    "synchronised": True,
    "largest_error_ms": 3.2,
    "bracket_us": 0.1,
    "bracket_n": 32,
}
PRIVILEGES: Json = {"cap_net_admin": True, "cap_net_raw": True, "realtime": True, "low_latency": True}
CONNECTORS: Json = {"pasta": "/usr/bin/pasta", "slirp4netns": None, "tun": True}


def call(late_ms: float = 0.1, **quality: Any) -> Any:
    rows = steady(1000)
    rows["scheduled_ns"] = rows["sent_ns"] - int(late_ms * MS)
    rows["stamps"] = 15
    return summary(rows, quality=KERNEL | quality, client={"carrier": "sendmmsg"})


def user_stamped() -> Any:
    return summary(steady(1000), quality=KERNEL, client={"carrier": "plain"})


CHECKS: dict[str, tuple[Check, tuple[str, ...]]] = {
    "stamps": (_measured(call())[0], ()),
    "punctual": (_measured(call())[1], ()),
    "user stamps": (_measured(user_stamped())[0], ("receive_stamps", "transmit_stamps")),
    "late": (_measured(call(late_ms=6.0))[1], ("lateness",)),
    "stalled": (_measured(call(stall_ms=21.0))[1], ("lateness",)),
    "small buffers": (_buffers(BUFFERS | {"receive_bytes": 1 << 20}), ("receive_buffer",)),
    "uncounted drops": (_buffers(BUFFERS | {"drops_found": 3}), ("drop_count",)),
    "no namespaces": (_namespaces(REFUSED, REFUSED), ("namespaces",)),
    "namespaces": (_namespaces(NAMESPACE, REFUSED), ()),
    "no netem": (_netem(NAMESPACE | {"netem": False, "netem_error": "no"}), ("netem",)),
    "netem": (_netem(NAMESPACE), ()),
    "no way out": (_connectors({"pasta": None, "slirp4netns": None, "tun": False}), ("pasta", "tun")),
    "way out": (_connectors(CONNECTORS), ()),
    "unprivileged": (_privileges(dict.fromkeys(PRIVILEGES, False)), tuple(PRIVILEGES)),
    "unsynchronised": (_clock(CLOCK | {"synchronised": False}, None), ("synchronised",)),
    "stepped": (_clock(CLOCK, call(clock_step_ms=-200.0)), ("clock_step",)),
    "loaded": (_processors({"cores": 2, "load": 1.5}, call()), ("load",)),
    "stolen": (_processors({"cores": 2, "load": 0.5}, call(steal_ratio=0.06)), ("steal",)),
    "no IPv6": (_ipv6({"loopback_sent": 5, "loopback_back": 0, "route": False}), ("ipv6",)),
    "no route": (_ipv6({"loopback_sent": 5, "loopback_back": 5, "route": False}), ("ipv6_route",)),
}


@pytest.mark.parametrize(("check", "lacks"), CHECKS.values(), ids=list(CHECKS))
def test_a_lack_is_found_and_has_a_remedy(check: Check, lacks: tuple[str, ...]) -> None:
    assert check.lacks == lacks
    assert check.status == ("lack" if lacks else "ok")
    assert FOUND[check.name](check.facts)
    assert NAMES[check.name]
    assert all(remedy(check, lack) for lack in lacks)


def test_every_code_of_a_lack_has_a_remedy() -> None:
    source = Path(probe.session.doctor.__file__).read_text()
    assert all(f'"{code}"' in source or code in PRIVILEGES or code.endswith("_buffer") for code in REMEDIES)
    tried = {lack for _, lacks in CHECKS.values() for lack in lacks}
    assert set(REMEDIES) - tried == {"sendmmsg", "send_buffer"}


def test_what_the_system_advises_comes_before_ours() -> None:
    check = _namespaces(REFUSED, REFUSED)
    assert remedy(check, "namespaces") == "sudo this"


def shown(diagnosis: Diagnosis) -> str:
    console = Console(file=io.StringIO(), width=160)
    for part in (table(diagnosis.checks), *conclusion(diagnosis)):
        console.print(part)
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()


GOOD = Diagnosis((*_measured(call()), _buffers(BUFFERS)), call())
DEGRADED = Diagnosis(GOOD.checks, call(late_ms=6.0))
rows_late = steady(1000)
rows_late["unsent"][:60] = 1
INVALID = Diagnosis(GOOD.checks, summary(rows_late, quality=KERNEL))
FAILED = Diagnosis((), None, NotMeasured("our own process 7 (x) ended", hint="start it again"))


def test_the_table_and_the_last_word() -> None:
    text = shown(GOOD)
    assert "arrivals by the kernel, departures by the kernel; seen on 1000 packets each way" in text
    assert "p50 0.10 ms, p99 0.10 ms, max 0.10 ms of n = 1000 (limit p99 5 ms)" in text
    assert text.splitlines()[-1].startswith(
        "✓ This machine can measure: a call with itself of 1000 packets was graded good."
    )
    assert "docs/measurement.md" not in text
    degraded = shown(DEGRADED).splitlines()
    assert "graded degraded (One packet in 100 left 6.0 ms late or more (limit 5 ms))." in degraded[-2]
    invalid = " ".join(shown(INVALID).split())
    assert "✗ This machine cannot measure well enough: This host was too late to send 6.00 %" in invalid
    assert "(limit 5 %) (exit code 3)." in invalid
    assert "our own process 7 (x) ended (exit code 3)" in shown(FAILED)


@pytest.mark.parametrize(("diagnosis", "code"), [(GOOD, 0), (DEGRADED, 0), (INVALID, 3), (FAILED, 3)])
def test_the_exit_code_is_the_grades(
    diagnosis: Diagnosis, code: int, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    async def diagnose(_: Carriage) -> Diagnosis:
        return diagnosis

    monkeypatch.setattr(doctor, "diagnose", diagnose)
    assert doctor.diagnose_and_report(USUAL, Output(as_json=True)) == code
    document = json.loads(capsys.readouterr().out)
    assert (document["schema_version"], document["exit_code"]) == (1, code)
    assert document["can_measure"] == (code == 0)
    assert len(document["limits"]) == len(LIMITS)
    assert document == diagnosis_document(diagnosis, code)
    assert doctor.diagnose_and_report(USUAL, Output(quiet=True)) == code
    out, err = capsys.readouterr()
    assert err == ""
    assert len(out.splitlines()) >= 1
