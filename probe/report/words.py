"""Verdicts as a mark and a word: never told by colour alone."""

from __future__ import annotations

from dataclasses import dataclass

from rich.text import Text

from probe.analysis import results


@dataclass(frozen=True, slots=True)
class Word:
    """A mark, a word and the style of both."""

    mark: str
    word: str
    style: str

    def text(self) -> Text:
        return Text(f"{self.mark} {self.word}", style=self.style)


PASS = Word("✓", "pass", "green")
WARN = Word("!", "warn", "yellow")
FAIL = Word("✗", "fail", "bold red")
INCONCLUSIVE = Word("?", "inconclusive", "cyan")
NOT_MEASURED = Word("–", "not measured", "magenta")
INTERRUPTED = Word("!", "interrupted", "yellow")

_RUN = {
    results.PASS: PASS,
    results.FAIL: FAIL,
    results.INCONCLUSIVE: INCONCLUSIVE,
    results.NOT_MEASURED: NOT_MEASURED,
    results.RUN_INTERRUPTED: INTERRUPTED,
}
_PEAK = {
    results.DEGRADED: Word("✗", "degraded", "red"),
    results.NOT_DEGRADED: Word("✓", "not degraded", "green"),
    results.INCONCLUSIVE: Word("?", "not enough data", "cyan"),
}
_GRADES = {
    results.GRADE_GOOD: Word("✓", "good", "green"),
    results.GRADE_DEGRADED: Word("!", "degraded", "yellow"),
    results.GRADE_INVALID: Word("✗", "invalid", "bold red"),
}


def verdict_word(verdict: str) -> Word:
    """Of a run."""
    return _RUN.get(verdict) or _other(verdict)


def threshold_word(verdict: str, severity: str) -> Word:
    """Of one threshold: what fails without being a gate is a warning."""
    if verdict == results.FAIL and severity != "gate":
        return WARN
    return verdict_word(verdict)


def peak_word(verdict: str) -> Word:
    """Of a peak row."""
    return _PEAK.get(verdict) or _other(verdict)


def grade_word(grade: str) -> Word:
    """Of a measurement judged on itself."""
    return _GRADES.get(grade) or _other(grade)


def _other(name: str) -> Word:
    """A word that a newer version stored."""
    return Word("?", name.replace("_", " "), "")
