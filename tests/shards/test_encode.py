"""Shards: what is in them, what is refused, and how a killed or stopped run goes on."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.command import triglot
from tests.killing import Server
from tests.shards.small import held, jsonl, model, passages
from triglot.corpus.formats.records import read_records
from triglot.encoder import load_encoder
from triglot.encoder.languages import detect_with_confidence
from triglot.files import InputError
from triglot.index.places import open_index
from triglot.shards import Shards, ShardSettings, encode_shards
from triglot.shards.format import rounded
from triglot.shards.seen import Seen, digests


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("shards")
    model(folder / "model")
    model(folder / "second", seed=2)
    jsonl(folder / "passages.jsonl", passages())
    return folder


def table(folder: Path) -> dict[str, list]:
    return pq.read_table([str(file) for file in sorted(folder.glob("*.parquet"))]).to_pydict()


def test_what_is_in_shards(root: Path, tmp_path: Path) -> None:
    source, encoder = root / "passages.jsonl", load_encoder(root / "model")
    for dtype, near in {"fp32": 0.0, "fp16": 5e-4, "int8": 5e-3}.items():
        settings = ShardSettings(dtype=dtype, rows=7, languages=("de", "en"))
        shards = encode_shards(encoder, str(source), tmp_path / dtype, settings)
        assert [file.name for file in shards.files] == [f"part-00000{number}.parquet" for number in range(3)]
        blocks = list(shards.blocks(size=5))
        vectors = np.concatenate([block.vectors for block in blocks])
        records = read_records(source)
        np.testing.assert_allclose(vectors, encoder.encode(records.texts, side="passage"), atol=near)
        made = table(tmp_path / dtype)
        assert made["id"] == records.ids == [one for block in blocks for one in block.ids]
        assert made["text"] == records.texts
        assert made["group"] == records.groups
        assert made["year"] == records.fields["year"]
        told, confidences = detect_with_confidence(records.texts, ["de", "en"])
        for row, given_lang in enumerate(records.langs):
            assert made["lang"][row] == (given_lang or told[row])
            assert made["lang_confidence"][row] == (None if given_lang else pytest.approx(confidences[row]))
        assert shards.manifest["told"] == sum(not lang for lang in records.langs) == 7
        assert sum(shards.manifest["languages"].values()) == shards.manifest["rows"] == 20
    assert {file.name for file in tmp_path.iterdir()} == {"fp32", "fp16", "int8"}


@given(st.lists(st.lists(st.floats(-1e4, 1e4, width=32), min_size=4, max_size=4), min_size=1, max_size=5))
def test_numbers_of_int8_are_near(rows: list[list[float]]) -> None:
    vectors = np.array(rows, np.float32)
    numbers, scale = rounded(vectors, "int8")
    assert scale is not None
    assert np.abs(numbers.astype(int)).max(initial=0) <= 127
    # Half a step, and what float32 rounds.
    step = np.abs(vectors).max(axis=1, keepdims=True) / 127
    assert (np.abs(numbers * scale[:, None] - vectors) <= step * 0.5001 + 1e-30).all()


@given(st.lists(st.lists(st.integers(0, 30), max_size=12), max_size=12))
def test_ids_that_were_seen(batches: list[list[int]]) -> None:
    seen, known = Seen(), set()
    for batch in batches:
        expected = []
        for one in batch:
            expected.append(one in known)
            known.add(one)
        assert seen.add(digests([str(one) for one in batch])).tolist() == expected


def test_an_index_takes_shards_as_they_are(root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    words = ["--languages", "de,en", "-q"]
    assert triglot("encode", root / "model", root / "passages.jsonl", "--out", tmp_path / "v", *words).code == 0
    assert triglot("index", root / "model", root / "passages.jsonl", "--out", tmp_path / "plain", *words).code == 0
    encoded: list[str] = []
    kind = type(load_encoder(root / "model"))
    plain = kind.encode
    monkeypatch.setattr(kind, "encode", lambda self, texts, **more: encoded.extend(texts) or plain(self, texts, **more))
    done = triglot("index", root / "model", tmp_path / "v", "--out", tmp_path / "index", "-q")
    assert done.code == 0, done.err
    assert not any(row["text"] in encoded for row in passages())
    monkeypatch.undo()
    question = ["river mountain", "--json", "-k", "20", "--language", "en", "-q", "--filter", "year>=2005"]
    answers = [triglot("search", tmp_path / name, *question).out for name in ("plain", "index")]
    assert answers[0] == answers[1]
    assert answers[0].count('"id"') >= 10


def test_numbers_take_the_room_of_their_type(tmp_path: Path) -> None:
    from triglot.shards.format import write

    vectors = np.random.default_rng(1).standard_normal((3000, 64)).astype(np.float32)
    columns = [["a"] * 3000, ["b"] * 3000, ["de"] * 3000, [None] * 3000, [""] * 3000]
    for dtype, bytes_each in {"fp32": 4, "fp16": 2, "int8": 1}.items():
        write(tmp_path / dtype, columns, vectors, fields={}, dtype=dtype, about={})
        size = (tmp_path / dtype).stat().st_size
        assert vectors.size * bytes_each < size < vectors.size * bytes_each * 1.05 + 20_000


def test_shards_come_in_portions(root: Path, tmp_path: Path) -> None:
    """What is in memory at once is bounded; nothing is lost or comes twice."""
    from triglot.commands.index import portions

    encoder = load_encoder(root / "model")
    encode_shards(encoder, str(root / "passages.jsonl"), tmp_path / "v", ShardSettings(rows=3))
    (whole,) = portions(str(tmp_path / "v"), encoder, ())
    parts = list(portions(str(tmp_path / "v"), encoder, (), most=7))
    assert [len(documents) for documents, _ in parts] == [6, 6, 6, 2]
    assert [one for documents, _ in parts for one in documents.ids] == whole[0].ids
    assert [one for documents, _ in parts for one in documents.fields["year"]] == whole[0].fields["year"]
    np.testing.assert_array_equal(np.concatenate([vectors for _, vectors in parts]), whole[1])


def test_shards_that_an_index_does_not_take(root: Path, tmp_path: Path) -> None:
    def code(*words: object) -> str:
        done = triglot("index", *words, "--out", tmp_path / "index", "-q")
        assert done.code == 2
        return done.err

    assert triglot("encode", root / "model", root / "passages.jsonl", "--out", tmp_path / "v", "-q").code == 0
    assert "is not the model that" in code(root / "second", tmp_path / "v")
    assert "--languages: the languages of" in code(root / "model", tmp_path / "v", "--languages", "de")
    words = ("--side", "query", "-q")
    assert triglot("encode", root / "model", root / "passages.jsonl", "--out", tmp_path / "q", *words).code == 0
    assert "an index takes passages" in code(root / "model", tmp_path / "q")
    file = tmp_path / "v" / "part-000000.parquet"
    data = bytearray(file.read_bytes())
    data[len(data) // 2] ^= 1
    file.write_bytes(data)
    assert "damaged or changed" in code(root / "model", tmp_path / "v")
    manifest = tmp_path / "v" / "vectors.json"
    manifest.write_text(manifest.read_text().replace("part-000000", "../../../etc"))
    assert "damaged or changed" in code(root / "model", tmp_path / "v")


def test_a_step_for_each_language(root: Path, tmp_path: Path) -> None:
    pairs = [
        {"query": f"{text} ?", "positive": text, "lang": code, "query_group": f"q{n}", "passage_group": f"p{n}"}
        for n in range(60)
        for code, text in (("de", f"Fluss Berg {n}"), ("en", f"river mountain {n}"))
    ]
    jsonl(tmp_path / "pairs.jsonl", pairs)
    words = ("--method", "centre", "--strength", "1", "-q")
    done = triglot("debias", root / "model", tmp_path / "pairs.jsonl", "--out", tmp_path / "model", *words)
    assert done.code == 0, done.err
    encoder = load_encoder(tmp_path / "model")
    texts = read_records(root / "passages.jsonl").texts
    source = str(root / "passages.jsonl")
    plain = encode_shards(encoder, source, tmp_path / "plain", ShardSettings(languages=("de", "en")))
    bare = encode_shards(encoder, source, tmp_path / "bare", ShardSettings(languages=("de", "en"), debiased=True))
    vectors = [np.concatenate([block.vectors for block in shards.blocks()]) for shards in (plain, bare)]
    np.testing.assert_array_equal(vectors[0], encoder.inner.encode(texts, side="passage"))
    langs = table(tmp_path / "bare")["lang"]
    np.testing.assert_allclose(vectors[1], encoder.encode(texts, side="passage", langs=langs), atol=1e-6)
    assert np.abs(vectors[0] - vectors[1]).max() > 0.01
    done = triglot("index", tmp_path / "model", tmp_path / "bare", "--out", tmp_path / "index", "-q")
    assert (done.code, "encode without --debiased" in done.err) == (2, True)
    done = triglot("encode", root / "model", source, "--out", tmp_path / "x", "--debiased", "-q")
    assert (done.code, "has no step for each language" in done.err) == (2, True)


# --- going on


def encode(root: Path, out: Path, *more: object, source: str = "passages.jsonl") -> list[object]:
    return ["encode", root / "model", root / source, "--out", out, "--shard-rows", "6", "-q", *more]


def test_killed_anywhere_it_goes_on_to_the_same_bytes(server: Server, root: Path, tmp_path: Path) -> None:
    done = server.run(encode(root, tmp_path / "whole"), under=[tmp_path / "whole"])
    assert done.code == 0, done.output
    whole, events = held(tmp_path / "whole"), len(done.events)
    assert len(whole) == 5
    # Staged, planned, in the middle of shards, described; every one with TRIGLOT_KILLS=all.
    points = sorted({events * part // 5 for part in range(1, 5)} | {events - 2})
    for number in range(1, events + 1) if os.environ.get("TRIGLOT_KILLS") == "all" else points:
        out = tmp_path / f"killed-{number}"
        server.run(encode(root, out), under=[out], kill_at=number)
        before = {name: data for name, data in held(out).items() if name.startswith("part-")}
        assert all(whole[name] == data for name, data in before.items())
        done = server.run(encode(root, out), under=[out])
        assert done.code == 0, done.output
        assert held(out) == whole
        # Shards that are there are not made again, but for one whose note was not written yet.
        made = {
            event.rpartition("/")[2] for event in done.events if event.startswith("os.rename") and "/part-" in event
        }
        assert len(made) <= 4 - max(len(before) - 1, 0)
        assert [path.name for path in tmp_path.iterdir() if path.name.startswith(".")] == []


def test_killed_with_force_the_older_shards_are_there_until_the_new_texts_are(
    server: Server, root: Path, tmp_path: Path
) -> None:
    more = ["--dtype", "int8", "--shard-rows", "10"]
    for words in (encode(root, tmp_path / "old"), encode(root, tmp_path / "new", *more)):
        assert server.run(words).code == 0
    old, new = held(tmp_path / "old"), held(tmp_path / "new")
    out = tmp_path / "v"

    def forced(kill_at: int = 0) -> list[str]:
        shutil.rmtree(out, ignore_errors=True)
        shutil.copytree(tmp_path / "old", out)
        return server.run(encode(root, out, *more, "--force"), under=[out], kill_at=kill_at).events

    events = forced()
    assert held(out) == new
    gone = 1 + next(number for number, event in enumerate(events) if event == f"os.remove {out / 'vectors.json'}")
    points = {2, gone // 2, gone, gone + 1, gone + 4, gone + 8, len(events) - 2}
    for number in range(1, len(events) + 1) if os.environ.get("TRIGLOT_KILLS") == "all" else sorted(points):
        forced(number)
        if number <= gone:
            assert old.items() <= held(out).items()
            assert len(Shards(out)) == 20
        done = server.run(encode(root, out, *more, *(["--force"] if number <= gone else [])))
        assert done.code == 0, done.output
        assert held(out) == new


@pytest.mark.parametrize("whole", [True, False], ids=["whole", "stopped"])
def test_force_removes_nothing_before_it_can_begin_anew(
    root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, whole: bool
) -> None:
    from triglot.shards import work

    def stopped(self, number, texts):
        raise KeyboardInterrupt

    out, twice = tmp_path / "v", jsonl(tmp_path / "twice.jsonl", [*passages(), passages()[0]])
    if not whole:
        monkeypatch.setattr(work.Worker, "write", stopped)
    assert triglot(*encode(root, out)).code == (0 if whole else 130)
    before = held(out)
    for words, message in (
        (encode(root, out, source="pasages.jsonl"), "pasages.jsonl"),
        (encode(root, out, source=str(twice)), "the id 'p0' occurred before"),
        (encode(root, out, "--columns", "text=txt"), "txt"),
        (encode(root, out, "--workers", "2"), "goes with a cluster"),
    ):
        done = triglot(*words, "--force")
        assert (done.code, message in done.err) == (2, True), done.err
        assert held(out) == before
    monkeypatch.undo()
    assert triglot(*encode(root, out)).code == 0
    assert len(Shards(out)) == 20


def test_shards_that_are_there_are_not_made_again(root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from triglot.shards import work

    plain, made = work.Worker.write, []

    def stop(self, number, texts):
        if number == 2 and len(made) == 2:
            raise KeyboardInterrupt
        made.append(number)
        return plain(self, number, texts)

    monkeypatch.setattr(work.Worker, "write", stop)
    done = triglot(*encode(root, tmp_path / "v"))
    assert (done.code, "2 of 4 shards are there; the same command goes on" in done.err) == (130, True), done.err
    times = {file.name: file.stat().st_mtime_ns for file in (tmp_path / "v").glob("part-*")}
    done = triglot("index", root / "model", tmp_path / "v", "--out", tmp_path / "index", "-q")
    assert (done.code, "not all of its shards are there" in done.err) == (2, True)
    made.append(-1)
    assert triglot(*encode(root, tmp_path / "v")).code == 0
    assert made == [0, 1, -1, 2, 3]
    assert {name: (tmp_path / "v" / name).stat().st_mtime_ns for name in times} == times
    assert triglot(*encode(root, tmp_path / "v")).code == 0
    assert len(made) == 5


def test_what_is_gone_on_with_is_the_same_work(root: Path, tmp_path: Path) -> None:
    source = jsonl(tmp_path / "p.jsonl", passages())
    out = tmp_path / "v"
    first = ["encode", root / "model", source, "--out", out, "-q"]
    assert triglot(*first).code == 0
    before = held(out)

    def refused(*words: object) -> str:
        done = triglot(*words)
        assert done.code == 2, done.out
        assert held(out) == before
        return done.err

    assert "dtype 'fp32', and not 'int8'; --force begins anew" in refused(*first, "--dtype", "int8")
    assert "rows 16384, and not 5" in refused(*first, "--shard-rows", "5")
    second = refused("encode", root / "second", source, "--out", out, "-q")
    assert f"the model {root / 'model'}, and not {root / 'second'}" in second
    os.utime(source)
    assert triglot(*first).code == 0
    jsonl(source, passages(21))
    assert f"{source} has changed since" in refused(*first)
    done = triglot(*first, "--dtype", "fp16", "--force")
    assert done.code == 0, done.err
    assert len(Shards(out)) == 21
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "mine.txt").write_text("x")
    done = triglot("encode", root / "model", source, "--out", tmp_path / "other", "--force", "-q")
    assert (done.code, "holds mine.txt, which `triglot encode` did not write" in done.err) == (2, True)
    done = triglot("encode", root / "model", tmp_path / "other" / "mine.txt", "--out", tmp_path / "other", "-q")
    assert done.code == 2
    assert held(tmp_path / "other") == {"mine.txt": b"x"}


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        ([{"id": "a", "text": "x"}, {"id": "b", "text": " "}], ":2: an empty text"),
        (
            [{"id": "a", "text": "x"}, {"id": "b", "text": "y"}, {"id": "a", "text": "z"}],
            ":3: the id 'a' occurred before",
        ),
        ([{"id": "a", "text": "x", "lang": "de"}, {"id": "a", "text": "z", "lang": "de"}], ":2: the id 'a' occurred"),
        (
            [{"id": "a", "text": "x", "lang": "de"}, {"id": "a", "text": "z", "lang": "en"}, {"id": "c", "text": "z"}],
            "",
        ),
        ([{"id": "a" * 600, "text": "x"}], ":1: an id of 600 characters"),
        ([{"id": "a", "text": "x" * 2**21}], ":1: a text of 2,097,152 characters"),
        ([{"id": "a", "text": "x", "embedding_scale": 2}], "a column 'embedding_scale'"),
        ([], "no passage in it"),
    ],
)
def test_bad_passages_are_named_and_nothing_is_left(root: Path, tmp_path: Path, rows: list, message: str) -> None:
    source = jsonl(tmp_path / "p.jsonl", rows)
    done = triglot("encode", root / "model", source, "--out", tmp_path / "v", "--shard-rows", "1", "-q")
    if not message:
        assert (done.code, "names no language, and ids repeat" in done.err) == (2, True), done.err
    else:
        assert (done.code, message in done.err) == (2, True), done.err
    assert not (tmp_path / "v").exists()


def test_options_of_shards_do_not_go_with_one_array(root: Path, tmp_path: Path) -> None:
    words = ["encode", root / "model", root / "passages.jsonl", "--out", tmp_path / "v.npy", "-q"]
    for more in (["--dtype", "int8"], ["--engine", "ray"], ["--shard-rows", "3"], ["--chunk-tokens", "9"]):
        done = triglot(*words, *more)
        assert (done.code, f"{more[0]}: goes with a folder of shards" in done.err) == (2, True)
    done = triglot(*words[:3], "--out", tmp_path / "v", "--engine", "rey", "-q")
    assert (done.code, "did you mean 'ray'" in done.err) == (2, True), done.err
    done = triglot(*words[:3], "--out", tmp_path / "v", "--workers", "2", "-q")
    assert (done.code, "goes with a cluster" in done.err) == (2, True), done.err


def test_json_says_what_was_made(root: Path, tmp_path: Path) -> None:
    done = triglot("encode", root / "model", root / "passages.jsonl", "--out", tmp_path / "v", "--json", "-q")
    told = json.loads(done.out)
    assert (told["rows"], told["dim"], told["shards"], told["dtype"]) == (20, 16, 1, "fp32")


def test_a_worker_refuses_another_model(root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from triglot.encoder.computing import USUAL
    from triglot.shards import work

    def broken(self, number, texts):
        raise InputError("stop")

    monkeypatch.setattr(work.Worker, "write", broken)
    assert triglot(*encode(root, tmp_path / "v")).code == 2
    with pytest.raises(InputError, match="another model here"):
        work.Worker(work.Job(str(tmp_path / "v"), str(root / "second"), USUAL, 1))
    with pytest.raises(InputError, match="storage that all machines share"):
        work.Worker(work.Job(str(tmp_path / "w"), str(root / "model"), USUAL, 1))


def test_an_index_is_made_of_portions_and_finds_the_same(
    root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    words = ["--languages", "de,en", "--shard-rows", "3", "-q"]
    assert triglot("encode", root / "model", root / "passages.jsonl", "--out", tmp_path / "v", *words).code == 0
    make = ["index", root / "model", tmp_path / "v", "-q", "--out"]
    assert triglot(*make, tmp_path / "whole").code == 0
    monkeypatch.setattr("triglot.commands.index._PORTION", 12)
    made = triglot(*make, tmp_path / "parts", "--json")
    assert made.code == 0, made.err
    assert [one["passages"] for one in open_index(tmp_path / "parts").stats()["segments"]] == [12, 8]
    question = ["river mountain", "--json", "-k", "20", "--language", "en", "-q", "--mode", "any"]
    answers = [triglot("search", tmp_path / name, *question).out.splitlines() for name in ("whole", "parts")]
    found = [[json.loads(line) for line in lines] for lines in answers]
    assert len(found[0]) == 20
    assert [hit["id"] for hit in found[0]] == [hit["id"] for hit in found[1]]
    assert [hit["score"] for hit in found[0]] == pytest.approx([hit["score"] for hit in found[1]], abs=1e-6)
    # A shard that cannot be read leaves no half of an index behind.
    last = sorted((tmp_path / "v").glob("*.parquet"))[-1]
    monkeypatch.setattr("triglot.shards.folder.check_files", lambda *_: None)
    last.write_bytes(b"no parquet")
    failed = triglot(*make, tmp_path / "none")
    assert failed.code == 2
    assert last.name in failed.err
    assert sorted(one.name for one in tmp_path.iterdir()) == ["parts", "v", "whole"]
