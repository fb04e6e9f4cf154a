"""The weak network in a session's way: our relay, or the kernel's netem where that is asked for."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import asdict

from probe.errors import NotMeasured
from probe.impairment.held import excess
from probe.impairment.profile import NetworkProfile
from probe.net.address import Address
from probe.net.job import Carriage
from probe.net.kernel_netem import KernelNetem, checked, try_netem
from probe.net.relay import Relay
from probe.plan.expand import SessionSpec, expand
from probe.plan.loaded import LoadedPlan
from probe.plan.model import OTHER
from probe.records import Json

Networks = Mapping[str, NetworkProfile]


class Weakened:
    """The path of a session: `address` is where its packets go; `counters` tell what was done to them."""

    def __init__(
        self, path: Relay | KernelNetem | None, address: Address, profiles: list[NetworkProfile]
    ) -> None:
        self._path, self.address, self._profiles = path, address, profiles

    async def counters(self) -> Json:
        """What a session's record keeps: nothing without a weak network.

        `excess` says of either direction how far its loss ratio is from what is set, in units of what chance
        explains; None where that cannot be told.
        """
        if self._path is None:
            return {}
        counters = await self._path.counters()
        told = asdict(counters)
        if len(self._profiles) == 1:
            profile = self._profiles[0]
            told["excess"] = {
                "up": excess(profile.up, counters.up),
                "down": excess(profile.down, counters.down),
            }
        return told


def weak_profiles(spec: SessionSpec, networks: Networks) -> list[NetworkProfile]:
    """What lies between a session and its node: an emulated access and a weak network, the client's own first."""
    profiles = [networks[name] for name in (spec.path, spec.network) if name is not None]
    return [profile for profile in profiles if not profile.clean]


@asynccontextmanager
async def weakened(
    address: Address, profiles: list[NetworkProfile], seed: int, payload_bytes: int, carriage: Carriage
) -> AsyncIterator[Weakened]:
    """The path to `address` for the time of the block. Raises NotMeasured if there is none to be had."""
    if not profiles:
        yield Weakened(None, address, profiles)
        return
    up, down = [profile.up for profile in profiles], [profile.down for profile in profiles]
    path: Relay | KernelNetem
    try:
        if carriage.kernel_netem:
            path = await KernelNetem.open(address, up, down, payload_bytes=payload_bytes)
        else:
            path = await Relay.open(
                address, up, down, seed, plain=carriage.plain, punctuality=carriage.punctuality
            )
    except TimeoutError:
        raise NotMeasured("our own relay does not start", hint="is this machine overloaded?") from None
    try:
        yield Weakened(path, path.address, profiles)
    finally:
        await path.stop()


def check_kernel(loaded: LoadedPlan, only: str | None) -> None:
    """Raises NotMeasured, naming the network and the relay, if the kernel cannot do what the plan asks for."""
    for spec in {spec for window in (*loaded.plan.windows, OTHER) for spec in _specs(loaded, window, only)}:
        profiles = weak_profiles(spec, loaded.networks)
        try:
            checked([profile.up for profile in profiles], [profile.down for profile in profiles])
        except NotMeasured as error:
            names = " and ".join(profile.name for profile in profiles)
            raise NotMeasured(f"{names}: {error}", hint=error.hint) from None
    try_netem()


def _specs(loaded: LoadedPlan, window: str, only: str | None) -> Iterator[SessionSpec]:
    """What would be measured if it were this window everywhere."""
    for lane in expand(loaded.plan, lambda _: window, only):
        yield from lane.sessions
