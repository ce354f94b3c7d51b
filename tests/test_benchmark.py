"""One door for benchmarks: what was opened is said, and names of the hub work wherever a benchmark is named."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from tests.command import triglot
from tests.corpus.formats.test_mteb import layout
from tests.corpus.test_collection import put
from tests.study.small import small_recipe
from triglot.benchmark import open_benchmark
from triglot.encoder import EncoderSettings, init_encoder
from triglot.encoder.tokenizer import word_counts
from triglot.files import InputError, read_json
from triglot.recipe import Benchmark
from triglot.study.arms import study


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("benchmark") / "model"
    words = word_counts({"en": ["who wrote one of the three books that what was taken from"]})
    init_encoder(EncoderSettings(dim=8, vocab=300), words, seed=1).save(folder)
    return folder


@pytest.fixture
def lines(hub_cache: Callable[[str], Path]) -> str:
    """A data set in a local copy of the hub, to train on and to evaluate."""
    folder = hub_cache("someone/lines")
    put(folder / "corpus.jsonl", *[{"_id": f"d{n}", "text": f"passage {n}"} for n in range(4)])
    put(folder / "queries.jsonl", *[{"_id": f"q{n}", "text": f"which passage {n}"} for n in range(4)])
    for split in ("train", "test"):
        put(folder / "qrels" / f"{split}.tsv", *[f"q{n}\td{n}\t1" for n in range(4)])
    return "hub:someone/lines"


@pytest.fixture
def toy(hub_cache: Callable[[str], Path]) -> str:
    """A benchmark in a local copy of the hub."""
    layout(hub_cache("mteb/toy"))
    return "hub:mteb/toy"


def stances(folder: Path, *, train: bool) -> Path:
    for code in ("de", "fr"):
        put(folder / f"questions.{code}.jsonl", *[{"id": n, "text": f"{code} frage {n}"} for n in range(3)])
    comments = [
        {"id": f"{n}-{side}", "question_id": n, "language": "de", "comment": f"kommentar {n} {side}", "label": side}
        for n in range(3)
        for side in ("FAVOR", "AGAINST")
    ]
    put(folder / "valid.jsonl", *comments)
    if train:
        put(folder / "train.jsonl", *comments)
    return folder


def test_what_was_opened_is_said(tmp_path: Path, toy: str) -> None:
    opened = open_benchmark(toy)
    assert (opened.name, opened.format, opened.kinds) == ("toy", "mteb", ("retrieval set",))
    assert opened.in_memory().queries.ids == ["q1", "q2"]
    assert open_benchmark("atlas", languages=["de", "en"]).in_memory().languages == ("de", "en")
    put(tmp_path / "topics.x-sw-dev.tsv", "1\tone?")
    put(tmp_path / "qrels.x-sw-dev.tsv", "1 Q0 a 1")
    put(tmp_path / "docs-sw.jsonl", {"docid": "a", "title": "", "text": "one"})
    assert open_benchmark(tmp_path).kinds == ("streamed collection",)
    with pytest.raises(InputError, match="x: is a streamed collection; queries and passages in memory are needed"):
        open_benchmark(tmp_path, name="x").in_memory()
    assert open_benchmark(tmp_path, stream=False).in_memory().passages.ids == ["a"]


def test_one_benchmark_may_be_two_tasks(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    whole = open_benchmark(stances(tmp_path / "whole", train=True), licence="CC0")
    assert whole.kinds == ("retrieval set", "classification task")
    assert whole.task is not None
    assert (whole.task.name, whole.task.licence, whole.in_memory().licence) == ("whole-classification", "CC0", "CC0")
    alone = open_benchmark(tmp_path / "whole", heads={"tasks": "classification"})
    assert alone.kinds == ("classification task",)
    with pytest.raises(InputError, match="whole: is a classification task; queries"):
        alone.in_memory()
    assert open_benchmark(tmp_path / "whole", classification=False).kinds == ("retrieval set",)
    assert not caplog.records
    assert open_benchmark(stances(tmp_path / "part", train=False)).kinds == ("retrieval set",)
    assert "no comments in train.jsonl; known: valid, so no head can be trained: retrieval alone" in caplog.text


def test_languages_that_must_be_there_and_those_that_may(tmp_path: Path) -> None:
    folder = stances(tmp_path, train=True)
    with pytest.raises(InputError, match="no language 'it'"):
        open_benchmark(folder, languages=["de", "it"])
    assert open_benchmark(folder, among=["de", "it"]).in_memory().languages == ("de",)
    with pytest.raises(InputError, match="'bairr' is not a known format; did you mean 'beir'"):
        open_benchmark(f"bairr={folder}")


def test_attacks_and_evaluations_open_names_of_the_hub(model: Path, lines: str, tmp_path: Path) -> None:
    how = ["--on", f"toy={lines}", "--quiet"]
    done = triglot("attack", model, *how, "--attack", "kinds=insert rate=0.5", "--out", tmp_path / "attacked")
    assert done.code == 0, done.err
    assert read_json(tmp_path / "attacked" / "results.json")["benchmarks"]["toy"]
    for judged in (model, "bm25"):
        out = tmp_path / Path(judged).name
        assert triglot("evaluate", judged, *how, "--out", out).code == 0
        assert list(read_json(out / "results.json")["benchmarks"]) == ["toy"]


def test_what_is_held_out_of_debiasing_may_be_on_the_hub(model: Path, lines: str, tmp_path: Path) -> None:
    data = tmp_path / "pairs.jsonl"
    langs = {"query_lang": "en", "passage_lang": "fr"}
    put(data, *[{"query": f"passage {n}", "positive": f"texte {n}", **langs} for n in range(60)])
    how = ["--method", "centre", "--out", tmp_path / "debiased", "--held-out", f"x={lines}", "--quiet"]
    done = triglot("debias", model, data, *how)
    assert done.code == 0, done.err
    assert "4 texts" in done.out, done.out


def test_hard_negatives_are_mined_from_a_data_set_of_the_hub(lines: str, tmp_path: Path) -> None:
    out = tmp_path / "mined.jsonl"
    done = triglot("mine", lines, "--model", "bm25", "--out", out, "negatives=1", "--quiet")
    assert done.code == 0, done.err
    assert len([json.loads(line) for line in out.read_text("utf-8").splitlines()]) == 4


@pytest.mark.slow
def test_recipes_and_their_baselines_open_names_of_the_hub(lines: str, tmp_path: Path) -> None:
    toy = Benchmark(name="toy", format="beir", path=lines, languages=("en",))
    recipe = replace(small_recipe(tmp_path, "\n  plain: {}"), evaluate=(toy,), baselines=("bm25",))
    study(recipe, tmp_path / "study")
    for place in ("baselines/bm25", "arms/plain/seed-1"):
        assert list(read_json(tmp_path / "study" / place / "results.json")["benchmarks"]) == ["toy"]
