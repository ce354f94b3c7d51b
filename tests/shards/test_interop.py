"""Shards in other hands: `datasets`, and an index written as shards and read again."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from tests.command import triglot
from tests.shards.small import jsonl, model, passages
from triglot.index.store import DiskIndex
from triglot.shards import DTYPES, Shards


@pytest.mark.peers
def test_datasets_reads_shards(tmp_path: Path) -> None:
    datasets = pytest.importorskip("datasets")
    datasets.disable_progress_bars()
    model(tmp_path / "model")
    jsonl(tmp_path / "p.jsonl", passages())
    for dtype in DTYPES:
        out = tmp_path / dtype
        words = ["--shard-rows", "7", "--dtype", dtype, "-q"]
        assert triglot("encode", tmp_path / "model", tmp_path / "p.jsonl", "--out", out, *words).code == 0
        block = next(Shards(out).blocks(size=100))
        for given in ({"path": "parquet", "data_files": f"{out}/*.parquet"}, {"path": str(out)}):
            found = datasets.load_dataset(**given, split="train", cache_dir=str(tmp_path / "cache"))
            assert len(found) == 20
            assert found["id"][:7] == block.ids
            vectors = np.array(found["embedding"][:7], np.float32)
            scale = np.array(found["embedding_scale"][:7])[:, None] if dtype == "int8" else 1
            np.testing.assert_allclose(vectors * scale, block.vectors, rtol=1e-6)


def test_an_index_as_shards_and_back(tmp_path: Path) -> None:
    model(tmp_path / "model")
    jsonl(tmp_path / "p.jsonl", [{**row, "score": row["year"] / 2} for row in passages()])
    words = ["--languages", "de,en", "-q"]
    assert triglot("index", tmp_path / "model", tmp_path / "p.jsonl", "--out", tmp_path / "index", *words).code == 0
    (tmp_path / "gone.txt").write_text("p3\np4\n")
    assert triglot("index", "--out", tmp_path / "index", "--delete", tmp_path / "gone.txt", "-q").code == 0
    done = triglot("export", tmp_path / "index", "--to", "parquet", "--out", tmp_path / "v", "-q")
    assert (done.code, "18 passages in fp32, 1 shards" in done.out) == (0, True), done.err
    done = triglot("index", tmp_path / "model", tmp_path / "v", "--out", tmp_path / "again", "-q")
    assert done.code == 0, done.err
    before, after = DiskIndex(tmp_path / "index"), DiskIndex(tmp_path / "again")
    ids = [row["id"] for row in passages() if row["id"] not in ("p3", "p4")]
    (old, vectors), (new, same) = before.get(ids), after.get(ids)
    assert (old.ids, old.texts, old.langs, old.groups) == (new.ids, new.texts, new.langs, new.groups)
    assert {name: list(column) for name, column in old.fields.items()} == {
        name: list(column) for name, column in new.fields.items()
    }
    np.testing.assert_array_equal(vectors, same)
    assert len(after) == 18
    half = triglot(
        "export", tmp_path / "index", "--to", "parquet", "--out", tmp_path / "h", "--precision", "fp16", "-q"
    )
    assert half.code == 0, half.err
    block = next(Shards(tmp_path / "h").blocks())
    np.testing.assert_allclose(block.vectors, before.get(block.ids)[1], atol=5e-4)


@pytest.mark.peers
@pytest.mark.slow
def test_shards_go_into_a_database_a_portion_at_a_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("milvus_lite", reason="no milvus-lite (extra milvus)")
    from triglot.commands import index as commands
    from triglot.index.places import open_index

    model(tmp_path / "model")
    jsonl(tmp_path / "p.jsonl", passages())
    words = ["--shard-rows", "4", "--languages", "de,en", "-q"]
    assert triglot("encode", tmp_path / "model", tmp_path / "p.jsonl", "--out", tmp_path / "v", *words).code == 0
    monkeypatch.setattr(commands, "_PORTION", 9)
    place = f"milvus+file:{tmp_path / 'all.db'}/help"
    done = triglot("index", tmp_path / "model", tmp_path / "v", "--out", place, "--json", "-q")
    assert done.code == 0, done.err
    assert triglot("index", tmp_path / "model", tmp_path / "v", "--out", tmp_path / "disk", "-q").code == 0
    ids = [row["id"] for row in passages()]
    (there, vectors), (here, same) = open_index(place).get(ids), DiskIndex(tmp_path / "disk").get(ids)
    order = [there.ids.index(one) for one in here.ids]
    assert sorted(there.ids) == sorted(ids)
    for name in ("texts", "langs", "groups"):
        assert [getattr(there, name)[row] for row in order] == list(getattr(here, name))
    np.testing.assert_allclose(vectors[order], same, atol=1e-6)
