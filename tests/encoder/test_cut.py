"""Long texts: their first tokens without the rest, exactly; and the whole without gigabytes."""

from __future__ import annotations

import itertools
import random
import tracemalloc

import numpy as np
import pytest
from tokenizers import Regex, Tokenizer, models, normalizers, pre_tokenizers

from tests.encoder.conftest import TEXTS
from triglot.encoder import tokenizer as room
from triglot.encoder.cut import Cut
from triglot.encoder.static import bag_means
from triglot.encoder.tokenizer import WordTokenizer

NASTY = [
    *(
        " ",
        "  ",
        "\t",
        "\n",
        "\r\n",
        "\u00a0",
        "\u200d",
        "\u00ad",
        "e\u0301",
        " \u0301",
        "\u0307",
        "İ",
        "ß",
        "ﬁ",
        "①",
        "桥",
        "สะพาน",
    ),
    *("▁", "##", "’s", "'s", "!!", "\n!", "<s>", "[SEP]", "[MASK]", "x" * 150, "1905", "\ufeff", "\x00"),
]


def long_text(seed: int, characters: int = 6000) -> str:
    """Words, marks and white space in a seeded mixture, a long run of spaces and one of a single letter in it."""
    draw = random.Random(seed)
    words = [word for column in TEXTS.values() for text in column for word in text.split()]
    parts = []
    while sum(map(len, parts)) < characters:
        parts.append(
            draw.choice(words) + draw.choice([" ", " ", "", ""]) if draw.random() < 0.7 else draw.choice(NASTY)
        )
    parts.insert(
        draw.randrange(len(parts)), draw.choice([" " * 900, "\u200d" * 900, "a" * 900, "\n" * 900, "\u0301" * 300])
    )
    return "".join(parts)


def letters() -> dict[str, int]:
    return {
        token: i
        for i, token in enumerate(
            ["<unk>", *sorted({c for column in TEXTS.values() for t in column for c in t.lower()} - {" "})]
        )
    }


def built(kind: str) -> Tokenizer:
    known = letters()
    if kind == "bert":
        made = Tokenizer(
            models.WordPiece(known | {f"##{c}": len(known) + i for i, c in enumerate(known)}, unk_token="<unk>")
        )
        made.normalizer, made.pre_tokenizer = (
            normalizers.BertNormalizer(lowercase=True),
            pre_tokenizers.BertPreTokenizer(),
        )
    elif kind == "bytes":
        alphabet = {c: i for i, c in enumerate(sorted(pre_tokenizers.ByteLevel.alphabet()))}
        made = Tokenizer(models.BPE({**alphabet, "th": 256, "Ġt": 257}, [("t", "h"), ("Ġ", "t")]))
        made.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    else:
        made = Tokenizer(
            models.Unigram(
                [*((c, -3.0) for c in known), ("▁", -2.0), ("th", -2.5), ("▁th", -2.0), ("er", -2.0)], unk_id=0
            )
        )
        made.normalizer = normalizers.Sequence([normalizers.NFKC(), normalizers.Replace(Regex(" {2,}"), " ")])
        made.pre_tokenizer = pre_tokenizers.Sequence([pre_tokenizers.WhitespaceSplit(), pre_tokenizers.Metaspace()])
    made.add_special_tokens(["<s>", "[SEP]", "[MASK]"])
    return made


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["ours", "bert", "bytes", "xlm-r"])
def test_the_first_tokens_of_a_beginning_are_those_of_the_whole(kind, tokenizer):
    made = tokenizer if kind == "ours" else built(kind)
    cut, shorter = Cut(made, at_any_space=kind == "ours"), 0
    for seed in range(60):
        text, most = long_text(seed), [1, 7, 60][seed % 3]
        beginning = cut(text, most)
        assert text.startswith(beginning)
        shorter += len(beginning) < len(text)
        whole = made.encode(text, add_special_tokens=False).ids
        assert made.encode(beginning, add_special_tokens=False).ids[:most] == whole[:most]
    assert shorter > 20  # the others have a run that gives few tokens, or no space


@pytest.mark.parametrize(
    "spoil",
    [
        lambda t: setattr(t, "pre_tokenizer", pre_tokenizers.Metaspace(split=False)),
        lambda t: setattr(t, "pre_tokenizer", pre_tokenizers.Split(Regex("."), "isolated")),
        lambda t: setattr(t, "normalizer", normalizers.Replace(Regex("a[^x]*b"), "")),
        lambda t: setattr(t, "normalizer", normalizers.Replace("a b", "c")),
        lambda t: t.add_tokens(["New York"]),
    ],
)
def test_texts_stay_whole_where_a_step_may_look_further(spoil):
    made = built("xlm-r")
    text = "a word and another " * 1000
    assert len(Cut(made, at_any_space=False)(text, 5)) < 2000
    spoil(made)
    assert Cut(made, at_any_space=False)(text, 5) == text


def test_long_texts_among_short_ones(tokenizer):
    short = Tokenizer.from_str(tokenizer.to_str())
    short.enable_truncation(9)
    texts = ["", "the bridge", *(long_text(seed) for seed in range(5)), "river " * 9000]
    expected = [encoding.ids for encoding in short.encode_batch(texts, add_special_tokens=False)]
    for made, most in ((short, None), (tokenizer, 9)):
        ids, offsets = WordTokenizer(made)(texts, most=most)
        assert [ids[a:b].tolist()[:9] for a, b in itertools.pairwise(offsets)] == expected


def test_a_long_text_in_parts_is_the_whole(tokenizer, monkeypatch):
    texts = [long_text(1), "", " ", "a b ", *TEXTS["en"]]
    ids, offsets = WordTokenizer(tokenizer)(texts)
    monkeypatch.setattr(room, "_AT_ONCE", 7)
    again = WordTokenizer(tokenizer)(texts)
    assert np.array_equal(again[0], ids)
    assert np.array_equal(again[1], offsets)
    table = np.random.default_rng(0).standard_normal((tokenizer.get_vocab_size(), 5)).astype(np.float32)
    whole = bag_means(table, ids, offsets)
    monkeypatch.setattr("triglot.encoder.static._ROWS", 11)
    assert np.array_equal(bag_means(table, ids, offsets), whole)


def test_megabytes_to_keep_a_few_tokens(tokenizer):
    text = "the bridge across the river " * 200_000
    tracemalloc.start()
    ids, _ = WordTokenizer(tokenizer)([text], most=64)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert len(ids) >= 64
    assert peak < 1_000_000
