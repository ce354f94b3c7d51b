"""Normalisation, training, balance, and the fast path against the plain one."""

from __future__ import annotations

import gzip
import os
import subprocess
import sys
import threading
from collections import Counter

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers, trainers

from tests.encoder.conftest import MIXED, TEXTS
from triglot.encoder.tokenizer import (
    SPECIAL,
    UNK,
    WordTokenizer,
    balance,
    encode_many,
    normalizer,
    pre_tokenizer,
    token_shares,
    train_tokenizer,
    word_counts,
)
from triglot.files import InputError


def cut(text: str) -> list[str]:
    return [word for word, _ in pre_tokenizer().pre_tokenize_str(normalizer().normalize_str(text))]


def plain(tokenizer: Tokenizer, texts: list[str]) -> tuple[list[int], list[int]]:
    lists = [encoding.ids for encoding in tokenizer.encode_batch(texts, add_special_tokens=False)]
    return [i for ids in lists for i in ids], np.cumsum([0] + [len(ids) for ids in lists]).tolist()


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("Hello  World", ["▁hello", "▁world"]),
        ("(Hello) world's", ["(", "▁hello", ")", "▁world", "'", "▁s"]),
        ("你好,world是 ok。", ["你好", ",", "▁world", "是", "▁ok", "。"]),
        ("ภาษาไทย abc ไทย", ["ภาษาไทย", "▁abc", "ไทย"]),
        ("東京タワーのテスト", ["東京タワーのテスト"]),
        ("en 1990, 1990年 and ١٩٩٠ १९९० ๑๙๙๐", ["▁en", "1990", ",", "1990", "年", "▁and", "1990", "1990", "1990"]),
        ("1990 1991", ["1990", "1991"]),
        ("1,990.5", ["1", ",", "990", ".", "5"]),
        ("2nd h2o", ["2", "▁nd", "▁h", "2", "▁o"]),
        ("İstanbul", ["▁istanbul"]),
        ("ﬁne ＦＵＬＬ １２", ["▁fine", "▁full", "12"]),
        ("cafe\u0301 CAFÉ", ["▁café", "▁café"]),
        ("so\u00adft\u200bware", ["▁software"]),
        ("مُحَمَّد محـمد", ["▁محمد", "▁محمد"]),
        ("हिन्दी में", ["▁हिन्दी", "▁में"]),
        ("a\u00a0b\tc\nd\u3000e", ["▁a", "▁b", "▁c", "▁d", "▁e"]),
        ("a▁b", ["▁a", "▁b"]),
        ("❤️!!", ["❤", "!", "!"]),
        ("nul\x00 bell\x07!", ["▁nul", "▁bell", "!"]),
        ("", []),
        (" \n ", []),
    ],
)
def test_words(text, words):
    assert cut(text) == words


@settings(max_examples=200, deadline=None)
@given(
    st.text("abçé αβ مح बर 中文 ไทย 12", min_size=1, max_size=6).map(str.strip).filter(lambda t: t and " " not in t),
    st.sampled_from("( \"'«。,-"),
)
def test_a_word_alone_and_after_a_mark_is_the_same(word, mark):
    assert cut(mark + word)[-len(cut(word)) :] == cut(word)


LETTERS = (
    "".join(sorted({letter for column in TEXTS.values() for text in column for letter in text}))
    + "İßﬁΣς１①\u0301\u200c\x00"
)


@pytest.mark.slow
@settings(max_examples=300, deadline=None)
@given(st.text(LETTERS, max_size=30))
def test_a_word_is_normalised_once(text):
    """Counted words can be tokenised again (`token_shares` does)."""
    for word in cut(text):
        assert cut(word) == [word]


def test_word_counts_are_those_of_a_naive_count():
    texts = {language: column * 3 + column[:1] for language, column in TEXTS.items()}
    expected = {language: Counter(word for text in column for word in cut(text)) for language, column in texts.items()}
    assert word_counts(texts) == expected


def test_word_counts_refuse_a_lone_surrogate():
    with pytest.raises(InputError, match=r"'en'.*surrogate"):
        word_counts({"en": ["bad \ud800 text"]})


def test_special_tokens_come_first_and_text_cannot_name_them(tokenizer):
    assert [tokenizer.id_to_token(i) for i in range(5)] == list(SPECIAL)
    assert not set(tokenizer.encode("[PAD] [CLS] [MASK] <s>").ids) & {0, 2, 3, 4}


def test_unknown_letters_are_unknown(tokenizer):
    assert UNK in tokenizer.encode("ѯ").ids
    assert UNK not in tokenizer.encode("the bridge 桥").ids


def test_numbers_are_whole(words):
    big = train_tokenizer(words, vocab=3000, numbers=2210, character_coverage=1.0)
    for number in ["0", "7", "42", "007", "999", "1000", "1789", "2099"]:
        assert big.encode(number).tokens == [number]
    assert len(big.encode("123456").tokens) == 2
    small = train_tokenizer(words, vocab=700, numbers=10, character_coverage=1.0)
    assert small.encode("1789").tokens == ["1", "7", "8", "9"]


def test_the_file_stands_alone(tokenizer, tmp_path):
    tokenizer.save(str(tmp_path / "tokenizer.json"))
    again = Tokenizer.from_file(str(tmp_path / "tokenizer.json"))
    texts = [text for column in TEXTS.values() for text in column] + MIXED
    assert plain(again, texts) == plain(tokenizer, texts)


@pytest.mark.slow
def test_training_twice_gives_the_same_bytes():
    """In processes that hash strings differently."""
    program = (
        "import sys; from tests.encoder.conftest import TEXTS; from triglot.encoder.tokenizer import "
        "train_tokenizer, word_counts;"
        "sys.stdout.buffer.write(train_tokenizer(word_counts(TEXTS), vocab=600, "
        "character_coverage=1.0).to_str().encode())"
    )
    made = [
        subprocess.run(
            [sys.executable, "-c", program], env={**os.environ, "PYTHONHASHSEED": seed}, capture_output=True, check=True
        ).stdout
        for seed in ("1", "2")
    ]
    assert made[0] == made[1]
    assert len(made[0]) > 10_000


def test_small_languages_are_not_swallowed():
    """One language has forty times the text of another: balanced, the small one gets whole words; by size, it does
    not."""
    syllables = [a + b for a in "bdfgklmnprstvz" for b in "aeiou"]
    greek = [a + b for a in "βδφγκλμνπρστ" for b in "αειου"]

    def invent(parts: list[str], n: int, seed: int) -> list[str]:
        rng = np.random.default_rng(seed)
        return ["".join(rng.choice(parts, 3)) for _ in range(n)]

    large, small = invent(syllables, 1200, 1), invent(greek, 60, 2)
    texts = {"big": [" ".join(large)] * 40, "small": [" ".join(small)] * 10}
    words = word_counts(texts)
    tokens = {
        e: len(
            train_tokenizer(words, vocab=1000, exponent=e, numbers=10, character_coverage=1.0)
            .encode(" ".join(small))
            .ids
        )
        for e in (0.0, 1.0)
    }
    assert tokens[0.0] < 1.3 * len(small)
    assert tokens[1.0] > 1.4 * tokens[0.0]


def test_balance():
    counts = {"a": {"xx": 300, "yy": 100}, "b": {"xx": 1, "zzzz": 7}, "c": {}}
    assert balance(counts, 1) == {"xx": (301, 301), "yy": (100, 100), "zzzz": (7, 7)}
    even = balance(counts, 0)  # b has 30 characters, a 800: 26.7 times
    assert even == {"xx": (327, 301), "yy": (100, 100), "zzzz": (187, 7)}
    assert balance({"a": {"x": 1_000_000}, "b": {"y": 10}}, 0)["y"] == (300, 10)


def test_token_shares(tokenizer, words):
    shares = token_shares(tokenizer, words)
    assert shares.shape == (tokenizer.get_vocab_size(),)
    assert shares.sum() == pytest.approx(1)
    once = token_shares(tokenizer, {"en": {"▁the": 3, "▁river": 1}}, exponent=1)
    counts = Counter(tokenizer.encode("the the the river").ids)
    assert {i: once[i] * counts.total() for i in counts} == pytest.approx(dict(counts))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"words": {}}, "no words"),
        ({"words": {"en": {}}}, "no words"),
        ({"words": {"en": {"123": 4}}}, "no words"),
        ({"words": {"en": {"▁a": 1}}, "exponent": 1.5}, "exponent 1.5"),
        ({"words": {"en": {"▁a": 1}}, "vocab": 12}, "too small"),
        ({"words": {"en": {"▁abcdefghijklmnop": 5}}, "vocab": 20, "numbers": 10}, "could be learned"),
    ],
)
def test_what_cannot_be_trained(arguments, message):
    with pytest.raises(InputError, match=message):
        train_tokenizer(**arguments)


@settings(max_examples=300, deadline=None)
@given(
    st.lists(
        st.text(
            st.one_of(st.characters(exclude_categories=["Cs"]), st.sampled_from(" \u0301\u200d\t▁中ไa1.")), max_size=25
        ),
        max_size=6,
    )
)
def test_the_fast_path_equals_the_plain_one(tokenizer, texts):
    ids, offsets = encode_many(tokenizer, texts)
    assert (ids.tolist(), offsets.tolist()) == plain(tokenizer, texts)
    assert (ids.dtype, offsets.dtype) == (np.int32, np.int64)


def test_a_tokenizer_remembers_and_forgets(tokenizer):
    texts = [text for column in TEXTS.values() for text in column] + MIXED
    fast = WordTokenizer(tokenizer, cache=20)
    for part in (texts, texts[::-1], texts[3:5], [], texts):
        ids, offsets = fast(part)
        assert (ids.tolist(), offsets.tolist()) == plain(tokenizer, part)
        assert fast(part)[0].tolist() == ids.tolist()


@pytest.mark.parametrize("direction", ["right", "left"])
def test_truncation(tokenizer, direction):
    short = Tokenizer.from_str(tokenizer.to_str())
    short.enable_truncation(5, direction=direction)
    texts = TEXTS["en"] + TEXTS["zh"] + MIXED
    ids, offsets = encode_many(short, texts)
    assert (ids.tolist(), offsets.tolist()) == plain(short, texts)
    assert np.diff(offsets).max() == 5


def foreign(kind: str) -> Tokenizer:
    """Tokenizers of other makers, whose tokens depend on what stands beyond a space."""
    texts = TEXTS["en"] + TEXTS["de"]
    if kind == "metaspace":
        made = Tokenizer(models.Unigram())
        made.normalizer = normalizers.NFKC()
        made.pre_tokenizer = pre_tokenizers.Metaspace()
        made.decoder = decoders.Metaspace()
        made.train_from_iterator(
            texts,
            trainers.UnigramTrainer(vocab_size=120, unk_token="<unk>", special_tokens=["<unk>"], show_progress=False),
        )
        return made
    made = Tokenizer(models.BPE())
    made.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    made.train_from_iterator(texts, trainers.BpeTrainer(vocab_size=320, show_progress=False))
    return made


@pytest.mark.parametrize("kind", ["metaspace", "bytes"])
def test_tokenizers_of_other_makers_are_called_as_they_are(kind):
    made = foreign(kind)
    texts = [*TEXTS["en"], "two  spaces", " before", "after "]
    ids, offsets = encode_many(made, texts)
    assert (ids.tolist(), offsets.tolist()) == plain(made, texts)


def test_added_tokens_that_reach_over_spaces_switch_the_short_cut_off(tokenizer):
    from tokenizers import AddedToken

    greedy = Tokenizer.from_str(tokenizer.to_str())
    greedy.add_tokens([AddedToken("river", lstrip=True, rstrip=True, normalized=False)])
    texts = ["the river flows", "river river", " river "]
    ids, offsets = encode_many(greedy, texts)
    assert (ids.tolist(), offsets.tolist()) == plain(greedy, texts)


def test_threads_may_share_a_tokenizer(tokenizer):
    fast = WordTokenizer(tokenizer, cache=50)
    rng = np.random.default_rng(0)
    pool = [word for column in TEXTS.values() for text in column for word in text.split()]
    jobs = [[" ".join(rng.choice(pool, 12)) for _ in range(40)] for _ in range(16)]
    results: list[list[int]] = [[] for _ in jobs]

    def work(i: int) -> None:
        results[i] = fast(jobs[i])[0].tolist()

    threads = [threading.Thread(target=work, args=(i,)) for i in range(len(jobs))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert results == [plain(tokenizer, job)[0] for job in jobs]


def test_what_is_no_text_is_refused_and_does_no_harm(tokenizer):
    fast = WordTokenizer(tokenizer)
    for bad, message in (
        ("one text", "a list of texts"),
        (["a", None], "NoneType"),
        (["ok", "lone \udfff"], "surrogate"),
        ([b"bytes"], "bytes"),
    ):
        with pytest.raises(InputError, match=message):
            fast(bad)  # type: ignore[arg-type]
    ids, offsets = fast(MIXED)
    assert (ids.tolist(), offsets.tolist()) == plain(tokenizer, MIXED)


@pytest.mark.slow
@pytest.mark.data
def test_the_fast_path_on_real_sentences(data):
    texts: dict[str, list[str]] = {}
    for pair in ("en-zh", "en-th", "ar-en", "en-hi", "en-vi", "el-en"):
        with gzip.open(data / "bitext" / f"{pair}.tsv.gz", "rt", encoding="utf-8") as lines:
            for line, _ in zip(lines, range(400), strict=False):
                for language, text in zip(pair.split("-"), line.rstrip("\n").split("\t"), strict=True):
                    texts.setdefault(language, []).append(text)
    tokenizer = train_tokenizer(word_counts(texts), vocab=6000)
    everything = [text for column in texts.values() for text in column]
    ids, offsets = encode_many(tokenizer, everything)
    assert (ids.tolist(), offsets.tolist()) == plain(tokenizer, everything)
    assert (ids == UNK).mean() < 0.01
