"""One node's sessions, one after the other, with a worker process of their own."""

from __future__ import annotations

import contextlib
from collections.abc import Iterable

from probe.errors import NotMeasured
from probe.net.clock import monotonic_ns
from probe.plan.expand import NodeSchedule, SessionSpec
from probe.records import DIED, UNREACHABLE
from probe.session.context import RunContext
from probe.session.emulated import EmulatedNode
from probe.session.extension import repeated
from probe.session.packet_loop import PacketLoop
from probe.session.session import Session
from probe.session.stopping import CutOff
from probe.session.target import Patience, Target


class Lane:
    """Runs the sessions of `node`; what goes wrong in one is in its record, and the next one follows."""

    def __init__(self, node: NodeSchedule, context: RunContext, until_ns: int | None = None) -> None:
        """With `until_ns` over and over until then (monotonic clock), else once."""
        self._node, self._context, self._until_ns = node, context, until_ns

    async def run(self) -> None:
        """All sessions, or as many as there were before the run was stopped. Raises StoreError."""
        stopping = self._context.stopping
        if not self._node.sessions or stopping.is_set():
            return
        async with contextlib.AsyncExitStack() as stack:
            target: Target | NotMeasured
            try:
                async with stopping.cutting_off(0):
                    target = await self._target(stack)
            except CutOff:
                return
            except NotMeasured as error:
                target = error
            packets, patience = PacketLoop(), Patience()
            stack.push_async_callback(packets.stop)
            for spec in self._specs():
                if stopping.is_set():
                    return
                session = Session(self._node, spec, target, packets, self._context)
                await session.run(patience.seconds)
                patience.learn(answered=session.record.outcome not in (UNREACHABLE, DIED))

    def _specs(self) -> Iterable[SessionSpec]:
        if self._until_ns is None:
            return self._node.sessions
        return repeated(self._node.sessions, self._until_ns, monotonic_ns)

    async def _target(self, stack: contextlib.AsyncExitStack) -> Target:
        node = self._node.node
        if node.endpoint.emulated:
            emulated = await stack.enter_async_context(EmulatedNode(self._context.carriage))
            host, port = emulated.address
            return Target(host, port, emulated.key, emulated.fingerprint, None)
        key = self._node.key.get_secret_value().encode() if self._node.key else b""
        return Target(node.endpoint.host, node.endpoint.port, key, node.fingerprint, node.cafile)
