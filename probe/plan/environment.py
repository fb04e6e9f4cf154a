"""`${VAR}` in the scalars of a plan.

Filled in after parsing, so that a secret with quotes, colons or newlines cannot change the plan's structure.
The forms are those of Compose files: `${VAR}`, `${VAR:-default}`, `${VAR:?what to do}`, and `$$` for a `$`.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import NamedTuple

_REFERENCE = re.compile(r"\$(?:(\$)|\{([A-Za-z_][A-Za-z0-9_]*)(?::([-?])([^}]*))?\}|)")


class Substitution(NamedTuple):
    """A scalar with its variables filled in; `problem` is a sentence when that failed."""

    text: str
    variables: bool
    problem: str | None


class Offline(dict[str, str]):
    """The environment of a plan that is only judged by: what is not set (keys, as a rule) has a stand-in."""

    STAND_IN = "not-set"


def substitute(text: str, environ: Mapping[str, str]) -> Substitution:
    """Fill in `text` from `environ`; the first variable that is missing is the problem."""
    problems: list[str] = []
    used = False

    def fill(match: re.Match[str]) -> str:
        nonlocal used
        dollar, name, form, word = match.groups()
        if dollar:
            return "$"
        if name is None:
            problems.append("a lone $ is ambiguous: write ${VARIABLE}, or $$ for the sign itself")
            return ""
        value = environ.get(name)
        if form == "-" and not value:
            # The default stands in the file, so it is no secret.
            return str(word)
        used = True
        if not value and isinstance(environ, Offline):
            return Offline.STAND_IN
        if value is None or (form == "?" and not value):
            advice = word if form == "?" and word else f"export {name}=... before the run"
            problems.append(f"the environment variable {name} is not set: {advice}")
            return ""
        return value

    filled = _REFERENCE.sub(fill, text)
    return Substitution(filled, used, problems[0] if problems else None)
