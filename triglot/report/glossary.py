"""What the names on a page mean: one sentence each. Where a name is a row of a registry, the sentence is that row's."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from triglot.attack.searches import SEARCHES
from triglot.batches.kinds import KINDS
from triglot.debias.methods import METHODS as DEBIASING
from triglot.files import InputError
from triglot.losses.table import LOSSES
from triglot.measures import find, known
from triglot.registry import Registry
from triglot.report.runs import Arm
from triglot.report.tables import Column
from triglot.report.verdicts import MARKS, OF_MODELS
from triglot.robust.methods import METHODS as PERTURBATIONS

SETTINGS = {
    "mono": ("Monolingual", "question and passages are in the same language"),
    "cross": ("Cross-lingual", "the question is in one language, the passages are in one other language"),
    "multi": ("Multilingual", "one pool holds the passages of all languages, and every parallel answer counts"),
    "ranked": ("Top-k run", "judged from the first k passages of each question, without scores of the others"),
    "classification": ("Classification", "both texts of an item are in one language"),
    "generalised": ("In two languages", "the two texts of an item are in different languages"),
}
_GENERAL = {
    "arm": (
        "Arm",
        "what is compared: runs that differ in their seed alone, or a model that was not trained here",
    ),
    "seed": ("Seed", "the number that every random draw of a run comes from; a value is the mean over the seeds"),
    "interval": (
        "Interval",
        "the small figures below a value: where it would lie in 95 of 100 such experiments, with other seeds and other "
        "paragraphs drawn (bootstrap)",
    ),
    "macro": ("Macro average", "every language, or ordered pair of languages, counts the same"),
    "micro": ("Micro average", "every question counts the same, so that languages with more questions count more"),
}
_MARKS = {
    "marks": (
        f"{MARKS[1]} {MARKS[-1]} {MARKS[0]}",
        "better, worse, undecided: whether the method beats the reference, beyond chance in questions and seeds",
    ),
    "marks-of-models": (
        f"{OF_MODELS[1]} {OF_MODELS[-1]}",
        "better, worse: these very models differ; of the methods that made them nothing is decided, with too few seeds "
        "or with seeds that differ too much",
    ),
    "holm": (
        "Holm's correction",
        "with many comparisons some come out by chance; p-values are raised so that one false claim in the whole table "
        "is rarer than 5 %",
    ),
    "margin": (
        "Not below by more than the margin",
        "a test that shows equality: the arm may be worse, but by less than the margin that the recipe allows",
    ),
}
_MODELS = {
    "bm25": ("BM25", "ranks passages by the words that they share with the question; nothing is trained"),
    "bm25-translated": ("BM25, translated", "BM25 on questions that word lists have translated; nothing is trained"),
}


@dataclass(frozen=True)
class Word:
    """A name and its sentence.

    Attributes:
        key: the anchor of the page is `word-KEY`.
        term: as it stands on the page.
        text: what it means, without a full stop.
    """

    key: str
    term: str
    text: str


def key_of(group: str, name: object) -> str:
    """The key of a word: `measure-map@20`."""
    return re.sub(r"\s+", "_", f"{group}-{name}")


def of_measure(name: str) -> Word | None:
    """A measure by its name, with its title and help in the table of measures; None for what is no measure."""
    if name == "lost":
        return Word("lost", "Lost", "mAP on the clean questions less mAP on the attacked ones")
    try:
        row = find(name)
    except InputError:
        return None
    better = "lower is better" if row.lower_is_better else ""
    return Word(key_of("measure", name), row.title, "; ".join(part for part in (row.help, better) if part))


def parts_of(column: Column) -> list[tuple[str, str]]:
    """The heading of a column in parts, (text, key of the word that it links to): `Monolingual`, `mAP`."""
    word, title = of_measure(column.measure), column.title
    if word is None:
        return [(title, "")]
    setting = SETTINGS.get(column.setting, ("", ""))[0]
    if setting and title == f"{setting} {word.term}":
        return [(setting, key_of("setting", column.setting)), (word.term, word.key)]
    return [(title, word.key)]


def _rows(registry: Registry[Any], group: str, names: Iterable[str]) -> list[Word]:
    found = [registry[name] for name in dict.fromkeys(names) if name in registry]
    return [Word(key_of(group, row.name), row.title, row.help) for row in found]


def _used(arms: Sequence[Arm], group: str, key: str) -> list[str]:
    """Values of a setting in the recipes of arms."""
    settings = [run.settings for arm in arms for run in arm.runs[:1] if run.settings]
    values = [one.get(group, {}).get(key) for one in settings if isinstance(one.get(group, {}), Mapping)]
    return [value for value in values if isinstance(value, str) and value]


def _kinds(arms: Sequence[Arm]) -> list[str]:
    """The batch kinds of arms; with a kind that is made of others come those."""
    names = dict.fromkeys(_used(arms, "batches", "kind"))
    made = any(name in KINDS and KINDS[name].parts is not None for name in names)
    return [*names, *(["xx", "xy"] if made else [])]


def of_arm(arm: Arm, number: int) -> Word:
    """What the arm of this number is, told from its recipe: how it was trained, or of what it is made."""
    key, settings = key_of("arm", number), arm.runs[0].settings
    if not settings:
        text = _MODELS.get(arm.name, ("", "a model as it is, not trained in this study"))[1]
        return Word(key, arm.name, text)
    if arm.name == "alignment":
        return Word(key, arm.name, "the first stage of training, which the other arms start from")
    bases, (method, *_) = settings.get("of") or [], [*_used([arm], "debias", "method"), ""]
    if bases:
        told = [f"made of {', '.join(map(str, bases))} without training"]
        if method in DEBIASING:
            told.append(f"{DEBIASING[method].title}: {DEBIASING[method].help}")
        return Word(key, arm.name, "; ".join(told))
    told = []
    for registry, group, setting, what in (
        (KINDS, "batches", "kind", "trained with {} batches: {}"),
        (LOSSES, "loss", "name", "loss {}: {}"),
        (PERTURBATIONS, "robust", "method", "{}: {}"),
    ):
        for name in _used([arm], group, setting):
            if name in registry and name not in ("none", "info-nce"):
                told.append(what.format(registry[name].title, registry[name].help))
    return Word(key, arm.name, "; ".join(told) or "trained in this study")


def glossary(
    arms: Sequence[Arm], columns: Iterable[Column], *, decided: bool, attacks: bool, micro: bool
) -> dict[str, list[Word]]:
    """Words by heading: only those that a page about these arms and columns uses.

    Args:
        arms: all of the page.
        columns: of all its tables.
        decided: whether its tables have verdicts.
        attacks: whether it has attacked benchmarks.
        micro: whether it has micro averages.
    """
    columns = list(columns)
    general = [key for key in _GENERAL if key != "micro" or micro]
    words = [Word(key, *_GENERAL[key]) for key in general]
    words += [Word(key, *told) for key, told in _MARKS.items()] if decided else []
    settings = dict.fromkeys(column.setting for column in columns)
    measures = {
        word.key: word for name in dict.fromkeys(column.measure for column in columns) if (word := of_measure(name))
    }
    methods = _rows(KINDS, "batches", _kinds(arms))
    methods += _rows(LOSSES, "loss", _used(arms, "loss", "name"))
    methods += _rows(DEBIASING, "debias", _used(arms, "debias", "method"))
    methods += _rows(PERTURBATIONS, "robust", (name for name in _used(arms, "robust", "method") if name != "none"))
    methods += _rows(SEARCHES, "attack", SEARCHES.names()) if attacks else []
    found = {
        "Arms": [of_arm(arm, number) for number, arm in enumerate(arms)],
        "Settings": [Word(key_of("setting", key), *SETTINGS[key]) for key in SETTINGS if key in settings],
        "Measures": [*measures.values(), *_chances(measures)],
        "Methods": methods,
        "Tables and tests": words,
    }
    return {title: entries for title, entries in found.items() if entries}


def _chances(measures: Mapping[str, Word]) -> list[Word]:
    """What the measures of bias are by chance, where there are such measures."""
    biased = any("bias" in row.where for row in known() if key_of("measure", row.name) in measures)
    rows = [row for row in known() if row.chance and "bias" in row.where] if biased else []
    return [Word(key_of("measure", row.name), row.title, row.help) for row in rows]
