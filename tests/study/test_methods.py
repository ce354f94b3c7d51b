"""The cited methods as arms, sources and baselines of a recipe: one small study in which each of them is named, and
what is said where something is not there."""

from __future__ import annotations

import json
import logging
import re
from pathlib import Path

import numpy as np
import pytest
import yaml

from tests.translators import marian
from tests.words import WORDS
from triglot.augment.lexicon import Lexicon
from triglot.augment.translations import Store, retranslated
from triglot.augment.wordwise import WordByWord
from triglot.classify.tasks import classify_settings
from triglot.corpus.formats import nli
from triglot.encoder import load_encoder
from triglot.encoder.mix import shares
from triglot.evaluate.baselines import machine_translated_scores, translated_scores
from triglot.files import InputError, read_json
from triglot.recipe import arm_recipe, load_recipe
from triglot.sealed import read_sealed
from triglot.study.arms import study
from triglot.study.data import Data
from triglot.study.translators import translating

RECIPE = """data: {data}
languages: [de, en, es]
encoder: {{kind: transformer, dim: 16, vocab: 400, layers: 2, heads: 2}}
sources: [{{format: nli, path: xnli}}]
batches: {{kind: hybrid, size: 6}}
loss: {{terms: [{{name: classification, lr: 0.01}}]}}
train: {{steps: 4, log_every: 2, lr: 0.001}}
evaluate:
  - {{name: xnli, format: nli, path: xnli, options: {{sides: [query, passage], head: {{penalties: [1.0]}}}}}}
  - {{name: small, format: beir, path: beir}}
attacks: [{{name: synonym, kinds: [synonym], rate: 0.5, half: null}}, {{search: embedding, eps: 0.1, steps: 1}}]
lists: lists
translation: none-there
baselines: [bm25, bm25-translated, bm25-mt]
arms:
  start: {{train.steps: 0}}
  x-y: {{batches.kind: xy}}
  smooth-r3f: {{robust.method: r3f, mix.start: last, robust.language_adversary.weight: 0.1}}
  smooth: {{robust.method: smooth, robust.steps: 1, robust.eps: 0.1}}
  neighbours:
    augment.lists: lists
    augment.parts: [{{kinds: [neighbour], share: 1.0, rate: 1.0, side: both}}]
  retranslated: {{sources.0.retranslate: {{model: none-there, lists: lists}}}}
  lrm: {{of: [start], encoding: {{name: lrm, window: 6, stride: 3}}}}
  iso: {{of: [start], encoding.name: iso}}
"""
# Two English words for each of the other languages', so that there are synonyms.
PAIRS = {code: "".join(f"{a}\t{b}\n{a}s\t{b}\n" for a, b in zip(WORDS["en"], WORDS[code])) for code in ("de", "es")}


@pytest.fixture
def data(tmp_path: Path) -> Path:
    for folder in ("xnli", "lists"):
        (tmp_path / "data" / folder).mkdir(parents=True)
    for code, text in PAIRS.items():
        (tmp_path / "data" / "lists" / f"en-{code}.txt").write_text(text, "utf-8")
    for code in ("de", "en", "es"):
        words, lines = WORDS[code], []
        for premise in range(24):
            a, b = words[premise % 12], words[(premise * 5 + 3) % 12]
            for number, label in enumerate(nli.LABELS):
                lines.append(f"{a} {b} {premise}\t{(a, b, words[(premise + 6) % 12])[number]} {a}\t{label}\n")
        (tmp_path / "data" / "xnli" / f"dev-{code}.tsv").write_text("".join(lines), "utf-8")
    beir(tmp_path / "data" / "beir")
    return tmp_path / "data"


def beir(folder: Path) -> None:
    """Twelve questions and passages of four words each, in three languages."""
    (folder / "qrels").mkdir(parents=True)
    for code in ("de", "en", "es"):
        words = WORDS[code]
        for kind, size in (("queries", 2), ("corpus", 4)):
            lines = [
                json.dumps({"_id": f"{kind[0]}{n}", "text": " ".join(words[(n + 5 * k) % 12] for k in range(size))})
                for n in range(12)
            ]
            suffix = "" if code == "en" else f".{code}"
            (folder / f"{kind}{suffix}.jsonl").write_text("\n".join(lines) + "\n", "utf-8")
    rows = "".join(f"q{n}\tc{n}\t1\n" for n in range(12))
    (folder / "qrels" / "test.tsv").write_text(f"query-id\tcorpus-id\tscore\n{rows}", "utf-8")


def recipe_of(data: Path, *words: str):
    path = data.parent / "recipe.yaml"
    path.write_text(RECIPE.format(data=data), "utf-8")
    return load_recipe(str(path), words)


@pytest.mark.slow
def test_each_is_an_arm_or_a_baseline(data: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    out = tmp_path / "study"
    with caplog.at_level(logging.INFO):
        study(recipe_of(data), out)
    results = {path.parents[1].name: read_json(path) for path in (out / "arms").glob("*/seed-1/results.json")}
    assert set(results) == {"start", "x-y", "smooth-r3f", "smooth", "neighbours", "retranslated", "lrm", "iso"}
    for arm, found in results.items():
        told = found["benchmarks"]
        assert 0 <= told["xnli"]["generalised"]["accuracy"] <= 1
        assert ("xnli+synonym" in told) == (arm not in ("lrm", "iso"))
        if "xnli+synonym" in told:
            assert set(told["xnli+synonym"]["robustness"]["success"]) == {"classification", "generalised"}
            assert told["xnli+pgd-0.1"]["robustness"]["drift"] > 0
            assert (out / "arms" / arm / "seed-1" / "attacks" / "xnli+synonym.jsonl").is_file()
    assert "localised relevance matching" in results["lrm"]["benchmarks"]["small"]["notes"][0]
    assert "ISO" in results["iso"]["benchmarks"]["small"]["notes"][0]
    assert results["iso"]["benchmarks"]["small"]["mono"] != results["start"]["benchmarks"]["small"]["mono"]
    assert results["iso"]["benchmarks"]["xnli"] == results["start"]["benchmarks"]["xnli"]
    mixed = read_sealed(out / "arms" / "smooth-r3f" / "seed-1" / "summary.json")["layers"]
    assert len(mixed) == 3
    assert mixed != [0, 0, 1]
    made = load_encoder(out / "arms" / "smooth-r3f" / "seed-1" / "model")
    assert shares(made) == pytest.approx(mixed, abs=1e-4)  # type: ignore[arg-type]
    told = read_sealed(out / "arms" / "retranslated" / "seed-1" / "summary.json")["warnings"]
    assert any("word by word" in line and "not by a model" in line for line in told)
    assert "no translation model in" in caplog.text
    baselines = {path.parent.name: read_json(path) for path in (out / "baselines").glob("*/results.json")}
    assert set(baselines) == {"bm25", "bm25-translated", "bm25-mt"}
    both = [baselines[name]["benchmarks"]["small"]["cross"] for name in ("bm25-translated", "bm25-mt")]
    assert both[0] == both[1]  # there is no model


def test_word_by_word_is_the_first_translation_of_each_word(data: Path) -> None:
    corpus, _ = nli.read_training(data / "xnli", share=0.7)
    lexicon = Lexicon({("en", code): (WORDS["en"], WORDS[code]) for code in ("de", "es")})
    translator = WordByWord(lexicon, "lists")
    with Store(None) as store:
        made = retranslated(corpus, translator, "en", ["de", "es"], store).corpus
    assert made.languages == ("de", "en", "es")
    assert made.label is not None
    np.testing.assert_array_equal(made.label, corpus.label)
    # a word that is the same in both languages, but for case, is no translation of itself
    tables = {
        code: {a: b for a, b in zip(WORDS["en"], WORDS[code], strict=True) if a.lower() != b.lower()}
        for code in ("de", "es")
    }
    for row in range(len(made)):
        for group in (made.query[row], made.passage[row]):
            english = made.texts[int(made.text_of[group, 1])].as_py()
            for code, place in (("de", 0), ("es", 2)):
                expected = " ".join(tables[code].get(word, word) for word in english.split())
                assert made.texts[int(made.text_of[group, place])].as_py() == expected
    assert 0.5 < translator.coverage < 1  # numbers are in no list


def test_a_model_translates_where_it_is_there(data: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("TRIGLOT_CACHE", str(tmp_path / "cache"))
    marian(data / "marian")
    words = ["sources.0.retranslate={model: marian, into: [de], beams: 1}", "languages=[de, en]"]
    recipe = recipe_of(data, *words)
    corpus = Data(data).source(recipe.sources[0], ["de", "en"])
    again = Data(data).source(recipe.sources[0], ["de", "en"])
    assert corpus.texts.equals(again.texts)
    (kept,) = (tmp_path / "cache" / "translations").glob("*.jsonl")
    assert len(kept.read_text().splitlines()) > 10
    german = {t for t, code in zip(corpus.texts.to_pylist(), corpus.text_lang, strict=True) if code == 0}
    human = (data / "xnli" / "dev-de.tsv").read_text("utf-8")
    assert german
    assert not any(f"{text}\t" in human for text in german)


class Echo:
    """Translates as the lists do, so that the two baselines can be compared."""

    digest, of_result = "echo", {}

    def __init__(self) -> None:
        self.asked: list[tuple[str, str]] = []

    def translate(self, texts, source, target, *, done=lambda rows, translations: None):
        table = dict(zip(WORDS[source], WORDS[target], strict=True))
        made = [" ".join(table.get(word.strip("?"), word.strip("?")) for word in text.split()) for text in texts]
        self.asked.append((source, target))
        done(range(len(texts)), made)
        return made


def test_bm25_of_translated_queries(monkeypatch: pytest.MonkeyPatch) -> None:
    from tests.attack.conftest import make_benchmark

    monkeypatch.setenv("TRIGLOT_CACHE", "off")
    benchmark, echo = make_benchmark(), Echo()
    score, notes = machine_translated_scores(benchmark, translating(echo))
    lists = {(a, b): (WORDS[a], WORDS[b]) for a in WORDS for b in WORDS if a != b}
    by_words, _ = translated_scores(benchmark, lists)
    rows = np.arange(len(benchmark.queries))
    np.testing.assert_allclose(score(rows), by_words(rows), rtol=1e-5)
    assert sorted(echo.asked) == sorted((a, b) for a in WORDS for b in WORDS if a != b)
    assert "translated as a whole" in notes[0]


def test_what_is_missing_is_said(data: Path) -> None:
    with pytest.raises(InputError, match="bm25-mt needs the folder of a translation model or a folder of word lists"):
        recipe_of(data, "lists=''", "translation=''", "attacks=[]", "baselines=[bm25-mt]")
    with pytest.raises(InputError, match=r"retranslate.*no such folder of a translation model"):
        Data(data).source(recipe_of(data, "sources.0.retranslate={model: none-there}").sources[0], ["de", "en"])
    with pytest.raises(InputError, match=r"retranslate.model: is missing"):
        recipe_of(data, "sources.0.retranslate={pivot: en}")
    with pytest.raises(InputError, match=r"baselines.*bm24"):
        recipe_of(data, "baselines=[bm24]")


def test_the_lines_of_the_page_are_arms(data: Path) -> None:
    """Each line of a recipe on the page of baselines is read as one."""
    page = (Path(__file__).resolve().parents[2] / "docs" / "baselines.md").read_text("utf-8")
    lines = re.findall(r"^\| [^|]+ \| `([\w\-]+: \{.*?\})`", page, re.MULTILINE)
    assert len(lines) > 10
    plain = yaml.safe_load(RECIPE.format(data=data))
    for key in ("arms", "baselines", "attacks"):
        plain.pop(key)
    plain["arms"] = {"x-x": {"batches.kind": "xx"}, "x-y": {"batches.kind": "xy"}, "start": {"train.steps": 0}}
    for line in lines:
        ((name, settings),) = yaml.safe_load(line).items()
        path = data.parent / f"{name}.yaml"
        path.write_text(yaml.safe_dump(plain | {"arms": {**plain["arms"], name: settings}}, sort_keys=False), "utf-8")
        if name == "options":  # of a benchmark
            assert classify_settings(settings).smooth.copies == 3
            continue
        assert arm_recipe(load_recipe(str(path)), name, 1)
