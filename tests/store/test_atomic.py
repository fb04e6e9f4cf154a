"""Whole files or none."""

from __future__ import annotations

from pathlib import Path

import pytest

from probe.errors import ExitStatus, NotMeasured, StoreError
from probe.store.atomic import publishing, write_atomically
from probe.store.documents import Unreadable, read_json, write_json


def test_a_file_is_replaced_and_its_folders_made(tmp_path: Path) -> None:
    path = tmp_path / "a" / "b" / "file.json"
    write_atomically(path, b"one")
    write_atomically(path, b"two")
    assert path.read_bytes() == b"two"
    assert list(path.parent.iterdir()) == [path]


def test_an_exception_leaves_what_was_there(tmp_path: Path) -> None:
    path = tmp_path / "file"
    write_atomically(path, b"one")

    def interrupted() -> None:
        with publishing(path) as temporary:
            temporary.write_bytes(b"half")
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    assert path.read_bytes() == b"one"
    assert list(tmp_path.iterdir()) == [path]


def test_a_file_where_a_folder_should_be_is_a_sentence(tmp_path: Path) -> None:
    (tmp_path / "results").write_bytes(b"")
    with pytest.raises(StoreError, match=r"cannot write .*x\.json: a part of the path is a file") as told:
        write_atomically(tmp_path / "results" / "runs" / "x.json", b"")
    assert isinstance(told.value, NotMeasured)
    assert told.value.exit_status is ExitStatus.NOT_MEASURED
    assert "--results" in told.value.hint


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_json_has_no_nan(tmp_path: Path, value: float) -> None:
    with pytest.raises(ValueError, match="JSON"):
        write_json(tmp_path / "summary.json", {"rtt_ms": value})
    assert list(tmp_path.iterdir()) == []


def test_json_comes_back(tmp_path: Path) -> None:
    document = {"title": {"zh": "印度尼西亚"}, "path": "caf\udce9", "null": None}
    write_json(tmp_path / "x.json", document)
    assert read_json(tmp_path / "x.json") == {"schema_version": 1, **document}
    assert "印度尼西亚" in (tmp_path / "x.json").read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "torn or not JSON"),
        (b'{"schema_version": 1', "torn or not JSON"),
        (b"\xff\xfe", "torn or not JSON"),
        (b"[" * 100_000, "torn or not JSON"),
        (b"[1]", "no JSON object"),
        (b"{}", "no schema_version"),
        (b'{"schema_version": 2}', "newer probe"),
    ],
)
def test_a_bad_document_is_named(tmp_path: Path, content: bytes, words: str) -> None:
    path = tmp_path / "x.json"
    path.write_bytes(content)
    with pytest.raises(Unreadable, match=words) as told:
        read_json(path)
    assert str(path) in str(told.value)
