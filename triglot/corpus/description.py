"""What the columns of one's own tables are: articles, and the clicks of a search log; guessed, written as YAML, read
back."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from typing import Annotated, Any, ClassVar

from triglot.corpus import tables
from triglot.document import read_yaml
from triglot.files import InputError, SettingError, nearest
from triglot.language_tags import ending, is_known, language, wanted
from triglot.ranges import Range, Seed, Several, check_ranges
from triglot.settings import build
from triglot.text import in_a_line

# Names that columns have in exports, by their role, the likelier first; letters and digits alone are compared.
NAMES = {
    "id": "id articleid docid documentid pageid passageid pid did docno uid uuid articleno articlenumber artikelid "
    "artikelnr",
    "text": "text body content contents passage answer antwort document html markdown description sentence inhalt "
    "beschreibung contenu contenido texto texte",
    "title": "title headline heading subject titel titre titulo",
    "language": "lang language locale langcode languagecode iso sprache langue idioma",
    "group": "translationkey translationgroup translationid groupid group translationof conceptid parentid key "
    "canonicalid masterid",
    "query": "query question search searchquery searchterm querytext searchtext term keywords frage suche suchbegriff "
    "suchanfrage requete consulta q",
    "article": "clickedid clicked clickid articleid docid documentid resultid pageid passageid did pid clickeddoc "
    "clickedarticle clickeddocument target",
    "clicks": "clicks clickcount nclicks numclicks count frequency n",
}


@dataclass(frozen=True)
class ArticleColumns:
    """The columns of a table of articles.

    Attributes:
        text: those that make the text, joined in this order: a title, a body.
        id: what the log calls the article.
        language: of the article.
        group: what it says: the same in all its translations.
        query: a question that it answers, where questions and answers stand side by side.
    """

    text: str | tuple[str, ...]
    id: str = ""
    language: str = ""
    group: str = ""
    query: str = ""


@dataclass(frozen=True)
class ClickColumns:
    """The columns of a search log.

    Attributes:
        query: what was searched for.
        article: the id of the article that was clicked; a list of ids are several.
        language: of the query.
        clicks: how often; each row is one click without it.
    """

    query: str
    article: str
    language: str = ""
    clicks: str = ""


@dataclass(frozen=True)
class Articles:
    """A table of articles.

    Attributes:
        path: CSV, TSV, JSON lines, JSON, Parquet or a workbook.
        columns: what its columns are.
        language: of all its articles, where no column tells.
    """

    columns: ArticleColumns
    path: str = ""
    language: str = ""

    def __post_init__(self) -> None:
        _check_language(self)
        if not _listed(self.columns.text):
            raise SettingError("columns.text", "names no column")


@dataclass(frozen=True)
class Clicks:
    """A search log: which query led to which article.

    Attributes:
        path: as for articles.
        columns: what its columns are.
        language: of all its queries, where no column tells.
    """

    columns: ClickColumns
    path: str = ""
    language: str = ""

    def __post_init__(self) -> None:
        _check_language(self)


@dataclass(frozen=True)
class Description:
    """Tables of articles and of clicks, and how a benchmark is made of them.

    Attributes:
        articles: their tables.
        clicks: logs of searches. May be missing where articles have a column `query`.
        languages: only these; empty for all.
        test_size: share of the clicked articles, with all their translations, that the benchmark gets and training
            does not.
        min_clicks: clicks from which on a question belongs to an article.
        seed: of the draw.
        strip_html: whether tags and entities of HTML are taken out of articles.
    """

    articles: tuple[Articles, ...]
    clicks: tuple[Clicks, ...] = ()
    languages: tuple[str, ...] = ()
    test_size: Annotated[float, Range(0, 1, below=True, hint="a fifth is 0.2")] = 0.2
    min_clicks: Several = 1
    seed: Seed = 1
    strip_html: bool = True
    SETTINGS: ClassVar = ("languages", "test_size", "min_clicks", "seed", "strip_html")

    def __post_init__(self) -> None:
        check_ranges(self)
        object.__setattr__(self, "languages", tuple(wanted(self.languages) or ()))
        if not self.articles:
            raise SettingError("articles", "names no table")
        if not self.clicks and not any(one.columns.query for one in self.articles):
            raise SettingError("clicks", "is missing, and no table of articles has a column `query`")
        if self.clicks and not any(one.columns.id for one in self.articles):
            raise SettingError("articles.0.columns.id", "is missing; clicks name articles by it (--columns id=COLUMN)")


def _check_language(table: Articles | Clicks) -> None:
    try:
        object.__setattr__(table, "language", language(table.language) if table.language else "")
    except InputError as error:
        raise SettingError("language", str(error)) from None


def _listed(columns: str | Iterable[str]) -> list[str]:
    return [name for name in ([columns] if isinstance(columns, str) else columns) if name]


def roles_of(table: Articles | Clicks) -> dict[str, list[str]]:
    """Role -> the columns that play it, those that the table has."""
    columns = {entry.name: _listed(getattr(table.columns, entry.name)) for entry in fields(table.columns)}
    return {role: names for role, names in columns.items() if names}


def read_description(path: str | Path) -> Description:
    """A description from its YAML; the paths inside are relative to its folder.

    Raises:
        InputError: names file, line and key.
    """
    document = read_yaml(path)
    if "articles" not in document.value:
        hint = "a recipe, as it seems; " if "sources" in document.value else ""
        raise InputError(f"{path}: {hint}no description of tables; `triglot data describe FILES > data.yaml` makes one")
    made = build(Description, document)
    for key in ("articles", "clicks"):
        for number, table in enumerate(getattr(made, key)):
            if not table.path:
                raise InputError(f"{document.where(f'{key}.{number}')}: {key}.{number}.path: is missing")
    return made


# --- guessing


@dataclass
class Guess:
    """What a table was taken for.

    Attributes:
        table: with its columns.
        first: column -> its first value that is not empty.
        rows: that were looked at.
        others: columns that have no role.
        told: the roles whose columns were told and not guessed.
    """

    table: Articles | Clicks
    first: Mapping[str, str]
    rows: int
    others: Sequence[str] = field(default_factory=tuple)
    told: Collection[str] = ()


def split_columns(word: str) -> dict[str, str | tuple[str, ...]]:
    """`id=id,text=title+body,language=lang` as role -> column, or columns.

    Raises:
        InputError: not role=column; a role that there is not, with the nearest.
    """
    known = {entry.name for kind in (ArticleColumns, ClickColumns) for entry in fields(kind)}
    columns: dict[str, str | tuple[str, ...]] = {}
    for part in word.split(","):
        role, equals, column = (text.strip() for text in part.partition("="))
        if not equals or not role or not column:
            raise InputError(f"--columns {word}: {part!r} is not ROLE=COLUMN")
        if role not in known:
            raise InputError(f"--columns {word}: there is no role {role!r}{nearest(role, known)}")
        columns[role] = tuple(column.split("+")) if role == "text" and "+" in column else column
    return columns


def guess(samples: Mapping[str, Mapping[str, Sequence[Any]]], column_words: Sequence[str] = ()) -> list[Guess]:
    """What tables and their columns are, by the names that such columns usually have.

    Args:
        samples: path of a table -> column -> its first values.
        column_words: columns by their roles (`split_columns`), of articles, of clicks (`article=...`), or both; the
            rest is guessed. They go to the tables that have these columns.

    Raises:
        InputError: a table in which no text is found and no clicked article, with its columns; told columns that no
            table has.
    """
    words = [split_columns(word) for word in column_words]
    used = [False] * len(words)
    guesses = []
    for path, columns in samples.items():
        mine: dict[str, str | tuple[str, ...]] = {}
        for number, word in enumerate(words):
            if all(name in columns for value in word.values() for name in _listed(value)):
                mine |= word
                used[number] = True
        guesses.append(_guess(path, columns, mine))
    for word, was, text in zip(words, used, column_words, strict=True):
        if not was:
            names = [name for value in word.values() for name in _listed(value)]
            every = {name for columns in samples.values() for name in columns}
            lacking = next((name for name in names if name not in every), "")
            why = f"no column {lacking!r}{nearest(lacking, every)}" if lacking else "no table has all of these columns"
            raise InputError(f"--columns {text}: {why}")
    return guesses


def _guess(path: str, columns: Mapping[str, Sequence[Any]], named: Mapping[str, Any]) -> Guess:
    by_name: dict[str, str] = {}
    for name in columns:
        by_name.setdefault(re.sub(r"[\W_]+", "", name).lower(), name)
    recognised = {
        role: next((by_name[one] for one in known.split() if one in by_name), "") for role, known in NAMES.items()
    }
    spoken = "" if named.get("language") or recognised["language"] else _spoken(Path(path))
    is_log = "article" in named or (
        not named and bool(recognised["query"] and recognised["article"]) and not recognised["text"]
    )
    if is_log or (not (named.get("text") or recognised["text"]) and recognised["query"] and recognised["article"]):
        taken = {role: named.get(role, recognised[role]) for role in ("query", "article", "language", "clicks")}
        if not taken["query"] or not taken["article"]:
            _nothing(path, columns, "query" if not taken["query"] else "article")
        table: Articles | Clicks = Clicks(ClickColumns(**taken), path, spoken)
    else:
        text = named.get("text") or recognised["text"]
        if not text:
            _nothing(path, columns, "text")
        if "text" not in named and recognised["title"]:
            text = (recognised["title"], text)
        taken = {role: named.get(role, recognised[role]) for role in ("id", "language", "group", "query")}
        if taken["query"] in _listed(text):
            taken["query"] = ""
        table = Articles(ArticleColumns(text=text, **taken), path, spoken)
    roles = {name for names in roles_of(table).values() for name in names}
    first = {
        name: next((tables.cell_text(one) or str(one) for one in columns[name] if one not in (None, "")), "")
        for name in roles
    }
    rows = max(map(len, columns.values()))
    return Guess(table, first, rows, tuple(name for name in columns if name not in roles), tuple(named))


def _spoken(path: Path) -> str:
    """The language at the end of a file's name, `articles-de.csv.gz`; empty where it has none that CLDR knows."""
    name = path.name.removesuffix(".gz")
    code = ending(name.removesuffix(Path(name).suffix) if tables.kind_of(path) else name)
    return code if code and is_known(code) else ""


def _nothing(path: str, columns: Iterable[str], role: str) -> None:
    what = {"text": "the text of an article", "query": "a query", "article": "the article that was clicked"}[role]
    raise InputError(
        f"{path}: no column looks like {what}; it has {', '.join(columns)[:300]}. "
        f"Say which: --columns {'query=COLUMN,article=COLUMN' if role != 'text' else 'id=COLUMN,text=COLUMN+COLUMN'}"
    )


def describe(
    paths: Sequence[str],
    column_words: Sequence[str] = (),
    tables_in_memory: Mapping[str, Mapping[str, Sequence[Any]]] = {},
) -> tuple[Description, list[Guess]]:
    """A description of tables.

    Args:
        paths: the tables.
        column_words: as in `guess`.
        tables_in_memory: name -> columns, of tables that are no files.

    Raises:
        InputError: a table cannot be read, no text is found in one, or there are no articles.
    """
    guesses = guess({**{path: tables.columns_of(Path(path)) for path in paths}, **tables_in_memory}, column_words)
    articles = tuple(one.table for one in guesses if isinstance(one.table, Articles))
    clicks = tuple(one.table for one in guesses if isinstance(one.table, Clicks))
    if not articles:
        raise InputError("no table of articles among these: one with a column of texts is needed")
    if clicks:  # a log tells what was asked; a column `query` of articles is taken only where it was named
        named = {one.table.path for one in guesses if "query" in one.told}
        articles = tuple(
            one if one.path in named else replace(one, columns=replace(one.columns, query="")) for one in articles
        )
    elif not any(one.columns.query for one in articles):
        raise InputError(
            "no clicks and no questions: add the search log, or name the column of questions, --columns query=COLUMN"
        )
    return Description(articles, clicks), guesses


def to_yaml(description: Description, guesses: Sequence[Guess] = (), command: str = "") -> str:
    """The description as YAML that `read_description` reads, with the first values of each column in comments."""
    from triglot.settings import dump_yaml

    shown = {one.table.path: one for one in guesses}
    lines = [f"# {in_a_line(command)}", "# Are the columns what they should be? Then:"] if command else []
    lines += ["#   triglot data prepare data.yaml --out prepared"] if command else []
    for key in ("articles", "clicks"):
        own: Sequence[Articles | Clicks] = getattr(description, key)
        lines += [f"{key}:"] if own else []
        for table in own:
            head = [("path", table.path), ("language", table.language)]
            text = dump_yaml({name: value for name, value in head if value}).splitlines()
            lines += [f"{'  - ' if not number else '    '}{line}" for number, line in enumerate(text)]
            lines.append("    columns:")
            guessed = shown.get(table.path)
            for role, names in roles_of(table).items():
                value = dump_yaml({role: names if len(names) > 1 else names[0]}).rstrip("\n")
                first = in_a_line(guessed.first[names[0]] if guessed and names[0] in guessed.first else "")
                entry = f"      {value}"
                lines.append(
                    f"{entry:<40}  # {first[:46]}{'...' if len(first) > 46 else ''}".rstrip() if first else entry
                )
            if guessed and guessed.others:
                lines.append(f"    # not read: {in_a_line(', '.join(guessed.others))}"[:110])
    about = {
        "languages": "only these; [] for all",
        "test_size": "share of the clicked articles that the benchmark gets",
        "min_clicks": "a question belongs to an article from so many clicks",
        "seed": "of the draw",
        "strip_html": "tags and entities are taken out of articles",
    }
    for key in Description.SETTINGS:
        lines.append(f"{dump_yaml({key: getattr(description, key)}).rstrip():<19} # {about[key]}")
    return "\n".join(lines) + "\n"
