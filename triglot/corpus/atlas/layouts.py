"""The built-in facts in the layouts of other tasks, so that these can be tried without any data: inference (XNLI),
stances (X-Stance), word lists (MUSE).

They test the way, not the world: an inference here is the same fact in other words, a contradiction the same words with
the answer of another fact, a stance a sentence for or against a fact.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from triglot.corpus.atlas import _chosen, _Edition, _edition
from triglot.files import write_text
from triglot.ranges import Seed
from triglot.seeds import generator, uniform

LABELS = ("entailment", "neutral", "contradiction")
SLOTS = ("currency", "language", "script", "territory", "city")  # what word lists hold


def _told(edition: _Edition, number: int, language: str, phrasing: int, other: int | None = None) -> str:
    """A sentence about a fact in one of its phrasings; with the answer of another fact of the same relation, if one is
    given."""
    fact, wording = edition.atlas.facts[number], edition.wordings[language]
    forms = edition._forms(number, language)
    if other is not None:
        subject = next(slot for slot, entity in fact.slots if entity == fact.subject)
        own = {key: text for key, text in forms.items() if key == subject or key.endswith(f"_{subject}")}
        forms = {**forms, **edition._forms(other, language), **own}
    templates = wording.tell[fact.relation]
    return wording.fill(templates[phrasing % len(templates)], forms)


def _drawn(edition: _Edition, seed: int, purpose: str) -> list[int]:
    """Numbers of facts in a drawn order, those with names that a sentence can be wrong about."""
    able = [n for n, fact in enumerate(edition.atlas.facts) if any(slot in SLOTS for slot, _ in fact.slots)]
    order = generator(seed, f"atlas {purpose}").permutation(len(able))
    return [able[i] for i in order]


def _others(edition: _Edition, number: int, seed: int, many: int) -> list[int]:
    """Facts of the same relation whose answer makes another sentence of this one, in a drawn order."""
    relation = edition.atlas.facts[number].relation
    same = [n for n, fact in enumerate(edition.atlas.facts) if fact.relation == relation and n != number]
    own, found = _told(edition, number, "en", 0), []
    for place in generator(seed, f"atlas other answers {number}").permutation(len(same)):
        if len(found) == many:
            break
        if _told(edition, number, "en", 0, same[place]) != own:
            found.append(same[place])
    return found


def write_nli(
    folder: Path, *, languages: Sequence[str] | None = None, train: int = 300, dev: int = 150, seed: Seed = 1
) -> dict[str, object]:
    """`train-xx.tsv` and `dev-xx.tsv` of premise, hypothesis and label; each premise has one hypothesis of each label,
    and no subject of one split is in the other.

    Args:
        folder: to write into.
        languages: codes; all 11 by default.
        train: premises of this split.
        dev: premises of this split.
        seed: of the draws.
    """
    edition, chosen = _edition(seed), _chosen(languages)
    by_subject: dict[object, list[int]] = {}
    for number, fact in enumerate(edition.atlas.facts):
        by_subject.setdefault(fact.subject, []).append(number)
    lines: dict[str, dict[str, list[str]]] = {split: {code: [] for code in chosen} for split in ("train", "dev")}
    left, side = {"train": train, "dev": dev}, dict[object, str]()  # all premises about a subject are in one split
    for number in _drawn(edition, seed, "inference"):
        if not any(left.values()):
            break
        others = _others(edition, number, seed, 1)
        beside = [n for n in by_subject[edition.atlas.facts[number].subject] if n != number]
        if not others or not beside:
            continue
        neutral = beside[int(uniform(seed, "atlas neutral", number) * len(beside))]
        open_split = "train" if left["train"] * dev >= left["dev"] * train else "dev"
        split = side.setdefault(edition.atlas.facts[number].subject, open_split)
        if not left[split]:
            continue
        left[split] -= 1
        for code in chosen:
            premise = _told(edition, number, code, 0)
            hypotheses = (
                _told(edition, number, code, 1),
                _told(edition, neutral, code, 1),
                _told(edition, number, code, 1, others[0]),
            )
            lines[split][code] += [
                f"{premise}\t{text}\t{label}" for text, label in zip(hypotheses, LABELS, strict=True)
            ]
    for split, of in lines.items():
        for code, rows in of.items():
            write_text(folder / f"{split}-{code}.tsv", "\n".join(rows) + "\n")
    done = {"train": train - left["train"], "dev": dev - left["dev"]}
    return {"premises": done, "languages": list(chosen), "told": "inference made of the built-in facts"}


def write_stance(
    folder: Path, *, languages: Sequence[str] | None = None, questions: int = 60, seed: Seed = 1
) -> dict[str, object]:
    """`questions.xx.jsonl`, `train.jsonl` and `valid.jsonl`: a question asks for a fact; a comment for it tells the
    fact, one against it has another answer. The files word their comments differently, and no author writes in both.

    Args:
        folder: to write into.
        languages: of questions and comments; all 11 by default.
        questions: how many.
        seed: of the draws.
    """
    edition, chosen = _edition(seed), _chosen(languages)
    asked: dict[str, list[str]] = {code: [] for code in chosen}
    comments: dict[str, list[str]] = {"train": [], "valid": []}
    numbers: Iterator[int] = iter(_drawn(edition, seed, "stances"))
    for question, number in zip(range(questions), numbers, strict=False):
        others = _others(edition, number, seed, 2)
        for code in chosen:
            asked[code].append(_line({"id": question, "text": edition.question(number, code, "train")}))
        for place, split in enumerate(comments):
            for code in chosen:
                told = [("FAVOR", _told(edition, number, code, place))]
                told += [("AGAINST", _told(edition, number, code, place, other)) for other in others[place : place + 1]]
                for label, text in told:
                    of = {"id": 0, "question_id": question, "language": code, "comment": text, "label": label}
                    of["id"] = len(comments[split]) + 100_000 * place
                    comments[split].append(_line({**of, "author": f"{split}-{of['id'] % 40}"}))
    for code, rows in asked.items():
        write_text(folder / f"questions.{code}.jsonl", "\n".join(rows) + "\n")
    for split, rows in comments.items():
        write_text(folder / f"{split}.jsonl", "\n".join(rows) + "\n")
    return {"questions": questions, "languages": list(chosen), "told": "stances made of the built-in facts"}


def write_words(
    folder: Path, *, languages: Sequence[str] | None = None, pivot: str = "en", seed: Seed = 1
) -> dict[str, object]:
    """`xx-yy.txt` from the pivot to each language: the names of the built-in facts that are one word in both.

    Args:
        folder: to write into.
        languages: codes; all 11 by default.
        pivot: the language that all lists begin in.
        seed: of the corpus.
    """
    from triglot.corpus.atlas._facts import LANGUAGES

    edition, chosen = _edition(seed), _chosen(languages)
    names = [found for (kind, _), found in sorted(edition.atlas.names.items()) if kind in SLOTS]
    counts = 0
    for code in chosen:
        if code == pivot:
            continue
        at = LANGUAGES.index(pivot), LANGUAGES.index(code)
        pairs = dict.fromkeys(_words((found[at[0]], found[at[1]]) for found in names))
        write_text(folder / f"{pivot}-{code}.txt", "".join(f"{a} {b}\n" for a, b in pairs))
        counts += len(pairs)
    return {"entries": counts, "languages": list(chosen), "told": "word lists of the names of the built-in facts"}


def _words(pairs: Iterable[tuple[str, str]]) -> Iterator[tuple[str, str]]:
    """Names of one word on both sides, in small letters as word lists have them."""
    for left, right in pairs:
        if not any(character.isspace() for character in left + right):
            yield left.lower(), right.lower()


def _line(value: object) -> str:
    return json.dumps(value, ensure_ascii=False)
