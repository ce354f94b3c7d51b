"""Changed copies of a corpus: nested factors, the same bytes, groups and families, marks, bad input; and the command
around it."""

from __future__ import annotations

import json
import math
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from triglot.augment import expand
from triglot.augment.apply import Augmenter
from triglot.augment.lexicon import Lexicon, split_words, switch
from triglot.augment.settings import AugmentSettings, Part
from triglot.commands import augment as augmenting
from triglot.corpus.formats.pair_writer import records
from triglot.corpus.formats.pairs import read_training
from triglot.corpus.formats.registry import locate
from triglot.corpus.parallel import CorpusBuilder, ParallelCorpus, concat, variant_id
from triglot.files import InputError

TYPOS = Part(("swap", "delete"), share=0.6, rate=0.5)
CASING = Part(("casing",), share=0.4, rate=1.0)


def corpus_of(rows: int = 20) -> ParallelCorpus:
    """Questions in two languages, passages in two others as well, two questions a passage, hard negatives."""
    builder = CorpusBuilder("test")
    for n in range(rows):
        for lang in ("en", "de"):
            builder.text(f"q{n}", lang, f"{lang} question number {n} about thing{n}")
        for lang in ("en", "de", "fr"):
            builder.text(f"p{n // 2}", lang, f"{lang} passage number {n // 2} that answers it", title=f"T{n // 2}")
    for n in range(rows):
        builder.row(f"q{n}", f"p{n // 2}", [f"p{(n // 2 + 1) % ((rows + 1) // 2)}"])
    return builder.build()


def augmenter(side: str = "both", seed: int = 1, parts: tuple[Part, ...] = (TYPOS, CASING)) -> Augmenter:
    return Augmenter(AugmentSettings(parts, side=side), seed=seed)


def written(folder: Path, factors: list[float], **given: Any) -> dict[float, list[str]]:
    files = expand.file_names(folder, factors)
    expand.write(corpus_of(), augmenter(**given), files)
    return {factor: path.read_text("utf-8").splitlines() for factor, path in files.items()}


@pytest.mark.slow
@given(
    st.lists(st.floats(1, 4.5), min_size=1, max_size=5, unique=True),
    st.integers(0, 99),
    st.sampled_from(["query", "passage", "both"]),
)
@settings(max_examples=40, deadline=None)
def test_larger_factors_contain_smaller_ones(factors: list[float], seed: int, side: str) -> None:
    factors = sorted(factors)
    corpus = corpus_of(12)
    of: dict[float, list[str]] = {factor: [] for factor in factors}
    for smallest, record in expand.lines(corpus, augmenter(side, seed), factors):
        for factor in factors:
            if factor >= smallest:
                of[factor].append(json.dumps(record))
    for small, large in pairwise(factors):
        assert set(of[small]) <= set(of[large])
    for factor in factors:
        assert len(of[factor]) == len(set(of[factor]))
        # Whichever other factors were asked for along with it.
        alone = [json.dumps(record) for _, record in expand.lines(corpus, augmenter(side, seed), [factor])]
        assert of[factor] == alone
        rows: dict[int, set[str]] = {}
        for line in of[factor]:
            record = json.loads(line)
            rows.setdefault(record.get("augmented", {"copy": 0})["copy"], set()).add(
                record["query_group"].partition("~~")[0]
            )
        assert len(rows[0]) == 12
        assert max(rows) <= math.ceil(factor) - 1


def test_a_factor_of_one_is_the_corpus() -> None:
    corpus = corpus_of()
    assert [record for _, record in expand.lines(corpus, None, [1])] == list(records(corpus))


def test_whole_factors_have_every_row_in_every_copy() -> None:
    corpus = corpus_of()
    changing = augmenter(parts=(Part(("casing",), share=1.0, rate=1.0),))
    lines = [record for _, record in expand.lines(corpus, changing, [3])]
    assert len(lines) == 3 * len(list(records(corpus)))
    half = [record for _, record in expand.lines(corpus_of(400), changing, [1.5])]
    assert 0.4 < len(half) / len(list(records(corpus_of(400)))) - 1 < 0.6


def test_the_same_seed_gives_the_same_bytes_and_another_seed_others(tmp_path: Path) -> None:
    first, again = (written(tmp_path / name, [1, 2, 3.5]) for name in ("a", "b"))
    assert first == again
    assert {path.name for path in (tmp_path / "a").iterdir()} == {"x1.jsonl", "x2.jsonl", "x3.5.jsonl"}
    other = written(tmp_path / "c", [1, 2, 3.5], seed=2)
    assert other[1] == first[1]
    assert other[2] != first[2]


def test_blocks_do_not_matter(monkeypatch: pytest.MonkeyPatch) -> None:
    whole = [record for _, record in expand.lines(corpus_of(), augmenter(), [2.5])]
    monkeypatch.setattr(expand, "ROWS_AT_ONCE", 3)
    assert [record for _, record in expand.lines(corpus_of(), augmenter(), [2.5])] == whole


@pytest.mark.parametrize("side", ["query", "passage", "both"])
def test_lines_say_what_was_done_and_are_changed(side: str) -> None:
    corpus = corpus_of()
    clean = {(r["query_lang"], r["query_group"]): r["query"] for r in records(corpus)}
    passages = {(p["lang"], p["group"]): p["text"] for r in records(corpus) for p in r["positive_passages"]}
    for _, record in expand.lines(corpus, augmenter(side), [4]):
        if "augmented" not in record:
            continue
        how, passage = record["augmented"], record["positive_passages"][0]
        assert how["query"] or how["passage"]
        assert {how["query"], how["passage"]} <= {"", "swap", "delete", "casing"}
        assert (record["query"] != clean[record["query_lang"], record["query_group"].partition("~~")[0]]) == bool(
            how["query"]
        )
        assert (passage["text"] != passages[passage["lang"], passage["group"].partition("~~")[0]]) == bool(
            how["passage"]
        )
        assert (variant_id("", how["copy"]) in record["query_group"]) == (side != "passage")
        assert (variant_id("", how["copy"]) in passage["group"]) == (side != "query")


@pytest.mark.parametrize("shape", ["tevatron", "flag"])
@pytest.mark.parametrize("side", ["query", "passage", "both"])
def test_read_back_copies_are_of_one_family_and_nothing_is_lost(tmp_path: Path, side: str, shape: Any) -> None:
    corpus = corpus_of()
    expansion = expand.write(corpus, augmenter(side), {3.0: tmp_path / "x.jsonl"}, output_format=shape)
    again, tally = read_training(tmp_path / "x.jsonl")
    assert tally.left_out == {}
    assert expansion.lines == {3.0: tally.read["lines"]}
    both = concat([again, again])  # ids get a prefix there
    for one in (again, both):
        ids = one.group_ids.to_pylist()
        families: dict[str, set[int]] = {}
        for row in range(len(one)):
            name = ids[one.passage[row]].partition("~~")[0]
            families.setdefault(name, set()).add(int(one.family[one.passage[row]]))
        assert all(len(found) == 1 for found in families.values())
        assert len(families) >= 10
        assert len(set.union(*families.values())) == 10  # and no others are tied


def test_plain_columns_stay_plain(tmp_path: Path) -> None:
    lines = [record for _, record in expand.lines(corpus_of(), augmenter(), [2], output_format="sentence-transformers")]
    assert {key for line in lines for key in line} == {"anchor", "positive", "negative_1"}


def test_examples_show_each_kind_in_each_language() -> None:
    shown = expand.examples(corpus_of(60), augmenter(), 2)
    assert {(one.kind, one.lang) for one in shown} == {
        (k, lang) for k in ("swap", "delete", "casing") for lang in ("de", "en", "fr")
    }
    assert all(one.before != one.after for one in shown)
    assert (
        max(sum(1 for one in shown if (one.kind, one.lang) == key) for key in {(one.kind, one.lang) for one in shown})
        == 2
    )
    assert augmenting.excerpts("a" * 200 + "b" + "c" * 200, "a" * 200 + "x" + "c" * 200, 30) == (
        "…" + "a" * 10 + "b" + "c" * 19 + "…",
        "…" + "a" * 10 + "x" + "c" * 19 + "…",
    )


def test_scripts_without_spaces_are_switched_by_words_of_the_lists() -> None:
    lexicon = Lexicon({("en", "zh"): (["super bowl", "win", "who"], ["超级碗", "赢得", "谁"])})
    units, gaps = split_words("谁赢得了 50届超级碗?", "zh", lexicon)
    assert units == ["谁", "赢得", "了", "50", "届", "超级碗", "?"]
    assert gaps == ["", "", "", " ", "", "", "", ""]
    given = {"rate": 1.0, "into": ["en"], "mode": "bilingual", "seed": 1}
    assert switch(["谁赢得了 50届超级碗?"], ["zh"], lexicon, **given) == ["who win了 50届super bowl?"]


# --- bad input


@pytest.mark.parametrize(
    ("factors", "message"),
    [
        ([0.5], r"factor: 0\.5 is below 1"),
        ([float("nan")], "factor: nan is below 1"),
        ([2, 1e6], r"factor: 1e\+06 is above 1000"),
        ([2, 2], "factor: 2 comes after 2"),
        ([1, 4, 2], "factor: 2 comes after 4"),
        ([], "none"),
        ([math.nan], "nan"),
    ],
)
def test_bad_factors(factors: list[float], message: str) -> None:
    with pytest.raises(InputError, match=message):
        expand.check_factors(factors)


def test_bad_files_and_kinds(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="2 factors need a folder"):
        expand.file_names(tmp_path / "x.jsonl", [1, 2])
    (tmp_path / "file").write_text("")
    with pytest.raises(InputError, match="is a file"):
        expand.file_names(tmp_path / "file", [1])
    with pytest.raises(InputError, match="no kind of change"):
        list(expand.lines(corpus_of(), None, [2]))
    with pytest.raises(InputError, match="output_format: 'tevatrom' is unknown; did you mean 'tevatron'"):
        list(expand.lines(corpus_of(), None, [1], output_format="tevatrom"))  # type: ignore[arg-type]


@pytest.fixture
def pairs(tmp_path: Path) -> Path:
    path = tmp_path / "pairs.jsonl"
    path.write_text("".join(json.dumps(record) + "\n" for record in records(corpus_of())), encoding="utf-8")
    return path


def run(
    pairs: Path, out: Path | None, *, kinds: list[str] | None = None, parts: list[str] | None = None, **given: Any
) -> dict[str, Any]:
    composed = {"rate": 0.5, "share": 1.0} | {
        key: given.pop(key) for key in ("rate", "share", "side", "lists", "half", "into") if key in given
    }
    return augmenting.augment(
        augmenting.job(f"pairs:{pairs}", out, composed, kinds=kinds or [], parts=parts or [], **given)
    )


def test_a_job_writes_files_and_what_it_did(pairs: Path, tmp_path: Path) -> None:
    told = run(pairs, tmp_path / "out", kinds=["typo", "casing"], factor=["1", "2"])
    assert {path.name for path in (tmp_path / "out").iterdir()} == {"x1.jsonl", "x2.jsonl", "augment.json"}
    assert json.loads((tmp_path / "out" / "augment.json").read_text("utf-8")) == json.loads(json.dumps(told))
    assert told["files"]["x1.jsonl"] == {"factor": 1.0, "lines": 60}
    assert sorted(told["changed"]) == ["casing", "delete", "insert", "keyboard", "substitute", "swap"]
    assert (
        sum(sum(of.values()) for table in (told["changed"], told["unchanged"]) for of in table.values()) + told["clean"]
        == 40
    )
    run(pairs, tmp_path / "one.jsonl", kinds=["typo"], factor=["2"])
    assert (tmp_path / "one.json").is_file()


def test_kinds_and_parts_say_the_same() -> None:
    by_kind = augmenting.compose(["swap,delete", "casing"], [], rate=0.3, share=0.8)
    by_part = augmenting.compose(
        [], ["kinds=swap,delete rate=0.3 share=0.4", "kinds=[casing] rate=0.3 share=0.4"], rate=0, share=1
    )
    assert by_kind == by_part
    assert augmenting.compose([], ["kinds=typo"], rate=0, share=1).parts[0].kinds == (
        "delete",
        "swap",
        "insert",
        "substitute",
        "keyboard",
    )


def test_a_recipe_says_what_is_done(pairs: Path, tmp_path: Path) -> None:
    recipe = tmp_path / "mine.yaml"
    recipe.write_text(
        "seed: 7\ndata: here\naugment: {lists: muse, half: 0, segment: 0.2, parts: [{kinds: [swap], share: 0.5, "
        "rate: 0.9}]}\n"
    )
    found, seed = augmenting.of_recipe(str(recipe), ["augment.side=both"])
    assert (seed, found.lists, found.half, found.side, found.segment) == (7, "here/muse", 0, "both", 0.0)
    told = run(pairs, tmp_path / "out", recipe=str(recipe))
    assert told["seed"] == 7
    assert 0 < told["clean"] < 40
    with pytest.raises(InputError, match=r"augment\.parts is empty; the arms robust, typos, codeswitch have"):
        augmenting.of_recipe("robust-cpu")


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"kinds": ["tpyo"]}, "kinds: 'tpyo' is unknown"),
        ({"kinds": ["swp"]}, "kinds: 'swp' is unknown; did you mean 'swap'"),
        ({"kinds": ["swap"], "rate": 1.5}, r"rate: 1\.5 is not between 0 and 1"),
        ({"kinds": ["swap"], "share": -1}, "share: -1 is not between 0 and 1"),
        ({"kinds": ["swap"], "side": "querry"}, "side: 'querry' is unknown; did you mean 'query'"),
        ({"kinds": ["codeswitch"]}, "lists: is missing"),
        ({"kinds": ["swap"], "half": 3}, "half: 3 is neither 0 nor 1"),
        ({"kinds": ["swap"], "factor": ["two"]}, "factor: 'two' is not a number"),
        ({"kinds": ["swap"], "factor": ["0.2"]}, r"factor: 0\.2 is below 1"),
        ({"kinds": ["swap"], "factor": ["4", "2"]}, "factor: 2 comes after 4"),
        ({"kinds": [], "factor": ["2"]}, "no kind of change is given"),
        ({"kinds": ["swap"], "output_format": "flags"}, "--output-format: 'flags' is unknown; did you mean 'flag'"),
        ({"kinds": ["swap"], "recipe": "demo"}, "recipe: has its own kinds"),
        ({"kinds": ["swap"], "parts": ["kinds=swap"]}, "kind: goes with --rate and --share"),
        ({"parts": ["kinds=swap rtae=0.2"]}, "rtae: no such setting; did you mean 'rate'"),
        ({"kinds": ["swap"], "settings": ["augment.side=both"]}, "replace settings of a --recipe"),
        ({"kinds": ["swap"], "options": ["langauge=de"]}, "no option 'langauge'; did you mean 'language'"),
        ({"kinds": ["swap"], "out": None}, "--out: is missing"),
    ],
)
def test_bad_words(pairs: Path, tmp_path: Path, given: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError, match=message):
        run(pairs, given.pop("out", tmp_path / "out"), **given)
    assert not (tmp_path / "out").exists()


def test_bad_lists(pairs: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    lists = tmp_path / "lists"
    lists.mkdir()
    (lists / "en-es.txt").write_text("question\tpregunta\nbroken\n", encoding="utf-8")
    with pytest.raises(InputError, match="into: no word list for 'esp'; did you mean 'es'"):
        run(pairs, tmp_path / "out", kinds=["codeswitch"], lists=str(lists), into=["esp"])
    with caplog.at_level("INFO", "triglot"):
        told = run(pairs, tmp_path / "out", kinds=["codeswitch"], lists=str(lists), rate=1.0)
    assert "left out: 1 x line that has not two words" in caplog.text
    assert f"(first: {lists / 'en-es.txt'}:2)" in caplog.text
    assert "no word list for de, fr" in caplog.text
    assert told["changed"] == {"codeswitch": {"en": 20}}
    assert told["unchanged"] == {"codeswitch": {"de": 20}}
    for line in (tmp_path / "out" / "x2.jsonl").read_text("utf-8").splitlines()[60:]:
        assert json.loads(line)["query"].startswith("en pregunta number")
    (lists / "en-es.txt").write_text("broken\n", encoding="utf-8")
    with pytest.raises(InputError, match=r"en-es\.txt: no entry in it can be read"):
        run(pairs, tmp_path / "out", kinds=["codeswitch"], lists=str(lists))
    (lists / "en-es.txt").unlink()
    (lists / "fi-en.txt").write_text("talo house\n", encoding="utf-8")
    with pytest.raises(InputError, match="nowhere: no file such as"):
        run(pairs, tmp_path / "out", kinds=["codeswitch"], lists=str(tmp_path / "nowhere"))


def test_sources_are_told_by_format_or_by_name(pairs: Path) -> None:
    for source in (f"pairs:{pairs}", str(pairs)):
        found = locate(source)
        assert (found.format, str(found.path)) == ("pairs", str(pairs))
    assert locate("atlas").format == "atlas"
    with pytest.raises(InputError, match="'piars' is not a known format; did you mean 'pairs'"):
        locate(f"piars={pairs}")


@pytest.mark.slow
def test_real_questions_with_everything_at_once(data: Path, tmp_path: Path) -> None:
    settings = augmenting.compose(
        ["typo,diacritics", "codeswitch"], [], rate=0.3, share=1.0, side="both", lists=str(data / "muse"), half=0
    )
    job = augmenting.Job(
        f"squad:{data / 'xquad-r'}", tmp_path / "out", settings, factors=(1.0, 1.5, 2.0), languages=("de", "zh")
    )
    told = augmenting.augment(job)
    assert told["changed"]["codeswitch"]["zh"] > 500
    assert told["changed"]["swap"]["de"] > 100
    again, tally = read_training(tmp_path / "out" / "x2.jsonl")
    assert tally.left_out == {}
    assert np.isin(["de", "zh"], again.languages).all()
