"""Corpora of parallel groups: what is tied to what, and how many languages fit."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from triglot.batches import BatchSettings, plan_epoch, rows_of
from triglot.corpus.formats import bitext, pairs
from triglot.corpus.parallel import CorpusBuilder, ParallelCorpus, concat
from triglot.files import InputError


def put(path: Path, lines: list[dict]) -> Path:
    path.write_text("".join(json.dumps(line) + "\n" for line in lines), encoding="utf-8")
    return path


ASKED_AGAIN = {
    "no ids": lambda q, a: {"anchor": f"question number {q}", "positive": f"answer {a} of question {q}"},
    "an id a line": lambda q, a: {
        "query_id": f"{q}-{a}",
        "query": f"question number {q}",
        "pos": [f"answer {a} of question {q}"],
    },
    "other case and spaces": lambda q, a: {
        "query": f"Question  number {q} " if a % 2 else f"question NUMBER {q}",
        "pos": [f"answer {a} to {q}"],
    },
    "the same answer": lambda q, a: {
        "query": f"question {a} about {q}",
        "pos": [f"Answer  {q}" if a % 2 else f"answer {q} "],
    },
}


@pytest.mark.parametrize("line", ASKED_AGAIN.values(), ids=ASKED_AGAIN)
def test_lines_that_ask_the_same_are_never_each_others_negatives(tmp_path: Path, line):
    path = put(tmp_path / "pairs.jsonl", [line(q, a) for q in range(40) for a in range(5)])
    corpus, _ = pairs.read_training(path)
    assert len(corpus) == 200
    assert len(set(corpus.query.tolist())) == 200  # no text is lost
    both = concat([corpus, replace(corpus, sources=("other",))])
    for one, families in ((corpus, 40), (both.select(np.arange(200)), 40), (corpus.select(np.arange(100)), 20)):
        assert len(set(one.family[one.passage].tolist())) == families
    for step in plan_epoch(rows_of(corpus), BatchSettings(kind="xx", size=32, comparable=False), seed=1):
        assert len(set((step.rows // 5).tolist())) == len(step)


def test_one_question_in_two_languages_is_two_without_a_group(tmp_path: Path):
    lines = [{"query": "was", "lang": lang, "pos": [f"answer {lang}"]} for lang in ("de", "en")]
    corpus, _ = pairs.read_training(put(tmp_path / "pairs.jsonl", lines))
    assert len(set(corpus.family[corpus.passage].tolist())) == 2


def spoken(first: int, count: int, source: str = "many") -> ParallelCorpus:
    builder = CorpusBuilder(source)
    for n in range(first, first + count):
        lang = f"{chr(97 + n // 26)}{chr(97 + n % 26)}"
        builder.text("q", lang, f"question {lang}")
        builder.text("p", lang, f"answer {lang}")
    builder.row("q", "p")
    return builder.build()


def test_more_languages_than_fit_are_refused_wherever_they_come_from(tmp_path: Path):
    told = r"66 languages, and training takes at most 64 at once; name them in `languages:`"
    with pytest.raises(InputError, match=told):
        spoken(0, 66)
    with pytest.raises(InputError, match=told):
        concat([spoken(0, 40, "one"), spoken(40, 26, "two")])
    lines = [
        {"query": f"q {n}", "lang": f"{chr(97 + n // 26)}{chr(97 + n % 26)}", "pos": [f"p {n}"]} for n in range(66)
    ]
    with pytest.raises(InputError, match=told):
        pairs.read_training(put(tmp_path / "pairs.jsonl", lines))
    folder = tmp_path / "bitext"
    folder.mkdir()
    codes = [f"{chr(97 + n // 26)}{chr(97 + n % 26)}" for n in range(66)]
    for code in codes:
        (folder / f"{code}.txt").write_text("".join(f"{code} sentence {n}\n" for n in range(3)), encoding="utf-8")
    with pytest.raises(InputError, match=told):
        bitext.read_training(folder)
    corpus, _ = bitext.read_training(folder, languages=codes[2:])
    assert len(corpus.languages) == 64
    assert rows_of(corpus).query_languages.tolist() == [2**64 - 1] * 3
    step = plan_epoch(rows_of(corpus), BatchSettings(kind="xy", size=3, comparable=False), seed=1)[0]
    assert (step.query_lang != step.passage_lang[:, 0]).all()


def test_the_sixty_fourth_language_is_trained():
    corpus = concat([spoken(0, 64, f"source {n}") for n in range(16)])
    plan = plan_epoch(rows_of(corpus), BatchSettings(kind="xx-mixed", size=16, allow_small=True), seed=1)
    assert max(int(step.query_lang.max()) for step in plan) > 55
