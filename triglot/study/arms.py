"""A study: arms x seeds of one recipe, with the alignment made once a seed and shared by all arms."""

from __future__ import annotations

import json
import logging
import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from triglot.evaluate import write_results
from triglot.evaluate.retrievers import Bm25, evaluate
from triglot.files import InputError, nearest, read_json, read_jsonl, write_json
from triglot.recipe import Recipe, alignment_recipe, arm_recipe, digest
from triglot.report import find_arms, write_report
from triglot.study.data import Data
from triglot.study.derive import derive
from triglot.study.run import ALIGNMENT, align, claim, fine_tune, is_finished, make_encoder

log = logging.getLogger("triglot")


@dataclass(frozen=True)
class _Place:
    """Where the parts of a study lie."""

    out: Path

    def arm(self, arm: str, seed: int) -> Path:
        return self.out / "arms" / arm / f"seed-{seed}"

    def init(self, seed: int) -> Path:
        return self.out / "init" / f"seed-{seed}"


def record(out: Path, recipe: Recipe, arm: str, seed: int | None, results: Path) -> None:
    """Add an evaluation on the test benchmarks to `evaluations.jsonl`, once for each run.

    The log shows how often a benchmark was looked at, and with which settings.
    """
    path = out / "evaluations.jsonl"
    known = {(line["recipe"], line["arm"], line["seed"]) for _, line in read_jsonl(path)} if path.is_file() else set()
    key = digest(recipe)
    found = read_json(results)["benchmarks"]
    if (key, arm, seed) in known or not found:
        return
    line = {"time": datetime.now(UTC).isoformat(timespec="seconds"), "recipe": key, "arm": arm, "seed": seed, "benchmarks": list(found)}
    headline = {name: {s: entry[s]["map"] for s in ("mono", "cross", "multi") if s in entry} for name, entry in found.items()}
    try:
        with path.open("a", encoding="utf-8") as handle:
            handle.write(json.dumps(line | {"map": headline}) + "\n")
    except OSError as error:
        raise InputError(f"{path}: cannot be written ({error.strerror})") from None


def seed_numbers(words: Sequence[str]) -> list[int]:
    """Seeds from the command line. Raises InputError for what is no whole number."""
    for word in words:
        if not word.isdecimal():
            raise InputError(f"--seeds: {word!r} is not a whole number")
    return [int(word) for word in words]


def choose(recipe: Recipe, arms: Sequence[str] | None, seeds: Sequence[int] | None) -> tuple[list[str], list[int]]:
    """The arms and seeds to run; by default all of the recipe. Raises InputError for an unknown arm."""
    chosen = list(arms) if arms else list(recipe.arms)
    for arm in chosen:
        if arm not in recipe.arms:
            raise InputError(f"--arms: {recipe.name} has no arm {arm!r}{nearest(arm, recipe.arms)}")
    if not chosen:
        raise InputError(f"{recipe.name}: arms: is missing; a study needs arms (`triglot train` runs a recipe without)")
    return chosen, list(seeds) if seeds else list(recipe.seeds)


def study(
    recipe: Recipe,
    out: str | Path,
    *,
    arms: Sequence[str] | None = None,
    seeds: Sequence[int] | None = None,
    command: str = "",
    progress: bool = False,
) -> Path:
    """Run what is not finished yet, then write the report.

    Args:
        recipe: with arms and seeds.
        out: study folder; started again with the same settings, it goes on where it stopped.
        arms: only these.
        seeds: only these.
        command: shown in the report.
        progress: show bars.

    Returns:
        the path of report.html.
    """
    out = Path(out)
    chosen, numbers = choose(recipe, arms, seeds)
    place, data, began = _Place(out), Data(recipe.data), time.perf_counter()
    if out.is_dir() and not (out / "study.json").is_file() and any(out.iterdir()):
        raise InputError(f"{out}: holds something else than a study (it has no study.json); choose an empty or a new folder")
    facts = {"recipe": recipe.name, "digest": digest(recipe), "arms": list(recipe.arms), "seeds": numbers, "command": command}
    write_json(out / "study.json", facts)
    for name in recipe.baselines:
        _baseline(recipe, name, out, data)
    total = len(chosen) * len(numbers)
    for number, seed in enumerate(numbers):
        start = None
        for turn, arm in enumerate(chosen, 1):
            one, folder = arm_recipe(recipe, arm, seed), place.arm(arm, seed)
            if is_finished(folder):
                claim(one, folder)
                log.info("%s, seed %d: finished before", arm, seed)
            else:
                log.info("%d of %d: %s, seed %d", number * len(chosen) + turn, total, arm, seed)
                if one.of:
                    derive(one, [place.arm(base, seed) for base in one.of], folder, data, model=arm, progress=progress)
                else:
                    start = start or _start(recipe, seed, place, data, progress)
                    fine_tune(one, start[bool(one.alignment)], folder, data, model=arm, progress=progress)
            record(out, one, arm, seed, folder / "results.json")
    facts["seconds"] = round(time.perf_counter() - began, 1)
    return write_report(find_arms([out]), out, title=recipe.name, command=command, study=facts, reference=_reference(recipe, chosen))


def _reference(recipe: Recipe, chosen: Sequence[str]) -> str:
    return recipe.reference if recipe.reference in chosen else ""


def _start(recipe: Recipe, seed: int, place: _Place, data: Data, progress: bool) -> tuple[Path, Path]:
    """The models that arms start from: without and with the alignment."""
    aligned = alignment_recipe(recipe, seed)
    fresh = make_encoder(aligned, place.init(seed), data)
    if recipe.alignment is None:
        return fresh, fresh
    folder = place.arm(ALIGNMENT, seed)
    log.info("alignment, seed %d", seed)
    model = align(aligned, fresh, folder, data, progress=progress)
    record(place.out, aligned, ALIGNMENT, seed, folder / "results.json")
    return fresh, model


def _baseline(recipe: Recipe, name: str, out: Path, data: Data) -> None:
    """Evaluate a retriever that needs no training, unless its results are there."""
    folder = out / "baselines" / name
    if (folder / "results.json").is_file():
        return
    log.info("baseline %s", name)
    found: dict[str, Any] = {}
    for one in recipe.evaluate:
        benchmark = data.benchmark(one, recipe.languages)
        if benchmark is None:
            log.info("%s: nothing to retrieve, and %s does not classify", one.name, name)
            continue
        retriever = Bm25() if name == "bm25" else Bm25(lambda codes: data.lists(recipe.lists, codes))
        found[one.name] = evaluate(retriever, benchmark, depth=one.depth, subsets=one.subsets).result
    write_results(folder, found, model=name)
    record(out, recipe, name, None, folder / "results.json")
