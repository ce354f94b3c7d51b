"""Corpora of a few rows, vectors by chance, and mining by a plain double loop."""

from __future__ import annotations

import numpy as np

from triglot.corpus.parallel import CorpusBuilder, ParallelCorpus
from triglot.mine import MineSettings

LANGUAGES = ("de", "en", "fr", "th")


def corpus_of(seed: int = 0, rows: int = 24, *, gaps: float = 0.3, repeats: bool = True) -> ParallelCorpus:
    """Questions and passages of which some lack a language, some say the same, and some questions have two answers."""
    rng = np.random.default_rng(seed)
    builder = CorpusBuilder("small")
    for row in range(rows):
        has = rng.random((2, len(LANGUAGES))) >= gaps
        has[0, rng.integers(len(LANGUAGES))] = has[1, rng.integers(len(LANGUAGES))] = True
        for lang in np.flatnonzero(has[0]).tolist():
            builder.text(f"q{row}", LANGUAGES[lang], f"question {row} in {LANGUAGES[lang]}?")
        for lang in np.flatnonzero(has[1]).tolist():
            same = repeats and rng.random() < 0.15
            builder.text(
                f"p{row}", LANGUAGES[lang], "  The SAME  words" if same else f"passage {row} in {LANGUAGES[lang]}."
            )
    for row in range(rows):
        builder.row(f"q{row}", f"p{row}", [f"p{(row + 5) % rows}"] if row % 7 == 0 else [])
        if repeats and row % 6 == 0:
            builder.row(f"q{row}", f"p{(row + 1) % rows}")
    return builder.build()


def embed_of(corpus: ParallelCorpus, seed: int = 0, dim: int = 8):
    """Vectors by chance, the same for equal texts."""
    rng = np.random.default_rng(seed)
    table = {
        "query": rng.standard_normal((len(corpus.texts), dim)),
        "passage": rng.standard_normal((len(corpus.texts), dim)),
    }
    for values in table.values():
        values /= np.linalg.norm(values, axis=1, keepdims=True)
    first: dict[str, int] = {}
    same = np.array([first.setdefault(folded(text), i) for i, text in enumerate(corpus.texts.to_pylist())])
    return lambda texts, side: table[side][same[texts]].astype(np.float32)


def folded(text: str) -> str:
    return " ".join(text.lower().split())


def safe_pairs(corpus: ParallelCorpus) -> list[set[int]]:
    """Of each row, the groups that must never be its negatives, grown from the rows until nothing changes."""
    texts = [folded(text) for text in corpus.texts.to_pylist()]
    sayings: dict[int, set[str]] = {}
    for text, group in zip(texts, corpus.text_group.tolist(), strict=True):
        sayings.setdefault(group, set()).add(text)
    passages = set(corpus.passage.tolist()) | (
        set(corpus.negatives.flatten().to_pylist()) if corpus.negatives is not None else set()
    )
    answers: dict[int, set[int]] = {}
    for query, passage in zip(corpus.query.tolist(), corpus.passage.tolist(), strict=True):
        answers.setdefault(query, set()).add(passage)
    banned = []
    for query, passage in zip(corpus.query.tolist(), corpus.passage.tolist(), strict=True):
        family = {passage, query}
        while True:
            said = set().union(*(sayings.get(group, set()) for group in family & passages))
            more = {group for group in passages if sayings.get(group, set()) & said}
            more |= set().union(*(found for found in answers.values() if found & family))
            if more <= family:
                break
            family |= more
        banned.append(family)
    return banned


def naive(corpus: ParallelCorpus, lines, embed, mine: MineSettings, quota: np.ndarray) -> list[list[list[int]]]:
    """Of each line and language, the texts that may be chosen, best first: `top`, one list a language."""
    texts = [folded(text) for text in corpus.texts.to_pylist()]
    passages = set(corpus.passage.tolist()) | (
        set(corpus.negatives.flatten().to_pylist()) if corpus.negatives is not None else set()
    )
    banned = safe_pairs(corpus)
    everything = np.arange(len(corpus.texts))
    query, passage = embed(everything, "query").astype(np.float64), embed(everything, "passage").astype(np.float64)
    found = []
    for line in range(len(lines)):
        row, q, p = int(lines.row[line]), int(lines.query[line]), int(lines.passage[line])
        positive = query[q] @ passage[p]
        lists = []
        for lang in range(len(corpus.languages)):
            seen: set[str] = set()
            candidates = []
            for text in np.flatnonzero(corpus.text_lang == lang).tolist():
                group = int(corpus.text_group[text])
                if group not in passages or texts[text] in seen:
                    continue
                seen.add(texts[text])
                if group in banned[row] or texts[text] == texts[q]:
                    continue
                candidates.append((-(query[q] @ passage[text]), text))
            ranked = [(-score, text) for score, text in sorted(candidates)][mine.skip : mine.depth]
            kept = []
            for score, text in ranked:
                above = mine.margin is not None and score > positive - mine.margin
                above |= mine.relative_margin is not None and score > positive - abs(positive) * mine.relative_margin
                above |= mine.max_score is not None and score > mine.max_score
                below = mine.min_score is not None and score < mine.min_score
                if not above and not below:
                    kept.append(text)
            lists.append(kept if quota[line, lang] else [])
        found.append(lists)
    return found
