"""Training pairs in which a question and a passage exist in several languages."""

from __future__ import annotations

import hashlib
import inspect
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from textwrap import shorten
from typing import Any

import numpy as np
import pyarrow as pa

from triglot.files import InputError, nearest
from triglot.graph import components
from triglot.text import said

MAX_LANGUAGES = 64  # a row's languages travel as the bits of one uint64
_MEMBER = "~~"


def member_id(family: str, member: str) -> str:
    """The id of a group that must not be a negative of others of its family; ids that agree up to the first `~~` are of
    one family."""
    return f"{family}{_MEMBER}{member}"


def variant_id(group: str, copy: int) -> str:
    """The id of a changed copy of a group: another group, but of its family."""
    return member_id(group, f"aug{copy}")


@dataclass(frozen=True)
class ParallelCorpus:
    """Rows (query group, passage group, source); a group is one meaning with a text in some of the languages.

    Attributes:
        languages: language codes; an index into this tuple is what `text_lang` and the planner use.
        sources: source names.
        texts: (texts,) Arrow large_string.
        text_lang: (texts,) int16.
        text_group: (texts,) int32; at most one text a group and language.
        group_ids: (groups,) Arrow large_string, unique, stable over runs.
        group_titles: (groups,) Arrow large_string, the article; empty where unknown.
        query, passage: (rows,) int32, groups. Bitext rows have query == passage.
        source: (rows,) int16.
        negatives: (rows,) Arrow list<int32> of passage groups (mined hard negatives), or None.
        alike: (groups,) int32, one number for questions, and for passages, that say the same (see `tied`); None where
            only groups tell.
        label: (rows,) int8 index into `labels`, -1 for a row without; None where no row has one. A labelled row is
            classified and never ranked: its passage need not be an answer.
        labels: names of the classes.

    Raises:
        InputError: more than 64 languages.
    """

    languages: tuple[str, ...]
    sources: tuple[str, ...]
    texts: pa.Array
    text_lang: np.ndarray
    text_group: np.ndarray
    group_ids: pa.Array
    group_titles: pa.Array
    query: np.ndarray
    passage: np.ndarray
    source: np.ndarray
    negatives: pa.Array | None = None
    alike: np.ndarray | None = None
    label: np.ndarray | None = None
    labels: tuple[str, ...] = ()

    def __repr__(self) -> str:
        said = f"{len(self):,} rows, {len(self.texts):,} texts in {', '.join(self.languages)}"
        return f"ParallelCorpus({said}; from {shorten(', '.join(self.sources), 200, placeholder=' ...')})"

    def __post_init__(self) -> None:
        if len(self.languages) > MAX_LANGUAGES:
            named = ", ".join([*self.sources[:3], *(["..."] if len(self.sources) > 3 else [])])
            raise InputError(
                f"{named}: {len(self.languages)} languages, and training takes at most {MAX_LANGUAGES} at once; "
                "name them in `languages:` "
                f"({', '.join(self.languages[:3])}, ...)"
            )

    @classmethod
    def from_rows(
        cls,
        rows: Iterable[Mapping[str, Any]],
        *,
        query: str = "query",
        passage: str = "passage",
        negatives: str = "negatives",
        query_language: str = "query_lang",
        passage_language: str = "passage_lang",
        query_group: str = "query_group",
        passage_group: str = "passage_group",
        title: str = "title",
        language: str = "und",
        name: str = "rows",
    ) -> ParallelCorpus:
        """Training data from rows; all arguments but the rows, `language` and `name` are names of columns.

        A text may be a string, whose language another column or `language` tells, or a dictionary of translations, code
        -> text. Columns that a row does not have are passed over, but for the query and the passage.

        Args:
            rows: dictionaries, a `datasets.Dataset` (streamed ones too) among them.
            query: the question, or the first text of bitext.
            passage: its answer; the same column as `query` makes bitext of the translations in it.
            negatives: a list of hard negatives.
            query_language: the code of the query.
            passage_language: the code of the passage and of its negatives.
            query_group: what the query asks: rows with the same value hold translations of one another. Without one
                each row stands for itself; questions, and passages, with the same text are never each other's
                negatives.
            passage_group: what the passage says, likewise.
            title: of the article.
            language: of texts whose row gives none; the default means not known.
            name: of the source.

        Raises:
            InputError: names the row: a column is missing, a text is empty, or a group has two texts in one language.
        """
        from triglot.corpus import dicts

        columns = {"query": query, "passage": passage, "negatives": negatives, "title": title}
        columns |= {"query_language": query_language, "passage_language": passage_language}
        columns |= {"query_group": query_group, "passage_group": passage_group}
        return dicts.corpus_of_rows(rows, **columns, language=language, name=name)

    @classmethod
    def from_dataset(cls, data: Any, **columns: str) -> ParallelCorpus:
        """Training data from a table: of Arrow, pandas, polars or whatever else speaks Arrow, or a `datasets.Dataset`.

        Args:
            data: the table.
            columns: arguments of `from_rows`.

        Raises:
            InputError: it is no table, or as `from_rows`.
        """
        from triglot.corpus import dicts

        known = inspect.signature(cls.from_rows).parameters
        for argument in columns:
            if argument not in known:
                raise InputError(f"from_dataset has no argument {argument!r}{nearest(argument, list(known)[1:])}")
        of_rows = ("rows", "language", "name")
        wanted = [columns.get(name, str(one.default)) for name, one in known.items() if name not in of_rows]
        return cls.from_rows(dicts.rows_of_table(data, wanted), **columns)

    def hash_into(self, checksum: hashlib.blake2b) -> None:
        """Feed a hash all texts, what they belong to, and the rows with their hard negatives."""
        columns = [self.text_lang, self.text_group, self.query, self.passage]
        if self.negatives is not None:
            columns += [np.asarray(self.negatives.flatten()), np.asarray(self.negatives.value_lengths())]
        if self.label is not None:
            columns.append(self.label)
        for column in columns:
            checksum.update(np.ascontiguousarray(column).tobytes())
        for buffer in pa.concat_arrays([self.texts]).buffers():
            if buffer is not None:
                checksum.update(buffer)

    def __len__(self) -> int:
        return len(self.query)

    @cached_property
    def text_of(self) -> np.ndarray:
        """(groups, languages) int32: the text of a group in a language, -1 where there is none."""
        table = np.full((len(self.group_ids), len(self.languages)), -1, np.int32)
        table[self.text_group, self.text_lang] = np.arange(len(self.texts), dtype=np.int32)
        return table

    @cached_property
    def group_languages(self) -> np.ndarray:
        """(groups,) uint64: bit l is set where the group has a text in language l."""
        mask = np.zeros(len(self.group_ids), np.uint64)
        np.bitwise_or.at(mask, self.text_group, np.uint64(1) << self.text_lang.astype(np.uint64))
        return mask

    @cached_property
    def family(self) -> np.ndarray:
        """(groups,) int32: groups that must never be each other's negatives share a family.

        Two passages share one if a row's query has both as answers, if they hold the very same text in the same
        language (an identical text cannot be its own negative), if their ids say so (`member_id`), or if the questions
        or they are `alike`.
        """
        groups = len(self.group_ids)
        query = self.query if self.alike is None else self.alike[self.query]
        order = np.argsort(query, kind="stable")
        q, p = query[order], self.passage[order]
        same_query = np.flatnonzero(q[1:] == q[:-1])
        passages = np.unique(self.passage)
        is_passage = np.zeros(groups, bool)
        is_passage[passages] = True
        keep = np.flatnonzero(is_passage[self.text_group])
        codes = (
            pa.chunked_array([self.texts.take(pa.array(keep))])
            .combine_chunks()
            .dictionary_encode()
            .indices.to_numpy(zero_copy_only=False)
        )
        key = codes.astype(np.int64) * len(self.languages) + self.text_lang[keep]
        order = np.argsort(key, kind="stable")
        key, owner = key[order], self.text_group[keep][order]
        same_text = np.flatnonzero(key[1:] == key[:-1])
        one, other = self._members()
        if self.alike is not None:  # a group's number is that of one of those alike
            one, other = np.concatenate([one, passages]), np.concatenate([other, self.alike[passages]])
        a = np.concatenate([p[same_query], owner[same_text], one])
        b = np.concatenate([p[same_query + 1], owner[same_text + 1], other])
        return components(groups, a, b)

    def tied(self) -> ParallelCorpus:
        """The same corpus, in which questions with the same text in the same language are alike, and so are passages.

        For sources in which nothing else says that two lines ask the same; case and white space make no difference
        (`said`).
        """
        asks = np.zeros(len(self.group_ids), bool)
        asks[self.query] = True
        key = (said(self.texts) * len(self.languages) + self.text_lang) * 2 + asks[self.text_group]
        order = np.argsort(key, kind="stable")
        key, owner = key[order], self.text_group[order]
        same = np.flatnonzero(key[1:] == key[:-1])
        label = components(len(asks), owner[same], owner[same + 1])
        first = np.unique(label, return_index=True)[1]
        return replace(self, alike=first[label].astype(np.int32))

    def _members(self) -> tuple[np.ndarray, np.ndarray]:
        """Pairs of groups whose ids say that they are of one family; they tie all of it together."""
        ids = self.group_ids.to_pylist()
        if not any(_MEMBER in name for name in ids):
            return np.empty(0, np.int64), np.empty(0, np.int64)
        first: dict[str, int] = {}
        ties = [(first.setdefault(name.partition(_MEMBER)[0], group), group) for group, name in enumerate(ids)]
        one, other = np.array(ties, np.int64).T
        return one, other

    def select(self, rows: np.ndarray) -> ParallelCorpus:
        """The same texts and groups with only these rows (indices or a boolean mask)."""
        rows = np.flatnonzero(rows) if rows.dtype == bool else rows
        negatives = None if self.negatives is None else self.negatives.take(pa.array(rows))
        label = None if self.label is None else self.label[rows]
        return replace(
            self,
            query=self.query[rows],
            passage=self.passage[rows],
            source=self.source[rows],
            negatives=negatives,
            label=label,
        )

    def restrict(self, languages: Sequence[str]) -> ParallelCorpus:
        """Only the texts in these languages, which become the languages of the corpus; rows left without a query or
        passage go."""
        missing = [code for code in languages if code not in self.languages]
        old = np.array([self.languages.index(code) if code in self.languages else -1 for code in languages])
        if len(missing) == len(languages):
            raise InputError(
                f"none of the languages {list(languages)} is in the corpus, which has {list(self.languages)}"
            )
        new_of_old = np.full(len(self.languages), -1)
        new_of_old[old[old >= 0]] = np.flatnonzero(old >= 0)
        new_lang = new_of_old[self.text_lang]
        keep = np.flatnonzero(new_lang >= 0)
        kept = replace(
            self,
            languages=tuple(languages),
            texts=self.texts.take(pa.array(keep)),
            text_lang=new_lang[keep].astype(np.int16),
            text_group=self.text_group[keep],
        )
        has = kept.group_languages > 0
        return kept.select(has[kept.query] & has[kept.passage])


class CorpusBuilder:
    """Collects texts and rows; keys are any strings that name a group."""

    def __init__(self, source: str):
        self._source = source
        self._languages: dict[str, int] = {}
        self._groups: dict[str, int] = {}
        self._titles: list[str] = []
        self._seen: dict[tuple[int, int], int] = {}
        self._texts: list[str] = []
        self._lang: list[int] = []
        self._owner: list[int] = []
        self._query: list[int] = []
        self._passage: list[int] = []
        self._negatives: list[list[int]] = []

    def group(self, key: str, title: str = "") -> int:
        """The number of a group, made at its first mention."""
        number = self._groups.setdefault(key, len(self._groups))
        if number == len(self._titles):
            self._titles.append(title)
        return number

    def text(self, key: str, lang: str, text: str, title: str = "") -> bool:
        """Give a group its text in a language. False, and nothing changes, where it already has one."""
        group = self.group(key, title)
        slot = (group, self._languages.setdefault(lang, len(self._languages)))
        if slot in self._seen:
            return False
        self._seen[slot] = len(self._texts)
        self._texts.append(text)
        self._lang.append(slot[1])
        self._owner.append(group)
        return True

    def row(self, query: str, passage: str, negatives: Iterable[str] = ()) -> None:
        """A question and its passage, by group key."""
        self._query.append(self.group(query))
        self._passage.append(self.group(passage))
        self._negatives.append([self.group(key) for key in negatives])

    def build(self) -> ParallelCorpus:
        """The corpus; languages sorted by code."""
        codes = sorted(self._languages)
        rank = np.array([codes.index(code) for code in self._languages] or [0], np.int16)
        return ParallelCorpus(
            languages=tuple(codes),
            sources=(self._source,),
            texts=pa.array(self._texts, pa.large_string()),
            text_lang=rank[np.array(self._lang, np.int64)].astype(np.int16),
            text_group=np.array(self._owner, np.int32),
            group_ids=pa.array(self._groups.keys(), pa.large_string()),
            group_titles=pa.array(self._titles, pa.large_string()),
            query=np.array(self._query, np.int32),
            passage=np.array(self._passage, np.int32),
            source=np.zeros(len(self._query), np.int16),
            negatives=pa.array(self._negatives, pa.list_(pa.int32())) if any(self._negatives) else None,
        )


def concat(corpora: Sequence[ParallelCorpus]) -> ParallelCorpus:
    """One corpus out of several; groups stay apart (their ids get the source as a prefix), languages are merged by
    code."""
    if not corpora:
        raise InputError("no training data: every source is empty")
    languages = tuple(sorted({code for corpus in corpora for code in corpus.languages}))
    sources = tuple(dict.fromkeys(name for corpus in corpora for name in corpus.sources))
    first = np.cumsum([0] + [len(corpus.group_ids) for corpus in corpora])
    negatives = None
    if any(corpus.negatives is not None for corpus in corpora):
        lists = []
        for corpus, offset in zip(corpora, first, strict=False):
            own = (
                corpus.negatives if corpus.negatives is not None else pa.array([[]] * len(corpus), pa.list_(pa.int32()))
            )
            shifted = pa.array(own.flatten().to_numpy() + np.int32(offset), pa.int32())
            offsets = np.concatenate([[0], np.cumsum([len(x) for x in own])]).astype(np.int32)
            lists.append(pa.ListArray.from_arrays(pa.array(offsets), shifted))
        negatives = pa.concat_arrays(lists)

    def renumber(names: tuple[str, ...], merged: tuple[str, ...], values: np.ndarray) -> np.ndarray:
        return np.array([merged.index(name) for name in names] or [0], np.int16)[values]

    def shifted(field: str) -> np.ndarray:
        return np.concatenate(
            [getattr(corpus, field) + np.int32(offset) for corpus, offset in zip(corpora, first, strict=False)]
        )

    alike = None
    if any(corpus.alike is not None for corpus in corpora):
        own = [corpus.alike if corpus.alike is not None else np.arange(len(corpus.group_ids)) for corpus in corpora]
        alike = np.concatenate([part + offset for part, offset in zip(own, first, strict=False)]).astype(np.int32)

    label, labels = _joined_labels(corpora)
    return ParallelCorpus(
        languages=languages,
        sources=sources,
        alike=alike,
        label=label,
        labels=labels,
        texts=pa.concat_arrays([corpus.texts for corpus in corpora]),
        text_lang=np.concatenate([renumber(c.languages, languages, c.text_lang) for c in corpora]),
        text_group=shifted("text_group"),
        group_ids=pa.concat_arrays(
            [pa.array([f"{c.sources[0]}/{i}" for i in c.group_ids.to_pylist()], pa.large_string()) for c in corpora]
        ),
        group_titles=pa.concat_arrays([c.group_titles for c in corpora]),
        query=shifted("query"),
        passage=shifted("passage"),
        source=np.concatenate([renumber(c.sources, sources, c.source) for c in corpora]),
        negatives=negatives,
    )


def _joined_labels(corpora: Sequence[ParallelCorpus]) -> tuple[np.ndarray | None, tuple[str, ...]]:
    """Labels of the rows of all corpora, and the names of the classes. Raises InputError where two have others."""
    labelled = [corpus for corpus in corpora if corpus.label is not None]
    if not labelled:
        return None, ()
    for one in labelled[1:]:
        if one.labels != labelled[0].labels:
            first, second = (f"{corpus.sources[0]} has {', '.join(corpus.labels)}" for corpus in (labelled[0], one))
            raise InputError(f"sources with other labels cannot be classified by one head: {first}; {second}")
    none = [np.full(len(corpus), -1, np.int8) if corpus.label is None else corpus.label for corpus in corpora]
    return np.concatenate(none), labelled[0].labels
