"""`probe weak relay` as its user sees it: where it listens, how it stands, and what it came to."""

from __future__ import annotations

import asyncio
import os
import secrets
import signal
from dataclasses import dataclass
from typing import Self

from rich.console import Console
from rich.live import Live

from probe.errors import ConfigError, ExitStatus
from probe.impairment.profile import NetworkProfile
from probe.net.address import Address
from probe.net.listen import parse_listen
from probe.plan.library import read_network
from probe.plan.scalars import parse_duration
from probe.report.flags import quantity_of
from probe.report.output import Output
from probe.report.relay_tables import own_faults, relayed_document, relayed_table, standing
from probe.session.relaying import Relayed, relay_until, target_of
from probe.session.stopping import Stopping

TELL_EVERY_NS = 5_000_000_000


@dataclass(frozen=True, slots=True)
class RelayOptions:
    """As a command line gives them; None: until it is stopped, a seed of its own."""

    network: str
    to: str
    listen: str
    duration: str | None
    seed: int | None


def relay_and_report(options: RelayOptions, output: Output) -> int:
    """Relay until Ctrl-C, SIGTERM or the end of the duration; returns the exit code. Raises ProbeError."""
    network, warnings = read_network(options.network, os.environ)
    listen = parse_listen(options.listen)
    target = target_of(options.to, listen)
    duration_ns = None if options.duration is None else _duration(options.duration)
    seed = options.seed if options.seed is not None else secrets.randbits(32)
    for warning in warnings:
        output.note(f"warning: {warning.render()}")
    return asyncio.run(_relay(network, target, listen, duration_ns, seed, output))


async def _relay(
    network: NetworkProfile,
    target: Address,
    listen: Address,
    duration_ns: int | None,
    seed: int,
    output: Output,
) -> int:
    stopping = Stopping()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stopping.set, number)
    where: list[Address] = []

    def opened(address: Address) -> None:
        where.append(address)
        end = "Ctrl-C ends it" if duration_ns is None else f"for {duration_ns / 1e9:g} s"
        output.note(f"{_text(address)} leads to {_text(target)} through {network.name} (seed {seed}); {end}")

    with _Standing(network, output) as view:
        relayed = await relay_until(stopping, network, target, listen, seed, duration_ns, opened, view.tell)
    faults = own_faults(relayed.counters)
    if output.as_json:
        by = stopping.by.name if stopping.by is not None else None
        ends = {"listen": _text(where[0]), "target": _text(target)}
        output.document(relayed_document(network, relayed, **ends, seed=seed, stopped_by=by))
    elif not output.quiet:
        output.out.print(relayed_table(network, relayed))
    for fault in faults:
        output.note(f"warning: {fault}")
    if stopping.by is not None:
        return 128 + stopping.by
    counters = relayed.counters
    lost = counters.socket_dropped + counters.overrun + counters.unsent
    return int(ExitStatus.NOT_MEASURED if lost else ExitStatus.PASS)


class _Standing:
    """How it stands: a table that changes on a terminal, a line every few seconds in a pipe."""

    def __init__(self, network: NetworkProfile, output: Output) -> None:
        self._network, self._quiet, self._console = network, output.quiet, output.err
        self._live = None if output.quiet else _live(output.err)
        self._told_ns = 0

    def __enter__(self) -> Self:
        if self._live is not None:
            self._live.start()
        return self

    def __exit__(self, *_: object) -> None:
        if self._live is not None:
            self._live.stop()

    def tell(self, relayed: Relayed) -> None:
        """Take a new state."""
        if self._live is not None:
            self._live.update(relayed_table(self._network, relayed), refresh=True)
        elif not self._quiet and relayed.elapsed_ns - self._told_ns >= TELL_EVERY_NS:
            self._told_ns = relayed.elapsed_ns
            self._console.print(standing(relayed), soft_wrap=True)


def _live(console: Console) -> Live | None:
    if not console.file.isatty() or os.environ.get("TERM", "") in ("dumb", ""):
        return None
    return Live(
        console=console, auto_refresh=False, transient=True, redirect_stdout=False, redirect_stderr=False
    )


def _duration(text: str) -> int:
    duration = quantity_of("--duration", text, parse_duration)
    if duration <= 0:
        raise ConfigError(f"--duration {text}: give more than 0s")
    return duration


def _text(address: Address) -> str:
    host, port = address[0], address[1]
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
