"""Training pairs from comments: what is paired with what, families, templates, draws, bad input, and the real data."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from triglot.corpus.formats.registry import detect, read_training
from triglot.corpus.formats.stance import LABELS, read
from triglot.corpus.formats.stance_pairs import TEMPLATES
from triglot.corpus.parallel import ParallelCorpus, member_id
from triglot.files import InputError
from triglot.recipe import Source

QUESTIONS = {
    1: {"de": "Soll es Brot geben?", "fr": "Faut-il du pain ?"},
    2: {"de": "Soll es regnen?", "fr": "Doit-il pleuvoir ?"},
}


def folder_of(place: Path, comments: list[tuple[str, int, str, str]]) -> Path:
    place.mkdir(exist_ok=True)
    for lang in ("de", "fr"):
        lines = [json.dumps({"id": number, "text": texts[lang]}) for number, texts in QUESTIONS.items()]
        (place / f"questions.{lang}.jsonl").write_text("\n".join(lines), encoding="utf-8")
    lines = [
        json.dumps({"id": 100 + n, "question_id": question, "comment": comment, "label": label, "language": lang})
        for n, (lang, question, comment, label) in enumerate(comments)
    ]
    (place / "train.jsonl").write_text("\n".join(lines), encoding="utf-8")
    return place


COMMENTS = [
    *[("de", 1, f"Ja, Brot {n}", "FAVOR") for n in range(3)],
    *[("fr", 1, f"Oui, pain {n}", "FAVOR") for n in range(2)],
    *[("de", 1, f"Nein, kein Brot {n}", "AGAINST") for n in range(3)],
    ("fr", 1, "Non, pas de pain", "AGAINST"),
    ("de", 2, "Ja, Regen", "FAVOR"),
    ("fr", 2, "Non, le soleil", "AGAINST"),
]


@pytest.fixture
def place(tmp_path: Path) -> Path:
    return folder_of(tmp_path / "x", COMMENTS)


def shown(corpus: ParallelCorpus) -> list[tuple[dict[str, str], dict[str, str], list[str]]]:
    """(question by language, passage by language, negatives) of each row."""

    def texts(group: int) -> dict[str, str]:
        row = corpus.text_of[group]
        return {corpus.languages[n]: corpus.texts[int(text)].as_py() for n, text in enumerate(row) if text >= 0}

    hard = corpus.negatives.to_pylist() if corpus.negatives is not None else [[]] * len(corpus)
    return [
        (texts(q), texts(p), [next(iter(texts(group).values())) for group in negatives])
        for q, p, negatives in zip(corpus.query, corpus.passage, hard, strict=True)
    ]


def test_questions_in_all_their_languages_ask_for_every_comment(place: Path) -> None:
    corpus, tally = read_training(place, format="stance")
    rows = shown(corpus)
    assert [(q, next(iter(p.values())), n) for q, p, n in rows] == [
        (QUESTIONS[q], comment, []) for _, q, comment, _ in COMMENTS
    ]
    assert tally.read["rows"] == len(COMMENTS)
    assert len({int(corpus.family[p]) for p in corpus.passage}) == 2  # a family for each question


def test_templates_ask_for_one_side_and_the_other_side_is_the_negative(place: Path) -> None:
    corpus, _ = read_training(place, format="stance", ask="stance", negatives=2)
    label = {comment: label for _, _, comment, label in COMMENTS}
    of = {comment: number for _, number, comment, _ in COMMENTS}
    lang = {comment: code for code, _, comment, _ in COMMENTS}
    for query, passage, negatives in shown(corpus):
        comment = next(iter(passage.values()))
        wordings = [
            {
                code: TEMPLATES[code][label[comment]][n].replace("{question}", QUESTIONS[of[comment]][code])
                for code in ("de", "fr")
            }
            for n in range(4)
        ]
        assert query in wordings
        assert 1 <= len(negatives) <= 2
        assert {label[one] for one in negatives} == {next(side for side in LABELS if side != label[comment])}
        assert {of[one] for one in negatives} == {of[comment]}
        if comment == "Ja, Brot 0":
            assert {lang[one] for one in negatives} == {"de"}  # its own language first
    families = {c: int(corpus.family[p]) for (_, t, _), p in zip(shown(corpus), corpus.passage) for c in t.values()}
    groups: dict[tuple[int, str], set[int]] = {}
    for comment, family in families.items():
        groups.setdefault((of[comment], label[comment]), set()).add(family)
    assert all(len(found) == 1 for found in groups.values())  # whichever wording asked for them
    assert len(set.union(*groups.values())) == 4
    assert read_training(place, format="stance", ask="stance", negatives=0)[0].negatives is None


def test_comments_meet_comments_of_their_side_in_another_language(place: Path) -> None:
    corpus, _ = read_training(place, format="stance", ask="comments")
    by_text = {comment: (code, question, label) for code, question, comment, label in COMMENTS}
    rows = shown(corpus)
    assert len(rows) == 5 + 4  # question 2 has no side in two languages
    for query, passage, negatives in rows:
        (a, left), (b, right) = *query.items(), *passage.items()
        assert a != b
        assert by_text[left][1:] == by_text[right][1:]
        assert all(by_text[one][1] == by_text[left][1] and by_text[one][2] != by_text[left][2] for one in negatives)
        assert negatives


def test_draws_depend_on_the_seed_alone(place: Path) -> None:
    first, again, other = (
        shown(read_training(place, format="stance", ask="stance", negatives=1, seed=seed)[0]) for seed in (1, 1, 2)
    )
    assert first == again
    assert first != other


def test_a_text_on_both_sides_is_left_out(tmp_path: Path) -> None:
    place = folder_of(
        tmp_path / "x", [*COMMENTS, ("de", 1, "Kommt darauf an.", "FAVOR"), ("de", 2, "Kommt darauf an.", "AGAINST")]
    )
    corpus, tally = read_training(place, format="stance", ask="stance")
    assert len(corpus) == len(COMMENTS)
    assert [line.split(": ", 1)[1] for line in tally.lines()[1:]] == [
        "2 x comment whose text stands under two questions or sides (first: train.jsonl, comment "
        f"{100 + len(COMMENTS)})"
    ]


def test_languages_and_templates_of_ones_own(place: Path) -> None:
    corpus, _ = read_training(place, format="stance", languages=["fr"])
    assert corpus.languages == ("fr",)
    assert len(corpus) == sum(code == "fr" for code, *_ in COMMENTS)
    own = {"fr": {"FAVOR": ["Pour : {question}"], "AGAINST": ["Contre : {question}"]}}
    corpus, _ = read_training(place, format="stance", ask="stance", templates=own)
    assert {tuple(query) for query, _, _ in shown(corpus)} == {("fr",)}
    assert {query["fr"].split(" : ")[0] for query, _, _ in shown(corpus)} == {"Pour", "Contre"}


def test_every_template_has_one_place_for_the_question_and_sides_differ() -> None:
    assert set(TEMPLATES) == {"de", "en", "fr", "it"}
    wordings = [wording for sides in TEMPLATES.values() for label in LABELS for wording in sides[label]]
    assert len(set(wordings)) == len(wordings) == 32
    assert all(wording.count("{question}") == 1 for wording in wordings)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"ask": "topics"}, "ask: 'topics' is unknown; did you mean 'topic'"),
        ({"negatives": -1}, "negatives: -1 is negative"),
        ({"split": "trian"}, "trian.jsonl; did you mean 'train'"),
        ({"aks": "topic"}, "no option 'aks'; did you mean 'ask'"),
        ({"languages": ["it"]}, "no comment in it can be used"),
        ({"ask": "stance", "templates": {}}, "templates: a block"),
        ({"ask": "stance", "templates": {"de": ["x"]}}, "templates.de: a block with AGAINST and FAVOR"),
        (
            {"ask": "stance", "templates": {"de": {"FAVOUR": ["{question}"]}}},
            "'FAVOUR' is no side; did you mean 'FAVOR'",
        ),
        ({"ask": "stance", "templates": {"de": {"FAVOR": ["{question}"]}}}, "templates.de.AGAINST: a list of wordings"),
        (
            {"ask": "stance", "templates": {"de": {"FAVOR": ["{frage}"], "AGAINST": ["{question}"]}}},
            "has not one {question} in it",
        ),
        (
            {
                "ask": "stance",
                "templates": {
                    "de": {side: ["{question}"] for side in LABELS},
                    "fr": {side: ["{question}"] * 2 for side in LABELS},
                },
            },
            "templates.fr.AGAINST: 2 wordings, but 1 in another language",
        ),
        (
            {"ask": "stance", "templates": {"en": {side: ["{question}"] for side in LABELS}}},
            "no pair in train.jsonl for ask: stance",
        ),
    ],
)
def test_bad_options(place: Path, given: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError) as caught:
        read_training(place, format="stance", **given)
    assert message in str(caught.value)


def test_it_is_a_format_of_sources(place: Path) -> None:
    assert detect(place) == "stance"
    assert Source(format="stance", path="xstance", options={"ask": "stance"}).label == "xstance"
    assert member_id("a", "b") == "a~~b"


@pytest.mark.slow
@pytest.mark.parametrize(("ask", "rows"), [("topic", 10_506), ("stance", 10_506), ("comments", 19_440)])
def test_real_comments(data: Path, ask: str, rows: int) -> None:
    corpus, tally = read_training(data / "xstance", format="stance", ask=ask)
    assert len(corpus) == rows
    assert tally.left_out == {}
    stances, _ = read(data / "xstance", split="train")
    meaning = {
        identifier: (stances.questions.number[question], 0 if ask == "topic" else label)
        for identifier, question, label in zip(stances.ids, stances.question, stances.labels.tolist(), strict=True)
    }
    ids = corpus.group_ids.to_pylist()
    found: dict[tuple[int, int], set[int]] = {}
    for passage in np.unique(corpus.passage).tolist():
        found.setdefault(meaning[ids[passage].partition("~~")[2]], set()).add(int(corpus.family[passage]))
    assert all(len(one) == 1 for one in found.values())
    assert len(set.union(*found.values())) == len(found)
