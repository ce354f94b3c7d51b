"""Odd sources: mined, or refused in one clear line; never a traceback, and nothing is left behind by a refusal."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from triglot.commands.mine import mine_source, settings_of
from triglot.files import InputError

TEXTS = {
    "equal": ["river city"] * 4,
    "one character": ["a", "b", "c", "d"],
    "digits": ["1", "22", "333", "4444"],
    "points": [".", "..", "?!", "..."],
    "no width": ["\u200b", "\u200b\u200d", "\u200d", "\u200b\u200b"],
    "emoji": ["🙂", "🙂🙂", "🙃", "🙃🙃"],
    "blank": [" ", "\t", "  ", " "],
    "one": ["river"],
    "none": [],
}
REFUSED = {
    "equal": "1 different passages",
    "one": "1 different passages",
    "blank": "no line can be used",
    "none": "no line can be used",
}


@pytest.mark.parametrize("source", ["bm25", "random"])
@pytest.mark.parametrize("kind", TEXTS)
@pytest.mark.parametrize("languages", [["en"], ["de", "en"]])
def test_odd_texts_are_mined_or_refused(tmp_path: Path, source: str, kind: str, languages: list[str]) -> None:
    pairs, out = tmp_path / "pairs.jsonl", tmp_path / "mined.jsonl"
    rows = [{"query": text, "positive": text, "lang": lang} for text in TEXTS[kind] for lang in languages]
    pairs.write_text("".join(json.dumps(row) + "\n" for row in rows))
    settings = settings_of(["negatives=2"], source)
    if kind in REFUSED:
        with pytest.raises(InputError, match=REFUSED[kind]):
            mine_source(f"pairs:{pairs}", out, settings, model=source)
        assert not out.exists()
        return
    report = mine_source(f"pairs:{pairs}", out, settings, model=source)
    json.dumps(report, allow_nan=False)
    for line in map(json.loads, out.read_text().splitlines()):
        positives = {one["text"] for one in line["positive_passages"]}
        assert not positives & {one["text"] for one in line["negative_passages"]}
