"""The order in which a run measures: random, so that nothing is always first, and the same for all nodes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from random import Random
from typing import Any

from probe.plan.expand import NodeSchedule, SessionSpec

Block = tuple[int, str, str, str]
"""Repeat, scenario, network, transport. Its windows are measured close together, as they are compared."""


def shuffled(schedules: Sequence[NodeSchedule], seed: int) -> tuple[NodeSchedule, ...]:
    """The same sessions in an order that follows from `seed` alone.

    Repeats stay one after the other. Every node has the same order, so that vendors and controls measure
    the same thing in the same minutes; the windows of a block change places at random, too.
    """
    blocks = list(dict.fromkeys(_block(spec) for lane in schedules for spec in lane.sessions))
    windows = list(dict.fromkeys(spec.window for lane in schedules for spec in lane.sessions))
    random = Random(seed)
    random.shuffle(blocks)
    turn = {block: (block[0], number) for number, block in enumerate(blocks)}
    inside = {(block, window): random.random() for block in blocks for window in windows}

    def place(spec: SessionSpec) -> tuple[tuple[int, int], float]:
        return turn[_block(spec)], inside[_block(spec), spec.window]

    return tuple(replace(lane, sessions=tuple(sorted(lane.sessions, key=place))) for lane in schedules)


def order_of(schedules: Sequence[NodeSchedule]) -> list[dict[str, Any]]:
    """For the manifest: the order of the node with the most sessions; the others have a part of it."""
    longest = max((lane.sessions for lane in schedules), key=len, default=())
    names = ("repeat", "scenario", "network", "transport", "window")
    return [dict(zip(names, (*_block(spec), spec.window), strict=True)) for spec in longest]


def _block(spec: SessionSpec) -> Block:
    return spec.repeat, spec.scenario_name, spec.network, spec.transport
