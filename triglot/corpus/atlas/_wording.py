"""Templates: one TOML file a language, so that a speaker can review a language in one file.

A file has a table a relation, with `ask` (at least five questions) and `tell` (at least two sentences). CLDR names are
in the nominative; where a language inflects names, either a noun in front carries the case ("in der Stadt X"), or the
file says how:

    lower = ["currency"]      names that begin with a small letter inside a sentence [forms.in_territory]      fills
    {in_territory}: `default` is a pattern with {}, `rules` are (regular expression, replacement)
                              tried in turn, and a key that is a code gives the form of that one name
    [forms.territory]         the same for {territory} itself (English "the Netherlands")
    [replace]                 "found" = "replacement" in the finished text (Spanish "de el" = "del")
"""

from __future__ import annotations

import re
import string
import tomllib
from dataclasses import dataclass
from functools import lru_cache
from importlib import resources

from triglot.corpus.atlas._facts import LANGUAGES, RELATIONS, Atlas, Fact
from triglot.files import InputError

ASK, TELL = 5, 2  # fewest phrasings a relation and language
_OTHER = ("lower", "forms", "replace")


@dataclass(frozen=True)
class Wording:
    """The templates of one language."""

    language: str
    ask: dict[str, tuple[str, ...]]
    tell: dict[str, tuple[str, ...]]
    lower: tuple[str, ...]
    tables: dict[str, dict]  # [forms]
    replace: dict[str, str]

    def forms(self, atlas: Atlas, fact: Fact) -> dict[str, str]:
        """Placeholder -> text, for all templates of a fact."""
        place = LANGUAGES.index(self.language)
        forms = {}
        for slot, entity in fact.slots:
            kind, code = entity
            if kind == "text":
                forms[slot] = code
            elif kind == "number":
                forms[slot] = code.replace(".", atlas.decimal[place])
            else:
                name = atlas.names[entity][place]
                if kind in self.lower and not name[1:2].isupper():
                    name = name[0].lower() + name[1:]
                forms[slot] = name
                for placeholder, table in self.tables.items():
                    if placeholder == slot or placeholder.endswith(f"_{slot}"):
                        forms[placeholder] = _form(table, code, name)
        return forms

    def fill(self, template: str, forms: dict[str, str]) -> str:
        """The finished text, its first letter a capital where the script has them."""
        text = template.format_map(forms)
        for part, replacement in self.replace.items():
            text = text.replace(part, replacement)
        if self.language == "tr" and text[0] == "i":
            return "İ" + text[1:]
        return text[0].upper() + text[1:]


def _form(table: dict, code: str, name: str) -> str:
    if code in table:
        return table[code]
    for pattern, replacement in table.get("rules", ()):
        if re.search(pattern, name):
            return re.sub(pattern, replacement, name)
    return table.get("default", "{}").format(name)


@lru_cache(maxsize=len(LANGUAGES))
def read_wording(language: str) -> Wording:
    """The templates of a language.

    Raises InputError that names file and relation where a phrasing is missing or broken.
    """
    file = resources.files("triglot.corpus.atlas").joinpath("templates", f"{language}.toml")
    where = f"templates/{language}.toml"
    try:
        tables = tomllib.loads(file.read_text("utf-8"))
    except tomllib.TOMLDecodeError as error:
        raise InputError(f"{where}: {error}") from None
    extra = set(tables) - {*RELATIONS, *_OTHER}
    if extra:
        raise InputError(f"{where}: unknown key {sorted(extra)[0]!r}")
    for relation in RELATIONS:
        for key, fewest in (("ask", ASK), ("tell", TELL)):
            phrasings = tables.get(relation, {}).get(key, [])
            if len(set(phrasings)) < fewest:
                raise InputError(
                    f"{where}: [{relation}] {key} has {len(set(phrasings))} phrasings, {fewest} are needed"
                )
    return Wording(
        language,
        {relation: tuple(tables[relation]["ask"]) for relation in RELATIONS},
        {relation: tuple(tables[relation]["tell"]) for relation in RELATIONS},
        tuple(tables.get("lower", ())),
        tables.get("forms", {}),
        tables.get("replace", {}),
    )


def placeholders(template: str) -> set[str]:
    """The names in braces."""
    return {name for _, name, _, _ in string.Formatter().parse(template) if name is not None}
