"""What `probe doctor` says of each check, and the command that mends each lack."""

from __future__ import annotations

from collections.abc import Callable

from probe.net.punctual import LOW_LATENCY_HINT, REALTIME_HINT
from probe.records import Json
from probe.report.numbers import NO_DATA, milliseconds, percent, plural
from probe.session.doctor import Check

NAMES = {
    "stamps": "time stamps",
    "lateness": "send lateness",
    "calls": "packets a call",
    "buffers": "socket buffers",
    "namespaces": "own networks",
    "netem": "kernel netem",
    "connectors": "way out of them",
    "privileges": "privileges",
    "clock": "clock",
    "processors": "processors",
    "ipv6": "IPv6",
}
_MIB = 1 << 20


def _stamps(facts: Json) -> str:
    stamps = facts["stamps"]
    arrivals = {stamps["node_received"] or NO_DATA, stamps["received"] or NO_DATA}
    departures = {stamps["sent"] or NO_DATA, stamps["node_sent"] or NO_DATA}
    told = [" and ".join(sorted(found)) for found in (arrivals, departures)]
    return f"arrivals by the {told[0]}, departures by the {told[1]}; seen on {plural(facts['n'], 'packet')} each way"


def _lateness(facts: Json) -> str:
    times = ", ".join(f"{name} {milliseconds(facts[name])} ms" for name in ("p50", "p99", "max"))
    unsent = facts["scheduled"] - facts["sent"]
    return (
        f"{times} of n = {facts['n']} (limit p99 {facts['limit_p99_ms']:g} ms); {unsent} unsent, {facts['lost']} lost, "
        f"{facts['socket_dropped']} dropped at sockets; longest stall {milliseconds(facts['stall_ms'])} ms"
    )


def _calls(facts: Json) -> str:
    names = [name for name in ("sendmmsg", "recvmmsg") if facts[name]]
    have = " and ".join(names) or "neither sendmmsg nor recvmmsg"
    return f"{have}; the {facts['carrier'] or 'no'} carrier measured"


def _buffers(facts: Json) -> str:
    sizes = ", ".join(f"{way} {facts[f'{way}_bytes'] / _MIB:.3g} MiB" for way in ("receive", "send"))
    limit = NO_DATA if facts["rmem_max"] is None else f"{facts['rmem_max'] / _MIB:.3g} MiB"
    return (
        f"asked {facts['asked_bytes'] / _MIB:.3g} MiB, granted {sizes} (rmem_max {limit}); "
        f"{facts['drops_found']} of {facts['drops_sent']} packets read or counted as dropped"
    )


def _namespaces(facts: Json) -> str:
    ordinary = "an ordinary user may, too" if facts["ordinary_user"] else "an ordinary user may not"
    if facts["ordinary_user_error"]:
        ordinary += f": {facts['ordinary_user_error']}"
    return (
        f"made one, as probe weak run does; {ordinary}" if facts["ourselves"] else f"none: {facts['error']}"
    )


def _netem(facts: Json) -> str:
    if not facts["works"]:
        return f"none: {facts['error'] or 'there is no network of our own to try it in'}"
    return (
        f"delayed {facts['n']} of {facts['n']} packets, by {milliseconds(facts['min_ms'])} ms or more of 10"
    )


def _connectors(facts: Json) -> str:
    parts = [f"{name} {facts[name] or 'missing'}" for name in ("pasta", "slirp4netns")]
    return ", ".join([*parts, f"/dev/net/tun {'opens' if facts['tun'] else 'does not open'}"])


def _privileges(facts: Json) -> str:
    words = {
        "cap_net_admin": "CAP_NET_ADMIN",
        "cap_net_raw": "CAP_NET_RAW",
        "realtime": "real time (--rt)",
        "low_latency": "awake processors (--low-latency)",
    }
    return ", ".join(f"{word} {_yes(facts[name])}" for name, word in words.items())


def _clock(facts: Json) -> str:
    kept = {True: "synchronised", False: "not synchronised", None: "synchronised or not: not told"}
    error = facts["largest_error_ms"]
    bound = "" if error is None else f" within {milliseconds(error)} ms"
    step = facts["largest_step_ms"]
    stepped = "" if step is None else f"; largest step during the call {milliseconds(abs(step))} ms"
    bracket = f"both clocks read within {facts['bracket_us']:.2g} us (best of {facts['bracket_n']})"
    return f"source {facts['source'] or NO_DATA}, {kept[facts['synchronised']]}{bound}; {bracket}{stepped}"


def _processors(facts: Json) -> str:
    steal = facts["steal_ratio"]
    stolen = "steal not told" if steal is None else f"{percent(steal)} % stolen"
    share = facts["cpu_share"]
    loop = "" if share is None else f"; the packet loop used {percent(share)} % of one"
    return (
        f"{plural(facts['cores'], 'core')}, load {facts['load']:.2f} each (limit {facts['limit_load']:g}), "
        f"{stolen} (limit {100 * facts['limit_steal_ratio']:g} %){loop}"
    )


def _ipv6(facts: Json) -> str:
    route = "a route to elsewhere" if facts["route"] else "no route to elsewhere"
    return f"{facts['loopback_back']} of {facts['loopback_sent']} packets back over loopback, {route}"


FOUND: dict[str, Callable[[Json], str]] = {
    "stamps": _stamps,
    "lateness": _lateness,
    "calls": _calls,
    "buffers": _buffers,
    "namespaces": _namespaces,
    "netem": _netem,
    "connectors": _connectors,
    "privileges": _privileges,
    "clock": _clock,
    "processors": _processors,
    "ipv6": _ipv6,
}

REMEDIES = {
    "receive_stamps": "arrivals are stamped in this process: measure from Linux, and not in a sandbox that has a"
    " network stack of its own (gVisor)",
    "transmit_stamps": "departures are stamped in this process; on Linux the driver decides: ethtool -T DEVICE",
    "lateness": "end other programs (top shows them), or measure with --rt, --low-latency or --spin 200us",
    "sendmmsg": "one call a packet is used: fewer calls at a time; Linux with 64 bits has better",
    "receive_buffer": "sudo sysctl -w net.core.rmem_max=8388608",
    "send_buffer": "sudo sysctl -w net.core.wmem_max=8388608",
    "drop_count": "drops at a socket cannot be told from loss on the path here: keep the rate low",
    "namespaces": "use the relay, which needs nothing",
    "netem": "use the relay, which needs nothing",
    "pasta": "probe weak run brings a way out of its own; for other tools: sudo apt install passt",
    "tun": "probe weak run does not need it; for other tools: sudo modprobe tun && sudo chmod 666 /dev/net/tun; in a container: --device /dev/net/tun",
    "cap_net_admin": "not needed where own networks can be made; else sudo, in a container: --cap-add NET_ADMIN",
    "cap_net_raw": "not needed to measure; else sudo, in a container: --cap-add NET_RAW",
    "realtime": REALTIME_HINT,
    "low_latency": LOW_LATENCY_HINT,
    "synchronised": "delays do not suffer, the hours of a plan's windows may: sudo timedatectl set-ntp true",
    "clock_step": "let the clock be slewed, not stepped: sudo systemctl enable --now chrony",
    "load": "end other programs (top shows them); a campaign waits until the load is below its --max-load",
    "steal": "the hypervisor gives this machine's time to others: a dedicated core, or another machine",
    "ipv6": "sudo sysctl -w net.ipv6.conf.all.disable_ipv6=0; nodes with an IPv4 address can be measured",
    "ipv6_route": "nodes with an IPv4 address can be measured; for others ask the provider for IPv6",
}


def remedy(check: Check, lack: str) -> str:
    """What to do; what the check itself advises comes first."""
    return str(check.facts.get("hint") or REMEDIES[lack])


def _yes(held: bool | None) -> str:
    return NO_DATA if held is None else "yes" if held else "no"
