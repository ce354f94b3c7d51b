"""Commands of one model over the same texts encode them once: what one has kept, the next takes."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.command import triglot
from tests.words import WORDS
from tests.writing import inputs
from triglot.encoder import EncoderSettings, init_encoder
from triglot.encoder.transformer import TransformerEncoder


@pytest.mark.slow
def test_evaluate_check_debias_and_attack_encode_the_same_texts_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "in").mkdir()
    root = inputs(tmp_path / "in")
    counts = {code: dict.fromkeys(known, 5) for code, known in WORDS.items()}
    small = EncoderSettings(kind="transformer", dim=16, vocab=200, layers=1, heads=2)
    init_encoder(small, counts, seed=1).save(root / "small")
    encoded: list[int] = []
    encode = TransformerEncoder.encode

    def counting(self, texts, *args, **kwargs):
        encoded.append(len(texts))
        return encode(self, texts, *args, **kwargs)

    monkeypatch.setattr(TransformerEncoder, "encode", counting)

    def texts(*words: object) -> int:
        encoded.clear()
        done = triglot(*words, "--cache", tmp_path / "cache", "-q")
        assert done.code == 0, done.err
        return sum(encoded)

    model, on = root / "small", ("--on", f"b={root / 'squad'}")
    whole = texts("evaluate", model, *on, "--out", tmp_path / "evaluated")
    assert whole > 0
    assert texts("check", model, *on, "--full", "--out", tmp_path / "checked") == 0
    assert texts("evaluate", model, *on, "--out", tmp_path / "again") == 0
    attack = ("attack", model, *on, "--attack", "kinds=insert")
    # The questions as they are attacked, and nothing else.
    assert 0 < texts(*attack, "--out", tmp_path / "attacked") < whole
    fitting = ("debias", model, root / "pairs.jsonl", "--method", "centre", "--strength", "1")
    assert texts(*fitting, "--out", tmp_path / "centred") > 0
    assert texts(*fitting, "--out", tmp_path / "centred-again") == 0
    # Of a model with a step for each language, the vectors before the step are kept.
    assert texts("evaluate", tmp_path / "centred", *on, "--out", tmp_path / "mended") == 0
