"""Studies that come with Triglot, and those of your own: a recipe with a question, claims and sizes.

A study is a YAML file with the keys of a recipe and two more: `study` (the question, its claims, what is drawn) and
`sizes`, where each size has the keys in which it differs. Lists are replaced, mappings are merged, and an arm that is
null is left out.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from triglot import recipes
from triglot.document import Document, joined, read_yaml
from triglot.files import InputError, SettingError, nearest
from triglot.recipe import Recipe, recipe_of
from triglot.report.claims import Claim, claim_of, read_claims
from triglot.report.story import Axis
from triglot.settings import build
from triglot.study.makers import check

STUDY, SIZES = "study", "sizes"


@dataclass(frozen=True)
class StudySettings:
    """The key `study` of a study.

    Attributes:
        question: that it asks, in one sentence.
        would_change: what would change the answer.
        notes: what a reader of its report must know.
        claims: id -> null for a claim of `claims.yaml` as it stands, or `statement` and `parts` of its own. The first
            one answers the question.
        axes: arms that differ in one number, to be drawn as curves.
    """

    question: str
    would_change: str = ""
    notes: tuple[str, ...] = ()
    claims: Mapping[str, Any] = field(default_factory=dict)
    axes: tuple[Axis, ...] = ()

    def __post_init__(self) -> None:
        if not self.question:
            raise SettingError("question", "is empty")


@dataclass(frozen=True)
class Named:
    """A study of one size.

    Attributes:
        name, size: of it; the size is empty for a recipe without sizes.
        settings: question and what belongs to it; None for a plain recipe.
        claims: what it tests.
        recipe: its arms, seeds and measures.
    """

    name: str
    size: str
    recipe: Recipe
    settings: StudySettings | None = None
    claims: tuple[Claim, ...] = ()


def load_study(name_or_path: str, size: str = "", overrides: Sequence[str] = ()) -> Named:
    """A study or a recipe by its name or path.

    Args:
        name_or_path: of a study or recipe that comes with Triglot, or a YAML file.
        size: one of its sizes; needed where it has sizes, and wrong where it has none.
        overrides: `key=value` words, as for `recipe.load_recipe`.

    Raises:
        InputError: unknown name or size (with the nearest known one), or settings that are not understood.
    """
    path = recipes.find(name_or_path, studies=True)
    shipped = recipes.FOLDER in path.parents
    document = read_yaml(path, source=path.name if shipped else str(path))
    sizes = document.value.get(SIZES)
    if sizes is None:
        if size:
            raise InputError(f"--size: {name_or_path} is a recipe of one size")
    elif not isinstance(sizes, dict) or not all(isinstance(one, dict) for one in sizes.values()):
        raise InputError(f"{document.where(SIZES)}: {SIZES}: a size is a mapping of the keys in which it differs")
    elif not size:
        raise InputError(f"--size: {name_or_path} has several sizes; choose one of {', '.join(sizes)}")
    elif size not in sizes:
        raise InputError(f"--size: {name_or_path} has no size {size!r}{nearest(size, sizes)}")
    document = sized(document, size)
    asked = document.value.pop(STUDY, None)
    document.value.setdefault("name", f"{path.stem}-{size}" if size else path.stem)
    settings, claims = None, ()
    if asked is not None:
        inner = Document(asked, document.where(STUDY), _below(document, STUDY))
        settings = build(StudySettings, inner)
        known = read_claims(recipes.FOLDER / recipes.CLAIMS, source=recipes.CLAIMS)
        claims = tuple(
            claim_of(name, known, changes, inner.where(f"claims.{name}")) for name, changes in settings.claims.items()
        )
    recipe = recipe_of(document, overrides)
    for name, made in recipe.made.items():
        check(name, made)
    _check_arms(recipe, settings, claims, path.stem)
    return Named(path.stem, size, recipe, settings, claims)


def _check_arms(recipe: Recipe, settings: StudySettings | None, claims: Sequence[Claim], name: str) -> None:
    """Raises InputError for a claim or an axis that speaks of an arm that the study does not have."""
    known = [*recipe.arms, *recipe.baselines, "alignment"]
    spoken = [(f"claim {claim.id}", arm) for claim in claims for arm in claim.arms]
    spoken += [(f"axis {axis.title!r}", arm) for axis in (settings.axes if settings else ()) for arm in axis.arms]
    for what, arm in spoken:
        if arm not in known:
            raise InputError(f"{name}: {what}: no arm {arm!r}{nearest(arm, known)}")


def _below(document: Document, key: str) -> dict[str, str]:
    return {old.removeprefix(f"{key}."): place for old, place in document.lines.items() if old.startswith(f"{key}.")}


def sized(document: Document, size: str) -> Document:
    """The document of one size: what all sizes share, with what is this size's own in its place."""
    value = {key: item for key, item in document.value.items() if key != SIZES}
    lines = {key: place for key, place in document.lines.items() if not key.startswith(f"{SIZES}.") and key != SIZES}
    own = document.value.get(SIZES, {}).get(size, {}) if size else {}
    _merge(value, own, "", lines, _below(document, f"{SIZES}.{size}"))
    return Document(value, document.source, lines)


def _merge(
    value: dict[str, Any], own: Mapping[str, Any], above: str, lines: dict[str, str], new: dict[str, str]
) -> None:
    for name, item in own.items():
        key = joined(above, name)
        # An arm's line, such as `train.lr`, and a mapping without anything in it are whole values.
        if isinstance(item, Mapping) and item and isinstance(value.get(name), dict):
            value[name] = dict(value[name])
            _merge(value[name], item, key, lines, new)
            continue
        if item is None and above == "arms":  # an arm that this size does without
            value.pop(name, None)
            continue
        for old in [old for old in lines if old == key or old.startswith(f"{key}.")]:
            del lines[old]
        lines.update({old: place for old, place in new.items() if old == key or old.startswith(f"{key}.")})
        value[name] = item


def sizes_of(name: str) -> list[str]:
    """The sizes of a study that comes with Triglot; empty for a recipe."""
    return list(read_yaml(recipes.find(name, studies=True)).value.get(SIZES) or ())
