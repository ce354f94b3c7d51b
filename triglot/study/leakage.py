"""Whether the evaluation of a study is apart from its training: judged texts of each benchmark that a source shows."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from triglot.benchmark import Opened
from triglot.corpus.retrieval import RetrievalSet
from triglot.files import InputError
from triglot.recipe import Recipe, Source, arm_recipe
from triglot.sealed import read_sealed, write_sealed
from triglot.settings import plain
from triglot.study.data import Data
from triglot.text import normalise

log = logging.getLogger("triglot")
LEAKAGE = "leakage.json"
_SHORTEST = 12  # characters: an answer of one word in both says nothing


def read_leakage(out: Path) -> list[dict[str, Any]] | None:
    """What the check of a study found; None where it did not run, or its file is damaged."""
    try:
        return read_sealed(out / LEAKAGE)["found"] if (out / LEAKAGE).is_file() else None
    except InputError as error:
        log.warning("%s; the leakage check runs again", error)
        return None


def write_leakage(out: Path, recipe: Recipe, arms: Sequence[str], data: Data) -> None:
    """Look for the judged texts of all benchmarks in all sources of all arms, unless that was done."""
    sources = _sources(recipe, arms)
    asked = plain({"sources": sources, "evaluate": recipe.evaluate})
    if read_leakage(out) is not None and read_sealed(out / LEAKAGE).get("asked") == asked:
        return
    found = []
    for source in sources:
        corpus = data.source(source, recipe.languages)
        shown = {normalise(text) for text in corpus.texts.to_pylist()}
        for one in recipe.evaluate:
            for name, texts in _judged(one.name, data.benchmark(one, recipe.languages)):
                known = {normalise(text) for text in texts if len(text) >= _SHORTEST}
                line = {"training": source.label, "evaluation": name, "texts": len(known & shown), "of": len(known)}
                found.append(line)
                if line["texts"]:
                    log.warning("leakage: %(texts)d of %(of)d judged texts of %(evaluation)s are in %(training)s", line)
    write_sealed(out / LEAKAGE, {"asked": asked, "found": found})


def _sources(recipe: Recipe, arms: Sequence[str]) -> list[Source]:
    """The sources of all arms and of the alignment, each once."""
    runs = [arm_recipe(recipe, arm, recipe.seeds[0]) for arm in arms]
    several = [*(recipe.alignment.sources if recipe.alignment else ()), *(s for one in runs for s in one.sources)]
    different: dict[str, Source] = {}
    for source in several:
        different.setdefault(repr(source), source)
    return list(different.values())


def _judged(name: str, opened: Opened) -> Iterator[tuple[str, set[str]]]:
    """The texts by which a benchmark judges: its questions and their answers, what is classified."""
    retrieval = opened.retrieval
    if isinstance(retrieval, RetrievalSet):
        right = np.unique(retrieval.judgements[retrieval.judgements[:, 2] > 0, 1]).tolist()
        yield name, {*retrieval.queries.texts, *(retrieval.passages.texts[row] for row in right)}
    elif retrieval is not None:
        yield name, {text for part in retrieval.parts.values() for text in part.topics.values()}
    if opened.task is not None:
        test = opened.task.test
        used = np.unique(test.second_at[test.second_at >= 0]).tolist()
        yield opened.task.name, {test.second[row] for row in used}


def lines_of(found: Sequence[Mapping[str, Any]] | None) -> list[str]:
    """For people."""
    return [
        f"{one['texts']:,} of {one['of']:,} judged texts of {one['evaluation']} in {one['training']}"
        for one in found or ()
    ]
