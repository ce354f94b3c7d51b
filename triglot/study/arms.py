"""A study: arms x seeds of one recipe, with the alignment made once a seed and shared by all arms."""

from __future__ import annotations

import json
import logging
import os
import time
from collections.abc import Sequence
from contextlib import nullcontext
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from typing_extensions import TypedDict

from triglot.evaluate import write_results
from triglot.evaluate.retrievers import evaluate
from triglot.evaluate.untrained import BASELINES
from triglot.files import InputError, nearest, read_json, write_json, write_text
from triglot.outputs import resolve
from triglot.recipe import Recipe, alignment_recipe, arm_recipe, digest, to_yaml
from triglot.report import Arm, Report, find_arms, write_report
from triglot.sealed import read_sealed, write_sealed
from triglot.settings import plain
from triglot.shapes import shaped, strict
from triglot.study.anew import begin_anew
from triglot.study.chosen import choose
from triglot.study.data import Data
from triglot.study.folder import (
    EVALUATIONS,
    MADE,
    RESULTS,
    STUDY,
    SUMMARY,
    claim,
    claim_study,
    is_finished,
    waiting,
    writing,
)
from triglot.study.leakage import write_leakage
from triglot.study.named import Named
from triglot.study.parts import START, Part, Place, begin, is_done, joined_starts, run_arm, start, waves
from triglot.study.probe import Plan
from triglot.study.runners import run_all
from triglot.study.stage import ALIGNMENT
from triglot.study.tell import story
from triglot.train.distributed import is_main, main_first

log = logging.getLogger("triglot")
BASELINE = "baseline.json"


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
    force: bool = False,
    progress: bool = False,
    about: Named | None = None,
    runner: str = "local",
    jobs: int = 1,
    plan: Plan | None = None,
) -> Report | None:
    """Run what is not finished yet, then write the report.

    Args:
        recipe: with arms and seeds.
        out: study folder; started again with the same settings, it goes on where it stopped.
        arms: only these.
        seeds: only these.
        command: shown in the report.
        force: begin anew: remove what another study has left in the folder.
        progress: show bars.
        about: the study's question and claims; None for a recipe without.
        runner: who runs the parts, a row of `runners.RUNNERS`.
        jobs: parts that run at once at most; with one (and the runner `local`) they run in this process.
        plan: what a budget has left out; None for nothing.

    Returns:
        the report: its path and its tables; None in processes that do not write it.
    """
    out = resolve(out, "folder")
    chosen, numbers = choose(recipe, arms, seeds)
    place, data, began = Place(out), Data(recipe.data, recipe.made, out / MADE), time.perf_counter()
    found = _without(waves(recipe, chosen, numbers), plan)
    runs = [part for wave in found for part in wave if part.arm != START]
    facts: dict[str, Any] = {
        "recipe": recipe.name,
        "digest": digest(recipe),
        "arms": list(recipe.arms),
        "seeds": numbers,
        "command": command,
    }
    with writing(out):
        claim_study(out)
        several = [recipe, *(arm_recipe(recipe, arm, numbers[0]) for arm in chosen)]
        open_parts = [part for part in runs if force or not is_done(part, recipe, out)]
        for one in several if is_main() and open_parts else ():
            data.check_places(one)
        if force:
            begin_anew(out, STUDY, (path for one in several for _, path in data.places(one)))
        _check_runs(recipe, out)
        if is_main() and open_parts:
            begin(recipe, chosen, out, data)
        if is_main():
            write_json(out / STUDY, facts)
        if open_parts and recipe.made:
            with main_first():
                data.make_all()
        if is_main() and open_parts:
            for one in several:
                data.check(one)
        if is_main():
            for name in recipe.baselines:
                baseline(recipe, name, out, data)
        if is_main() and (jobs > 1 or runner != "local"):
            threads = recipe.train.threads or 1
            # On one machine the first arms need not wait for the last start: whoever comes too early waits for its own.
            for wave in joined_starts(found) if runner == "local" else found:
                calls = [part for part in wave if not is_done(part, recipe, out)]
                if calls:
                    settings, here = to_yaml(recipe), os.getcwd()
                    run_all(runner, [(settings, str(out), str(part), here) for part in calls], jobs, threads)
        _in_turn(recipe, runs, place, data, progress)
        if not is_main():
            return None
        if about is not None and about.claims:
            write_leakage(out, recipe, chosen, data)
        facts["seconds"] = round(time.perf_counter() - began, 1)
        done = _own_arms(recipe, out)
        told = story(about, recipe, done, out, command, found, plan) if about is not None else None
        return write_report(
            done, out, title=recipe.name, command=command, study=facts, reference=_reference(recipe, chosen), story=told
        )


def _check_runs(recipe: Recipe, out: Path) -> None:
    """Raises InputError for a run in the folder that has results of other settings than its arm has now."""
    for results in sorted((out / "arms").glob(f"*/seed-*/{RESULTS}")):
        folder, arm = results.parent, results.parent.parent.name
        seed = folder.name.removeprefix("seed-")
        if not seed.isdecimal():
            raise InputError(f"{folder}: holds results, but is not named after a seed; move it away")
        if arm in recipe.arms:
            claim(arm_recipe(recipe, arm, int(seed)), folder)
        elif arm == ALIGNMENT and recipe.alignment is not None:
            claim(alignment_recipe(recipe, int(seed)), folder)


def _own_arms(recipe: Recipe, out: Path) -> list[Arm]:
    """The arms and baselines in the folder, whichever call ran them; those that the recipe no longer has are said and
    left out."""
    own = {"arms": [*recipe.arms, *([ALIGNMENT] if recipe.alignment else [])], "baselines": list(recipe.baselines)}
    found = []
    _check_runs(recipe, out)
    for arm in find_arms([out]):
        kind, name = arm.runs[0].folder.relative_to(out).parts[:2]
        if name in own[kind]:
            found.append(arm)
        else:
            near = nearest(name, own[kind])
            log.warning(
                "%s: not among the %s of %s%s; left out of the report", out / kind / name, kind, recipe.name, near
            )
    return found


def _without(found: list[list[Part]], plan: Plan | None) -> list[list[Part]]:
    """The waves without what a budget has left out."""
    left = {part for part, _ in plan.left_out} if plan else set()
    return [wave for parts in found if (wave := [part for part in parts if part not in left])]


def _in_turn(recipe: Recipe, runs: Sequence[Part], place: Place, data: Data, progress: bool) -> None:
    """The runs one after another in this process; those that are finished are looked at and recorded."""
    pace, starts = _Pace(), dict[int, tuple[Path, Path]]()
    for turn, (arm, seed) in enumerate(((part.arm, part.seed) for part in runs), 1):
        one, folder = arm_recipe(recipe, arm, seed), place.arm(arm, seed)
        with waiting(folder) if is_main() else nullcontext():
            if is_finished(folder):
                claim(one, folder)
                read_sealed(folder / SUMMARY)
                log.info("%s, seed %d: finished before", arm, seed)
            else:
                log.info("%d of %d: %s, seed %d%s", turn, len(runs), arm, seed, pace.left(len(runs) - turn + 1))
                if not one.of and seed not in starts:
                    starts[seed] = start(recipe, seed, place.out, data, progress=progress)
                run_arm(recipe, arm, seed, place.out, data, starts.get(seed), progress=progress)
                pace.lap()
        aligned = place.arm(ALIGNMENT, seed)
        if recipe.alignment is not None and is_finished(aligned):
            record(place.out, alignment_recipe(recipe, seed), ALIGNMENT, seed, aligned / RESULTS)
        record(place.out, one, arm, seed, folder / RESULTS)


def _reference(recipe: Recipe, chosen: Sequence[str]) -> str:
    return recipe.reference if recipe.reference in chosen else ""


def baseline(recipe: Recipe, name: str, out: Path, data: Data) -> None:
    """Evaluate a retriever that needs no training, unless its results on the same benchmarks are there."""
    folder = out / "baselines" / name
    asked = {
        "evaluate": recipe.evaluate,
        "languages": recipe.languages,
        "lists": recipe.lists if BASELINES[name].needs else "",
    } | ({"translation": recipe.translation} if "translation" in BASELINES[name].needs else {})
    if not ((folder / RESULTS).is_file() and _made_with(folder / BASELINE) == plain(asked)):
        log.info("baseline %s", name)
        evaluations: dict[str, Any] = {}
        for one, opened in data.benchmarks(recipe.evaluate, recipe.languages):
            if opened.retrieval is None:
                log.info("%s: nothing to retrieve, and %s does not classify", one.name, name)
                continue
            retriever = BASELINES[name].make(data.of_baseline(recipe, name))
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
