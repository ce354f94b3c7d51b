"""The report as Markdown."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from triglot.escapes import markdown, markdown_code
from triglot.report.content import FIGURES, OTHERS, Content, told_of
from triglot.report.story import Story, effect, few_seeds, p_value
from triglot.report.tables import to_markdown


def _pipe(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [head, ["---", *["---:"] * (len(head) - 1)], *rows]
    return "\n".join(f"| {' | '.join(cell for cell in line)} |" for line in lines)


def to_page(content: Content) -> str:
    """The whole page: tables, findings, what arms saw, settings that differ, licences, versions."""
    parts = [f"# {markdown(content.title)}", markdown_code(content.command)]
    parts += story_parts(content.story) if content.story else []
    parts.append("## Results in the three settings")
    for name, table in content.tables.items():
        told = content.changes.get(name)
        parts += [f"### {markdown(name)}"]
        parts += ["\n".join(f"- {markdown(sentence)}" for sentence in told.sentences)] if told else []
        parts += [to_markdown(table)]
        parts.append("\n".join(f"- {markdown(text)}" for text in [*told_of(content, name), *table.notes]))
        parts += [OTHERS, *map(to_markdown, content.more[name])] if content.more[name] else []
        for attack in content.attacks.get(name, ()):
            parts += [f"### {markdown(attack.benchmark)}", to_markdown(attack)]
            parts.append("\n".join(f"- {markdown(text)}" for text in attack.notes))
    if content.seen:
        keys = [key for key in FIGURES if any(key in seen.figures for seen in content.seen)]
        rows = []
        for seen in content.seen:
            figures = [f"{seen.figures[key]:,.0f}" if key in seen.figures else "—" for key in keys]
            share = "—" if seen.same_language is None else f"{seen.same_language:.1%}"
            rows.append([markdown(seen.arm), markdown(seen.stage), *figures, share])
        parts += [
            "## What each arm saw",
            _pipe(["arm", "stage", *(FIGURES[key] for key in keys), "same language"], rows),
        ]
    if content.differences:
        names = list(next(iter(content.differences.values())))
        rows = [
            [markdown_code(key, cell=True), *(markdown(values[name]) for name in names)]
            for key, values in content.differences.items()
        ]
        parts += ["## Settings that differ", _pipe(["setting", *map(markdown, names)], rows)]
    if content.warnings:
        parts += ["## Warnings", "\n".join(f"- {markdown(text)}" for text in content.warnings)]
    if content.story and content.story.commands:
        parts += ["## Commands", "\n".join(["```sh", *content.story.commands, "```"])]
    for title, found in (("Licences of the data", content.licences), ("Versions", content.versions)):
        if found:
            parts += [f"## {title}", "\n".join(f"- {markdown(name)}: {markdown(text)}" for name, text in found.items())]
    return "\n\n".join(part.rstrip("\n") for part in parts if part) + "\n"


def story_parts(story: Story) -> list[str]:
    """Question, answer and ledger as blocks of Markdown."""
    parts = [f"**{markdown(story.question)}**", " ".join(map(markdown, story.answer))]
    if story.would_change:
        parts.append(f"What would change it: {markdown(story.would_change)}")
    parts += ["\n".join(f"- {markdown(note)}" for note in (*story.notes, *story.left_out))]
    if story.ledger:
        rows = [
            [
                markdown(entry.claim.statement),
                f"**{entry.verdict}**",
                entry.models_verdict,
                effect(entry.deciding),
                p_value(entry.deciding.p),
                markdown(entry.deciding.what if entry.deciding.effect is not None else entry.why),
            ]
            for entry in story.ledger
        ]
        head = ["claim", "verdict", "of these very models", "effect", "p", "by"]
        parts += ["## Claims", _pipe(head, rows), few_seeds(story)]
    return parts
