"""What netem makes of settings that look harmless."""

from __future__ import annotations

import pytest

from probe.impairment.advice import advice, effective_ratio, reordered_share
from probe.impairment.course import Step, Timeline
from probe.impairment.profile import Chance, Impairment, Loss, Reorder

MS = 1_000_000


@pytest.mark.parametrize(
    ("ratio", "correlation", "percent"),
    [  # simulated with 6e7 samples, and two of them measured in a kernel (1.79-1.81, 2.97)
        (0.01, 0.10, 0.0196),
        (0.10, 0.10, 5.55),
        (0.05, 0.25, 0.194),
        (0.10, 0.25, 1.75),
        (0.20, 0.25, 10.2),
        (0.10, 0.50, 0.108),
        (0.20, 0.50, 2.94),
        (0.50, 0.50, 50.0),
        (0.70, 0.50, 87.1),
        (0.20, 0.75, 0.115),
        (0.30, 0.75, 3.2),
    ],
)
def test_the_share_that_a_correlated_chance_really_hits(
    ratio: float, correlation: float, percent: float
) -> None:
    assert 100 * effective_ratio(ratio, correlation) == pytest.approx(percent, rel=0.03)


def test_without_correlation_it_is_the_ratio() -> None:
    assert effective_ratio(0.1, 0.0) == 0.1
    assert effective_ratio(1.0, 0.5) == 1.0
    assert effective_ratio(0.4, 1.0) == 0.0


def test_netems_jitter_reorders_a_voice_stream() -> None:
    assert reordered_share(Impairment(100 * MS, 20 * MS, ordered=False)) == pytest.approx(0.276, abs=0.02)
    assert reordered_share(Impairment(100 * MS, 20 * MS)) == 0


@pytest.mark.parametrize(
    ("impairment", "sentences"),
    [
        (Impairment(100 * MS, 20 * MS, loss=Loss(0.1, 3)), []),
        (
            Impairment(loss=Loss(0.1, correlation=0.25)),
            ["`loss 10% 25%` loses 1.8 %, not 10 %: use loss with ratio and burst"],
        ),
        (
            Impairment(duplicate=Chance(0.2, 0.5)),
            ["`duplicate 20% 50%` hits 2.9 % of the packets, not 20 %: leave the correlation out"],
        ),
        (
            Impairment(50 * MS, 5 * MS, delay_correlation=0.5),
            [
                (
                    "netem's correlation of delays has no effect, in the kernel or here: use jitter_correlation for "
                    "jitter that moves slowly"
                )
            ],
        ),
        (
            Impairment(5 * MS, reorder=Reorder(0.1)),
            [
                (
                    "a delay of 5 ms is shorter than the 20 ms between packets of a voice stream: nothing waits that "
                    "could be overtaken"
                )
            ],
        ),
        (
            Impairment(100 * MS, limit_packets=50),
            ["limit counts the packets in the delay too: 50 packets in 100 ms lose all above 500 packets/s"],
        ),
        (  # a kernel was measured with these: 40.1 % at once, a mean of 18.06 ms
            Impairment(10 * MS, 50 * MS, "uniform"),
            [
                (
                    "`delay 10ms 50ms` lets 40 % of the packets pass at once and delays by 18 ms on average: "
                    "give a delay of the size of the jitter"
                )
            ],
        ),
        (Impairment(50 * MS, 50 * MS, "uniform"), []),
        (Impairment(25 * MS, 50 * MS, "pareto"), []),
        (
            Impairment(rate_bps=1_000_000),
            [
                (
                    "nothing bounds the queue in front of 1 Mbit/s: a stream above that waits ever longer; "
                    "give a queue, such as 300ms"
                )
            ],
        ),
        (Impairment(rate_bps=1_000_000, queue_ns=0), []),
        (Impairment(rate_bps=1_000_000, limit_packets=20), []),
    ],
)
def test_sentences(impairment: Impairment, sentences: list[str]) -> None:
    assert list(advice(impairment)) == sentences
    inside = Impairment(timeline=Timeline((Step(MS, impairment),)))
    assert list(advice(inside)) == sentences


def test_reordering_jitter_is_told_with_its_share() -> None:
    (sentence,) = advice(Impairment(100 * MS, 20 * MS, ordered=False))
    assert sentence.startswith("jitter with `ordered: false` reorders 2")
    assert "50 packets/s" in sentence
