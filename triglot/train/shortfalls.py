"""What the terms of a loss ask for and the data of a stage do not have, in words."""

from __future__ import annotations

import numpy as np

from triglot.batches import BatchSettings
from triglot.batches.kinds import parts_of
from triglot.files import InputError
from triglot.losses import LOSSES, LossSettings
from triglot.losses.terms import DistillationTerm, TermSettings
from triglot.train.feed import Feed


def shortfalls(loss: LossSettings, feed: Feed, batches: BatchSettings, *, views: bool) -> list[str]:
    """One line for each thing that is asked for and not there.

    Args:
        loss: with the terms.
        feed: the texts of the stage.
        batches: of the stage.
        views: whether the feed gives changed copies of queries.
    """
    lines = _of_labels(loss, feed)
    if "several positives" in LOSSES[loss.name].needs and batches.positives == 1:
        lines.append(f"loss {loss.name}: every query has one answer in a batch (batches.positives: 1)")
    for term in loss.beside:
        lines += [f"loss term {term.name}: {line}" for line in _of(term, feed, batches, views)]
    return lines


def _of_labels(loss: LossSettings, feed: Feed) -> list[str]:
    """What of labelled rows and of the term that classifies them goes unused. Raises InputError where rows of a source
    would teach nothing."""
    corpus = feed.corpus
    classify = [term.name for term in loss.beside if "labels" in LOSSES[term.name].needs]
    if corpus.label is None:
        return [f"loss term {name}: no source has labels, so it does nothing" for name in classify]
    labelled = corpus.label >= 0
    named = ", ".join(sorted({corpus.sources[number] for number in np.unique(corpus.source[labelled]).tolist()}))
    if not classify:
        raise InputError(
            f"sources: {named}: its rows have labels and are not ranked; give loss.terms one of the name "
            "`classification` (or read it as `options: {rows: entailed}`)"
        )
    if (loss.weight or loss.weight_end) and not labelled.all():
        return [
            f"{named}: {int(labelled.sum()):,} rows have labels; they are classified, and {loss.name} ranks the others"
        ]
    return []


def _of(term: TermSettings, feed: Feed, batches: BatchSettings, views: bool) -> list[str]:
    corpus, needs, lines = feed.corpus, LOSSES[term.name].needs, []
    if "views" in needs and not views:
        lines.append("there are no changed copies of queries (augment.mode: view gives them), so it does nothing")
    if "several positives" in needs and batches.positives == 1:
        lines.append("every query has one answer in a batch (batches.positives: 1)")
    if "languages" in needs and [kind.name for kind in parts_of(batches)] == ["xx"]:
        lines.append("every batch is in one language (batches.kind: xx), so it does nothing")
    for need in term.translations:
        masks = feed.masks[corpus.passage if need.side == "passage" else corpus.query]
        if need.language:
            code = corpus.languages.index(need.language) if need.language in corpus.languages else None
            lacks = masks == 0 if code is None else (masks >> np.uint64(code)) & np.uint64(1) == 0
            what = f"no {need.side} in {need.language}"
        else:
            lacks, what = np.bitwise_count(masks) < 2, f"no {need.side} in a second language"
        lines += _counted(lacks, what, "left out of it")
    if isinstance(term, DistillationTerm) and term.reference in corpus.languages:
        code = np.uint64(corpus.languages.index(term.reference))
        instead = "drawn to the teacher's vector of themselves" if term.missing == "own" else "left out of it"
        for side, groups in (("query", corpus.query), ("passage", corpus.passage)):
            if term.side in (side, "both"):
                lacks = (corpus.group_languages[groups] >> code) & np.uint64(1) == 0
                lines += _counted(lacks, f"no {side} in {term.reference}", instead)
    return lines


def _counted(lacks: np.ndarray, what: str, instead: str) -> list[str]:
    count = int(lacks.sum())
    return [f"{count:,} of {len(lacks):,} rows have {what}; they are {instead}"] if count else []
