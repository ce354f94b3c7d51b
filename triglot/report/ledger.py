"""The ledger: every claim of a study with its verdict, the effect, its interval, the p-value and the runs behind it.

A claim is written down before its figures are known and is tested once, at 5 %. It holds when all its parts hold (an
intersection-union test, which needs no correction), and does not hold when one of them is refuted after Holm's
correction for their number. Everything else is undecided: of the method, wherever one of the arms has fewer than
`stats.MIN_SEEDS` seeds; what a test over paragraphs alone decides about these very models stands beside it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from fnmatch import fnmatchcase
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from triglot.measures import find
from triglot.report.claims import Claim, Part
from triglot.report.resampling import Figures, PerQuery, figures_of, paired, read_arms
from triglot.report.runs import Arm
from triglot.report.tables import benchmark_names, is_attacked
from triglot.report.verdicts import ALPHA
from triglot.stats import MIN_SEEDS, Interval, bootstrap, bootstrap_unpaired, holm, macro_mean, permutation_test

VERDICTS = {1: "holds", -1: "does not hold", 0: "undecided"}
_SAMPLES = 2000


@dataclass(frozen=True)
class Outcome:
    """What one part came to, on one benchmark and in one setting.

    Attributes:
        what: in words: `hybrid against x-x, multilingual mAP on atlas`.
        value, other: the figures of the two arms (means over seeds), or what was counted and what was asked for.
        effect: `value` less `other`; None where there are none.
        low, high: 95 % interval of the effect.
        p: that the truth lies exactly at what the claim asks for; None where nothing is tested.
        p_models: the same of these very models.
        right: whether the effect lies on the claim's side.
        few: whether an arm has too few seeds.
        runs: folders, as `arms/hybrid/seed-1`.
        why: what keeps it from being tested.
    """

    what: str
    value: float | None = None
    other: float | None = None
    effect: float | None = None
    low: float | None = None
    high: float | None = None
    p: float | None = None
    p_models: float | None = None
    right: bool = False
    few: bool = False
    runs: tuple[str, ...] = ()
    why: str = ""


@dataclass(frozen=True)
class Entry:
    """A claim and what became of it.

    Attributes:
        claim: as it was written down.
        outcomes: of its parts.
        versus: 1 holds, -1 does not hold, 0 undecided.
        models: the same of these very models.
    """

    claim: Claim
    outcomes: tuple[Outcome, ...]
    versus: int
    models: int

    @property
    def verdict(self) -> str:
        """`holds`, `does not hold` or `undecided`."""
        return VERDICTS[self.versus]

    @property
    def models_verdict(self) -> str:
        """The same of these very models."""
        return VERDICTS[self.models]

    @cached_property
    def deciding(self) -> Outcome:
        """The part on which the verdict hangs: the weakest of those that must all hold, or the one that refutes."""
        tested = [one for one in self.outcomes if one.p is not None]
        if not tested:
            return next((one for one in self.outcomes if one.why or not one.right), self.outcomes[0])
        wrong = [one for one in tested if not one.right]
        if self.versus < 0 or (not self.versus and self.models < 0):
            return min(wrong, key=lambda one: (_p_of(one, self.versus), one.what))
        return max(wrong or tested, key=lambda one: (one.p or 0.0, one.what))

    @property
    def runs(self) -> tuple[str, ...]:
        """Folders of all runs that it rests on."""
        return tuple(dict.fromkeys(run for one in self.outcomes for run in one.runs))

    @property
    def why(self) -> str:
        """Why it is undecided; empty where it is decided."""
        if self.versus:
            return ""
        missing = list(dict.fromkeys(one.why for one in self.outcomes if one.why))
        if missing:
            return "; ".join(missing)
        if any(one.few for one in self.outcomes):
            return f"fewer than {MIN_SEEDS} seeds"
        return f"the tests do not decide at {ALPHA:.0%}"

    def plain(self) -> dict[str, Any]:
        """For report.json."""
        main = self.deciding
        parts = [
            {key: value for key, value in vars(one).items() if value not in (None, "", ())} for one in self.outcomes
        ]
        return {
            "id": self.claim.id,
            "statement": self.claim.statement,
            "verdict": self.verdict,
            "models_verdict": self.models_verdict,
            "effect": main.effect,
            "low": main.low,
            "high": main.high,
            "p": main.p,
            "what": main.what,
            "value": main.value,
            "other": main.other,
            "why": self.why,
            "runs": list(self.runs),
            "parts": [{**part, "runs": list(part.get("runs", ()))} for part in parts],
        }


def _p_of(outcome: Outcome, versus: int) -> float:
    value = outcome.p if versus else outcome.p_models
    return 1.0 if value is None else value


@dataclass
class Evidence:
    """What claims are tested on.

    Attributes:
        arms: with their runs.
        leakage: what the leakage check found: lines with training, evaluation and texts; None where it did not run.
    """

    arms: Sequence[Arm]
    leakage: Sequence[Mapping[str, Any]] | None = None
    _read: dict[str, dict[str, list[dict[str, PerQuery]]]] = field(default_factory=dict, repr=False)

    def arm(self, name: str) -> Arm | None:
        """An arm by its name."""
        return next((arm for arm in self.arms if arm.name == name), None)

    def figures(self, arm: Arm, benchmark: str, part: Part, setting: str) -> Figures | None:
        """Per-query figures of an arm, clean less attacked where the part asks for what was lost."""
        own = self._one(arm, benchmark, setting, part.measure)
        if part.lost and own is not None:
            clean = self._one(arm, benchmark.partition("+")[0], setting, part.measure)
            if clean is None or not clean.rows.same_rows(own.rows):
                return None
            own = Figures(clean.values - own.values, own.rows)
        return None if own is None else _restricted(own, part.languages)

    def _one(self, arm: Arm, benchmark: str, setting: str, measure: str) -> Figures | None:
        if benchmark not in self._read:
            if len(self._read) == 2:  # a benchmark and its attacked form
                del self._read[next(iter(self._read))]
            self._read[benchmark] = read_arms([one for one in self.arms if benchmark in one.benchmarks], benchmark)
        runs = self._read[benchmark].get(arm.name)
        return figures_of(runs, setting, measure) if runs else None

    def benchmarks(self, arms: Sequence[Arm], part: Part) -> list[str]:
        """Names of the benchmarks that a part speaks of and all of its arms have."""
        names = [name for name in arms[0].benchmarks if all(name in arm.benchmarks for arm in arms)]
        if not part.on:
            return [name for name in names if is_attacked(arms[0], name) == part.lost]
        return [name for name in names if any(fnmatchcase(name, pattern) for pattern in part.on)]


def _restricted(figures: Figures, languages: Sequence[str]) -> Figures | None:
    """Only the cells with one of these languages; None where there is none."""
    if not languages:
        return figures
    rows = figures.rows
    keep = np.array([bool({*cell.split("/")} & {*languages}) for cell in rows.cell.to_pylist()], bool)
    if not keep.any() or np.isnan(figures.values[:, keep]).all():
        return None
    places = np.flatnonzero(keep)
    part = PerQuery(rows.query.take(places), rows.cell.take(places), rows.cluster.take(places), {})
    return Figures(figures.values[:, keep], part)


def _runs(arms: Sequence[Arm], at: Path | None) -> tuple[str, ...]:
    named = []
    for run in (run for arm in arms for run in arm.runs):
        inside = at is not None and at in run.folder.parents
        named.append((run.folder.relative_to(at) if inside and at else Path(run.folder.name)).as_posix())
    return tuple(named)


def _compare(part: Part, evidence: Evidence, at: Path | None) -> list[Outcome]:
    """The outcomes of a comparison: one for each other arm, benchmark and setting."""
    found, row = [], find(part.measure)
    for name in part.than:
        arms = [evidence.arm(part.arm), evidence.arm(name)]
        missing = [one for one, arm in zip((part.arm, name), arms, strict=True) if arm is None]
        what = f"{part.arm} against {name}"
        if missing:
            found.append(Outcome(what, why=f"not run: {', '.join(missing)}"))
            continue
        pair = [arm for arm in arms if arm is not None]
        tested = []
        for benchmark in evidence.benchmarks(pair, part):
            for setting in part.settings:
                own, other = (evidence.figures(arm, benchmark, part, setting) for arm in pair)
                if own is not None and other is not None and own.rows.same_rows(other.rows):
                    title = f"{'lost ' if part.lost else ''}{_setting(setting)}{row.title}"
                    of = f" of {', '.join(part.languages)}" if part.languages else ""
                    label = f"{what}, {title}{of} on {benchmark}"
                    tested.append(replace(_tested(part, own, other, pair), what=label, runs=_runs(pair, at)))
        asked = f" on {', '.join(part.on)}" if part.on else ""
        none = f"no figures of {row.title} ({', '.join(part.settings)}) that both arms have{asked}"
        found += tested or [Outcome(what, why=f"{what}: {none}")]
    return found


def _setting(setting: str) -> str:
    words = {
        "mono": "monolingual ",
        "cross": "cross-lingual ",
        "multi": "multilingual ",
        "generalised": "two-language ",
    }
    return words.get(setting, "")


def _tested(part: Part, own: Figures, other: Figures, arms: Sequence[Arm]) -> Outcome:
    """The test of `own` against `other`: effect with interval, and p-values that it lies at what the claim asks for."""
    lower = find(part.measure).lower_is_better != part.lost
    threshold = {"better": part.margin, "worse": -part.margin, "not-worse": -part.margin}[part.direction]
    threshold = -threshold if lower else threshold
    above = (part.direction != "worse") != lower
    few = any(arm.runs[0].recipe and len(arm.runs) < MIN_SEEDS for arm in arms)
    plain = _between(own, other, arms)
    scaled = Figures(part.factor * other.values, other.rows)
    asked = plain if part.factor == 1 else _between(own, scaled, arms)
    between = own.values.mean(0) - scaled.values.mean(0) - threshold
    p_models = permutation_test(own.sums(between[None]), samples=_SAMPLES)
    single = len(own.values) == len(other.values) == 1
    distance = asked.value - threshold
    return Outcome(
        "",
        value=macro_mean(own.sums()),
        other=macro_mean(other.sums()),
        effect=plain.value,
        low=_finite(plain.low),
        high=_finite(plain.high),
        p=p_models if single else asked.p(threshold),
        p_models=p_models,
        right=distance > 0 if above else distance < 0,
        few=few,
    )


def _finite(value: float) -> float | None:
    return float(value) if np.isfinite(value) else None


def _between(own: Figures, other: Figures, arms: Sequence[Arm]) -> Interval:
    if paired(arms[0], arms[1]):
        return bootstrap(own.sums(own.values - other.values), samples=_SAMPLES)
    return bootstrap_unpaired(own.sums(), other.sums(), samples=_SAMPLES)


def _count(part: Part, evidence: Evidence, at: Path | None) -> list[Outcome]:
    """How many cells each setting was averaged over, counted in the per-query files."""
    found = []
    for name in benchmark_names(evidence.arms):
        if part.on and not any(fnmatchcase(name, pattern) for pattern in part.on):
            continue
        arms = [arm for arm in evidence.arms if name in arm.benchmarks and arm.runs[0].recipe]
        for setting in part.settings if arms else ():
            counted = _cells(evidence, arms[0], name, setting)
            languages = {code for cell in counted for code in cell.split("/") if code}
            if not counted or (part.of and len(languages) != part.of):
                continue
            number = len(counted)
            kind = "ordered pairs of languages" if setting in ("cross", "generalised") else "languages"
            found.append(
                Outcome(
                    f"{number} {kind} in the {_setting(setting)}setting of {name}",
                    value=number,
                    other=part.cells,
                    effect=float(number - part.cells),
                    right=number == part.cells,
                    runs=_runs(arms[:1], at),
                )
            )
    of = f" with {part.of} languages" if part.of else ""
    return found or [Outcome(f"{part.cells} cells", why=f"no benchmark{of} that has these settings")]


def _cells(evidence: Evidence, arm: Arm, benchmark: str, setting: str) -> set[str]:
    measure = "accuracy" if setting in ("classification", "generalised") else "map"
    figures = evidence.figures(arm, benchmark, Part("count", measure=measure, cells=1), setting)
    return set(figures.rows.cell.unique().to_pylist()) if figures is not None else set()


def _apart(part: Part, evidence: Evidence, at: Path | None) -> list[Outcome]:
    """What the leakage check found."""
    if not evidence.leakage:
        return [Outcome("leakage", why="the leakage check did not run")]
    found = []
    for line in evidence.leakage:
        if part.on and not any(fnmatchcase(line["evaluation"], pattern) for pattern in part.on):
            continue
        number = int(line["texts"])
        found.append(
            Outcome(
                f"{number:,} of {line['of']:,} judged texts of {line['evaluation']} in {line['training']}",
                value=number,
                other=part.most,
                effect=float(number - part.most),
                right=number <= part.most,
            )
        )
    return found or [Outcome("leakage", why="the leakage check has none of these benchmarks")]


_KINDS = {"compare": _compare, "count": _count, "apart": _apart}


def judge(claims: Sequence[Claim], evidence: Evidence, at: str | Path | None = None) -> list[Entry]:
    """Test every claim.

    Args:
        claims: of a study.
        evidence: its arms and what the leakage check found.
        at: folder that the names of runs begin at.
    """
    place = None if at is None else Path(at)
    return [
        _entry(claim, [o for part in claim.parts for o in _KINDS[part.kind](part, evidence, place)]) for claim in claims
    ]


def _entry(claim: Claim, outcomes: Sequence[Outcome]) -> Entry:
    few = any(one.few for one in outcomes)
    missing = any(one.why for one in outcomes)
    versus = 0 if few else _verdict(outcomes, [one.p for one in outcomes], missing)
    models = _verdict(outcomes, [one.p_models for one in outcomes], missing) if few else versus
    return Entry(claim, tuple(outcomes), versus, models)


def _verdict(outcomes: Sequence[Outcome], p_values: Sequence[float | None], missing: bool) -> int:
    """1 where all parts hold, -1 where one is refuted, else 0. A part without a p-value is counted, and is right or
    not."""
    tested = [(one, p) for one, p in zip(outcomes, p_values, strict=True) if p is not None]
    counted = [one for one in outcomes if one.p is None and not one.why]
    corrected = holm([p for _, p in tested]) if tested else []
    if any(not one.right for one in counted):
        return -1
    if any(p <= ALPHA and not one.right for (one, _), p in zip(tested, corrected, strict=True)):
        return -1
    if missing:
        return 0
    return int(all(one.right and p <= ALPHA for one, p in tested))
