from __future__ import annotations

from collections.abc import Iterator
from functools import cache

import pytest
import typer.main


@pytest.fixture(autouse=True, scope="package")
def one_command_tree() -> Iterator[None]:
    """A process has one command line; the tests have hundreds, and typer makes all commands anew for each."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(typer.main, "get_command", cache(typer.main.get_command))
        yield
