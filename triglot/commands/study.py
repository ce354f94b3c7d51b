"""`triglot study`: what is run of a study, how, and what is only looked at. What needs torch is imported once the words
of the command are known to be right."""

from __future__ import annotations

import logging
import shlex
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Annotated

from triglot.commands.ready import check_places
from triglot.files import InputError
from triglot.outputs import resolve
from triglot.ranges import Count, Range, Seed, check_ranges
from triglot.recipe import Recipe, arm_recipe
from triglot.study.chosen import choose, seed_numbers
from triglot.study.data import Data
from triglot.study.named import Named, load_study

if TYPE_CHECKING:
    from triglot.report import Report
    from triglot.study.probe import Plan

log = logging.getLogger("triglot")


@dataclass(frozen=True)
class Job:
    """A study as it was asked for on the command line.

    Attributes:
        about: the study.
        words: its command, without `--out` and how it is run.
        arms, seeds: that were chosen.
        budget: seconds; None for no limit.
        runner: a row of `runners.RUNNERS`.
        jobs: parts at once; 0 for as many as the cores allow.
    """

    about: Named
    words: tuple[str, ...]
    arms: tuple[str, ...]
    seeds: tuple[Seed, ...]
    budget: Annotated[float, Range(0, 10**9)] | None = None
    runner: str = "local"
    jobs: Count = 0

    def __post_init__(self) -> None:
        check_ranges(self)

    @property
    def recipe(self) -> Recipe:
        """Of the study."""
        return self.about.recipe

    @property
    def carrying(self) -> tuple[str, ...]:
        """Arms that carry a claim, with those that they are made of."""
        spoken = [arm for claim in self.about.claims for arm in claim.arms if arm in self.recipe.arms]
        bases = [base for arm in spoken for base in arm_recipe(self.recipe, arm, self.seeds[0]).of]
        return tuple(dict.fromkeys([*bases, *spoken]))

    @property
    def workers(self) -> int:
        """Parts at once."""
        from triglot.study.runners import jobs_for

        return jobs_for(self.jobs, self.recipe.train.threads or 0)


def job(
    name: str,
    size: str,
    settings: Sequence[str],
    *,
    arms: Sequence[str] = (),
    seeds: Sequence[str] = (),
    budget: str = "",
    runner: str = "local",
    jobs: int = 0,
) -> Job:
    """What was asked for, checked. Raises InputError that names the option."""
    about = load_study(name, size, settings)
    chosen, numbers = choose(about.recipe, list(arms), seed_numbers(list(seeds)))
    if runner != "local":
        from triglot.study.runners import RUNNERS

        if runner not in RUNNERS:
            raise InputError(f"--runner: {runner!r} is not one of {', '.join(RUNNERS.names())}")
    words = ["triglot", "study", name, *(["--size", size] if size else []), *settings]
    words += ["--arms", ",".join(arms)] if arms else []
    words += ["--seeds", ",".join(seeds)] if seeds else []
    return Job(about, tuple(words), tuple(chosen), tuple(numbers), _seconds(budget), runner, jobs)


def _seconds(budget: str) -> float | None:
    if not budget:
        return None
    from triglot.study.probe import duration

    return duration(budget)


def run(asked: Job, out: Path, *, force: bool = False, progress: bool = False) -> Report | None:
    """Run the study; what a budget has no time for is left out. With `force` it begins anew."""
    check_places(asked.recipe, out, asked.arms)
    from triglot.study.arms import study

    plan = None
    if asked.budget is not None:
        plan = planned(asked, out)
        for line in plan.lines():
            log.warning("%s", line)
    command = shlex.join([*asked.words, "--out", str(out)])
    more = {"runner": asked.runner, "jobs": asked.workers, "plan": plan, "about": asked.about, "force": force}
    return study(asked.recipe, out, arms=asked.arms, seeds=asked.seeds, command=command, progress=progress, **more)


def planned(asked: Job, out: Path | None) -> Plan:
    """What each part takes, from a timed probe, and what fits into the budget."""
    from triglot.study.folder import MADE
    from triglot.study.makers import drawn_alone
    from triglot.study.parts import waves
    from triglot.study.probe import Plan, estimate, fit

    found = waves(asked.recipe, asked.arms, asked.seeds)
    with TemporaryDirectory() as temporary:
        there = out is not None and (out / MADE).is_dir()
        place = out / MADE if there and out is not None else Path(temporary) / MADE
        made = asked.recipe.made if there else drawn_alone(asked.recipe.made)
        data = Data(asked.recipe.data, made, place)
        seconds = estimate(asked.recipe, found, data, resolve(out, "folder") if out is not None else None)
    if asked.budget is None:
        return Plan(seconds, jobs=asked.workers)
    return fit(asked.recipe, found, seconds, asked.budget, asked.workers, asked.carrying)


def planned_lines(asked: Job, out: Path | None) -> list[str]:
    """The plan with its times for people; where a model cannot be reached, why there is none."""
    try:
        return plan_lines(planned(asked, out))
    except InputError as error:
        return [f"plan: no times, since {error}"]


def plan_lines(plan: Plan) -> list[str]:
    """A plan for people: each part with its time, the whole, and what is left out."""
    from triglot.study.probe import told

    left = {part for part, _ in plan.left_out}
    lines = ["plan, from a timed probe on this machine"]
    for part, seconds in plan.seconds.items():
        note = told(seconds) if seconds else "finished"
        note = "left out" if part in left else note
        lines.append(f"  {part!s:28s}  {note}")
    several = f", {plan.jobs} at once" if plan.jobs > 1 else ""
    return [*lines, f"  together {told(plan.total)}{several}", *plan.lines()]


def check(asked: Job) -> tuple[list[str], bool]:
    """`--check`: every name, shape and setting that can be reached, and the cost; nothing is trained.

    Returns:
        the lines, and whether everything is there.
    """
    from triglot.commands.dry import dry_run
    from triglot.study.reach import reach

    told_of, complete = reach(asked.recipe, asked.arms)
    lines = ["names", *(f"  {line}" for line in told_of)]
    if complete:
        more, complete = dry_run(asked.recipe, arms=asked.arms, seeds=asked.seeds)
        lines += ["", *more]
    return lines, complete


def print_commands(asked: Job, out: Path) -> list[str]:
    """`--print-commands`: each run as one command for any scheduler."""
    from triglot.study.parts import commands, waves

    return commands(asked.words, out, waves(asked.recipe, asked.arms, asked.seeds))


def run_one(asked: Job, out: Path, word: str, *, progress: bool = False) -> str:
    """`--part`: one part alone, as a scheduler runs it. Returns its folder, for people."""
    from triglot.study.parts import one_part, parse_part

    part = parse_part(word, asked.recipe)
    check_places(asked.recipe, out, asked.arms)
    one_part(asked.recipe, resolve(out, "folder"), part, progress=progress)
    return f"{out}: {part} is finished"
