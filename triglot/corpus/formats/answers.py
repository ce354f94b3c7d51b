"""Answers of the SQuAD family: where they stand in their context, and questions that have none."""

from __future__ import annotations

from typing import Any

from triglot.corpus.tally import Tally


def _answers(raw: dict[str, Any]) -> Any:
    """The answers as a list of objects; the hub's tables have them as an object of two lists."""
    answers = raw.get("answers")
    if isinstance(answers, dict) and all(isinstance(answers.get(key), list) for key in ("text", "answer_start")):
        return [
            {"text": text, "answer_start": start}
            for text, start in zip(answers["text"], answers["answer_start"], strict=False)
        ]
    return answers


def starts(raw: dict[str, Any], context: str, where: str, tally: Tally) -> list[int]:
    """Offsets of the answers that can be used; the others, and those that had to be mended, are counted."""
    answers = _answers(raw)
    if not isinstance(answers, list) or not answers:
        tally.leave_out("question without an answer (its paragraph can still be used)", f"{where}.answers")
        return []
    places: list[int] = []
    for k, answer in enumerate(answers):
        if not isinstance(answer, dict) or not isinstance(answer.get("text"), str):
            tally.leave_out("answer without a text field", f"{where}.answers[{k}]")
        elif not answer["text"].strip():
            continue  # `places` counts the question if no answer is left and its unit needs one
        elif (start := _start(answer, context, f"{where}.answers[{k}].answer_start", tally)) is not None:
            places.append(start)
    return list(dict.fromkeys(places))


def _start(answer: dict[str, Any], context: str, where: str, tally: Tally) -> int | None:
    """Where an answer begins.

    Offsets may count bytes or UTF-16 units, or be plainly wrong: one that does not hold the answer's text is replaced
    by the place of the text where it occurs once, and else not used."""
    start, text = answer.get("answer_start"), answer["text"]
    inside = type(start) is int and 0 <= start < len(context)
    if inside and any(context.startswith(form, start) for form in (text, text.strip())):
        return start
    first = context.find(text.strip())
    if first >= 0 and context.find(text.strip(), first + 1) < 0:
        tally.remark("mended", "answer_start that does not hold the answer's text, which the context has once", where)
        return first
    wrong = "answer_start that does not hold the answer's text, which the context has not once"
    tally.leave_out(wrong if inside else "answer_start outside its context", where)
    return None


def is_impossible(raw: dict[str, Any]) -> bool:
    """Whether SQuAD 2.0 says that the paragraph does not answer the question."""
    answers = raw.get("answers")
    empty_lists = isinstance(answers, dict) and answers.get("text") == [] == answers.get("answer_start")
    return bool(raw.get("is_impossible")) or empty_lists or (not answers and bool(raw.get("plausible_answers")))
