"""Quantities on a command line."""

from __future__ import annotations

from collections.abc import Callable

from probe.errors import ConfigError


def quantity_of(flag: str, text: str, parse: Callable[[object], int]) -> int:
    """What `parse` (plan.scalars) makes of a flag's text; ConfigError naming the flag where it is none."""
    try:
        return parse(text)
    except ValueError as error:
        raise ConfigError(f"{flag} {text}: {error}") from None
