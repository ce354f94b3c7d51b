"""From figures to plain words: is the model biased, how does it show, what would mend it."""

from __future__ import annotations

from dataclasses import dataclass

from triglot.check.run import EXCESS, LOSS, OWN, POOL, Check
from triglot.evaluate.bias.summary import TOP
from triglot.files import InputError, nearest

NONE, SOME, STRONG = "no bias to speak of", "some bias", "strong bias"
_SOME, _STRONG = 0.1, 0.3  # of the excess, and of the loss


@dataclass(frozen=True)
class Measure:
    """A figure of a check: what it is called, what it means, and which way is better."""

    title: str
    meaning: str
    lower_is_better: bool


MEASURES = {
    OWN: Measure(
        f"own language in the first {TOP}",
        f"share of a question's first {TOP} texts that are in its own language",
        True,
    ),
    POOL: Measure("own language in the pool", "the same share if the language did not matter", True),
    EXCESS: Measure(
        "excess", "from 0 (the first texts are as mixed as the pool) to 1 (nothing but the own language)", True
    ),
    "mono.map": Measure("mAP within one language", "questions and passages in one language", False),
    "cross.map": Measure("mAP across two languages", "passages in one other language", False),
    "multi.map": Measure("mAP in the mixed pool", "passages in all languages, each answer counts", False),
    LOSS: Measure(
        "loss by mixing", "share of the mAP across two languages that is lost when the pool has all languages", True
    ),
    "rank_distance": Measure(
        "rank distance", "between the first and the last of the translated answers to a question", True
    ),
    "max_rank": Measure("Max@R", "rank at which the last of the translated answers is found", True),
    "preference_rate": Measure(
        "own language first", "how often the answer in the question's language stands first", True
    ),
    "preference_expected": Measure("own language first, by chance", "the same without a preference", True),
    f"entropy@{TOP}": Measure(f"entropy of the first {TOP}", "1 where all languages are equally frequent", False),
    "language_variance": Measure(
        "variance by language", "share of the vectors' variance that lies between languages", True
    ),
    "mean_distance": Measure(
        "distance of language means", "mean distance between the mean vectors of two languages", True
    ),
    "probe": Measure("language probe", "how often a linear classifier tells the language of an unseen vector", True),
    "probe_chance": Measure("language probe, by chance", "the same by guessing", True),
}


@dataclass(frozen=True)
class Verdict:
    """What a check says.

    Attributes:
        level: `NONE`, `SOME` or `STRONG`.
        sentences: in plain words, the most important first.
        mend: the command that would mend it, empty where nothing has to be mended.
    """

    level: str
    sentences: tuple[str, ...]
    mend: str = ""


def verdict(check: Check, model: str = "MODEL", data: str = "DATA") -> Verdict:
    """The verdict of a check; `model` and `data` are what the user calls them, for the command."""
    figures = check.measures
    level = _level(check)
    sentences = [_first(check, level)]
    if "multi.map" in figures:
        places = {"within one language": "mono.map", "across two": "cross.map"}
        others = [f"{place} {figures[name]:.2f}" for place, name in places.items() if name in figures]
        sentences.append(
            f"In the pool of all languages it reaches {figures['multi.map']:.2f} mAP, {', '.join(others)}."
        )
    if {"preference_rate", "preference_expected"} <= figures.keys() and check.kind == "benchmark":
        rate, chance = _percent(figures["preference_rate"]), _percent(figures["preference_expected"])
        sentences.append(
            "Of several answers that mean the same, the one in the question's language stands first "
            f"in {rate} of the cases ({chance} by chance)."
        )
    if worst := _worst(check):
        sentences.append(worst)
    if "language_variance" in figures:
        variance, told, chance = (_percent(figures[name]) for name in ("language_variance", "probe", "probe_chance"))
        sentences.append(
            f"Language makes up {variance} of the variance of the vectors; "
            f"a linear probe tells it in {told} of the cases ({chance} by chance)."
        )
    if check.kind == "collection" and level != NONE:
        sentences.append("Part of it may be rightful: the texts of one language may be about what its readers ask.")
    sentences += _trials(check)
    mend = "" if level == NONE else f"triglot debias {model} {data} --method centre --out {model.rstrip('/')}-debiased"
    return Verdict(level, tuple(sentences), mend)


def _level(check: Check) -> str:
    """By the excess or the loss by mixing, whichever is worse; one language alone makes it some bias."""
    worst = max(check.measures.get(EXCESS, 0.0), check.measures.get(LOSS, 0.0))
    alone = max((figures.get(EXCESS, 0.0) for figures in check.by_language.values()), default=0.0)
    if worst >= _STRONG:
        return STRONG
    return SOME if worst >= _SOME or alone >= _STRONG else NONE


def _percent(share: float) -> str:
    return f"{100 * share:.0f} %"


def _first(check: Check, level: str) -> str:
    figures = check.measures
    if OWN not in figures:
        return f"{level.capitalize()}: the languages of rankings could not be compared."
    return (
        f"{level.capitalize()}: {_percent(figures[OWN])} of the first {TOP} are in the question's own language; "
        f"{_percent(figures[POOL])} of the pool are."
    )


def _worst(check: Check) -> str:
    found = {code: figures[EXCESS] for code, figures in check.by_language.items() if EXCESS in figures}
    if len(found) < 2:
        return ""
    worst, best = max(found, key=lambda code: found[code]), min(found, key=lambda code: found[code])
    own = {code: _percent(check.by_language[code][OWN]) for code in (worst, best)}
    return f"Strongest in {worst} ({own[worst]} own language), weakest in {best} ({own[best]})."


def _trials(check: Check) -> list[str]:
    """What subtracting means would bring at most, at the strength that leaves the least excess."""
    if not check.trials or EXCESS not in check.measures:
        return []
    strength = min(check.trials, key=lambda one: abs(check.trials[one].get(EXCESS, 1.0)))
    found = check.trials[strength]
    if found.get(EXCESS, 1.0) >= check.measures[EXCESS]:
        return []
    more = f" and the mAP of the mixed pool {found['multi.map']:.2f}" if "multi.map" in found else ""
    part = "the mean" if strength == 1 else f"{_percent(strength)} of the mean"
    brought = f"the share would be {_percent(found[OWN])}{more}"
    return [f"With {part} of each language subtracted {brought} (at most: the means are of these texts)."]


def past_limits(check: Check, limits: dict[str, float]) -> list[str]:
    """One line for each limit that a figure is past: above it where lower is better, below it where higher is better.

    Raises:
        InputError: a measure that is not known, or that this check does not have.
    """
    found = []
    for name, limit in limits.items():
        if name not in MEASURES:
            raise InputError(f"--limit: no measure {name!r}{nearest(name, MEASURES)}")
        if name not in check.measures:
            raise InputError(f"--limit: {check.name} has no {name}; it has {', '.join(check.measures)}")
        value = check.measures[name]
        lower = MEASURES[name].lower_is_better
        if value > limit if lower else value < limit:
            side = "above" if lower else "below"
            found.append(f"{check.name}: {name} is {value:.4g}, {side} the limit of {limit:g}")
    return found
