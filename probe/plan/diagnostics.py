"""What is wrong with a plan, and where: `file:line:column`, the line itself and a caret."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from difflib import get_close_matches

from probe.errors import ConfigError

# A shared key written into the plan is an error, and must not travel into a CI log with it.
_LITERAL_KEY = re.compile(r"""(\bkey\s*:\s*)(?:"[^"]*"?|'[^']*'?|\$\{[^}]*\}|[^\s,}\]]+)""")
_VARIABLE = re.compile(r"""["']?\$\{[A-Za-z_][A-Za-z0-9_]*(?::\?[^}]*)?\}["']?""")


@dataclass(frozen=True, slots=True, order=True)
class Mark:
    """A place in a file; lines and columns count from 1, as editors do."""

    file: str
    line: int
    column: int
    source: str = ""


@dataclass(frozen=True, slots=True, order=True)
class Diagnostic:
    """One sentence about one place in a plan."""

    mark: Mark
    message: str

    def render(self) -> str:
        """Three lines: the place and the sentence, the source line, a caret under the place."""
        head = f"{self.mark.file}:{self.mark.line}:{self.mark.column}: {self.message}"
        if not self.mark.source.strip():
            return head
        caret = len(_masked(self.mark.source[: self.mark.column - 1]))
        return f"{head}\n{self.mark.line:6} | {_masked(self.mark.source)}\n       | {' ' * caret}^"

    def to_json(self) -> dict[str, str | int]:
        return {
            "file": self.mark.file,
            "line": self.mark.line,
            "column": self.mark.column,
            "message": self.message,
        }


class PlanError(ConfigError):
    """Everything that is wrong with one plan, all at once, in the order of the file."""

    def __init__(self, diagnostics: Iterable[Diagnostic]) -> None:
        self.diagnostics = ordered(diagnostics)
        super().__init__("\n".join(item.render() for item in self.diagnostics))


def ordered(diagnostics: Iterable[Diagnostic]) -> tuple[Diagnostic, ...]:
    """In the order of the file, each once."""
    return tuple(sorted(set(diagnostics)))


def did_you_mean(word: str, known: Iterable[str], *, otherwise: str = "known") -> str:
    """`, did you mean 'nodes'?`; without a near name the list of names, if it is short."""
    names = list(known)
    near = nearest(word, names)
    if near:
        return f", did you mean '{near}'?"
    if 0 < len(names) <= 12:
        return f" ({otherwise}: {', '.join(names)})"
    return ""


def nearest(word: str, known: Sequence[str]) -> str | None:
    """The known name that `word` is most likely a slip of."""
    folded = {name.casefold(): name for name in reversed(known)}
    close = get_close_matches(word.casefold(), folded, n=1, cutoff=0.6)
    return folded[close[0]] if close else None


def _masked(line: str) -> str:
    def hide(match: re.Match[str]) -> str:
        value = match[0][len(match[1]) :]
        return match[0] if _VARIABLE.fullmatch(value) or value == "${" else match[1] + "***"

    return _LITERAL_KEY.sub(hide, line)
