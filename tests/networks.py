"""Whether this system gives processes networks of their own, for tests that need them."""

from __future__ import annotations

import os
import subprocess
import sys
from functools import cache

import pytest


@cache
def _why_not() -> str | None:
    code = "from probe.net.netns import leave_host, Namespace; leave_host(); Namespace()"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    return done.stderr.strip().splitlines()[-1] if done.returncode else None


@pytest.fixture
def own_networks() -> None:
    """Skips, with the reason, where there are none to be had; never where the project's gate runs."""
    if (why := _why_not()) is not None:
        assert os.environ.get("CI") != "true", why
        pytest.skip(why)
