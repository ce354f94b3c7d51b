"""Benchmarks and training data from what others hold in memory: dictionaries, rows, and tables that speak Arrow."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import numpy as np
import pyarrow as pa

from triglot.corpus.parallel import CorpusBuilder, ParallelCorpus
from triglot.corpus.retrieval import RetrievalSet, Texts
from triglot.files import InputError, nearest
from triglot.graph import components
from triglot.language_tags import language as language_of
from triglot.text import titled

Value = str | Mapping[str, str | None] | None


def retrieval_set(
    queries: Mapping[str, str],
    corpus: Mapping[str, str | Mapping[str, str]],
    qrels: Mapping[str, Mapping[str, int] | Iterable[str]],
    *,
    languages: str | Mapping[str, str],
    groups: Mapping[str, str] | None,
    **fields: Any,
) -> RetrievalSet:
    """See `RetrievalSet.from_dicts`; `fields` are those of the set."""
    judged = {query: _grades(query, answers) for query, answers in qrels.items()}
    _check_ids(judged, queries, corpus)
    answered = [query for query in queries if any(grade > 0 for grade in judged.get(query, {}).values())]
    if not answered:
        raise InputError("qrels: no query has a relevant passage")
    passages = {identifier: _titled(identifier, passage) for identifier, passage in corpus.items()}
    code_of = _languages({**dict.fromkeys(answered), **dict.fromkeys(passages)}, languages)
    codes = tuple(sorted(set(code_of.values())))
    number_of = {code: number for number, code in enumerate(codes)}
    query_row = {identifier: row for row, identifier in enumerate(answered)}
    passage_row = {identifier: row for row, identifier in enumerate(passages)}
    triples = np.array(
        sorted(
            (row, passage_row[one], grade) for query, row in query_row.items() for one, grade in judged[query].items()
        ),
        np.int64,
    )
    group = _numbers([(groups or {}).get(query, ("alone", query)) for query in answered])
    relevant = triples[triples[:, 2] > 0]
    node = int(group.max()) + 1
    cluster = components(node + len(passages), group[relevant[:, 0]].tolist(), (node + relevant[:, 1]).tolist())
    of_passages = cluster[node:]
    has_query = np.isin(np.arange(len(passages)), relevant[:, 1])

    def lang(ids: Iterable[str]) -> np.ndarray:
        return np.array([number_of[code_of[identifier]] for identifier in ids], np.int16)

    left_out = len(queries) - len(answered)
    return RetrievalSet(
        languages=codes,
        queries=Texts(
            answered, [_text(query, queries[query]) for query in answered], lang(answered), group, cluster[group]
        ),
        passages=Texts(
            list(passages),
            list(passages.values()),
            lang(passages),
            np.where(has_query, of_passages, -1).astype(np.int32),
            of_passages,
        ),
        judgements=triples,
        notes=(f"{left_out} queries have no relevant passage",) if left_out else (),
        **fields,
    )


def _grades(query: str, answers: Mapping[str, int] | Iterable[str]) -> dict[str, int]:
    """Passage id -> grade."""
    if isinstance(answers, str):
        raise InputError(f"qrels: {query}: a dictionary of grades, or a list of ids was expected, not one string")
    if not isinstance(answers, Mapping):
        return dict.fromkeys(answers, 1)
    for passage, grade in answers.items():
        if int(grade) != grade:
            raise InputError(f"qrels: {query}: {passage}: the grade {grade!r} is not a whole number")
    return {passage: int(grade) for passage, grade in answers.items()}


def _check_ids(judged: Mapping[str, Mapping[str, int]], queries: Mapping[str, str], corpus: Mapping[str, Any]) -> None:
    for query, answers in judged.items():
        if query not in queries:
            raise InputError(f"qrels: {query!r} is not among the queries{nearest(query, queries, listed=False)}")
        for passage in answers:
            if passage not in corpus:
                raise InputError(
                    f"qrels: {query}: {passage!r} is not in the corpus{nearest(passage, corpus, listed=False)}"
                )


def _text(identifier: str, text: Any) -> str:
    if not isinstance(text, str) or not text.strip():
        raise InputError(f"{identifier}: {text!r:.60} is not a text" if text else f"{identifier}: an empty text")
    return text


def _titled(identifier: str, passage: str | Mapping[str, str]) -> str:
    if not isinstance(passage, Mapping):
        return _text(identifier, passage)
    title, text = passage.get("title") or "", passage.get("text") or ""
    return _text(identifier, titled(title, text))


def _languages(ids: Iterable[str], languages: str | Mapping[str, str]) -> dict[str, str]:
    if isinstance(languages, str):
        return dict.fromkeys(ids, language_of(languages, "languages"))
    codes = {}
    for identifier in ids:
        if identifier not in languages:
            raise InputError(f"languages: has no entry for {identifier!r}")
        codes[identifier] = language_of(languages[identifier], f"languages: {identifier}")
    return codes


def _numbers(values: Iterable[Any]) -> np.ndarray:
    """(values,) int32: equal values share a number, numbered by first appearance."""
    number: dict[Any, int] = {}
    return np.array([number.setdefault(value, len(number)) for value in values], np.int32)


def corpus_of_rows(
    rows: Iterable[Mapping[str, Any]],
    *,
    query: str,
    passage: str,
    negatives: str,
    query_language: str,
    passage_language: str,
    query_group: str,
    passage_group: str,
    title: str,
    language: str,
    name: str,
) -> ParallelCorpus:
    """See `ParallelCorpus.from_rows`."""
    builder = CorpusBuilder(name)
    texts: dict[tuple[str, str], str] = {}

    def group(row: Mapping[str, Any], number: int, column: str, spoken: str, named: str, prefix: str) -> str:
        """The group of a row's question or passage, with its texts."""
        value = row.get(named)
        key = f"{prefix}/{value}" if value not in (None, "") else f"{prefix}/row-{number}"
        _give(
            builder, texts, key, _by_language(row, number, column, spoken, language), str(row.get(title) or ""), number
        )
        return key

    same = passage == query
    hard_of: dict[tuple[str, str], dict[str, None]] = {}
    for number, row in enumerate(rows, 1):
        q = group(row, number, query, query_language, query_group, "text" if same else "question")
        p = q if same else group(row, number, passage, passage_language, passage_group, "passage")
        hard = []
        for place, negative in enumerate(row.get(negatives) or ()):
            key = f"negative/row-{number}/{place}"
            _give(
                builder,
                texts,
                key,
                _by_language({**row, negatives: negative}, number, negatives, passage_language, language),
                "",
                number,
            )
            hard.append(key)
        # Rows of one question and passage, each in another language, are one row.
        hard_of.setdefault((q, p), {}).update(dict.fromkeys(hard))
    for (q, p), hard in hard_of.items():
        builder.row(q, p, hard)
    if not texts:
        raise InputError(f"{name}: there are no rows")
    return builder.build().tied()


def _give(
    builder: CorpusBuilder,
    texts: dict[tuple[str, str], str],
    key: str,
    given: Mapping[str, str],
    title: str,
    number: int,
) -> None:
    for code, text in given.items():
        if texts.setdefault((key, code), text) != text:
            raise InputError(f"row {number}: {key.partition('/')[2]!r} has another text in {code!r} already")
        builder.text(key, code, text, title)


def _by_language(row: Mapping[str, Any], number: int, column: str, spoken: str, default: str) -> dict[str, str]:
    """Language -> text of a column: a text in the row's language, or a dictionary of translations, in which None is
    none."""
    if column not in row:
        raise InputError(f"row {number}: has no {column!r}{nearest(column, row)}")
    value = row[column]
    if isinstance(value, Mapping):
        texts = {language_of(code, f"row {number}"): text for code, text in value.items() if text is not None}
    else:
        texts = {language_of(str(row.get(spoken) or default), f"row {number}"): value}
    for text in texts.values():
        _text(f"row {number}: {column}", text)
    if not texts:
        raise InputError(f"row {number}: {column}: an empty text")
    return texts


def rows_of_table(data: Any, columns: Iterable[str] | None = None, block: int = 4096) -> Iterator[dict[str, Any]]:
    """Rows of whatever speaks Arrow (a table, a data frame of pandas or polars), or of a `datasets.Dataset`, as
    dictionaries.

    Args:
        data: the table.
        columns: those that are wanted, as far as the table has them; None for all.
        block: rows that are made at a time.

    Raises:
        InputError: it is no table.
    """
    if hasattr(data, "with_format") and hasattr(data, "features"):  # datasets.Dataset, with its selection and order
        data = data.with_format("arrow")[:]
    try:
        table = data if isinstance(data, pa.Table) else pa.table(data)
    except (TypeError, ValueError, pa.ArrowInvalid):
        raise InputError(
            f"{type(data).__name__}: not a table that Arrow can read; `from_rows` takes any rows"
        ) from None
    wanted = set(table.column_names if columns is None else columns)
    for batch in table.select([column for column in table.column_names if column in wanted]).to_batches(
        max_chunksize=block
    ):
        yield from batch.to_pylist()
