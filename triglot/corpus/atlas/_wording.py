"""Templates: one TOML file a language, so that a speaker can review a language in one file.

A file has a table a relation, with `ask` (at least five questions) and `tell` (at least two sentences). CLDR names are in the
nominative, so the wording never asks another case of a name. Four optional tables fit names into sentences:

    [names]         kind = "a pattern with {}", or lower = [kinds whose names begin with a small letter inside a sentence]
    [territory]     code = "the form used in place of CLDR's" (English "the Netherlands")
    [in_territory]  default = "in {}", code = "in the Netherlands"; fills {in_territory}
    [replace]       "found" = "replacement" in the finished text (Spanish "de el" = "del")
"""

from __future__ import annotations

import string
import tomllib
from dataclasses import dataclass
from functools import lru_cache
from importlib import resources

from triglot.corpus.atlas._facts import LANGUAGES, RELATIONS, Atlas, Fact
from triglot.files import InputError

ASK, TELL = 5, 2  # fewest phrasings a relation and language
_TABLES = ("names", "territory", "in_territory", "replace")


@dataclass(frozen=True)
class Wording:
    """The templates of one language."""

    language: str
    ask: dict[str, tuple[str, ...]]
    tell: dict[str, tuple[str, ...]]
    tables: dict[str, dict]

    def forms(self, atlas: Atlas, fact: Fact) -> dict[str, str]:
        """Placeholder -> text, for all templates of a fact."""
        place = LANGUAGES.index(self.language)
        patterns, lower = self.tables["names"], self.tables["names"].get("lower", ())
        forms = {}
        for slot, entity in fact.slots:
            kind, code = entity
            if kind == "text":
                forms[slot] = code
            elif kind == "number":
                forms[slot] = code.replace(".", atlas.decimal[place])
            else:
                name = atlas.names[entity][place]
                if kind in lower and not name[1:2].isupper():
                    name = name[0].lower() + name[1:]
                forms[slot] = patterns.get(kind, "{}").format(name)
                if kind == "territory":
                    forms[slot] = self.tables["territory"].get(code, forms[slot])
                    within = self.tables["in_territory"]
                    forms["in_territory"] = within.get(code, within.get("default", "{}")).format(forms[slot])
        return forms

    def fill(self, template: str, forms: dict[str, str]) -> str:
        """The finished text, its first letter a capital where the script has them."""
        text = template.format_map(forms)
        for found, replacement in self.tables["replace"].items():
            text = text.replace(found, replacement)
        if self.language == "tr" and text[0] == "i":
            return "İ" + text[1:]
        return text[0].upper() + text[1:]


@lru_cache(maxsize=len(LANGUAGES))
def read_wording(language: str) -> Wording:
    """The templates of a language. Raises InputError that names file and relation where a phrasing is missing or broken."""
    file = resources.files("triglot.corpus.atlas").joinpath("templates", f"{language}.toml")
    where = f"templates/{language}.toml"
    try:
        tables = tomllib.loads(file.read_text("utf-8"))
    except tomllib.TOMLDecodeError as error:
        raise InputError(f"{where}: {error}") from None
    extra = set(tables) - {*RELATIONS, *_TABLES}
    if extra:
        raise InputError(f"{where}: unknown table {sorted(extra)[0]!r}")
    for relation in RELATIONS:
        for key, fewest in (("ask", ASK), ("tell", TELL)):
            phrasings = tables.get(relation, {}).get(key, [])
            if len(set(phrasings)) < fewest:
                raise InputError(f"{where}: [{relation}] {key} has {len(set(phrasings))} phrasings, {fewest} are needed")
    return Wording(
        language,
        {relation: tuple(tables[relation]["ask"]) for relation in RELATIONS},
        {relation: tuple(tables[relation]["tell"]) for relation in RELATIONS},
        {name: tables.get(name, {}) for name in _TABLES},
    )


def placeholders(template: str) -> set[str]:
    """The names in braces."""
    return {name for _, name, _, _ in string.Formatter().parse(template) if name is not None}
