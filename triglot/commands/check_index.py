"""`triglot check INDEX`: which languages the answers of an index are in, as it is served, against its passages."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Mapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from triglot import outputs
from triglot.check.run import Check, check_rankings, probes_of
from triglot.check.settings import CheckSettings
from triglot.check.verdict import NONE, Verdict, past_limits, verdict
from triglot.commands.check import Checked, as_json, questions_of
from triglot.commands.index import name_of, open_searched
from triglot.encoder.computing import USUAL, Computing
from triglot.files import InputError, write_json, write_text
from triglot.index.protocol import FAIR
from triglot.measures.bias import TOP
from triglot.search.modes import MODES
from triglot.search.ranking import Hit
from triglot.search.searcher import Answer, Searcher, SearchSettings

log = logging.getLogger("triglot")
RAW = "any"


@dataclass(frozen=True)
class _Asked:
    """Questions, their languages, and the ids of the passages that they were taken from ("" for none)."""

    texts: list[str]
    langs: list[str]
    own: list[str]
    notes: tuple[str, ...] = ()


def check_index(
    place: str,
    out: str | Path | None = None,
    *,
    mode: str = "",
    questions: str = "",
    languages: Sequence[str] = (),
    settings: CheckSettings | None = None,
    limits: Mapping[str, float] | None = None,
    model: str = "",
    computing: Computing = USUAL,
    force: bool = False,
) -> list[Checked]:
    """Check an index and write check.json and check.html.

    Args:
        place: the index.
        out: folder for the files; None writes none.
        mode: the way of ranking that is served and that the limits are for; `fair` where it is empty.
        questions: a file of them; by default the first sentences of passages, each left out of its own ranking.
        languages: of the questions, only these.
        settings: how many questions.
        limits: measure -> the figure that must not be passed.
        model: where it is, if not where the index was made.
        computing: how it computes.
        force: replace what another command wrote.

    Returns:
        the check of the mode, then that of the model's own ranking, for comparison.

    Raises:
        InputError: no index, an unknown mode or measure, passages in one language, or questions in another one.
    """
    mode = MODES.find(mode or SearchSettings().mode).name
    inputs = [place, questions]
    with outputs.folder(out, "check", model=place, inputs=inputs, force=force) if out else nullcontext() as folder:
        index, encoder = open_searched(place, model=model, computing=computing)
        asked = _asked(index, questions, languages, settings or CheckSettings())
        searcher = Searcher(encoder, index)
        found = []
        for one in dict.fromkeys((mode, RAW)):
            check = _check(f"{name_of(place)} ({one})", searcher, asked, one)
            past = past_limits(check, dict(limits or {})) if one == mode else []
            said = verdict(check)
            found.append(Checked(check, replace(said, mend=_mend(said, index, place, one)), tuple(past)))
        if folder:
            from triglot.report.check_page import to_html

            write_json(folder / "check.json", as_json(place, found, first=True))
            write_text(folder / "check.html", to_html(place, [(one.check, one.verdict) for one in found]))
    return found


def _asked(index: Any, questions: str, languages: Sequence[str], settings: CheckSettings) -> _Asked:
    """The questions of a file, or those that the passages ask for one another."""
    known = [code for code in index.languages if code]
    if strange := sorted(set(languages) - set(known)):
        raise InputError(f"--languages: the index has no passages in {', '.join(strange)}; it has {', '.join(known)}")
    if questions:
        texts, langs = questions_of(questions, known)
        kept = [row for row, code in enumerate(langs) if not languages or code in languages]
        if not kept:
            raise InputError(f"{questions}: no question in {', '.join(languages)}")
        return _Asked([texts[row] for row in kept], [langs[row] for row in kept], [""] * len(kept))
    snapshot, wanted = index.snapshot, [code for code in known if not languages or code in languages]
    if not wanted:
        raise InputError("no passage has a language; bias is told by these")
    counts, each = index.counts, -(-settings.passages // len(wanted))
    places = [snapshot.drawn(code, min(each or counts[code], counts[code])) for code in wanted]
    held = snapshot.documents(np.concatenate(places))
    probes = probes_of(held.texts, held.langs, settings)
    own = [held.ids[row] for row in probes.own.tolist()]
    note = "the questions are first sentences of passages; --questions takes real ones"
    return _Asked(probes.texts, list(probes.langs), own, (note,))


def _check(name: str, searcher: Searcher, asked: _Asked, mode: str) -> Check:
    """The languages of the first hits of each question in one way of ranking."""
    counts: dict[str, int] = {code: count for code, count in searcher.index.counts.items() if code}  # type: ignore[attr-defined]
    languages = sorted(counts)
    first = TOP + any(asked.own)  # one more, where a question finds the passage that it was taken from
    answers = searcher.search_all(asked.texts, SearchSettings(k=first, mode=mode), langs=asked.langs)
    passage_lang = np.repeat(np.arange(len(languages)), [counts[code] for code in languages])
    starts = {code: int(np.searchsorted(passage_lang, number)) for number, code in enumerate(languages)}
    ranking = np.full((len(answers), TOP), -1, np.int64)
    for row, (answer, own) in enumerate(zip(answers, asked.own, strict=True)):
        for column, place in enumerate(_places(answer, own, starts)):
            ranking[row, column] = place
    notes = list(dict.fromkeys(note for answer in answers for note in answer.notes))
    return check_rankings(name, languages, passage_lang, asked.langs, ranking, notes=[*asked.notes, *notes])


def _places(answer: Answer, own: str, starts: Mapping[str, int]) -> list[int]:
    """A passage of its language for each of the first hits: which one of them it is makes no difference here."""
    seen: Counter[str] = Counter()
    places = []
    for hit in [one for one in answer.hits if one.lang in starts and not _is(one, own)][:TOP]:
        places.append(starts[hit.lang] + seen[hit.lang])
        seen[hit.lang] += 1
    return places


def _is(hit: Hit, own: str) -> bool:
    """Whether a hit is a passage, or its translations folded."""
    return bool(own) and own in (hit.id, *(other.id for other in hit.also))


def _mend(said: Verdict, index: Any, place: str, mode: str) -> str:
    """What would make the answers less biased, where they are."""
    if said.level == NONE:
        return ""
    if FAIR not in index.views:
        return f"triglot index {index.model or 'MODEL'} PASSAGES --out {place} --debias lsar --force"
    return f"triglot search {place} QUERY --mode fair" if mode == RAW else ""
