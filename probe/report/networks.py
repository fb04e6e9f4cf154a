"""`probe weak list`: the networks that can be given by name."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from rich.text import Text

from probe.errors import ConfigError
from probe.impairment.profile import NetworkProfile
from probe.plan.library import known_networks, load_network
from probe.plan.networks import to_document
from probe.records import Json
from probe.report.grid import Column, Grid
from probe.report.network_words import direction_words
from probe.report.output import Output

SCHEMA_VERSION = 1

BOTH, UP, DOWN = "↑↓", "↑", "↓"
_NOTE = "↑ client to node, ↓ back; delay of one way; probe weak show NAME draws a network"


def list_networks(output: Output) -> None:
    """Print all networks; a file that cannot be read is told on stderr, and the others are listed."""
    profiles, problems = [], []
    for name in known_networks():
        try:
            profiles.append(load_network(name))
        except ConfigError as error:
            problems.append(str(error))
    for problem in problems:
        output.note(problem)
    if output.as_json:
        output.document(networks_document(profiles, problems))
    elif output.quiet:
        for profile in profiles:
            output.out.print(profile.name)
    else:
        table = networks_table(profiles)
        table.notes.append(Text(_NOTE, style="dim"))
        output.out.print(table)


def networks_table(profiles: Iterable[NetworkProfile]) -> Grid:
    """A row a direction, one for both where they are the same; below it where the numbers are from."""
    grid = Grid(
        [
            Column("network", left=True, label=1),
            Column("way", left=True),
            Column("delay ms"),
            Column("loss %\n(burst)"),
            Column("rate"),
            Column("queue", drop=1),
            Column("title, and what else there is", left=True, flex=True),
        ]
    )
    for profile in profiles:
        ways = [(BOTH, profile.up)]
        if profile.up != profile.down:
            ways = [(UP, profile.up), (DOWN, profile.down)]
        for number, (way, impairment) in enumerate(ways):
            words = direction_words(impairment)
            told = [profile.title] if number == 0 else []
            prose = "; ".join([*told, *([words.more] if words.more else [])])
            last = number == len(ways) - 1
            below = [Text(f"source: {profile.source}", style="dim")] if last else []
            grid.add(profile.name, way, *words[:4], prose, below=below)
    return grid


def networks_document(profiles: Iterable[NetworkProfile], problems: Sequence[str]) -> Json:
    """Each network as a profile file has it; `problems` are those of files that cannot be read."""
    return {
        "schema_version": SCHEMA_VERSION,
        "networks": [to_document(profile) for profile in profiles],
        "problems": list(problems),
    }
