"""Attack the queries of a benchmark with one model, and evaluate what is left."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from triglot.attack.measure import robustness, write_attacked
from triglot.attack.searches import SEARCHES
from triglot.attack.settings import AttackSettings
from triglot.attack.target import Target
from triglot.corpus.retrieval import RetrievalSet
from triglot.encoder.once import encode_set
from triglot.encoder.protocol import Encoder
from triglot.evaluate import evaluate_embeddings
from triglot.evaluate.evaluator import similarity_notes
from triglot.evaluate.retrievers import EXTRA
from triglot.evaluate.tables import Evaluation
from triglot.files import InputError


@dataclass(frozen=True)
class Attacked:
    """A benchmark after one attack.

    Attributes:
        attack: its settings.
        evaluation: of the changed queries; its summary has a part `robustness`.
        texts: the changed queries, in the benchmark's order; the clean ones where the attack has no text (`embedding`).
        before, after: (queries,) margin of each query, see `Target`.
        calls: (queries,) texts that the model encoded.
    """

    attack: AttackSettings
    evaluation: Evaluation
    texts: list[str]
    before: np.ndarray
    after: np.ndarray
    calls: np.ndarray

    def write_texts(self, path: Path) -> None:
        """JSON lines: query_id, lang, clean, attacked, margin before and after, calls."""
        queries, languages = self.evaluation.benchmark.queries, self.evaluation.benchmark.languages
        about = [
            {"query_id": ids, "lang": languages[lang], "clean": text}
            for ids, lang, text in zip(queries.ids, queries.lang, queries.texts, strict=True)
        ]
        write_attacked(path, about, self.texts, self.before, self.after, self.calls)


def attack_queries(
    encoder: Encoder,
    benchmark: RetrievalSet,
    attacks: Sequence[AttackSettings],
    *,
    lexicon_of: Any = None,
    clean: Evaluation | None = None,
    progress: bool = False,
) -> tuple[Evaluation, list[Attacked]]:
    """Attack all queries of a benchmark, one attack after the other, each recomputed against this model.

    Args:
        encoder: with `encode(texts, side=...)`; for `search: embedding` one of Triglot's own.
        benchmark: passages stay as they are.
        attacks: what to do.
        lexicon_of: half (0, 1 or None) -> `Lexicon`; needed where an attack replaces words by translations.
        clean: the evaluation of the unchanged queries, if it is at hand.
        progress: a bar for the encoding.

    Returns:
        the clean evaluation, and one `Attacked` an attack.

    Raises:
        InputError: two attacks of one name, code-switching without word lists, or an encoder whose vectors have no
            gradient.
    """
    labels = [attack.label for attack in attacks]
    for label in labels:
        if labels.count(label) > 1:
            raise InputError(f"attacks: two are called {label!r}; give one of them a `name`")
    for attack in attacks:
        if attack.needs_lists and lexicon_of is None:
            raise InputError(f"attack {attack.label!r}: lists: is missing; code-switching needs a folder of word lists")
    queries, passages = encode_set(encoder, benchmark, progress=progress)
    notes = similarity_notes(encoder)
    extra = EXTRA if benchmark.ranked else ()  # what such benchmarks are judged by elsewhere
    clean = clean or evaluate_embeddings(queries, passages, benchmark, extra=extra, notes=notes)
    target = Target(encoder, benchmark, queries, passages)
    everyone = np.arange(len(queries))
    before = target.margins(queries, everyone)
    done = []
    for attack in attacks:
        lexicon = lexicon_of(attack.half) if attack.needs_lists else None
        result = SEARCHES[attack.search].find(target, attack, lexicon)
        vectors = target.encode(result.texts) if result.vectors is None else result.vectors
        evaluation = evaluate_embeddings(vectors, passages, benchmark, bias=False, extra=extra, notes=notes)
        changed = np.array([a != b for a, b in zip(result.texts, benchmark.queries.texts, strict=True)])
        if result.vectors is not None:
            changed = np.ones(len(changed), bool)
        measured = robustness(clean, evaluation, queries, vectors, passages, changed=changed, calls=result.calls)
        evaluation = replace(evaluation, summary=evaluation.summary | {"robustness": measured})
        done.append(Attacked(attack, evaluation, result.texts, before, target.margins(vectors, everyone), result.calls))
    return clean, done
