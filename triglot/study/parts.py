"""The parts of a study: the start of each seed, then each arm with each seed, those made of others last.

A part needs nothing but the study's folder and settings, so that any process on any machine that sees the folder can
run it; parts that do not need one another run side by side.
"""

from __future__ import annotations

import os
import shlex
from collections.abc import Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path

from triglot.document import parse_yaml
from triglot.files import InputError, nearest, write_json
from triglot.recipe import Recipe, alignment_recipe, arm_recipe, digest, recipe_of
from triglot.study.data import Data
from triglot.study.derive import derive
from triglot.study.folder import MADE, STUDY, check_data, claim, claim_study, is_finished, waiting
from triglot.study.run import align, fine_tune, make_encoder, open_inputs
from triglot.study.stage import ALIGNMENT
from triglot.train.distributed import is_main

START = ALIGNMENT  # no arm can be called so


@dataclass(frozen=True)
class Place:
    """Where the parts of a study lie."""

    out: Path

    def arm(self, arm: str, seed: int) -> Path:
        """The folder of a run."""
        return self.out / "arms" / arm / f"seed-{seed}"

    def init(self, seed: int) -> Path:
        """The folder of the model that a seed starts from."""
        return self.out / "init" / f"seed-{seed}"


@dataclass(frozen=True)
class Part:
    """One part: the start of a seed, or an arm with a seed.

    Attributes:
        arm: its name; `alignment` for what the arms of the seed start from.
        seed: of it.
    """

    arm: str
    seed: int

    def __str__(self) -> str:
        return f"{self.arm}/{self.seed}"


def parse_part(word: str, recipe: Recipe) -> Part:
    """`ARM/SEED` or `alignment/SEED`. Raises InputError for an unknown arm, or a word of another form."""
    arm, _, number = word.rpartition("/")
    if not arm or not number.isdecimal() or len(number) > 20:
        raise InputError(f"--part: {word[:60]!r} is not ARM/SEED, such as {next(iter(recipe.arms), 'hybrid')}/1")
    known = [START, *recipe.arms]
    if arm not in known:
        raise InputError(f"--part: {recipe.name} has no arm {arm!r}{nearest(arm, known)}")
    return Part(arm, int(number))


def waves(recipe: Recipe, arms: Sequence[str], seeds: Sequence[int]) -> list[list[Part]]:
    """The parts in waves: those of a wave need the waves before it and not one another."""
    derived = {arm: bool(arm_recipe(recipe, arm, recipe.seeds[0]).of) for arm in arms}
    starts = [Part(START, seed) for seed in seeds]
    trained = [Part(arm, seed) for seed in seeds for arm in arms if not derived[arm]]
    made = [Part(arm, seed) for seed in seeds for arm in arms if derived[arm]]
    return [wave for wave in (starts, trained, made) if wave]


def joined_starts(found: Sequence[Sequence[Part]]) -> list[list[Part]]:
    """The waves with the starts and what begins from them as one, in this order."""
    if len(found) < 2 or found[0][0].arm != START:
        return [list(wave) for wave in found]
    return [[*found[0], *found[1]], *(list(wave) for wave in found[2:])]


def is_done(part: Part, recipe: Recipe, out: Path) -> bool:
    """Whether a part is finished."""
    if part.arm != START:
        return is_finished(Place(out).arm(part.arm, part.seed))
    if recipe.alignment is not None:
        return is_finished(Place(out).arm(ALIGNMENT, part.seed))
    return (Place(out).init(part.seed) / "modules.json").is_file()


def start(recipe: Recipe, seed: int, out: Path, data: Data, *, progress: bool = False) -> tuple[Path, Path]:
    """The models that arms start from: without and with the alignment. They are made if they are not there."""
    place, aligned = Place(out), alignment_recipe(recipe, seed)
    with waiting(place.init(seed)) if is_main() else nullcontext():  # the processes of one run go in step
        fresh = make_encoder(aligned, place.init(seed), data)
        if recipe.alignment is None:
            return fresh, fresh
        folder = place.arm(ALIGNMENT, seed)
        return fresh, align(aligned, fresh, folder, open_inputs(data, aligned, folder), progress=progress)


def run_arm(
    recipe: Recipe,
    arm: str,
    seed: int,
    out: Path,
    data: Data,
    models: tuple[Path, Path] | None,
    *,
    progress: bool = False,
) -> None:
    """One arm with one seed, its evaluation included.

    Args:
        recipe: of the study.
        arm: its name.
        seed: of the run.
        out: study folder.
        data: of the study.
        models: what `start` gives; None for an arm made of others.
        progress: show bars.
    """
    place, one = Place(out), arm_recipe(recipe, arm, seed)
    folder = place.arm(arm, seed)
    inputs = open_inputs(data, one, folder)
    if one.of:
        bases = [place.arm(base, seed) for base in one.of]
        derive(one, bases, folder, inputs, model=arm, progress=progress)
    else:
        assert models is not None
        fine_tune(one, models[bool(one.alignment)], folder, inputs, model=arm, progress=progress)


_OPENED: dict[tuple[str, str], tuple[Recipe, Data]] = {}  # of this process: the study whose parts it runs


def run_part(settings: str, out: str, word: str, cwd: str = "") -> str:
    """Run one part of a study in this process, unless it is finished.

    Args:
        settings: of the study, as `recipe.to_yaml` writes them.
        out: study folder.
        word: `ARM/SEED` or `alignment/SEED`.
        cwd: working folder that paths are relative to; empty for that of this process.

    Returns:
        what went wrong, empty if nothing did: exceptions of other packages may not travel between processes.
    """
    if cwd:
        os.chdir(cwd)
    key = (settings, out)
    if key not in _OPENED:
        _OPENED.clear()
        recipe = recipe_of(parse_yaml(settings, "study"))
        _OPENED[key] = recipe, Data(recipe.data, recipe.made, Path(out) / MADE)
    recipe, data = _OPENED[key]
    try:
        one_part(recipe, Path(out), parse_part(word, recipe), data)
    except InputError as error:
        return f"{word}: {error}"
    return ""


def one_part(recipe: Recipe, out: Path, part: Part, data: Data | None = None, *, progress: bool = False) -> None:
    """Run one part in this process, unless it is finished; a second process that is asked for it waits."""
    data = data or Data(recipe.data, recipe.made, out / MADE)
    with waiting(out / STUDY):
        begin(recipe, [part.arm] if part.arm != START else [], out, data)
    with waiting(out / MADE) if recipe.made else nullcontext():
        data.make_all()
    if part.arm == START:
        start(recipe, part.seed, out, data, progress=progress)
        return
    folder = Place(out).arm(part.arm, part.seed)
    with waiting(folder):
        one = arm_recipe(recipe, part.arm, part.seed)
        if is_finished(folder):
            claim(one, folder)
            return
        models = None if one.of else start(recipe, part.seed, out, data, progress=progress)
        run_arm(recipe, part.arm, part.seed, out, data, models, progress=progress)


def begin(recipe: Recipe, arms: Sequence[str], out: Path, data: Data) -> None:
    """Make a folder that of a study, unless it is, and note what data these arms read. Whoever calls it holds a lock.

    Raises:
        InputError: the folder holds something else, or was begun with other data.
    """
    several = [recipe, *(arm_recipe(recipe, arm, recipe.seeds[0]) for arm in arms)]
    for one in several:
        data.check_places(one)
    if not (out / STUDY).is_file():
        claim_study(out)
        facts = {"recipe": recipe.name, "digest": digest(recipe), "arms": list(recipe.arms)}
        write_json(out / STUDY, facts | {"seeds": list(recipe.seeds)})
    check_data(out, data.named_places(several))


def commands(words: Sequence[str], out: str | Path, found: Sequence[Sequence[Part]]) -> list[str]:
    """Each part as one command, in waves, and the command that writes the report in the end.

    Args:
        words: the study's command without options of how it runs: `triglot study NAME --size cpu KEY=VALUE`.
        out: study folder.
        found: what `waves` gives.
    """
    base = shlex.join([*words, "--out", str(out)])
    heads = {START: "# first, in any order or at the same time"}
    lines: list[str] = []
    for number, wave in enumerate(found):
        after = "# when all of these have ended, again in any order"
        lines.append(heads.get(wave[0].arm, after) if number == 0 or wave[0].arm in heads else after)
        lines += [f"{base} --part {part}" for part in wave]
    return [*lines, "# last: tables, tests, claims and the report", base]
