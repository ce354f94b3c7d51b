"""What searches may change, what they may spend, and that they find what an exhaustive search finds."""

from __future__ import annotations

import itertools
import json
import re
from dataclasses import replace

import numpy as np
import pytest

from tests.attack.conftest import LISTS, Letters
from triglot.attack import STANDARD, AttackSettings, Lexicon, attack_queries
from triglot.attack.search import beam, candidates_of, draw, greedy, part_texts, worst_of
from triglot.attack.target import Target
from triglot.augment.codeswitch import restore, split_units
from triglot.augment.lexicon import split_words, switch
from triglot.corpus.formats.wordlist import half_of, read_lists
from triglot.encoder.once import encode_set
from triglot.files import InputError


@pytest.fixture
def target(encoder: Letters, benchmark) -> Target:
    return Target(encoder, benchmark, *encode_set(encoder, benchmark), depth=20)


def langs_of(benchmark) -> list[str]:
    return [benchmark.languages[code] for code in benchmark.queries.lang]


def test_margin_is_mean_of_relevant_less_best_other(target: Target, benchmark) -> None:
    margins = target.margins(target.queries, np.arange(len(target.queries)))
    scores = target.queries @ target.passages.T
    relevant = np.zeros_like(scores, bool)
    relevant[benchmark.judgements[:, 0], benchmark.judgements[:, 1]] = True
    expected = [scores[q][relevant[q]].mean() - scores[q][~relevant[q]].max() for q in range(len(scores))]
    np.testing.assert_allclose(margins, expected, atol=1e-6)


def test_a_passage_that_is_the_query_itself_does_not_compete(encoder: Letters, benchmark) -> None:
    queries, passages = encode_set(encoder, benchmark)
    best = Target(encoder, benchmark, queries, passages).others[:, 0]
    same = np.column_stack([np.arange(len(best)), best])
    without = Target(encoder, replace(benchmark, same=same), queries, passages)
    assert not (without.others == best[:, None]).any()


def test_words_are_replaced_by_their_translations_only(benchmark, lexicon: Lexicon) -> None:
    texts, langs = benchmark.queries.texts, langs_of(benchmark)
    changed = switch(texts, langs, lexicon, rate=1.0, into=lexicon.languages, mode="multilingual", seed=3)
    for before, after, lang in zip(texts, changed, langs, strict=True):
        for a, b in zip(split_units(before), split_units(after), strict=True):
            options = [lexicon.candidates(a, lang, into) for into in lexicon.languages if into != lang]
            assert any(b in one for one in options) or (b == a and not all(options))
    assert changed == switch(texts, langs, lexicon, rate=1.0, into=lexicon.languages, mode="multilingual", seed=3)
    assert changed != switch(texts, langs, lexicon, rate=1.0, into=lexicon.languages, mode="multilingual", seed=4)
    assert switch(texts, langs, lexicon, rate=0.0, into=lexicon.languages, mode="multilingual", seed=3) == texts


def test_a_bilingual_text_has_one_other_language(benchmark, lexicon: Lexicon) -> None:
    texts = benchmark.queries.texts
    changed = switch(texts, langs_of(benchmark), lexicon, rate=1.0, into=["de", "es"], mode="bilingual", seed=3)
    for before, after, lang in zip(texts, changed, langs_of(benchmark), strict=True):
        fits = [
            into
            for into in ("de", "es")
            if into != lang
            and all(
                b in (lexicon.candidates(a, lang, into) or [a])
                for a, b in zip(split_units(before), split_units(after), strict=True)
            )
        ]
        assert fits


def test_words_link_two_languages_through_the_pivot(lexicon: Lexicon) -> None:
    assert lexicon.candidates("Berg", "de", "es") == ["montaña"]
    assert lexicon.candidates("berg", "de", "en") == ["mountain"]
    assert lexicon.candidates("Winter", "de", "en") == []  # the same word is no change
    assert lexicon.candidates("unknown", "de", "en") == []


def test_the_halves_of_the_lists_are_disjoint_and_together_whole(tmp_path) -> None:
    words = LISTS["en", "de"][0]
    for name, turned in (("en-de", 1), ("de-en", -1)):
        rows = ["\t".join(pair[::turned]) for pair in zip(*LISTS["en", "de"], strict=True)]
        (tmp_path / f"{name}.tsv").write_text("\n".join(rows), encoding="utf-8")
    halves = [Lexicon(read_lists(tmp_path, half=half)[0]) for half in (0, 1)]
    for word in words:
        found = [bool(half.candidates(word, "en", "de")) or word == "winter" for half in halves]
        assert found[half_of(word)]
        assert word == "winter" or not found[1 - half_of(word)]


def test_worst_of_more_draws_is_no_better_for_the_victim(target: Target, benchmark, lexicon: Lexicon) -> None:
    query = np.arange(len(benchmark.queries))
    margins = []
    for tries in (1, 4, 8):
        attack = AttackSettings(kinds=("substitute", "codeswitch"), rate=0.5, search="worst", tries=tries, half=None)
        found = worst_of(target, attack, lexicon)
        margins.append(target.margins(target.encode(found.texts), query))
        assert (found.calls == tries).all()
    assert (margins[1] <= margins[0] + 1e-6).all()
    assert (margins[2] <= margins[1] + 1e-6).all()
    assert margins[2].mean() < margins[0].mean()
    few = AttackSettings(kinds=("substitute",), rate=0.5, search="worst", tries=8, budget=2)
    assert (worst_of(target, few, None).calls == 2).all()


def test_a_wide_beam_finds_the_worst_of_all_switched_texts(target: Target, benchmark, lexicon: Lexicon) -> None:
    texts, langs = benchmark.queries.texts[:9], langs_of(benchmark)[:9]
    small = Target(target.encoder, benchmark, target.queries, target.passages, depth=20)
    options = candidates_of(langs, AttackSettings(kinds=("codeswitch",), half=None), lexicon)
    found = beam(
        small,
        part_texts(benchmark.queries.texts, langs_of(benchmark), lexicon),
        lambda q, p, u: options(q, p, u) if q < 9 else [],
        rate=1.0,
        width=500,
        budget=10**6,
    )
    for q, text in enumerate(texts):
        units, gaps = split_words(text, langs[q], lexicon)
        every = [
            restore(words, gaps) for words in itertools.product(*[[u, *options(q, i, u)] for i, u in enumerate(units)])
        ]
        lowest = small.margins(small.encode(every), np.full(len(every), q)).min()
        reached = small.margins(small.encode([found.texts[q]]), np.array([q]))[0]
        assert reached == pytest.approx(lowest, abs=1e-6)


def test_texts_without_spaces_are_replaced_by_words_of_the_lists() -> None:
    lexicon = Lexicon({("en", "zh"): (["super bowl", "win", "who"], ["超级碗", "赢得", "谁"])})
    (units, gaps), (whole, _) = (
        part_texts(["谁赢得超级碗"], ["zh"], lexicon)[0],
        part_texts(["谁赢得超级碗"], ["zh"], None)[0],
    )
    assert units == ["谁", "赢得", "超级碗"]
    assert whole == ["谁赢得超级碗"]
    assert restore(["who", "win", "超级碗"], gaps) == "who win超级碗"


@pytest.mark.parametrize("kinds", [("codeswitch",), ("substitute",)])
def test_searches_keep_their_budget_and_never_help_the_victim(
    target: Target, benchmark, lexicon: Lexicon, kinds
) -> None:
    texts, langs = benchmark.queries.texts, langs_of(benchmark)
    query, parted = np.arange(len(texts)), part_texts(texts, langs, lexicon)
    clean = target.margins(target.queries, query)
    options = candidates_of(langs, AttackSettings(kinds=kinds, tries=3, half=None), lexicon)
    spent = {}
    for name, search in (
        ("greedy", lambda budget: greedy(target, parted, options, rate=0.5, budget=budget)),
        ("beam", lambda budget: beam(target, parted, options, rate=0.5, width=3, budget=budget)),
    ):
        for budget in (1, 7, 100):
            found = search(budget)
            assert (found.calls <= budget).all()
            assert found.calls.max() > 0
            margins = target.margins(target.encode(found.texts), query)
            assert (margins <= clean + 1e-6).all()
            for before, after in zip(texts, found.texts, strict=True):
                pairs = list(zip(split_units(before), split_units(after), strict=True))
                assert sum(a != b for a, b in pairs) <= np.ceil(0.5 * sum(a[0].isalnum() for a, _ in pairs))
            spent[name, budget] = margins.mean()
        assert spent[name, 100] <= spent[name, 7] <= spent[name, 1]
        assert spent[name, 100] < clean.mean()


def test_random_draws_differ_by_turn_and_not_by_call(benchmark) -> None:
    attack = AttackSettings(kinds=("insert", "keyboard"), rate=0.5)
    texts, langs = benchmark.queries.texts, langs_of(benchmark)
    assert draw(texts, langs, attack, None) == draw(texts, langs, attack, None)
    assert draw(texts, langs, attack, None) != draw(texts, langs, attack, None, turn=1)


def test_an_attack_lowers_what_is_measured_and_writes_readable_texts(
    encoder: Letters, benchmark, lexicon: Lexicon, tmp_path
) -> None:
    attacks = [
        AttackSettings(kinds=("substitute",), rate=0.0, name="nothing"),
        AttackSettings(kinds=("substitute",), rate=1.0, search="worst"),
        AttackSettings(kinds=("codeswitch",), rate=1.0, search="greedy", half=None),
    ]
    clean, done = attack_queries(encoder, benchmark, attacks, lexicon_of=lambda half: lexicon)
    nothing, worst, greedily = done
    assert nothing.evaluation.summary["mono"] == clean.summary["mono"]
    assert nothing.evaluation.summary["robustness"]["changed"] == 0
    for one in (worst, greedily):
        assert one.evaluation.summary["mono"]["map"] < clean.summary["mono"]["map"]
        assert one.evaluation.summary["robustness"]["drop"]["mono"] > 0
    worst.write_texts(tmp_path / "texts.jsonl")
    lines = [json.loads(line) for line in (tmp_path / "texts.jsonl").read_text(encoding="utf-8").splitlines()]
    assert [line["query_id"] for line in lines] == benchmark.queries.ids
    assert all(line["clean"] == text for line, text in zip(lines, benchmark.queries.texts, strict=True))
    assert {line["lang"] for line in lines} == {"de", "en", "es"}


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"kinds": ("typo",)}, "kinds: 'typo' is unknown"),
        ({"kinds": ()}, "kinds: is empty"),
        ({"search": "worse"}, "'worse' is unknown (nearest: 'worst')"),
        ({"rate": 1.5}, "rate: 1.5 is not between 0 and 1"),
        ({"budget": 0}, "budget: 0 is below 1"),
        ({"half": 2}, "half: 2 is neither 0 nor 1"),
        ({"eps": 0.0}, "eps: 0.0 is not a positive number"),
        ({"name": "a/b"}, "name: 'a/b'"),
    ],
)
def test_bad_settings(values, message: str) -> None:
    with pytest.raises(InputError) as error:
        AttackSettings(**values)
    assert message.split(" (nearest")[0] in str(error.value)
    if "nearest" in message:
        assert re.search(r"worst", str(error.value))


def test_attacks_that_cannot_run(encoder: Letters, benchmark, lexicon: Lexicon) -> None:
    with pytest.raises(InputError, match=r"needs a folder of word lists"):
        attack_queries(encoder, benchmark, [AttackSettings(kinds=("codeswitch",))])
    with pytest.raises(InputError, match=r"two are called"):
        attack_queries(encoder, benchmark, [AttackSettings(), AttackSettings()])
    with pytest.raises(InputError, match=r"needs a model whose gradients"):
        attack_queries(encoder, benchmark, [AttackSettings(search="embedding")])
    with pytest.raises(InputError, match=r"no word list for 'fr'"):
        attack_queries(
            encoder, benchmark, [AttackSettings(kinds=("codeswitch",), into=("fr",))], lexicon_of=lambda half: lexicon
        )
    with pytest.raises(InputError, match=r"no word list with 'en'"):
        Lexicon({("de", "es"): (["Berg"], ["montaña"])})


def test_the_standard_suite_has_different_names() -> None:
    labels = [attack.label for attack in STANDARD]
    assert len(set(labels)) == len(labels)
    assert "worst8-mix-0.3" in labels
    assert "typos-0.2" in labels
