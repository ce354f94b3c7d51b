"""Embeddings made elsewhere: .npy with ids, Parquet, and files that do not fit."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from triglot.corpus.formats import vectors
from triglot.files import InputError

ROWS = np.arange(12, dtype=np.float32).reshape(4, 3)


def npy(path, array=ROWS, ids=("a", "b", "c", "d")):
    np.save(path, array)
    if ids is not None:
        vectors.ids_file(path).write_text("".join(f"{one}\n" for one in ids))
    return path


def parquet(path, array=ROWS, ids=("a", "b", "c", "d"), kind=None):
    kind = kind or pa.list_(pa.float32())
    pq.write_table(pa.table({"id": pa.array(ids), "embedding": pa.array(list(array), kind)}), path, row_group_size=3)
    return path


@pytest.mark.parametrize("kind", [np.float16, np.float32, np.float64])
def test_rows_stand_in_the_order_of_the_ids_asked_for(tmp_path, kind):
    path = npy(tmp_path / "x.npy", ROWS.astype(kind))
    found, notes = vectors.read(path, ["c", "a"])
    assert (found.dtype, found.tolist()) == (np.float32, ROWS[[2, 0]].tolist())
    assert notes == ["x.npy: 2 embeddings of other ids are not used"]
    assert vectors.read(path, ["d", "c", "b", "a"])[1] == []


@pytest.mark.parametrize("kind", [pa.list_(pa.float32()), pa.large_list(pa.float64()), pa.list_(pa.float32(), 3)])
def test_parquet(tmp_path, kind):
    path = parquet(tmp_path / "x.parquet", kind=kind)
    assert vectors.read(path, ["b", "d"])[0].tolist() == ROWS[[1, 3]].tolist()
    blocks = list(vectors.blocks(path, size=3))
    assert [ids for ids, _ in blocks] == [["a", "b", "c"], ["d"]]
    assert np.concatenate([block for _, block in blocks]).tolist() == ROWS.tolist()


def test_blocks_of_an_array(tmp_path):
    assert [(ids, block.tolist()) for ids, block in vectors.blocks(npy(tmp_path / "x.npy"), size=3)] == [
        (["a", "b", "c"], ROWS[:3].tolist()),
        (["d"], ROWS[3:].tolist()),
    ]


def test_without_ids_the_number_of_rows_must_fit(tmp_path):
    path = npy(tmp_path / "x.npy", ids=None)
    found, notes = vectors.read(path, list("wxyz"))
    assert found.tolist() == ROWS.tolist()
    assert notes == ["x.npy has no ids: its rows were taken in the order of the benchmark"]
    with pytest.raises(InputError, match=r"x.npy: 4 rows, but 3 texts; write the id of each row into x.ids.txt"):
        vectors.read(path, list("xyz"))


@pytest.mark.parametrize(
    ("ids", "message"),
    [
        (["a", "b", "a", "d"], "the id 'a' stands in rows 1 and 3"),
        (["a", "b", "c"], "x.ids.txt: 3 ids, but x.npy has 4 rows"),
        (["a", "b", "c", "d", "e"], "x.ids.txt: 5 ids, but x.npy has 4 rows"),
        (["k", "l", "m", "n"], "no embedding for 2 of 2 ids, the first is 'a'; the file begins with 'k'"),
    ],
)
def test_ids_that_do_not_fit(tmp_path, ids, message):
    with pytest.raises(InputError, match=message):
        vectors.read(npy(tmp_path / "x.npy", ids=ids), ["a", "b"])


def test_files_that_are_no_embeddings(tmp_path):
    with pytest.raises(InputError, match=r"float32 of shape \(12,\); floats of shape"):
        vectors.read(npy(tmp_path / "flat.npy", ROWS.ravel()), ["a"])
    with pytest.raises(InputError, match="int64 of shape"):
        vectors.read(npy(tmp_path / "int.npy", ROWS.astype(int)), ["a"])
    with pytest.raises(InputError, match="no embedding in it"):
        vectors.read(npy(tmp_path / "none.npy", ROWS[:0]), ["a"])
    (tmp_path / "text.npy").write_text("no array")
    with pytest.raises(InputError, match=r"not a .npy array"):
        vectors.read(tmp_path / "text.npy", ["a"])
    np.save(tmp_path / "pickle.npy", np.array([{}], object), allow_pickle=True)
    with pytest.raises(InputError, match=r"not a .npy array"):
        vectors.read(tmp_path / "pickle.npy", ["a"])
    with pytest.raises(InputError, match="no such file"):
        vectors.read(tmp_path / "absent.npy", ["a"])
    with pytest.raises(InputError, match="no such file"):
        vectors.read(tmp_path / "absent.parquet", ["a"])
    (tmp_path / "text.parquet").write_text("no table")
    with pytest.raises(InputError, match="not a Parquet file"):
        vectors.read(tmp_path / "text.parquet", ["a"])
    pq.write_table(pa.table({"ids": ["a"], "embedding": [[1.0]]}), tmp_path / "ids.parquet")
    with pytest.raises(InputError, match="no column 'id'; did you mean 'ids'"):
        vectors.read(tmp_path / "ids.parquet", ["a"])
    pq.write_table(pa.table({"id": ["a"], "embedding": [1.0]}), tmp_path / "flat.parquet")
    with pytest.raises(InputError, match="'embedding' is double, not a list"):
        vectors.read(tmp_path / "flat.parquet", ["a"])
    pq.write_table(pa.table({"id": ["a", "b"], "embedding": [[1.0], [1.0, 2.0]]}), tmp_path / "ragged.parquet")
    with pytest.raises(InputError, match="embeddings have 1 to 2 dimensions"):
        vectors.read(tmp_path / "ragged.parquet", ["a"])
    pq.write_table(pa.table({"id": ["a", None], "embedding": [[1.0], [1.0]]}), tmp_path / "null.parquet")
    with pytest.raises(InputError, match="has no id or no embedding"):
        vectors.read(tmp_path / "null.parquet", ["a"])


def test_pairs_are_found_in_folders_and_by_name(tmp_path):
    for place in (tmp_path, tmp_path / "toy", tmp_path / "toy" / "sw"):
        place.mkdir(exist_ok=True)
        npy(place / "queries.npy")
        parquet(place / "passages.parquet")
    assert vectors.find_pair(str(tmp_path)) == (tmp_path / "queries.npy", tmp_path / "passages.parquet")
    assert vectors.find_pair(str(tmp_path), "toy")[0].parent.name == "toy"
    assert vectors.find_pair(str(tmp_path), "toy", "sw")[0].parent.name == "sw"
    assert vectors.find_pair(str(tmp_path), "other", "bn")[0].parent == tmp_path
    assert vectors.is_pair("a.npy,b.parquet")
    assert not vectors.is_pair("a.npy")
    assert not vectors.is_pair("owner/model,2")
    assert [path.name for path in vectors.find_pair("q.npy,p.npy")] == ["q.npy", "p.npy"]
    (tmp_path / "passages.parquet").unlink()
    with pytest.raises(
        InputError, match=r"no file of passages embeddings \(passages.npy with passages.ids.txt, or passages.parquet\)"
    ):
        vectors.find_pair(str(tmp_path))
    parquet(tmp_path / "queries.parquet")
    with pytest.raises(InputError, match="two files of queries embeddings"):
        vectors.find_pair(str(tmp_path))


@pytest.mark.parametrize(
    "odd", ["a\nb", "a\r", " a", "a\t", "\u2028", "a\x85b", '"a"', '"', "\ufeffa", "", "é", "a b", "[1]"]
)
def test_ids_are_read_as_they_were_written(tmp_path, odd):
    path, ids = tmp_path / "x.npy", [odd, "plain", '"quoted', "back\\slash"]
    np.save(path, ROWS)
    vectors.write_ids(path, ids)
    assert vectors.ids_file(path).read_bytes().count(b"\n") == 4
    found, notes = vectors.read(path, ids[::-1])
    assert (found.tolist(), notes) == (ROWS[::-1].tolist(), [])


def test_plain_ids_stand_as_they_are(tmp_path):
    vectors.write_ids(tmp_path / "x.npy", ["a#0", "http://x/é?a=1#2", "in side"])
    assert (tmp_path / "x.ids.txt").read_text() == "a#0\nhttp://x/é?a=1#2\nin side\n"


def test_numbers_that_are_none(tmp_path):
    with pytest.raises(InputError, match=r"x\.npy: embeddings of 0 dimensions"):
        vectors.read(npy(tmp_path / "x.npy", ROWS[:, :0]), ["a"])
    with pytest.raises(InputError, match="not a list of numbers"):
        vectors.read(parquet(tmp_path / "x.parquet", [["1.0"], ["x"]], ["a", "b"], pa.list_(pa.string())), ["a"])
    with pytest.raises(InputError, match="the column 'id' is double, not a string"):
        vectors.read(parquet(tmp_path / "x.parquet", ROWS, [1.0, 2.0, 3.0, 4.0]), ["a"])
    # No warning; whoever scores refuses it.
    assert np.isinf(vectors.read(npy(tmp_path / "x.npy", (ROWS + 1.0).astype(float) * 1e300), ["b"])[0]).all()


def test_a_damaged_array_is_an_error_that_names_it(tmp_path):
    path = npy(tmp_path / "x.npy", ids=None)
    whole = path.read_bytes()
    for place in range(len(whole)):
        path.write_bytes(whole[:place] + bytes([whole[place] ^ 0x5A]) + whole[place + 1 :])
        try:
            said = str(vectors.read(path, list("wxyz"))[1])
        except InputError as error:
            said = str(error)
        assert path.name in said
    np.savez(tmp_path / "y.npz", ROWS)
    path.write_bytes((tmp_path / "y.npz").read_bytes()[:-30])
    with pytest.raises(InputError, match=r"x\.npy: not a \.npy array"):
        vectors.read(path, ["a"])
