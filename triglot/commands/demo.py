"""What `triglot demo` shows after its study: searches whose question and answer are in different languages."""

from __future__ import annotations

import json
import textwrap
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from triglot.batches.kinds import KINDS
from triglot.corpus.retrieval import RetrievalSet
from triglot.encoder import load_encoder
from triglot.files import atomic_write
from triglot.recipe import Recipe, arm_recipe
from triglot.study.data import Data

PARTS = ("xx", "xy")
PAIRS = (("tr", "de"), ("ar", "es"), ("zh", "ru"))


@dataclass(frozen=True)
class Example:
    """A question, and the best passage in another language.

    Attributes:
        question_lang, question: as asked.
        gloss: the same question in English, empty where the recipe leaves English out.
        passage_lang, passage, score: what was found.
        right: whether it answers the question.
    """

    question_lang: str
    question: str
    gloss: str
    passage_lang: str
    passage: str
    score: float
    right: bool


def first_screen(recipe: Recipe, out: Path) -> list[str]:
    """What the tour will show, in at most 80 columns, before it begins."""
    arms = {arm: KINDS[arm_recipe(recipe, arm, recipe.seeds[0]).batches.kind] for arm in recipe.arms}
    lines = [
        f"Triglot trains {len(arms)} small models on facts in {len(recipe.languages)} languages and asks which of them",
        "finds the answer, whatever language the question and the answer are in:",
        "",
    ]
    for arm, kind in arms.items():
        plain = f"both in turn: {' and '.join(KINDS[name].title for name in PARTS)}" if kind.parts else kind.help
        said = textwrap.wrap(plain.partition(" (")[0], 66)
        lines += [f"  {arm:<10}{said[0]}", *(f"{'':12}{line}" for line in said[1:])]
    lines += [f"  {'bm25':<10}words alone, without training"] if "bm25" in recipe.baselines else []
    return [
        *lines,
        "",
        "Then come a table (within a language, across two, in one pool of all), a report,",
        f"and three searches with {list(arms)[-1]}. All of it takes four to five minutes on two",
        "cores and needs no network. Stopped by Ctrl-C, it goes on when started again.",
        f"Results: {out}",
    ]


def examples(model: Path, recipe: Recipe) -> list[Example]:
    """One search for each of three pairs of languages: a test question against all test passages in the other language.

    Questions are taken from the first, middle and last third of the test set, whatever the model makes of them. A
    recipe without these languages gets its own in turn; one with a single language gets no example.
    """
    benchmark = Data(recipe.data).benchmark(recipe.evaluate[0], recipe.languages).retrieval
    assert isinstance(benchmark, RetrievalSet)
    encoder = load_encoder(model)
    queries, passages = benchmark.queries, benchmark.passages
    groups = np.unique(queries.group)
    judged = {(int(q), int(p)) for q, p, grade in benchmark.judgements if grade > 0}
    found = []
    pairs = _pairs(benchmark.languages)
    for number, (ask, answer) in enumerate(pairs):
        asked, answered = benchmark.language_indices([ask, answer])
        group = groups[(2 * number + 1) * len(groups) // (2 * len(pairs))]
        query = int(np.flatnonzero((queries.group == group) & (queries.lang == asked))[0])
        english = [i for i in np.flatnonzero(queries.group == group) if benchmark.languages[queries.lang[i]] == "en"]
        pool = np.flatnonzero(passages.lang == answered)
        vectors = encoder.encode([passages.texts[i] for i in pool], side="passage")
        scores = vectors @ encoder.encode([queries.texts[query]], side="query")[0]
        best = int(np.argmax(scores))
        text = passages.texts[pool[best]]
        right = (query, int(pool[best])) in judged
        found.append(
            Example(
                ask,
                queries.texts[query],
                queries.texts[english[0]] if english else "",
                answer,
                text,
                float(scores[best]),
                right,
            )
        )
    return found


def _pairs(languages: Sequence[str]) -> list[tuple[str, str]]:
    if all(code in languages for pair in PAIRS for code in pair):
        return list(PAIRS)
    turns = list(languages)
    return [(turns[i % len(turns)], turns[(i + 1) % len(turns)]) for i in range(len(PAIRS))] if len(turns) > 1 else []


def index_of(model: Path, recipe: Recipe, out: Path) -> Path:
    """An index of the passages that the demo asks, without language by means of the passages themselves.

    Args:
        model: that searches.
        recipe: of the demo.
        out: its folder; the passages are written to `passages.jsonl` there, in the form that `triglot index` reads.

    Returns:
        the folder of the index.
    """
    from triglot.commands.index import make_index
    from triglot.index.settings import IndexSettings

    benchmark = Data(recipe.data).benchmark(recipe.evaluate[0], recipe.languages).retrieval
    assert isinstance(benchmark, RetrievalSet)
    passages, codes = benchmark.passages, benchmark.languages
    rows = zip(passages.ids, passages.texts, passages.lang.tolist(), passages.group.tolist(), strict=True)
    with atomic_write(out / "passages.jsonl") as handle:
        for one, text, lang, group in rows:
            record = {"id": one, "text": text, "lang": codes[lang], "group": f"{group}" if group >= 0 else ""}
            handle.write(json.dumps(record, ensure_ascii=False) + "\n")
    place = out / "index"
    debias = "lsar" if len(codes) > 1 else ""
    make_index(str(model), str(out / "passages.jsonl"), place, IndexSettings(), debias=debias, force=True)
    return place
