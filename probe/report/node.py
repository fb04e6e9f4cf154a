"""What a node says when it is ready."""

from __future__ import annotations

import json
import sys

from probe.records import Json


def print_ready(ready: Json, *, as_json: bool) -> None:
    """One line for a program, or what a person passes on to whoever writes the plan."""
    if as_json:
        print(json.dumps(ready), flush=True)
        return
    print(
        f"ready on {ready['host']}:{ready['port']} (UDP), fingerprint {ready['fingerprint']}, key from {ready['key_source']}",
        flush=True,
    )
    for note in ready["notes"]:
        print(note, file=sys.stderr, flush=True)
