"""What `triglot encode` reads: every kind of source, against a naive reading of the same files."""

from __future__ import annotations

import gzip
import io
import json
import sys
from itertools import pairwise
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from tests.command import triglot
from tests.shards.small import jsonl, model, passages
from triglot.benchmark import open_benchmark
from triglot.commands.texts import read_texts
from triglot.corpus.formats.sources import find, read
from triglot.corpus.splitting import SplitSettings, splitter
from triglot.encoder import load_encoder
from triglot.files import InputError


@pytest.fixture(scope="module")
def model_path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return model(tmp_path_factory.mktemp("model") / "m")


def rows(spec: Path | str, **more) -> list[tuple[str, str, str, str]]:
    """(id, text, lang, group) of what is read."""
    return [(one.row.id, one.row.text, one.row.lang, one.group) for one in read(find(str(spec)), **more)]


def encoded(model_path: Path, source: object, out: Path, *more: object) -> dict[str, list]:
    done = triglot("encode", model_path, source, "--out", out, "-q", *more)
    assert done.code == 0, done.err
    return pq.read_table([str(file) for file in sorted(out.glob("*.parquet"))]).to_pydict()


def test_a_table_in_parts_and_another_kind_beside_it(tmp_path: Path) -> None:
    for number in (10, 2):
        jsonl(tmp_path / f"part-{number}.jsonl", [{"text": f"t{number}-{row}"} for row in range(2)])
    (tmp_path / "README.md").write_text("about it")
    (tmp_path / ".hidden.jsonl").write_text("{")
    texts = [("part-2.jsonl:1", "t2-0", "", ""), ("part-2.jsonl:2", "t2-1", "", "")]
    texts += [(f"part-10.jsonl:{row + 1}", f"t10-{row}", "", "") for row in range(2)]
    assert rows(tmp_path) == texts
    # One array is made of the same texts.
    found = read_texts(str(tmp_path))
    assert list(zip(found.ids, found.texts, strict=True)) == [(one, text) for one, text, *_ in texts]


def test_cells_of_tables_get_the_type_that_all_of_them_have(tmp_path: Path, model_path: Path) -> None:
    (tmp_path / "t.csv").write_text("key,body,year,price,tag\n1,one,2001,2.5,7\n2,two,,3.25,x\n")
    found = encoded(model_path, tmp_path / "t.csv", tmp_path / "v", "--columns", "id=key,text=body", "--language", "en")
    assert (found["id"], found["text"]) == (["1", "2"], ["one", "two"])
    assert (found["year"], found["price"], found["tag"]) == ([2001, None], [2.5, 3.25], ["7", "x"])
    assert (found["lang"], found["lang_confidence"]) == (["en", "en"], [None, None])


def test_beir_in_several_languages_has_the_ids_of_the_benchmark(tmp_path: Path) -> None:
    for code, text in {"de": "Fluss", "en": "river"}.items():
        records = [{"_id": f"d{number}", "title": "T", "text": f"{text} {number}"} for number in range(3)]
        jsonl(tmp_path / f"corpus.{code}.jsonl", records)
        jsonl(tmp_path / f"queries.{code}.jsonl", [{"_id": "q1", "text": f"{text}?"}])
    (tmp_path / "qrels").mkdir()
    (tmp_path / "qrels" / "test.tsv").write_text("query-id\tcorpus-id\tscore\nq1\td1\t1\n")
    found, known = rows(tmp_path), open_benchmark(tmp_path).in_memory().passages
    assert [(one, text) for one, text, *_ in found] == list(zip(known.ids, known.texts, strict=True))
    assert [(lang, group) for *_, lang, group in found] == [(c, f"d{n}") for c in ("de", "en") for n in range(3)]


def test_miracl_in_parts_and_languages(tmp_path: Path, model_path: Path) -> None:
    for code, text in {"sw": "mto mrefu", "bn": "দীর্ঘ নদী"}.items():
        folder = tmp_path / f"miracl-corpus-v1.0-{code}"
        folder.mkdir()
        for part in range(2):
            lines = [{"docid": f"{part}#{n}", "title": "T", "text": f"{text} {n}"} for n in range(2)]
            data = "".join(json.dumps(line) + "\n" for line in lines).encode()
            (folder / f"docs-{part}.jsonl.gz").write_bytes(gzip.compress(data))
    found = encoded(model_path, tmp_path, tmp_path.with_name("v"), "--shard-rows", "3")
    ids = [f"{code}-{part}#{n}" for code in ("bn", "sw") for part in range(2) for n in range(2)]
    assert found["id"] == ids
    assert found["lang"] == ["bn"] * 4 + ["sw"] * 4
    assert found["lang_confidence"] == [None] * 8
    only = encoded(model_path, tmp_path, tmp_path.with_name("w"), "--languages", "sw")
    # Nothing repeats among those that are left.
    assert only["id"] == [one.removeprefix("sw-") for one in ids[4:]]


def test_a_benchmark_of_parallel_texts_has_groups() -> None:
    found = rows("atlas")
    known = open_benchmark("atlas").in_memory()
    assert [(one, text) for one, text, *_ in found] == list(zip(known.passages.ids, known.passages.texts, strict=True))
    groups: dict[str, list[str]] = {}
    for *_, lang, group in found:
        groups.setdefault(group, []).append(lang)
    several = [langs for group, langs in groups.items() if group and len(langs) > 1]
    assert len(several) > 100
    assert all(len(set(langs)) == len(langs) for group, langs in groups.items() if group)


def test_stdin_as_json_lines_and_as_plain_lines(
    tmp_path: Path, model_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def put(text: str) -> None:
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(text.encode()), encoding="utf-8"))

    given = passages(5)
    put("".join(json.dumps(row) + "\n" for row in given))
    assert encoded(model_path, "-", tmp_path / "v")["id"] == [row["id"] for row in given]
    put("".join(json.dumps(row) + "\n" for row in given))
    assert triglot("encode", model_path, "-", "--out", tmp_path / "v", "-q").code == 0
    put("something else\n")
    done = triglot("encode", model_path, "-", "--out", tmp_path / "v", "-q")
    assert (done.code, "other texts than come on stdin" in done.err) == (2, True), done.err
    put("\nriver mountain\n\ncity\n")
    assert encoded(model_path, "-", tmp_path / "w")["text"] == ["river mountain", "city"]
    put('{"id": "a", "text": "x"}\n{"id": "a"}\n')
    done = triglot("encode", model_path, "-", "--out", tmp_path / "x", "-q")
    assert (done.code, "stdin:2: no text" in done.err) == (2, True), done.err
    put("")
    assert "nothing on stdin" in triglot("encode", model_path, "-", "--out", tmp_path / "x", "-q").err
    put("river\ncity\n")
    assert triglot("encode", model_path, "-", "--out", tmp_path / "x.npy", "-q").code == 0
    assert (tmp_path / "x.ids.txt").read_text() == "1\n2\n"


def test_shards_are_encoded_again_with_another_model(tmp_path: Path, model_path: Path) -> None:
    source = jsonl(tmp_path / "p.jsonl", passages())
    first = encoded(model_path, source, tmp_path / "v", "--shard-rows", "6")
    other = encoded(model(tmp_path / "other", seed=5), tmp_path / "v", tmp_path / "w")
    same = ("id", "text", "lang", "group", "year")
    assert [first[name] for name in same] == [other[name] for name in same]
    assert first["embedding"] != other["embedding"]


@pytest.mark.parametrize("name", ["nothing", "model.bin"])
def test_what_is_nothing_to_read(tmp_path: Path, name: str) -> None:
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder" / name).write_bytes(b"\0")
    with pytest.raises(InputError, match="nothing to read in it"):
        find(str(tmp_path / "folder"))
    with pytest.raises(InputError, match="no such file or folder"):
        find(str(tmp_path / "folders"))


# --- documents

THAI = "แม่น้ำยาวมาก ภูเขาสูงมาก เมืองใหญ่มาก " * 12
PAGES = {
    "guide.de.md": "# Flüsse\n\nDer Fluss ist lang. " * 9 + "\n\n## Berge\n\nDer Berg ist hoch. " * 9,
    "notes/rivers.txt": "A river is long. A mountain is high! Is a city large?\n\n" * 9,
    "thai.txt": THAI,
    "empty.txt": " \n",
    "page.html": "<html><body><p>One &amp; two</p><script>no()</script></body></html>",
}


def test_documents_are_split_where_a_model_reads_no_further(
    tmp_path: Path, model_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("semantic_text_splitter")
    for name, text in PAGES.items():
        (tmp_path / "docs" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "docs" / name).write_text(text, encoding="utf-8")
    (tmp_path / "docs" / "README.md").write_text("not one of them")
    found = encoded(model_path, tmp_path / "docs", tmp_path / "v", "--chunk-tokens", "32")
    tokenizer = load_encoder(model_path).tokenizer
    tokenizer.no_truncation()
    assert max(len(tokenizer.encode(text, add_special_tokens=False).ids) for text in found["text"]) <= 32
    assert set(found["file"]) == {"guide.de.md", "notes/rivers.txt", "thai.txt", "page.html"}
    assert found["text"][found["file"].index("page.html")] == "One & two"
    for one, file, start, text, lang in zip(
        *(found[name] for name in ("id", "file", "start", "text", "lang")), strict=True
    ):
        assert one.startswith(f"{file}#")
        if file != "page.html":
            assert PAGES[file][start : start + len(text)] == text
        if file == "guide.de.md":
            assert lang == "de"
    for file in ("guide.de.md", "notes/rivers.txt", "thai.txt"):
        # Nothing but white space between passages is lost.
        kept = "".join(text for text, name in zip(found["text"], found["file"], strict=True) if name == file)
        assert "".join(kept.split()) == "".join(PAGES[file].split())
    assert sum(name == "thai.txt" for name in found["file"]) > 1
    done = triglot("encode", model_path, tmp_path / "docs", "--out", tmp_path / "x.npy", "-q")
    assert done.code == 2, done.err


def test_passages_repeat_what_was_asked_for(model_path: Path) -> None:
    pytest.importorskip("semantic_text_splitter")
    tokenizer = load_encoder(model_path).tokenizer
    text = "A river is long. A mountain is high! Is a city large? " * 9
    for overlap in (0, 40):
        parts = splitter(tokenizer, SplitSettings(48, overlap))(text, ".txt")
        ends = [(start, start + len(part)) for start, part in parts]
        repeated = [after[0] < before[1] for before, after in pairwise(ends)]
        assert any(repeated) == bool(overlap)
    with pytest.raises(InputError, match="fewer are wanted"):
        SplitSettings(16, 16)
