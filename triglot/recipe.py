"""Recipes: everything that a run or a study is made of, as one tree of frozen dataclasses read from YAML.

Each room owns the dataclass of its settings; here they are put together. `triglot.study.run` is the one place that
makes objects of them.
"""

from __future__ import annotations

import copy
import hashlib
import json
import logging
import re
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from textwrap import shorten
from typing import Annotated, Any

from triglot import recipes
from triglot.attack.settings import AttackSettings
from triglot.augment.settings import AugmentSettings
from triglot.batches import BatchSettings
from triglot.corpus.made import Made
from triglot.debias.settings import DebiasSettings
from triglot.document import COMMAND_LINE, Document, put, read_yaml, split_word
from triglot.encoder import EncoderSettings
from triglot.encoder.settings import MixSettings
from triglot.evaluate.encodings import ENCODINGS, EncodingSettings
from triglot.evaluate.untrained import BASELINES
from triglot.files import InputError, SettingError, check_choice, nearest
from triglot.losses import LossSettings
from triglot.mine.settings import RefreshSettings
from triglot.ranges import OneOf, Range, Seed, Share, Weight, check_ranges
from triglot.renamed import new_name, renamed
from triglot.robust import RobustSettings
from triglot.settings import build, changed, dump_yaml, plain
from triglot.sources import Benchmark, Source, check_key, spell_languages
from triglot.stats import MARGIN
from triglot.train import TrainSettings
from triglot.train.settings import JointAlignSettings

log = logging.getLogger("triglot")
MOST_RUNS = Range(0, 5000, hint="a study of so many runs would not end")


@dataclass(frozen=True)
class Stage:
    """What one stage of training is made of.

    A recipe is its own last stage, the fine-tuning; `alignment` is another, shared by all arms.

    Attributes:
        sources: its data.
        batches: which rows make a batch, in which languages.
        augment: noise in its texts.
        robust: perturbed embeddings and adversaries.
        loss: what it minimises.
        train: how long and how fast.
        refresh: hard negatives mined by the model while it is trained.
        mix: a learned mixture of layers in front of the pooling of a transformer; one that has a mixture keeps it.
        joint_align: how rows of a static encoder that one language has to itself are turned to those of another, before
            this stage is trained.
        lexicon_init: how far words of a static encoder start at their translations in the stage's word lists, 0 (not at
            all) to 1.
        pivot: of `lexicon_init`, the language whose words stay where they are.
    """

    sources: tuple[Source, ...] = ()
    batches: BatchSettings = field(default_factory=BatchSettings)
    augment: AugmentSettings = field(default_factory=AugmentSettings)
    robust: RobustSettings = field(default_factory=RobustSettings)
    loss: LossSettings = field(default_factory=LossSettings)
    train: TrainSettings = field(default_factory=TrainSettings)
    refresh: RefreshSettings = field(default_factory=RefreshSettings)
    mix: MixSettings = field(default_factory=MixSettings)
    joint_align: JointAlignSettings = field(default_factory=JointAlignSettings)
    lexicon_init: Share = 0.0
    pivot: str = "en"

    def __post_init__(self) -> None:
        check_ranges(self)
        self.refresh.check(self.train.negatives)
        if self.lexicon_init and not any(source.format == "wordlist" for source in self.sources):
            raise SettingError("lexicon_init", "needs a source of format wordlist")


@dataclass(frozen=True)
class Recipe(Stage):
    """A run, or with `arms` and `seeds` a study.

    Attributes:
        name: of the recipe.
        seed: of everything random.
        data: folder with the sources.
        made: name -> data that are made before the run; a path that begins with the name is looked for there.
        languages: codes; sources and benchmarks are read in these alone. Empty: all that the data have.
        encoder: what is trained.
        alignment: stage one, null for none.
        of: arms above this one, for an arm that is made of them without training: the mean of their weights, if there
            are several. An arm of `train.steps: 0` is the start itself.
        of_weights: how much each of them counts, on any scale; empty for all the same.
        debias: how the language is then taken out of such an arm.
        encoding: how the texts of an arm are scored when it is evaluated.
        validation: measured every `train.validate_every` steps and after the last; settings may be chosen by it.
        evaluate: measured once, at the end.
        attacks: on the queries of `evaluate`; each is recomputed against each model.
        baselines: retrievers without training.
        lists: folder of word lists for `bm25-translated` and for attacks, inside the data folder.
        translation: folder of a translation model for `bm25-mt`, inside the data folder.
        arms: name -> settings (dotted keys) that make the arm.
        seeds: of a study.
        reference: the arm that the report compares the others with; empty for the first.
        margin: how much lower an arm may be than the reference and still count as "not below" it, as a share (0.005 is
            half a point). It is fixed here, before the figures are known: a run folder keeps it.
    """

    name: str = ""
    seed: Seed = 1
    data: str = "."
    made: Mapping[str, Made] = field(default_factory=dict)
    languages: tuple[str, ...] = ()
    encoder: EncoderSettings = field(default_factory=EncoderSettings)
    alignment: Stage | None = None
    of: tuple[str, ...] = ()
    of_weights: tuple[Weight, ...] = ()
    debias: DebiasSettings = field(default_factory=DebiasSettings)
    encoding: EncodingSettings = field(default_factory=EncodingSettings)
    validation: tuple[Benchmark, ...] = ()
    evaluate: tuple[Benchmark, ...] = ()
    attacks: tuple[AttackSettings, ...] = ()
    baselines: tuple[Annotated[str, OneOf(BASELINES)], ...] = ()
    lists: str = ""
    translation: str = ""
    arms: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    seeds: tuple[Seed, ...] = (1,)
    reference: str = ""
    margin: Annotated[float, Range(0, 1, above=True, below=True, hint="half a point is 0.005")] = MARGIN

    def __repr__(self) -> str:
        sources, judged = ", ".join(one.label for one in self.sources), ", ".join(one.name for one in self.evaluate)
        arms = f"; arms {', '.join(self.arms)} with {len(self.seeds)} seeds" if self.arms else ""
        steps = f"{self.train.steps:,} steps of {self.batches.kind} batches"
        text = f"Recipe({self.name!r}: {self.encoder.kind} encoder on {sources}, {steps}; judged on {judged}{arms})"
        return shorten(text, 1000, placeholder=" ...)")

    def __post_init__(self) -> None:
        super().__post_init__()
        spell_languages(self)
        if self.alignment and not self.alignment.sources:
            raise SettingError("alignment.sources", "is missing")
        if complaint := MOST_RUNS.complaint(len(self.arms) * len(self.seeds), whole=True):
            raise SettingError("arms", f"{len(self.arms):,} arms with {len(self.seeds):,} seeds each: {complaint}")
        for arm in self.arms:
            check_key("arm", arm, f"arms.{arm}"[:60])
            if not re.fullmatch(r"[\w\-+]+", arm) or arm in RESERVED:
                raise SettingError(
                    f"arms.{arm}",
                    f"{'is the name of the first stage' if arm in RESERVED else 'letters, digits and - + _ only'}",
                )
        if self.reference and self.reference not in self.arms:
            raise SettingError("reference", f"no arm {self.reference!r}{nearest(self.reference, self.arms)}")
        for number, name in enumerate(self.baselines):
            check_choice(f"baselines.{number}", name, BASELINES.names())
            BASELINES[name].check(self.lists, self.translation)
        if self.of_weights and (len(self.of_weights) != len(self.of) or not sum(self.of_weights)):
            raise SettingError("of_weights", f"one for each of {len(self.of)} arms, at least one above 0, is wanted")
        if self.debias.method and not self.of:
            message = (
                "goes with `of: [ARM]`, the arm whose model it is taken from; `triglot debias` does it to a saved model"
            )
            raise SettingError("debias", message)
        for attack in self.attacks:
            if attack.needs_lists and not self.lists:
                raise SettingError("lists", f"is missing; the attack {attack.label!r} needs a folder of word lists")
        for label, number in Counter(attack.label for attack in self.attacks).items():
            if number > 1:
                raise SettingError("attacks", f"two attacks are called {label!r}; give one of them a `name`")
        if ENCODINGS[self.encoding.name].of_layers and self.encoder.kind == "static":
            message = f"{self.encoding.name} needs the layers of a transformer; encoder.kind is static"
            raise SettingError("encoding.name", message)
        for key in ("validation", "evaluate"):
            names = Counter(benchmark.name for benchmark in getattr(self, key))
            for name, number in names.items():
                if number > 1:
                    raise SettingError(key, f"two benchmarks are called {name!r}")


RESERVED = ("alignment",)
OF_A_STUDY = {"name", "seed", "seeds", "arms", "baselines", "lists", "reference", "margin", "data", "encoder", "made"}
OF_A_STUDY |= {"validation", "evaluate", "attacks", "translation"}
OF_DERIVED = ("of", "of_weights", "debias", "encoding")


def _drop_licence(value: dict[str, Any], path: Sequence[str], beside: Collection[str]) -> None:
    """A source that is read from another path is other data: what the old entry says of its licence no longer holds, in
    place."""
    prefix, lists = path[:-2], ("sources", "validation", "evaluate")
    if (
        len(path) < 3
        or path[-1] not in ("path", "format")
        or path[-3] not in lists
        or f"{'.'.join(path[:-1])}.licence" in beside
    ):
        return
    here: Any = value
    for name in prefix:
        here = here.get(name) if isinstance(here, dict) else None
    if (
        isinstance(here, list)
        and path[-2].isdecimal()
        and int(path[-2]) < len(here)
        and isinstance(here[int(path[-2])], dict)
    ):
        here[int(path[-2])].pop("licence", None)


def _apply(document: Document, key: str, value: Any, where: str, beside: Collection[str] = ()) -> Document:
    """The document with one more setting. An arm's settings (`arms.NAME.dotted.key`) are one key below the arm."""
    changed = copy.deepcopy(document.value)
    path = key.split(".")
    _drop_licence(changed, path, beside)
    if path[0] == "arms" and len(path) > 2:
        path = ["arms", path[1], ".".join(path[2:])]
    put(changed, path, value, where)
    lines = {old: place for old, place in document.lines.items() if not old.startswith(f"{key}.")}
    return Document(changed, document.source, {**lines, key: where})


def _arm_changes(document: Document, arm: str) -> Document:
    """The settings of an arm by their dotted keys, and where each was written."""
    settings, above = document.value["arms"][arm], f"arms.{arm}."
    if not isinstance(settings, Mapping):
        raise InputError(f"{document.where(above[:-1])}: arms.{arm}: an arm is `dotted.key: value` lines")
    changes = dict(settings)
    for key, value in settings.items():
        first, *rest = key.split(".")
        reason = ""
        if first == "alignment" and (rest or value is not None):
            reason = "the alignment is shared by all arms (`alignment: null` leaves it out)"
        elif first in OF_A_STUDY:
            reason = "is the same for all arms"
        if reason:
            raise InputError(f"{document.where(above + key)}: {above}{key}: {reason}")
        if first == "sources" and rest[1:] in (["path"], ["format"]):
            # Other data: what was said of the licence no longer holds.
            changes.setdefault(f"sources.{rest[0]}.licence", "")
    lines = {key.removeprefix(above): place for key, place in document.lines.items() if key.startswith(above)}
    return Document(changes, document.where(above[:-1]), lines)


def parse_recipe(document: Document) -> Recipe:
    """A recipe from its document; every arm is tried too, so that a misspelt key in the last arm is found before the
    first one runs."""
    document = renamed_document(document)
    recipe = build(Recipe, document)
    trained: list[str] = []
    for arm in recipe.arms:
        changes = _arm_changes(document, arm)
        one = changed(single(recipe, recipe.seed), changes, f"arms.{arm}: ")
        for base in one.of:
            if base not in trained:
                message = f"no arm {base!r} that is trained and stands above it{nearest(base, trained)}"
                raise InputError(f"{changes.where('of')}: arms.{arm}.of: {message}")
        others = [key for key in changes.value if key.split(".")[0] not in OF_DERIVED]
        if one.of and others:
            message = "an arm made of others is not trained; it takes " + ", ".join(OF_DERIVED) + " alone"
            raise InputError(f"{changes.where('of')}: arms.{arm}.{others[0]}: {message}")
        if not one.of:
            trained.append(arm)
    return recipe


def renamed_document(document: Document) -> Document:
    """The document with every key as it is called now; a warning names each that is called otherwise."""

    def tell(old: str, now: str) -> None:
        log.warning("%s: %s is called %s now", document.where(old), old, now)

    return Document(
        renamed(document.value, tell), document.source, {new_name(key): place for key, place in document.lines.items()}
    )


def _renamed_word(key: str, value: Any) -> tuple[str, Any]:
    """A setting of the command line under its name of today."""
    now = new_name(key)
    if now != key:
        log.warning("%s: %s is called %s now", COMMAND_LINE, key, now)
    return now, value


def load_recipe(name_or_path: str, overrides: Sequence[str] = ()) -> Recipe:
    """A recipe by its name or path, with settings from the command line.

    Args:
        name_or_path: a YAML file, or the name of a recipe that comes with Triglot.
        overrides: `key=value` words; keys are dotted, values are read as YAML (`batches.kind=xy`,
            `sources.0.weight=2`).

    Raises:
        InputError: names file and line (or the command line), the key, and the nearest known one.
    """
    path = recipes.find(name_or_path)
    document = read_yaml(path, source=path.name if path.parent == recipes.FOLDER else str(path))
    document.value.setdefault("name", path.stem)
    return recipe_of(document, overrides)


def recipe_of(document: Document, overrides: Sequence[str] = ()) -> Recipe:
    """The recipe of a document; see `load_recipe`."""
    written = document = renamed_document(document)
    words = [_renamed_word(*split_word(word)) for word in overrides]
    for key, value in words:
        document = _apply(document, key, value, COMMAND_LINE, [other for other, _ in words])
    try:
        return parse_recipe(document)
    except InputError:
        if not words:
            raise
        parse_recipe(
            written
        )  # a fault of the file's own is said first, where it stands; all others came with the words
        given_lines = {key: place for key, place in document.lines.items() if place == COMMAND_LINE}
        return parse_recipe(Document(document.value, COMMAND_LINE, given_lines))


def arm_recipe(recipe: Recipe, arm: str, seed: int) -> Recipe:
    """The recipe of one arm and seed: no arms, no baselines, one seed.

    Raises:
        InputError: there is no such arm.
    """
    if arm not in recipe.arms:
        raise InputError(f"{recipe.name}: no arm {arm!r}{nearest(arm, recipe.arms)}")
    return changed(
        single(recipe, seed), _arm_changes(Document({"arms": recipe.arms}, recipe.name), arm), f"arms.{arm}: "
    )


def alignment_recipe(recipe: Recipe, seed: int) -> Recipe:
    """The recipe of the alignment stage alone; the sources of the fine-tuning stay, since the tokenizer is made from
    them too."""
    defaults = {entry.name: getattr(Stage(), entry.name) for entry in fields(Stage) if entry.name != "sources"}
    return replace(single(recipe, seed), **defaults, attacks=(), lists="")


def single(recipe: Recipe, seed: int) -> Recipe:
    """The recipe of one run: no arms, no baselines, one seed."""
    return replace(
        recipe,
        seed=seed,
        seeds=(seed,),
        arms={},
        baselines=(),
        lists=recipe.lists if recipe.attacks else "",
        reference="",
    )


def key_order() -> list[str]:
    """The keys of a recipe as they are shown: what holds for the whole run, the fine-tuning, what is done with its
    model."""
    of_stage = [entry.name for entry in fields(Stage)]
    own = [entry.name for entry in fields(Recipe) if entry.name not in of_stage]
    after = own.index("alignment") + 1
    return [*own[:after], *of_stage, *own[after:]]


def to_yaml(recipe: Recipe) -> str:
    """Every setting with its resolved value."""
    return dump_yaml({key: getattr(recipe, key) for key in key_order()})


def digest(recipe: Recipe) -> str:
    """Twelve hexadecimal digits that stand for the settings; the place of the data folder is not one."""
    value = {key: item for key, item in plain(recipe).items() if key not in ("data", "name")}
    return hashlib.blake2b(json.dumps(value, sort_keys=True).encode(), digest_size=6).hexdigest()
