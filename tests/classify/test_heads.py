"""Heads: scikit-learn's logistic regression, a loop, held-out groups, files."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.linear_model import LogisticRegression
from sklearn.preprocessing import StandardScaler

from triglot.classify import heads
from triglot.classify.heads import Head, HeadSettings, features, fit_head, load_head
from triglot.files import InputError

LABELS = ("entailment", "neutral", "contradiction")


def problem(rows: int = 240, dim: int = 6, classes: int = 3, seed: int = 0):
    """Unit vectors whose class hangs on u * v and |u - v|, with noise; four rows a group."""
    rng = np.random.default_rng(seed)
    first, second = (rng.standard_normal((90, dim)).astype(np.float32) for _ in range(2))
    first, second = (x / np.linalg.norm(x, axis=1, keepdims=True) for x in (first, second))
    index = rng.integers(0, 90, (rows, 2))
    truth = rng.standard_normal((4 * dim, classes))
    logits = 6 * features(first[index[:, 0]], second[index[:, 1]]) @ truth
    target = (logits + rng.gumbel(size=logits.shape)).argmax(1)
    return first, second, index, target, np.arange(rows) // 4


@pytest.mark.parametrize("classes", [2, 3])
@pytest.mark.parametrize("block", [100, 4096])
def test_it_is_the_logistic_regression_of_scikit_learn(
    classes: int, block: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(heads, "_BLOCK", block)  # several blocks, or one
    first, second, rows, target, group = problem(classes=classes)
    penalty = 0.02
    head = fit_head(
        first,
        second,
        rows,
        target,
        labels=LABELS[:classes],
        group=group,
        settings=HeadSettings(penalties=(penalty,), tolerance=1e-7, iterations=3000),
    )
    x = StandardScaler().fit_transform(features(first[rows[:, 0]], second[rows[:, 1]]))
    # With two classes scikit-learn has one vector w where the softmax has two of w / 2, so the same penalty costs it
    # twice as much.
    c = 1 / (penalty * len(rows)) * (2 if classes == 2 else 1)
    theirs = LogisticRegression(C=c, tol=1e-10, max_iter=10_000).fit(x, target)
    np.testing.assert_allclose(np.exp(head.scores(first, second, rows)), theirs.predict_proba(x), atol=1e-6)
    assert head.facts["converged"]


def test_scores_are_those_of_a_loop() -> None:
    first, second, rows, target, group = problem(rows=60)
    for hidden in (0, 4):
        settings = HeadSettings(hidden=hidden, penalties=(0.1,), iterations=20)
        head = fit_head(first, second, rows, target, labels=LABELS, group=group, settings=settings)
        for (a, b), got in zip(rows, head.scores(first, second, rows)):
            x = features(first[a : a + 1], second[b : b + 1])[0]
            for number, (weight, bias) in enumerate(zip(head.weights, head.biases)):
                x = np.tanh(x @ weight + bias) if number < len(head.weights) - 1 else x @ weight + bias
            np.testing.assert_allclose(np.exp(got), np.exp(x) / np.exp(x).sum(), rtol=1e-9)


def test_a_hidden_layer_learns_what_a_plane_cannot() -> None:
    rng = np.random.default_rng(3)
    first, second = rng.uniform(-1, 1, (400, 2)).astype(np.float32), rng.uniform(-1, 1, (400, 2)).astype(np.float32)
    rows = np.column_stack([np.arange(400)] * 2)
    target = (first[:, 0] * first[:, 1] > 0).astype(int)  # exclusive or of signs within u: not in the features
    right = {}
    for hidden in (0, 16):
        settings = HeadSettings(hidden=hidden, penalties=(1e-4,), iterations=200)
        head = fit_head(
            first[:300],
            second[:300],
            rows[:300],
            target[:300],
            labels=("a", "b"),
            group=rows[:300, 0],
            settings=settings,
        )
        right[hidden] = (head.scores(first, second, rows[300:]).argmax(1) == target[300:]).mean()
    assert right[0] < 0.7 < 0.9 < right[16]


@pytest.mark.parametrize("hidden", [0, 8])
def test_same_arguments_same_head_and_the_file_gives_it_back(hidden: int, tmp_path) -> None:
    first, second, rows, target, group = problem()
    settings = HeadSettings(hidden=hidden, iterations=30)
    one, two = (
        fit_head(first, second, rows, target, labels=LABELS, group=group, settings=settings, facts={"of": "toy"})
        for _ in range(2)
    )
    one.save(tmp_path / "head")
    back = load_head(tmp_path / "head")
    for other in (two, back):
        assert other.labels == one.labels
        assert all(
            (a == b).all() for a, b in zip((*one.weights, *one.biases), (*other.weights, *other.biases), strict=True)
        )
        assert other.facts == one.facts
    assert one.facts["of"] == "toy"
    assert one.dim == 6


@given(st.lists(st.integers(0, 12), min_size=2, max_size=80), st.floats(0.01, 0.99), st.integers(0, 5))
def test_no_group_is_on_both_sides(group: list[int], share: float, seed: int) -> None:
    ids = np.array(group)
    held = heads._held_out(ids, share, seed)
    assert not set(ids[held]) & set(ids[~held])
    if len(set(group)) > 1:
        assert held.any()
        assert not held.all()
        assert (heads._held_out(ids, share, seed) == held).all()
        assert abs(len(set(ids[held])) - share * len(set(group))) <= 1


def test_the_penalty_has_the_lowest_loss_on_the_part_held_out() -> None:
    first, second, rows, target, group = problem()
    settings = HeadSettings(penalties=(0.001, 100.0, 0.1, 1.0, 0.01))
    head = fit_head(first, second, rows, target, labels=LABELS, group=group, settings=settings)
    tried = {float(key): loss for key, loss in head.facts["held_loss"].items()}
    assert list(tried) == [100.0, 1.0, 0.1, 0.01, 0.001][: len(tried)]
    assert head.facts["penalty"] == min(tried, key=lambda key: tried[key])
    held = heads._held_out(group, 0.2, 1)
    alone = replace(settings, penalties=(head.facts["penalty"],))
    again = fit_head(first, second, rows[~held], target[~held], labels=LABELS, group=group[~held], settings=alone)
    loss = -again.scores(first, second, rows[held])[np.arange(held.sum()), target[held]].mean()
    assert loss == pytest.approx(tried[head.facts["penalty"]], abs=1e-4)
    # The chosen head is trained on all rows.
    whole = fit_head(first, second, rows, target, labels=LABELS, group=group, settings=alone)
    assert all((a == b).all() for a, b in zip(head.weights, whole.weights, strict=True))


def test_vectors_that_say_nothing_give_the_shares_of_the_classes() -> None:
    first = np.ones((5, 3), np.float32)
    rows = np.zeros((60, 2), np.int64)
    target = np.repeat([0, 1, 2], [30, 20, 10])
    head = fit_head(first, first, rows, target, labels=LABELS, group=np.arange(60))
    np.testing.assert_allclose(np.exp(head.scores(first, first, rows[:1]))[0], [1 / 2, 1 / 3, 1 / 6], atol=1e-4)


def test_input_that_cannot_be_learned_from() -> None:
    first, second, rows, target, group = problem()
    with pytest.raises(InputError, match="none is labelled neutral or contradiction"):
        fit_head(first, second, rows, np.zeros_like(target), labels=LABELS, group=group)
    with pytest.raises(InputError, match="cannot be split"):
        fit_head(first, second, rows, target, labels=LABELS, group=np.zeros_like(group))
    held = heads._held_out(group, 0.2, 1)
    with pytest.raises(
        InputError, match=r"without the 20% of groups that are held out has .* none is labelled contradiction"
    ):
        fit_head(first, second, rows, np.where(held, 2, np.arange(len(rows)) % 2), labels=LABELS, group=group)
    broken = first.copy()
    broken[[3, 7], 0] = np.nan
    with pytest.raises(InputError, match="2 vectors of first texts are not finite, the first that of text 3"):
        fit_head(broken, second, rows, target, labels=LABELS, group=group)
    with pytest.raises(InputError, match=r"\(90, 6\) and \(90, 4\)"):
        fit_head(first, second[:, :4], rows, target, labels=LABELS, group=group)
    with pytest.raises(ValueError, match="lengths differ"):
        fit_head(first, second, rows, target[1:], labels=LABELS, group=group)


@pytest.mark.parametrize(
    ("key", "value"),
    [("hidden", -1), ("penalties", ()), ("penalties", (0.0,)), ("held", 1.0), ("iterations", 0), ("tolerance", 0.0)],
)
def test_settings_are_checked(key: str, value: object) -> None:
    with pytest.raises(InputError, match=rf"^{key}(\.0)?: "):
        HeadSettings(**{key: value})  # type: ignore[arg-type]


def test_files_that_are_no_head(tmp_path) -> None:
    head = Head(LABELS, (np.ones((24, 3)),), (np.zeros(3),))
    place = tmp_path / "head"
    head.save(place)
    with pytest.raises(InputError, match="takes vectors of 6 dimensions, these have 4"):
        load_head(place).scores(np.ones((1, 4)), np.ones((1, 4)), np.zeros((1, 2), int))
    with pytest.raises(InputError, match="no such file"):
        load_head(tmp_path / "nothing")
    told = json.loads((place / "head.json").read_text())
    for change, said in (
        ({"schema": 2}, "schema 1"),
        ({"dim": 7}, "7 dimensions and 3 labels"),
        ({"labels": ["a"]}, "1 labels"),
    ):
        (place / "head.json").write_text(json.dumps(told | change))
        with pytest.raises(InputError, match=said):
            load_head(place)
    (place / "head.json").write_text(json.dumps(told))
    (place / "head.safetensors").write_bytes(b"not tensors")
    with pytest.raises(InputError, match=r"head\.safetensors: cannot be read"):
        load_head(place)
    Head(LABELS, (np.full((24, 3), np.nan),), (np.zeros(3),)).save(place)
    with pytest.raises(InputError, match="not finite"):
        load_head(place)


def test_features_that_do_not_fit_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    first, second, rows, target, group = problem()
    monkeypatch.setattr("triglot.memory.available", lambda: 10_000)
    with pytest.raises(InputError, match=r"240 rows of features: about 92\.2 kB of memory are needed"):
        fit_head(first, second, rows, target, labels=LABELS, group=group, settings=HeadSettings(penalties=(1.0,)))
