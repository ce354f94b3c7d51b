"""Checks of encoders whose bias is known, against loops written out."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from tests.evaluate.evaluation_sets import make_set
from triglot.check.run import EXCESS, OWN, POOL, check_benchmark, check_collection
from triglot.check.settings import FULL, CheckSettings
from triglot.check.verdict import NONE, SOME, STRONG, past_limits, verdict
from triglot.commands.check import Checked, as_json
from triglot.corpus.formats import bitext
from triglot.corpus.sample import sample_retrieval
from triglot.files import InputError

CODES = ["de", "en", "ru"]


class Known:
    """An encoder that knows what a text is about and its language, and weighs the language by `bias`."""

    name, dim, similarity = "known", 40, "cosine"

    def __init__(self, bias: float):
        self.bias = bias

    def encode(self, texts: list[str], *, side: str, progress: bool = False) -> np.ndarray:
        out = np.zeros((len(texts), self.dim), np.float32)
        for row, text in enumerate(texts):
            code, about, number = text.rstrip(".").split()[:3]
            rng = np.random.default_rng(int(about[1:]))
            noise = np.random.default_rng(int(about[1:]) * 31 + CODES.index(code)).normal(size=30) * 0.2
            out[row, :30] = rng.normal(size=30) + noise + 0.01 * int(number)
            out[row, 30 + CODES.index(code)] = self.bias
        return out / np.linalg.norm(out, axis=1, keepdims=True)


def texts_of(number: int) -> tuple[list[str], list[str]]:
    langs = [code for code in CODES for _ in range(number)]
    return [f"{code} t{row % number} {row % 7}." for row, code in enumerate(langs)], langs


def test_a_collection_is_ranked_without_the_text_a_question_was_taken_from() -> None:
    texts, langs = texts_of(40)
    encoder = Known(2.0)
    found = check_collection(encoder, texts, langs, FULL, name="ours")
    vectors = encoder.encode(texts, side="passage")
    own = []
    for row, vector in enumerate(vectors):
        order = [other for other in np.argsort(-(vectors @ vector), kind="stable") if other != row][:10]
        own.append(np.mean([langs[other] == langs[row] for other in order]))
    assert found.measures[OWN] == pytest.approx(np.mean(own), abs=0.01)
    assert found.measures[POOL] == pytest.approx(1 / 3)
    assert found.measures[EXCESS] == pytest.approx((found.measures[OWN] - 1 / 3) / (2 / 3))
    assert found.counts == {"queries": 120, "passages": 120}
    assert set(found.shares) == set(CODES)
    assert all(sum(shares.values()) == pytest.approx(1) for shares in found.shares.values())


def test_bias_is_told_and_the_means_take_it_away() -> None:
    texts, langs = texts_of(60)
    biased = check_collection(Known(6.0), texts, langs, CheckSettings(passages=150, queries=60), name="ours")
    fair = check_collection(Known(0.0), texts, langs, CheckSettings(passages=150, queries=60), name="ours")
    assert biased.measures[EXCESS] > 0.6 > 0.1 > abs(fair.measures[EXCESS])
    assert abs(biased.trials[1.0][EXCESS]) < 0.2
    assert biased.measures["probe"] > 0.95
    assert biased.measures["language_variance"] > 5 * fair.measures["language_variance"]
    said = verdict(biased, "M", "texts.csv")
    assert said.level == STRONG
    assert said.sentences[0].startswith("Strong bias: ")
    assert said.mend.startswith("triglot debias M texts.csv ")
    assert any("subtracted" in sentence for sentence in said.sentences)
    assert verdict(fair).level == NONE
    assert verdict(fair).mend == ""


def test_questions_of_the_users_own() -> None:
    texts, langs = texts_of(30)
    found = check_collection(
        Known(0.0), texts, langs, FULL, name="ours", questions=["de t1 1", "en t2 2"], question_langs=["de", "en"]
    )
    assert found.counts["queries"] == 2
    with pytest.raises(InputError, match="questions in fi"):
        check_collection(Known(0.0), texts, langs, FULL, name="ours", questions=["x"], question_langs=["fi"])
    with pytest.raises(InputError, match="in one language"):
        check_collection(Known(0.0), ["de t1 1"], ["de"], FULL, name="ours")


def test_translations_answer_one_another(tmp_path) -> None:
    for code in CODES:
        (tmp_path / f"{code}.txt").write_text("".join(f"{code} t{n} 1.\n" for n in range(50)), "utf-8")
    lines = bitext.read_retrieval(tmp_path, name="lines")
    fair = check_benchmark(Known(0.0), lines, FULL)
    biased = check_benchmark(Known(8.0), lines, FULL)
    assert fair.kind == "parallel"
    assert fair.measures["cross.map"] > 0.95
    assert fair.measures["multi.map"] > 0.9 > biased.measures["multi.map"]
    assert biased.measures["cross.map"] > 0.9
    assert biased.measures[EXCESS] > 0.8
    assert biased.trials[1.0]["multi.map"] > 0.9
    assert biased.measures["pool_loss"] == pytest.approx(
        1 - biased.measures["multi.map"] / biased.measures["cross.map"]
    )
    assert past_limits(biased, {EXCESS: 0.5, "multi.map": 0.99, "cross.map": 0.1}) == [
        f"lines: {EXCESS} is {biased.measures[EXCESS]:.4g}, above the limit of 0.5",
        f"lines: multi.map is {biased.measures['multi.map']:.4g}, below the limit of 0.99",
    ]
    with pytest.raises(InputError, match=r"lines has no measure 'multi.mop'; did you mean 'multi.map'"):
        past_limits(biased, {"multi.mop": 1})
    with pytest.raises(InputError, match=r"lines has no measure 'mono\.map'"):
        past_limits(biased, {"mono.map": 1})


def test_one_language_alone_makes_it_some_bias() -> None:
    texts, langs = texts_of(40)
    found = check_collection(Known(0.0), texts, langs, FULL, name="ours")
    assert verdict(found).level == NONE
    alone = replace(found, by_language=found.by_language | {"ru": found.by_language["ru"] | {EXCESS: 0.5, OWN: 0.7}})
    assert verdict(alone).level == SOME
    assert "Strongest in ru (70 % own language)" in " ".join(verdict(alone).sentences)
    assert verdict(replace(found, measures=found.measures | {"pool_loss": 0.6})).level == STRONG


def test_a_sample_keeps_translations_together_and_every_answer_that_is_left() -> None:
    # Passages and queries come in threes of one cluster: 30 paragraphs in three languages, each answering the query.
    threes = [number % 3 for number in range(90)]
    benchmark = make_set(threes, threes, [(q, q - q % 3 + other, 1) for q in range(90) for other in range(3)])
    few = sample_retrieval(benchmark, passages=len(benchmark.passages) // 3, queries=12)
    assert 0 < len(few.passages) < len(benchmark.passages)
    kept = set(few.passages.ids)
    clusters = set(few.passages.cluster.tolist())
    assert kept == {
        one for one, cluster in zip(benchmark.passages.ids, benchmark.passages.cluster.tolist()) if cluster in clusters
    }
    answers = {
        (benchmark.queries.ids[q], benchmark.passages.ids[p], grade) for q, p, grade in benchmark.judgements.tolist()
    }
    asked = set(few.queries.ids)
    assert {(few.queries.ids[q], few.passages.ids[p], grade) for q, p, grade in few.judgements.tolist()} == {
        (q, p, grade) for q, p, grade in answers if q in asked and p in kept
    }
    assert sample_retrieval(benchmark, passages=0, queries=0) is benchmark
    again = sample_retrieval(benchmark, passages=len(benchmark.passages) // 3, queries=12)
    assert again.queries.ids == few.queries.ids


def test_the_verdict_of_all_is_the_worst_level() -> None:
    texts, langs = texts_of(40)
    fair = check_collection(Known(0.0), texts, langs, FULL, name="a")
    lossy = replace(fair, name="b", measures=fair.measures | {"pool_loss": 0.6, EXCESS: fair.measures[EXCESS] - 0.1})
    found = [Checked(one, verdict(one), ()) for one in (fair, lossy)]
    assert as_json("m", found)["verdict"] == STRONG
    assert as_json("m", found[::-1])["verdict"] == STRONG


def test_means_are_not_advised_where_they_hardly_help() -> None:
    texts, langs = texts_of(60)
    biased = check_collection(Known(6.0), texts, langs, FULL, name="ours")
    stubborn = replace(biased, trials={1.0: biased.measures})
    assert verdict(biased, "M", "D").mend.startswith("triglot debias M D ")
    treated = verdict(biased, "M", "D", treated=True)
    assert treated.mend == ""
    assert "has a step for each language already" in treated.sentences[-1]
    assert verdict(stubborn, "M", "D").mend == "triglot train RECIPE batches.kind=hybrid"
    assert "hardly helps" in verdict(stubborn).sentences[-1]
