"""The door to Parquet files: what is right is read, and whatever is damaged is an error that names the file."""

from __future__ import annotations

import random

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from triglot import parquet
from triglot.files import InputError


@pytest.fixture
def path(tmp_path):
    table = pa.table(
        {
            "id": [f"d{i}" for i in range(50)],
            "lang": pa.array(["de", "en"] * 25).dictionary_encode(),
            "vector": pa.array(list(np.arange(200, dtype=np.float32).reshape(50, 4))),
        }
    )
    pq.write_table(table, tmp_path / "x.parquet", row_group_size=20, write_page_checksum=True)
    return tmp_path / "x.parquet"


def test_rows_and_tables_are_those_written(path):
    whole = parquet.read_table(path)
    assert whole.equals(pq.read_table(path))
    assert [row["id"] for _, row in parquet.rows(path, ["id", "absent"], size=7)] == whole["id"].to_pylist()
    assert [number for number, _ in parquet.rows(path, ["id"], size=7)] == list(range(1, 51))
    assert [len(batch) for batch in parquet.batches(path, ["vector"], size=30)] == [30, 20]
    pq.write_table(whole.slice(0, 0), path)
    assert parquet.read_table(path, ["lang", "none"]).column_names == ["lang"]


def test_a_column_that_is_needed_is_named(path):
    with pytest.raises(InputError, match=r"x\.parquet: no column 'ids'; did you mean 'id'"):
        next(parquet.batches(path, needed=["ids"]))
    with pytest.raises(InputError, match=r"y\.parquet: no such file; did you mean 'x\.parquet'"):
        next(parquet.batches(path.with_name("y.parquet")))
    with pytest.raises(InputError, match="not a file"):
        next(parquet.batches(path.parent))


def test_the_footer_alone_has_the_names(path):
    assert parquet.column_names(path) == ["id", "lang", "vector"]
    path.write_bytes(path.read_bytes()[:-3])
    with pytest.raises(InputError, match=r"x\.parquet: not a Parquet file of names, or a damaged one"):
        parquet.column_names(path, what=" of names")


def test_a_flipped_bit_in_a_page_with_a_checksum_is_found(path):
    data = bytearray(path.read_bytes())
    at = data.find(np.float32(150).tobytes())
    assert at > 0
    data[at + 1] ^= 1
    path.write_bytes(data)
    with pytest.raises(InputError, match=r"x\.parquet: not a Parquet file, or a damaged one"):
        parquet.read_table(path)


def test_texts_that_are_not_utf_8(path):
    broken = pa.Array.from_buffers(
        pa.string(), 1, [None, pa.py_buffer(np.array([0, 2], np.int32)), pa.py_buffer(b"\xff\xfe")]
    )
    pq.write_table(pa.table({"id": broken}), path)
    with pytest.raises(InputError, match="damaged one"):
        list(parquet.rows(path, ["id"]))


def test_damaged_files_are_errors_and_nothing_else(path):
    draw, whole = random.Random(0), path.read_bytes()
    refused = 0
    for _ in range(300):
        data = bytearray(whole)
        for _ in range(draw.choice([1, 2, 6])):
            data[draw.randrange(len(data))] = draw.choice([0, 127, 128, 255, draw.randrange(256)])
        if draw.random() < 0.3:
            del data[draw.randrange(len(data)) :]
        path.write_bytes(data)
        try:
            assert len(parquet.read_table(path)) == len(list(parquet.rows(path, ["id", "vector"]))) == 50
            said = str(path)
        except InputError as error:
            said = str(error)
            refused += 1
        assert str(path) in said
    assert refused > 200
