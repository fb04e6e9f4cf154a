"""Processes that live in a network of their own.

A user namespace can only be entered by a process with one thread, and libraries for numbers start threads
when they are imported: whoever needs them imports them after that.
"""

from __future__ import annotations

from probe.net.netns import leave_host
from probe.net.pipe import Pipe


def cable(pipe: Pipe) -> None:
    """Hold a cable with netem: the first message is the `Cable`; the answer "ready" or an error."""
    try:
        leave_host()
        from probe.net.kernel_cable import hold

        order, _ = pipe.receive()
        hold(pipe, order)
    except Exception as error:  # noqa: BLE001 (told to the parent, which raises it)
        pipe.send(error)


def space(pipe: Pipe) -> None:
    """Hold the networks of a program behind a weak one: the first message is the `SpaceConfig`."""
    try:
        own_user = leave_host()
        from probe.net.weak_space import hold

        order, _ = pipe.receive()
        hold(pipe, order, own_user=own_user)
    except Exception as error:  # noqa: BLE001 (told to the parent, which raises it)
        pipe.send(error)
