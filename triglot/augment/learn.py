"""Word lists learned from translations: IBM model 1 (Brown et al. 1993) in both directions, and what both agree on
(Liang et al. 2006).

A pair's score is the Dice coefficient of expected links, less a little for rare words: twice the number of times that
both directions link the words, over how often the two occur. Scripts without spaces are cut into words by a Unigram
model of the texts themselves (Kudo 2018, arXiv 1804.10959).
"""

from __future__ import annotations

import io
from array import array
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Annotated

import numpy as np
import regex

from triglot.extras import named
from triglot.files import InputError
from triglot.ragged import Ragged
from triglot.ranges import MostWords, Range, Several, Share, check_ranges
from triglot.text import RUNS, UNSPACED

LONGEST_WORD = 12  # characters of a word in a script without spaces
_WORD = regex.compile(r"\p{L}[\p{L}\p{M}\u200c\u200d]*(?:['’\-]\p{L}[\p{L}\p{M}\u200c\u200d]*)*")
_CHARACTERS_A_WORD = 100  # the more text, the more words a Unigram model may tell apart
_LEAST_CHARACTERS = 2000
_DISCOUNT = 0.8  # links taken from each pair: what was seen once or twice is worth less than its share says

Cut = Callable[[str], Sequence[str]]


@dataclass(frozen=True)
class LearnSettings:
    """How a word list is learned.

    Attributes:
        rounds: of expectation maximisation.
        min_count: sentence pairs that a word, and a word with its translation, must occur in.
        min_score: entries below it are left out, 0 to 1; a higher one gives fewer but more precise entries.
        max_translations: of a word.
        longest: pairs with more words than this on a side are passed over.
        links: possible links (words of one side times words of the other) that are looked at in all; of more data an
            even sample of the sentences is used. A link takes 12 bytes at most.
        at_once: links that are counted at a time.
    """

    rounds: Annotated[int, Range(1, 1000)] = 5
    min_count: Several = 2
    min_score: Share = 0.1
    max_translations: MostWords = 3
    longest: Annotated[int, Range(1, 10_000)] = 100
    links: Annotated[int, Range(1, 10**10)] = 300_000_000
    at_once: Several = 5_000_000

    def __post_init__(self) -> None:
        check_ranges(self)


@dataclass(frozen=True)
class Learned:
    """A word list and how sure it is.

    Attributes:
        sources, targets: words side by side, those that occur more often first, a word's better translations first.
        scores: (entries,) between 0 and 1.
        back: (entries,) the order of the entries as a list in the other direction.
        source_words, target_words: that occur often enough, with or without an entry.
        sentences: pairs of sentences that it was learned from.
        too_long: pairs of sentences passed over for their length.
        too_many: pairs of sentences left out of the sample.
    """

    sources: list[str]
    targets: list[str]
    scores: np.ndarray
    back: np.ndarray
    source_words: list[str]
    target_words: list[str]
    sentences: int
    too_long: int = 0
    too_many: int = 0

    def __len__(self) -> int:
        return len(self.sources)

    def reverse(self) -> Learned:
        """The same entries as a list in the other direction."""
        back = np.empty_like(self.back)
        back[self.back] = np.arange(len(self.back))
        rows = self.back.tolist()
        return Learned(
            [self.targets[i] for i in rows],
            [self.sources[i] for i in rows],
            self.scores[self.back],
            back,
            self.target_words,
            self.source_words,
            self.sentences,
            self.too_long,
            self.too_many,
        )


def segmenter(texts: Sequence[str]) -> Cut:
    """A function that cuts a run of letters of scripts without spaces into words, by a Unigram model of such runs in
    these texts.

    Where there are too few of them for a model, a run is its characters.
    """
    runs = [run for text in texts for run in UNSPACED.findall(text.lower())]
    letters = {letter for run in runs for letter in run}
    size = sum(map(len, runs))
    if size < _LEAST_CHARACTERS:
        return regex.compile(r"\X").findall
    with named():
        import sentencepiece

    model = io.BytesIO()
    sentencepiece.SentencePieceTrainer.Train(
        sentence_iterator=iter(runs),
        model_writer=model,
        vocab_size=len(letters) + 8 + size // _CHARACTERS_A_WORD,
        hard_vocab_limit=False,
        model_type="unigram",
        character_coverage=1.0,
        add_dummy_prefix=False,
        normalization_rule_name="identity",
        max_sentencepiece_length=LONGEST_WORD,
        max_sentence_length=1 << 20,
        split_by_unicode_script=False,
        bos_id=-1,
        eos_id=-1,
        num_threads=1,  # several add up in another order and may learn other words
        minloglevel=2,
    )
    pieces = sentencepiece.SentencePieceProcessor(model_proto=model.getvalue())
    return lambda run: pieces.encode(run, out_type=str)


def words_of(texts: Sequence[str], least: int = 2) -> tuple[list[str], Ragged]:
    """Different words of each text, small letters.

    Args:
        texts: in one language.
        least: texts that a word must occur in.

    Returns:
        words, those that occur in more texts first, and the words of each text as indices.
    """
    cut: Cut | None = None
    known: dict[str, int] = {}
    flat, ends = array("i"), array("q", [0])
    for text in texts:
        here: dict[int, None] = {}
        for match in _WORD.findall(text.lower()):
            if not UNSPACED.search(match):
                here[known.setdefault(match, len(known))] = None
                continue
            cut = cut or segmenter(texts)
            for run in RUNS.findall(match):
                for word in cut(run) if UNSPACED.match(run) else (run,):
                    here[known.setdefault(word, len(known))] = None
        flat.extend(here)
        ends.append(len(flat))
    numbers, offsets = np.array(flat, np.int32), np.array(ends, np.int64)
    times = np.bincount(numbers, minlength=len(known))
    order = np.argsort(-times, kind="stable")
    order = order[times[order] >= least]
    new = np.full(len(known), -1, np.int32)
    new[order] = np.arange(len(order), dtype=np.int32)
    numbers = new[numbers]
    names = list(known)
    return [names[i] for i in order.tolist()], Ragged(
        numbers[numbers >= 0], np.append(0, np.cumsum(numbers >= 0))[offsets]
    )


@dataclass(frozen=True)
class _Block:
    """Links of a range of source words.

    `pair` counts from the block's `first`; `at_s` and `at_t` are the occurrences that are linked.
    """

    first: int
    pairs: int
    pair: np.ndarray
    at_s: np.ndarray
    at_t: np.ndarray

    @property
    def span(self) -> slice:
        return slice(self.first, self.first + self.pairs)


def _blocks(left: Ragged, right: Ragged, targets: int, settings: LearnSettings) -> tuple[list[_Block], np.ndarray]:
    """Links of words that occur together often enough, and their pairs as `source * targets + target`, sorted."""
    sentence = np.repeat(np.arange(len(left), dtype=np.int64), left.lengths)
    # Occurrences of a source word together: its pairs are complete in one block.
    order = np.argsort(left.flat, kind="stable")
    many = right.lengths[sentence[order]]
    word = left.flat[order]
    edges = [0]
    starts = np.append(np.flatnonzero(np.diff(word, prepend=-1)), len(word))
    before = np.append(0, np.cumsum(many))[starts]  # links before each word
    while edges[-1] < len(starts) - 1:
        end = int(np.searchsorted(before, before[edges[-1]] + settings.at_once, side="right")) - 1
        edges.append(max(end, edges[-1] + 1))
    blocks, keys = [], []
    first = 0
    for a, b in zip(starts[edges[:-1]], starts[edges[1:]], strict=True):
        occurrence, sizes = order[a:b], many[a:b]
        at_s = np.repeat(occurrence, sizes)
        at_t = np.arange(len(at_s)) - np.repeat(np.cumsum(sizes) - sizes - right.offsets[sentence[occurrence]], sizes)
        key = left.flat[at_s].astype(np.int64) * targets + right.flat[at_t]
        pairs, pair, times = np.unique(key, return_inverse=True, return_counts=True)
        kept = times >= settings.min_count
        links = kept[pair]
        pair = (np.cumsum(kept) - 1)[pair[links]].astype(np.int32)
        blocks.append(_Block(first, int(kept.sum()), pair, at_s[links].astype(np.int32), at_t[links].astype(np.int32)))
        keys.append(pairs[kept])
        first += int(kept.sum())
    return blocks, np.concatenate(keys)


def _fit(
    blocks: Sequence[_Block], side: str, given: np.ndarray, words: int, occurrences: int, rounds: int
) -> tuple[np.ndarray, np.ndarray]:
    """IBM model 1 with an empty word that explains every occurrence equally well.

    Args:
        blocks: the links.
        side: `at_t` or `at_s`, the occurrences that are explained.
        given: (pairs,) the explaining word of each pair.
        words: how many explaining words there are.
        occurrences: how many occurrences.
        rounds: of expectation maximisation.

    Returns:
        (pairs,) probability of the explained word given the explaining one; (occurrences,) what the links of an
        occurrence add up to. The probability of a link is the first over the second.
    """
    probability = 1.0 / np.maximum(np.bincount(given, minlength=words), 1)[given]
    links = sum(len(block.pair) for block in blocks)
    total = np.zeros(occurrences)
    for turn in range(rounds):
        total, mass = np.zeros(occurrences), 0.0
        for block in blocks:
            link = probability[block.span][block.pair]
            total += np.bincount(getattr(block, side), link, occurrences)
            mass += float(link.sum())
        total += mass / links
        if turn == rounds - 1:
            break
        counts = np.zeros(len(given))
        for block in blocks:
            counts[block.span] = np.bincount(
                block.pair, probability[block.span][block.pair] / total[getattr(block, side)], minlength=block.pairs
            )
        probability = counts / np.bincount(given, counts, words)[given]
    return probability, total


def _sampled(sizes: np.ndarray, most: int) -> np.ndarray:
    """Rows spread evenly whose sizes add up to about `most`; all where they are less."""
    ends = np.cumsum(sizes)
    if not len(ends) or ends[-1] <= most:
        return np.arange(len(sizes))
    parts = -(-int(ends[-1]) // most)
    return np.arange(0, len(sizes), parts)


def learn(sources: Sequence[str], targets: Sequence[str], settings: LearnSettings | None = None) -> Learned:
    """A word list from sentences and their translations.

    Args:
        sources: sentences.
        targets: their translations, in the same order.
        settings: see the class.

    Raises:
        InputError: the sides are of different lengths, or nothing can be learned.
    """
    settings = settings or LearnSettings()
    if len(sources) != len(targets):
        raise InputError(f"{len(sources)} sentences and {len(targets)} translations")
    names_s, left = words_of(sources, settings.min_count)
    names_t, right = words_of(targets, settings.min_count)
    usable = (left.lengths > 0) & (right.lengths > 0)
    rows = np.flatnonzero(usable & (left.lengths <= settings.longest) & (right.lengths <= settings.longest))
    too_long = int(usable.sum()) - len(rows)
    short = len(rows)
    rows = rows[_sampled((left.lengths * right.lengths)[rows], settings.links)]
    left, right = left.take(rows), right.take(rows)
    blocks, pairs = _blocks(left, right, len(names_t), settings) if len(rows) else ([], np.empty(0, np.int64))
    if not len(pairs):
        raise InputError("no two words occur together in two pairs of sentences; nothing can be learned")
    of_s, of_t = pairs // len(names_t), pairs % len(names_t)
    forward, total_t = _fit(blocks, "at_t", of_s, len(names_s), len(right.flat), settings.rounds)
    backward, total_s = _fit(blocks, "at_s", of_t, len(names_t), len(left.flat), settings.rounds)
    linked = np.empty(len(pairs))
    for block in blocks:
        both = (
            forward[block.span][block.pair]
            / total_t[block.at_t]
            * (backward[block.span][block.pair] / total_s[block.at_s])
        )
        linked[block.span] = np.bincount(block.pair, both, minlength=block.pairs)
    times_s, times_t = np.bincount(left.flat, minlength=len(names_s)), np.bincount(right.flat, minlength=len(names_t))
    scores = np.maximum(2 * (linked - _DISCOUNT) / (times_s[of_s] + times_t[of_t]), 0)
    # A pair is kept if it is among the best of either word, so that the list of the other direction is as long.
    best = (_rank(of_s, scores) < settings.max_translations) | (_rank(of_t, scores) < settings.max_translations)
    kept = np.flatnonzero(best & (scores >= settings.min_score) & (scores > 0))
    if not len(kept):
        raise InputError(
            f"no entry is as sure as {settings.min_score:g}, the surest of {len(pairs)} is {scores.max():.2g};"
            " a lower score, or more translations"
        )
    order = kept[np.lexsort((-scores[kept], of_s[kept]))]  # words are in the order of their frequency
    back = np.lexsort((-scores[order], of_t[order]))
    return Learned(
        [names_s[i] for i in of_s[order]],
        [names_t[i] for i in of_t[order]],
        scores[order],
        back,
        names_s,
        names_t,
        len(rows),
        too_long,
        short - len(rows),
    )


def _rank(word: np.ndarray, scores: np.ndarray) -> np.ndarray:
    """(pairs,) how many pairs of the same word score better."""
    order = np.lexsort((-scores, word))
    starts = np.flatnonzero(np.diff(word[order], prepend=-1))
    rank = np.empty(len(word), np.int64)
    rank[order] = np.arange(len(word)) - np.repeat(starts, np.diff(np.append(starts, len(word))))
    return rank
