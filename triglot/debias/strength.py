"""How much of a step to apply: tried on text that the step was not fitted on, with what is lost within a language
beside it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from triglot.corpus.parallel import ParallelCorpus
from triglot.corpus.retrieval import RetrievalSet, Texts
from triglot.encoder.languages import Removal
from triglot.encoder.once import encode_once
from triglot.encoder.protocol import Encoder
from triglot.evaluate.evaluator import evaluate_embeddings
from triglot.files import InputError
from triglot.text import UNSPACED

STRENGTHS = (0.0, 0.25, 0.5, 0.75, 1.0)
LOSS = 0.005  # mAP within a language that a strength may cost: half a point
_SHORTEST = 24  # characters of a text that is cut in two
FEWEST = 20  # groups that strengths are tried on


@dataclass(frozen=True)
class Choice:
    """Strengths and what they brought on text that nothing was fitted on.

    Attributes:
        curve: strength -> `mono`, `cross`, `multi` (mAP) and `rank_distance`.
        chosen: the strength with the highest mAP in the pool of all languages among those that cost at most `LOSS`
            within a language.
        languages: language -> the strength that was then chosen for it alone; empty where one was not asked for.
        groups: of texts that were tried.
        data: what was asked and found: `questions` and their passages, or `halves` of texts.
    """

    curve: dict[float, dict[str, float]]
    chosen: float
    groups: int
    data: str
    languages: dict[str, float] = field(default_factory=dict)

    def lines(self) -> list[str]:
        """For the terminal: a line for each strength, the chosen one marked."""
        lines = []
        for strength, figures in self.curve.items():
            listed = "  ".join(f"{name} {value:.3f}" for name, value in figures.items() if name != "rank_distance")
            distance = f"  rank distance {figures['rank_distance']:,.0f}" if "rank_distance" in figures else ""
            lines.append(
                f"strength {strength:.2f}  {listed}{distance}{'  (chosen)' if strength == self.chosen else ''}"
            )
        if self.languages:
            lines.append("by language: " + ", ".join(f"{code} {value:g}" for code, value in self.languages.items()))
        return lines


def trial_set(corpus: ParallelCorpus, groups: np.ndarray) -> tuple[RetrievalSet, str]:
    """A benchmark of some groups of a corpus: its questions and passages, or the halves of its texts where it has only
    translations.

    Half of a text is asked, the other halves of all texts are the pool; relevant are the other half of the text and of
    its translations.

    Args:
        corpus: with texts in several languages.
        groups: of the corpus, those that a step was not fitted on.

    Returns:
        the set, and what it is made of: `questions` or `halves`.

    Raises:
        InputError: fewer than `FEWEST` groups can be used.
    """
    rows = np.flatnonzero(
        (corpus.query != corpus.passage) & np.isin(corpus.query, groups) & np.isin(corpus.passage, groups)
    )
    if len(rows) >= FEWEST:
        return _of_rows(corpus, rows), "questions"
    return _of_halves(corpus, groups), "halves"


def _of_rows(corpus: ParallelCorpus, rows: np.ndarray) -> RetrievalSet:
    """Questions and passages of rows, in whatever languages they have."""
    asked, answers = np.unique(corpus.query[rows]), np.unique(corpus.passage[rows])
    texts = corpus.texts.to_pylist()
    queries = _taken(corpus, texts, np.flatnonzero(np.isin(corpus.text_group, asked)))
    passages = _taken(corpus, texts, np.flatnonzero(np.isin(corpus.text_group, answers)))
    members = {group: np.flatnonzero(passages.group == group) for group in answers.tolist()}
    answering: dict[int, list[np.ndarray]] = {}
    for row in rows.tolist():
        answering.setdefault(int(corpus.query[row]), []).append(members[int(corpus.passage[row])])
    judged = [
        (query, int(passage), 1)
        for query, group in enumerate(queries.group.tolist())
        for passage in np.unique(np.concatenate(answering[group])).tolist()
    ]
    return RetrievalSet("trial", corpus.languages, queries, passages, np.array(judged, np.int64))


def _taken(corpus: ParallelCorpus, texts: Sequence[str], rows: np.ndarray) -> Texts:
    group = corpus.text_group[rows].astype(np.int32)
    ids = [str(row) for row in rows.tolist()]
    return Texts(ids, [texts[int(row)] for row in rows], corpus.text_lang[rows].astype(np.int16), group, group)


def _of_halves(corpus: ParallelCorpus, groups: np.ndarray) -> RetrievalSet:
    rows = np.flatnonzero(np.isin(corpus.text_group, groups))
    texts = corpus.texts.take(rows).to_pylist()
    halves = [halved(text) for text in texts]
    kept = np.array([row for row, pair in zip(rows.tolist(), halves, strict=True) if all(pair)], np.int64)
    pairs = [pair for pair in halves if all(pair)]
    group = corpus.text_group[kept].astype(np.int32)
    if len(np.unique(group)) < FEWEST:
        raise InputError(f"strength: {len(np.unique(group))} texts are long enough to be tried; give one, or more data")
    ids, lang = [str(row) for row in kept.tolist()], corpus.text_lang[kept].astype(np.int16)
    queries = Texts([f"{one}a" for one in ids], [first for first, _ in pairs], lang, group, group)
    passages = Texts([f"{one}b" for one in ids], [second for _, second in pairs], lang, group, group)
    order = np.argsort(group, kind="stable")
    ends = np.flatnonzero(np.diff(group[order], append=-1)) + 1
    judged = [(int(a), int(b), 1) for members in np.split(order, ends[:-1]) for a in members for b in members]
    return RetrievalSet("trial", corpus.languages, queries, passages, np.array(sorted(judged), np.int64))


def halved(text: str) -> tuple[str, str]:
    """A text cut near its middle, between words where they are spaced; empty halves where it is too short."""
    text = " ".join(text.split())
    if len(text) < _SHORTEST:
        return "", ""
    middle = len(text) // 2
    if UNSPACED.search(text[middle - 2 : middle + 2]):
        return text[:middle], text[middle:]
    spaces = [place for place, letter in enumerate(text) if letter == " "]
    if not spaces:
        return "", ""
    place = min(spaces, key=lambda one: abs(one - middle))
    return text[:place], text[place + 1 :]


def choose_strength(
    encoder: Encoder,
    removal: Removal,
    corpus: ParallelCorpus,
    groups: np.ndarray,
    *,
    strengths: Sequence[float] = STRENGTHS,
    by_language: bool = False,
    progress: bool = False,
) -> Choice:
    """Try strengths on groups that the step was not fitted on.

    Args:
        encoder: without the step.
        removal: the step at full strength.
        corpus: see `trial_set`.
        groups: see `trial_set`.
        strengths: to try; 0 is always among them.
        by_language: try them on each language alone as well, in the order of the step, those before it at what was
            chosen for them and those after it at what was chosen for all.
        progress: show bars.

    Raises:
        InputError: as `trial_set`.
    """
    trial, data = trial_set(corpus, groups)
    vectors = {
        side: encode_once(encoder, texts.texts, side, progress)
        for side, texts in (("query", trial.queries), ("passage", trial.passages))
    }
    numbers = np.array([removal.number(code) for code in trial.languages])
    candidates = sorted({0.0, *strengths})

    def tried(strength: float | np.ndarray) -> dict[str, float]:
        step = removal.at(strength)
        queries = step.apply(vectors["query"], numbers[trial.queries.lang], "query")
        passages = step.apply(vectors["passage"], numbers[trial.passages.lang], "passage")
        return _figures(evaluate_embeddings(queries, passages, trial, bias=False).summary)

    curve = {strength: tried(strength) for strength in candidates}
    chosen = best(curve)
    own: dict[str, float] = {}
    if by_language:
        least = curve[0.0].get("mono", -np.inf) - LOSS
        at, now = np.full((2, len(removal.languages)), chosen, np.float32), curve[chosen]
        for number, code in enumerate(removal.languages):
            alone = {chosen: now}
            for strength in candidates:
                if strength != chosen:
                    moved = at.copy()
                    moved[:, number] = strength
                    alone[strength] = tried(moved)
            own[code] = highest(alone, least)
            at[:, number], now = own[code], alone[own[code]]
    return Choice(curve, chosen, len(np.unique(trial.queries.group)), data, own)


def _figures(summary: Mapping[str, Any]) -> dict[str, float]:
    figures = {setting: float(summary[setting]["map"]) for setting in ("mono", "cross", "multi") if setting in summary}
    return figures | {name: float(value) for name, value in summary.get("bias", {}).items() if name == "rank_distance"}


def best(curve: Mapping[float, Mapping[str, float]]) -> float:
    """The strength with the highest mAP in the pool of all languages that costs at most `LOSS` within a language; the
    lower of equals."""
    return highest(dict(sorted(curve.items())), curve[0.0].get("mono", -np.inf) - LOSS)


def highest(curve: Mapping[float, Mapping[str, float]], least: float) -> float:
    """The strength with the highest mAP in the pool of all languages whose mAP within a language is `least` or more;
    the first of equals, and where none has it the one that comes nearest."""
    allowed = [strength for strength, figures in curve.items() if figures.get("mono", np.inf) >= least]
    if not allowed:
        return max(curve, key=lambda strength: curve[strength].get("mono", 0.0))
    return max(allowed, key=lambda strength: curve[strength]["multi"])
