"""A study: arms x seeds of one recipe, with the alignment made once a seed and shared by all arms."""

from __future__ import annotations

import json
import logging
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from typing_extensions import TypedDict

from triglot.evaluate import write_results
from triglot.evaluate.retrievers import Bm25, evaluate
from triglot.files import InputError, read_json, write_json, write_text
from triglot.outputs import resolve
from triglot.recipe import Recipe, alignment_recipe, arm_recipe, digest
from triglot.report import Report, find_arms, write_report
from triglot.sealed import read_sealed, write_sealed
from triglot.settings import plain
from triglot.shapes import shaped, strict
from triglot.study.chosen import choose
from triglot.study.data import Data
from triglot.study.derive import derive
from triglot.study.folder import RESULTS, STUDY, SUMMARY, claim, claim_study, is_finished, writing
from triglot.study.run import align, fine_tune, make_encoder, open_inputs
from triglot.study.stage import ALIGNMENT
from triglot.train.distributed import is_main

log = logging.getLogger("triglot")
EVALUATIONS, BASELINE = "evaluations.jsonl", "baseline.json"


@dataclass(frozen=True)
class _Place:
    """Where the parts of a study lie."""

    out: Path

    def arm(self, arm: str, seed: int) -> Path:
        return self.out / "arms" / arm / f"seed-{seed}"

    def init(self, seed: int) -> Path:
        return self.out / "init" / f"seed-{seed}"


@dataclass
class _Pace:
    """How long the arms took that this process has run, and so how long the others will."""

    began: float = field(default_factory=time.perf_counter)
    finished: int = 0

    def lap(self) -> None:
        self.finished += 1

    def left(self, arms: int) -> str:
        """What to say of the time for so many arms; nothing before the first is finished."""
        if not self.finished:
            return ""
        minutes = (time.perf_counter() - self.began) / self.finished * arms / 60
        return f", about {minutes:.0f} min left of all" if minutes >= 1.5 else ", about a minute left of all"


@strict
class Looked(TypedDict):
    """A line of `evaluations.jsonl`: who was evaluated on what, and when."""

    time: str
    recipe: str
    arm: str
    seed: int | None
    benchmarks: list[str]


def record(out: Path, recipe: Recipe, arm: str, seed: int | None, results: Path) -> None:
    """Add an evaluation on the test benchmarks to `evaluations.jsonl`, once for each run.

    The log shows how often a benchmark was looked at, and with which settings.
    """
    if not is_main():
        return
    path = out / EVALUATIONS
    key, before = digest(recipe), path.read_bytes() if path.is_file() else b""
    lines, benchmarks = _evaluations(before, path), read_json(results)["benchmarks"]
    if benchmarks and not any((line["recipe"], line["arm"], line["seed"]) == (key, arm, seed) for line in lines):
        now = datetime.now(UTC).isoformat(timespec="seconds")
        headline = {
            name: {s: entry[s]["map"] for s in ("mono", "cross", "multi") if s in entry}
            for name, entry in benchmarks.items()
        }
        lines.append(
            {"time": now, "recipe": key, "arm": arm, "seed": seed, "benchmarks": list(benchmarks), "map": headline}
        )
    if (text := "".join(json.dumps(line) + "\n" for line in lines)).encode() != before:
        write_text(path, text)


def _evaluations(data: bytes, path: Path) -> list[dict[str, Any]]:
    """The lines of `evaluations.jsonl`; what is none is said and left out, since it would stop the study for good."""
    lines = []
    for number, text in enumerate(data.split(b"\n"), 1):
        if not text:
            continue
        try:
            line = json.loads(text)
            shaped(line, Looked, f"{path}:{number}")
        except (InputError, ValueError, RecursionError):
            log.warning("%s:%d: is cut or damaged, and left out", path, number)
            continue
        lines.append(line)
    return lines


def study(
    recipe: Recipe,
    out: str | Path,
    *,
    arms: Sequence[str] | None = None,
    seeds: Sequence[int] | None = None,
    command: str = "",
    progress: bool = False,
) -> Report | None:
    """Run what is not finished yet, then write the report.

    Args:
        recipe: with arms and seeds.
        out: study folder; started again with the same settings, it goes on where it stopped.
        arms: only these.
        seeds: only these.
        command: shown in the report.
        progress: show bars.

    Returns:
        the report: its path and its tables; None in processes that do not write it.
    """
    out = resolve(out, "folder")
    chosen, numbers = choose(recipe, arms, seeds)
    place, data, began = _Place(out), Data(recipe.data), time.perf_counter()
    facts = {
        "recipe": recipe.name,
        "digest": digest(recipe),
        "arms": list(recipe.arms),
        "seeds": numbers,
        "command": command,
    }
    with writing(out):
        claim_study(out)
        if is_main() and not all(is_finished(place.arm(arm, seed)) for arm in chosen for seed in numbers):
            data.check(recipe)
            for arm in chosen:
                data.check(arm_recipe(recipe, arm, numbers[0]))
        if is_main():
            write_json(out / STUDY, facts)
            for name in recipe.baselines:
                baseline(recipe, name, out, data)
        pace = _Pace()
        for number, seed in enumerate(numbers):
            turns = number * len(chosen), len(chosen) * len(numbers)
            _arms(recipe, chosen, seed, turns, place, data, pace, progress)
        if not is_main():
            return None
        facts["seconds"] = round(time.perf_counter() - began, 1)
        return write_report(
            find_arms([out]), out, title=recipe.name, command=command, study=facts, reference=_reference(recipe, chosen)
        )


def _arms(
    recipe: Recipe,
    chosen: Sequence[str],
    seed: int,
    done: tuple[int, int],
    place: _Place,
    data: Data,
    pace: _Pace,
    progress: bool,
) -> None:
    """The arms of one seed; `done` counts those of the seeds before, and all."""
    start = None
    for turn, arm in enumerate(chosen, done[0] + 1):
        one, folder = arm_recipe(recipe, arm, seed), place.arm(arm, seed)
        if is_finished(folder):
            claim(one, folder)
            read_sealed(folder / SUMMARY)
            log.info("%s, seed %d: finished before", arm, seed)
        else:
            log.info("%d of %d: %s, seed %d%s", turn, done[1], arm, seed, pace.left(done[1] - turn + 1))
            if one.of:
                bases = [place.arm(base, seed) for base in one.of]
                derive(one, bases, folder, open_inputs(data, one, folder), model=arm, progress=progress)
            else:
                start = start or _start(recipe, seed, place, data, progress)
                inputs = open_inputs(data, one, folder)
                fine_tune(one, start[bool(one.alignment)], folder, inputs, model=arm, progress=progress)
            pace.lap()
        record(place.out, one, arm, seed, folder / RESULTS)


def _reference(recipe: Recipe, chosen: Sequence[str]) -> str:
    return recipe.reference if recipe.reference in chosen else ""


def _start(recipe: Recipe, seed: int, place: _Place, data: Data, progress: bool) -> tuple[Path, Path]:
    """The models that arms start from: without and with the alignment."""
    aligned = alignment_recipe(recipe, seed)
    folder = place.arm(ALIGNMENT, seed)
    fresh = make_encoder(aligned, place.init(seed), data)
    if recipe.alignment is None:
        return fresh, fresh
    log.info("alignment, seed %d", seed)
    model = align(aligned, fresh, folder, open_inputs(data, aligned, folder), progress=progress)
    record(place.out, aligned, ALIGNMENT, seed, folder / "results.json")
    return fresh, model


def baseline(recipe: Recipe, name: str, out: Path, data: Data) -> None:
    """Evaluate a retriever that needs no training, unless its results on the same benchmarks are there."""
    folder = out / "baselines" / name
    asked = {
        "evaluate": recipe.evaluate,
        "languages": recipe.languages,
        "lists": recipe.lists if name != "bm25" else "",
    }
    if not ((folder / RESULTS).is_file() and _made_with(folder / BASELINE) == plain(asked)):
        log.info("baseline %s", name)
        evaluations: dict[str, Any] = {}
        for one, opened in data.benchmarks(recipe.evaluate, recipe.languages):
            if opened.retrieval is None:
                log.info("%s: nothing to retrieve, and %s does not classify", one.name, name)
                continue
            retriever = Bm25() if name == "bm25" else Bm25(lambda codes: data.lists(recipe.lists, codes))
            evaluations[one.name] = evaluate(retriever, opened.retrieval, depth=one.depth, subsets=one.subsets)
        write_results(folder, evaluations, model=name)
        write_sealed(folder / BASELINE, plain(asked))
    record(out, recipe, name, None, folder / RESULTS)


def _made_with(path: Path) -> dict[str, Any] | None:
    """The settings of a baseline, None where they are not known."""
    try:
        return read_sealed(path) if path.is_file() else None
    except InputError as error:
        log.warning("%s; it is evaluated again", error)
        return None
