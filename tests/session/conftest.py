from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.nodes import VARIABLES, NodeProcess, node_process


@pytest.fixture(autouse=True)
def variables(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in VARIABLES.items():
        monkeypatch.setenv(name, value)


@pytest.fixture(scope="package")
def node() -> Iterator[NodeProcess]:
    """A node for all tests that do it no harm."""
    with node_process() as running:
        yield running
