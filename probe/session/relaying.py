"""A relay for whoever sends through it, until it is told to stop."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass

from probe.errors import ConfigError, NotMeasured, Unreachable
from probe.impairment.profile import NetworkProfile
from probe.net.address import Address, resolve
from probe.net.clock import monotonic_ns
from probe.net.relay import Relay
from probe.net.relay_process import RelayCounters
from probe.plan.fields import Endpoint
from probe.session.stopping import Stopping

POLL_S = 0.5
_ANY = ("0.0.0.0", "::")
_LOOPBACK = ("127.0.0.1", "::1")


@dataclass(frozen=True, slots=True)
class Relayed:
    """What a relay did in `elapsed_ns`, so far."""

    elapsed_ns: int
    counters: RelayCounters


Opened = Callable[[Address], None]
Tell = Callable[[Relayed], None]


def target_of(text: str, listen: Address) -> Address:
    """The numeric address that `HOST:PORT` means; ConfigError where it means none, or the relay itself."""
    try:
        endpoint = Endpoint.parse(f"probe://{text}")
        target = resolve(endpoint.host, endpoint.port)
    except ValueError:
        raise ConfigError(
            f"--to {text} is no host and port",
            hint="write --to example.net:40000 or --to [2001:db8::1]:40000",
        ) from None
    except Unreachable as error:
        raise ConfigError(f"--to {text}: {error}", hint=error.hint) from None
    hosts = {listen[0]} | (set(_LOOPBACK) if listen[0] in _ANY else set())
    if target[1] == listen[1] and target[0] in hosts:
        raise ConfigError(f"--to {text} is where the relay itself listens: give another port")
    return target


async def relay_until(
    stopping: Stopping,
    network: NetworkProfile,
    target: Address,
    listen: Address,
    seed: int,
    duration_ns: int | None,
    opened: Opened,
    tell: Tell,
) -> Relayed:
    """Relay between `listen` and `target` until `stopping` is set, or for `duration_ns`; what it came to.

    `opened` is told the address that is listened on, `tell` how it stands twice a second. Raises NotMeasured when the
    address cannot be used, or the relay's process ends.
    """
    try:
        relay = await Relay.open(target, network.up, network.down, seed, listen=listen)
    except NotMeasured as error:
        raise NotMeasured(
            str(error), hint="give another --listen, or --listen 127.0.0.1:0 for a free port"
        ) from None
    try:
        began_ns = monotonic_ns()
        opened(relay.address)
        while True:
            elapsed_ns = monotonic_ns() - began_ns
            left_s = POLL_S if duration_ns is None else min(POLL_S, (duration_ns - elapsed_ns) / 1e9)
            if stopping.is_set() or left_s <= 0:
                return Relayed(elapsed_ns, await relay.counters())
            try:
                await asyncio.wait_for(stopping.wait(), left_s)
            except TimeoutError:
                tell(Relayed(monotonic_ns() - began_ns, await relay.counters()))
    finally:
        await relay.stop()
