"""Inspection: counts, coverage, repeats and leakage."""

from __future__ import annotations

import json

import pytest

from triglot.corpus.inspect import inspect_paths, render
from triglot.files import InputError

PARAGRAPH = "The lake is deep and cold in winter. Nobody has ever dared to swim there."


def squad(path, *articles):
    """articles: (title, context, [(id, question)])."""
    data = [
        {
            "title": title,
            "paragraphs": [
                {
                    "context": context,
                    "qas": [{"id": i, "question": q, "answers": [{"text": "x", "answer_start": 0}]} for i, q in items],
                }
            ],
        }
        for title, context, items in articles
    ]
    path.parent.mkdir(exist_ok=True)
    path.write_text(json.dumps({"data": data}, ensure_ascii=False), encoding="utf-8")


def test_counts_coverage_and_repeats(tmp_path):
    squad(tmp_path / "d" / "en.json", ("Lake", PARAGRAPH, [("a", "How deep?"), ("b", "how deep"), ("c", "Who swims?")]))
    squad(tmp_path / "d" / "de.json", ("See", "Der See ist tief.", [("a", "Wie tief?")]))
    (one,) = inspect_paths([tmp_path / "d"])["training"]
    assert one["format"] == "squad"
    assert one["languages"] == {"de": {"questions": 1, "passages": 1}, "en": {"questions": 3, "passages": 1}}
    assert one["counts"] == {"questions": 4, "question_groups": 3, "passages": 2, "articles": 2}
    assert one["coverage"]["questions"] == {2: 1, 1: 2}
    assert one["duplicates"] == {"questions": 1, "passages": 0}


def test_leakage_by_id_text_sentence_and_title(tmp_path):
    squad(
        tmp_path / "train" / "en.json",
        ("Deep_lake", PARAGRAPH, [("question-a", "How deep is it?")]),
        ("Air", "Thin air.", [("2", "How thin?")]),
    )
    squad(
        tmp_path / "test" / "en.json",
        ("deep lake", PARAGRAPH.upper(), [("x", "how deep is it")]),
        (
            "Land",
            "A new one. Nobody has EVER dared to swim there!",
            [("question-a", "Other text?"), ("2", "A number?")],
        ),
        ("Sea", "Nothing in common.", [("z", "Where?")]),
    )
    report = inspect_paths([tmp_path / "train"], [tmp_path / "test"])
    (leak,) = report["leakage"]
    # The id "2" is no evidence.
    assert leak["questions"] == {
        "total": 4,
        "by_text": 1,
        "languages": {"en": 1},
        "by_id": 1,
    }
    assert leak["passages"] == {"total": 3, "by_text": 1, "languages": {"en": 1}}
    assert leak["sentences"]["by_text"] == 3  # two of the copied paragraph, one inside another
    assert leak["articles"] == {"total": 3, "by_title": 1}
    assert json.loads(json.dumps(report["leakage"])) == report["leakage"]
    text = render(report)
    assert "questions: 1 by id, 1 by text, of 4" in text
    assert "e.g. question id question-a" in text
    assert "e.g. article 'deep lake'" in text


ARTICLES = [
    ("Baht", "The currency of Thailand is the baht, and a hundred satang are one."),
    ("Hund", "Der Hund bellt in der Nacht, und niemand schläft."),
]


def _pairs(path, shape):
    lines = []
    for number, (title, body) in enumerate(ARTICLES):
        lang = "de" if number else "en"
        line = {"query": f"question {number}", "lang": lang}
        if shape == "title":
            line["positive_passages"] = [{"docid": str(number), "title": title, "text": body}]
        elif shape == "article":
            line["positive_passages"] = [{"docid": str(number), "title": "", "text": body, "article": title}]
        else:
            titled = f"{title}. {body}" if shape == "stop" else f"{title} {body}"
            line["pos"] = [body if shape == "none" else titled]
        lines.append(json.dumps(line))
    path.write_text("\n".join(lines))


def _beir(folder, shape):
    (folder / "qrels").mkdir(parents=True)
    corpus = []
    for number, (title, body) in enumerate(ARTICLES):
        text = {"none": body, "title": body, "joined": f"{title} {body}"}[shape]
        corpus.append(
            {"_id": f"d{number}", "text": text, "lang": "de" if number else "en"}
            | ({"title": title} if shape == "title" else {})
        )
    corpus.append({"_id": "d9", "text": "Nothing of this article stands anywhere else.", "title": "Baht", "lang": "en"})
    (folder / "corpus.jsonl").write_text("".join(json.dumps(one) + "\n" for one in corpus))
    (folder / "queries.jsonl").write_text('{"_id": "1", "text": "something else"}\n')
    (folder / "qrels" / "test.tsv").write_text("1\td1\t1\n")


@pytest.mark.parametrize("train", ["title", "article", "joined", "stop", "none"])
@pytest.mark.parametrize("evaluation", ["none", "title", "joined"])
def test_an_equal_article_is_found_with_and_without_its_title(tmp_path, train, evaluation):
    _pairs(tmp_path / "p.jsonl", train)
    _beir(tmp_path / "beir", evaluation)
    report = inspect_paths([tmp_path / "p.jsonl"], [tmp_path / "beir"])
    assert report["leakage"][0]["passages"] == {"total": 3, "by_text": 2, "languages": {"de": 1, "en": 1}}
    assert "passages: 2 by text, of 3 (de 1, en 1)" in render(report)


def test_no_leakage_is_zero(tmp_path):
    squad(tmp_path / "train" / "en.json", ("Lake", PARAGRAPH, [("a1", "How deep?")]))
    squad(tmp_path / "test" / "en.json", ("Sea", "A quite different sentence stands here.", [("b1", "Where?")]))
    (leak,) = inspect_paths([tmp_path / "train"], [tmp_path / "test"])["leakage"]
    assert (leak["questions"]["by_id"], leak["questions"]["by_text"], leak["passages"]["by_text"]) == (0, 0, 0)
    assert (leak["sentences"]["by_text"], leak["articles"]["by_title"], leak["examples"]) == (0, 0, [])


def test_a_sentence_in_bitext_is_found(tmp_path):
    (tmp_path / "en-th.tsv").write_text("nobody has ever dared to swim there\tไม่มีใคร\n", encoding="utf-8")
    squad(tmp_path / "test" / "en.json", ("Lake", PARAGRAPH, [("a1", "How deep?")]))
    (leak,) = inspect_paths([tmp_path / "en-th.tsv"], [tmp_path / "test"])["leakage"]
    assert leak["sentences"]["by_text"] == 1


def test_what_was_left_out_is_shown(tmp_path):
    (tmp_path / "de-en.tsv").write_text("Hund\tdog\nbroken\n", encoding="utf-8")
    report = inspect_paths([tmp_path / "de-en.tsv"])
    assert "left out: 1 x line that has not two columns" in render(report)
    assert render(report).startswith("Data\n")
    with pytest.raises(InputError, match=r"de-en\.tsv:2"):
        inspect_paths([tmp_path / "de-en.tsv"], strict=True)


def test_every_format_can_be_inspected(tmp_path):
    (tmp_path / "p.jsonl").write_text('{"query": "q", "positive": "p", "lang": "en"}\n')
    folder = tmp_path / "beir"
    (folder / "qrels").mkdir(parents=True)
    (folder / "corpus.jsonl").write_text('{"_id": "d1", "title": "T", "text": "t"}\n')
    (folder / "queries.jsonl").write_text('{"_id": "1", "text": "q"}\n')
    (folder / "qrels" / "dev.tsv").write_text("1\td1\t1\n")
    pairs, beir = inspect_paths([tmp_path / "p.jsonl", folder])["training"]
    assert (pairs["format"], pairs["counts"]["questions"], pairs["counts"]["passages"]) == ("pairs", 1, 1)
    assert (beir["format"], beir["counts"]["articles"]) == ("beir", 1)


@pytest.mark.slow
@pytest.mark.data
def test_xquad_r_against_squad_dev_parallel_and_mlqa(data):
    report = inspect_paths([data / "squad-dev-parallel", data / "mlqa"], [data / "xquad-r"])
    (xquad,) = report["evaluation"]
    assert xquad["coverage"]["questions"] == {11: 1190}
    assert sum(one["sentences"] for one in xquad["languages"].values()) == 13_014
    assert xquad["counts"] == {"questions": 13_090, "question_groups": 1_190, "passages": 2_640, "articles": 48}
    dev, mlqa = report["leakage"]
    # the README of the data: no paragraph, but the same 48 articles
    assert (dev["questions"]["by_id"], dev["passages"]["by_text"], dev["articles"]["by_title"]) == (0, 0, 48)
    assert (mlqa["questions"]["by_id"], mlqa["passages"]["by_text"]) == (0, 0)


@pytest.mark.slow
@pytest.mark.data
def test_a_benchmark_leaks_into_itself(data):
    (leak,) = inspect_paths([data / "ntrex"], [data / "ntrex"])["leakage"]
    assert leak["passages"]["by_text"] == leak["passages"]["total"] == 1_997 * 11
