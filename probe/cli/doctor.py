"""`probe doctor`: what this machine can measure."""

from __future__ import annotations

import typer

from probe.cli.options import AsJson, LowLatency, PlainSockets, Quiet, Rt, Spin


def doctor(
    *,
    rt: Rt = False,
    low_latency: LowLatency = False,
    spin: Spin = None,
    plain_sockets: PlainSockets = False,
    as_json: AsJson = False,
    quiet: Quiet = False,
) -> None:
    """Try out what this machine can measure, and say what to do about each lack. Exit code 3: it cannot measure
    well enough, by the limits that every session is graded by."""
    from probe.cli.levers import punctuality
    from probe.net.job import Carriage
    from probe.net.punctual import require
    from probe.report.doctor import diagnose_and_report
    from probe.report.output import Output

    carriage = Carriage(plain_sockets, punctuality(rt, low_latency, spin))
    require(carriage.punctuality)
    raise typer.Exit(diagnose_and_report(carriage, Output(as_json=as_json, quiet=quiet)))
