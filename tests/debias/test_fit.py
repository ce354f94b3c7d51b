"""Taking the language out of vectors: against naive versions, on planted languages, saved, in studies and on the
command line."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from safetensors.numpy import save_file

from tests.study.small import small_recipe
from triglot import cli
from triglot.corpus.atlas import read_training
from triglot.corpus.formats.bitext import read_training as read_bitext
from triglot.corpus.retrieval import RetrievalSet
from triglot.debias import DebiasSettings, average, centre, debias, lir, lsar, shift, with_linear
from triglot.encoder import EncoderSettings, init_encoder, load_encoder
from triglot.encoder.languages import ByLanguage, Removal, read_removal, write_removal
from triglot.encoder.tokenizer import word_counts
from triglot.evaluate import evaluate_embeddings, evaluate_encoder
from triglot.files import InputError, read_json
from triglot.study.arms import study


def unit(vectors: np.ndarray) -> np.ndarray:
    return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)


def languages(count: int, rows: int, dim: int, seed: int, strength: float = 1.0) -> dict[str, np.ndarray]:
    """Samples with a mean of their own for each language."""
    rng = np.random.default_rng(seed)
    return {
        f"l{i}": unit(rng.standard_normal((rows, dim)) + strength * rng.standard_normal(dim)).astype(np.float32)
        for i in range(count)
    }


def test_centring_leaves_no_mean() -> None:
    samples = languages(3, 80, 8, 1)
    removal = centre(samples)
    for number, (code, sample) in enumerate(samples.items()):
        assert removal.languages[number] == code
        assert np.allclose((sample - removal.offsets[number]).mean(axis=0), 0, atol=1e-6)
        assert np.allclose(removal.apply(sample, np.full(80, number)), unit(sample - sample.mean(axis=0)), atol=1e-5)


@given(st.integers(0, 1000), st.integers(1, 3))
def test_lir_is_the_naive_svd(seed: int, rank: int) -> None:
    samples = languages(3, 20, 6, seed)
    removal = lir(samples, rank)
    for number, sample in enumerate(samples.values()):
        naive = np.linalg.svd(sample.astype(np.float64), full_matrices=False)[2][:rank]
        expected = unit(sample - (sample @ naive.T) @ naive)
        assert np.allclose(removal.apply(sample, np.full(20, number)), expected, atol=1e-3)


@given(st.integers(0, 1000), st.integers(3, 6))
def test_lsar_is_the_definition_written_out(seed: int, count: int) -> None:
    samples = languages(count, 15, 9, seed)
    rank = count - 2
    # M = mu 1^T + M_s, from the mean of the columns; then the rank-r fit; then its common direction; then what is left.
    # (dim, languages), as in the paper
    means = np.stack([s.astype(np.float64).mean(axis=0) for s in samples.values()]).T
    middle = means.mean(axis=1, keepdims=True)
    u, s, vt = np.linalg.svd(means - middle, full_matrices=False)
    fit = middle + sum(s[i] * np.outer(u[:, i], vt[i]) for i in range(rank))
    plus = np.linalg.pinv(fit.T) @ np.ones(count)
    common = plus / np.linalg.norm(plus) ** 2
    subspace = np.linalg.svd(fit - common[:, None], full_matrices=False)[0][:, :rank]
    found = lsar(samples, rank)
    assert np.allclose(found, np.eye(9) - subspace @ subspace.T, atol=1e-6)
    assert np.allclose(found @ found, found, atol=1e-8)  # a projection
    assert np.allclose(common @ subspace, 0, atol=1e-6)  # what is common stays


def test_lsar_of_full_rank_makes_all_means_one() -> None:
    samples = languages(4, 50, 10, 3)
    weight = lsar(samples)
    means = np.stack([sample.mean(axis=0) for sample in samples.values()]) @ weight
    assert np.allclose(means, means[0], atol=1e-5)
    assert np.linalg.matrix_rank(weight) == 10 - 3


def test_shift_brings_translations_together() -> None:
    rng = np.random.default_rng(4)
    pivot = unit(rng.standard_normal((60, 8))).astype(np.float32)
    moved = {code: pivot + np.float32(0.5) * rng.standard_normal(8).astype(np.float32) for code in ("de", "th")}
    removal = shift({code: (own, pivot) for code, own in moved.items()}, "en")
    for code, own in moved.items():
        assert np.allclose(removal.apply(own, np.full(60, removal.number(code))), pivot, atol=1e-5)
    assert np.allclose(removal.apply(pivot, np.full(60, removal.number("en"))), pivot, atol=1e-6)


@pytest.mark.parametrize("method", ["centre", "lir", "lsar"])
def test_planted_languages_are_taken_out(method: str, parallel: RetrievalSet) -> None:
    """Meaning plus language: fitted on other texts, rank distance falls to its floor and retrieval is that of the
    meaning."""
    rng = np.random.default_rng(5)
    count, dim = len(parallel.languages), 32
    tongue = 3 * rng.standard_normal((count, dim))
    samples = {
        code: unit(rng.standard_normal((400, dim)) + tongue[i]).astype(np.float32)
        for i, code in enumerate(parallel.languages)
    }
    meaning = {}

    def vectors(texts) -> np.ndarray:
        made = [meaning.setdefault(identifier.split("/")[-1], rng.standard_normal(dim)) for identifier in texts.ids]
        return unit(np.stack(made) + tongue[texts.lang]).astype(np.float32)

    queries, passages = vectors(parallel.queries), vectors(parallel.passages)
    raw = evaluate_embeddings(queries, passages, parallel).summary
    if method == "lsar":
        weight = lsar(samples)
        after = [unit(side @ weight).astype(np.float32) for side in (queries, passages)]
    else:
        removal = centre(samples) if method == "centre" else lir(samples)
        pairs = ((queries, parallel.queries), (passages, parallel.passages))
        after = [removal.apply(side, texts.lang.astype(np.int64)) for side, texts in pairs]
    found = evaluate_embeddings(*after, parallel).summary
    assert raw["multi"]["map"] < 0.6
    assert found["multi"]["map"] > raw["multi"]["map"] + 0.25
    assert found["bias"]["rank_distance"] < raw["bias"]["rank_distance"] / 2


@pytest.fixture(scope="module")
def parallel() -> RetrievalSet:
    """40 questions and passages in three languages; the identifier ends in the meaning."""
    from triglot.corpus.retrieval import Texts

    codes = ("de", "en", "th")
    lang = np.repeat(np.arange(3), 40).astype(np.int16)
    meaning = np.tile(np.arange(40), 3)
    sides = [
        Texts(*([f"{side}-{codes[c]}/{m}" for c, m in zip(lang, meaning)] for _ in range(2)), lang, meaning, meaning)
        for side in "qp"
    ]
    judged = [(q, p, 1) for q in range(120) for p in range(120) if meaning[q] == meaning[p]]
    return RetrievalSet("planted", codes, sides[0], sides[1], np.array(judged, np.int64))


@pytest.fixture(scope="module")
def corpus():
    return read_training(languages=["de", "en", "th"])[0]


@pytest.fixture(scope="module", params=["static", "transformer"])
def encoder(request: pytest.FixtureRequest, corpus):
    texts: dict[str, list[str]] = {}
    for text, lang in zip(corpus.texts.to_pylist()[:3000], corpus.text_lang.tolist()[:3000]):
        texts.setdefault(corpus.languages[lang], []).append(text)
    settings = EncoderSettings(kind=request.param, dim=16, vocab=400, layers=1, heads=2)
    return init_encoder(settings, word_counts(texts), seed=1)


TEXTS = ["Welche Stadt ist die Hauptstadt?", "Which city is the capital?", "เมืองหลวงคือเมืองใด", ""]
LANGS = ["de", "en", "th", "en"]


@pytest.mark.slow
@pytest.mark.parametrize("method", ["centre", "lir", "lsar", "shift"])
def test_a_debiased_model_is_saved_and_loaded(method: str, encoder, corpus, tmp_path: Path) -> None:
    fitted = debias(encoder, corpus, DebiasSettings(method=method, texts=60))
    fitted.encoder.save(tmp_path / "model")
    loaded = load_encoder(tmp_path / "model")
    if method == "lsar":
        from sentence_transformers import SentenceTransformer

        assert not isinstance(loaded, ByLanguage)
        vectors = loaded.encode(TEXTS[:3], side="passage")
        assert np.allclose(vectors, fitted.encoder.encode(TEXTS[:3], side="passage"), atol=1e-6)
        theirs = SentenceTransformer(str(tmp_path / "model"), device="cpu").encode_document(TEXTS[:3])
        assert np.allclose(vectors, theirs, atol=1e-5)
        raw = encoder.encode(TEXTS[:3], side="passage")
        assert fitted.texts == {"de": 60, "en": 60, "th": 60}
        assert not np.allclose(raw, vectors, atol=1e-3)
        return
    assert isinstance(loaded, ByLanguage)
    assert loaded.removal.method == method
    expected = fitted.encoder.encode(TEXTS, side="passage", langs=LANGS)
    assert np.allclose(loaded.encode(TEXTS, side="passage", langs=LANGS), expected, atol=1e-6)
    told = loaded.encode(TEXTS[:3], side="passage")  # languages told from the texts
    assert np.allclose(told, expected[:3], atol=1e-6)
    fixed = loaded.in_language("th").encode(TEXTS[2:3], side="passage")
    assert np.allclose(fixed, expected[2:3], atol=1e-6)
    lengths = np.linalg.norm(expected, axis=1)
    assert np.allclose(lengths[:3], 1, atol=1e-5)


@pytest.mark.slow
def test_texts_of_benchmarks_are_not_used(encoder, corpus) -> None:
    texts = corpus.texts.to_pylist()
    hidden = [text.upper() + "  " for text in texts[:500]]
    fitted = debias(encoder, corpus, DebiasSettings(method="centre", texts=100_000), held_out=hidden)
    assert fitted.held_out >= 500
    assert sum(fitted.texts.values()) == len(texts) - fitted.held_out


def test_a_language_without_a_step_keeps_its_vectors(encoder, corpus, caplog: pytest.LogCaptureFixture) -> None:
    fitted = debias(encoder, corpus, DebiasSettings(method="centre", texts=60)).encoder
    vectors = fitted.encode(["kaupunki", "city"], side="query", langs=["fi", "en-GB"])
    raw = encoder.encode(["kaupunki", "city"], side="query")
    assert np.array_equal(vectors[0], raw[0])
    assert not np.allclose(vectors[1], raw[1], atol=1e-3)
    assert "1 texts in fi keep their vectors" in caplog.text
    with pytest.raises(InputError, match="no step for fi"):
        fitted.in_language("fi")


def test_evaluation_gives_each_text_its_language(encoder, corpus, parallel: RetrievalSet) -> None:
    fitted = debias(encoder, corpus, DebiasSettings(method="centre", texts=60)).encoder
    ours = evaluate_encoder(fitted, parallel).summary
    sides = []
    for side, texts in (("query", parallel.queries), ("passage", parallel.passages)):
        numbers = np.array([fitted.removal.number(parallel.languages[i]) for i in texts.lang])
        sides.append(fitted.removal.apply(encoder.encode(texts.texts, side=side), numbers))
    assert ours["multi"]["map"] == pytest.approx(
        evaluate_embeddings(*sides, parallel).summary["multi"]["map"], abs=1e-6
    )


def test_with_linear_and_average(encoder) -> None:
    weight = np.diag(np.linspace(0.5, 2, 16))
    raw = encoder.encode(TEXTS[:3], side="query")
    once = with_linear(encoder, weight)
    assert np.allclose(once.encode(TEXTS[:3], side="query"), unit(raw @ weight), atol=1e-5)
    assert np.allclose(encoder.encode(TEXTS[:3], side="query"), raw)  # the old one stays
    same = average([encoder, encoder])
    assert np.allclose(same.encode(TEXTS[:3], side="query"), raw, atol=1e-6)
    if encoder.kind == "static":
        other = encoder.with_rows(encoder.embeddings * 3)
        assert np.allclose(average([encoder, other], [3, 1]).embeddings, encoder.embeddings * 1.5, atol=1e-6)
        assert np.allclose(average([encoder, other]).embeddings, encoder.embeddings * 2, atol=1e-6)
    with pytest.raises(InputError, match="cannot be averaged"):
        average(
            [encoder, once] if encoder.kind == "transformer" else [encoder, with_linear(with_affine(encoder), weight)]
        )


@pytest.mark.parametrize(("weights", "share"), [((), 0.5), ((3, 1), 0.25), ((0, 2), 1.0)])
def test_transformers_are_averaged_weight_by_weight(weights, share) -> None:
    words = word_counts({"en": list(TEXTS)})
    settings = EncoderSettings(kind="transformer", dim=16, vocab=200, layers=1, heads=2)
    one, other = (init_encoder(settings, words, seed=seed) for seed in (1, 2))
    before = {key: value.clone() for key, value in one.model.state_dict().items()}
    made, theirs = average([one, other], weights).model.state_dict(), other.model.state_dict()
    assert set(made) == set(before)
    for key, value in made.items():
        if value.is_floating_point():
            torch.testing.assert_close(value, (1 - share) * before[key] + share * theirs[key], rtol=1e-6, atol=1e-7)
        assert torch.equal(one.model.state_dict()[key], before[key])


def with_affine(encoder):
    from triglot.encoder.static import Affine, StaticEncoder

    return StaticEncoder(
        encoder.tokenizer, encoder.embeddings, after=[Affine(np.eye(16, dtype=np.float32), np.zeros(16, np.float32))]
    )


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"method": "centring"}, "unknown.*centre"),
        ({"method": "centre", "rank": 2}, "centre has none"),
        ({"method": "lir", "rank": -1}, "negative"),
        ({"method": "lir", "texts": 3}, "below 50"),
    ],
)
def test_settings_are_checked(settings: dict, message: str) -> None:
    with pytest.raises(InputError, match=message):
        DebiasSettings(**settings)


def test_bad_fits(encoder, corpus) -> None:
    with pytest.raises(InputError, match="at most 2"):
        debias(encoder, corpus, DebiasSettings(method="lsar", rank=3, texts=60))
    with pytest.raises(InputError, match="16 directions"):
        debias(encoder, corpus, DebiasSettings(method="lir", rank=16, texts=60))
    with pytest.raises(InputError, match="1 languages"):
        debias(encoder, read_training(languages=["de"])[0], DebiasSettings(method="centre", texts=60))
    with pytest.raises(InputError, match="pivot: no texts in 'fr'"):
        debias(encoder, corpus, DebiasSettings(method="shift", pivot="fr", texts=60))
    with pytest.raises(InputError, match="fewer than 50 texts in de"):
        german = [
            text
            for text, lang in zip(corpus.texts.to_pylist(), corpus.text_lang.tolist())
            if corpus.languages[lang] == "de"
        ]
        debias(encoder, corpus, DebiasSettings(method="centre"), held_out=german[10:])
    once = debias(encoder, corpus, DebiasSettings(method="centre", texts=60)).encoder
    with pytest.raises(InputError, match="before"):
        debias(once, corpus, DebiasSettings(method="lir", texts=60))


def test_a_language_without_translations_is_said(encoder, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    for code, number in (("de", 80), ("en", 80)):
        (tmp_path / f"{code}-fr.tsv").write_text("".join(f"{code} {i}\tfr {i}\n" for i in range(number)), "utf-8")
    corpus = read_bitext(tmp_path)[0]
    found = debias(encoder, corpus, DebiasSettings(method="shift", pivot="en", texts=60)).encoder
    assert "no text translated into en in de; vectors in these languages stay as they are" in caplog.text
    assert set(found.removal.languages) == {"fr", "en"}


ARMS = """
  xx: {batches.kind: xx}
  xy: {batches.kind: xy}
  mean: {of: [xx, xy]}
  centred: {of: [xx], debias.method: centre, debias.texts: 60}
  lsar: {of: [xx], debias.method: lsar, debias.texts: 60}
"""


@pytest.mark.slow
def test_arms_made_of_others(tmp_path: Path) -> None:
    recipe = small_recipe(tmp_path, ARMS)
    report = study(recipe, tmp_path / "study")
    found = {arm: read_json(tmp_path / "study" / "arms" / arm / "seed-1" / "results.json") for arm in recipe.arms}
    values = {arm: one["benchmarks"]["atlas"]["multi"]["map"] for arm, one in found.items()}
    assert len(set(values.values())) == 5
    load = {arm: load_encoder(tmp_path / "study" / "arms" / arm / "seed-1" / "model") for arm in recipe.arms}
    assert np.allclose(load["mean"].embeddings, (load["xx"].embeddings + load["xy"].embeddings) / 2, atol=1e-6)
    assert isinstance(load["centred"], ByLanguage)
    told = read_json(tmp_path / "study" / "arms" / "centred" / "seed-1" / "summary.json")["debias"]
    assert told["source"] == "atlas"
    assert told["texts"] == {"de": 60, "en": 60, "th": 60}
    assert report is not None
    assert "centred" in report.path.read_text(encoding="utf-8")
    again = study(recipe, tmp_path / "study")  # nothing is left to do
    assert again == report


@pytest.mark.parametrize(
    ("arms", "message"),
    [
        ("\n  mean: {of: [xx]}\n  xx: {}\n", "no arm 'xx' that is trained and stands above it"),
        ("\n  xx: {}\n  mean: {of: [xz]}\n", "no arm 'xz'.*xx"),
        ("\n  xx: {}\n  mean: {of: [xx], train.lr: 0.1}\n", "an arm made of others is not trained"),
        ("\n  xx: {debias.method: lir}\n", "debias: goes with"),
        ("\n  xx: {}\n  lir: {of: [xx], debias.method: lear}\n", "lear.*lsar|lear.*lir"),
    ],
)
def test_bad_arms(tmp_path: Path, arms: str, message: str) -> None:
    with pytest.raises(InputError, match=message):
        small_recipe(tmp_path, arms)


def test_an_arm_needs_the_arms_that_it_is_made_of(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="made of xx, which is not trained"):
        study(small_recipe(tmp_path, ARMS), tmp_path / "study", arms=["mean"])


def test_the_command(
    encoder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], pairs: Path
) -> None:
    encoder.save(tmp_path / "raw")
    words = [
        "debias",
        str(tmp_path / "raw"),
        str(pairs),
        "--out",
        str(tmp_path / "new"),
        "--method",
        "shift",
        "--strength",
        "1",
        "--max-texts",
        "80",
        "-q",
    ]
    monkeypatch.setattr(sys, "argv", ["triglot", *words])
    with pytest.raises(SystemExit, match="0"):
        cli.main()
    assert "debiased by shift, fitted on" in capsys.readouterr().out
    assert isinstance(load_encoder(tmp_path / "new"), ByLanguage)
    assert "debiased by shift" in (tmp_path / "new" / "README.md").read_text(encoding="utf-8")
    words[words.index("shift")] = "shft"
    monkeypatch.setattr(sys, "argv", ["triglot", *words])
    with pytest.raises(SystemExit, match="2"):
        cli.main()
    assert "shift" in capsys.readouterr().err


@pytest.fixture
def pairs(tmp_path: Path) -> Path:
    import gzip

    folder = tmp_path / "bitext"
    folder.mkdir()
    with gzip.open(folder / "de-en.tsv.gz", "wt", encoding="utf-8") as handle:
        handle.writelines(f"Fluss Nummer {n} am Berg {n * 7}\triver number {n} at hill {n * 7}\n" for n in range(200))
    return folder


def test_encode_takes_the_language(encoder, corpus, tmp_path: Path) -> None:
    from triglot.commands.encode import encode_file

    encoder.save(tmp_path / "raw")
    fitted = debias(encoder, corpus, DebiasSettings(method="centre", texts=60)).encoder
    fitted.save(tmp_path / "new")
    (tmp_path / "texts.txt").write_text("die Stadt\nder Berg\n", encoding="utf-8")
    encode_file(str(tmp_path / "new"), str(tmp_path / "texts.txt"), tmp_path / "v.npy", side="passage", lang="de")
    expected = fitted.encode(["die Stadt", "der Berg"], side="passage", langs=["de", "de"])
    assert np.allclose(np.load(tmp_path / "v.npy"), expected, atol=1e-6)
    with pytest.raises(InputError, match="no step for fi"):
        encode_file(str(tmp_path / "new"), str(tmp_path / "texts.txt"), tmp_path / "v.npy", side="passage", lang="fi")
    with pytest.raises(InputError, match="alike"):
        encode_file(str(tmp_path / "raw"), str(tmp_path / "texts.txt"), tmp_path / "v.npy", side="passage", lang="de")


def test_the_step_of_each_language_is_written_in_the_same_bytes_and_read_as_it_was_first_written(
    tmp_path: Path,
) -> None:
    removal = Removal(("de", "en"), np.ones((2, 4), np.float32), np.zeros((2, 0, 4), np.float32), "centre")
    written = set()
    for number in range(8):
        folder = tmp_path / str(number)
        folder.mkdir()
        write_removal(removal, folder)
        written.add((folder / "languages.safetensors").read_bytes())
    assert len(written) == 1
    arrays = {"offsets": removal.offsets, "directions": removal.directions}
    save_file(arrays, tmp_path / "languages.safetensors", metadata={"languages": '["de", "en"]', "method": "centre"})
    for folder in (tmp_path, tmp_path / "0"):
        found = read_removal(folder)
        assert found is not None
        assert (found.languages, found.method) == (removal.languages, "centre")
        np.testing.assert_array_equal(found.offsets, removal.offsets)
