"""What-if of a stored run: which of its sessions can be replayed, with which question."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from probe.analysis.cells import matches
from probe.analysis.whatif import Question, WhatIf, objection, what_if
from probe.errors import ConfigError
from probe.objectives import Threshold
from probe.plan.diagnostics import did_you_mean
from probe.plan.scalars import parse_duration, parse_percent
from probe.records import Json, SessionRecord
from probe.store.reader import StoredRun
from probe.store.sessions import StoredSession

TARGET = 0.01
"""Residual where neither the command nor a threshold of the run says one."""


@dataclass(frozen=True, slots=True)
class Asked:
    """What a command line says; None leaves it to the run: its scenarios' deadlines, its thresholds' residual."""

    target: str | None = None
    deadline: str | None = None
    only: str | None = None
    seed: int = 0


@dataclass(frozen=True, slots=True)
class Predicted:
    """A session with what remedies would have made of it. `target_from`: "option", "threshold" or "default"."""

    record: SessionRecord
    question: Question
    target_from: str
    ways: tuple[WhatIf, ...]


@dataclass(frozen=True, slots=True)
class LeftOut:
    """A session that cannot be replayed, and why: `no_loss`, `no_packets`, `quic`, or `removed`."""

    record: SessionRecord
    code: str


def predict_run(stored: StoredRun, asked: Asked) -> tuple[list[Predicted], list[LeftOut]]:
    """Replay the sessions of a run. Raises ConfigError for options that mean nothing."""
    target = None if asked.target is None else _option("--target", asked.target, parse_percent)
    deadline = None if asked.deadline is None else _option("--deadline", asked.deadline, parse_duration)
    thresholds = [Threshold.from_json(one) for one in stored.manifest.get("thresholds", ())]
    predicted, left_out = [], []
    for session in _chosen(stored.sessions, asked.only):
        code = "removed" if session.removed else objection(session.record, session.rows)
        if code is not None:
            left_out.append(LeftOut(session.record, code))
            continue
        limit, source = _target(session.record, thresholds) if target is None else (target, "option")
        at = session.record.deadline_ns if deadline is None else int(deadline)
        question = Question(at, limit, seed=asked.seed)
        ways = tuple(what_if(session.record, session.rows, question))
        predicted.append(Predicted(session.record, question, source, ways))
    return predicted, left_out


def _option(name: str, text: str, parse: Any) -> float:
    try:
        return float(parse(text))
    except ValueError as error:
        raise ConfigError(f"{name} {text}: {error}") from None


def _chosen(sessions: Sequence[StoredSession], only: str | None) -> Iterator[StoredSession]:
    names = {f"{session.record.vendor}/{session.record.node}" for session in sessions}
    names |= {session.record.vendor for session in sessions}
    if only is not None and only not in names:
        raise ConfigError(f"the run has no vendor or node '{only}'{did_you_mean(only, sorted(names))}")
    for session in sessions:
        record = session.record
        if only is None or only in (record.vendor, f"{record.vendor}/{record.node}"):
            yield session


def _target(record: SessionRecord, thresholds: Sequence[Threshold]) -> tuple[float, str]:
    """The strictest residual that the run's thresholds ask of the session."""
    limits = [
        threshold.expression.limit / 100
        for threshold in thresholds
        if threshold.expression.metric in ("up.residual", "down.residual")
        and threshold.expression.function is None
        and threshold.expression.op[0] == "<"
        and matches(record, threshold.scope)
    ]
    return (min(limits), "threshold") if limits else (TARGET, "default")


def to_json(predicted: Sequence[Predicted], left_out: Sequence[LeftOut]) -> Json:
    """Without the run's own names (`probe whatif --json`)."""
    return {
        "sessions": [
            _names(one.record)
            | {
                "deadline_ms": one.question.deadline_ns / 1e6,
                "target_ratio": one.question.target,
                "target_from": one.target_from,
                "ways": [way.to_json() for way in one.ways],
            }
            for one in predicted
        ],
        "left_out": [_names(one.record) | {"code": one.code} for one in left_out],
    }


def _names(record: SessionRecord) -> Json:
    keys = ("index", "vendor", "node", "scenario", "network", "window", "transport", "emulated")
    return {key: getattr(record, key) for key in keys}
