"""Mining against a plain double loop, and what must hold whatever the corpus."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.mine.small import LANGUAGES, corpus_of, embed_of, naive, safe_pairs
from triglot import memory
from triglot.corpus.parallel import CorpusBuilder
from triglot.files import InputError
from triglot.mine import MineSettings, mine, negatives_of, render, run
from triglot.mine.lines import lines_of, one_a_row, pools_of, quotas

RULES = ["own", "others", "balanced", {"de": 1.0, "th": 3.0}]


def parts(corpus, wanted):
    lines = lines_of(corpus)
    pools = pools_of(corpus, lines)
    return lines, pools, quotas(corpus, lines, pools, wanted)


@pytest.mark.parametrize("rule", RULES, ids=str)
@pytest.mark.parametrize(
    "bounds",
    [{}, {"margin": 0.1}, {"relative_margin": 0.2}, {"max_score": 0.5, "min_score": -0.2}, {"skip": 2, "depth": 7}],
    ids=str,
)
def test_the_negatives_are_those_of_a_double_loop(rule, bounds) -> None:
    corpus = corpus_of(3, rows=30)
    wanted = MineSettings(negative_languages=rule, negatives=4, **bounds)
    lines, _, quota = parts(corpus, wanted)
    embed = embed_of(corpus)
    found = mine(corpus, wanted, embed=embed)
    expected = naive(corpus, lines, embed, wanted, quota)
    for line in range(len(lines)):
        chosen = [text for text in found.text[line].tolist() if text >= 0]
        assert len({int(corpus.text_group[text]) for text in chosen}) == len(chosen)
        for lang in range(len(corpus.languages)):
            here = [text for text in chosen if corpus.text_lang[text] == lang]
            allowed = expected[line][lang]
            # The best of its language in order, less those whose meaning another language of the line has.
            taken = {int(corpus.text_group[text]) for text in chosen if text not in here}
            free = [text for text in allowed if int(corpus.text_group[text]) not in taken]
            best = [text for text in allowed if text in here or int(corpus.text_group[text]) not in taken]
            assert here == best[: len(here)]
            assert len(here) == quota[line, lang] or len(here) == len(free) < quota[line, lang]


@pytest.mark.parametrize("skip", [0, 3])
def test_any_takes_the_best_whatever_the_language(skip) -> None:
    corpus = corpus_of(4, rows=30, repeats=False)
    wanted = MineSettings(negative_languages="any", negatives=5, skip=skip)
    lines, _, _ = parts(corpus, wanted)
    embed = embed_of(corpus)
    found = mine(corpus, wanted, embed=embed)
    expected = naive(corpus, lines, embed, MineSettings(negatives=5), np.ones((len(lines), 4)))
    vectors = embed(np.arange(len(corpus.texts)), "query"), embed(np.arange(len(corpus.texts)), "passage")
    for line in range(len(lines)):
        scores = {
            text: float(vectors[0][lines.query[line]] @ vectors[1][text]) for one in expected[line] for text in one
        }
        ranked = sorted(scores, key=lambda text: -scores[text])[skip:]
        groups: dict[int, int] = {}
        for text in ranked:
            groups.setdefault(int(corpus.text_group[text]), text)
        assert found.text[line].tolist() == list(groups.values())[:5]


@pytest.mark.slow
@settings(max_examples=60, deadline=None)
@given(
    st.integers(0, 10**6),
    st.sampled_from(["dense", "bm25", "both", "random"]),
    st.sampled_from([*RULES, "any"]),
    st.sampled_from(["top", "random"]),
    st.integers(1, 5),
)
def test_never_the_family_of_the_row_and_never_too_many(seed, source, rule, sampling, negatives) -> None:
    corpus = corpus_of(seed, rows=26, gaps=0.4)
    wanted = MineSettings(source=source, negative_languages=rule, sampling=sampling, negatives=negatives, seed=seed)
    try:
        lines, _, quota = parts(corpus, wanted)
    except InputError:  # a language that has too few passages
        return
    found = mine(corpus, wanted, embed=embed_of(corpus, seed))
    banned = safe_pairs(corpus)
    texts = ["".join(text.lower().split()) for text in corpus.texts.to_pylist()]
    number = Counter()
    for line in range(len(lines)):
        chosen = [text for text in found.text[line].tolist() if text >= 0]
        groups = [int(corpus.text_group[text]) for text in chosen]
        assert len(set(groups)) == len(groups)
        assert not set(groups) & banned[int(lines.row[line])]
        positives = {
            texts[i] for i, group in enumerate(corpus.text_group.tolist()) if group in banned[int(lines.row[line])]
        }
        assert not {texts[text] for text in chosen} & positives
        by_language = np.bincount(corpus.text_lang[chosen] if chosen else [], minlength=len(corpus.languages))
        assert (by_language <= quota[line]).all()
        number.update(corpus.languages[lang] for lang in corpus.text_lang[chosen].tolist())
    report = found.report
    assert {code: one["negatives"] for code, one in report["languages"].items() if one["negatives"]} == dict(number)
    assert sum(report["short"].values()) == int(((found.text >= 0).sum(axis=1) < negatives).sum())
    assert render(report)


@pytest.mark.parametrize("negatives", [3, 4, 7])
@pytest.mark.parametrize(
    ("rule", "shares"), [("balanced", [1 / 4] * 4), ({"de": 1, "en": 2, "th": 1.5}, [1 / 4.5, 2 / 4.5, 0, 1.5 / 4.5])]
)
def test_shares_hold_for_each_line_to_within_one_and_over_all_exactly(rule, shares, negatives) -> None:
    corpus = corpus_of(5, rows=80, gaps=0.0, repeats=False)
    wanted = MineSettings(negative_languages=rule, negatives=negatives)
    lines, _, quota = parts(corpus, wanted)
    assert (quota.sum(axis=1) == negatives).all()
    assert (np.abs(quota - negatives * np.array(shares)) < 1).all()
    assert np.abs(quota.sum(axis=0) / quota.sum() - shares).max() < 3 / len(lines)
    found = mine(corpus, wanted, embed=embed_of(corpus))
    counts = np.bincount(corpus.text_lang[found.text.ravel()], minlength=4)
    assert (counts == quota.sum(axis=0)).all()
    # So do the first of each line: languages take turns.
    if rule == "balanced":
        first = np.bincount(corpus.text_lang[found.text[:, 0]], minlength=4)
        assert first.min() > len(lines) / 4 * 0.7


def test_others_gives_every_other_language_the_same_and_the_own_none() -> None:
    corpus = corpus_of(5, rows=60, gaps=0.0, repeats=False)
    lines, _, quota = parts(corpus, MineSettings(negative_languages="others", negatives=4))
    for lang in range(4):
        total = quota[lines.lang == lang].sum(axis=0)
        assert total[lang] == 0
        assert np.ptp(np.delete(total, lang)) <= 3


def test_a_line_s_negatives_do_not_depend_on_the_lines_beside_it() -> None:
    corpus = corpus_of(6, rows=40, gaps=0.0)
    embed = embed_of(corpus)
    for source in ("dense", "random"):
        wanted = MineSettings(source=source, sampling="random", negative_languages="own", negatives=3)
        whole = mine(corpus, wanted, embed=embed)
        lines = lines_of(corpus)
        some = np.random.default_rng(0).permutation(len(lines))[:30]
        part = mine(corpus, wanted, embed=embed, lines=lines.select(some), threads=1)
        np.testing.assert_array_equal(part.text, whole.text[some])
    other = mine(corpus, MineSettings(sampling="random", negatives=3, seed=2), embed=embed)
    assert (other.text != mine(corpus, MineSettings(sampling="random", negatives=3), embed=embed).text).any()


def test_random_sampling_draws_within_skip_and_depth() -> None:
    corpus = corpus_of(7, rows=60, gaps=0.0, repeats=False)
    embed = embed_of(corpus)
    ranked = mine(corpus, MineSettings(negatives=20, depth=20), embed=embed).text
    drawn = mine(corpus, MineSettings(negatives=5, skip=4, depth=20, sampling="random"), embed=embed).text
    places = Counter()
    for row, some in zip(ranked.tolist(), drawn.tolist(), strict=True):
        places.update(row.index(text) for text in some)
    assert min(places) == 4
    assert max(places) == 19
    assert max(places.values()) < 2 * min(places.values())


def test_bm25_in_scripts_without_spaces_and_across_translations() -> None:
    builder = CorpusBuilder("asia")
    passages = {
        "zh": ["长江是亚洲最长的河流。", "黄山在安徽省。", "长城是中国的古代建筑。", "长江大桥建于武汉。"],
        "th": ["แม่น้ำเจ้าพระยาไหลผ่านกรุงเทพ", "ภูเขาที่สูงที่สุดในไทย", "แม่น้ำโขงไหลผ่านลาว", "อาหารไทยมีรสเผ็ด"],
        "ja": [
            "富士山は日本一高い山です。",
            "東京は日本の首都です。",
            "富士山の近くに湖があります。",
            "京都には寺が多い。",
        ],
    }
    questions = {"zh": "亚洲最长的河流长江有多长?", "th": "แม่น้ำเจ้าพระยาไหลผ่านที่ไหน", "ja": "富士山の高さは?"}
    for lang, texts in passages.items():
        for number, text in enumerate(texts):
            builder.text(f"p{number}-{lang}", lang, text)
            builder.text(f"q{number}-{lang}", lang, questions[lang] if not number else f"{number}?")
            builder.row(f"q{number}-{lang}", f"p{number}-{lang}")
    corpus = builder.build()
    found = mine(corpus, MineSettings(source="bm25", negatives=1, depth=3))
    texts = corpus.texts.to_pylist()
    best = {
        texts[q]: texts[t] for q, t in zip(found.lines.query.tolist(), found.text[:, 0].tolist(), strict=True) if t >= 0
    }
    assert best[questions["zh"]] == passages["zh"][3]
    assert best[questions["th"]] == passages["th"][2]
    assert best[questions["ja"]] == passages["ja"][2]
    assert found.report["short"] == {"0": 9}  # what shares no word is no candidate


def test_bm25_scores_are_those_of_the_plain_product() -> None:
    from triglot import bm25
    from triglot.mine.search import Search

    corpus = corpus_of(8, rows=50, gaps=0.0, repeats=False)
    lines = lines_of(corpus)
    pools = pools_of(corpus, lines)
    search = Search(corpus, pools)
    strings = corpus.texts.to_pylist()
    for lang in range(4):
        here = lines.select(np.flatnonzero(lines.lang == lang))
        index = bm25.build([strings[i] for i in pools.texts[lang]])
        expected = bm25.scores(index, bm25.bags(index, [bm25.count_tokens(strings[i]) for i in here.query]))
        search.lexical.prepare(here.query, lang)
        np.testing.assert_allclose(search.lexical.scores(here.query, lang), expected, atol=1e-5)
        place = np.searchsorted(pools.texts[lang], here.passage)
        np.testing.assert_allclose(search.lexical.positive(here), expected[np.arange(len(here)), place], atol=1e-5)


def test_questions_are_asked_in_the_language_of_the_passages_where_they_are_translated() -> None:
    corpus = corpus_of(8, rows=20, gaps=0.0, repeats=False)
    found = mine(corpus, MineSettings(source="bm25", negative_languages="others", negatives=3))
    assert found.report["negatives"] == found.report["wanted"]


def test_bitext_is_asked_for_the_other_language() -> None:
    builder = CorpusBuilder("bitext")
    for number in range(12):
        builder.text(f"s{number}", "de", f"Satz {number}")
        builder.text(f"s{number}", "en", f"sentence {number}")
        builder.row(f"s{number}", f"s{number}")
    corpus = builder.build()
    lines = lines_of(corpus)
    assert len(lines) == 24
    assert (corpus.text_lang[lines.query] != lines.lang).all()
    found = mine(corpus, MineSettings(negatives=3), embed=embed_of(corpus))
    assert (corpus.text_group[found.text] != corpus.text_group[lines.query][:, None]).all()


def test_negatives_of_rows_take_turns_over_lines() -> None:
    corpus = corpus_of(9, rows=30, gaps=0.2)
    found = mine(corpus, MineSettings(negatives=3), embed=embed_of(corpus))
    groups = negatives_of(found)
    assert groups.shape == (len(corpus), 3)
    assert groups.dtype == np.int32
    banned = safe_pairs(corpus)
    for row in range(len(corpus)):
        here = np.flatnonzero(found.lines.row == row)
        asked = corpus.text_group[found.text[here]]
        firsts = list(dict.fromkeys(asked.T.ravel().tolist()))[:3]
        assert groups[row].tolist() == firsts
        assert not set(groups[row].tolist()) & banned[row]
    once = one_a_row(lines_of(corpus), 0)
    assert (np.bincount(once.row, minlength=len(corpus)) == 1).all()
    turns = {tuple(one_a_row(lines_of(corpus), turn).lang.tolist()) for turn in range(4)}
    assert len(turns) > 1


def test_the_rank_of_the_positive_and_what_bounds_leave_out_are_counted() -> None:
    corpus = corpus_of(10, rows=40, gaps=0.0, repeats=False)
    embed = embed_of(corpus)
    found = mine(corpus, MineSettings(negatives=2, depth=15, margin=0.1), embed=embed)
    lines, everything = found.lines, np.arange(len(corpus.texts))
    query, passage = embed(everything, "query"), embed(everything, "passage")
    is_passage = np.isin(corpus.text_group, corpus.passage)
    ranks, dropped = [], 0
    banned = safe_pairs(corpus)
    for line in range(len(lines)):
        pool = np.flatnonzero(is_passage & (corpus.text_lang == lines.lang[line]))
        allowed = np.array([t for t in pool if int(corpus.text_group[t]) not in banned[lines.row[line]]])
        positive = query[lines.query[line]] @ passage[lines.passage[line]]
        scores = np.sort(passage[allowed] @ query[lines.query[line]])[::-1]
        ranks.append(1 + int((scores > positive).sum()))
        dropped += int((scores[:15] > positive - 0.1).sum())
    ranks = np.array(ranks)
    told = found.report["positive"]
    assert told["first"] == round(float((ranks == 1).mean()), 4)
    assert told["within"] == round(float((ranks <= 15).mean()), 4)
    assert found.report["left_out"]["candidates"] == dropped
    assert set(LANGUAGES) == set(found.report["languages"])


@pytest.mark.slow
@pytest.mark.parametrize("source", ["dense", "bm25", "both", "random"])
def test_a_depth_larger_than_the_pool_is_all_of_it(source, monkeypatch, caplog) -> None:
    corpus = corpus_of(2)
    settings = MineSettings(source=source, negatives=2, depth=24, negative_languages="balanced", sampling="random")
    embed = None if source in ("bm25", "random") else embed_of(corpus)
    whole = mine(corpus, settings, embed=embed)
    monkeypatch.setattr(run, "_HELD", 5000)  # blocks of few lines: what a large depth makes of them
    caplog.clear()
    with caplog.at_level("INFO", "triglot"):
        deep = mine(corpus, replace(settings, depth=10**6), embed=embed)
    np.testing.assert_array_equal(deep.text, whole.text)
    np.testing.assert_allclose(deep.score, whole.score, atol=1e-6)
    said = [record.getMessage() for record in caplog.records if record.name == "triglot"]
    assert said == ["the best 1000000 passages of each query are asked for; there are 19, and all are ranked"]


def test_more_negatives_than_the_memory_holds_are_refused(monkeypatch) -> None:
    monkeypatch.setattr(memory, "available", lambda: 1000)
    with pytest.raises(InputError, match=r"negatives: 8 of each of .* lines: about .* of memory are needed"):
        mine(corpus_of(2), MineSettings(source="bm25"))


def test_a_smaller_pool_is_a_part_of_the_whole() -> None:
    corpus = corpus_of(11, rows=60, gaps=0.0, repeats=False)
    embed = embed_of(corpus)
    found = mine(corpus, MineSettings(negatives=3, pool=20), embed=embed)
    used = [len({t for t in found.text.ravel().tolist() if corpus.text_lang[t] == lang}) for lang in range(4)]
    assert max(used) <= 20
    assert {one["passages"] for one in found.report["languages"].values()} == {20}
    other = mine(corpus, MineSettings(negatives=3, pool=20, seed=9), embed=embed)
    assert set(other.text.ravel().tolist()) != set(found.text.ravel().tolist())
