"""`triglot augment` and `triglot lists` from outside: what is printed and written, exit codes, and training on what
comes out."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from tests.command import triglot
from triglot import seeds
from triglot.commands.augment import compose
from triglot.corpus.formats.pairs import read_training
from triglot.train import Feed


@pytest.fixture
def pairs(tmp_path: Path) -> Path:
    path = tmp_path / "pairs.jsonl"
    rng = seeds.generator(1, "test pairs")
    words = {
        "de": ["Fluss", "Berg", "Stadt", "König", "Winter", "Brot"],
        "en": ["river", "mountain", "city", "king", "winter", "bread"],
    }
    lines = []
    for n in range(24):
        chosen = rng.choice(6, 4, replace=False)
        for lang, known in words.items():
            texts = [" ".join(known[i] for i in order) + f" {n}" for order in (chosen, chosen[::-1])]
            lines.append(
                {
                    "query": texts[0],
                    "positive": texts[1],
                    "lang": lang,
                    "query_group": f"q{n}",
                    "passage_group": f"p{n}",
                }
            )
    path.write_text("".join(json.dumps(line) + "\n" for line in lines), encoding="utf-8")
    return path


def test_lists_are_learned_and_used(pairs: Path, tmp_path: Path) -> None:
    done = triglot("lists", pairs, "--out", tmp_path / "lists", "--against", tmp_path / "lists")
    assert (done.code, "no file such as" in done.err or "no such" in done.err) == (2, True)
    done = triglot("lists", pairs, "--out", tmp_path / "lists")
    assert (done.code, done.out) == (0, f"{tmp_path / 'lists'}\n"), done.err
    assert "en-de: 6 entries from 48 pairs of sentences" in done.err
    assert (tmp_path / "lists" / "en-de.txt").read_text("utf-8").splitlines().count("river\tFluss".lower()) == 1
    done = triglot(
        "lists", pairs, "--out", tmp_path / "again", "--against", tmp_path / "lists", "--languages", "de", "-q"
    )
    rows = [line.split() for line in done.out.splitlines()[1:3]]
    assert rows == [[pair, "6", "6", "1.000", "1.000", "6", "1.000"] for pair in ("en-de", "de-en")]
    done = triglot(
        "augment",
        pairs,
        "--kind",
        "codeswitch",
        "--lists",
        tmp_path / "lists",
        "--rate",
        "1",
        "--examples",
        "1",
        "--into",
        "de,en",
    )
    assert done.code == 0, done.err
    rows = [line.split() for line in done.out.splitlines()]
    assert [row[:2] for row in rows] == [["kind", "lang"], ["codeswitch", "de"], ["codeswitch", "en"]]
    assert {path.name for path in tmp_path.iterdir()} == {"pairs.jsonl", "lists", "again"}


def test_augment_writes_and_says_where(pairs: Path, tmp_path: Path) -> None:
    words = [
        "augment",
        f"pairs:{pairs}",
        "--kind",
        "typo",
        "--side",
        "both",
        "--factor",
        "1,2",
        "--out",
        tmp_path / "out",
    ]
    done = triglot(*words)
    assert done.code == 0, done.err
    assert done.out.splitlines()[0] == f"{tmp_path / 'out' / 'x1.jsonl'}: 48 lines, factor 1"
    assert done.out.splitlines()[1].startswith(f"{tmp_path / 'out' / 'x2.jsonl'}: ")
    assert "texts changed, " in done.err
    assert "before" in done.err  # the sample
    assert triglot(*words[:-1], tmp_path / "again", "-q").err == ""
    assert (tmp_path / "again" / "x2.jsonl").read_bytes() == (tmp_path / "out" / "x2.jsonl").read_bytes()


def test_texts_without_pairs_are_refused(tmp_path: Path) -> None:
    (tmp_path / "articles.csv").write_text("id,lang,text\n1,en,one\n2,de,zwei\n", "utf-8")
    done = triglot("augment", tmp_path / "articles.csv", "--kind", "swap", "--out", tmp_path / "x.jsonl")
    assert (done.code, "articles.csv: has no pairs" in done.err) == (2, True)
    assert not (tmp_path / "x.jsonl").exists()


def test_languages_of_changes_have_one_spelling() -> None:
    assert compose(["neighbour"], [], rate=0.5, share=1, into=["DE"], lists="x").parts[0].into == ("de",)
    assert compose(["insert"], [], rate=0.5, share=1, into=["DE"]).parts[0].into == ()
    assert compose([], ["kinds=codeswitch into=[zh_cn]"], rate=0.5, share=1, lists="x").parts[0].into == ("zh-CN",)


def test_copies_are_masked_in_training_batches(pairs: Path, tmp_path: Path) -> None:
    words = ["--kind", "casing", "--side", "both", "--rate", "1", "--factor", "3", "--out", tmp_path / "x3.jsonl", "-q"]
    assert triglot("augment", pairs, *words).code == 0
    corpus, _ = read_training(tmp_path / "x3.jsonl")
    feed = Feed(corpus, tokenize=None, seed=1)
    family = feed.rows().family
    names = [name.partition("~~")[0] for name in corpus.group_ids.take(corpus.passage).to_pylist()]
    assert len(corpus) == 72
    assert len(set(zip(names, family.tolist(), strict=True))) == len(set(names)) == len(np.unique(family)) == 24


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--kind", "swp", "--out", "x"], "kinds: 'swp' is unknown; did you mean 'swap'?"),
        (["--kind", "swap", "--rate", "2", "--out", "x"], "rate: 2.0 is not between 0 and 1"),
        (["--kind", "swap"], "--out: is missing"),
        (["--kind", "swap", "--factor", "2,1", "--out", "x"], "factor: 1 comes after 2; factors increase"),
        (["--kind", "swap", "--factor", "1,2", "--out", "x.jsonl"], "x.jsonl: 2 factors need a folder"),
        (
            ["--kind", "codeswitch", "--out", "x"],
            "lists: is missing; codeswitch, synonym, neighbour need a folder of word lists",
        ),
        (["--kind", "codeswitch", "--lists", "nowhere", "--out", "x"], "nowhere: no file such as"),
        (["--translation-model", "nowhere", "--into", "fr", "--out", "x"], "translate: nowhere: no such folder"),
        (["--translation-model", "nowhere", "--out", "x"], "into: is missing"),
        (["--recipe", "dmo", "--out", "x"], "no recipe 'dmo'; did you mean 'demo'?"),
        (["--recipe", "demo", "--rate", ".9", "--out", "x"], "--rate: goes with --kind; the recipe's key"),
        (["--recipe", "demo", "--lexicon-split", "1", "--out", "x"], "--lexicon-split: goes with --kind; the recipe's"),
        (["--part", "kinds=insert", "--share", ".1", "--out", "x"], "--share: goes with --kind; a --part has its own"),
        (["--part", "kinds=insert", "--into", "de", "--out", "x"], "--into: goes with --kind; a --part has its own"),
        (["--kind", "swap", "--num-beams", "2", "--out", "x"], "--num-beams: goes with --translation-model"),
        (["--kind", "swap", "--languages", "de,frr", "--out", "x"], "has no text in 'frr'"),
    ],
)
def test_bad_words_end_with_2(
    pairs: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, words: list[str], message: str
) -> None:
    monkeypatch.chdir(tmp_path)
    done = triglot("augment", pairs, *words)
    assert (done.code, done.out) == (2, "")
    assert message in done.err
    assert "Traceback" not in done.err
    assert [path.name for path in tmp_path.iterdir()] == ["pairs.jsonl"]
