"""Answers: what each way of ranking promises."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.search.small import CODES, THINGS, Words, small
from triglot.files import InputError
from triglot.index.store import DiskIndex
from triglot.search import searcher as module
from triglot.search.question import parse_languages
from triglot.search.ranking import by_ranks
from triglot.search.searcher import Searcher, SearchSettings
from triglot.search.translations import groups_of, propose

QUESTIONS = st.builds(
    lambda code, things: (" ".join(f"{code}-{thing}" for thing in things), code),
    st.sampled_from(CODES),
    st.lists(st.sampled_from(THINGS), min_size=1, max_size=3, unique=True),
)


@pytest.fixture(scope="module")
def index(tmp_path_factory: pytest.TempPathFactory) -> DiskIndex:
    return small(tmp_path_factory.mktemp("index") / "i")


@pytest.fixture(scope="module")
def searcher(index: DiskIndex) -> Searcher:
    return Searcher(Words(), index)


def test_any_is_the_model_and_fair_is_not_moved_by_language(searcher: Searcher) -> None:
    raw = searcher.search("de-river de-bread", SearchSettings(mode="any"), lang="de")
    fair = searcher.search("de-river de-bread", SearchSettings(mode="fair"), lang="de")
    assert raw.composition == {"de": 1.0}
    assert len(fair.composition) == 3
    assert [hit.score for hit in raw.hits] == sorted((hit.score for hit in raw.hits), reverse=True)
    assert [hit.calibrated for hit in fair.hits] == sorted((hit.calibrated for hit in fair.hits), reverse=True)
    assert raw.pool == fair.pool
    assert sum(raw.pool.values()) == pytest.approx(1, abs=1e-3)


@settings(max_examples=20)
@given(QUESTIONS, st.sampled_from(["any", "fair"]))
def test_each_hit_tells_its_rank_in_its_language(searcher: Searcher, asked: tuple[str, str], mode: str) -> None:
    question, lang = asked
    seen: Counter[str] = Counter()
    for place, hit in enumerate(searcher.search(question, SearchSettings(mode=mode, k=60), lang=lang).hits, 1):
        seen[hit.lang] += 1
        assert (hit.rank, hit.rank_in_language) == (place, seen[hit.lang])
        alone = searcher.search(question, SearchSettings(mode=mode, k=60, where=(f"lang={hit.lang}",)), lang=lang)
        assert alone.hits[seen[hit.lang] - 1].score == pytest.approx(hit.score, abs=1e-6)


@given(QUESTIONS, st.integers(1, 20))
def test_own_first_has_the_passages_of_fair_with_the_own_language_in_front(
    searcher: Searcher, asked: tuple[str, str], k: int
) -> None:
    question, lang = asked
    fair = [hit.id for hit in searcher.search(question, SearchSettings(k=k), lang=lang).hits]
    own = searcher.search(question, SearchSettings(k=k, mode="own-first"), lang=lang).hits
    assert sorted(fair) == sorted(hit.id for hit in own)
    assert [hit.id for hit in own] == sorted(fair, key=lambda one: not one.endswith(lang))
    assert [hit.rank for hit in own] == list(range(1, len(own) + 1))


@given(QUESTIONS, st.dictionaries(st.sampled_from([*CODES, "*"]), st.integers(0, 6), min_size=1), st.integers(1, 20))
def test_quotas_hold_and_nothing_that_fits_them_is_passed_over(
    searcher: Searcher, asked: tuple[str, str], quotas: dict[str, int], k: int
) -> None:
    question, lang = asked
    asking = SearchSettings(k=k, quotas=tuple(f"{code}={most}" for code, most in quotas.items()))
    hits = searcher.search(question, asking, lang=lang).hits
    every = [hit.id for hit in searcher.search(question, SearchSettings(k=1000), lang=lang).hits]
    wanted, seen = [], Counter()
    for one in every:
        code = one.rpartition("-")[2]
        if seen[code] < quotas.get(code, quotas.get("*", 1000)) and len(wanted) < k:
            seen[code] += 1
            wanted.append(one)
    assert [hit.id for hit in hits] == wanted


@given(QUESTIONS, st.permutations(CODES), st.integers(1, 15), st.booleans())
def test_folding_shows_each_group_once_in_the_readers_language(
    searcher: Searcher, index: DiskIndex, asked: tuple[str, str], order: list[str], k: int, filtered: bool
) -> None:
    question, lang = asked
    languages = ", ".join(f"{code};q={1 - 0.0001 * place:.3f}" for place, code in enumerate(order))
    where = ("number<20",) if filtered else ()
    hits = searcher.search(question, SearchSettings(k=k, mode="fold", languages=languages, where=where), lang=lang).hits
    groups = [hit.group for hit in hits]
    assert len(set(groups)) == len(groups) == min(k, 20 if filtered else 40)
    documents = index.snapshot.documents(index.snapshot.places_in())
    for hit in hits:
        there = {code for one, code in zip(documents.groups, documents.langs, strict=True) if one == hit.group}
        assert [hit.lang, *(other.lang for other in hit.also)] == [code for code in order if code in there]
        assert {hit.group} == {other.group for other in hit.also} | {hit.group}
    fair = searcher.search(question, SearchSettings(k=1000, languages=languages, where=where), lang=lang).hits
    assert groups == list(dict.fromkeys(hit.group for hit in fair))[:k]


@settings(max_examples=30)
@given(QUESTIONS, st.dictionaries(st.sampled_from([*CODES, "*"]), st.integers(0, 3), min_size=1), st.integers(1, 15))
def test_folding_keeps_to_quotas_and_shows_what_there_is_room_for(
    searcher: Searcher, asked: tuple[str, str], quotas: dict[str, int], k: int
) -> None:
    question, lang = asked
    asking = SearchSettings(k=k, mode="fold", quotas=tuple(f"{code}={most}" for code, most in quotas.items()))
    hits = searcher.search(question, asking, lang=lang).hits
    wanted, seen = [], Counter()
    for hit in searcher.search(question, SearchSettings(k=1000, mode="fold"), lang=lang).hits:
        members = [(hit.lang, hit.id), *((other.lang, other.id) for other in hit.also)]
        room = [one for one in members if seen[one[0]] < quotas.get(one[0], quotas.get("*", 1000))]
        if room and len(wanted) < k:
            seen[room[0][0]] += 1
            members.remove(room[0])
            wanted.append([room[0][1], *(name for _, name in members)])
    assert [[hit.id, *(other.id for other in hit.also)] for hit in hits] == wanted
    assert [hit.rank for hit in hits] == list(range(1, len(hits) + 1))


@pytest.mark.parametrize("mode", ["any", "fair", "fold"])
@settings(max_examples=20)
@given(asked=QUESTIONS, k=st.integers(1, 4), order=st.permutations(CODES), most=st.integers(0, 2))
def test_what_lies_deeper_is_looked_at_where_it_could_be_better(
    searcher: Searcher, mode: str, asked: tuple[str, str], k: int, order: list[str], most: int
) -> None:
    question, lang = asked
    languages = f"{order[0]}, {order[1]};q=0.5, {order[2]};q=0.01"
    asking = SearchSettings(mode=mode, languages=languages, quotas=(f"{order[0]}={most}",))
    whole = searcher.search(question, replace(asking, k=1000), lang=lang).hits
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "_FEWEST", 1)
        hits = searcher.search(question, replace(asking, k=k), lang=lang).hits
    assert [hit.id for hit in hits] == [hit.id for hit in whole[:k]]


def test_a_question_of_a_region_prefers_its_language(searcher: Searcher) -> None:
    folded = SearchSettings(k=20, mode="fold")
    shown = {
        lang: [hit.id for hit in searcher.search("de-river de-stone", folded, lang=lang).hits]
        for lang in ("de", "de-CH", "fr", "fr-CA")
    }
    assert shown["de-CH"] == shown["de"]
    assert shown["fr-CA"] == shown["fr"] != shown["de"]


@given(QUESTIONS, st.dictionaries(st.sampled_from(CODES), st.sampled_from([0.0, 0.1, 0.5, 1.0]), min_size=1))
def test_weights_of_languages_are_priors(searcher: Searcher, asked: tuple[str, str], weights: dict[str, float]) -> None:
    question, lang = asked
    languages = ",".join(f"{code};q={weight:g}" for code, weight in weights.items())
    hits = searcher.search(question, SearchSettings(k=7, languages=languages), lang=lang).hits
    every = searcher.search(question, SearchSettings(k=1000), lang=lang).hits
    scored = [(hit.calibrated + np.log(weights[hit.lang]), hit.id) for hit in every if weights.get(hit.lang, 0) > 0]
    scores = {one: value for value, one in scored}
    assert [scores[hit.id] for hit in hits] == pytest.approx(sorted(scores.values(), reverse=True)[:7], abs=1e-5)


def test_an_accept_language_header_is_read() -> None:
    read = parse_languages("de-CH, de;q=0.9, en;q=0.5, *;q=0.1")
    assert [read.weight(code) for code in ("de-CH", "de-AT", "en-GB", "fr")] == [1.0, 0.9, 0.5, 0.1]
    assert sorted(["fr", "en", "de", "de-CH"], key=read.place) == ["de-CH", "de", "en", "fr"]
    assert parse_languages("de").weight("en") == 0
    for text in ("", "de;q=2", "de;w=1", "de, de", "no language", ",".join(["de"] * 70)):
        with pytest.raises(InputError, match="languages"):
            parse_languages(text)


def test_words_count_where_the_languages_agree(searcher: Searcher) -> None:
    plain = searcher.search("en-river 17", SearchSettings(mode="any", k=5), lang="en")
    mixed = searcher.search("en-river 17", SearchSettings(mode="any", k=5, hybrid=True), lang="en")
    assert "17-en" in [hit.id for hit in mixed.hits] or "17-de" in [hit.id for hit in mixed.hits]
    assert [hit.id for hit in plain.hits] != [hit.id for hit in mixed.hits]
    none = SearchSettings(k=5, hybrid=True, same=0.0, other=0.0)
    assert [hit.id for hit in searcher.search("en-river 17", none, lang="en").hits] == [
        hit.id for hit in searcher.search("en-river 17", SearchSettings(k=5), lang="en").hits
    ]


@settings(max_examples=15)
@given(QUESTIONS, st.sampled_from(["any", "fair"]), st.sampled_from([0.0, 0.1, 1.0]), st.sampled_from([0.0, 0.1, 1.0]))
def test_words_decide_within_a_language_and_vectors_between(
    searcher: Searcher, index: DiskIndex, asked: tuple[str, str], mode: str, same: float, other: float
) -> None:
    question, lang = asked
    dense = searcher.search(question, SearchSettings(k=60, mode=mode), lang=lang).hits
    hybrid = SearchSettings(k=60, mode=mode, hybrid=True, same=same, other=other)
    fused = searcher.search(question, hybrid, lang=lang).hits
    assert [hit.lang for hit in fused] == [hit.lang for hit in dense]
    snapshot = index.snapshot
    for code in CODES:
        mine = SearchSettings(k=1000, mode=mode, where=(f"lang={code}",))
        ranks = {hit.id: rank for rank, hit in enumerate(searcher.search(question, mine, lang=lang).hits, 1)}
        total = {one: 1 / (60 + rank) for one, rank in ranks.items()}
        weight = same if code == lang else other
        for rank, one in enumerate(snapshot.documents(snapshot.by_words(question, 1000).get(code, [])).ids, 1):
            total[one] += weight / (60 + rank)
        got = [hit.id for hit in fused if hit.lang == code]
        assert [hit.rank_in_language for hit in fused if hit.lang == code] == list(range(1, len(got) + 1))
        assert [total[one] for one in got] == pytest.approx(sorted(total.values(), reverse=True)[: len(got)])


def test_passages_that_vectors_do_not_come_to_are_found_by_words() -> None:
    assert by_ranks([4, 7, 9], [9, 30], 1.0) == [9, 4, 7, 30]
    assert by_ranks([4, 7, 9], [9, 30], 0.0)[:3] == [4, 7, 9]


def test_what_is_not_done_is_said(tmp_path: Path) -> None:
    searcher = Searcher(Words(), small(tmp_path / "i", debiased=False))
    assert "takes no language out" in searcher.search("de-river", lang="de").notes[0]
    assert searcher.search("de-river", SearchSettings(mode="any"), lang="de").notes == ()
    told = searcher.search("de-river", SearchSettings(languages="sw"), lang="de")
    assert told.hits == ()
    assert "no passages in sw" in told.notes[1]


def test_bad_questions_and_settings_are_named(searcher: Searcher) -> None:
    for question, match in {" ": "empty", "x" * 10_001: "10001 characters", "\ud800": "UTF-8"}.items():
        with pytest.raises(InputError, match=match):
            searcher.search(question)
    for given_settings, match in {
        "mode": ({"mode": "fare"}, "did you mean 'fair'"),
        "k": ({"k": 0}, "k: 0"),
        "quota": ({"quotas": ("de",)}, "LANGUAGE=NUMBER"),
        "where": ({"where": ("numbr=1",)}, "did you mean 'number'"),
    }.values():
        with pytest.raises(InputError, match=match):
            searcher.search("de-river", SearchSettings(**given_settings))


def test_the_language_of_a_question_is_given_or_told(searcher: Searcher) -> None:
    assert searcher.search("river", lang="DE").lang == "de"
    told = searcher.search("Where is the river that the king crossed in the winter?")
    assert (told.lang, told.detected) == ("en", True)


def test_translations_are_proposed_and_accepted(tmp_path: Path) -> None:
    index = small(tmp_path / "i", grouped=False)
    proposals = list(propose(index, least=1.0))
    right = [one for one in proposals if one.a.rpartition("-")[0] == one.b.rpartition("-")[0]]
    assert len(right) > 20
    assert len(right) / len(proposals) > 0.6
    for one in proposals:
        assert one.langs[0] != one.langs[1]
        assert one.margin >= 1.0
    groups = groups_of([(one.a, one.b) for one in right], {})
    for one in right:
        assert groups[one.a] == groups[one.b]
    assert index.regroup(groups) == len(groups)
    again = {(one.a, one.b) for one in propose(index)}
    assert not again & {(one.a, one.b) for one in right}


def test_groups_that_are_known_stay() -> None:
    known = {"a": "g1", "b": "g1", "c": "g2", "d": ""}
    assert groups_of([("b", "d")], known) == {"a": "g1", "b": "g1", "c": "g2", "d": "g1"}
    joined = groups_of([("b", "c"), ("e", "f")], known)
    assert len({joined[one] for one in "abc"}) == 1
    assert joined["e"] == joined["f"] != joined["a"]
