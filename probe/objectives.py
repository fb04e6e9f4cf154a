"""Thresholds: their grammar, their scope, and how much evidence a verdict needs.

    METRIC OP NUMBER UNIT          rtt.p95 < 200ms      down.residual <= 1%
    FUNCTION(METRIC) OP NUMBER UNIT    peak_ratio(rtt.p95) < 1.5x

A time needs `us`, `ms` or `s`; a share needs `%`; only a ratio goes without a unit, or with `x`.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from difflib import get_close_matches
from typing import Any

Json = dict[str, Any]

AGGREGATES = ("p50", "p90", "p95", "p99", "p99.9", "min", "mean", "max")
JITTER_AGGREGATES = ("max", "mean", "last")


@dataclass(frozen=True, slots=True)
class Metric:
    """`aggregates` is empty for a scalar. `unit` is "ms" or "%"."""

    name: str
    unit: str
    aggregates: tuple[str, ...] = ()
    per_session: bool = False
    """One value a session (n counts sessions), not a packet."""


METRICS = {
    metric.name: metric
    for metric in (
        Metric("rtt", "ms", AGGREGATES),
        Metric("loss", "%"),
        *(Metric(f"{way}.{name}", "%") for way in ("up", "down") for name in ("loss", "residual")),
        *(Metric(f"{way}.{name}", "%") for way in ("up", "down") for name in ("recovered", "reordered")),
        *(
            Metric(f"{way}.{name}", "ms", AGGREGATES)
            for way in ("up", "down")
            for name in ("recovery", "pdv", "ipdv")
        ),
        *(Metric(f"{way}.jitter", "ms", JITTER_AGGREGATES) for way in ("up", "down")),
        *(Metric(f"{way}.worst_loss_{window}", "%") for way in ("up", "down") for window in ("15s", "200ms")),
        *(Metric(f"{way}.worst_jitter_15s", "ms") for way in ("up", "down")),
        Metric("connect", "ms", AGGREGATES, per_session=True),
        Metric("handshake", "ms", AGGREGATES, per_session=True),
        Metric("reachable", "%", per_session=True),
    )
}
"""Every metric a threshold can name (docs/contract.md, "Metrics")."""

ALIASES = {"latency": "rtt"}
FUNCTIONS = ("peak_ratio", "peak_shift", "vs_control")
"""Peak divided by off-peak; peak minus off-peak; the vendor's value minus the control's."""

OPERATORS = ("<=", ">=", "<", ">")
SEVERITIES = ("gate", "warn", "info")
SCOPE_KEYS = (
    "vendor",
    "node",
    "isp",
    "city",
    "network",
    "window",
    "transport",
    "scenario",
    "vantage",
)

MILLISECONDS = {"us": 0.001, "ms": 1.0, "s": 1000.0}

_SHAPE = re.compile(
    r"\s*(?:(?P<function>[A-Za-z_]\w*)\s*\(\s*(?P<inner>[^\s()<>=]+)\s*\)|(?P<metric>[^\s()<>=]+))"
    r"\s*(?P<op><=|>=|<|>)\s*(?P<number>-?\d+(?:\.\d+)?)\s*(?P<unit>[A-Za-zµ%]*)\s*"
)


def _names() -> list[str]:
    """Every metric in full, with its aggregate, aliases included."""
    names = []
    for metric in METRICS.values():
        spellings = [metric.name, *(alias for alias, name in ALIASES.items() if name == metric.name)]
        for name in spellings:
            names += [f"{name}.{aggregate}" for aggregate in metric.aggregates] or [name]
    return names


METRIC_NAMES = tuple(_names())


def _expression_pattern() -> str:
    times = "|".join(re.escape(name) for name in METRIC_NAMES if find_metric(name)[0].unit == "ms")
    shares = "|".join(re.escape(name) for name in METRIC_NAMES if find_metric(name)[0].unit == "%")
    difference = "(?:peak_shift|vs_control)"
    op, number, signed = r"\s*(?:<=|>=|<|>)\s*", r"\d+(?:\.\d+)?\s*", r"-?\d+(?:\.\d+)?\s*"
    return (
        r"^\s*(?:"
        rf"(?:{times}){op}{number}(?:us|ms|s)"
        rf"|(?:{shares}){op}{number}%"
        rf"|{difference}\s*\(\s*(?:{times})\s*\){op}{signed}(?:us|ms|s)"
        rf"|{difference}\s*\(\s*(?:{shares})\s*\){op}{signed}%"
        rf"|peak_ratio\s*\(\s*(?:{times}|{shares})\s*\){op}{number}x?"
        r")\s*$"
    )


@dataclass(frozen=True, slots=True)
class Expression:
    """A parsed threshold. `limit` is in `unit`: "ms", "%" (as a number) or "" (a plain ratio).

    `metric` is canonical (`latency` has become `rtt`); `aggregate` is None for a scalar.
    """

    text: str
    function: str | None
    metric: str
    aggregate: str | None
    op: str
    limit: float
    unit: str

    @property
    def subject(self) -> str:
        """The metric with its aggregate, as written in a threshold: `rtt.p95`."""
        return self.metric if self.aggregate is None else f"{self.metric}.{self.aggregate}"

    def holds(self, value: float) -> bool:
        """Whether `value` (in `unit`; may be infinite) meets the limit."""
        match self.op:
            case "<":
                return value < self.limit
            case "<=":
                return value <= self.limit
            case ">":
                return value > self.limit
            case _:
                return value >= self.limit


def parse_expression(text: str) -> Expression:
    """Parse one threshold; `ValueError` with one sentence for its author, often with a suggestion."""
    found = _SHAPE.fullmatch(text)
    if found is None:
        raise ValueError(
            f'"{text}" is not METRIC OP NUMBER UNIT, for example "rtt.p95 < 200ms"{_misspelt_op(text)}'
        )
    function = found["function"]
    if function is not None and function not in FUNCTIONS:
        raise ValueError(f'there is no function "{function}"{_did_you_mean(function, FUNCTIONS)}')
    metric, aggregate = find_metric(found["inner"] or found["metric"])
    unit = "" if function == "peak_ratio" else metric.unit
    limit = _limit(text, unit, found["number"], found["unit"])
    if limit < 0 and function in (None, "peak_ratio"):
        raise ValueError(f'"{text}": {metric.name} is never negative, so neither can its limit be')
    if unit == "%" and abs(limit) > 100:
        raise ValueError(f'"{text}": a share goes from 0% to 100%, not to {found["number"]}%')
    return Expression(" ".join(text.split()), function, metric.name, aggregate, found["op"], limit, unit)


def find_metric(name: str) -> tuple[Metric, str | None]:
    """The metric and aggregate of `rtt.p95`; `ValueError` with one sentence if there is no such thing."""
    spellings = [*METRICS, *ALIASES]
    known = next((known for known in spellings if name == known or name.startswith(f"{known}.")), None)
    if known is None:
        raise ValueError(f'there is no metric "{name}"{_did_you_mean(name, METRIC_NAMES, METRICS)}')
    metric = METRICS[ALIASES.get(known, known)]
    aggregate = name[len(known) + 1 :]
    if not metric.aggregates:
        if aggregate:
            raise ValueError(f'"{known}" is one number, without aggregates; did you mean "{known}"?')
        return metric, None
    if aggregate in metric.aggregates:
        return metric, aggregate
    choices = ", ".join(metric.aggregates)
    example = next(iter(get_close_matches(aggregate, metric.aggregates, n=1, cutoff=0.5)), "")
    example = example or ("p95" if "p95" in metric.aggregates else "max")
    raise ValueError(f'"{known}" needs one of {choices}; did you mean "{known}.{example}"?')


def _limit(text: str, unit: str, number: str, written: str) -> float:
    value = float(number)
    if unit == "ms":
        if written in MILLISECONDS:
            return value * MILLISECONDS[written]
        wanted, meant = "a time: us, ms or s", f"{number}ms"
    elif unit == "%":
        if written == "%":
            return value
        wanted, meant = "a share: %", f"{number}%"
    else:
        if written in ("", "x"):
            return value
        wanted, meant = "a plain ratio: no unit, or x", f"{number}x"
    given = f'not "{written}"' if written else "and its unit is missing"
    raise ValueError(f'"{text}": the limit is {wanted}, {given}; did you mean "{meant}"?')


def _did_you_mean(name: str, known: tuple[str, ...], others: Iterable[str] = ()) -> str:
    near = get_close_matches(name, known, n=1, cutoff=0.5)
    return f'; did you mean "{near[0]}"?' if near else f"; there are {', '.join(others or known)}"


def _misspelt_op(text: str) -> str:
    for wrong, right in (("==", "<="), ("=<", "<="), ("=>", ">="), ("≤", "<="), ("≥", ">=")):
        if wrong in text:
            return f'; did you mean "{text.replace(wrong, right)}"?'
    return ""


EXPRESSION_PATTERN = _expression_pattern()
"""The grammar as a regular expression for JSON Schema (no Python-only syntax)."""


@dataclass(frozen=True, slots=True)
class Threshold:
    """An expression with what it applies to. A `scope` value is a name or a list of names."""

    expression: Expression
    severity: str = "gate"
    scope: Mapping[str, str | list[str]] = field(default_factory=dict)
    file: str | None = None
    line: int | None = None

    def to_json(self) -> Json:
        return {
            "expr": self.expression.text,
            "severity": self.severity,
            "scope": dict(self.scope),
            "file": self.file,
            "line": self.line,
        }

    @classmethod
    def from_json(cls, document: Json) -> Threshold:
        """Read a stored threshold; `ValueError` as `parse_expression`."""
        return cls(
            parse_expression(document["expr"]),
            document.get("severity", "gate"),
            document.get("scope") or {},
            document.get("file"),
            document.get("line"),
        )


CLAIM_METRICS = ("residual", "recovered")
"""What a claim's criterion may be about: what is left after recovery, or what recovery repaired."""
CLAIM_SETTLE_NS = 3_000_000_000
"""The network of a claim's sweep is clean so long, as claims are about calls that stand; so much of the stream is no
evidence. It counts from the first packet of all, hence ends before so much of the stream has passed."""


@dataclass(frozen=True, slots=True)
class Claim:
    """What somebody says a call resists: at a loss of `resists` (a fraction) the criterion still holds.

    The loss is made in `direction` ("up", "down", "both"), independent or in mean runs of `burst` packets, at each of
    `steps`; the criterion is asked of the same direction, of both each for itself. `overhead` is how many times the
    media's bytes may be sent at most, `rate_bps` the capacity there is.
    """

    name: str
    scenario: str
    transport: str
    direction: str
    criterion: str
    resists: float
    steps: tuple[float, ...]
    deadline_ns: int
    burst: float | None = None
    overhead: float | None = None
    rate_bps: int | None = None
    severity: str = "gate"
    file: str | None = None
    line: int | None = None

    @property
    def ways(self) -> tuple[str, ...]:
        return ("up", "down") if self.direction == "both" else (self.direction,)

    def expression(self, way: str) -> Expression:
        """The criterion as a threshold of one direction."""
        return parse_expression(f"{way}.{self.criterion}")

    def network(self, ratio: float) -> str:
        """The name of the network with this loss."""
        return f"claim.{self.name}.{100 * ratio:.10g}"

    def to_json(self) -> Json:
        return {name: getattr(self, name) for name in self.__slots__} | {"steps": list(self.steps)}

    @classmethod
    def from_json(cls, document: Json) -> Claim:
        known = {name: document[name] for name in cls.__slots__ if name in document}
        return cls(**known | {"steps": tuple(document["steps"])})


@dataclass(frozen=True, slots=True)
class Evidence:
    """How much a verdict needs. `confidence` is a fraction; `min_days` are paired local dates."""

    confidence: float = 0.95
    block_ns: int = 10_000_000_000
    min_packets: int = 500
    min_days: int = 6
    extend_up_to_ns: int = 0

    def to_json(self) -> Json:
        return {name: getattr(self, name) for name in self.__slots__}

    @classmethod
    def from_json(cls, document: Json) -> Evidence:
        return cls(**{name: document[name] for name in cls.__slots__ if name in document})
