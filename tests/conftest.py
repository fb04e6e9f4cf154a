"""For all tests: a busy machine is no failure, so no example has a deadline and none is too slow to draw."""

from __future__ import annotations

import gc

from hypothesis import HealthCheck, settings

settings.register_profile("any-speed", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("any-speed")


def pytest_collection_finish() -> None:
    """The tests live to the end: the garbage collector need not look through them again and again."""
    gc.collect()
    gc.freeze()
