"""Tables of packets by others: what is read, and the sentence for what cannot be."""

from __future__ import annotations

from pathlib import Path

import duckdb
import numpy as np
import pytest

from probe.errors import ConfigError
from probe.metrics import NEVER
from probe.store.table import read_csv, read_parquet

HEADER = "seq,sent_ns,received_ns\n"


def csv(folder: Path, text: str) -> Path:
    path = folder / "trace.csv"
    path.write_text(text)
    return path


def test_rows_keep_their_order_and_an_empty_time_is_never(tmp_path: Path) -> None:
    table = read_csv(csv(tmp_path, HEADER + "5,1700000000000000001,1700000000050000003\n3,20,\n4,,40\n"))
    assert table.seq.tolist() == [5, 3, 4]
    assert table.sent_ns.tolist() == [1700000000000000001, 20, NEVER]
    assert table.received_ns.tolist() == [1700000000050000003, NEVER, 40]


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("received_ns,note,seq,sent_ns\n7,x,1,2\n", id="columns in another order, and one more"),
        pytest.param("\ufeffseq,sent_ns,received_ns\n1,2,7\n", id="a byte order mark"),
        pytest.param('"seq","sent_ns","received_ns"\n1,2,7\n', id="quotes"),
        pytest.param("seq,sent_ns,received_ns\r\n1,2,7\r\n", id="lines of Windows"),
        pytest.param("seq, sent_ns, received_ns\n1,2,7", id="spaces, no end of line"),
    ],
)
def test_headers_as_people_write_them(tmp_path: Path, text: str) -> None:
    table = read_csv(csv(tmp_path, text))
    assert [column.tolist() for column in table] == [[1], [2], [7]]


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("seq,sent_ns\n1,2\n", r"trace.csv:1: there is no column received_ns; the header is 'seq,sent_ns'"),
        ("1,2,3\n4,5,6\n", r"trace.csv:1: there is no column seq; the header is '1,2,3'"),
        ("seq,sent_ns,received_ns,seq\n", r"trace.csv:1: a column is there twice"),
        (HEADER, r"trace.csv: a header and no packet"),
        (HEADER + "1,2,3\n2,x,4\n", r"trace.csv:3: '2,x,4' is no row of whole numbers"),
        (HEADER + "1,2,3\n2,3.5,4\n", r"trace.csv:3: '2,3.5,4' is no row of whole numbers"),
        (HEADER + "1,2\n", r"trace.csv:2: '1,2' has 2 values"),
        (HEADER + "1,2,3,4\n", r"trace.csv:2: '1,2,3,4' has 4 values"),
        (HEADER + "1,2,3\n,5,6\n", r"trace.csv:3: seq is empty"),
        (HEADER + "1,2,3\n1,9223372036854775807,5\n", r"trace.csv:3: sent_ns is 9223372036854775807, which"),
        (
            HEADER + "1,2,99999999999999999999\n",
            r"trace.csv:2: '1,2,99999999999999999999' is no row of whole",
        ),
    ],
)
def test_a_bad_table_is_told_with_its_line(tmp_path: Path, text: str, sentence: str) -> None:
    with pytest.raises(ConfigError, match=sentence):
        read_csv(csv(tmp_path, text))


def parquet(path: Path, query: str) -> Path:
    duckdb.connect().execute(f"COPY ({query}) TO '{path}' (FORMAT parquet)")
    return path


def test_parquet_of_any_whole_numbers(tmp_path: Path) -> None:
    query = "SELECT * FROM (VALUES (1::USMALLINT, 10::BIGINT, 30::UBIGINT, 'x'), (2, 11, NULL, 'y')) t(seq, sent_ns, received_ns, note)"
    table = read_parquet(parquet(tmp_path / "trace.parquet", query))
    assert table.seq.tolist() == [1, 2]
    assert table.received_ns.tolist() == [30, NEVER]
    assert table.seq.dtype == np.int64


@pytest.mark.parametrize(
    ("query", "sentence"),
    [
        ("SELECT 1 AS seq, 2 AS sent_ns", "there is no column received_ns"),
        (
            "SELECT 1 AS seq, 2.5::DOUBLE AS sent_ns, 3 AS received_ns",
            "sent_ns holds DOUBLE, not whole numbers",
        ),
        ("SELECT 1 AS seq, 2 AS sent_ns, 3 AS received_ns WHERE false", "no packet"),
        ("SELECT NULL::INTEGER AS seq, 2 AS sent_ns, 3 AS received_ns", "row 1: seq is empty"),
    ],
)
def test_a_bad_parquet_is_told(tmp_path: Path, query: str, sentence: str) -> None:
    with pytest.raises(ConfigError, match=sentence):
        read_parquet(parquet(tmp_path / "trace.parquet", query))


def test_a_damaged_parquet_is_told(tmp_path: Path) -> None:
    path = parquet(tmp_path / "trace.parquet", "SELECT 1 AS seq, 2 AS sent_ns, 3 AS received_ns")
    path.write_bytes(path.read_bytes()[:-20])
    with pytest.raises(ConfigError, match="is no Parquet file that can be read"):
        read_parquet(path)
