"""ISO, AOC and localised relevance matching against plain loops in float64, SEMB as ever, and what is said."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

import numpy as np
import pytest
import torch

from tests.attack.conftest import Letters, make_benchmark
from tests.words import WORDS
from triglot import bm25
from triglot.encoder import EncoderSettings, init_encoder
from triglot.encoder.once import encode_set
from triglot.encoder.tokenizer import word_counts
from triglot.evaluate.encodings import ENCODINGS, EncodingSettings
from triglot.evaluate.evaluator import evaluate_embeddings
from triglot.evaluate.localised import pieces_of, windows
from triglot.evaluate.retrievers import Dense, evaluate
from triglot.files import InputError

SMALL = {"kind": "transformer", "dim": 16, "vocab": 200, "layers": 2, "heads": 2, "passage_length": 24}


@pytest.fixture(scope="module")
def encoder():
    words = word_counts({lang: [" ".join(texts)] * 3 for lang, texts in WORDS.items()})
    return init_encoder(EncoderSettings(**SMALL), words, seed=1)  # type: ignore[arg-type]


@pytest.fixture(scope="module")
def small():
    return make_benchmark(8)


def states(encoder, text: str, layer: int):
    """(tokens with their spans, outputs of a layer), special tokens left out."""
    found = encoder.tokenizer.encode(text)
    with torch.no_grad():
        ids = torch.tensor([found.ids])
        out = (
            encoder.model[0]
            .auto_model(input_ids=ids, attention_mask=torch.ones_like(ids), output_hidden_states=True)
            .hidden_states[layer][0]
        )
    keep = [i for i, special in enumerate(found.special_tokens_mask) if not special]
    return [found.offsets[i] for i in keep], out[keep].double().numpy()


def bag_vector(text: str, passages: list[str], vector_of) -> np.ndarray:
    total = np.zeros(16)
    for term, count in Counter(bm25.tokenise(text)).items():
        n = sum(term in bm25.tokenise(one) for one in passages)
        total += count * (np.log(len(passages) / max(n, 1)) + 1) * vector_of(term)
    return total / np.linalg.norm(total)


@pytest.mark.parametrize(("name", "layer"), [("iso", None), ("iso", 2), ("aoc", None), ("aoc", 1)])
def test_terms_by_hand(encoder, small, name: str, layer: int | None) -> None:
    settings = EncodingSettings(name=name, layer=layer, contexts=2)
    score, notes = ENCODINGS[name].scores(encoder, small, settings)
    used = layer if layer is not None else {"iso": 0, "aoc": 2}[name]
    assert f"of layer {used}" in notes[0]
    english = [i for i, code in enumerate(small.passages.lang) if small.languages[code] == "en"]
    queries = [i for i, code in enumerate(small.queries.lang) if small.languages[code] == "en"]
    passages = [small.passages.texts[i] for i in english]
    texts = [*passages, *(small.queries.texts[i] for i in queries)]

    def vector_of(term: str) -> np.ndarray:
        if name == "iso":
            return states(encoder, term, used)[1].mean(0)
        found = []
        for text in texts:
            spans, out = states(encoder, text, used)
            for other, start, end in bm25.spans(text):
                if other == term and len(found) < 2:
                    found.append(np.mean([v for (a, b), v in zip(spans, out, strict=True) if b > start and a < end], 0))
        return np.mean(found, 0)

    for q in queries[:2]:
        own = bag_vector(small.queries.texts[q], passages, vector_of)
        for p in english[:3]:
            expected = own @ bag_vector(small.passages.texts[p], passages, vector_of)
            assert score(np.array([q]))[0, p] == pytest.approx(expected, abs=1e-4)


def test_windows() -> None:
    text = "a b c d e f g"
    spans = [(2 * i, 2 * i + 1) for i in range(7)]
    assert windows(text, spans, 7, 2) == [text]
    assert windows(text, spans, 3, 2) == ["a b c", "c d e", "e f g"]
    assert windows(text, spans, 4, 2) == ["a b c d", "c d e f", "d e f g"]
    for window in range(1, 7):
        for stride in range(1, window + 1):
            pieces = windows(text, spans, window, stride)
            assert {letter for piece in pieces for letter in piece.split()} == set("abcdefg")
            assert all(len(piece.split()) == window for piece in pieces)
            assert len(pieces) == len(set(pieces))


@pytest.mark.parametrize("best", [1, 2])
def test_a_passage_scores_what_its_best_windows_score(encoder, small, best: int) -> None:
    settings = EncodingSettings(name="lrm", window=3, stride=1, best=best)
    score, (note, *_) = ENCODINGS["lrm"].scores(encoder, small, settings)
    cut = pieces_of(encoder, small.passages.texts, 3, 1)
    assert max(map(len, cut)) > 2
    assert f"{sum(map(len, cut)):,} windows of {len(cut)} passages" in note
    queries, _ = encode_set(encoder, small)
    found = score(np.arange(4))
    for q in range(4):
        for p in range(0, len(cut), 5):
            values = sorted(
                float(queries[q].astype(float) @ encoder.encode([piece], side="passage")[0].astype(float))
                for piece in cut[p]
            )
            assert found[q, p] == pytest.approx(np.mean(values[-best:]), abs=1e-5)


def test_windows_are_no_longer_than_what_is_read(encoder, small) -> None:
    """The model reads 24 tokens of a passage, two of them its own, so the end of a long one stands in a window."""
    long = [" ".join(WORDS["en"] * 3 + [last]) for last in WORDS["en"][:2]]
    ends = replace(small, passages=replace(small.passages.take(np.arange(2)), texts=long))
    score, (note, *_) = ENCODINGS["lrm"].scores(encoder, ends, EncodingSettings(name="lrm"))
    assert "windows of 22 tokens every 22" in note
    assert "windows of 128 were not to be had" in note
    found = score(np.arange(4))
    assert not np.allclose(found[:, 0], found[:, 1])


def test_in_the_evaluation(encoder, small) -> None:
    whole = evaluate(Dense(encoder), small)
    same = evaluate(Dense(encoder, encoding=EncodingSettings(name="semb")), small)
    one = evaluate(Dense(encoder, encoding=EncodingSettings(name="lrm", window=500)), small)
    by_hand = evaluate_embeddings(*encode_set(encoder, small), small)
    for found in (whole, same, one):
        assert found.summary["multi"] == by_hand.summary["multi"]
    terms = evaluate(Dense(encoder, encoding=EncodingSettings(name="iso")), small)
    assert terms.summary["mono"]["map"] > 0.5  # the same words in question and passage
    assert "ISO" in terms.summary["notes"][0]


def test_what_cannot_be_done_is_said(encoder, small) -> None:
    with pytest.raises(InputError, match="has none"):
        evaluate(Dense(Letters(), encoding=EncodingSettings(name="iso")), small)  # type: ignore[arg-type]
    with pytest.raises(InputError, match="no tokenizer"):
        evaluate(Dense(Letters(), encoding=EncodingSettings(name="lrm")), small)  # type: ignore[arg-type]
    with pytest.raises(InputError, match="the last layer of transformer is 2"):
        evaluate(Dense(encoder, encoding=EncodingSettings(name="aoc", layer=3)), small)
    with pytest.raises(InputError, match="stride"):
        EncodingSettings(name="lrm", window=10, stride=11)
    with pytest.raises(InputError, match="semb"):
        EncodingSettings(name="sem")
