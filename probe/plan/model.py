"""A country plan, validated: what to measure, where, when, and what is good enough.

The keys are those of docs/contract.md. All models are frozen; `model_dump(mode="json")` writes what
`Plan.model_validate` reads, with secrets as `***`.
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import (
    BeforeValidator,
    Discriminator,
    Field,
    PlainSerializer,
    SecretStr,
    Tag,
    WithJsonSchema,
    field_validator,
    model_validator,
)

from probe.objectives import parse_expression
from probe.plan.claims import ClaimRule
from probe.plan.diagnostics import did_you_mean
from probe.plan.fields import (
    RESERVED_VENDORS,
    Clock,
    Count,
    Country,
    Duration,
    Fingerprint,
    Name,
    Names,
    Percent,
    Strict,
    Target,
    Text,
    Timezone,
    wrong,
)
from probe.plan.networks import NetworkSpec
from probe.plan.presets import PRESETS
from probe.plan.scenario import Scenario

Day = Literal["mon", "tue", "wed", "thu", "fri", "sat", "sun"]
DAYS: tuple[Day, ...] = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
OTHER = "other"
"""The window of a moment that lies in none of the plan's."""

DAY_NS = 86_400_000_000_000

Transport = Literal["udp", "quic-datagram", "quic-stream"]
Language = Annotated[str, Field(pattern="^[a-z]{2}$")]


def _version(value: object) -> int:
    if value != 1 or isinstance(value, bool):
        raise ValueError("this program reads plans of version 1: write version: 1")
    return 1


def _secret(value: object) -> object:
    if isinstance(value, str) and value:
        return SecretStr(value)
    if isinstance(value, SecretStr):
        return value
    if value in ("", None):
        return None  # `${ALPHA_KEY:-}` of an emulated node
    raise ValueError("a key must be text")


Secret = Annotated[
    SecretStr | None,
    BeforeValidator(_secret),
    PlainSerializer(lambda value: None if value is None else "***"),
    WithJsonSchema({"type": "string", "pattern": r"\$\{[A-Za-z_]"}),
]
"""A shared key: only from the environment; printed and stored as `***`."""

Version = Annotated[int, BeforeValidator(_version), WithJsonSchema({"const": 1})]

Network = Annotated[
    Annotated[Text, Tag("name")] | Annotated[NetworkSpec, Tag("inline")],
    Discriminator(lambda value: "name" if isinstance(value, str) else "inline"),
]
"""A weak network: a name, a file, or the profile itself."""


class Window(Strict):
    """Hours of a day, in the node's local time; `days` are those on which the window opens.

    An `end` before `start` is on the next day. Minutes after midnight.
    """

    start: Clock
    end: Clock
    days: Annotated[tuple[Day, ...], Field(min_length=1)] = DAYS

    @model_validator(mode="after")
    def _has_length(self) -> Window:
        if self.start == self.end:
            raise wrong("end", "the window has no length: for a whole day write start: 00:00, end: 24:00")
        if self.start == 24 * 60:
            raise wrong("start", "a window starts before 24:00: write 00:00 for midnight")
        return self


class Vantage(Strict):
    """A place of ours to measure from; `probe run --vantage NAME` says which one this machine is."""

    name: Name
    isp: Text | None = None
    asn: Count | None = None
    city: Text | None = None
    access: Text | None = None


class Node(Strict):
    """A node to measure: a vendor's, or a control of our own.

    `path` is the access path of an emulated node: window -> network. `key` falls back to the vendor's.
    """

    name: Name
    endpoint: Target
    path: dict[Name, Text] | None = None
    key: Secret = None
    fingerprint: Fingerprint | None = None
    cafile: Text | None = None
    city: Text | None = None
    isp: Text | None = None
    timezone: Timezone | None = None

    @model_validator(mode="after")
    def _is_consistent(self) -> Node:
        if self.endpoint.emulated and not self.path:
            raise wrong(
                "endpoint",
                "an emulated node needs a path: write path: {peak: 4g-evening, offpeak: 4g-day}",
            )
        if self.fingerprint and self.cafile:
            raise wrong("cafile", "give a fingerprint or a cafile, not both")
        return self


class Vendor(Strict):
    """A vendor and its nodes; `key` is the shared key of all nodes that have none of their own."""

    name: Name
    key: Secret = None
    nodes: Annotated[tuple[Node, ...], Field(min_length=1)]

    @field_validator("name")
    @classmethod
    def _is_free(cls, name: str) -> str:
        if name in RESERVED_VENDORS:
            raise ValueError(f"'{name}' is where results of the plan's own controls are kept: choose another")
        return name


class MatrixRow(Strict):
    """A block of sessions: every combination of what it lists, `repeat` times; left out means all."""

    scenarios: Annotated[tuple[Text, ...], Field(min_length=1)] | None = None
    transports: Annotated[tuple[Transport, ...], Field(min_length=1)] = ("udp",)
    networks: Annotated[tuple[Text, ...], Field(min_length=1)] | None = None
    windows: Annotated[tuple[Text, ...], Field(min_length=1)] | None = None
    repeat: Count = 1


class EvidenceRule(Strict):
    """How much a verdict needs (probe.objectives.Evidence)."""

    confidence: Percent = 0.95
    block: Duration = 10_000_000_000
    min_packets: Count = 500
    min_days: Count = 6
    extend_up_to: Duration = 0

    @model_validator(mode="after")
    def _is_possible(self) -> EvidenceRule:
        if not 0.5 <= self.confidence < 1.0:
            raise wrong("confidence", "a confidence lies between 50% and 100%, such as 95%")
        if self.block == 0:
            raise wrong("block", "a block of 0s holds no packet: write 10s")
        return self


class Store(Strict):
    """Where results go, relative to the working directory; for how long `probe store compact` keeps packets.

    Without `keep_raw` they are kept for ever, as histograms and documents are.
    """

    path: Text = "results"
    keep_raw: Duration | None = None

    @field_validator("keep_raw")
    @classmethod
    def _is_not_nothing(cls, value: int | None) -> int | None:
        if value is not None and value < DAY_NS:
            raise ValueError("packets are kept for a day at least: write 14d")
        return value


def _full_threshold(value: object) -> object:
    return {"expr": value} if isinstance(value, str) else value


class ThresholdRule(Strict):
    """An expression or a preset of several, how serious it is, and what it applies to (all, where nothing is
    named). Of a preset, `severity` replaces that of its lines."""

    expr: Text | None = None
    preset: Text | None = None
    severity: Literal["gate", "warn", "info"] | None = None
    vendor: Names | None = None
    node: Names | None = None
    isp: Names | None = None
    city: Names | None = None
    network: Names | None = None
    window: Names | None = None
    transport: Names | None = None
    scenario: Names | None = None
    vantage: Names | None = None

    @field_validator("expr")
    @classmethod
    def _parses(cls, text: str | None) -> str | None:
        return None if text is None else parse_expression(text).text

    @field_validator("preset")
    @classmethod
    def _is_known(cls, name: str | None) -> str | None:
        if name is not None and name not in PRESETS:
            raise ValueError(f"unknown preset '{name}'{did_you_mean(name, list(PRESETS))}")
        return name

    @model_validator(mode="after")
    def _is_one(self) -> ThresholdRule:
        if self.expr is None and self.preset is None:
            raise wrong("expr", "the key 'expr' is missing")
        if self.expr is not None and self.preset is not None:
            raise wrong("preset", "give an expression or a preset, not both")
        return self


class Plan(Strict):
    """A whole plan; see the module's docstring."""

    version: Version
    extends: tuple[Text, ...] = ()
    country: Country
    title: dict[Language, Text] = Field(default_factory=dict)
    timezone: Timezone
    windows: dict[Name, Window] = Field(
        default_factory=lambda: {
            "peak": Window.model_validate({"start": "19:00", "end": "23:00"}),
            "offpeak": Window.model_validate({"start": "04:00", "end": "08:00"}),
        }
    )
    vantages: tuple[Vantage, ...] = ()
    controls: tuple[Node, ...] = ()
    vendors: Annotated[tuple[Vendor, ...], Field(min_length=1)]
    scenarios: Annotated[dict[Name, Scenario], Field(min_length=1)]
    networks: tuple[Network, ...] = ("clean",)
    matrix: Annotated[tuple[MatrixRow, ...], Field(min_length=1)] = (MatrixRow(),)
    thresholds: tuple[Annotated[ThresholdRule, BeforeValidator(_full_threshold)], ...] = ()
    claims: tuple[ClaimRule, ...] = ()
    evidence: EvidenceRule = EvidenceRule()
    store: Store = Store()
