"""How long a study will take: a few steps of each kind of training and some texts of each benchmark, timed; and what
fits into a budget of time.
"""

from __future__ import annotations

import logging
import re
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from triglot.attack.searches import SEARCHES
from triglot.attack.settings import AttackSettings
from triglot.classify.tasks import Task
from triglot.corpus.retrieval import RetrievalSet
from triglot.files import InputError, read_json
from triglot.recipe import Recipe, Stage, alignment_recipe, arm_recipe
from triglot.study.data import Data
from triglot.study.inputs import Benchmarks
from triglot.study.parts import START, Part, Place, is_done
from triglot.study.run import make_encoder
from triglot.study.stage import ALIGNMENT, FINE_TUNING, load, train_stage

log = logging.getLogger("triglot")
STEPS = 3  # of a probe; the first is left out of the estimate by the loop's own clock where there are several
TEXTS = 48  # of a benchmark's side
_UNITS = {"s": 1, "m": 60, "min": 60, "h": 3600, "d": 86400}


@dataclass(frozen=True)
class Plan:
    """What will run, what it takes, and what a budget leaves out.

    Attributes:
        seconds: part -> estimate.
        left_out: parts that the budget has no time for, with their estimates.
        budget: in seconds; None for no limit.
        jobs: parts at once.
    """

    seconds: Mapping[Part, float]
    left_out: tuple[tuple[Part, float], ...] = ()
    budget: float | None = None
    jobs: int = 1

    @property
    def total(self) -> float:
        """Seconds of what will run."""
        left = {part for part, _ in self.left_out}
        return sum(seconds for part, seconds in self.seconds.items() if part not in left) / self.jobs

    def lines(self) -> list[str]:
        """What was left out, for people."""
        if not self.left_out or self.budget is None:
            return []
        named = ", ".join(f"{part} ({told(seconds)})" for part, seconds in self.left_out)
        return [f"Left out, since the budget was {told(self.budget)}: {named}."]


def told(seconds: float) -> str:
    """`12 s`, `3.5 min`, `2.1 h`."""
    if seconds < 90:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.1f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"


def duration(word: str) -> float:
    """Seconds of `90s`, `30m`, `2h`, `1d`, also with a fraction. Raises InputError for anything else."""
    match = re.fullmatch(r"(\d{1,6}(?:\.\d{1,3})?)\s*(s|m|min|h|d)", word.strip())
    if match is None or not float(match[1]):
        raise InputError(f"--budget: {word[:60]!r} is no time, such as 30m, 2h or 1.5h")
    return float(match[1]) * _UNITS[match[2]]


def estimate(recipe: Recipe, found: Sequence[Sequence[Part]], data: Data, out: Path | None) -> dict[Part, float]:
    """Seconds of each part, from a probe of each arm with the first seed; nothing for what is finished.

    Args:
        recipe: of the study.
        found: its parts, in waves.
        data: of the study.
        out: its folder, where finished parts are; None where there is none.
    """
    parts = [part for wave in found for part in wave]
    finished = {part for part in parts if out is not None and is_done(part, recipe, out)}
    seed = parts[0].seed
    seconds: dict[str, float] = {}
    timed: dict[str, tuple[float, float]] = {}
    with tempfile.TemporaryDirectory() as folder:
        place = Place(Path(folder))
        began = time.perf_counter()
        fresh = make_encoder(alignment_recipe(recipe, seed), place.init(seed), data)
        seconds[START] = time.perf_counter() - began
        if recipe.alignment is not None:
            first = replace(alignment_recipe(recipe, seed), evaluate=())
            step, once = _training(first, recipe.alignment, ALIGNMENT, fresh, place.arm("probe", 0), data)
            seconds[START] += once + step * recipe.alignment.train.steps
        wanted = dict.fromkeys(part.arm for part in parts if part.arm != START and part not in finished)
        judged = _judging(recipe, fresh, data) if wanted else 0.0
        for number, arm in enumerate(wanted):
            one = arm_recipe(recipe, arm, seed)
            seconds[arm] = judged
            if one.of or not one.train.steps:
                continue
            key = repr(replace(one.train, steps=1, lr=1.0)) + repr(
                (one.batches.size, one.batches.positives, one.loss, one.robust)
            )
            if key not in timed:
                log.info("probe of %s", arm)
                timed[key] = _training(one, one, FINE_TUNING, fresh, place.arm("probe", number + 1), data)
            step, once = timed[key]
            seconds[arm] += once + step * one.train.steps
    return {part: 0.0 if part in finished else seconds.get(part.arm, 0.0) for part in parts}


def _training(one: Recipe, stage: Stage, name: str, start: Path, out: Path, data: Data) -> tuple[float, float]:
    """Seconds of a step, and of what is done once."""
    steps = min(STEPS, stage.train.steps)
    if not steps:
        return 0.0, 0.0
    few = replace(stage, train=replace(stage.train, steps=steps, checkpoint_every=0, validate_every=0))
    recipe = few if isinstance(few, Recipe) else one
    began = time.perf_counter()
    training = data.stage(few, one.languages)
    out.mkdir(parents=True)
    train_stage(recipe, few, name, start, training, out, validation=(), kept=data.kept(one), progress=False)
    spent = time.perf_counter() - began
    trained = float(read_json(out / "summary.json")["stages"][name]["seconds"])
    return trained / steps, max(spent - trained, 0.0)


def _judging(recipe: Recipe, start: Path, data: Data) -> float:
    """Seconds of a model's evaluation: its texts at the rate of a sample, and again for each text of an attack."""
    encoder = load(recipe.encoder, start, "probe")
    total = 0.0
    asked: Benchmarks = data.benchmarks((*recipe.validation, *recipe.evaluate), recipe.languages)
    for one, opened in asked:
        judged = any(one is benchmark for benchmark in recipe.evaluate)
        if isinstance(opened.retrieval, RetrievalSet):
            queries, passages = opened.retrieval.queries.texts, opened.retrieval.passages.texts
            ask, tell = _rate(encoder, queries, "query"), _rate(encoder, passages, "passage")
            times = 1 + sum(map(_draws, recipe.attacks)) if judged else 1
            total += ask * len(queries) * times + tell * len(passages)
        elif opened.retrieval is not None:
            topics = [text for part in opened.retrieval.parts.values() for text in part.topics.values()]
            total += _rate(encoder, topics, "query") * len(topics)
        if opened.task is not None:
            total += _task_seconds(encoder, opened.task, recipe.attacks if judged else ())
    return total


def _task_seconds(encoder: Any, task: Task, attacks: Sequence[AttackSettings]) -> float:
    """Seconds of the texts of a head: those it learns from, those it is judged on, and these attacked."""
    total = 0.0
    for part, codes in ((task.test, task.codes), (task.train, task.train_codes)):
        if part is None:
            continue
        spoken = part.indices(part.languages if codes is None else codes)
        for texts, at, side in ((part.first, part.first_at, 0), (part.second, part.second_at, 1)):
            used = np.unique(at[spoken])
            sample = [texts[one] for one in used[used >= 0].tolist()]
            times = 1 + (sum(map(_draws, attacks)) if part is task.test and side == 1 else 0)
            total += _rate(encoder, sample, task.sides[side]) * len(sample) * times
    return total


def _draws(attack: AttackSettings) -> int:
    """Texts that an attack encodes for each query; a step with a gradient counts as three."""
    if not SEARCHES[attack.search].of_texts:
        return 3 * attack.steps
    if attack.search == "random":
        return 1
    return attack.tries if attack.search == "worst" else attack.budget


def _rate(encoder: Any, texts: Sequence[str], side: str) -> float:
    """Seconds a text, of texts spread over all."""
    if not len(texts):
        return 0.0
    sample = [texts[place] for place in range(0, len(texts), max(len(texts) // TEXTS, 1))][:TEXTS]
    began = time.perf_counter()
    encoder.encode(sample, side=side)
    return (time.perf_counter() - began) / len(sample)


def fit(
    recipe: Recipe,
    found: Sequence[Sequence[Part]],
    seconds: Mapping[Part, float],
    budget: float,
    jobs: int,
    carrying: Sequence[str] = (),
) -> Plan:
    """The parts that a budget has time for: seed by seed, in the order of the arms, after all seeds of those that carry
    a claim; whatever does not fit is left out, and with it what is made of it.

    Args:
        recipe: of the study.
        found: its parts, in waves.
        seconds: estimates.
        budget: seconds by the clock.
        jobs: parts at once.
        carrying: arms that carry a claim, with those that they are made of.
    """
    spent, taken, left = 0.0, set[Part](), []
    parts = [part for wave in found for part in wave]
    numbers = list(dict.fromkeys(part.seed for part in parts))
    waiting_starts = {seed: seconds.get(Part(START, seed), 0.0) for seed in numbers}
    runs = [part for seed in numbers for part in parts if part.seed == seed and part.arm != START]
    for part in sorted(runs, key=lambda part: part.arm not in carrying):
        bases = arm_recipe(recipe, part.arm, part.seed).of
        cost = (seconds[part] + waiting_starts[part.seed]) / jobs
        whole = all(Part(base, part.seed) in taken for base in bases)
        if whole and spent + cost <= budget:
            spent += cost
            waiting_starts[part.seed] = 0.0
            taken |= {part, Part(START, part.seed)}
        else:
            left.append((part, seconds[part]))
    starts = [Part(START, seed) for seed in numbers]
    left += [(one, seconds.get(one, 0.0)) for one in starts if one in parts and one not in taken]
    if not any(part.arm != START for part in taken):
        shortest = min((seconds[part] for part in parts if part.arm != START), default=0.0)
        raise InputError(f"--budget: {told(budget)} is too short for a single run; the shortest takes {told(shortest)}")
    return Plan(seconds, tuple(left), budget, jobs)
