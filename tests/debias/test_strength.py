"""How strong a step is: by side and language, chosen on text held back, for vectors without a model."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from tests.command import triglot
from tests.writing import inputs
from triglot.commands.debias import strengths
from triglot.corpus.formats import bitext
from triglot.corpus.formats.pairs import read_training
from triglot.corpus.parallel import ParallelCorpus
from triglot.debias.fit import UNTRIED, _tried, debias
from triglot.debias.settings import DebiasSettings
from triglot.debias.steps import linear_maps
from triglot.debias.strength import LOSS, best, choose_strength, halved, trial_set
from triglot.encoder.languages import Removal, read_removal, write_removal
from triglot.evaluate.evaluator import evaluate_embeddings
from triglot.files import InputError, SettingError

CODES = ("de", "en", "ru")


class Known:
    """Vectors of what a text is about, and of its language and side, which are as strong as they are told."""

    name, dim, similarity, kind, parameters = "known", 40, "cosine", "test", 0

    def __init__(self, bias: float, side: float = 0.0):
        self.bias, self.side = bias, side

    def encode(self, texts: list[str], *, side: str, progress: bool = False) -> np.ndarray:
        out = np.zeros((len(texts), self.dim), np.float32)
        for row, text in enumerate(texts):
            words = text.split()
            code, about = words[0][:2], int(words[0][2:])
            out[row, :30] = np.random.default_rng(about).normal(size=30)
            out[row, :30] += 0.3 * np.random.default_rng(len(text) + about * 7 + CODES.index(code)).normal(size=30)
            out[row, 30 + CODES.index(code)] = self.bias
            out[row, 34 + CODES.index(code)] = self.side * (side == "query")
        return out / np.linalg.norm(out, axis=1, keepdims=True)


@pytest.fixture(scope="module")
def lines(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Line-aligned translations; every word tells the line, so that a half is about what the whole is about."""
    root = tmp_path_factory.mktemp("lines")
    for code in CODES:
        text = "".join(" ".join([f"{code}{number:04d}"] * 6) + "\n" for number in range(400))
        (root / f"{code}.txt").write_text(text, "utf-8")
    return root


def test_a_step_has_strengths_of_its_own_for_sides_and_languages(tmp_path: Path) -> None:
    rng = np.random.default_rng(1)
    offsets, queries = rng.normal(size=(2, 4)).astype(np.float32), rng.normal(size=(2, 4)).astype(np.float32)
    maps = rng.normal(size=(2, 4, 4)).astype(np.float32)
    strengths = np.array([[0.0, 0.25], [0.5, 1.0]], np.float32)
    step = Removal(("de", "en"), offsets, np.zeros((2, 0, 4), np.float32), "map", queries, maps, strengths)
    vectors, lang = rng.normal(size=(9, 4)).astype(np.float32), np.array([0, 1, -1] * 3)
    for number, (side, means) in enumerate((("query", queries), ("passage", offsets))):
        found = step.apply(vectors, lang, side)
        for row, code in enumerate(lang):
            expected = vectors[row]
            if code >= 0:
                s = strengths[number, code]
                expected = expected - s * means[code]
                expected = (1 - s) * expected + s * expected @ maps[code]
                expected = expected / np.linalg.norm(expected)
            np.testing.assert_allclose(found[row], expected, atol=1e-6)
    write_removal(step, tmp_path)
    again = read_removal(tmp_path)
    assert again is not None
    for side in ("query", "passage"):
        np.testing.assert_array_equal(again.apply(vectors, lang, side), step.apply(vectors, lang, side))


def test_a_map_is_the_ridge_regression_that_the_normal_equations_give() -> None:
    rng = np.random.default_rng(2)
    own, turn = rng.normal(size=(500, 6)), np.linalg.qr(rng.normal(size=(6, 6)))[0]
    step = linear_maps({"de": (own, own @ turn)}, "en")
    assert step.languages == ("de", "en")
    assert step.maps is not None
    ridge = np.trace(own.T @ own) / 6

    def cost(learned: np.ndarray) -> float:
        return float(((own @ learned - own @ turn) ** 2).sum() + ridge * ((learned - np.eye(6)) ** 2).sum())

    least = cost(step.maps[0].astype(np.float64))
    for _ in range(20):
        assert cost(step.maps[0] + 1e-2 * rng.normal(size=(6, 6))) > least
    np.testing.assert_array_equal(step.maps[1], np.eye(6, dtype=np.float32))
    few = linear_maps({"de": (own[:1], own[:1] @ turn)}, "en").maps
    assert few is not None
    aside = np.linalg.svd(own[:1])[2][1:]  # directions that the one pair says nothing of
    np.testing.assert_allclose(aside @ few[0], aside, atol=1e-5)


def test_the_strength_is_chosen_on_text_that_was_not_fitted_on(lines: Path) -> None:
    corpus, _ = bitext.read_training(lines)
    biased = debias(Known(4.0), corpus, DebiasSettings(method="centre", strength=None))
    assert biased.choice is not None
    assert biased.strength == biased.choice.chosen > 0
    assert biased.choice.curve[biased.strength]["multi"] > biased.choice.curve[0.0]["multi"] + 0.2
    assert biased.choice.curve[biased.strength]["mono"] >= biased.choice.curve[0.0]["mono"] - LOSS
    assert biased.choice.groups == 80
    assert biased.texts == dict.fromkeys(CODES, 320)
    assert biased.choice.data == "halves"
    assert sum("(chosen)" in line for line in biased.choice.lines()) == 1
    fair = debias(Known(0.0), corpus, DebiasSettings(method="centre", strength=None))
    assert fair.strength <= 0.25
    given = debias(Known(4.0), corpus, DebiasSettings(method="centre", strength=0.5))
    assert (given.strength, given.choice, given.texts) == (0.5, None, dict.fromkeys(CODES, 400))


class Foreign(Known):
    """A bias in German alone; Russian and English differ by nothing but what their texts are about."""

    def encode(self, texts: list[str], *, side: str, progress: bool = False) -> np.ndarray:
        out = super().encode(texts, side=side)
        out[:, 31:34] = 0
        return out / np.linalg.norm(out, axis=1, keepdims=True)


def test_a_strength_is_chosen_for_each_language(lines: Path) -> None:
    corpus, _ = bitext.read_training(lines)
    settings = DebiasSettings(method="centre", strength=None, by_language=True)
    fitted = debias(Foreign(4.0), corpus, settings)
    assert fitted.choice is not None
    assert set(fitted.strengths) == set(CODES)
    assert fitted.strengths["de"] > 0
    assert fitted.strengths == fitted.choice.languages
    removal = fitted.encoder.removal
    expected = np.float32([fitted.strengths[code] for code in removal.languages])
    np.testing.assert_array_equal(removal.strengths, np.stack([expected, expected]))
    assert any(line.startswith("by language: de ") for line in fitted.choice.lines())


def test_languages_tried_alone_lose_nothing(lines: Path) -> None:
    """Trying each language on the same texts never ends below the strength that is best for all."""
    corpus, _ = bitext.read_training(lines)
    encoder = Foreign(4.0)
    aside = np.arange(60)
    removal = debias(encoder, corpus, DebiasSettings(method="centre")).encoder.removal
    one = choose_strength(encoder, removal, corpus, aside)
    each = choose_strength(encoder, removal, corpus, aside, by_language=True)
    assert (one.curve, one.chosen, one.languages) == (each.curve, each.chosen, {})
    at = np.float32([each.languages[code] for code in removal.languages])
    trial, _ = trial_set(corpus, aside)
    vectors = [encoder.encode(texts.texts, side="query") for texts in (trial.queries, trial.passages)]
    scores = []
    for strength in (one.chosen, np.stack([at, at])):
        step = removal.at(strength)
        moved = [
            step.apply(part, np.array([removal.number(trial.languages[one]) for one in texts.lang]), side)
            for part, texts, side in zip(vectors, (trial.queries, trial.passages), ("query", "passage"), strict=True)
        ]
        scores.append(evaluate_embeddings(*moved, trial, bias=False).summary["multi"]["map"])
    assert scores[1] >= scores[0]


def test_strengths_of_single_languages_are_given(lines: Path) -> None:
    corpus, _ = bitext.read_training(lines)
    fitted = debias(Known(3.0), corpus, DebiasSettings(method="centre", strength=0.5, strengths={"ru": 0.0}))
    removal = fitted.encoder.removal
    np.testing.assert_array_equal(removal.strengths, np.float32([[0.5, 0.5, 0.0]] * 2))
    with pytest.raises(SettingError, match="nothing was fitted on 'rn'"):
        debias(Known(3.0), corpus, DebiasSettings(method="centre", strengths={"rn": 0.0}))
    with pytest.raises(SettingError, match="same for all languages"):
        DebiasSettings(method="lsar", strengths={"ru": 0.5})
    with pytest.raises(SettingError, match="goes with a strength that is chosen"):
        DebiasSettings(method="centre", by_language=True)


def test_the_option_says_strengths() -> None:
    assert strengths("") == {"strength": None, "strengths": {}, "by_language": False}
    assert strengths("0.8, de=0.5,fr=1") == {
        "strength": 0.8,
        "strengths": {"de": 0.5, "fr": 1.0},
        "by_language": False,
    }
    assert strengths("by-language") == {"strength": None, "strengths": {}, "by_language": True}
    for wrong, message in (("half", "'half' is not"), ("de=2", "'de=2' is not"), ("0.1,0.2", "two numbers")):
        with pytest.raises(InputError, match=message):
            strengths(wrong)


@pytest.mark.parametrize("method", ["centre", "lir", "shift", "map"])
def test_every_method_mends_a_bias(lines: Path, method: str) -> None:
    corpus, _ = bitext.read_training(lines)
    encoder = Known(3.0)
    found = debias(encoder, corpus, DebiasSettings(method=method, strength=None, rank=1 if method == "lir" else 0))
    assert found.choice is not None
    assert found.choice.curve[found.strength]["multi"] > found.choice.curve[0.0]["multi"]


def test_queries_have_offsets_of_their_own(lines: Path) -> None:
    corpus, _ = bitext.read_training(lines)
    encoder, texts = Known(3.0, side=3.0), corpus.texts.to_pylist()
    both = debias(encoder, corpus, DebiasSettings(method="centre", sides="both")).encoder.removal
    same = debias(encoder, corpus, DebiasSettings(method="centre", sides="passage")).encoder.removal
    assert same.query_offsets is None
    np.testing.assert_array_equal(both.offsets, same.offsets)
    own = [texts[row] for row in np.flatnonzero(corpus.text_lang == 1)]
    np.testing.assert_allclose(both.query_offsets[1], encoder.encode(own, side="query").mean(0), atol=1e-6)


def test_what_costs_more_than_half_a_point_within_a_language_is_not_chosen() -> None:
    curve = {
        0.0: {"mono": 0.800, "multi": 0.30},
        0.5: {"mono": 0.796, "multi": 0.48},
        1.0: {"mono": 0.789, "multi": 0.53},
    }
    assert best(curve) == 0.5
    assert best(curve | {1.0: {"mono": 0.796, "multi": 0.53}}) == 1.0
    assert best({0.0: {"multi": 0.5}, 0.5: {"multi": 0.5}}) == 0.0


def test_texts_are_cut_between_words_where_there_are_any() -> None:
    assert halved("one two three four five six seven") == ("one two three four", "five six seven")
    assert halved("短い") == ("", "")
    first, second = halved("この文章は単語の間に空白がないので、文字の間で切られることになります。")
    assert abs(len(first) - len(second)) <= 1
    assert halved("x" * 60) == ("", "")


def test_questions_are_tried_where_there_are_some(tmp_path: Path) -> None:
    root = inputs(tmp_path)
    corpus, _ = read_training(root / "pairs.jsonl")
    trial, data = trial_set(corpus, np.arange(len(corpus.group_ids)))
    assert data == "questions"
    assert len(trial.queries) == 60
    said = [set(text.rstrip("?.").split()) for text in trial.queries.texts]
    other = [set(text.rstrip("?.").split()) for text in trial.passages.texts]
    own = [
        said[q] <= other[p] for q, p, _ in trial.judgements.tolist() if trial.queries.lang[q] == trial.passages.lang[p]
    ]
    assert len(own) == 60
    assert all(own)
    assert len(trial.judgements) == 120
    with pytest.raises(InputError, match="long enough"):
        trial_set(corpus, np.arange(3))


def test_questions_of_a_search_log_are_tried_by_the_languages_of_their_answers() -> None:
    def corpus_of(spoken: int) -> ParallelCorpus:
        """Questions in `spoken` languages, passages in two, in families of their own."""
        rows = []
        for number in range(200):
            said = {code: f"{code} text {number}" for code in ("de", "en")}
            asked = {code: f"{code} asks {number}" for code in ("de", "en")[: 1 + (spoken == 2)]}
            rows.append({"query": asked, "passage": said, "query_group": f"q{number}", "passage_group": f"p{number}"})
        return ParallelCorpus.from_rows(rows)

    for spoken in (1, 2):
        corpus = corpus_of(spoken)
        aside = _tried(corpus, np.ones(len(corpus.texts), bool), 1)
        trial, data = trial_set(corpus, aside)
        assert (data, len(trial.queries), len(trial.passages)) == ("questions", 40 * spoken, 80)
        usable = np.array([not text.startswith("de text") for text in corpus.texts.to_pylist()])
        assert not len(_tried(corpus, usable, 1))


def test_vectors_alone(tmp_path: Path) -> None:
    rng = np.random.default_rng(4)
    lang = np.repeat([0, 1], 80)
    vectors = rng.normal(size=(160, 12)) + 3 * np.eye(12)[lang]
    np.save(tmp_path / "in.npy", vectors)
    (tmp_path / "langs.txt").write_text("".join(f"{('de', 'en')[one]}\n" for one in lang), "utf-8")
    words = [
        "debias",
        "--vectors",
        tmp_path / "in.npy",
        "--languages",
        tmp_path / "langs.txt",
        "--method",
        "centre",
        "-q",
    ]
    done = triglot(*words, "--out", tmp_path / "half.npy")
    assert done.code == 0, done.err
    whole = triglot(*words, "--strength", "1", "--out", tmp_path / "whole.npy")
    assert "160 of them changed by centre" in whole.out
    unit = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    for name, strength in (("half", UNTRIED), ("whole", 1.0)):
        found = np.load(tmp_path / f"{name}.npy")
        expected = unit - strength * np.stack([unit[lang == one].mean(0) for one in (0, 1)])[lang]
        np.testing.assert_allclose(found, expected / np.linalg.norm(expected, axis=1, keepdims=True), atol=1e-6)


def test_vectors_by_the_step_of_a_model(tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    root = inputs(tmp_path / "in")
    out = tmp_path / "model"
    done = triglot("debias", root / "model", root / "pairs.jsonl", "--method", "centre", "-q", "--out", out)
    assert done.code == 0, done.err
    rng = np.random.default_rng(5)
    np.save(tmp_path / "in.npy", rng.normal(size=(3, 16)).astype(np.float32))
    (tmp_path / "langs.txt").write_text("de\n\nfi\n", "utf-8")
    words = ["debias", out, "--vectors", tmp_path / "in.npy", "--languages", tmp_path / "langs.txt", "-q"]
    done = triglot(*words, "--side", "query", "--out", tmp_path / "out.npy")
    assert "3 vectors, 1 of them changed by centre" in done.out, done.err
    step = read_removal(out)
    assert step is not None
    before = np.load(tmp_path / "in.npy")
    before /= np.linalg.norm(before, axis=1, keepdims=True)
    np.testing.assert_allclose(
        np.load(tmp_path / "out.npy"), step.apply(before, np.array([0, -1, -1]), "query"), atol=1e-6
    )


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ([], "give MODEL DATA --out"),
        (["--vectors", "in.npy", "--out", "out.npy"], "goes with --languages FILE"),
        (["--vectors", "no.npy", "--languages", "langs.txt", "--out", "out.npy"], "no.npy: no such file"),
        (["--vectors", "langs.txt", "--languages", "langs.txt", "--out", "out.npy"], "not a .npy array of numbers"),
        (["--vectors", "in.npy", "--languages", "short.txt", "--out", "out.npy"], "2 lines, but"),
        (
            ["--vectors", "in.npy", "--languages", "langs.txt", "--out", "out.npy", "--method", "map"],
            "cannot be fitted",
        ),
        (["--vectors", "in.npy", "--languages", "langs.txt", "--out", "out.npy"], "fewer than 50"),
        (["--vectors", "in.npy", "--languages", "langs.txt", "--out", "out.npy", "--strength", "2"], "--strength"),
        (["--vectors", "in.npy", "--languages", "langs.txt", "--out", "out.npy", "--strength", "-0.5"], "strength"),
        (["--vectors", "in.npy", "--languages", "langs.txt", "--out", "out.npy", "--sides", "query"], "sides"),
        (
            ["--vectors", "in.npy", "--languages", "langs.txt", "--out", "out.npy", "--strength", "by-language"],
            "lsar is the same for all languages",
        ),
    ],
)
def test_bad_requests(tmp_path: Path, words: list[str], message: str) -> None:
    np.save(tmp_path / "in.npy", np.ones((4, 3), np.float32))
    (tmp_path / "langs.txt").write_text("de\nde\nen\nen\n", "utf-8")
    (tmp_path / "short.txt").write_text("de\nen\n", "utf-8")
    placed = [str(tmp_path / word) if "." in word and word[0].isalpha() else word for word in words]
    done = triglot("debias", *placed, "-q")
    assert (done.code, message in done.err) == (2, True), done.err
    assert "Traceback" not in done.err
    assert not (tmp_path / "out.npy").exists()
