"""Call scores as vendors compute them: to be comparable with their dashboards, never to gate on.

Formulas as in their sources, each named. Round trip and jitter are ms, loss is in per cent.
`e_model.mos` turns R into a MOS, clamped at 1, which some of these programs forget.
"""

from __future__ import annotations

import math

LIVEKIT_OPUS_WEIGHT = 8.0
LIVEKIT_FLOOR, LIVEKIT_CLEAN = 30.0, 100.0


def _delay_effect(delay: float) -> float:
    """The 160/40 rule that three of them share."""
    return delay / 40 if delay < 160 else (delay - 120) / 10


def baresip_r(rtt: float, jitter: float, loss: float) -> float:
    """R of baresip's `mos_calculate`."""
    return 93.2 - _delay_effect(rtt + 2 * jitter + 10) - 2.5 * loss


def twilio_r(rtt: float, jitter: float, loss: float) -> float:
    """R of Twilio's voice SDK: from an effective latency of 1 s on 6.52, where its MOS is 1, or 0."""
    delay = rtt + 2 * jitter + 10
    r = 94.768 - _delay_effect(delay) if delay < 1000 else 0.0
    return max(r - 2.5 * loss, 6.52) if loss <= r / 2.5 else 0.0


def opentok_r(loss: float) -> float:
    """R of OpenTok's network test for audio, which takes the delay to be 150 ms + 30 ms."""
    return 93.2 - 0.024 * 180 - 0.11 * 2.7 - 19.8 * math.log(1 + 29.7 * loss / 100)


def livekit_score(rtt: float, jitter: float, loss: float, weight: float = LIVEKIT_OPUS_WEIGHT) -> float:
    """LiveKit's score of one window, 0 to 100, before smoothing."""
    return max(0.0, LIVEKIT_CLEAN - _delay_effect(rtt / 2 + 2 * jitter) - weight * loss)


def livekit_smoothed(before: float, score: float) -> float:
    """LiveKit's running score: it falls fast (0.8), rises slowly (0.4), and not below 30."""
    factor = 0.8 if score < before else 0.4
    return max(LIVEKIT_FLOOR, before + factor * (score - before))
