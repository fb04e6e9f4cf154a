"""`probe weak run`: a program behind a weak network, seen from outside."""

from __future__ import annotations

import asyncio
import contextlib
import os
import secrets
import signal
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from shutil import which
from typing import Self

from probe.errors import ConfigError, NotMeasured
from probe.impairment.profile import NetworkProfile
from probe.net.weak_network import MODEL, Program, WeakCounters, WeakNetwork
from probe.net.weak_space import HOST4, HOST6
from probe.plan.library import read_network
from probe.records import Json
from probe.report.document import encode
from probe.report.out_files import parse_out
from probe.report.output import Output
from probe.report.weak_ways import DOWN, UP, way_line, ways_document, ways_table
from probe.store.atomic import write_atomically

SCHEMA_VERSION = 1
EVERY_S = 5.0
"""Between two lines of the live counters."""
LOOK_S = 1.0
DRAIN_S = 0.05

_OF_THE_KEYBOARD = (signal.SIGINT, signal.SIGQUIT)
_HANDED_ON = (*_OF_THE_KEYBOARD, signal.SIGTERM, signal.SIGHUP, signal.SIGUSR1, signal.SIGUSR2)


@dataclass(frozen=True, slots=True)
class WeakRunOptions:
    """`seed`: draws of our own model to repeat. `json_path`: where the document goes, too."""

    seed: int | None
    json_path: Path | None


def json_file(out: str | None) -> Path | None:
    """The file of `--out json=PATH`; ConfigError for anything else."""
    if out is None:
        return None
    (file,) = parse_out([out])
    if file.form != "json":
        raise ConfigError(f"--out {out}: counters are written as json", hint="give --out json=PATH")
    return file.path


def run_weak(name: str, command: Sequence[str], options: WeakRunOptions, output: Output) -> int:
    """Run `command` behind network `name`; returns its exit code. Raises ProbeError."""
    profile, warnings = read_network(name, os.environ)
    if which(command[0]) is None:
        raise ConfigError(f"there is no program `{command[0]}` to run", hint="give a path, or look at $PATH")
    if not output.quiet:
        for warning in warnings:
            output.note(warning.render())
    return asyncio.run(_run(profile, command, options, output))


async def _run(
    profile: NetworkProfile, command: Sequence[str], options: WeakRunOptions, output: Output
) -> int:
    drawn = options.seed if options.seed is not None else secrets.randbits(32)
    async with WeakNetwork.start(
        profile.up, profile.down, drawn, by_model=options.seed is not None
    ) as network:
        seed = drawn if network.carrier == MODEL else None
        if not output.quiet:
            output.note(_beginning(profile, network, seed))
        environ = os.environ | {"PROBE_HOST": HOST4, "PROBE_HOST6": HOST6, "PROBE_NETWORK": profile.name}
        began = time.monotonic()
        with _Signals() as signals:
            # With --json stdout is one document: the program's own output gives way.
            program = await network.program(command, environ, stdout=2 if output.as_json else None)
            try:
                signals.hand_on_to(program)
                code = await _watch(profile.name, network, program, output)
            finally:
                await program.stop()
        await asyncio.sleep(DRAIN_S)
        counters = await network.counters()
    _report(
        profile,
        counters,
        {
            "schema_version": SCHEMA_VERSION,
            "network": profile.name,
            "program": list(command),
            "exit_code": code,
            "duration_s": round(time.monotonic() - began, 3),
            "carrier": network.carrier,
            "carrier_reason": network.why,
            "seed": seed,
        },
        options,
        output,
    )
    return code


def _beginning(profile: NetworkProfile, network: WeakNetwork, seed: int | None) -> str:
    by = network.carrier if network.why is None else f"{network.carrier} ({network.why})"
    drawn = "" if seed is None else f", seed {seed}"
    return (
        f"{profile.name}: {profile.title}; by {by}{drawn}\n"
        f"this machine's own services are at {HOST4} and [{HOST6}] ($PROBE_HOST, $PROBE_HOST6)"
    )


async def _watch(name: str, network: WeakNetwork, program: Program, output: Output) -> int:
    """Wait for the program; meanwhile look whether our own processes are at work, and tell what they do."""
    ended = asyncio.create_task(program.ended())
    began = told = time.monotonic()
    while True:
        done, _ = await asyncio.wait([ended], timeout=LOOK_S)
        if done:
            return ended.result()
        try:
            counters = await network.counters()
        except BaseException:
            ended.cancel()
            raise
        now = time.monotonic()
        if not output.quiet and now - told >= EVERY_S:
            told = now
            ways = f"{way_line(UP, counters.up)}; {way_line(DOWN, counters.down)}"
            output.note(f"{name} {now - began:.0f} s: {ways}")


def _report(
    profile: NetworkProfile, counters: WeakCounters, facts: Json, options: WeakRunOptions, output: Output
) -> None:
    document = facts | ways_document(profile.up, profile.down, counters)
    if options.json_path is not None:
        write_atomically(options.json_path, (encode(document) + "\n").encode())
    if output.as_json:
        output.document(document)
    if not output.quiet:
        output.err.print(ways_table(profile.up, profile.down, counters))


class _Signals:
    """While it is entered no signal ends us: they are for the program, once there is one."""

    def __init__(self) -> None:
        self._program: Program | None = None
        self._kept: list[int] = []

    def __enter__(self) -> Self:
        for number in _HANDED_ON:
            asyncio.get_running_loop().add_signal_handler(number, self._take, number)
        return self

    def __exit__(self, *_: object) -> None:
        for number in _HANDED_ON:
            asyncio.get_running_loop().remove_signal_handler(number)

    def hand_on_to(self, program: Program) -> None:
        """From now on; first those that came before."""
        self._program = program
        for number in self._kept:
            self._take(number)

    def _take(self, number: int) -> None:
        if self._program is None:
            self._kept.append(number)
        elif not (number in _OF_THE_KEYBOARD and _in_foreground()):
            with contextlib.suppress(NotMeasured):  # it has ended meanwhile
                self._program.signal(number)


def _in_foreground() -> bool:
    """Whether a terminal's keys reach our process group, and so the program."""
    for fd in range(3):
        with contextlib.suppress(OSError):
            if os.tcgetpgrp(fd) == os.getpgrp():
                return True
    return False
