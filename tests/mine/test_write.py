"""Lines are put together from pieces that were made once; their bytes are those of `json.dumps` of plain records."""

from __future__ import annotations

import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from triglot.corpus.formats.pair_writer import OUTPUT_FORMATS, Quoted, Written, quoted_line, record
from triglot.corpus.parallel import CorpusBuilder
from triglot.mine.lines import lines_of
from triglot.mine.run import Mined
from triglot.mine.write import write

words = st.text(st.characters(exclude_categories=["Cs"]), max_size=8)
texts = st.builds(Written, text=words, lang=st.sampled_from(["de", "zh-CN"]), group=words, title=words)
scores = st.floats(allow_nan=False, allow_infinity=False)


@given(texts, texts, st.lists(texts, max_size=4), st.lists(scores, max_size=1), st.lists(scores, max_size=4))
@pytest.mark.parametrize("output_format", OUTPUT_FORMATS)
def test_a_line_of_pieces_has_the_bytes_of_one_of_objects(output_format, query, positive, negatives, best, others):
    plain = record(output_format, query, positive, negatives, positive_score=best, negative_scores=others)
    quoted = record(
        output_format,
        Quoted(query),
        Quoted(positive),
        [Quoted(one) for one in negatives],
        positive_score=list(map(repr, best)),
        negative_scores=list(map(repr, others)),
    )
    assert quoted_line(quoted) == json.dumps(plain, ensure_ascii=False)


@settings(max_examples=20)
@given(data=st.data())
@pytest.mark.parametrize("output_format", OUTPUT_FORMATS)
def test_a_file_has_the_bytes_of_plain_records(tmp_path_factory, output_format, data):
    builder = CorpusBuilder("drawn")
    for row in range(3):
        for group in (f"q{row}", f"p{row}"):
            builder.text(group, "de", group + data.draw(words))
            builder.text(group, "th", group + data.draw(words))
        builder.row(f"q{row}", f"p{row}")
    corpus = builder.build()
    lines = lines_of(corpus)
    passages = np.unique(lines.passage)
    text = np.array([data.draw(st.permutations([*passages, -1]))[:2] for _ in range(len(lines))], np.int64)
    floats = st.floats(width=32, allow_infinity=False)
    score = np.array([[data.draw(floats) for _ in range(2)] for _ in range(len(lines))], np.float32)
    positive = np.array([data.draw(floats) for _ in range(len(lines))], np.float32)

    def written(number: int) -> Written:
        group = int(corpus.text_group[number])
        name, title = corpus.group_ids[group].as_py(), corpus.group_titles[group].as_py()
        return Written(corpus.texts[number].as_py(), corpus.languages[corpus.text_lang[number]], name, title)

    def numbers(values: np.ndarray) -> list[float]:
        return [float(f"{value:.6g}") for value in values.tolist() if not np.isnan(value)]

    expected = []
    for line in range(len(lines)):
        negatives = [written(number) for number in text[line].tolist() if number >= 0]
        if output_format == "sentence-transformers" and len(negatives) < 2:
            continue
        plain = record(
            output_format,
            written(int(lines.query[line])),
            written(int(lines.passage[line])),
            negatives,
            positive_score=numbers(positive[line : line + 1]),
            negative_scores=numbers(score[line]),
        )
        expected.append(json.dumps(plain, ensure_ascii=False) + "\n")
    path = tmp_path_factory.getbasetemp() / "mined.jsonl"
    mined = Mined(corpus, lines, text, score, positive, {})
    assert write(path, mined, output_format=output_format) == (len(expected), len(lines) - len(expected))
    assert path.read_bytes() == "".join(expected).encode()
