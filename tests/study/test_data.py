"""Sources of a recipe: how they share the batches, and what a tokenizer is made from."""

from __future__ import annotations

import gzip
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from triglot import study
from triglot.corpus.atlas.layouts import write_nli
from triglot.files import InputError
from triglot.sources import Benchmark, CodeSwitch, Source
from triglot.study.data import Data, balanced, word_pairs
from triglot.study.inputs import texts_by_language
from triglot.study.layouts import as_miracl


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name, rows in (("de-en", 64), ("el-en", 4), ("de-el", 16)):
        path = tmp_path / "bitext" / f"{name}.tsv.gz"
        path.parent.mkdir(exist_ok=True)
        a, b = name.split("-")
        with gzip.open(path, "wt", encoding="utf-8") as handle:
            handle.writelines(f"{a} {name} {i}\t{b} {name} {i}\n" for i in range(rows))
    return tmp_path


@pytest.mark.parametrize(("balance", "expected"), [(1.0, [64, 16, 4]), (0.5, [8, 4, 2]), (0.0, [1, 1, 1])])
def test_balance_shares_a_source_by_its_languages(folder: Path, balance: float, expected: list[int]) -> None:
    source = Source("bitext", "bitext", weight=0.7, balance=balance)
    corpus = Data(folder).source(source, ())
    split, weights = balanced(corpus, source)
    found = dict(zip(split.sources, weights, strict=True))
    wanted = dict(
        zip(("bitext/de-en", "bitext/de-el", "bitext/el-en"), 0.7 * np.array(expected) / sum(expected), strict=True)
    )
    assert found == pytest.approx(wanted)
    for row in range(len(split)):  # every row lies in the part that its languages name
        languages = {split.languages[i] for i in np.flatnonzero(split.text_of[split.query[row]] >= 0)}
        assert languages == set(split.sources[split.source[row]].partition("/")[2].split("-"))


def test_no_balance_leaves_a_source_whole(folder: Path) -> None:
    source = Source("bitext", "bitext", weight=2.0)
    corpus = Data(folder).source(source, ())
    assert balanced(corpus, source) == (corpus, [2.0])


def test_balance_does_not_go_with_codeswitching() -> None:
    with pytest.raises(InputError, match="balance: goes with natural text"):
        Source("squad", "train", balance=0.5, codeswitch=CodeSwitch("lists"))


def test_a_word_list_and_the_reverse_of_its_counterpart_are_joined() -> None:
    lists = {("en", "de"): (["dog"], ["Hund"]), ("de", "en"): (["Katze", "Hund"], ["cat", "dog"])}
    assert list(word_pairs(lists, "en", "de")) == [("dog", "Hund"), ("cat", "Katze"), ("dog", "Hund")]


def test_the_tokenizer_sees_the_words_that_code_switching_puts_in(folder: Path) -> None:
    (folder / "lists").mkdir()
    (folder / "lists" / "en-de.tsv").write_text("en\tdeutsch\nbitext\tParalleltext\n", encoding="utf-8")
    source = Source("bitext", "bitext", languages=("el", "en"), codeswitch=CodeSwitch("lists"))
    data = Data(folder)
    training = data.training([source], ("de", "el", "en"))
    texts = texts_by_language([training])
    assert set(texts["de"]) >= {"deutsch", "Paralleltext"}
    assert "el el-en 0" in texts["el"]
    assert data.training([source], ("de", "el", "en")) is training


def test_two_sources_of_one_name(folder: Path) -> None:
    source = Source("bitext", "bitext")
    with pytest.raises(InputError, match="two are called 'bitext'"):
        Data(folder).training([source, source], ())


def test_data_are_opened_at_the_top_and_nothing_below_asks_for_them() -> None:
    rooms = Path(study.__path__[0])
    asking = {path.name for path in rooms.glob("*.py") if "triglot.study.data" in path.read_text("utf-8")}
    whole = {"leakage.py", "probe.py", "reach.py"}  # look at a whole study, before it runs or after
    assert asking == {"run.py", "arms.py", "parts.py"} | whole


def test_a_stage_has_one_feed_for_each_tokenizer(folder: Path) -> None:
    data = Data(folder)
    training = data.training([Source("bitext", "bitext")], ())
    feed = training.feed(None, "", 1)
    assert training.feed(None, "", 1) is feed
    assert data.training([Source("bitext", "bitext")], ()).feed(None, "", 1) is feed
    assert training.feed(None, "", 2) is not feed


def test_a_benchmark_is_read_in_part_with_all_translations_and_says_so(folder: Path) -> None:
    asked = Benchmark("facts", "atlas", sample=60)
    whole, part = (Data(folder).benchmark(one, ()).in_memory() for one in (replace(asked, sample=0), asked))
    assert 60 <= len(part.passages) < len(whole.passages) / 2
    assert len(part.queries) <= 60 + len(part.languages)
    assert "a sample: " in part.notes[-1]
    kept = set(part.passages.texts)
    clusters = {
        c for c, text in zip(whole.passages.cluster.tolist(), whole.passages.texts, strict=True) if text in kept
    }
    assert len(part.passages) == np.isin(whole.passages.cluster, list(clusters)).sum()  # whole clusters, all languages
    assert len(set(np.bincount(part.passages.lang).tolist())) == 1


def test_a_classification_is_judged_on_whole_premises_of_a_sample(tmp_path: Path) -> None:
    write_nli(tmp_path / "nli", languages=["de", "en"])
    asked = Benchmark("nli", "nli", path="nli", sample=30)
    whole, part = (Data(tmp_path).benchmark(one, ()).task for one in (replace(asked, sample=0), asked))
    assert whole is not None
    assert part is not None
    assert part.train is not None
    assert whole.train is not None
    assert 0 < len(part.test) < len(whole.test)
    assert len(part.train) == len(whole.train)
    assert part.counts["sampled"] == len(part.test)
    for item, name in enumerate(part.test.ids):  # the same texts and labels as in the whole
        other = whole.test.ids.index(name)
        assert part.test.target[item] == whole.test.target[other]
        for code in range(2):
            assert part.test.first[part.test.first_at[code, item]] == whole.test.first[whole.test.first_at[code, other]]
            assert (
                part.test.second[part.test.second_at[code, item]]
                == whole.test.second[whole.test.second_at[code, other]]
            )
    groups = set(part.test.group.tolist())
    assert sum(group in groups for group in whole.test.group.tolist()) == len(part.test)  # no premise in part
    assert len(part.test.first) < len(whole.test.first)  # texts of others are not encoded


def test_a_collection_that_is_streamed_has_no_sample(tmp_path: Path) -> None:
    as_miracl(tmp_path / "miracl", None, languages=["de", "en"], limit=5)
    with pytest.raises(InputError, match="benchmark 'own': sample: its passages are streamed"):
        Data(tmp_path).benchmark(Benchmark("own", "trec", path="miracl", sample=10, options={"split": "dev"}), ())
