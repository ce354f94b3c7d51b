"""A teacher's vectors: of which texts, on which side, kept and checked on disk, and the map into its space."""

from __future__ import annotations

import json
import logging

import numpy as np
import pytest
import torch

from tests.train.test_loop import start
from triglot.encoder import EncoderSettings, init_encoder
from triglot.files import InputError
from triglot.losses import LossSettings
from triglot.losses.terms import DistillationTerm, KeepTerm, Target
from triglot.train import teacher
from triglot.train.projection import Projection

MADE = {"start": "a", "data": "b"}
ENGLISH = DistillationTerm()


class Reader:
    """An encoder whose vectors say what it read, on which side."""

    name, dim, similarity, kind = "reader", 3, "cosine", "static"

    def __init__(self) -> None:
        self.read: list[tuple[str, str]] = []

    def encode(self, texts, *, side, langs=None, progress=False):
        self.read += [(side, text) for text in texts]
        return np.array([[len(text), text.count("a"), 1 + (side == "query")] for text in texts], np.float32)


@pytest.fixture
def stage(make_static, corpus):
    """(feed, plan) of a few steps."""
    _, feed, plan = start(make_static(), corpus, steps=3, size=8)
    return feed, plan


def prepared(stage, folder, *terms, reader=None, load=None, made=MADE):
    feed, plan = stage
    reader = reader or Reader()
    options = {"student": reader, "load": load or (lambda name: reader), "made": made}
    return teacher.prepare(LossSettings(terms=terms), feed.corpus, plan, folder, **options)


def test_only_what_the_plan_shows_is_read_each_text_once(stage, tmp_path) -> None:
    feed, plan = stage
    reader = Reader()
    prepared(stage, tmp_path / "t", ENGLISH, reader=reader)
    corpus, en = feed.corpus, feed.corpus.languages.index("en")
    rows = np.unique(np.concatenate([step.rows for step in plan]))
    expected = [
        (side, corpus.texts[int(corpus.text_of[group, en])].as_py())
        for side, groups in (("query", corpus.query[rows]), ("passage", corpus.passage[rows]))
        for group in np.unique(groups)
    ]
    assert sorted(reader.read) == sorted(expected)
    assert len(expected) < 2 * len(corpus)


def test_a_text_of_any_language_gets_the_vector_of_its_translation(stage, tmp_path) -> None:
    feed, plan = stage
    teachers = prepared(stage, tmp_path / "t", ENGLISH)
    batch, en = feed.batch(plan[1]), feed.corpus.languages.index("en")
    places, vectors = teachers.of(ENGLISH.target, batch.group, batch.lang, batch.sides)
    assert places.tolist() == list(range(len(batch)))
    read = [feed.corpus.texts[int(feed.corpus.text_of[group, en])].as_py() for group in batch.group]
    for text, passage, vector in zip(read, batch.sides, vectors, strict=True):
        wanted = np.array([len(text), text.count("a"), 1 if passage else 2])
        np.testing.assert_allclose(vector, wanted / np.linalg.norm(wanted), rtol=1e-6)


def test_keep_has_the_vectors_of_the_texts_themselves_and_none_of_switched_ones(stage, tmp_path) -> None:
    feed, plan = stage
    keep = KeepTerm(side="query")
    teachers = prepared(stage, tmp_path / "t", keep)
    seen = 0
    for step in plan:
        batch = feed.batch(step)
        places, vectors = teachers.of(keep.target, batch.group, batch.lang, batch.sides)
        natural = (feed.corpus.text_of[batch.group, batch.lang] >= 0) & ~batch.sides
        assert places.tolist() == np.flatnonzero(natural).tolist()
        seen += int((~natural[~batch.sides]).sum())
        assert len(vectors) == len(places)
    assert seen  # the second source has English alone


def test_without_a_translation_a_text_is_left_out_or_read_itself(make_static, corpus, tmp_path) -> None:
    _, feed, plan = start(make_static(), corpus, steps=3, size=8)
    german, own = DistillationTerm(reference="de"), DistillationTerm(reference="de", missing="own")
    teachers = prepared((feed, plan), tmp_path / "t", german, own)
    left, all_of_them = 0, 0
    for step in plan:
        batch = feed.batch(step)
        has = feed.corpus.group_languages[batch.group] & np.uint64(1) > 0  # German is the first language
        natural = feed.corpus.text_of[batch.group, batch.lang] >= 0
        for term, expected in ((german, has), (own, has | natural)):
            places, _ = teachers.of(term.target, batch.group, batch.lang, batch.sides)
            assert places.tolist() == np.flatnonzero(expected).tolist()
        left, all_of_them = left + int(has.sum()), all_of_them + int((has | natural).sum())
    assert left < all_of_them


def test_vectors_are_made_once_and_believed_only_with_their_checksum(stage, tmp_path, caplog) -> None:
    folder, first = tmp_path / "t", Reader()
    was = prepared(stage, folder, ENGLISH, reader=first)
    again = Reader()
    now = prepared(stage, folder, ENGLISH, reader=again)
    assert first.read
    assert not again.read
    assert now.checksum == was.checksum
    np.testing.assert_array_equal(now.taught[""].vectors, was.taught[""].vectors)
    assert isinstance(now.taught[""].vectors, np.memmap)  # read from disk as it is needed

    file = folder / "0" / "vectors.npy"
    data = bytearray(file.read_bytes())
    data[-3] ^= 1
    file.write_bytes(data)
    with caplog.at_level(logging.WARNING, "triglot"):
        mended = prepared(stage, folder, ENGLISH, reader=again)
    assert "vectors.npy: damaged or changed" in caplog.text
    assert again.read
    assert mended.checksum == was.checksum


@pytest.mark.parametrize("change", ["made", "reference", "plan"])
def test_other_facts_make_them_anew(stage, make_static, corpus, tmp_path, change) -> None:
    prepared(stage, tmp_path / "t", ENGLISH)
    reader, term, made = Reader(), ENGLISH, MADE
    if change == "made":
        made = {**MADE, "start": "another"}
    if change == "reference":
        term = DistillationTerm(reference="de")
    if change == "plan":
        _, feed, plan = start(make_static(), corpus, steps=4, size=8)
        stage = feed, plan
    prepared(stage, tmp_path / "t", term, reader=reader, made=made)
    assert reader.read


def test_what_is_not_ours_is_left_alone(stage, tmp_path) -> None:
    (tmp_path / "t" / "0").mkdir(parents=True)
    (tmp_path / "t" / "0" / "notes.txt").write_text("mine")
    with pytest.raises(InputError, match="holds something that no run has written there"):
        prepared(stage, tmp_path / "t", ENGLISH)
    prepared(stage, tmp_path / "u" / "stage", ENGLISH)
    (tmp_path / "u" / "stage" / "0" / "notes.txt").write_text("mine")
    teacher.clear(tmp_path / "u" / "stage")
    assert [path.name for path in (tmp_path / "u").rglob("*") if path.is_file()] == ["notes.txt"]


def test_nothing_is_left_when_it_is_cleared(stage, tmp_path) -> None:
    prepared(stage, tmp_path / "u" / "stage", ENGLISH)
    teacher.clear(tmp_path / "u" / "stage")
    assert not (tmp_path / "u").exists()
    teacher.clear(tmp_path / "u" / "stage")


def test_a_reference_that_nobody_speaks_is_named(stage, tmp_path) -> None:
    with pytest.raises(InputError, match=r"loss\.terms: reference: no text in 'fr'"):
        prepared(stage, tmp_path / "t", DistillationTerm(reference="fr"))
    assert prepared(stage, tmp_path / "t") is None


def test_a_teacher_of_other_dimensions_comes_with_a_map_that_is_a_good_start(
    make_static, words, corpus, tmp_path
) -> None:
    """The start and a wider model of the same rows: the map has to find the wider space again."""
    narrow = make_static()
    lift = np.linalg.qr(np.random.default_rng(0).standard_normal((24, 16)))[0].astype(np.float32)
    wide = init_encoder(EncoderSettings(dim=24, vocab=300), words, seed=1).with_rows(narrow.embeddings @ lift.T)
    plan = start(narrow, corpus, steps=3, size=8)[2]
    term = DistillationTerm(teacher="wide")
    options = {"student": narrow, "load": {"wide": wide}.__getitem__, "made": MADE}
    teachers = teacher.prepare(LossSettings(terms=(term,)), corpus, plan, tmp_path / "t", **options)
    taught = teachers.taught["wide"]
    assert taught.projection.shape == (16, 24)
    own = teacher.encoded(corpus, taught.keys, narrow) @ taught.projection
    cosine = (own * taught.vectors).sum(1) / np.linalg.norm(own, axis=1)
    assert cosine.min() > 0.95
    assert json.loads((tmp_path / "t" / "0" / "teacher.json").read_text())["facts"]["teacher"] == "wide"


def test_ridge_is_least_squares_with_a_penalty() -> None:
    rng = np.random.default_rng(0)
    own, other = rng.standard_normal((30, 4)), rng.standard_normal((30, 3))
    penalty = 1e-2 * np.trace(own.T @ own) / 4
    grown = np.concatenate([own, np.sqrt(penalty) * np.eye(4)]), np.concatenate([other, np.zeros((4, 3))])
    np.testing.assert_allclose(teacher.ridge(own, other), np.linalg.lstsq(*grown, rcond=None)[0], rtol=1e-4, atol=1e-6)


def test_the_map_learns_and_goes_on_from_a_checkpoint() -> None:
    def step(projection: Projection) -> None:
        projection.update(torch.autograd.grad(projection.weight.square().sum(), projection.weight)[0])

    whole, broken = (Projection(np.ones((2, 3)), lr=0.1) for _ in range(2))
    for _ in range(4):
        step(whole)
    step(broken)
    step(broken)
    again = Projection(np.zeros((2, 3)), lr=0.1)
    again.load_state(broken.state())
    step(again)
    step(again)
    assert torch.equal(again.weight, whole.weight)
    assert (whole.weight < 1).all()
    still = Projection(np.ones((2, 3)), lr=0.0)
    step(still)
    assert torch.equal(still.weight, torch.ones(2, 3))


def test_a_target_says_what_is_read(stage) -> None:
    corpus = stage[0].corpus
    group, lang = np.array([0, 0]), np.array([0, 2])
    assert teacher.read_texts(corpus, Target(), group, lang).tolist() == corpus.text_of[0, [0, 2]].tolist()
    assert teacher.read_texts(corpus, Target("en"), group, lang).tolist() == [corpus.text_of[0, 1]] * 2
