"""MLQA's context x question files: groups, the split by paragraph clusters, real counts."""

from __future__ import annotations

import gzip
import json
from collections import Counter

import numpy as np
import pytest

from triglot.corpus.formats import mlqa
from triglot.files import InputError


def write(folder, context_lang, question_lang, entries, answer=""):
    """entries: (id, question, context)."""
    data = [
        {
            "paragraphs": [
                {
                    "context": context,
                    "qas": [{"id": i, "question": q, "answers": [{"text": answer, "answer_start": 0}]}],
                }
            ]
        }
        for i, q, context in entries
    ]
    path = folder / f"test-context-{context_lang}-question-{question_lang}.json.gz"
    path.write_bytes(gzip.compress(json.dumps({"version": 1.0, "data": data}).encode()))
    return path


@pytest.fixture
def folder(tmp_path):
    """Ids a and b share a German paragraph but not a Spanish one; c stands alone in German; Arabic has questions
    only."""
    write(
        tmp_path, "de", "de", [("a", "a de", "D1. Mehr."), ("b", "b de", "D1. Mehr."), ("c", "c de", "D2")], answer="D"
    )
    write(tmp_path, "de", "ar", [("a", "a ar", "D1. Mehr."), ("c", "c ar", "D2")])
    write(tmp_path, "es", "de", [("a", "a de", "E1"), ("b", "b de", "E2")])
    write(tmp_path, "es", "es", [("a", "a es", "E1")])
    return tmp_path


def test_a_question_names_one_paragraph_in_each_language(folder):
    corpus, tally = mlqa.read_training(folder, strict=True)
    assert corpus.languages == ("ar", "de", "es")
    table = corpus.text_of
    rows = []
    for q, p in zip(corpus.query, corpus.passage, strict=True):
        rows.append([[corpus.texts[int(i)].as_py() for i in table[group] if i >= 0] for group in (q, p)])
    assert sorted(rows) == [
        [["a ar", "a de", "a es"], ["D1. Mehr.", "E1"]],
        [["b de"], ["D1. Mehr.", "E2"]],
        [["c ar", "c de"], ["D2"]],
    ]
    # a and b must not be each other's negatives: they share a German paragraph
    by_text = {rows[n][0][0]: int(corpus.family[corpus.passage[n]]) for n in range(3)}
    assert by_text["a ar"] == by_text["b de"] != by_text["c ar"]
    assert tally.read["questions"] == 8


def test_retrieval(folder):
    found = mlqa.read_retrieval(folder, name="mlqa")
    assert Counter(found.languages[lang] for lang in found.passages.lang) == {"de": 2, "es": 2}
    relevant: dict[str, list[str]] = {}
    for q, p, _ in found.judgements:
        relevant.setdefault(found.queries.ids[q], []).append(found.passages.texts[p])
    assert relevant == {
        "de-a": ["D1. Mehr.", "E1"],
        "ar-a": ["D1. Mehr.", "E1"],
        "es-a": ["D1. Mehr.", "E1"],
        "de-b": ["D1. Mehr.", "E2"],
        "de-c": ["D2"],
        "ar-c": ["D2"],
    }
    cluster = dict(zip(found.passages.texts, found.passages.cluster.tolist(), strict=True))
    assert cluster["D1. Mehr."] == cluster["E1"] == cluster["E2"] != cluster["D2"]
    assert found.parallel


def test_sentences_need_answers(folder):
    corpus, tally = mlqa.read_training(folder, unit="sentence")
    assert len(corpus) == 3
    texts = corpus.texts.to_pylist()
    assert "D1." in texts
    assert "E1" not in texts
    assert next(iter(tally.left_out.values())).count == 5


def test_languages_are_chosen_on_both_sides(folder):
    corpus, _ = mlqa.read_training(folder, languages=["ar", "de"])
    assert corpus.languages == ("ar", "de")
    with pytest.raises(InputError, match=r"no file such as .* in the languages \['th'\]"):
        mlqa.read_training(folder, languages=["th"])


def test_a_question_with_two_texts_is_counted(folder):
    write(folder, "vi", "de", [("a", "something else", "V1"), ("b", "b de", "V2")])
    corpus, tally = mlqa.read_training(folder)
    (reason,) = tally.left_out
    assert reason == "question whose text differs from that of the same id and language in another file"
    assert tally.left_out[reason].first.startswith("test-context-vi-question-de.json.gz: data[0]")
    with pytest.raises(InputError, match="differs"):
        mlqa.read_training(folder, strict=True)
    assert len(corpus) == 3


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"part": "dev"}, "part: 'dev' is not a part"),
        ({"part": "validaton"}, "did you mean 'validation'"),
        ({"share": 1.0}, "share: 1.0 is not between 0 and 1"),
        ({"unit": "paragraphs"}, "did you mean 'paragraph'"),
    ],
)
def test_bad_options(folder, options, message):
    with pytest.raises(InputError, match=message):
        mlqa.read_training(folder, **options)


def test_other_files_are_refused(tmp_path):
    (tmp_path / "en.json").write_text("{}")
    for path in (tmp_path, tmp_path / "en.json"):
        with pytest.raises(InputError, match="test-context-xx-question-yy"):
            mlqa.read_training(path)


@pytest.fixture(scope="module")
def many(tmp_path_factory):
    folder = tmp_path_factory.mktemp("many")
    write(folder, "de", "de", [(f"q{n}", f"question {n}", f"D{n // 3}") for n in range(600)])
    write(folder, "es", "de", [(f"q{n}", f"question {n}", f"E{n // 2}") for n in range(0, 600, 5)])
    return folder


@pytest.mark.parametrize("seed", [1, 2])
def test_parts_are_disjoint_by_paragraph_and_together_everything(many, seed):
    parts = {
        part: mlqa.read_training(many, part=part, seed=seed, share=0.25)[0] for part in ("train", "validation", "all")
    }
    texts = {part: set(corpus.texts.to_pylist()) for part, corpus in parts.items()}
    assert not texts["train"] & texts["validation"]
    assert texts["train"] | texts["validation"] == texts["all"]
    assert 0.15 < len(parts["validation"]) / len(parts["all"]) < 0.35
    again = mlqa.read_retrieval(many, name="x", part="validation", seed=seed, share=0.25)
    assert {i.split("-", 1)[1] for i in again.queries.ids} == {
        i.removeprefix("question/") for i in ids_of(parts["validation"])
    }


def ids_of(corpus):
    return [corpus.group_ids[int(q)].as_py() for q in corpus.query]


def test_a_choice_of_languages_moves_nothing_between_parts(many):
    whole = set(mlqa.read_training(many, part="validation")[0].texts.to_pylist())
    german = set(mlqa.read_training(many, part="validation", languages=["de"])[0].texts.to_pylist())
    assert german == {text for text in whole if not text.startswith("E")}


def test_seeds_draw_different_parts(many):
    one, other = (mlqa.read_training(many, part="validation", seed=seed)[0].texts.to_pylist() for seed in (1, 2))
    assert one != other


@pytest.mark.slow
@pytest.mark.data
def test_real_counts(data):
    corpus, tally = mlqa.read_training(data / "mlqa", strict=True)
    assert len(corpus) == 9_677
    assert tally.read["questions"] == 28_458
    questions = np.unique(corpus.query)
    has = {code for n, code in enumerate(corpus.languages) if (corpus.text_of[questions, n] >= 0).any()}
    assert has == {"ar", "de", "es", "hi", "vi", "zh"}
    passages = np.unique(corpus.passage)
    has = {code for n, code in enumerate(corpus.languages) if (corpus.text_of[passages, n] >= 0).any()}
    assert has == {"de", "es", "vi", "zh"}
    found = mlqa.read_retrieval(data / "mlqa", name="mlqa", strict=True)
    same = found.queries.lang[found.judgements[:, 0]] == found.passages.lang[found.judgements[:, 1]]
    assert (int(same.sum()), int((~same).sum())) == (11_907, 29_997)
    pairs = found.judgements[:, 0] * 64 + found.passages.lang[found.judgements[:, 1]]
    assert len(np.unique(pairs)) == len(pairs)  # one relevant paragraph for a question and language
    assert (found.queries.cluster[found.judgements[:, 0]] == found.passages.cluster[found.judgements[:, 1]]).all()
