"""The drawing of docs/architecture.md: imports point down, and each heavy dependency has one home."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parent.parent / "probe"

LAYERS = (
    {"errors", "metrics", "records", "objectives"},
    {"wire"},
    {"methods"},
    {"impairment"},
    {"net", "plan", "store", "analysis"},
    {"session"},
    {"report"},
    {"cli"},
    {"__main__"},
)
RANK = {name: rank for rank, names in enumerate(LAYERS) for name in names}

PURE = LAYERS[0] | {"wire", "methods", "impairment"}
IMPURE_MODULES = {"socket", "asyncio", "time", "yaml", "rich", "typer", "pathlib", "os", "duckdb", "pydantic"}

HOMES = {
    "yaml": {"plan"},
    "pydantic": {"plan"},
    "duckdb": {"store"},
    "typer": {"cli"},
    "rich": {"report", "cli"},
    "scapy": {"report"},
    "aioquic": {"methods"},
}
MAY_NAME_A_VERSION = {("session", "aioquic"), ("session", "duckdb")}


def imports(path: Path) -> set[str]:
    found = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            found |= {f"{node.module}.{alias.name}" for alias in node.names}
    return found


def layer(path: Path) -> str:
    return path.relative_to(PACKAGE).parts[0].removesuffix(".py")


FILES = sorted(path for path in PACKAGE.rglob("*.py") if path != PACKAGE / "__init__.py")


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_imports_point_down_and_dependencies_stay_home(path: Path) -> None:
    here = layer(path)
    for name in imports(path):
        parts = name.split(".")
        if parts[0] == "probe":
            if len(parts) > 2 or parts[1] in RANK:
                assert RANK[parts[1]] <= RANK[here], f"{here} imports {name} from above"
                same_row = RANK[parts[1]] == RANK[here] and here not in LAYERS[0]
                assert not same_row or parts[1] == here, f"{here} imports its neighbour {name}"
            continue
        if here in PURE:
            assert parts[0] not in IMPURE_MODULES, f"{here} imports {name}"
        assert not name.startswith("aioquic.asyncio")
        assert name != "scapy.all"
        if parts[0] in HOMES and (here, parts[0]) not in MAY_NAME_A_VERSION:
            assert here in HOMES[parts[0]], f"{name} is at home in {HOMES[parts[0]]}, not in {here}"


def test_every_module_has_its_place_in_the_drawing() -> None:
    assert {layer(path) for path in FILES} <= set(RANK)
