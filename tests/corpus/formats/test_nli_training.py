"""Premises and hypotheses as training rows: which premises, which rows, and none that evaluation judges."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.classify.test_judge import inference_folder
from triglot.classify.tasks import ClassifySettings, read_task
from triglot.corpus.formats import nli, pair_writer
from triglot.corpus.parallel import concat
from triglot.files import InputError


def texts_of(corpus, groups) -> set[str]:
    return {
        text
        for text, group in zip(corpus.texts.to_pylist(), corpus.text_group.tolist(), strict=True)
        if group in set(groups.tolist())
    }


def test_no_premise_is_judged_that_was_trained_on(tmp_path: Path) -> None:
    folder = inference_folder(tmp_path)
    corpus, tally = nli.read_training(folder, languages=["en", "th"])
    task = read_task(folder, format="nli", name="toy", languages=["en"], settings=ClassifySettings())
    judged = {task.test.first[i] for i in task.test.first_at.ravel().tolist()}
    trained = texts_of(corpus, corpus.query)
    assert trained
    assert not trained & judged
    heads = {task.train.first[i] for i in task.train.first_at.ravel().tolist()} if task.train else set()
    assert {text for text in trained if text.startswith("en")} == {text for text in heads if text.startswith("en")}
    assert corpus.languages == ("en", "th")
    assert "kept for evaluation" in " ".join(tally.lines())


def test_every_item_with_its_label(tmp_path: Path) -> None:
    folder = inference_folder(tmp_path, premises=10)
    whole, _ = nli.read(folder)
    items, _ = whole.split(0.5, seed=1)
    corpus, _ = nli.read_training(folder)
    assert len(corpus) == len(items)
    assert corpus.labels == nli.LABELS
    for row in range(len(corpus)):
        for code in corpus.languages:
            place = corpus.languages.index(code)
            premise, hypothesis = (
                corpus.texts[int(corpus.text_of[group, place])].as_py()
                for group in (corpus.query[row], corpus.passage[row])
            )
            at = items.hypotheses[code].index(hypothesis)
            assert items.premises[code][at] == premise
            assert items.labels[at] == corpus.label[row]


def test_entailed_rows_have_contradictions_as_negatives(tmp_path: Path) -> None:
    folder = inference_folder(tmp_path, premises=10)
    corpus, _ = nli.read_training(folder, rows="entailed", share=0.7, seed=3)
    assert corpus.label is None
    names = corpus.group_ids.to_pylist()
    english = corpus.languages.index("en")
    for row in range(len(corpus)):
        hypothesis = corpus.texts[int(corpus.text_of[corpus.passage[row], english])].as_py()
        (against,) = corpus.negatives[row].as_py()
        wrong = corpus.texts[int(corpus.text_of[against, english])].as_py()
        assert hypothesis.endswith(" 0")
        assert wrong == f"{hypothesis[:-1]}2"
        assert names[corpus.query[row]].startswith("premise/")


def test_what_cannot_be_done_is_said(tmp_path: Path) -> None:
    folder = inference_folder(tmp_path, premises=10)
    with pytest.raises(InputError, match=r"rows.*labelled"):
        nli.read_training(folder, rows="label")
    with pytest.raises(InputError, match="no dev file in 'fr'"):
        nli.read_training(folder, languages=["fr"])
    corpus, _ = nli.read_training(folder)
    with pytest.raises(InputError, match="rows: entailed"):
        pair_writer.write(tmp_path / "pairs.jsonl", corpus)
    joined = concat([corpus, nli.read_training(folder, rows="entailed", source="other")[0]])
    assert (joined.label[: len(corpus)] >= 0).all()
    assert (joined.label[len(corpus) :] == -1).all()
