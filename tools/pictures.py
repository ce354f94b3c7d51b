"""Draws the pictures of the how-to pages: bars made of the tables of the pages, so that both say the same, diagrams.

python -m tools.pictures           # which files differ from what would be drawn
python -m tools.pictures --write   # draws them into docs/
"""

from __future__ import annotations

import re
import sys
import textwrap
from collections.abc import Callable, Sequence
from pathlib import Path
from xml.sax.saxutils import escape

from triglot.report.templates import alone

DOCS = Path(__file__).resolve().parents[1] / "docs"
WIDTH, LINE = 590, 18


def text(x: float, y: float, words: str, *, size: float = 11, anchor: str = "start", ink: str = "ink") -> str:
    """A line of text."""
    place = f'x="{x:g}" y="{y:g}" font-size="{size:g}" text-anchor="{anchor}"'
    return f'<text {place} style="fill: var(--{ink})">{escape(words)}</text>'


def box(x: float, y: float, width: float, height: float, fill: str, *, strength: float = 1, line: str = "none") -> str:
    """A rectangle with round corners."""
    place = f'x="{x:g}" y="{y:g}" width="{width:g}" height="{height:g}" rx="2"'
    edge = line if line == "none" else f"var(--{line})"
    inside = fill if fill == "none" else f"var(--{fill})"
    return f'<rect {place} style="fill: {inside}; fill-opacity: {strength:g}; stroke: {edge}"/>'


def arrow(x: float, y: float, end: float) -> str:
    """A horizontal arrow."""
    return (
        f'<path d="M {x:g} {y:g} H {end - 1:g} M {end - 6:g} {y - 3.5:g} L {end:g} {y:g} L {end - 6:g} {y + 3.5:g}" '
        'style="fill: none; stroke: var(--ink)"/>'
    )


def drawing(label: str, height: float, parts: Sequence[str]) -> str:
    """An SVG file in the colours of a light or a dark page."""
    head = f'<svg role="img" aria-label="{escape(label)}" viewBox="0 0 {WIDTH} {height:g}"'
    return "\n".join([f'{head} xmlns="http://www.w3.org/2000/svg"><style>{alone()}</style>', *parts, "</svg>\n"])


def rows_of(page: str, heading: str, number: int = 0) -> list[list[str]]:
    """The cells of a table of a page, the `number`-th below a heading, with its head."""
    after = (DOCS / page).read_text(encoding="utf-8").partition(f"\n{heading}\n")[2]
    tables = re.findall(r"(?:^\|.*\n)+", after, re.MULTILINE)
    lines = [line for line in tables[number].splitlines() if not re.fullmatch(r"[|:\- ]+", line)]
    return [[cell.strip().replace("**", "") for cell in line.strip("|").split("|")] for line in lines]


def figure(cell: str) -> float:
    """The first figure of a cell: `.701 [.681, .721] ▲`, `56 %`."""
    found = re.match(r"-?\d*\.?\d+", cell)
    assert found is not None, cell
    return float(found[0]) / (100 if cell.rstrip().endswith("%") else 1)


def bars(label: str, title: str, groups: Sequence[tuple[str, Sequence[tuple[str, float]]]], shown: str = ".3f") -> str:
    """Bars in groups, one colour a name, the value at the end of each."""
    names = list(dict.fromkeys(name for _, found in groups for name, _ in found))
    top = max(value for _, found in groups for _, value in found)
    left, room, parts, y = 190, WIDTH - 190 - 60, [text(8, 16, title, size=12)], 30.0
    for group, found in groups:
        parts.append(text(left - 10, y + 7 * len(found) + 3, group, anchor="end"))
        for name, value in found:
            parts.append(box(left, y, max(room * value / top, 1), 11, f"arm-{names.index(name)}"))
            said = format(value, shown)
            parts.append(text(left + room * value / top + 5, y + 9.5, said.removeprefix("0"), size=10))
            y += 14
        y += 10
    x = float(left)
    for number, name in enumerate(names):
        parts += [box(x, y, 11, 11, f"arm-{number}"), text(x + 16, y + 9.5, name, size=10)]
        x += 32 + 5.6 * len(name)
    return drawing(label, y + 20, parts)


def smaller() -> str:
    """What half of the layers keep."""
    head, *rows = rows_of("results.md", "## A smaller model", 1)
    groups = [(row[0], [(name, figure(cell)) for name, cell in zip(head[1:3], row[1:3], strict=True)]) for row in rows]
    title = "Half of the layers of multilingual-e5-small on XQuAD-R (a sample)"
    return bars("A model with half of the layers beside the whole one, in the settings of XQuAD-R", title, groups)


def robustness() -> str:
    """What training on typos and mixed languages brings under attack."""
    rows = rows_of("results.md", "## Robust training on XQuAD-R")[1:]
    groups, attack = [], ""
    for name, _, cross, _ in rows:
        begun, colon, arm = name.partition(": ")
        attack = begun if colon else attack
        if colon:
            groups.append((attack, [(arm, figure(cross))]))
        elif name == "robust":
            groups[-1][1].append((name, figure(cross)))
    title = "Cross-lingual mAP on XQuAD-R, clean and attacked (a bag of subwords)"
    return bars("Cross-lingual mAP of a model trained as usual and of one trained against noise", title, groups)


def negatives() -> str:
    """Batches of equal size with and without hard negatives."""
    head, *rows = rows_of("results.md", "## Hard negatives on XQuAD-R")
    names = [row[0].partition(" (")[0] for row in rows]
    groups = [
        (head[place].removesuffix(" mAP"), [(name, figure(row[place])) for name, row in zip(names, rows, strict=True)])
        for place in (1, 2, 3)
    ]
    title = "mAP on XQuAD-R at equal texts: in-batch negatives alone (hybrid), or a third fewer rows and one more each"
    return bars("mAP with in-batch negatives alone and with a random or mined negative a row", title, groups)


MODES = {
    "any": ("as the model ranks", "de de en de de"),
    "fair": ("language taken out", "de en es en de"),
    "own-first": ("the same, own first", "de de en es en"),
    "fold": ("translations are one", "de+ de en+ es de"),
}


def modes() -> str:
    """The first five hits of a German question in the four modes."""
    colours = {"de": "arm-0", "en": "arm-1", "es": "arm-2"}
    parts, column = [text(8, 16, "The first five of one German question, by their language (an example)", size=12)], 142
    for place, (mode, (said, hits)) in enumerate(MODES.items()):
        x = 12 + place * column
        parts += [text(x, 40, f"--mode {mode}"), text(x, 55, said, size=10)]
        for rank, hit in enumerate(hits.split()):
            y = 66 + rank * 23
            if hit.endswith("+"):
                parts.append(box(x + 4, y + 4, column - 20, 18, colours[hit[:-1]], strength=0.35))
            words = f"{rank + 1}  {hit[:2]}{' + translations' if hit.endswith('+') else ''}"
            parts += [box(x, y, column - 20, 18, colours[hit[:2]]), text(x + 7, y + 13, words, ink="paper")]
    return drawing("The first five hits of a German question in each mode of search", 186, parts)


def copies() -> str:
    """Nested factors: each file holds the one before."""
    parts = [text(8, 16, "--factor 1,2,2.5,4: each file holds the one before, and nothing is drawn again", size=12)]
    for place, (factor, filled) in enumerate({"1": (1,), "2": (1, 1), "2.5": (1, 1, 0.5), "4": (1, 1, 1, 1)}.items()):
        y = 32 + place * 26
        parts.append(text(92, y + 14, f"factor {factor}", anchor="end"))
        for copy, part in enumerate(filled):
            x = 104 + copy * 118
            parts.append(box(x, y, 110 * part, 19, f"arm-{min(copy, 3)}"))
            words = ("source" if copy == 0 else f"copy {copy}") + (", half" if part < 1 else "")
            parts.append(text(x + 6, y + 13.5, words, size=10, ink="paper"))
    return drawing("Files of augmented pairs in nested sizes", 142, parts)


STEPS = (
    ("question", "what is to be known"),
    ("claims", "written down before the runs"),
    ("runs", "arms x seeds, finished ones are kept"),
    ("tests", "one a claim, over seeds and paragraphs"),
)
VERDICTS = ("holds", "undecided", "does not hold")


def claims() -> str:
    """From a question to the verdicts of a study."""
    parts = [text(8, 16, "triglot study NAME --size smoke | cpu | full", size=12)]
    for place, (name, said) in enumerate(STEPS):
        x = 10 + place * 117
        parts += [box(x, 34, 96, 84, "arm-0", strength=0.12, line="arm-0"), text(x + 48, 54, name, anchor="middle")]
        lines = textwrap.wrap(said, 17)
        parts += [text(x + 48, 72 + 13 * n, line, size=9.5, anchor="middle") for n, line in enumerate(lines)]
        parts.append(arrow(x + 98, 76, x + 115))
    for place, verdict in enumerate(VERDICTS):
        y = 34 + place * 30
        parts += [
            box(480, y, 100, 24, f"arm-{(2, 5, 7)[place]}", strength=0.15, line=f"arm-{(2, 5, 7)[place]}"),
            text(530, y + 16, verdict, anchor="middle"),
        ]
    return drawing("A study: a question, claims, runs, tests, and a verdict for each claim", 128, parts)


def processes() -> str:
    """Where vectors and gradients go when two machines train with two processes each."""
    parts = [text(8, 16, "One step on two machines with two GPUs each: the batch is that of all four", size=12)]
    heads = {36: "pairs", 156: "model", 276: "vectors of all", 416: "loss of the whole batch"}
    parts += [text(x, 38, words, size=10) for x, words in heads.items()]
    for machine in range(2):
        top = 48 + machine * 62
        parts += [box(6, top - 2, 240, 54, "none", line="ink"), text(10, top + 66 - 17, f"machine {machine}", size=8)]
        for gpu in range(2):
            number, y = 2 * machine + gpu, top + 2 + gpu * 21
            parts += [
                box(36, y, 76, 17, f"arm-{number}"),
                text(40, y + 12, f"{32 * number}-{32 * number + 31}", ink="paper"),
            ]
            parts += [
                arrow(116, y + 8.5, 152),
                box(156, y, 84, 17, "ink", strength=0.12),
                text(160, y + 12, f"process {number}"),
            ]
            parts.append(arrow(244, y + 8.5, 272))
            parts += [box(276 + 22 * part, y, 20, 17, f"arm-{part}") for part in range(4)]
            parts += [arrow(368, y + 8.5, 412), box(416, y, 140, 17, "ink", strength=0.12)]
            parts.append(text(420, y + 12, "128 against 128"))
    parts.append(
        text(
            156, 186, "gradients are summed over all processes; the step is that of one process with 128 pairs", size=10
        )
    )
    return drawing("A step of training on two machines: vectors are gathered, gradients summed", 196, parts)


PICTURES: dict[str, Callable[[], str]] = {
    "smaller.svg": smaller,
    "robustness.svg": robustness,
    "negatives.svg": negatives,
    "search-modes.svg": modes,
    "augmentation.svg": copies,
    "studies.svg": claims,
    "distributed.svg": processes,
}


def main(words: Sequence[str]) -> None:
    """Draw what is not drawn, or name it."""
    for name, draw in PICTURES.items():
        made, path = draw(), DOCS / name
        if path.is_file() and path.read_text(encoding="utf-8") == made:
            continue
        if "--write" in words:
            path.write_text(made, encoding="utf-8")
        print(name)


if __name__ == "__main__":
    main(sys.argv[1:])
