"""`triglot data describe` and `triglot data prepare`: from a team's own tables to training pairs and a benchmark."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from triglot import outputs
from triglot.corpus import dicts, tables
from triglot.corpus.clicks import TEST, TRAIN, Prepared, prepare
from triglot.corpus.description import Description, Guess, describe, read_description, to_yaml
from triglot.corpus.formats import beir_writer, pair_writer
from triglot.corpus.formats.described import BENCHMARK, PAIRS, REPORT, benchmark
from triglot.corpus.inspect import inspect_paths
from triglot.document import Document
from triglot.files import InputError, write_json
from triglot.grid import as_text
from triglot.settings import changed, plain
from triglot.text import in_a_line

log = logging.getLogger("triglot")
_SAMPLE = 1000


@dataclass(frozen=True)
class Made:
    """What `prepare_data` wrote.

    Attributes:
        folder: with `train.jsonl`, `benchmark/` and `prepared.json`.
        report: the content of `prepared.json`.
    """

    folder: Path
    report: Mapping[str, Any]

    def __str__(self) -> str:
        return "\n".join(report_lines(self.report))

    __repr__ = __str__


def described(paths: Sequence[str], columns: Sequence[str] = ()) -> tuple[str, list[Guess]]:
    """The YAML of `triglot data describe`, and what was guessed. Raises InputError as `describe`."""
    description, guesses = describe(list(dict.fromkeys(paths)), columns)
    words = [*paths, *(f"--columns {word}" for word in columns)]
    return to_yaml(description, guesses, " ".join(["triglot data describe", *words])), guesses


def guess_lines(guesses: Sequence[Guess]) -> list[str]:
    """What every table was taken for, a line each and one for what is not read."""
    lines = []
    for one in guesses:
        roles = {role: names for role, names in plain(one.table.columns).items() if names}
        told = ", ".join(
            role if role == names else f"{role} from {'+'.join([names] if isinstance(names, str) else names)}"
            for role, names in roles.items()
        )
        kind = "clicks" if "article" in roles else "articles"
        spoken = f", language {one.table.language} by its name" if one.table.language else ""
        lines.append(in_a_line(f"{one.table.path}: {kind}: {told}{spoken}"))
        if one.others:
            lines.append(in_a_line(f"{one.table.path}: not read: {', '.join(one.others)}")[:300])
    return lines


def prepare_data(
    sources: Sequence[Any],
    out: str | Path,
    *,
    columns: Sequence[str] = (),
    languages: Sequence[str] | None = None,
    test_size: float | None = None,
    min_clicks: int | None = None,
    seed: int | None = None,
    strict: bool = False,
    force: bool = False,
) -> Made:
    """Make training pairs and a benchmark of articles and clicks.

    Args:
        sources: one description (YAML), or tables: paths, data frames of pandas or polars, Arrow tables, or
            `datasets.Dataset`.
        out: folder to write.
        columns: `id=id,text=title+body,language=lang,group=key` of the articles,
            `query=q,article=clicked,language=lang` of the clicks; what is not told is guessed, and logged.
        languages: only these.
        test_size: share of the clicked articles that the benchmark gets.
        min_clicks: clicks from which on a question belongs to an article.
        seed: of the draw.
        strict: a row that cannot be used is an error.
        force: replace what another command wrote.

    Returns:
        the folder, and counts of what was read, written and left out.

    Raises:
        InputError: as `triglot.corpus.description.describe` and `triglot.corpus.clicks.prepare`.
    """
    paths = [str(one) for one in sources if isinstance(one, str | Path)]
    description, base, given = _open(sources, columns)
    told = {"languages": languages, "test_size": test_size, "min_clicks": min_clicks, "seed": seed}
    values = {key: list(value) if key == "languages" else value for key, value in told.items() if value is not None}
    description = changed(description, Document(values, "command line"))
    with outputs.folder(out, "data prepare", inputs=paths, force=force, record=REPORT) as place:
        prepared = prepare(description, base, strict=strict, given=given)
        corpus = prepared.corpus()
        pair_writer.write(place / PAIRS, corpus)
        if prepared.test:
            beir_writer.write(place / BENCHMARK, benchmark(prepared))
        report = _report(description, prepared, corpus_rows=len(corpus))
        if prepared.test:
            report["leakage"] = inspect_paths([place / PAIRS], [place / BENCHMARK])["leakage"][0]
            report["leakage"] |= {"training": PAIRS, "evaluation": BENCHMARK}
        write_json(place / REPORT, report)
    return Made(Path(out), report)


def _open(
    sources: Sequence[Any], columns: Sequence[str]
) -> tuple[Description, Path, dict[str, Iterator[tables.Record]]]:
    """The description of sources, the folder of its paths, and the records of tables that are no files."""
    paths = [str(one) for one in sources if isinstance(one, str | Path)]
    yamls = [path for path in paths if Path(path).suffix in (".yaml", ".yml")]
    if yamls:
        if len(sources) > 1:
            raise InputError(f"{yamls[0]}: a description stands alone; the tables are named in it")
        if columns:
            raise InputError(f"--columns: {yamls[0]} says what the columns are; change them there")
        return read_description(yamls[0]), Path(yamls[0]).parent, {}
    samples, given = {}, {}
    for number, one in enumerate((one for one in sources if not isinstance(one, str | Path)), 1):
        name = f"table {number}"
        samples[name], given[name] = _in_memory(one, name)
    description, guesses = describe(paths, columns, samples)
    for line in guess_lines(guesses):
        log.info("%s", line)
    return description, Path(), given


def _in_memory(table: Any, name: str) -> tuple[dict[str, list[Any]], Iterator[tables.Record]]:
    """The first values of the columns of a table that is no file, and its records."""
    rows = list(dicts.rows_of_table(table))
    names = list(rows[0]) if rows else []
    sample = {column: [row[column] for row in rows[:_SAMPLE]] for column in names}
    return sample, ((number, f"{name}: row {number}", row) for number, row in enumerate(rows, 1))


def _report(description: Description, prepared: Prepared, corpus_rows: int) -> dict[str, Any]:
    """Counts for `prepared.json`."""
    has = {(group, lang) for group, lang in prepared.texts}
    by_language: dict[str, Counter[str]] = {code: Counter() for code in prepared.languages}
    for _, lang in prepared.texts:
        by_language[lang]["articles"] += 1
    for part in (TRAIN, TEST):
        for one in prepared.questions[part].values():
            for lang in one.texts:
                by_language[lang][part] += 1
                by_language[lang]["other"] += not any((group, lang) in has for group in one.clicks)
    groups = {part: {g for one in asked.values() for g in one.clicks} for part, asked in prepared.questions.items()}
    return {
        "schema": 1,
        "description": plain(description),
        "read": dict(prepared.tally.read),
        "left_out": {
            reason: {"count": one.count, "first": one.first} for reason, one in prepared.tally.left_out.items()
        },
        "questions": {part: len(asked) for part, asked in prepared.questions.items()},
        "articles": {part: len(found) for part, found in groups.items()},
        "pairs": {TRAIN: corpus_rows, TEST: sum(len(one.clicks) for one in prepared.questions[TEST].values())},
        "languages": {
            code: {
                "articles": counts["articles"],
                "training questions": counts[TRAIN],
                "benchmark questions": counts[TEST],
                "questions answered in other languages only": counts["other"],
            }
            for code, counts in by_language.items()
        },
    }


def report_lines(report: Mapping[str, Any]) -> list[str]:
    """What `prepared.json` says, in at most 80 columns."""
    read, questions, articles, pairs = (report[key] for key in ("read", "questions", "articles", "pairs"))
    lines = ["read"]
    lines += [f"  {number:>9,}  {what}" for what, number in read.items()]
    if report["left_out"]:
        lines.append("left out")
        for reason, one in report["left_out"].items():
            lines += [f"  {one['count']:>9,}  {reason}", f"{'':13}first: {one['first'][:60]}"]
    head = ["", "training", "benchmark"]
    rows = [
        [what, *(f"{found[part]:,}" for part in (TRAIN, TEST))]
        for what, found in (
            ("questions", questions),
            ("articles with their translations", articles),
            ("questions with an article", pairs),
        )
    ]
    lines += ["", *as_text(head, rows).splitlines(), ""]
    rows = [[code, *(f"{number:,}" for number in one.values())] for code, one in report["languages"].items()]
    lines += as_text(["", "articles", "training", "benchmark", "answered only in others"], rows).splitlines()
    if leakage := report.get("leakage"):
        found = {kind: leakage[kind]["by_text"] for kind in ("questions", "answers", "sentences")}
        clean = not found["questions"] and not found["answers"]
        said = "none of the" if clean else f"{found['questions']:,} questions and {found['answers']:,} answers of the"
        lines += [
            "",
            f"leakage: {said} benchmark's {leakage['questions']['total']:,} questions and "
            f"{leakage['answers']['total']:,} answers {'is' if clean else 'are'}",
            f"in the training pairs; {found['sentences']:,} of the {leakage['sentences']['total']:,} sentences of "
            "its answers are.",
        ]
    return lines


def next_steps(out: str | Path) -> list[str]:
    """The commands that go on from a prepared folder."""
    return [
        "next:",
        f"  triglot check MODEL --on help={out}",
        f"  triglot train {out} --model MODEL --out runs/help",
    ]
