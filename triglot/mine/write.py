"""What was mined as JSON lines, in the formats that trainers read.

`tevatron` is Tevatron's layout with languages and groups, so that Triglot reads back which texts are translations of
one another. `flag` is FlagEmbedding's (`query`, `pos`, `neg`, `pos_scores`, `neg_scores`) with the same keys added.
`sentence-transformers` has the columns `anchor`, `positive`, `negative_1` and so on; it needs the same columns in all
lines, so lines with fewer negatives are left out.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from triglot.corpus.parallel import ParallelCorpus
from triglot.files import InputError, atomic_write, nearest
from triglot.mine.run import Mined

log = logging.getLogger("triglot")
OUTPUT_FORMATS = ("tevatron", "flag", "sentence-transformers")
_AT_ONCE = 1024  # lines


def check_output_format(name: str) -> str:
    """The name of an output format; `pairs`, as `tevatron` was called before, is accepted with a warning.

    Raises:
        InputError: there is no such format.
    """
    if name == "pairs":
        log.warning("--output-format: pairs is now called tevatron")
        return "tevatron"
    if name not in OUTPUT_FORMATS:
        raise InputError(f"--output-format: {name!r} is unknown{nearest(name, OUTPUT_FORMATS)}")
    return name


def write(path: str | Path, mined: Mined, *, output_format: str = "tevatron") -> tuple[int, int]:
    """Write atomically.

    Returns:
        lines written, and lines left out because the format cannot hold them.

    Raises:
        InputError: no such format, or the file cannot be written.
    """
    output_format = check_output_format(output_format)
    written = left_out = 0
    with atomic_write(path) as handle:
        block: list[str] = []
        for line in _lines(mined, output_format):
            if line is None:
                left_out += 1
                continue
            written += 1
            block.append(line)
            if len(block) == _AT_ONCE:
                handle.write("\n".join(block) + "\n")
                block = []
        if block:
            handle.write("\n".join(block) + "\n")
    return written, left_out


def _lines(mined: Mined, output_format: str) -> Iterator[str | None]:
    line_of = {"tevatron": _tevatron, "flag": _flag, "sentence-transformers": _columns}[output_format]
    parts = _Parts(mined.corpus)
    width = mined.text.shape[1]
    lines, text = mined.lines, mined.text.tolist()
    scores, positive = _numbers(mined.score), _numbers(mined.positive[:, None])
    for number, (query, passage) in enumerate(zip(lines.query.tolist(), lines.passage.tolist(), strict=True)):
        negatives = [one for one in text[number] if one >= 0]
        if output_format == "sentence-transformers" and len(negatives) < width:
            yield None
        else:
            yield line_of(parts, query, passage, negatives, positive[number], scores[number])


def _numbers(values: np.ndarray) -> list[list[str]]:
    """JSON numbers, those that are NaN left out."""
    return [[f"{one:.6g}" for one in row if one == one] for row in values.tolist()]


class _Parts:
    """Texts as pieces of JSON, each made once: a passage is the negative of many questions."""

    def __init__(self, corpus: ParallelCorpus):
        self.corpus = corpus
        self._strings = corpus.texts.to_pylist()
        self._groups = [_json(one) for one in corpus.group_ids.to_pylist()]
        self._ids = corpus.group_ids.to_pylist()
        self._titles = corpus.group_titles.to_pylist()
        self._codes = [_json(code) for code in corpus.languages]
        self._group, self._lang = corpus.text_group.tolist(), corpus.text_lang.tolist()
        self._texts: dict[int, str] = {}
        self._objects: dict[int, str] = {}

    def text(self, number: int) -> str:
        if number not in self._texts:
            self._texts[number] = _json(self._strings[number])
        return self._texts[number]

    def lang(self, number: int) -> str:
        return self._codes[self._lang[number]]

    def group(self, number: int) -> str:
        return self._groups[self._group[number]]

    def identifier(self, number: int) -> str:
        return _json(f"{self.corpus.languages[self._lang[number]]}-{self._ids[self._group[number]]}")

    def passage(self, number: int) -> str:
        """As `triglot.corpus.formats.pairs.records` writes a passage."""
        if number not in self._objects:
            title = _json(self._titles[self._group[number]])
            self._objects[number] = (
                f'{{"docid": {self.identifier(number)}, "title": "", "text": {self.text(number)}, "lang": '
                f"{self.lang(number)},"
                f' "group": {self.group(number)}, "article": {title}}}'
            )
        return self._objects[number]


def _json(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False)


def _head(parts: _Parts, query: int) -> str:
    return f'"query": {parts.text(query)}, "query_lang": {parts.lang(query)}, "query_group": {parts.group(query)}'


def _tevatron(
    parts: _Parts, query: int, passage: int, negatives: list[int], positive: list[str], scores: list[str]
) -> str:
    return (
        f'{{"query_id": {parts.identifier(query)}, {_head(parts, query)}, "positive_passages": '
        f"[{parts.passage(passage)}],"
        f' "negative_passages": [{", ".join(map(parts.passage, negatives))}],'
        f' "positive_scores": [{", ".join(positive)}], "negative_scores": [{", ".join(scores)}]}}'
    )


def _flag(parts: _Parts, query: int, passage: int, negatives: list[int], positive: list[str], scores: list[str]) -> str:
    return (
        f'{{{_head(parts, query)}, "pos": [{parts.text(passage)}], "neg": [{", ".join(map(parts.text, negatives))}],'
        f' "pos_scores": [{", ".join(positive)}], "neg_scores": [{", ".join(scores)}], "passage_lang": '
        f"{parts.lang(passage)},"
        f' "passage_groups": [{parts.group(passage)}], "negative_groups": [{", ".join(map(parts.group, negatives))}],'
        f' "negative_langs": [{", ".join(map(parts.lang, negatives))}]}}'
    )


def _columns(
    parts: _Parts, query: int, passage: int, negatives: list[int], positive: list[str], scores: list[str]
) -> str:
    more = "".join(f', "negative_{place}": {parts.text(one)}' for place, one in enumerate(negatives, 1))
    return f'{{"anchor": {parts.text(query)}, "positive": {parts.text(passage)}{more}}}'
