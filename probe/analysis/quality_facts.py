"""What was observed of the measurement itself, from a session's record and rows."""

from __future__ import annotations

from typing import Any

import numpy as np

from probe.analysis.one_way import Mask
from probe.analysis.population import Population
from probe.metrics import NEVER, Rows, Stamp
from probe.records import Json, SessionRecord


def side_counts(record: SessionRecord) -> dict[str, int]:
    """`policed`, `socket_dropped` (in sockets of ours, of our relay or of the node) and `corrupt`.

    A node that could not report at the end has told of itself in its last reflections.
    """
    node, client = record.counters, record.client
    told = node or {"policed": client.get("policed"), "socket_dropped": client.get("node_socket_dropped")}
    return {
        "policed": _count(told, "policed"),
        "socket_dropped": _count(told, "socket_dropped")
        + _count(client, "socket_dropped")
        + _count(record.impairment, "socket_dropped"),
        "corrupt": _count(node, "corrupt") + _count(client, "corrupt"),
    }


def drops(record: SessionRecord, sides: Json) -> Json:
    """The counts of `side_counts` and where they come from. `relay`: packets that our own relay had no room for or
    could not send; `backlog`, `node_backlog`: packets of whatever traffic that this host, or the node's, dropped
    before a socket, None: not told.
    """
    client = _count(record.client, "socket_dropped")
    relay = _count(record.impairment, "socket_dropped")
    return {name: sides[name] for name in ("policed", "socket_dropped", "corrupt")} | {
        "client_socket": client,
        "relay_socket": relay,
        "node_socket": sides["socket_dropped"] - client - relay,
        "relay": _count(record.impairment, "overrun") + _count(record.impairment, "unsent"),
        "backlog": record.quality.get("backlog_dropped"),
        "node_backlog": record.counters.get("backlog_dropped"),
    }


def lateness_ms(record: SessionRecord, rows: Rows, sent: Mask) -> Json:
    """Departure minus scheduled departure; over QUIC until our host had done its part, before any congestion
    window of the path's."""
    observed = record.quality
    if "quic" in record.transport and "lateness_p99_ms" in observed:
        told = {name: observed.get(f"lateness_{name}_ms") for name in ("p50", "p99", "max")}
        return {"n": observed.get("lateness_n")} | told
    late = Population.of_ns((rows["sent_ns"] - rows["scheduled_ns"])[sent])
    return {"n": late.n} | {name: late.value(name) for name in ("p50", "p99", "max")}


def relay_lateness_ms(record: SessionRecord) -> Json | None:
    """How late packets left our own relay; None without one."""
    told = record.impairment.get("lateness")
    if not told:
        return None
    found: Json = {"n": told.get("n")}
    for name in ("p50", "p99", "max"):
        value = told.get(f"{name}_us")
        found[name] = None if value is None else value / 1e3
    return found


def network_excess(record: SessionRecord) -> float | None:
    """How far the losses of a weak network are from what is set, in units of what chance explains: the worse way;
    None without one, or where a queue or the time has a say in them."""
    told = (record.impairment.get("excess") or {}).values()
    return max((float(value) for value in told if value is not None), default=None)


def rate_pps(record: SessionRecord) -> Json:
    """Packets a second, as asked for and as they left."""
    asked, ratio = record.quality.get("asked_pps"), record.quality.get("rate_ratio")
    return {"asked": asked, "sent": None if asked is None or ratio is None else asked * ratio}


def stamp_sources(rows: Rows, sent: Mask) -> Json:
    """`kernel`, `user` or `mixed` for each of a packet's four times; None where there is none."""
    fields = {
        "sent": (Stamp.SENT, "sent_ns"),
        "node_received": (Stamp.NODE_RECEIVED, "node_received_ns"),
        "node_sent": (Stamp.NODE_SENT, "node_sent_ns"),
        "received": (Stamp.RECEIVED, "received_ns"),
    }
    sources: Json = {}
    for name, (bit, column) in fields.items():
        stamped = sent & (rows[column] != NEVER)
        total = int(np.count_nonzero(stamped))
        kernel = int(np.count_nonzero(stamped & ((rows["stamps"] & bit) != 0)))
        sources[name] = {0: "user", total: "kernel"}.get(kernel, "mixed") if total else None
    return sources


def stall_in_delay(facts: Json) -> float | None:
    """The longer stall, in ms, of an end whose arrivals the kernel did not stamp: there it looks like the path's
    delay. None where the kernel did, or nothing arrived, or nobody watched."""
    ends = (("received", "stall_ms"), ("node_received", "node_stall_ms"))
    stalls = [facts[stall] for stamp, stall in ends if facts["stamps"][stamp] in {"user", "mixed"}]
    return max((stall for stall in stalls if stall is not None), default=None)


def _count(counters: Json, name: str) -> int:
    value: Any = counters.get(name)
    return int(value or 0)
