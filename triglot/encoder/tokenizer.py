"""A Unigram tokenizer for many languages at once, trained with sentencepiece and written as a plain `tokenizer.json`.

Text is normalised (NFKC, lower case, decimal digits of any script to ASCII, format characters and vowel marks that
writers leave out dropped) and cut into words, digit runs and single punctuation marks. Words of scripts that put spaces
between words start with `▁`, whatever stands before them; Han, kana, Thai, Lao, Khmer and Burmese text carries none, so
a word inside a clause and the same word alone give the same tokens.
"""

from __future__ import annotations

import itertools
import threading
from array import array
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping

import numpy as np
from tokenizers import Regex, Tokenizer, models, normalizers, pre_tokenizers

from triglot.encoder.cut import Cut
from triglot.encoder.pieces import learn_pieces
from triglot.files import InputError
from triglot.text import unspaced_letters

SPECIAL = ("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]")
PAD, UNK, CLS, SEP, MASK = range(5)

_UNSPACED = unspaced_letters(r"\x{30FC}")
_WORD = rf"[\p{{L}}\p{{M}}&&[^{_UNSPACED}]]"
_LETTER = rf"[\p{{L}}&&[^{_UNSPACED}]]"
# Control and format characters, the dot that lower-casing leaves of a Turkish capital I, Arabic tatweel and short
# vowels, variation selectors.
_DROPPED = r"[[\p{Cc}&&[^\s]]\p{Cf}\x{307}\x{640}\x{64B}-\x{652}\x{FE00}-\x{FE0F}]"
_ZEROS = (0x660, 0x6F0, 0x966, 0x9E6, 0xA66, 0xAE6, 0xBE6, 0xC66, 0xCE6, 0xD66, 0xE50, 0xED0, 0x1040, 0x17E0)
_BATCH_CHARACTERS = 200_000
_MOST_GROWTH = 30.0
_AT_ONCE = 1_000_000  # characters tokenised in one call, and of a long text looked at together


def normalizer() -> normalizers.Normalizer:
    """Standard components only, so that `tokenizers` alone can read it."""
    digits = [
        normalizers.Replace(Regex("[" + "".join(chr(zero + d) for zero in _ZEROS) + "]"), str(d)) for d in range(10)
    ]
    return normalizers.Sequence(
        [
            normalizers.NFKC(),
            normalizers.Lowercase(),
            normalizers.Replace(Regex(_DROPPED), ""),
            normalizers.Replace("▁", " "),
            *digits,
            normalizers.Replace(Regex(rf"(?<!{_WORD})(?={_LETTER})"), "▁"),
        ]
    )


def pre_tokenizer() -> pre_tokenizers.PreTokenizer:
    """Cuts normalised text into words, digit runs and single other characters; white space goes."""
    return pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(Regex(r"\s+"), "removed"),
            pre_tokenizers.Split(Regex(rf"▁?{_WORD}+|[{_UNSPACED}]+|\p{{Nd}}+|."), "isolated"),
        ]
    )


def word_counts(texts: Mapping[str, Iterable[str]]) -> dict[str, dict[str, int]]:
    """How often each normalised word occurs in the texts of each language.

    Args:
        texts: language -> texts.

    Returns:
        language -> word -> count; words as `pre_tokenizer` cuts them, in a fixed order.
    """
    normalize, split = normalizer(), pre_tokenizer()
    result = {}
    for language, column in texts.items():
        chunks: Counter[str] = Counter()
        for text in column:
            chunks.update(text.split(" "))
        chunks.pop("", None)
        words: Counter[str] = Counter()
        # The pipeline is slow on many short strings: chunks with the same count go through it together, parted by
        # spaces.
        by_count = sorted(chunks.items(), key=lambda item: item[1])
        for count, group in itertools.groupby(by_count, key=lambda item: item[1]):
            for block in _blocks((chunk for chunk, _ in group), _BATCH_CHARACTERS):
                try:
                    pieces = split.pre_tokenize_str(normalize.normalize_str(block))
                except UnicodeEncodeError:
                    raise InputError(
                        f"a text in {language!r} holds a lone surrogate, which is not Unicode text"
                    ) from None
                for word, times in Counter(piece for piece, _ in pieces).items():
                    words[word] += times * count
        result[language] = dict(sorted(words.items(), key=lambda item: (-item[1], item[0])))
    return result


def _blocks(chunks: Iterable[str], characters: int) -> Iterable[str]:
    block: list[str] = []
    size = 0
    for chunk in chunks:
        block.append(chunk)
        size += len(chunk) + 1
        if size > characters:
            yield " ".join(block)
            block, size = [], 0
    if block:
        yield " ".join(block)


def balance(counts: Mapping[str, Mapping[str, int]], exponent: float) -> dict[str, tuple[int, int]]:
    """Counts of all languages in one table, each language scaled so that its characters weigh (its own number of them)
    ** exponent.

    Args:
        counts: language -> word -> count.
        exponent: 1 keeps the counts, 0 gives every language the same mass. The heaviest language keeps its counts, the
            others grow, though at most thirtyfold: a handful of sentences is no sample of a language.

    Returns:
        word -> (scaled count, count as it was), sorted by word.
    """
    mass = {language: sum(count * len(word) for word, count in words.items()) for language, words in counts.items()}
    heaviest = max(mass.values(), default=0)
    merged: dict[str, tuple[float, int]] = {}
    for language in sorted(counts):
        scale = min((heaviest / max(mass[language], 1)) ** (1 - exponent), _MOST_GROWTH)
        for word, count in counts[language].items():
            scaled, times = merged.get(word, (0.0, 0))
            merged[word] = (scaled + count * scale, times + count)
    return {word: (max(1, round(scaled)), times) for word, (scaled, times) in sorted(merged.items())}


def _numbers(vocab: int, most: int | None) -> list[str]:
    """Digit strings that are tokens of their own: all of 1, 2 and 3 digits and 1000 to 2099, as far as an eighth of the
    vocabulary goes."""
    if most is None:
        most = next((n for n in (2210, 1110, 110) if n <= vocab // 8), 10)
    digits = "0123456789"
    short = ["".join(p) for width in (1, 2, 3) for p in itertools.product(digits, repeat=width)]
    return (short + [str(n) for n in range(1000, 2100)])[: max(most, 10)]


def train_tokenizer(
    words: Mapping[str, Mapping[str, int]],
    *,
    vocab: int = 65536,
    exponent: float = 0.3,
    character_coverage: float = 0.9998,
    longest: int = 20,
    numbers: int | None = None,
    max_length: int | None = None,
) -> Tokenizer:
    """A Unigram tokenizer (Kudo 2018) over word counts of several languages.

    The same counts give the same file, byte for byte.

    Args:
        words: language -> word -> count, as `word_counts` returns them.
        vocab: number of tokens. A small corpus may support fewer; the tokenizer then has fewer.
        exponent: how much a language's size counts, 0 (not at all) to 1 (as it is).
        character_coverage: share of the characters that get a token; rarer ones become `[UNK]`.
        longest: characters a piece may have.
        numbers: digit strings kept whole (at most 2,210: every one of up to 3 digits, then 1000 to 2099); None: up to
            an eighth of `vocab`.
        max_length: tokens kept of a text; carried in the file. None keeps all.

    Raises:
        InputError: no words, or a vocabulary too small for the characters that must be in it.
    """
    if not 0 <= exponent <= 1:
        raise InputError(
            f"exponent {exponent}: between 0 (languages weigh the same) and 1 (as many words as they have)"
        )
    table = {word: count for word, count in balance(words, exponent).items() if not word.isdecimal()}
    if not table:
        raise InputError("no words to train a tokenizer on")
    whole = _numbers(vocab, numbers)
    wanted = vocab - len(SPECIAL) - len(whole)
    if wanted < 1:
        raise InputError(
            f"a vocabulary of {vocab} is too small: {len(SPECIAL) + len(whole)} tokens are special ones and numbers"
        )
    learned = learn_pieces(table, size=wanted, character_coverage=character_coverage, longest=longest)
    taken = set(whole) | set(SPECIAL)
    pieces = [(piece, score) for piece, score in learned if piece not in taken]
    # Digit runs are words of their own and hold nothing else, so only their scores among themselves matter: equal ones
    # prefer few pieces.
    vocabulary = [*((token, 0.0) for token in SPECIAL), *((number, -10.0) for number in whole), *pieces]
    tokenizer = Tokenizer(models.Unigram(vocabulary, unk_id=UNK, byte_fallback=False))
    tokenizer.normalizer = normalizer()
    tokenizer.pre_tokenizer = pre_tokenizer()
    if max_length is not None:
        tokenizer.enable_truncation(max_length)
    return tokenizer


def token_shares(tokenizer: Tokenizer, words: Mapping[str, Mapping[str, int]], *, exponent: float = 0.0) -> np.ndarray:
    """(vocab,) float64: the share of each token among the tokens of these words, languages balanced as in `balance`;
    sums to 1."""
    table = balance(words, exponent)
    ids, offsets = encode_many(tokenizer, table)
    weight = np.repeat(np.fromiter((scaled for scaled, _ in table.values()), np.float64, len(table)), np.diff(offsets))
    counts = np.bincount(ids, weight, minlength=tokenizer.get_vocab_size())
    return counts / max(counts.sum(), 1.0)


class WordTokenizer:
    """Token ids of many texts, each space-parted chunk tokenised once.

    Equal to `tokenizer.encode_batch(add_special_tokens=False)`.

    The short cut holds for tokenizers of this module, whose steps never look across a space; any other tokenizer is
    called as it is. Threads may share one.
    """

    def __init__(self, tokenizer: Tokenizer, *, cache: int = 1_000_000):
        """
        Args:
            tokenizer: any; not to be changed afterwards.
            cache: chunks remembered at most; the memory starts anew beyond it.
        """
        truncation = tokenizer.truncation
        if truncation or tokenizer.padding:
            tokenizer = Tokenizer.from_str(tokenizer.to_str())
            tokenizer.no_padding()
        self.tokenizer = tokenizer
        self._limit = cache
        self._lock = threading.Lock()
        self._max_length: int | None = truncation["max_length"] if truncation else None
        self._by_chunk = _looks_at_chunks_alone(self.tokenizer) and (
            not truncation or truncation["direction"] == "right"
        )
        if self._by_chunk:
            self.tokenizer.no_truncation()
        self._cuts = not truncation or truncation["direction"] == "right"
        self._cut: Cut | None = None
        self._forget()

    def _forget(self) -> None:
        self._chunks: dict[str, int] = {}
        # Chunks with tokens.
        self._known = 0
        # Both grow by doubling; what lies behind the last known chunk means nothing.
        self._ids = np.empty(0, np.int32)
        self._starts = np.zeros(1, np.int64)

    def __call__(self, texts: Iterable[str], *, most: int | None = None) -> tuple[np.ndarray, np.ndarray]:
        """Tokenise.

        Args:
            texts: any.
            most: first tokens of each text that matter; of a long text those alone may be returned. None: all do.

        Returns:
            ids: (tokens,) int32, text after text; offsets: (texts + 1,) int64, so that text i is
            ids[offsets[i]:offsets[i + 1]].

        Raises:
            InputError: a text that is not a str, or holds a lone surrogate.
        """
        if isinstance(texts, str):
            raise InputError("a list of texts was expected, not one text")
        most = min((one for one in (most, self._max_length) if one is not None), default=None)
        if most is not None and self._cuts:
            texts = [self._beginning(_checked(text), most) for text in texts]
        if not self._by_chunk:
            return self._encode([_checked(text) for text in texts])
        with self._lock:
            return self._by_chunks(texts)

    def _beginning(self, text: str, most: int) -> str:
        """The text, or as much of it as its first tokens need."""
        if len(text) < 1000 + 40 * most:
            return text
        if self._cut is None:
            whole = Tokenizer.from_str(self.tokenizer.to_str()) if self.tokenizer.truncation else self.tokenizer
            whole.no_truncation()
            self._cut = Cut(whole, at_any_space=self._by_chunk)
        try:
            return self._cut(text, most)
        except (UnicodeEncodeError, TypeError):
            # A lone surrogate is reported with the others.
            return text

    def _by_chunks(self, texts: Iterable[str]) -> tuple[np.ndarray, np.ndarray]:
        number = self._chunks.setdefault
        flat = array("q")
        chunks: list[int] = []
        for text in texts:
            before = len(flat)
            for piece in _pieces(_checked(text)):
                flat.extend([number(part, len(self._chunks)) for part in piece.split(" ")])
            chunks.append(len(flat) - before)
        if new := len(self._chunks) - self._known:
            try:
                ids, offsets = self._encode(list(itertools.islice(reversed(self._chunks), new))[::-1])
            except InputError:
                self._forget()
                raise
            end = int(self._starts[self._known])
            self._starts = _put(self._starts, self._known + 1, end + offsets[1:])
            self._ids = _put(self._ids, end, ids)
            self._known += new
        row = np.array(flat, np.int64)
        length = self._starts[row + 1] - self._starts[row]
        ends = np.concatenate([[0], np.cumsum(length)])
        offsets = ends[np.concatenate([[0], np.cumsum(np.array(chunks, np.int64))])]
        ids = self._ids[_ranges(self._starts[row], length)]
        if self._max_length is not None and len(offsets) > 1 and np.diff(offsets).max() > self._max_length:
            length = np.minimum(np.diff(offsets), self._max_length)
            ids = ids[_ranges(offsets[:-1], length)]
            offsets = np.concatenate([[0], np.cumsum(length)])
        if len(self._chunks) > self._limit:
            self._forget()
        return ids, offsets

    def _encode(self, texts: list[str]) -> tuple[np.ndarray, np.ndarray]:
        parts = [np.empty(0, np.int32)]
        lengths: list[int] = []
        for block in _batches(texts, _AT_ONCE):
            try:
                encodings = self.tokenizer.encode_batch_fast(block, add_special_tokens=False)
            except (UnicodeEncodeError, TypeError):
                # All are str, so a TypeError is a str that tokenizers cannot take over.
                raise InputError("a text holds a lone surrogate, which is not Unicode text") from None
            except (KeyboardInterrupt, SystemExit):
                raise
            except BaseException as error:
                # A plain Exception, or a panic of Rust: a tokenizer that does not fit together.
                raise InputError(
                    f"the tokenizer fails ({(str(error) or type(error).__name__).splitlines()[0]})"
                ) from None
            lists = [encoding.ids for encoding in encodings]
            lengths += map(len, lists)
            parts.append(np.fromiter(itertools.chain.from_iterable(lists), np.int32, sum(map(len, lists))))
        return np.concatenate(parts), np.concatenate([[0], np.cumsum(np.array(lengths, np.int64))])


def encode_many(tokenizer: Tokenizer, texts: Iterable[str]) -> tuple[np.ndarray, np.ndarray]:
    """As `WordTokenizer(tokenizer)(texts)`: (tokens,) int32 ids and (texts + 1,) int64 offsets."""
    return WordTokenizer(tokenizer)(texts)


def _pieces(text: str) -> Iterator[str]:
    """A text in parts whose spaces between them are left out; no part is much longer than `_AT_ONCE`."""
    start = 0
    while (end := text.find(" ", start + _AT_ONCE)) >= 0:
        yield text[start:end]
        start = end + 1
    yield text[start:]


def _batches(texts: list[str], characters: int) -> Iterator[list[str]]:
    """Texts in their order, so many characters together or a single longer text."""
    first, size = 0, 0
    for i, text in enumerate(texts):
        if i > first and size + len(text) > characters:
            yield texts[first:i]
            first, size = i, 0
        size += len(text)
    if texts[first:]:
        yield texts[first:]


def _checked(text: str) -> str:
    if not isinstance(text, str):
        raise InputError(f"a text must be a str, not {type(text).__name__}")
    return text


def _put(array: np.ndarray, at: int, values: np.ndarray) -> np.ndarray:
    """The array with these values from a place on; where it is too short, one twice as long."""
    if at + len(values) > len(array):
        longer = np.empty(2 * (at + len(values)), array.dtype)
        longer[:at] = array[:at]
        array = longer
    array[at : at + len(values)] = values
    return array


def _ranges(starts: np.ndarray, lengths: np.ndarray) -> np.ndarray:
    """The numbers starts[0] .. starts[0] + lengths[0] - 1, then those of the next, and so on."""
    before = np.cumsum(lengths) - lengths
    return np.repeat(starts - before, lengths) + np.arange(int(lengths.sum()))


def _looks_at_chunks_alone(tokenizer: Tokenizer) -> bool:
    """Whether tokenising the parts between spaces one by one gives the tokens of the whole."""
    if tokenizer.normalizer is None or tokenizer.pre_tokenizer is None:
        return False
    added = tokenizer.get_added_tokens_decoder().values()
    plain = all(not (token.lstrip or token.rstrip or token.single_word or " " in token.content) for token in added)
    # The state of a component is its JSON, as in tokenizer.json.
    ours = (normalizer().__getstate__(), pre_tokenizer().__getstate__())
    return plain and (tokenizer.normalizer.__getstate__(), tokenizer.pre_tokenizer.__getstate__()) == ours
