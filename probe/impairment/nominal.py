"""What the settings of a case promise, where there is a closed form."""

from __future__ import annotations

import numpy as np

from probe.impairment.advice import effective_ratio
from probe.impairment.conformance import Case
from probe.impairment.delay import table_delays
from probe.impairment.losses import Loss
from probe.impairment.profile import Impairment


def nominal(case: Case, name: str) -> float | None:
    """The value that a figure is set to; None where netem has no formula for it."""
    impairment = case.impairment
    if name == "loss %":
        return _loss(impairment)
    if impairment.loss is not None and impairment.duplicate is None:
        if name == "mean burst":
            return (
                None
                if isinstance(impairment.loss, Loss) and impairment.loss.correlation
                else (impairment.loss.mean_burst)
            )
        if (
            name == "loss autocorrelation"
            and isinstance(impairment.loss, Loss)
            and not impairment.loss.correlation
        ):
            p, r = impairment.loss.gilbert
            return 1 - p - r
        if name == "loss autocorrelation" and hasattr(impairment.loss, "autocorrelation"):
            return float(impairment.loss.autocorrelation)
    if name == "doubled %" and impairment.duplicate is not None:
        if _remembers(impairment):
            return None  # original and copy share their luck
        return 100 * impairment.duplicate.ratio * (1 - _model_loss(impairment)) ** 2
    if name == "overtook %" and impairment.reorder is not None:
        reorder = impairment.reorder
        if not reorder.correlation:
            return 100 * reorder.share
        return 100 * effective_ratio(reorder.ratio, reorder.correlation) if reorder.gap == 1 else None
    return _delay(impairment, name)


def _model_loss(impairment: Impairment) -> float:
    loss = impairment.loss
    if loss is None:
        return 0.0
    return effective_ratio(loss.ratio, loss.correlation) if isinstance(loss, Loss) else loss.ratio


def _remembers(impairment: Impairment) -> bool:
    """Whether a loss makes the next one likelier."""
    loss = impairment.loss
    return loss is not None and (not isinstance(loss, Loss) or loss.burst is not None or loss.correlation > 0)


def _loss(impairment: Impairment) -> float | None:
    if impairment.limit_packets is not None:
        return None
    lost = _model_loss(impairment)
    if impairment.duplicate is not None:
        lost *= 1 - impairment.duplicate.ratio  # both drawn is one packet
        if _remembers(impairment):
            return None
    return 100 * lost


def _delay(impairment: Impairment, name: str) -> float | None:
    """Of a delay line alone: nothing waits for anything else."""
    if impairment.ordered or impairment.distribution not in ("uniform", "normal", "pareto", "paretonormal"):
        return None
    if name == "delay autocorrelation":
        return 0.0
    mean, spread = impairment.delay_ns, impairment.jitter_ns
    if impairment.distribution == "uniform":
        values = mean - spread + (np.arange(100_000) + 0.5) * (2 * spread / 100_000)
    else:
        values = table_delays(mean, spread, impairment.distribution).astype(float)
    values = np.maximum(values, 0) / 1e6
    known = {
        "mean delay ms": values.mean(),
        "deviation ms": values.std(),
        "p25 ms": np.quantile(values, 0.25),
        "median ms": np.quantile(values, 0.5),
        "p99 ms": np.quantile(values, 0.99),
    }
    return float(known[name]) if name in known else None
