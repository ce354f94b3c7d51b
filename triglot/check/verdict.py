"""From figures to plain words: is the model biased, how does it show, what would mend it."""

from __future__ import annotations

from dataclasses import dataclass, replace

from triglot.check.run import EXCESS, LOSS, OWN, POOL, Check
from triglot.evaluate.bias.summary import TOP
from triglot.files import InputError, nearest
from triglot.measures.table import Measure, find, known

LEVELS = NONE, SOME, STRONG = "no bias to speak of", "some bias", "strong bias"
_SOME, _STRONG = 0.1, 0.3  # of the excess, and of the loss
_HELPS = 0.05  # of either, that subtracting means takes away


# Figures of a check alone; the others are rows of the table of measures.
_OF_CHECK = {
    EXCESS: Measure(
        EXCESS,
        "Excess of the own language",
        "from 0 (the first texts are as mixed as the pool) to 1 (nothing but the own language)",
        lower_is_better=True,
    ),
    LOSS: Measure(
        LOSS,
        "Loss by mixing",
        "share of the mAP across two languages that is lost when the pool has all languages",
        lower_is_better=True,
    ),
    "language_variance": Measure(
        "language_variance",
        "Variance by language",
        "share of the vectors' variance that lies between languages",
        lower_is_better=True,
    ),
    "mean_distance": Measure(
        "mean_distance",
        "Distance of language means",
        "mean distance between the mean vectors of two languages",
        lower_is_better=True,
    ),
    "probe": Measure(
        "probe",
        "Language probe",
        "how often a linear classifier tells the language of an unseen vector",
        lower_is_better=True,
    ),
    "probe_chance": Measure("probe_chance", "Language probe, by chance", "what probe is by guessing", chance=True),
}
_PLACES = {"mono": "within one language", "cross": "across two languages", "multi": "in the mixed pool"}


def measure(name: str) -> Measure:
    """What a figure of a check is called and means, and which way is better. Raises InputError for an unknown name."""
    if name in _OF_CHECK:
        return _OF_CHECK[name]
    setting, dot, rest = name.partition(".")
    if dot and setting in _PLACES:
        row = find(rest)
        return replace(row, name=name, title=f"{row.title} {_PLACES[setting]}")
    if name in known():
        return known()[name]
    raise InputError(f"no measure {name!r}{nearest(name, measure_names())}")


def measure_names() -> tuple[str, ...]:
    """What `measure` knows."""
    return (*_OF_CHECK, *known().names())


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


def verdict(check: Check, model: str = "MODEL", data: str = "DATA", *, treated: bool = False) -> Verdict:
    """The verdict of a check.

    Args:
        check: what was found.
        model: what the user calls it, for the command.
        data: as `model`.
        treated: whether the model has a step that takes the language out already.
    """
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
    mend = ""
    if level != NONE and _helps(check) and treated:
        sentences.append(
            "The model has a step for each language already: debias the one that it was made of again, with a higher "
            "`--strength` or another `--method`."
        )
    elif level != NONE and _helps(check):
        mend = f"triglot debias {model} {data} --method centre --out {model.rstrip('/')}-debiased"
    elif level != NONE:
        sentences.append("Subtracting means hardly helps here; what is left is training with hybrid batches.")
        mend = "triglot train RECIPE batches.kind=hybrid"
    return Verdict(level, tuple(sentences), mend)


def _helps(check: Check) -> bool:
    """Whether subtracting means brings something, or was not tried."""
    gains = [
        check.measures[name] - figures[name]
        for figures in check.trials.values()
        for name in (EXCESS, LOSS)
        if name in figures and name in check.measures
    ]
    return not check.trials or max(gains, default=0.0) >= _HELPS


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
    if found[worst] == found[best]:
        return ""
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
        InputError: a measure that this check does not have.
    """
    found = []
    for name, limit in limits.items():
        if name not in check.measures:
            known = ", ".join(check.measures)
            raise InputError(
                f"--limit: {check.name} has no measure {name!r}{nearest(name, check.measures)}; it has {known}"
            )
        value, lower = check.measures[name], measure(name).lower_is_better
        if value > limit if lower else value < limit:
            side = "above" if lower else "below"
            found.append(f"{check.name}: {name} is {value:.4g}, {side} the limit of {limit:g}")
    return found
