"""Capture files: mapped, not read, so that only what is looked at takes memory."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from probe.errors import ConfigError, ProtocolError
from probe.wire.capture import PCAPNG_MAGIC, Frames, read_pcap
from probe.wire.pcapng import read_pcapng


@dataclass(frozen=True, slots=True)
class Capture:
    """`data` are the bytes of the whole file, `frames` which of them are frames."""

    path: Path
    data: NDArray[np.uint8]
    frames: Frames


def open_capture(path: Path) -> Capture:
    """Every whole frame of a pcap or pcapng. Raises ConfigError for a file that has none."""
    data: NDArray[np.uint8] = np.memmap(path, np.uint8, "r")
    try:
        frames = read_pcapng(data) if data[:4].tobytes() == PCAPNG_MAGIC else read_pcap(data)
    except ProtocolError as error:
        raise ConfigError(f"{path} is a capture that {error}") from None
    if not len(frames):
        why = frames.damage or "it was cut off before the first one" if frames.cut_bytes else "it is empty"
        raise ConfigError(f"{path} is a capture without a whole frame: {why}")
    return Capture(path, data, frames)
