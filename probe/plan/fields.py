"""The kinds of values in a plan, as annotated pydantic types.

Pydantic collects ValueError, not TypeError: hence also for values of a wrong type.

Each reads a YAML scalar by a function of its own that says in one sentence what is wrong, writes itself back as
the text it was read from, and tells editors its pattern.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Annotated, Self
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo, available_timezones

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, PlainSerializer, WithJsonSchema
from pydantic_core import PydanticCustomError

from probe.plan import scalars
from probe.plan.countries import country_names
from probe.plan.diagnostics import did_you_mean, nearest

NAME_PATTERN = "^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$"
FINGERPRINT_PATTERN = "^sha256:[0-9a-fA-F]{64}$"
ENDPOINT_PATTERN = r"^(emulated|probe://.+:[0-9]{1,5})$"
RESERVED_VENDORS = frozenset({"controls"})
"""The vendor name under which results of a plan's controls are kept."""


class Strict(BaseModel):
    """A mapping of a plan: only the keys it knows, and never changed."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True, populate_by_name=True)


def wrong(key: str, sentence: str) -> PydanticCustomError:
    """An error of a mapping as a whole that is shown at one of its keys."""
    return PydanticCustomError("plan", "{sentence}", {"sentence": sentence, "key": key})


@dataclass(frozen=True, slots=True)
class Endpoint:
    """Where a node listens; `emulated` nodes are started by the run itself and have no address."""

    host: str = ""
    port: int = 0

    @property
    def emulated(self) -> bool:
        return not self.host

    @classmethod
    def parse(cls, value: object) -> Self:
        """`probe://host:port` or `emulated`; an IPv6 address stands in brackets."""
        if isinstance(value, cls):
            return value
        example = "write probe://host:port or `emulated`"
        if not isinstance(value, str):
            raise ValueError(f"an endpoint is text: {example}")  # noqa: TRY004
        if value == "emulated":
            return cls()
        parts = urlsplit(value)
        if parts.scheme != "probe" or not parts.netloc:
            raise ValueError(f"'{value}' is not an endpoint: {example}")
        if parts.path or parts.query or parts.fragment or parts.username is not None:
            raise ValueError(f"'{value}' says more than host and port: {example}")
        try:
            host, port = parts.hostname or "", parts.port
        except ValueError:
            raise ValueError(f"'{value}' has no port between 1 and 65535") from None
        if not host or not port:
            raise ValueError(f"'{value}' has no {'port' if host else 'host'}: {example}")
        return cls(host, port)

    def __str__(self) -> str:
        if self.emulated:
            return "emulated"
        return (
            f"probe://[{self.host}]:{self.port}" if ":" in self.host else f"probe://{self.host}:{self.port}"
        )


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise ValueError(f'this must be text: write "{value}" in quotes')  # noqa: TRY004
    return value


def _name(value: object) -> str:
    text = _text(value)
    if not re.fullmatch(NAME_PATTERN, text):
        raise ValueError(f"'{text}' is no name: use letters, digits, '.', '_' and '-', at most 64")
    return text


def _count(value: object) -> int:
    if isinstance(value, str) and re.fullmatch("[0-9]+", value):
        value = int(value)  # from ${VARIABLE}
    if not isinstance(value, int) or isinstance(value, bool):
        raise ValueError("this must be a whole number")  # noqa: TRY004
    return value


def _flag(value: object) -> bool:
    if value in ("true", "false"):
        return value == "true"  # from ${VARIABLE}
    if not isinstance(value, bool):
        raise ValueError(f"this must be true or false (got {value!r})")  # noqa: TRY004
    return value


def _positive(value: int) -> int:
    if value < 1:
        raise ValueError(f"this must be at least 1 (got {value})")
    return value


def _not_negative(value: int) -> int:
    if value < 0:
        raise ValueError(f"this must be 0 or more (got {value})")
    return value


UNKNOWN_COUNTRY = "ZZ"
"""ISO 3166-1 leaves it to its users; CLDR calls it the unknown region."""


def _country(value: object) -> str:
    text, known = _text(value), country_names()
    if text in known or text == UNKNOWN_COUNTRY:
        return text
    if text.upper() in known:
        raise ValueError(f"write the country code in capitals: {text.upper()}")
    by_name = {name: code for code, name in known.items()}
    guess = nearest(text, list(by_name)) if len(text) > 2 else None
    advice = f", did you mean {by_name[guess]} ({guess})?" if guess else ""
    raise ValueError(f"'{text}' is no ISO 3166-1 alpha-2 country code{advice}")


def _timezone(value: object) -> str:
    text = _text(value)
    try:
        # Some names load but cannot be used: a directory, or a path outside the database.
        datetime.now(UTC).astimezone(ZoneInfo(text))
    except (KeyError, ValueError, OSError):
        known = sorted(available_timezones())
        raise ValueError(f"unknown time zone '{text}'{did_you_mean(text, known)}") from None
    return text


def _fingerprint(value: object) -> str:
    text = _text(value)
    if not re.fullmatch(FINGERPRINT_PATTERN, text):
        raise ValueError(
            f"'{text}' is not a fingerprint: write sha256: and 64 hexadecimal digits, as `probe node` prints it"
        )
    return text.lower()


def _tuple_of(value: object) -> object:
    return (value,) if isinstance(value, str) else value


def _pattern(pattern: str) -> WithJsonSchema:
    return WithJsonSchema({"type": "string", "pattern": pattern})


Text = Annotated[str, BeforeValidator(_text)]
Name = Annotated[str, BeforeValidator(_name), _pattern(NAME_PATTERN)]
Names = Annotated[
    tuple[Text, ...],
    BeforeValidator(_tuple_of),
    WithJsonSchema({"anyOf": [{"type": "string"}, {"type": "array", "items": {"type": "string"}}]}),
]
"""One name or a list of them."""
Count = Annotated[
    int, BeforeValidator(_count), AfterValidator(_positive), WithJsonSchema({"type": "integer", "minimum": 1})
]
Depth = Annotated[
    int,
    BeforeValidator(_count),
    AfterValidator(_not_negative),
    WithJsonSchema({"type": "integer", "minimum": 0}),
]
"""How many; 0 is none."""
Flag = Annotated[bool, BeforeValidator(_flag)]
Country = Annotated[str, BeforeValidator(_country), _pattern("^[A-Z]{2}$")]
Timezone = Annotated[str, BeforeValidator(_timezone)]
Fingerprint = Annotated[str, BeforeValidator(_fingerprint), _pattern(FINGERPRINT_PATTERN)]
Target = Annotated[
    Endpoint, BeforeValidator(Endpoint.parse), PlainSerializer(str), _pattern(ENDPOINT_PATTERN)
]
Duration = Annotated[
    int,
    BeforeValidator(scalars.parse_duration),
    PlainSerializer(scalars.format_duration),
    _pattern(scalars.DURATION_PATTERN),
]
Rate = Annotated[
    int,
    BeforeValidator(scalars.parse_rate),
    PlainSerializer(scalars.format_rate),
    _pattern(scalars.RATE_PATTERN),
]
Percent = Annotated[
    float,
    BeforeValidator(scalars.parse_percent),
    PlainSerializer(scalars.format_percent),
    _pattern(scalars.PERCENT_PATTERN),
]
Clock = Annotated[
    int,
    BeforeValidator(scalars.parse_clock),
    PlainSerializer(scalars.format_clock),
    _pattern(scalars.CLOCK_PATTERN),
]
