"""What was mined as JSON lines; see `triglot.corpus.formats.pair_writer.record` for their keys.

`sentence-transformers` needs the same columns in all lines, so lines with fewer negatives are left out there.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

from triglot.corpus.formats.pair_writer import Written, check_output_format, record, write_records
from triglot.mine.run import Mined


def write(path: str | Path, mined: Mined, *, output_format: str = "tevatron") -> tuple[int, int]:
    """Write atomically.

    Returns:
        lines written, and lines left out because the format cannot hold them.

    Raises:
        InputError: no such format, or the file cannot be written.
    """
    name = check_output_format(output_format)
    written = write_records(path, _records(mined, name))
    return written, len(mined.lines) - written


def _records(mined: Mined, output_format: Any) -> Iterator[dict[str, Any]]:
    corpus = mined.corpus
    texts, ids, titles = corpus.texts.to_pylist(), corpus.group_ids.to_pylist(), corpus.group_titles.to_pylist()
    group, lang = corpus.text_group.tolist(), corpus.text_lang.tolist()

    @cache  # a passage is the negative of many questions
    def written(number: int) -> Written:
        return Written(texts[number], corpus.languages[lang[number]], ids[group[number]], titles[group[number]])

    width = mined.text.shape[1]
    scores, positive = _numbers(mined.score), _numbers(mined.positive[:, None])
    rows = zip(
        mined.lines.query.tolist(), mined.lines.passage.tolist(), mined.text.tolist(), positive, scores, strict=True
    )
    for query, passage, found, of_positive, of_negatives in rows:
        negatives = [written(number) for number in found if number >= 0]
        if output_format == "sentence-transformers" and len(negatives) < width:
            continue
        asked, answer = written(query), written(passage)
        yield record(output_format, asked, answer, negatives, positive_score=of_positive, negative_scores=of_negatives)


def _numbers(values: np.ndarray) -> list[list[float]]:
    """Six digits of each number, those that are NaN left out."""
    return [[float(f"{one:.6g}") for one in row if one == one] for row in values.tolist()]
