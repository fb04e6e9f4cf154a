"""How a node is reached: the terms of its plan, its address, and how long we wait for it."""

from __future__ import annotations

import asyncio
import contextlib
import threading
from dataclasses import dataclass

from probe.errors import ProbeError, Unreachable
from probe.net.address import Address, resolve


@dataclass(frozen=True, slots=True)
class Target:
    """A node as the plan says, or as its emulation just told."""

    host: str
    port: int
    key: bytes
    fingerprint: str | None
    cafile: str | None


class Patience:
    """How long a session waits for its node's first answer, in seconds.

    A node that did not answer the last time is asked again, but not waited for as long: a hundred sessions
    with a dead node must not take a quarter of an hour.
    """

    FULL_S, SHORT_S = 5.0, 2.0

    def __init__(self) -> None:
        self.seconds = self.FULL_S

    def learn(self, *, answered: bool) -> None:
        self.seconds = self.FULL_S if answered else self.SHORT_S


async def address_of(target: Target, seconds: float) -> Address:
    """The node's numeric address; raises Unreachable when its name has none or the resolver is silent.

    Not on asyncio's own threads: a resolver that hangs must not keep the process from ending.
    """
    loop = asyncio.get_running_loop()
    found: asyncio.Future[Address] = loop.create_future()

    def settle(result: Address | ProbeError) -> None:
        if found.done():
            return
        if isinstance(result, ProbeError):
            found.set_exception(result)
        else:
            found.set_result(result)

    def look_up() -> None:
        result: Address | ProbeError
        try:
            result = resolve(target.host, target.port)
        except UnicodeError:
            result = Unreachable(f"{target.host} is no host name", hint="check the endpoint in the plan")
        except ProbeError as error:
            result = error
        with contextlib.suppress(RuntimeError):  # the run has ended meanwhile
            loop.call_soon_threadsafe(settle, result)

    threading.Thread(target=look_up, name="resolve", daemon=True).start()
    try:
        return await asyncio.wait_for(found, seconds)
    except TimeoutError:
        raise Unreachable(
            f"nobody tells the address of {target.host} within {seconds:g} s", hint="check the resolver"
        ) from None
