"""The pieces of a Unigram vocabulary: candidates from the words themselves, then sentencepiece's expectation
maximisation.

sentencepiece 0.2.3 looks for candidates in the word list as if it were running text. A word that never goes on into a
longer one then loses its last letters (`▁worrie` + `d`, `▁khô` + `ng`, however frequent), so the candidates are counted
here and handed over.
"""

from __future__ import annotations

import io
import itertools
import os
import tempfile
from collections.abc import Mapping, Sequence

import numpy as np

from triglot.extras import named
from triglot.files import InputError
from triglot.text import HAN_BLOCKS, THAI_BLOCKS, within

# Characters of distinct words; beyond it the rarest words are left out, which bounds time and memory.
_MOST_CHARACTERS = 12_000_000
# Characters of a candidate in scripts without spaces, where a "word" is a whole clause.
_HAN, _THAI = 6, 12


def learn_pieces(
    words: Mapping[str, tuple[int, int]], *, size: int, character_coverage: float = 0.9998, longest: int = 20
) -> list[tuple[str, float]]:
    """Pieces and their log probabilities (Kudo 2018), best first. The same words give the same pieces, in any process.

    Args:
        words: word -> (weight, times it was seen). The order does not matter.
        size: pieces at most; few words may support fewer.
        character_coverage: share of the characters, by weight, that must be pieces.
        longest: characters of a piece at most (fewer for Han and Thai).

    Raises:
        InputError: `size` is too small for the characters.
    """
    with named():
        import sentencepiece

    names = sorted(words, key=lambda word: (-words[word][0], word))
    total = itertools.accumulate(len(word) for word in names)
    names = sorted(itertools.takewhile(lambda _: next(total) <= _MOST_CHARACTERS, names)) or names[:1]
    weights = [words[word][0] for word in names]
    candidates = seed_pieces(
        names, weights, [words[word][1] for word in names], most=max(6 * size, 2000), longest=longest
    )
    model = io.BytesIO()
    # Its longest line is 4,192 bytes; longer clauses are cut rather than left out.
    lines = (
        f"{name[i : i + 1000]}\t{weight}"
        for name, weight in zip(names, weights, strict=True)
        for i in range(0, len(name), 1000)
    )
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "candidates.tsv")
        with open(path, "w", encoding="utf-8", newline="\n") as handle:
            handle.writelines(f"{piece}\t{weight}\n" for piece, weight in candidates)
        try:
            sentencepiece.SentencePieceTrainer.train(
                sentence_iterator=lines,
                model_writer=model,
                input_format="tsv",
                model_type="unigram",
                seed_sentencepieces_file=path,
                # And its own <unk>, which is dropped below.
                vocab_size=size + 1,
                hard_vocab_limit=False,
                character_coverage=character_coverage,
                max_sentencepiece_length=longest,
                # With .75, which takes half as long again, the vocabularies were as good.
                shrinking_factor=0.5,
                normalization_rule_name="identity",
                add_dummy_prefix=False,
                remove_extra_whitespaces=False,
                split_by_unicode_script=False,
                split_by_number=False,
                split_by_whitespace=True,
                bos_id=-1,
                eos_id=-1,
                pad_id=-1,
                # Sums are taken thread by thread, so another number gives other last digits.
                num_threads=1,
                minloglevel=2,
            )
        except RuntimeError as error:
            raise InputError(
                f"no vocabulary of {size} pieces could be learned from {len(names)} different words: {error}"
            ) from None
    trained = sentencepiece.SentencePieceProcessor(model_proto=model.getvalue())
    pieces = [
        (trained.id_to_piece(i), float(trained.get_score(i)))
        for i in range(trained.get_piece_size())
        if not trained.is_unknown(i)
    ]
    return pieces[:size]


def seed_pieces(
    words: Sequence[str], weights: Sequence[int], seen: Sequence[int], *, most: int, longest: int = 20
) -> list[tuple[str, int]]:
    """Every character, then the substrings that hold most characters of the text (weight times length).

    A substring of more than one character counts if it was seen at least twice.

    Args:
        words: distinct.
        weights: of each word.
        seen: how often each word was met, before any balancing: what was met once is no piece, however much it weighs.
        most: pieces returned.
        longest: characters of a piece.

    Returns:
        (piece, weight), characters first, then by falling weight times length.
    """
    text = "".join(words)
    characters = np.frombuffer(text.encode("utf-32-le"), np.uint32)
    lengths = np.fromiter(map(len, words), np.int64, len(words))
    at = np.arange(len(characters))
    # Characters from here to the end of the word.
    room = np.repeat(np.cumsum(lengths), lengths) - at
    room = np.minimum(room, _limits(characters, longest))
    weight = np.repeat(np.asarray(weights, np.int64), lengths)
    times = np.repeat(np.asarray(seen, np.int64), lengths)
    key = np.zeros(len(characters), np.uint64)
    pieces: list[tuple[np.ndarray, np.ndarray, np.ndarray]] = []
    for length in range(1, longest + 1):
        long_enough = room[at] >= length
        at, key = at[long_enough], key[long_enough]
        if not len(at):
            break
        # A 64-bit hash of the substring, extended by one character a round: equal keys are equal substrings.
        key = (key ^ characters[at + length - 1]) * np.uint64(0x9E3779B97F4A7C15)
        key ^= key >> np.uint64(29)
        order = np.argsort(key, kind="stable")
        first = np.flatnonzero(np.diff(key[order], prepend=~key[order[:1]]))
        often = np.add.reduceat(times[at[order]], first) >= (1 if length == 1 else 2)
        total = np.add.reduceat(weight[at[order]], first)
        pieces.append((at[order[first]][often], np.full(int(often.sum()), length), total[often]))
        # What was seen once starts nothing longer that was seen twice.
        alive = np.empty(len(at), bool)
        alive[order] = np.repeat(often, np.diff(first, append=len(at)))
        at, key = at[alive], key[alive]
    if not pieces:
        return []
    start, length, total = (np.concatenate(column) for column in zip(*pieces, strict=True))
    top = np.lexsort((start, length, -(total * length), length > 1))[:most]
    return [
        (text[s : s + n], w)
        for s, n, w in zip(start[top].tolist(), length[top].tolist(), total[top].tolist(), strict=True)
    ]


def _limits(characters: np.ndarray, longest: int) -> np.ndarray:
    """(characters,) the longest piece that may begin with each: blocks of Han and kana, then of Thai, Lao, Burmese and
    Khmer."""
    han, thai = within(characters, HAN_BLOCKS), within(characters, THAI_BLOCKS)
    return np.where(han, min(_HAN, longest), np.where(thai, min(_THAI, longest), longest))
