"""Claims as statements that a machine can check: which arms, on what, by which measure, by how much, in which
direction.

They stand in YAML (`triglot/recipes/claims.yaml`, or under `study.claims` of a study of your own); `ledger` tests them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any, Literal

from triglot.document import Document, read_yaml
from triglot.files import InputError, SettingError, nearest
from triglot.language_tags import language
from triglot.measures import find
from triglot.ranges import Range, Share, check_ranges
from triglot.settings import build

SETTINGS = ("mono", "cross", "multi", "bias", "ranked", "classification", "generalised")
Setting = Literal["mono", "cross", "multi", "bias", "ranked", "classification", "generalised"]


@dataclass(frozen=True)
class Part:
    """One thing that must be so for a claim to hold.

    Attributes:
        kind: compare (two arms), count (how many languages or pairs of languages a setting was averaged over), apart
            (the leakage check found no text of the evaluation in the training data).
        arm: compare: of which the claim speaks.
        than: compare: the arms that it is compared with, each by itself.
        direction: compare: better than the other by more than the margin, worse by more than it, or not worse by more
            than it. What is better is the measure's to say.
        margin: compare: see `direction`.
        factor: compare: the other arm's figure counts so many times: 0.8 with rank distance asks for a fifth less.
        settings: compare, count: see `SETTINGS`.
        measure: compare: its name.
        on: names of benchmarks, `*` for any letters; the claim must hold on each of them that the arms have. Empty for
            all that are not attacked.
        languages: compare: only questions in these; in the cross-lingual setting only pairs that have one of them.
        lost: compare: what an attack costs, clean less attacked, in place of the figure; less is better.
        cells: count: so many there must be.
        of: count: only where the benchmark has so many languages; 0 for any.
        most: apart: so many texts of the evaluation may be in the training data.
    """

    kind: Literal["compare", "count", "apart"] = "compare"
    arm: str = ""
    than: tuple[str, ...] = ()
    direction: Literal["better", "worse", "not-worse"] = "better"
    margin: Share = 0.0
    factor: Annotated[float, Range(0, 1000, above=True)] = 1.0
    settings: tuple[Setting, ...] = ("multi",)
    measure: str = "map"
    on: tuple[str, ...] = ()
    languages: tuple[str, ...] = ()
    lost: bool = False
    cells: Annotated[int, Range(0, 10**6)] = 0
    of: Annotated[int, Range(0, 10**4)] = 0
    most: Annotated[int, Range(0, 10**9)] = 0

    def __post_init__(self) -> None:
        check_ranges(self)
        object.__setattr__(self, "languages", tuple(map(language, self.languages)))
        if self.kind == "compare" and not (self.arm and self.than):
            raise SettingError("arm", "a comparison needs `arm` and `than`")
        if self.kind == "count" and not self.cells:
            raise SettingError("cells", "is missing; how many languages or pairs of languages there must be")
        if self.kind == "compare":
            try:
                find(self.measure)
            except InputError as error:
                raise SettingError("measure", str(error)) from None


@dataclass(frozen=True)
class Claim:
    """A statement, and what must be so for it to hold.

    Attributes:
        id: its name; letters, digits and -.
        statement: in plain words.
        parts: all of them must hold.
    """

    id: str
    statement: str
    parts: tuple[Part, ...]

    def __post_init__(self) -> None:
        if not self.parts:
            raise SettingError("parts", "is empty; a claim without a test cannot be checked")

    @property
    def arms(self) -> tuple[str, ...]:
        """The arms that it speaks of."""
        named = (name for part in self.parts if part.kind == "compare" for name in (part.arm, *part.than))
        return tuple(dict.fromkeys(named))


@dataclass(frozen=True)
class _Written:
    """An entry of `claims.yaml`."""

    statement: str
    parts: tuple[Part, ...] = ()


@dataclass(frozen=True)
class _File:
    claims: Mapping[str, _Written] = field(default_factory=dict)


def read_claims(path: str | Path, source: str = "") -> dict[str, Claim]:
    """The claims of a YAML file `claims: {ID: {statement, parts}}`. Raises InputError with file, line and key."""
    found = build(_File, read_yaml(path, source=source))
    return {name: Claim(name, one.statement, one.parts) for name, one in found.claims.items()}


def claim_of(name: str, known: Mapping[str, Claim], changes: Mapping[str, Any] | None, where: str) -> Claim:
    """A claim of a study: one that is known, by its name; or, with `changes`, one of its own or a known one in other
    words.

    Args:
        name: its id.
        known: those of `claims.yaml`.
        changes: `statement` and `parts`; what is not given is that of the known claim.
        where: file and line, for messages.

    Raises:
        InputError: an unknown name without a statement, or settings that are not understood.
    """
    if not changes:
        if name not in known:
            raise InputError(f"{where}: no claim {name!r}{nearest(name, known)}")
        return known[name]
    written = build(_Changed, Document(dict(changes), where))
    base = known.get(name)
    statement, parts = written.statement or (base and base.statement), written.parts or (base and base.parts)
    if not statement or not parts:
        raise InputError(f"{where}: claim {name!r}: needs `statement` and `parts`{nearest(name, known)}")
    return Claim(name, statement, parts)


@dataclass(frozen=True)
class _Changed:
    statement: str = ""
    parts: tuple[Part, ...] = ()
