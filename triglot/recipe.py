"""Recipes: everything that a run or a study is made of, as one tree of frozen dataclasses read from YAML.

Each room owns the dataclass of its settings; here they are put together. `triglot.study.run` is the one place that makes objects of them.
"""

from __future__ import annotations

import copy
import hashlib
import json
import re
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Annotated, Any, Literal

from triglot import recipes
from triglot.attack.settings import Attack
from triglot.augment.settings import Augment
from triglot.batches import Batches
from triglot.classify.tasks import split_options
from triglot.corpus.formats.registry import FORMATS, check_format
from triglot.debias.settings import Debias
from triglot.encoder import EncoderSettings
from triglot.evaluate.bias.scope import check_subsets
from triglot.files import InputError, nearest
from triglot.language_tags import language, wanted
from triglot.losses import Loss
from triglot.mine.settings import Refresh
from triglot.names import check_name
from triglot.ranges import Depth, Half, Range, Seed, Share, check_ranges
from triglot.robust import Robust
from triglot.settings import COMMAND_LINE, Document, build, dump_yaml, plain, put, read_yaml, split_word
from triglot.stats import MARGIN
from triglot.train import Train

Baseline = Literal["bm25", "bm25-translated"]
MOST_RUNS = Range(0, 5000, hint="a study of so many runs would not end")


def _spell_languages(settings: Any) -> None:
    """Give the key `languages` of settings the one spelling that readers give to languages. Raises InputError that names the key."""
    try:
        codes = wanted(settings.languages)
    except InputError as error:
        raise InputError(f"languages: {error}") from None
    object.__setattr__(settings, "languages", None if codes is None else tuple(codes))


@dataclass(frozen=True)
class CodeSwitch:
    """Texts of one language shown in others by replacing words through word lists, drawn anew each epoch (arXiv 2305.05295).

    Attributes:
        lists: folder of word lists, inside the data folder.
        p: probability that a word with a translation is replaced.
        pivot: the language of the texts.
        half: use this half of the lists alone (0 or 1), so that an attack can have the other; None for all.
    """

    lists: str
    p: Share = 1.0
    pivot: str = "en"
    half: Half | None = None

    def __post_init__(self) -> None:
        check_ranges(self)


@dataclass(frozen=True)
class Source:
    """Training data.

    Attributes:
        format: of the files, see `triglot.corpus.formats.registry`.
        path: file or folder inside the data folder; empty for built-in data.
        name: in logs and reports; by default the last part of the path.
        weight: share of the batches, relative to the other sources.
        balance: how rows in different languages share that: a combination of languages with n rows gets a share ~ n ** balance. None leaves
            the source whole (1 is nearly the same); 0 gives every pair of a folder of bitext the same share.
        unit: what a passage is; None leaves it to the reader.
        languages: read only these; None for the recipe's.
        codeswitch: show the texts in the other languages too.
        licence: of the data, for the report.
        options: further options of the format's reader.
    """

    format: str
    path: str = ""
    name: str = ""
    weight: Annotated[float, Range(1e-6, 1e6)] = 1.0
    balance: Share | None = None
    unit: Literal["sentence", "sentence+context", "paragraph"] | None = None
    languages: tuple[str, ...] | None = None
    codeswitch: CodeSwitch | None = None
    licence: str = ""
    options: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        check_ranges(self)
        check_format(self.format, "training")
        if not self.path and not FORMATS[self.format].built_in:
            raise InputError("path: is missing")
        if self.name:
            check_name("source", self.name, "name")
        _spell_languages(self)
        if self.balance is not None and self.codeswitch:
            raise InputError("balance: goes with natural text; a source with codeswitch has every row in all languages")

    @property
    def label(self) -> str:
        """The name in logs and reports."""
        return self.name or (self.path.rstrip("/").rpartition("/")[2] if self.path else self.format)


@dataclass(frozen=True)
class Benchmark:
    """Data to evaluate on.

    Attributes:
        name: in files and tables.
        format, path: as for a source; a path may be a `hub:` name.
        candidate_text: what a passage is; None leaves it to the reader.
        languages: only these; None for the recipe's.
        licence: of the data, for the report.
        depth: passages a query where a top-k run is made (BEIR, MTEB, TREC).
        subsets: languages of smaller pools to report as well.
        options: further options of the format's reader; of nli and stance, how a head is trained (`triglot.classify.tasks.Classify`).
    """

    name: str
    format: str
    path: str = ""
    candidate_text: Literal["sentence", "sentence+context", "paragraph"] | None = None
    languages: tuple[str, ...] | None = None
    licence: str = ""
    depth: Depth = 1000
    subsets: tuple[tuple[str, ...], ...] = ()
    options: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        check_ranges(self)
        _spell_languages(self)
        if not re.fullmatch(r"[\w\-+.]+", self.name) or self.name.startswith("."):
            raise InputError(f"name: {self.name!r} has other characters than letters, digits and - + . _ (it becomes part of file names)")
        check_name("benchmark", self.name, "name")
        object.__setattr__(self, "subsets", tuple(tuple(map(language, codes)) for codes in self.subsets))
        check_subsets(self.name, self.subsets)
        check_format(self.format, "retrieval", "streamed", "classification")
        if not self.path and not FORMATS[self.format].built_in:
            raise InputError("path: is missing")
        if FORMATS[self.format].classification:
            split_options(self.format, self.options)


def check_refresh(refresh: Refresh, train: Train) -> None:
    """Raise InputError where mined negatives would not be shown, or fewer are kept than are shown."""
    if refresh.every is None:
        return
    if not train.negatives:
        raise InputError("refresh.every: mines hard negatives that are never shown; give train.negatives, how many a row")
    try:
        refresh.of(train.negatives)
    except InputError as error:
        raise InputError(f"refresh.{error}") from None


@dataclass(frozen=True)
class Stage:
    """A stage of training with settings of its own: the alignment, shared by all arms.

    Attributes:
        sources: its data.
        anchor: how far words of a static encoder start at their translations in the stage's word lists, 0 (not at all) to 1.
        pivot: the language whose words stay where they are.
        augment: noise in its texts.
        robust: perturbed embeddings and adversaries.
        refresh: hard negatives mined by the model while it is trained.
    """

    sources: tuple[Source, ...]
    batches: Batches = field(default_factory=Batches)
    augment: Augment = field(default_factory=Augment)
    robust: Robust = field(default_factory=Robust)
    loss: Loss = field(default_factory=Loss)
    train: Train = field(default_factory=Train)
    refresh: Refresh = field(default_factory=Refresh)
    anchor: Share = 0.0
    pivot: str = "en"

    def __post_init__(self) -> None:
        check_ranges(self)
        check_refresh(self.refresh, self.train)
        if self.anchor and not any(source.format == "wordlist" for source in self.sources):
            raise InputError("anchor: needs a source of format wordlist")


@dataclass(frozen=True)
class Recipe:
    """A run, or with `arms` and `seeds` a study.

    Attributes:
        name: of the recipe.
        seed: of everything random.
        data: folder with the sources.
        languages: codes; sources and benchmarks are read in these alone. Empty: all that the data have.
        encoder: what is trained.
        alignment: stage one, None for none.
        sources, batches, augment, robust, loss, train, refresh: stage two, the fine-tuning.
        validation: measured every `train.validate_every` steps and after the last; settings may be chosen by it.
        evaluate: measured once, at the end.
        of: arms above this one, for an arm that is made of them without training: the mean of their weights, if there are several.
        debias: how the language is then taken out of such an arm.
        attacks: on the queries of `evaluate`; each is recomputed against each model.
        baselines: retrievers without training.
        lists: folder of word lists for `bm25-translated` and for attacks, inside the data folder.
        arms: name -> settings (dotted keys) that make the arm.
        seeds: of a study.
        reference: the arm that the report compares the others with; empty for the first.
        margin: how much lower an arm may be than the reference and still count as "not below" it, as a share (0.005 is half a point).
            It is fixed here, before the figures are known: a run folder keeps it.
    """

    name: str = ""
    seed: Seed = 1
    data: str = "../shared/data"
    languages: tuple[str, ...] = ()
    encoder: EncoderSettings = field(default_factory=EncoderSettings)
    alignment: Stage | None = None
    sources: tuple[Source, ...] = ()
    batches: Batches = field(default_factory=Batches)
    augment: Augment = field(default_factory=Augment)
    robust: Robust = field(default_factory=Robust)
    loss: Loss = field(default_factory=Loss)
    train: Train = field(default_factory=Train)
    refresh: Refresh = field(default_factory=Refresh)
    of: tuple[str, ...] = ()
    debias: Debias = field(default_factory=Debias)
    validation: tuple[Benchmark, ...] = ()
    evaluate: tuple[Benchmark, ...] = ()
    attacks: tuple[Attack, ...] = ()
    baselines: tuple[Baseline, ...] = ()
    lists: str = ""
    arms: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    seeds: tuple[Seed, ...] = (1,)
    reference: str = ""
    margin: Annotated[float, Range(0, 1, above=True, below=True, hint="half a point is 0.005")] = MARGIN

    def __post_init__(self) -> None:
        check_ranges(self)
        _spell_languages(self)
        if complaint := MOST_RUNS.complaint(len(self.arms) * len(self.seeds), whole=True):
            raise InputError(f"arms: {len(self.arms):,} arms with {len(self.seeds):,} seeds each: {complaint}")
        for arm in self.arms:
            check_name("arm", arm, f"arms.{arm}"[:60])
            if not re.fullmatch(r"[\w\-+]+", arm) or arm in RESERVED:
                raise InputError(f"arms.{arm}: {'is the name of the first stage' if arm in RESERVED else 'letters, digits and - + _ only'}")
        check_refresh(self.refresh, self.train)
        if self.reference and self.reference not in self.arms:
            raise InputError(f"reference: no arm {self.reference!r}{nearest(self.reference, self.arms)}")
        if "bm25-translated" in self.baselines and not self.lists:
            raise InputError("lists: is missing; bm25-translated needs a folder of word lists")
        if self.debias.method and not self.of:
            raise InputError(
                "debias: goes with `of: [ARM]`, the arm whose model it is taken from; `triglot debias` does it to a saved model"
            )
        for attack in self.attacks:
            if attack.needs_lists and not self.lists:
                raise InputError(f"lists: is missing; the attack {attack.label!r} needs a folder of word lists")
        for key in ("validation", "evaluate"):
            names = Counter(benchmark.name for benchmark in getattr(self, key))
            for name, number in names.items():
                if number > 1:
                    raise InputError(f"{key}: two benchmarks are called {name!r}")


RESERVED = ("alignment",)
_BESIDE_ARMS = ("arms", "reference")
OF_A_STUDY = (
    "name",
    "seed",
    "seeds",
    "arms",
    "baselines",
    "lists",
    "reference",
    "margin",
    "data",
    "encoder",
    "validation",
    "evaluate",
    "attacks",
)


def _drop_licence(value: dict[str, Any], path: Sequence[str], beside: Collection[str]) -> None:
    """A source that is read from another path is other data: what the old entry says of its licence no longer holds, in place."""
    prefix, lists = path[:-2], ("sources", "validation", "evaluate")
    if len(path) < 3 or path[-1] not in ("path", "format") or path[-3] not in lists or f"{'.'.join(path[:-1])}.licence" in beside:
        return
    here: Any = value
    for name in prefix:
        here = here.get(name) if isinstance(here, dict) else None
    if isinstance(here, list) and path[-2].isdecimal() and int(path[-2]) < len(here) and isinstance(here[int(path[-2])], dict):
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


def _without(document: Document, keys: Collection[str]) -> Document:
    """The document without some keys of the first level."""
    kept = {key: value for key, value in document.value.items() if key not in keys}
    return Document(kept, document.source, {key: place for key, place in document.lines.items() if key.split(".", 1)[0] not in keys})


def _arm_document(document: Document, arm: str, rest: Document | None = None) -> Document:
    """The document of one arm, made of what stands beside the arms; where each setting was written is kept, so that errors name it."""
    settings = document.value["arms"][arm]
    if not isinstance(settings, dict):
        raise InputError(f"{document.where(f'arms.{arm}')}: arms.{arm}: an arm is `dotted.key: value` lines")
    result = rest or _without(document, _BESIDE_ARMS)
    for key, value in settings.items():
        where = document.where(f"arms.{arm}.{key}")
        first = str(key).split(".")[0]
        if first in OF_A_STUDY or str(key).startswith("alignment."):
            reason = (
                "the alignment is shared by all arms (`alignment: null` leaves it out)"
                if first == "alignment"
                else "is the same for all arms"
            )
            raise InputError(f"{where}: arms.{arm}.{key}: {reason}")
        if first == "alignment" and value is not None:
            raise InputError(f"{where}: arms.{arm}.{key}: the alignment is shared by all arms (`alignment: null` leaves it out)")
        result = _apply(result, str(key), value, where, [str(other) for other in settings])
    return result


def parse_recipe(document: Document) -> Recipe:
    """A recipe from its document; every arm is tried too, so that a misspelt key in the last arm is found before the first one runs."""
    recipe = build(Recipe, document)
    trained: list[str] = []
    rest = _without(document, (*_BESIDE_ARMS, "validation", "evaluate", "attacks", "baselines", "seeds"))  # tried above, alike in all arms
    for arm, settings in recipe.arms.items():
        one = build(Recipe, _arm_document(document, arm, rest), inside=f"arms.{arm}: ")
        where = document.where(f"arms.{arm}.of")
        for base in one.of:
            if base not in trained:
                raise InputError(f"{where}: arms.{arm}.of: no arm {base!r} that is trained and stands above it{nearest(base, trained)}")
        others = [str(key) for key in settings if str(key).split(".")[0] not in ("of", "debias")]
        if one.of and others:
            raise InputError(f"{where}: arms.{arm}.{others[0]}: an arm made of others is not trained; it takes `of` and `debias` alone")
        if not one.of:
            trained.append(arm)
    return recipe


def load_recipe(name_or_path: str, overrides: Sequence[str] = ()) -> Recipe:
    """A recipe by its name or path, with settings from the command line.

    Args:
        name_or_path: a YAML file, or the name of a recipe that comes with Triglot.
        overrides: `key=value` words; keys are dotted, values are read as YAML (`batches.kind=xy`, `sources.0.weight=2`).

    Raises:
        InputError: names file and line (or the command line), the key, and the nearest known one.
    """
    path = recipes.find(name_or_path)
    document = read_yaml(path, source=path.name if path.parent == recipes.FOLDER else str(path))
    document.value.setdefault("name", path.stem)
    words = [split_word(word) for word in overrides]
    for key, value in words:
        document = _apply(document, key, value, COMMAND_LINE, [other for other, _ in words])
    return parse_recipe(document)


def arm_recipe(recipe: Recipe, arm: str, seed: int) -> Recipe:
    """The recipe of one arm and seed: no arms, no baselines, one seed.

    Raises:
        InputError: there is no such arm.
    """
    if arm not in recipe.arms:
        raise InputError(f"{recipe.name}: no arm {arm!r}{nearest(arm, recipe.arms)}")
    document = Document(plain(recipe), recipe.name)
    return single(build(Recipe, _arm_document(document, arm)), seed)


def alignment_recipe(recipe: Recipe, seed: int) -> Recipe:
    """The recipe of the alignment stage alone; the sources of the fine-tuning stay, since the tokenizer is made from them too."""
    rest: dict[str, Any] = {"batches": Batches(), "augment": Augment(), "robust": Robust(), "loss": Loss(), "train": Train()}
    rest |= {"refresh": Refresh(), "attacks": (), "lists": ""}
    return replace(single(recipe, seed), **rest)


def single(recipe: Recipe, seed: int) -> Recipe:
    """The recipe of one run: no arms, no baselines, one seed."""
    return replace(recipe, seed=seed, seeds=(seed,), arms={}, baselines=(), lists=recipe.lists if recipe.attacks else "", reference="")


def to_yaml(recipe: Recipe) -> str:
    """Every setting with its resolved value."""
    return dump_yaml(recipe)


def digest(recipe: Recipe) -> str:
    """Twelve hexadecimal digits that stand for the settings; the place of the data folder is not one."""
    value = {key: item for key, item in plain(recipe).items() if key not in ("data", "name")}
    return hashlib.blake2b(json.dumps(value, sort_keys=True).encode(), digest_size=6).hexdigest()
