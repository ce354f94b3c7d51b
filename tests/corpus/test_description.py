from __future__ import annotations

from pathlib import Path

import pytest

from tests import help_centre
from triglot.corpus.description import (
    ArticleColumns,
    Articles,
    ClickColumns,
    Clicks,
    describe,
    guess,
    read_description,
    split_columns,
    to_yaml,
)
from triglot.files import InputError


def of(names: str, path: str = "x.csv", told: tuple[str, ...] = ()) -> Articles | Clicks:
    return guess({path: {name: ["value"] for name in names.split()}}, told)[0].table


def test_columns_are_told_by_their_names() -> None:
    assert of("id locale title body translation_key").columns == ArticleColumns(
        ("title", "body"), "id", "locale", "translation_key"
    )
    assert of("query lang clicked_id").columns == ClickColumns("query", "clicked_id", "lang")
    assert of("Search-Term Doc_ID Locale Count").columns == ClickColumns("Search-Term", "Doc_ID", "Locale", "Count")
    assert of("id language question answer").columns == ArticleColumns("answer", "id", "language", query="question")
    assert of("id text", "help.de.csv") == Articles(ArticleColumns("text", "id"), "help.de.csv", "de")


@pytest.mark.parametrize(
    ("path", "code"),
    [
        ("articles-pt-br.tsv.gz", "pt-BR"),
        ("de.jsonl", "de"),
        ("articles.jsonl.gz", ""),
        ("articles.pq", ""),
        ("kb.csv", ""),
        ("my_articles.csv", ""),
        ("to_translate.csv", ""),
    ],
)
def test_a_file_name_tells_a_language_at_its_end_alone(path: str, code: str) -> None:
    assert of("id text", path).language == code


def test_told_columns_come_first_and_the_rest_is_guessed() -> None:
    told = ("text=summary+body,group=ref", "query=words,article=page")
    assert of("id lang title summary body ref", told=told[:1]).columns == ArticleColumns(
        ("summary", "body"), "id", "lang", "ref"
    )
    both = guess(
        {"a": {k: ["v"] for k in ["id", "lang", "summary", "body", "ref"]}, "b": {"words": ["x"], "page": ["1"]}}, told
    )
    assert [one.told for one in both] == [("text", "group"), ("query", "article")]
    assert both[1].table.columns == ClickColumns("words", "page")


@pytest.mark.parametrize(
    ("names", "told", "message"),
    [
        ("a b", (), r"x\.csv: no column looks like the text of an article; it has a, b\. Say which: --columns id="),
        ("id text", ("text=txt",), r"--columns text=txt: no column 'txt'; did you mean 'text'\?"),
        ("id text", ("texts=text",), r"there is no role 'texts'; did you mean 'text'\?"),
        ("id text", ("text",), r"--columns text: 'text' is not ROLE=COLUMN"),
        ("id text", ("article=id",), r"no column looks like a query"),
    ],
)
def test_what_cannot_be_told_is_said(names: str, told: tuple[str, ...], message: str) -> None:
    with pytest.raises(InputError, match=message):
        of(names, told=told)


def test_a_sum_of_columns() -> None:
    assert split_columns("id=a, text=b+c") == {"id": "a", "text": ("b", "c")}


def test_the_guess_is_read_back_as_it_was_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(help_centre.write(tmp_path / "here"))
    description, guesses = describe(["articles.csv", "searchlog.csv"])
    text = to_yaml(description, guesses, "triglot data describe")
    assert "# To change the password" not in text
    assert "# change your password" in text
    assert "# not read: views" in text
    assert max(map(len, text.splitlines())) <= 80
    Path("data.yaml").write_text(text, "utf-8")
    assert read_description("data.yaml") == description


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("sources: []\n", r"d\.yaml: a recipe, as it seems; no description of tables; `triglot data describe"),
        ("articles: []\n", r"articles: names no table"),
        ("articles:\n- columns: {text: a}\n", r"clicks: is missing, and no table of articles has a column `query`"),
        (
            "articles:\n- columns: {text: a}\nclicks:\n- columns: {query: q, article: a}\n",
            r"articles\.0\.columns\.id: is missing; clicks name articles by it",
        ),
        ("articles:\n- columns: {text: a, query: q}\n", r"d\.yaml:2: articles\.0\.path: is missing"),
        ("articles:\n- columns: {txt: a}\n", r"articles\.0\.columns\.txt: no such setting; did you mean 'text'"),
        (
            "articles:\n- columns: {text: a, query: q}\n  path: a.csv\ntest_size: 20\n",
            r"d\.yaml:4: test_size: 20\.0 is",
        ),
    ],
)
def test_a_wrong_description_names_line_and_key(tmp_path: Path, text: str, message: str) -> None:
    (tmp_path / "d.yaml").write_text(text, "utf-8")
    with pytest.raises(InputError, match=message):
        read_description(tmp_path / "d.yaml")


def test_what_is_shown_of_a_table_stays_in_its_comment(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text('id,lang,text,"Views\n2: all"\n1,en,"\x08bell\u2028x",9\n', "utf-8")
    (tmp_path / "log.csv").write_text("query,lang,clicked_id\nq,en,1\n", "utf-8")
    paths = [str(tmp_path / name) for name in ("a.csv", "log.csv")]
    description, guesses = describe(paths)
    (tmp_path / "data.yaml").write_text(to_yaml(description, guesses, f"triglot\n{paths}"), "utf-8")
    assert read_description(tmp_path / "data.yaml") == description


def test_questions_of_articles_beside_a_log_are_taken_where_they_were_named() -> None:
    samples = {
        "a": {k: ["v"] for k in ("id", "lang", "text", "keywords")},
        "b": {k: ["v"] for k in ("query", "lang", "clicked_id")},
    }
    told = ("id=id,text=text", "id=id,text=text,query=keywords")
    found = [describe([], words, samples)[0].articles[0].columns.query for words in (told[:1], told[1:])]
    assert found == ["", "keywords"]


def test_articles_alone_are_not_enough(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("id,text\n1,x\n", "utf-8")
    with pytest.raises(InputError, match="no clicks and no questions: add the search log"):
        describe([str(tmp_path / "a.csv")])
    (tmp_path / "l.csv").write_text("query,clicked_id\nx,1\n", "utf-8")
    with pytest.raises(InputError, match="no table of articles among these"):
        describe([str(tmp_path / "l.csv")])
