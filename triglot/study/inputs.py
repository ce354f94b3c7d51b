"""What a run reads, as values: training data of its stages, benchmarks, word lists. The module `data` opens them."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np

from triglot.augment.lexicon import Lexicon
from triglot.benchmark import Opened
from triglot.corpus.parallel import ParallelCorpus
from triglot.sources import Benchmark
from triglot.train.feed import Feed, Switching, Tokenize

Benchmarks = tuple[tuple[Benchmark, Opened], ...]


@dataclass(frozen=True)
class Training:
    """The data of a stage.

    Attributes:
        corpus: all sources together.
        weights: share of each of `corpus.sources`.
        switching: source -> how it is code-switched.
        lexicon: translations for noise in its texts, None where it needs none.
        notes: what is to be said of the sources.
        feeds: the feed that was made last; arms that train on the same data share it.
    """

    corpus: ParallelCorpus
    weights: tuple[float, ...]
    switching: Mapping[str, Switching]
    lexicon: Lexicon | None = None
    notes: tuple[str, ...] = ()
    feeds: dict[tuple[str, int], Feed] = field(default_factory=dict, compare=False, repr=False)

    def feed(self, tokenize: Tokenize | None, tokenizer: str, seed: int) -> Feed:
        """The texts as training shows them; they are tokenised once for each tokenizer and seed.

        Args:
            tokenize: as `Feed` takes it.
            tokenizer: stands for the tokenizer.
            seed: of the code-switching.
        """
        key = (tokenizer, seed)
        if key not in self.feeds:
            self.feeds.clear()
            self.feeds[key] = Feed(self.corpus, switching=self.switching, tokenize=tokenize, seed=seed)
        return self.feeds[key]

    @cached_property
    def checksum(self) -> str:
        """Of all that training sees of it: a run that was stopped goes on with the same data or not at all."""
        corpus = self.corpus
        switching = {name: (how.pivot, dict(how.lists), how.p, how.languages) for name, how in self.switching.items()}
        digest = hashlib.blake2b(
            repr((corpus.languages, corpus.sources, self.weights, switching)).encode(), digest_size=16
        )
        for column in (corpus.source, corpus.family):
            digest.update(np.ascontiguousarray(column).tobytes())
        corpus.hash_into(digest)
        return digest.hexdigest()


@dataclass(frozen=True)
class Inputs:
    """All that one run reads, opened before it begins.

    Attributes:
        alignment, fine_tuning: what the two stages train on; None for a stage that is not to be trained.
        validation, evaluate: the benchmarks with their settings; none on a process that evaluates nothing.
        lexicons: half of the word lists -> translations, for attacks.
        fitting: label and texts of the source that a debiasing is fitted on.
        kept: texts whose tokens a trimmed vocabulary keeps (`encoder.trim`).
    """

    alignment: Training | None = None
    fine_tuning: Training | None = None
    validation: Benchmarks = ()
    evaluate: Benchmarks = ()
    lexicons: Mapping[int | None, Lexicon] = field(default_factory=dict)
    fitting: tuple[str, ParallelCorpus] | None = None
    kept: tuple[str, ...] = ()


def texts_by_language(parts: Sequence[Training]) -> dict[str, list[str]]:
    """Every text that a tokenizer must know: those of the corpora, and the words that code-switching puts in."""
    texts_of: dict[str, list[str]] = {}
    for part in parts:
        texts = part.corpus.texts.to_pylist()
        for text, lang in zip(texts, part.corpus.text_lang.tolist(), strict=True):
            texts_of.setdefault(part.corpus.languages[lang], []).append(text)
        for how in part.switching.values():
            for lang in how.languages or how.lists:
                texts_of.setdefault(lang, []).extend(dict.fromkeys(word for _, word in how.lists[lang]))
    return texts_of
