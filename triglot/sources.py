"""What a recipe reads, as settings: sources to train on, benchmarks to judge by."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Annotated, Any, Literal

from triglot.classify.tasks import split_options
from triglot.corpus.formats.registry import FORMATS, check_format
from triglot.evaluate.bias.scope import check_subsets
from triglot.files import InputError, SettingError
from triglot.language_tags import language, wanted
from triglot.names import check_name
from triglot.ranges import Beams, Depth, Half, Range, Share, Texts, check_ranges


def check_key(kind: str, name: str, key: str) -> None:
    try:
        check_name(kind, name)
    except InputError as error:
        raise SettingError(key, str(error)) from None


def spell_languages(settings: Any) -> None:
    """Give the key `languages` of settings the one spelling that readers give to languages.

    Raises InputError that names the key.
    """
    try:
        codes = wanted(settings.languages)
    except InputError as error:
        raise SettingError("languages", f"{error}") from None
    object.__setattr__(settings, "languages", None if codes is None else tuple(codes))


@dataclass(frozen=True)
class CodeSwitch:
    """Texts of one language shown in others by replacing words through word lists, drawn anew each epoch (arXiv
    2305.05295).

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
class Retranslate:
    """Texts of one language translated anew into others, in the place of the translations that the data have (as arXiv
    2301.06527 does with XNLI's training data).

    Attributes:
        model: folder of a translation model (Marian, M2M100, NLLB, mBART), inside the data folder. Where it is not
            there, words are replaced by their translations in `lists`, and that is said.
        lists: folder of word lists, inside the data folder.
        pivot: the language that is translated from. The paper translates XNLI's English.
        into: the other languages; empty for those of the source or of the recipe.
        half: use this half of the lists alone (0 or 1); None for all.
        beams: of the model's search.
    """

    model: str = ""
    lists: str = ""
    pivot: str = "en"
    into: tuple[str, ...] = ()
    half: Half | None = None
    beams: Beams = 4

    def __post_init__(self) -> None:
        check_ranges(self)
        if not self.model and not self.lists:
            raise SettingError("model", "is missing; give the folder of a translation model, or `lists` of words")


@dataclass(frozen=True)
class Source:
    """Training data.

    Attributes:
        format: of the files, see `triglot.corpus.formats.registry`.
        path: file or folder inside the data folder; empty for built-in data.
        name: in logs and reports; by default the last part of the path.
        weight: share of the batches, relative to the other sources.
        balance: how rows in different languages share that: a combination of languages with n rows gets a share ~ n **
            balance. None leaves the source whole (1 is nearly the same); 0 gives every pair of a folder of bitext the
            same share.
        candidate_text: what a passage is; null leaves it to the reader.
        languages: read only these; None for the recipe's.
        codeswitch: show the texts in the other languages too.
        retranslate: translate the texts of one language anew.
        licence: of the data, for the report.
        options: further options of the format's reader.
    """

    format: str
    path: str = ""
    name: str = ""
    weight: Annotated[float, Range(1e-6, 1e6)] = 1.0
    balance: Share | None = None
    candidate_text: Literal["sentence", "sentence+context", "paragraph"] | None = None
    languages: tuple[str, ...] | None = None
    codeswitch: CodeSwitch | None = None
    retranslate: Retranslate | None = None
    licence: str = ""
    options: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        check_ranges(self)
        check_format(self.format, "training")
        if not self.path and not FORMATS[self.format].built_in:
            raise SettingError("path", "is missing")
        if self.name:
            check_key("source", self.name, "name")
        spell_languages(self)
        if self.balance is not None and self.codeswitch:
            raise SettingError(
                "balance", "goes with natural text; a source with codeswitch has every row in all languages"
            )

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
        sample: about so many passages, and at most so many queries, or so many items of a classification: whole
            paragraphs and premises with all their translations, the same for every arm and seed. 0 for all.
        subsets: languages of smaller pools to report as well.
        options: further options of the format's reader; of nli and stance, how a head is trained
            (`triglot.classify.tasks.ClassifySettings`).
    """

    name: str
    format: str
    path: str = ""
    candidate_text: Literal["sentence", "sentence+context", "paragraph"] | None = None
    languages: tuple[str, ...] | None = None
    licence: str = ""
    depth: Depth = 1000
    sample: Texts = 0
    subsets: tuple[tuple[str, ...], ...] = ()
    options: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        check_ranges(self)
        spell_languages(self)
        if not re.fullmatch(r"[\w\-+.]+", self.name) or self.name.startswith("."):
            raise SettingError(
                "name",
                f"{self.name!r} has other characters than letters, digits and - + . _ (it becomes part of file names)",
            )
        check_key("benchmark", self.name, "name")
        object.__setattr__(self, "subsets", tuple(tuple(map(language, codes)) for codes in self.subsets))
        check_subsets(self.name, self.subsets)
        check_format(self.format, "retrieval", "streamed", "classification")
        if not self.path and not FORMATS[self.format].built_in:
            raise SettingError("path", "is missing")
        if FORMATS[self.format].classification:
            try:
                split_options(self.format, self.options)
            except InputError as error:
                raise SettingError("options", str(error)) from None
