"""`probe plan`: write, check, show a plan, and print its JSON Schema."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from probe.plan.expand import NodeSchedule
    from probe.plan.loaded import LoadedPlan

SCHEMA_VERSION = 1

app = typer.Typer(
    name="plan", help="Write, check and show country plans.", no_args_is_help=True, rich_markup_mode=None
)

PlanFile = Annotated[str, typer.Argument(metavar="PLAN", help="A file, or the name of one in ./profiles.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON document on stdout.")]
Output = Annotated[Path | None, typer.Option("--output", "-o", metavar="FILE", help="Write to a file.")]
Force = Annotated[bool, typer.Option("--force", help="Replace the file if it exists.")]


@app.command()
def new(
    country: Annotated[str, typer.Argument(help="ISO 3166-1 code or English name: TH, thailand.")],
    output: Output = None,
    *,
    force: Force = False,
) -> None:
    """Write a commented plan for a country."""
    from probe.plan.new import new_plan

    _write(new_plan(country, output.name if output else "plan.yaml"), output, force=force)


@app.command()
def check(plan: PlanFile, *, as_json: AsJson = False) -> None:
    """Find every mistake in a plan; exit code 2 if there is one."""
    from probe.plan.diagnostics import PlanError
    from probe.plan.load import load_plan

    try:
        loaded = load_plan(plan)
    except PlanError as error:
        if not as_json:
            raise
        errors = [item.to_json() for item in error.diagnostics]
        _print_json({"ok": False, "exit_code": int(error.exit_status), "errors": errors, "warnings": []})
        typer.echo(str(error), err=True)
        raise typer.Exit(int(error.exit_status)) from None
    for warning in loaded.warnings:
        typer.echo(f"warning: {warning.render()}", err=True)
    if as_json:
        warnings = [item.to_json() for item in loaded.warnings]
        _print_json(
            {
                "ok": True,
                "exit_code": 0,
                "path": str(loaded.path),
                "origin": loaded.origin,
                "errors": [],
                "warnings": warnings,
            }
        )
        return
    typer.echo(f"{loaded.path}: OK, {_contents(loaded)}")


def _contents(loaded: LoadedPlan) -> str:
    counts = {
        "vendor": len(loaded.plan.vendors),
        "node": sum(len(vendor.nodes) for vendor in loaded.plan.vendors),
        "control": len(loaded.plan.controls),
        "scenario": len(loaded.plan.scenarios),
        "threshold": len(loaded.thresholds),
    }
    return ", ".join(f"{count} {name}{'' if count == 1 else 's'}" for name, count in counts.items() if count)


@app.command()
def show(plan: PlanFile, *, as_json: AsJson = False) -> None:
    """Show a plan with everything filled in: what would be sent, how long it takes, when windows open."""
    from datetime import UTC, datetime

    from probe.plan.expand import expand
    from probe.plan.load import load_plan
    from probe.plan.windows import window_at

    loaded = load_plan(plan)
    now = datetime.now(UTC)
    schedules = expand(loaded.plan, lambda timezone: window_at(loaded.plan.windows, timezone, now))
    document = {
        **loaded.resolved(),
        "nodes": [_node_document(schedule) for schedule in schedules],
        "total": _total_document(schedules),
        "windows": _window_documents(loaded, schedules, now),
        "warnings": [item.to_json() for item in loaded.warnings],
    }
    for warning in loaded.warnings:
        typer.echo(f"warning: {warning.render()}", err=True)
    if as_json:
        _print_json(document)
    else:
        _print_plan(loaded, document)


@app.command()
def schema(
    output: Output = None,
    *,
    force: Force = False,
    network: Annotated[
        bool, typer.Option("--network", help="The schema of network profiles instead.")
    ] = False,
) -> None:
    """Print the JSON Schema of plans, for completion and checks in an editor."""
    from probe.plan.schema import network_schema, plan_schema, schema_text

    _write(schema_text(network_schema() if network else plan_schema()), output, force=force)


def _write(text: str, output: Path | None, *, force: bool) -> None:
    from probe.errors import ConfigError

    if output is None:
        typer.echo(text, nl=False)
        return
    try:
        with output.open("w" if force else "x", encoding="utf-8") as file:
            file.write(text)
    except FileExistsError:
        raise ConfigError(f"{output} exists already", hint="give another name, or --force") from None
    except OSError as error:
        raise ConfigError(
            f"{output} cannot be written: {error.strerror}", hint="give another place"
        ) from None
    typer.echo(f"wrote {output}", err=True)


def _print_json(document: dict[str, Any]) -> None:
    typer.echo(
        json.dumps(
            {"schema_version": SCHEMA_VERSION, **document}, ensure_ascii=False, allow_nan=False, indent=2
        )
    )


def _node_document(schedule: NodeSchedule) -> dict[str, Any]:
    from dataclasses import asdict

    from probe.plan.estimate import estimate_node, estimate_session

    return {
        "vendor": schedule.vendor,
        "node": schedule.node.name,
        "role": schedule.role,
        "endpoint": str(schedule.node.endpoint),
        "timezone": schedule.timezone,
        "total": asdict(estimate_node(schedule)),
        "sessions": [
            {
                "scenario": session.scenario_name,
                "transport": session.transport,
                "network": session.network,
                "window": session.window,
                "repeat": session.repeat,
                "path": session.path,
                **asdict(estimate_session(session)),
            }
            for session in schedule.sessions
        ],
    }


def _total_document(schedules: tuple[NodeSchedule, ...]) -> dict[str, Any]:
    from dataclasses import asdict

    from probe.plan.estimate import estimate_run

    return asdict(estimate_run(schedules))


def _window_documents(
    loaded: LoadedPlan, schedules: tuple[NodeSchedule, ...], now: Any
) -> list[dict[str, Any]]:
    """When each window is open next, once for each time zone of the plan's nodes."""
    from probe.plan.windows import next_opening

    found = []
    for timezone in dict.fromkeys(schedule.timezone for schedule in schedules):
        for name, window in loaded.plan.windows.items():
            opening = next_opening(window, timezone, now)
            opens, closes = opening.local(timezone)
            found.append(
                {
                    "window": name,
                    "timezone": timezone,
                    "open": opening.opens <= now,
                    "opens_utc": opening.opens.isoformat(),
                    "closes_utc": opening.closes.isoformat(),
                    "opens_local": opens.isoformat(),
                    "closes_local": closes.isoformat(),
                }
            )
    return found


def _print_plan(loaded: LoadedPlan, document: dict[str, Any]) -> None:
    from rich.console import Console
    from rich.table import Table

    from probe.plan.show import resolved_yaml

    console = Console(width=None if sys.stdout.isatty() else 160, highlight=False, markup=False)
    console.print(f"# {loaded.path} ({_ORIGINS[loaded.origin]})")
    typer.echo(resolved_yaml(loaded))
    sessions = Table(title="What would be sent")
    for heading in ("vendor", "node", "scenario", "transport", "network", "window"):
        sessions.add_column(heading)
    for heading in ("streams", "packets", "Mbit/s", "MB up", "MB down", "minutes"):
        sessions.add_column(heading, justify="right")
    for node in document["nodes"]:
        for session in node["sessions"]:
            names = (session[key] for key in ("scenario", "transport", "network", "window"))
            sessions.add_row(node["vendor"], node["node"], *names, *_numbers(session))
        sessions.add_section()
    sessions.add_row("total", "", "", "", "", "", *_numbers(document["total"]))
    console.print(sessions)
    console.print("Mbit/s is upward at one moment; minutes are from start to end, nodes side by side.\n")
    windows = Table(title="When windows open")
    for heading in ("window", "time zone", "open now", "opens (local)", "opens (UTC)", "closes (local)"):
        windows.add_column(heading)
    for row in document["windows"]:
        times = (_minute(row[key]) for key in ("opens_local", "opens_utc", "closes_local"))
        windows.add_row(row["window"], row["timezone"], "yes" if row["open"] else "no", *times)
    console.print(windows)


_ORIGINS = {"given": "the file given", "profiles": "found in ./profiles", "packaged": "packaged with probe"}


def _numbers(row: dict[str, Any]) -> tuple[str, ...]:
    return (
        f"{row['streams']}",
        f"{row['packets']:,}",
        f"{row['rate_bps'] / 1e6:.3f}",
        f"{row['bytes_up'] / 1e6:.3f}",
        f"{row['bytes_down'] / 1e6:.3f}",
        f"{row['duration_ns'] / 60e9:.1f}",
    )


def _minute(timestamp: str) -> str:
    """`2026-11-22T19:00:00+07:00` -> `2026-11-22 19:00 +07:00`."""
    return f"{timestamp[:10]} {timestamp[11:16]} {timestamp[19:]}"
