"""Text from elsewhere (a node's refusal, a file's name) must not steer the terminal it is shown on."""

from __future__ import annotations


def printable(text: str) -> str:
    """`text` with control characters and the like replaced by `?`; line breaks stay."""
    return "".join(letter if letter.isprintable() or letter == "\n" else "?" for letter in text)
