from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tests import help_centre
from triglot.corpus.clicks import TEST, TRAIN, Prepared, prepare
from triglot.corpus.description import ArticleColumns, Articles, ClickColumns, Clicks, Description
from triglot.corpus.formats.passages import read_passages
from triglot.files import InputError
from triglot.text import normalise

TABLES = Description(
    (Articles(ArticleColumns(("title", "body"), "id", "lang", "key"), "articles"),),
    (Clicks(ClickColumns("query", "clicked", "lang"), "clicks"),),
)


def of(articles: list[dict[str, Any]], clicks: list[dict[str, Any]], description: Description = TABLES) -> Prepared:
    rows = {"articles": articles, "clicks": clicks}
    given = {name: iter([(n, f"{name}:{n}", row) for n, row in enumerate(made, 1)]) for name, made in rows.items()}
    return prepare(description, given=given)


def article(number: int, lang: str = "en", key: str = "", text: str = "") -> dict[str, Any]:
    return {"id": number, "lang": lang, "key": key, "title": f"t{number}", "body": text or f"body {number} {lang}"}


def click(query: str, clicked: Any, lang: str = "en") -> dict[str, Any]:
    return {"query": query, "clicked": clicked, "lang": lang}


TWENTY = [article(n) for n in range(20)]
ASKED = [click(f"question {n}", str(n)) for n in range(20)]


def test_training_and_benchmark_share_no_article_and_no_question() -> None:
    articles, log = help_centre.rows(searches=900)
    columns = (
        ArticleColumns(("title", "body"), "id", "locale", "translation_key"),
        ClickColumns("query", "clicked_id", "lang"),
    )
    made = of(articles, log, Description((Articles(columns[0], "articles"),), (Clicks(columns[1], "clicks"),)))
    groups = {part: {g for one in asked.values() for g in one.clicks} for part, asked in made.questions.items()}
    assert groups[TEST] <= made.test
    assert groups[TRAIN].isdisjoint(made.test)
    assert len(made.test) == round(0.2 * 48)
    texts = {
        part: {normalise(t) for one in asked.values() for t in one.texts.values()}
        for part, asked in made.questions.items()
    }
    assert texts[TRAIN].isdisjoint(texts[TEST])
    corpus = made.corpus()
    held_out = {text for (group, _), text in made.texts.items() if group in made.test}
    assert held_out.isdisjoint(corpus.texts.to_pylist())
    contents = made.contents()
    assert contents.corpus.texts == made.texts  # the pool is the whole help centre
    assert {document for _, document, _ in contents.judgements} == groups[TEST]
    clicks = {(row["lang"], " ".join(row["query"].lower().split()), row["clicked_id"]) for row in log}
    assert sum(len(one.clicks) for asked in made.questions.values() for one in asked.values()) <= len(clicks)
    assert made.tally.read["searches"] == made.tally.read["clicks"] == 900


def test_the_draw_is_by_name_and_seed() -> None:
    first = of(TWENTY, ASKED)
    assert of(TWENTY[::-1], ASKED[::-1]).test == first.test
    assert of(TWENTY, ASKED, replace(TABLES, seed=2)).test != first.test
    more = of([*TWENTY, article(99)], [*ASKED, click("something new", 99)])
    assert len(more.test & first.test) >= 3


def test_translations_and_equal_texts_stay_together() -> None:
    groups = [article(n, lang, f"k{n // 2}") for n in range(40) for lang in ("en" if n % 2 else "de",)]
    made = of(groups, [click(f"q {n}", str(n), "de" if n % 2 else "en") for n in range(40)])
    assert made.test <= {f"k{n}" for n in range(20)}
    twins = [article(n, text=f"the same {n // 10}") | {"title": ""} for n in range(20)]
    made = of(twins, ASKED, replace(TABLES, test_size=0.5))
    assert made.test in ({f"id-{n}" for n in range(10)}, {f"id-{n}" for n in range(10, 20)})


def test_repeated_clicks_are_one_pair_and_rare_ones_are_left_out() -> None:
    log = [*ASKED, *ASKED, click("Question  3", "3"), click("rare", "4")]
    made = of(TWENTY, log, replace(TABLES, min_clicks=2))
    assert sum(len(asked) for asked in made.questions.values()) == 20
    assert made.tally.left_out["question and article with fewer than 2 clicks"].count == 1
    assert made.tally.read["clicks that repeat a question and its article (counted once)"] == 21


def test_what_cannot_be_used_is_counted_with_its_reason() -> None:
    articles = [
        *TWENTY,
        article(20) | {"title": "", "body": " "},
        article(21, ""),
        article(22) | {"id": ""},
        article(3, key="other"),
        article(30, key="k", text="one"),
        article(31, key="k", text="two"),
    ]
    log = [
        *ASKED,
        click("", "1"),
        click("lost", "999"),
        click("none", ""),
        click("x", "1", ""),
        click("both", ["1", 2.0]),
    ]
    made = of(articles, log)
    assert {
        reason: (one.count, one.first) for reason, one in made.tally.left_out.items() if "benchmark" not in reason
    } == {
        "article without a text": (1, "articles:21"),
        "article without a language": (1, "articles:22"),
        "article without an id": (1, "articles:23"),
        "article whose id another article has": (1, "articles:24"),
        "article of a group that has one in this language already": (1, "articles:26"),
        "search without a query": (1, "clicks:21"),
        "click on an id that no article has": (1, "clicks:22"),
        "search without a click": (1, "clicks:23"),
        "search without a language": (1, "clicks:24"),
    }
    both = [one for asked in made.questions.values() for one in asked.values() if one.texts["en"] in ("both",)]
    assert both[0].clicks.keys() <= {"id-1", "id-2"}


def test_a_question_with_clicks_on_both_sides_is_trained_on_without_those_of_the_benchmark() -> None:
    held_out = sorted(of(TWENTY, ASKED).test)[0].removeprefix("id-")
    other = next(str(n) for n in range(20) if f"id-{n}" not in of(TWENTY, ASKED).test)
    made = of(TWENTY, [*ASKED, click("either", held_out), click("either", other), click("EITHER!", held_out, "de")])
    mine = [
        (part, one.clicks)
        for part, asked in made.questions.items()
        for one in asked.values()
        if "either" in str(one).lower()
    ]
    assert mine == [(TRAIN, {f"id-{other}": 1})]
    assert made.tally.left_out["clicks on articles of the benchmark by a question that training has"].count == 2


def test_questions_beside_answers_need_no_clicks() -> None:
    faq = Description((Articles(ArticleColumns("answer", "id", "lang", query="question"), "articles"),), test_size=0.5)
    rows = [
        {"id": n, "lang": lang, "question": f"{lang} question {n}", "answer": f"{lang} answer {n}"}
        for n in range(4)
        for lang in ("de", "en")
    ]
    made = of(rows, [], faq)
    assert all(set(one.texts) == {"de", "en"} for asked in made.questions.values() for one in asked.values())
    assert [len(asked) for asked in made.questions.values()] == [2, 2]
    twice = [*rows, rows[0] | {"question": "another one"}]
    assert sum(len(asked) for asked in of(twice, [], faq).questions.values()) == 6


def test_a_language_of_a_table_and_languages_that_are_wanted() -> None:
    tables = replace(TABLES, clicks=(Clicks(ClickColumns("query", "clicked"), "clicks", "en"),))
    log = [{"query": f"question {n}", "clicked": n} for n in range(20)]
    assert of(TWENTY, log, tables).languages == ("en",)
    german = [article(n, "de", f"k{n}") for n in range(20)]
    english = [article(100 + n, "en", f"k{n}") for n in range(20)]
    made = of(
        [*german, *english], [click(f"q {n}", 100 + n, "de") for n in range(20)], replace(TABLES, languages=("de",))
    )
    assert made.languages == ("de",)
    assert made.tally.read["articles in other languages (not asked for)"] == 20
    lost = Clicks(ClickColumns("query", "clicked"), "clicks")
    with pytest.raises(InputError, match="clicks: no column tells the language; give `language: xx` beside its path"):
        of(TWENTY, log, replace(TABLES, clicks=(lost,)))


def test_too_little_is_an_error() -> None:
    with pytest.raises(InputError, match="no click can be used; read: 20 articles"):
        of(TWENTY, [])
    with pytest.raises(
        InputError, match=r"no question is left for the benchmark: 1 questions with clicks on 1 articles"
    ):
        of(TWENTY, ASKED[:1])
    assert not of(TWENTY, ASKED[:1], replace(TABLES, test_size=0.0)).test


def test_html_is_taken_out_and_counted() -> None:
    articles = [
        article(1, text="<p>Open &quot;My pages&quot;</p><ul><li>a<li>b</ul>"),
        *TWENTY[2:],
        article(99, text="a < b"),
    ]
    made = of(articles, [*ASKED[1:], click("less", "99")])
    assert made.texts["id-1", "en"] == 't1 Open "My pages" a b'
    assert made.texts["id-99", "en"] == "t99 a < b"
    assert made.tally.read["articles with HTML (tags and entities taken out)"] == 1
    kept = of(articles, ASKED[1:], replace(TABLES, strip_html=False))
    assert kept.texts["id-1", "en"].startswith("t1 <p>")


def test_articles_of_a_table_without_groups_are_no_group_of_another() -> None:
    faq = Articles(ArticleColumns("text", "id", "lang"), "faq")
    rows = [{"id": f"f{n}", "lang": "fr", "text": f"faq {n}"} for n in range(3)] + [
        {"id": 1, "lang": "fr", "text": "x"}
    ]
    keyed = [article(n, key=f"f{n}") for n in range(20)]
    given = {"articles": keyed, "faq": rows, "clicks": ASKED}
    tables = {name: iter([(n, f"{name}:{n}", row) for n, row in enumerate(made, 1)]) for name, made in given.items()}
    made = prepare(replace(TABLES, articles=(*TABLES.articles, faq)), given=tables)
    assert made.texts["id-f1", "fr"] == "faq 1"
    assert ("f1", "fr") not in made.texts
    assert made.tally.left_out["article whose id another article has"].count == 1


def test_equal_ids_without_groups_are_translations_and_said() -> None:
    plain = replace(TABLES, articles=(Articles(ArticleColumns("body", "id", "lang"), "articles"),))
    made = of([*TWENTY, article(1, "de"), article(2, "de")], ASKED, plain)
    assert made.texts["1", "de"] == "body 1 de"
    assert made.tally.read["articles with the id of one in another language (taken for translations)"] == 2


@pytest.mark.parametrize("nothing", ["NULL", "nan", "None", "\\N", "<NA>"])
def test_what_an_export_writes_for_nothing_is_nothing(nothing: str) -> None:
    articles = [
        *(article(n, key=nothing) for n in range(20)),
        article(98, lang=nothing),
        article(99, "de", key=nothing),
    ]
    made = of(articles, [*ASKED, click("nobody", nothing), click(nothing, "3")])
    assert len({group for group, _ in made.texts}) == 21
    assert {lang for _, lang in made.texts} == {"en", "de"}
    assert made.tally.left_out["article without a language"].count == 1
    assert made.tally.left_out["search without a click"].count == 1
    assert made.tally.read["cells with NULL, nan or the like (taken for empty)"] == 23


def test_numbers_that_a_data_frame_made_decimals_of() -> None:
    described = replace(TABLES, clicks=(Clicks(ClickColumns("query", "clicked", "lang", "n"), "clicks"),))
    counts = ["1.0", "2", "\u00b2", "1.5", "0.0"]
    made = of(
        TWENTY,
        [
            *({**click(f"q{n}", f"{n}.0"), "n": told} for n, told in enumerate(counts)),
            *({**one, "n": 1.0} for one in ASKED),
        ],
        described,
    )
    assert made.tally.read["clicks"] == 23
    assert made.tally.left_out["search whose number of clicks is no whole number"].count == 2
    assert made.tally.left_out["search without a click"].count == 1


def test_a_question_beside_its_article_counts_once() -> None:
    described = Description((Articles(ArticleColumns("body", "id", "lang", "key", "title"), "articles"),))
    rows = [article(n, lang, key=f"k{n}") for n in range(20) for lang in ("en", "de")]
    rows[2]["title"] = rows[0]["title"] = "Can&#39;t log in?"
    made = of([*rows, *rows[:4]], [], described)
    asked = [one for part in made.questions.values() for one in part.values()]
    assert len(asked) == 20
    assert all(set(one.texts) == {"en", "de"} for one in asked)
    assert "Can't log in?" in {one.texts["en"] for one in asked}
    assert made.tally.read["questions that stand beside their article again (counted once)"] == 4


def test_a_language_that_nothing_is_in_is_refused() -> None:
    with pytest.raises(InputError, match="languages: nothing is in 'frr'"):
        of(TWENTY, ASKED, replace(TABLES, languages=("en", "frr")))


def test_what_is_trained_on_is_what_is_searched(tmp_path: Path) -> None:
    """One door for the text of an article: `data prepare`, and the passages of `encode` and `search`."""
    rows = [article(n, text=f"<p>body &amp; soul {n}</p> ") | {"title": f"Vec<T> {n}"} for n in range(20)]
    made = of(rows, ASKED)
    (tmp_path / "articles.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows), "utf-8")
    ids, texts = read_passages(tmp_path / "articles.jsonl")
    assert {(f"id-{one}", "en"): text for one, text in zip(ids, texts, strict=True)} == dict(made.texts)
