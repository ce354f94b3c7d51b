"""What was mined as JSON lines; see `triglot.corpus.formats.pair_writer.record` for their keys.

`sentence-transformers` needs the same columns in all lines, so lines with fewer negatives are left out there.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from pathlib import Path

import numpy as np

from triglot.corpus.formats.pair_writer import (
    OutputFormat,
    Quoted,
    Written,
    check_output_format,
    quoted_line,
    record,
    write_lines,
)
from triglot.mine.run import Mined


def write(path: str | Path, mined: Mined, *, output_format: str = "tevatron") -> tuple[int, int]:
    """Write atomically.

    Returns:
        lines written, and lines left out because the format cannot hold them.

    Raises:
        InputError: no such format, or the file cannot be written.
    """
    name = check_output_format(output_format)
    written = write_lines(path, _lines(mined, name))
    return written, len(mined.lines) - written


def _lines(mined: Mined, output_format: OutputFormat) -> Iterator[str]:
    corpus = mined.corpus
    texts, ids, titles = corpus.texts.to_pylist(), corpus.group_ids.to_pylist(), corpus.group_titles.to_pylist()
    group, lang = corpus.text_group.tolist(), corpus.text_lang.tolist()

    # A passage is the negative of many questions.
    @cache
    def quoted(text: int) -> Quoted:
        return Quoted(Written(texts[text], corpus.languages[lang[text]], ids[group[text]], titles[group[text]]))

    width = mined.text.shape[1]
    rows = zip(
        mined.lines.query.tolist(),
        mined.lines.passage.tolist(),
        mined.text,
        mined.positive[:, None],
        mined.score,
        strict=True,
    )
    scored = output_format != "sentence-transformers"
    for query, passage, chosen, of_positive, of_negatives in rows:
        negatives = [quoted(text) for text in chosen.tolist() if text >= 0]
        if not scored and len(negatives) < width:
            continue
        yield quoted_line(
            record(
                output_format,
                quoted(query),
                quoted(passage),
                negatives,
                positive_score=_numbers(of_positive) if scored else (),
                negative_scores=_numbers(of_negatives) if scored else (),
            )
        )


def _numbers(values: np.ndarray) -> list[str]:
    """Six digits of each number as JSON, those that are NaN left out."""
    return [repr(float(f"{value:.6g}")) for value in values.tolist() if value == value]
