"""Benchmarks and training data from dictionaries, rows and tables: what readers made is made again, and faults are
named."""

from __future__ import annotations

from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from triglot.corpus import atlas
from triglot.corpus.parallel import ParallelCorpus
from triglot.corpus.retrieval import RetrievalSet
from triglot.files import InputError

QUERIES = {"q1": "alpha?", "q2": "beta?", "q3": "gamma?"}
CORPUS = {"d1": "alpha.", "d2": {"title": "Beta", "text": "beta."}, "d3": "delta."}


def made_again(found: RetrievalSet, **more: Any) -> RetrievalSet:
    """The same benchmark, by way of dictionaries."""
    queries, passages = found.queries, found.passages
    qrels: dict[str, dict[str, int]] = {}
    for query, passage, grade in found.judgements.tolist():
        qrels.setdefault(queries.ids[query], {})[passages.ids[passage]] = grade
    of_ids = [*zip(queries.ids, queries.lang, strict=True), *zip(passages.ids, passages.lang, strict=True)]
    return RetrievalSet.from_dicts(
        dict(zip(queries.ids, queries.texts, strict=True)),
        dict(zip(passages.ids, passages.texts, strict=True)),
        qrels,
        languages={identifier: found.languages[lang] for identifier, lang in of_ids},
        groups={identifier: str(group) for identifier, group in zip(queries.ids, queries.group.tolist(), strict=True)},
        name=found.name,
        parallel=found.parallel,
        **more,
    )


def test_a_benchmark_that_a_reader_made_is_made_again() -> None:
    found = atlas.read_retrieval(name="atlas", languages=["de", "en", "th"])
    again = made_again(found, licence=found.licence)
    assert (again.name, again.languages, again.parallel, again.licence) == (
        found.name,
        found.languages,
        True,
        found.licence,
    )
    for side in ("queries", "passages"):
        one, other = getattr(found, side), getattr(again, side)
        assert (one.ids, one.texts, one.lang.tolist()) == (other.ids, other.texts, other.lang.tolist())
    assert (again.judgements == found.judgements).all()
    assert (again.queries.group == found.queries.group).all()
    assert ((again.passages.group < 0) == (found.passages.group < 0)).all()
    # Translations of a question, and of its answer, are drawn together.
    assert (again.passages.cluster[found.judgements[:, 1]] == again.queries.cluster[found.judgements[:, 0]]).all()


def test_dictionaries_of_other_libraries() -> None:
    found = RetrievalSet.from_dicts(
        QUERIES, CORPUS, {"q1": {"d1": 1, "d3": 0}, "q2": {"d2"}}, languages="en", name="toy"
    )
    assert (found.queries.ids, found.passages.texts) == (["q1", "q2"], ["alpha.", "Beta beta.", "delta."])
    assert found.judgements.tolist() == [[0, 0, 1], [0, 2, 0], [1, 1, 1]]
    assert found.notes == ("1 queries have no relevant passage",)
    assert (found.languages, found.queries.group.tolist(), found.passages.group.tolist()[2]) == (("en",), [0, 1], -1)
    assert RetrievalSet.from_dicts(QUERIES, CORPUS, {"q1": ["d1"]}).languages == ("und",)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"qrels": {"q10": ["d1"]}}, "qrels: 'q10' is not among the queries; did you mean 'q1'"),
        ({"qrels": {"q1": ["d9"]}}, "qrels: q1: 'd9' is not in the corpus"),
        ({"qrels": {"q1": "d1"}}, "qrels: q1: a dictionary of grades, or a list of ids was expected"),
        ({"qrels": {"q1": {"d1": 0.5}}}, "qrels: q1: d1: the grade 0.5 is not a whole number"),
        ({"qrels": {"q1": {"d1": 0}}}, "qrels: no query has a relevant passage"),
        ({"queries": {"q1": " "}}, "q1: ' ' is not a text"),
        ({"corpus": {"d1": {"title": "", "text": ""}}}, "d1: an empty text"),
        ({"languages": {"q1": "en"}}, "languages: has no entry for 'd1'"),
    ],
)
def test_faults_of_dictionaries_are_named(change: dict[str, Any], message: str) -> None:
    given = {
        "queries": {"q1": "alpha?"},
        "corpus": {"d1": "alpha."},
        "qrels": {"q1": ["d1"]},
        "languages": "en",
    } | change
    with pytest.raises(InputError, match=message):
        RetrievalSet.from_dicts(**given)


def pairs_of(corpus: ParallelCorpus) -> set[tuple[tuple[str, str], ...]]:
    """For each row the texts of its question and passage, with their languages."""
    found = set()
    for query, passage in zip(corpus.query.tolist(), corpus.passage.tolist(), strict=True):
        texts = [(side, group) for side, group in (("q", query), ("p", passage))]
        row = []
        for side, group in texts:
            for lang, text in enumerate(corpus.text_of[group].tolist()):
                if text >= 0:
                    row.append((f"{side}/{corpus.languages[lang]}", corpus.texts[text].as_py()))
        found.add(tuple(sorted(row)))
    return found


def rows_in_languages(corpus: ParallelCorpus) -> list[dict[str, Any]]:
    """A row for each row and language, as a table of others has them."""
    rows = []
    for query, passage in zip(corpus.query.tolist(), corpus.passage.tolist(), strict=True):
        for lang, code in enumerate(corpus.languages):
            texts = [corpus.texts[int(corpus.text_of[group, lang])].as_py() for group in (query, passage)]
            rows.append(
                {
                    "query": texts[0],
                    "passage": texts[1],
                    "lang": code,
                    "query_group": f"q{query}",
                    "passage_group": f"p{passage}",
                }
            )
    return rows


@pytest.fixture(scope="module")
def corpus() -> ParallelCorpus:
    return atlas.read_training(languages=["de", "en"])[0]


def test_training_data_that_a_reader_made_is_made_again(corpus: ParallelCorpus) -> None:
    again = ParallelCorpus.from_rows(rows_in_languages(corpus), query_language="lang", passage_language="lang")
    assert (len(again), again.languages, again.sources) == (len(corpus), corpus.languages, ("rows",))
    assert pairs_of(again) == pairs_of(corpus)


@pytest.mark.parametrize("kind", ["arrow", "pandas", "datasets", "datasets, chosen", "batches"])
def test_tables_of_other_libraries(corpus: ParallelCorpus, kind: str) -> None:
    table: Any = pa.Table.from_pylist(rows_in_languages(corpus)[:200])
    if kind == "pandas":
        pytest.importorskip("pandas")
        table = table.to_pandas()
    elif kind.startswith("datasets"):
        datasets = pytest.importorskip("datasets")
        table = datasets.Dataset(table)
        table = table.select(range(100)) if kind.endswith("chosen") else table
    elif kind == "batches":
        table = table.to_reader()
    found = ParallelCorpus.from_dataset(table, query_language="lang", passage_language="lang", name="own")
    assert found.sources == ("own",)
    assert pairs_of(found) <= pairs_of(corpus)
    assert len(found) == (50 if kind.endswith("chosen") else 100)


def test_translations_in_one_column_and_hard_negatives() -> None:
    rows = [
        {
            "q": {"de": "eins?", "en": "one?", "fr": None},
            "p": "eins.",
            "no": ["zwei.", {"de": "drei.", "en": "three."}],
            "code": "de",
        },
        {"q": "two?", "p": "two.", "code": "en"},
    ]
    found = ParallelCorpus.from_rows(
        rows, query="q", passage="p", negatives="no", query_language="code", passage_language="code"
    )
    assert (len(found), found.languages) == (2, ("de", "en"))
    assert found.negatives is not None
    negatives = [
        found.texts[i].as_py() for group in found.negatives[0].as_py() for i in found.text_of[group].tolist() if i >= 0
    ]
    assert negatives == ["zwei.", "drei.", "three."]
    assert len(found.negatives[1].as_py()) == 0


def test_bitext_has_one_column() -> None:
    table = pa.table({"translation": [{"de": "eins", "en": "one"}, {"de": "zwei", "en": "two"}]})
    found = ParallelCorpus.from_dataset(table, query="translation", passage="translation")
    assert (found.query == found.passage).all()
    assert len(found) == 2
    assert len(found.texts) == 4


@pytest.mark.parametrize(
    ("rows", "columns", "message"),
    [
        ([], {}, "rows: there are no rows"),
        ([{"query": "a", "pasage": "b"}], {}, "row 1: has no 'passage'; did you mean 'pasage'"),
        ([{"query": "a", "passage": ""}], {}, "row 1: passage: an empty text"),
        ([{"query": "a", "passage": 3}], {}, "row 1: passage: 3 is not a text"),
        ([{"query": "a", "passage": {"../de": "b"}}], {}, "row 1: .*de"),
        (
            [{"query": "a", "passage": "b", "query_group": 1}, {"query": "c", "passage": "d", "query_group": 1}],
            {},
            "row 2: '1' has another",
        ),
    ],
)
def test_faults_of_rows_are_named(rows: list[dict[str, Any]], columns: dict[str, str], message: str) -> None:
    with pytest.raises(InputError, match=message):
        ParallelCorpus.from_rows(rows, **columns)


def test_what_is_no_table() -> None:
    with pytest.raises(InputError, match="int: not a table that Arrow can read; `from_rows` takes any rows"):
        ParallelCorpus.from_dataset(3)
    with pytest.raises(InputError, match="from_dataset has no argument 'qeury'; did you mean 'query'"):
        ParallelCorpus.from_dataset(pa.table({"a": ["b"]}), qeury="a")
    assert np.array_equal(ParallelCorpus.from_dataset(pa.table({"query": ["a"], "passage": ["b"]})).query, [0])
