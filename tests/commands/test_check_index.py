"""`triglot check INDEX`: its figures are those of the answers, counted one by one; its limits decide how it ends."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from tests.command import triglot
from tests.search.small import Words, small
from triglot.commands import check_index as command
from triglot.files import InputError
from triglot.index.store import DiskIndex
from triglot.search.searcher import Searcher, SearchSettings

QUESTIONS = [("de-river de-bread", "de"), ("fr-horse", "fr"), ("en-king en-city", "en"), ("de-stone", "de")]


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return small(tmp_path_factory.mktemp("index") / "helpdesk").place


@pytest.fixture(autouse=True)
def opened(monkeypatch: pytest.MonkeyPatch) -> None:
    """The encoder of these tests in the place of a model of the disk."""
    monkeypatch.setattr(command, "open_searched", lambda place, **_: (DiskIndex(place), Words()))


@pytest.fixture
def questions(tmp_path: Path) -> Path:
    path = tmp_path / "questions.jsonl"
    path.write_text("".join(json.dumps({"text": text, "lang": lang}) + "\n" for text, lang in QUESTIONS), "utf-8")
    return path


@pytest.mark.parametrize("mode", ["fair", "any", "own-first"])
def test_the_figures_are_those_of_the_answers(place: Path, questions: Path, mode: str) -> None:
    found = command.check_index(str(place), mode=mode, questions=str(questions))
    assert [one.check.name for one in found] == list(dict.fromkeys([f"helpdesk ({mode})", "helpdesk (any)"]))
    index = DiskIndex(place)
    searcher, own = Searcher(Words(), index), {}
    for text, lang in QUESTIONS:
        hits = searcher.search(text, SearchSettings(k=10, mode=mode), lang=lang).hits
        own.setdefault(lang, []).append(sum(hit.lang == lang for hit in hits) / len(hits))
    by_lang = {lang: float(np.mean(shares)) for lang, shares in own.items()}
    check = found[0].check
    assert check.measures["same_language@10"] == pytest.approx(np.mean(list(by_lang.values())))
    pools = {code: count / len(index) for code, count in index.counts.items()}
    assert check.measures["pool_share"] == pytest.approx(np.mean([pools[lang] for lang in by_lang]))
    assert {code: figures["same_language@10"] for code, figures in check.by_language.items()} == pytest.approx(by_lang)


def test_passages_ask_for_one_another_and_not_for_themselves(place: Path) -> None:
    found = command.check_index(str(place))
    fair, raw = (one.check for one in found)
    assert fair.counts["passages"] == len(DiskIndex(place))
    assert raw.measures["excess@10"] > 0.5 > fair.measures["excess@10"]
    documents, _ = DiskIndex(place).get([DiskIndex(place).snapshot.documents([0]).ids[0]])
    answers = Searcher(Words(), DiskIndex(place)).search_all(documents.texts, SearchSettings(k=11, mode="any"))
    starts = {"de": 0, "en": 1000, "fr": 2000}
    left = command._places(answers[0], documents.ids[0], starts)
    assert len(left) == 10
    assert answers[0].hits[0].id == documents.ids[0]


def test_the_command_ends_with_1_past_a_limit(place: Path, questions: Path, tmp_path: Path) -> None:
    words = ["check", place, "--questions", questions, "--mode", "any"]
    good = triglot(*words, "--limit", "excess@10=1.1", "--out", tmp_path / "out")
    assert (good.code, "helpdesk (any)" in good.out) == (0, True)
    told = json.loads((tmp_path / "out" / "check.json").read_text("utf-8"))
    assert told["verdict"] == "strong bias"
    assert (tmp_path / "out" / "check.html").is_file()
    bad = triglot(*words, "--limit", "excess@10=0.2")
    assert (bad.code, "excess@10 is" in bad.err, "--mode fair" in bad.out) == (1, True, True)
    fair = triglot("check", place, "--questions", questions, "--limit", "excess@10=0.2", "--json")
    assert fair.code == 0
    assert json.loads(fair.out)["verdict"] != "strong bias"


def test_what_does_not_go_with_an_index_is_named(place: Path, tmp_path: Path) -> None:
    assert "--texts: goes with a model" in triglot("check", place, "--texts", "x.csv").err
    assert "--mode: goes with an index" in triglot("check", tmp_path, "--mode", "fair", "--texts", "x.csv").err
    assert "did you mean 'fair'" in triglot("check", place, "--mode", "fare").err
    with pytest.raises(InputError, match="has no passages in sw"):
        command.check_index(str(place), languages=["sw"])
