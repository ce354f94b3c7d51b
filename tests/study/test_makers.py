"""Data that a study makes: made once, made anew when settings or sources change, read as real data are."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from triglot.augment.apply import Augmenter
from triglot.augment.settings import AugmentSettings, Part
from triglot.benchmark import open_benchmark
from triglot.corpus.collection import Collection
from triglot.corpus.made import Made
from triglot.corpus.retrieval import RetrievalSet
from triglot.files import InputError, read_jsonl
from triglot.study.augmented import Worst
from triglot.study.fingerprint import fingerprint
from triglot.study.makers import facts_of, make

LANGUAGES = ["de", "en"]


def made(kind: str, place: Path, path: str = "", **options) -> Path:
    return make(Made(kind, path, options), place, lambda word: place.parent / word, place.name)


def test_kept_as_long_as_nothing_changes(tmp_path: Path) -> None:
    place = made("words", tmp_path / "w", languages=LANGUAGES)
    before = (place / "en-de.txt").stat().st_mtime_ns
    assert (made("words", place, languages=LANGUAGES) / "en-de.txt").stat().st_mtime_ns == before
    made("words", place, languages=["en", "tr"])
    assert not (place / "en-de.txt").exists()
    (place / "en-tr.txt").write_text("damaged", "utf-8")
    made("words", place, languages=["en", "tr"])
    assert (place / "en-tr.txt").read_text("utf-8") != "damaged"
    assert "word lists" in facts_of(place)["told"]


@pytest.mark.parametrize(
    ("kind", "options", "said"),
    [
        ("word", {}, r"made\.w\.kind: 'word' is not known; did you mean 'words'"),
        ("words", {"langages": ["en"]}, r"made\.w\.options: .*langages"),
        ("nli", {"languages": ["xx"]}, r"made\.w: atlas: no language 'xx'"),
        ("translated", {"languages": ["de"]}, "one of `lists` and `model` is needed"),
    ],
)
def test_what_is_wrong_is_named(tmp_path: Path, kind: str, options: dict, said: str) -> None:
    with pytest.raises(InputError, match=said):
        made(kind, tmp_path / "w", **options)
    assert not (tmp_path / "w").exists()


def test_inference_and_stances_are_read_as_real_ones(tmp_path: Path) -> None:
    made("nli", tmp_path / "nli", languages=LANGUAGES, train=6, dev=4)
    task = open_benchmark(str(tmp_path / "nli"), name="n", format="nli", options={"train": "train"}).task
    assert (len(task.test), len(task.train)) == (12, 18)
    assert not {*task.test.first, *task.test.second} & {*task.train.first, *task.train.second}
    made("stance", tmp_path / "stance", languages=LANGUAGES, questions=5)
    opened = open_benchmark(str(tmp_path / "stance"), name="s", format="stance", options={"new_authors": True})
    assert opened.task.test.labels == ("AGAINST", "FAVOR")
    assert not set(opened.task.test.second) & set(opened.task.train.second)
    assert opened.retrieval.languages == ("de", "en")


def test_a_benchmark_laid_out_as_miracl_asks_the_same(tmp_path: Path) -> None:
    place = made("miracl", tmp_path / "m", languages=LANGUAGES, part="test", limit=12)
    found = open_benchmark(str(place), name="m", format="trec", options={"split": "dev"}).retrieval
    assert isinstance(found, Collection)
    plain = open_benchmark("atlas", name="a", format="atlas", options={"languages": LANGUAGES}).retrieval
    assert isinstance(plain, RetrievalSet)
    for number, code in enumerate(found.languages):
        part = found.parts[code]
        asked = np.flatnonzero(plain.queries.lang == plain.languages.index(code))[:12]
        assert list(part.topics.values()) == [" ".join(plain.queries.texts[row].split()) for row in asked]
        texts = {
            doc["docid"]: doc["text"] for _, doc in read_jsonl(place / f"miracl-corpus-v1.0-{code}" / "docs-0.jsonl")
        }
        answers = [plain.passages.texts[p] for q, p, _ in plain.judgements.tolist() if q == asked[0]]
        own = [text for text in answers if text in set(texts.values())]
        assert texts[part.qrels.documents[0]] in own, number


def test_queries_are_translated_word_by_word(tmp_path: Path) -> None:
    made("words", tmp_path / "words", languages=LANGUAGES)
    place = made("translated", tmp_path / "t", languages=["de"], lists="words", part="test", limit=30)
    found = open_benchmark(str(place), name="t", format="beir").retrieval
    by_language = [found.queries.texts[row] for row in np.flatnonzero(found.queries.lang == 0)]
    assert (found.languages, len(by_language)) == (("de", "en"), 30)
    assert 0 < facts_of(place)["changed"]["de"] < 1
    assert "no translation model was given" in facts_of(place)["told"]


def test_copies_are_nested_and_the_worst_draw_lies_farthest(tmp_path: Path) -> None:
    parts = [{"kinds": ["swap"], "share": 1.0, "rate": 0.5}]
    place = made("augmented", tmp_path / "a", languages=["en"], limit=20, factors=[1, 3], parts=parts)
    lines = {name: [line for _, line in read_jsonl(place / f"{name}.jsonl")] for name in ("x1", "x3")}
    assert lines["x3"][: len(lines["x1"])] == lines["x1"]
    assert len(lines["x1"]) == 20
    assert len(lines["x3"]) > 40

    class ByLength:
        """Vectors that turn with the number of a's before the first e."""

        name, dim = "toy", 2

        def encode(self, texts, *, side, progress=False):
            angles = np.array([text.find("e") for text in texts], float) / 20
            return np.stack([np.cos(angles), np.sin(angles)], 1)

    settings = AugmentSettings(parts=(Part(("swap",), 1.0, 0.8),))
    texts, keys = ["these were seven letters", "every answer mattered then"], np.arange(2)
    given = {"settings": settings, "seed": 3}
    worst = Worst(ByLength(), 5, **given)
    chosen = worst.change(texts, ["en", "en"], keys, np.zeros(2, int), 1)
    plain = Augmenter(**given)
    draws = [plain.change(texts, ["en", "en"], keys, np.zeros(2, int), 1 + 1_000_003 * turn) for turn in range(5)]

    def drift(column: list[str]) -> np.ndarray:
        encoder = ByLength()
        return 1 - (encoder.encode(texts, side="query") * encoder.encode(column, side="query")).sum(1)

    assert drift(chosen) == pytest.approx(np.max([drift(column) for column in draws], axis=0))


def test_fingerprints_know_bytes_and_names_and_no_place(tmp_path: Path) -> None:
    for name, text in (("a", "one"), ("b", "one"), ("c", "two")):
        (tmp_path / name).mkdir()
        (tmp_path / name / "x.txt").write_text(text, "utf-8")
    assert fingerprint(tmp_path / "a") == fingerprint(tmp_path / "b") != fingerprint(tmp_path / "c")
    (tmp_path / "b" / "x.txt").rename(tmp_path / "b" / "y.txt")
    assert fingerprint(tmp_path / "a") != fingerprint(tmp_path / "b")
