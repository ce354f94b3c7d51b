"""Terms of a loss as settings: from plain values, from Python, by arms, and what is wrong with them."""

from __future__ import annotations

from typing import Any

import pytest

from triglot.document import Document
from triglot.files import InputError
from triglot.losses import LossSettings, TermSettings
from triglot.losses.table import LOSSES
from triglot.losses.terms import ClearTerm, DistillationTerm, LakdaTerm, Target, Translation, weight_at
from triglot.settings import build, changed, plain


def test_terms_are_read_by_their_names() -> None:
    terms = [{"name": "distillation", "weight": 0.8, "reference": "EN"}, {"name": "lakda"}]
    loss = build(LossSettings, Document({"weight": 0.2, "terms": terms}, "here"))
    assert loss.terms == (DistillationTerm(weight=0.8, reference="en"), LakdaTerm())
    assert loss.targets == (Target("en"),)
    assert loss.translations == (Translation("query"),)
    assert build(LossSettings, Document(plain(loss), "again")) == loss


def test_terms_of_python_are_the_same() -> None:
    assert LossSettings(terms=(DistillationTerm(), ClearTerm())) == LossSettings(
        terms=({"name": "distillation"}, {"name": "clear"})
    )


def test_a_text_that_two_terms_ask_for_is_asked_for_once() -> None:
    loss = LossSettings(terms=(ClearTerm(pivot="de"), LakdaTerm()))
    assert loss.translations == (Translation("passage", "de"), Translation("query"))


def test_the_two_keys_of_views_are_terms() -> None:
    loss = LossSettings(self_teaching=0.5, consistency=0.25, terms=(LakdaTerm(),))
    assert [(term.name, term.weight) for term in loss.beside] == [
        ("self-teaching", 0.5),
        ("consistency", 0.25),
        ("lakda", 1.0),
    ]


def test_an_arm_changes_one_setting_of_a_term() -> None:
    loss = LossSettings(terms=({"name": "distillation"}, {"name": "lakda"}))
    arm = changed(loss, Document({"terms.0.weight": 8, "terms.1.temperature": 0.5}, "arm"))
    assert arm.terms == (DistillationTerm(weight=8.0), LakdaTerm(temperature=0.5))
    with pytest.raises(InputError, match=r"terms\.0\.referense: no such setting; did you mean 'reference'"):
        changed(loss, Document({"terms.0.referense": "de"}, "arm"))


@pytest.mark.parametrize(
    ("value", "said"),
    [
        (
            {"terms": [{"name": "distilation"}]},
            r"terms\.0\.name: 'distilation' is unknown; did you mean 'distillation'",
        ),
        ({"terms": [{"name": "lakda", "reference": "en"}]}, r"terms\.0\.reference: no such setting"),
        ({"terms": [{"name": "keep"}, {"name": "keep", "wight": 1}]}, r"terms\.1\.wight: .*did you mean 'weight'"),
        ({"terms": [{"name": "keep", "weight": -1}]}, r"terms\.0\.weight: -1.* is negative"),
        ({"terms": [{"name": "jsd", "side": "left"}]}, r"terms\.0\.side: 'left' is unknown"),
        ({"terms": [{"name": "jsd", "over": "axes"}]}, r"terms\.0\.over: 'axes' is unknown"),
        ({"terms": [{"weight": 1}]}, r"terms\.0\.name: is missing"),
        ({"terms": ["keep"]}, r"terms\.0: 'keep' is not a block of settings"),
        ({"terms": [{"name": "distillation", "reference": "a/b"}]}, r"terms\.0\.reference: "),
        ({"terms": "keep"}, r"terms: 'keep' is not a list"),
        ({"name": "keep"}, r"name: keep does not rank passages"),
        ({"name": "info_nce"}, r"name: 'info_nce' is unknown; did you mean 'info-nce'"),
        ({"weight": 0}, r"weight: is 0 and there are no terms"),
        ({"weight": 2e6}, r"weight: 2000000\.0 is too large"),
    ],
)
def test_what_is_wrong_is_named(value: dict[str, Any], said: str) -> None:
    with pytest.raises(InputError, match=said):
        build(LossSettings, Document(value, "here"))


def test_settings_of_another_loss_are_refused() -> None:
    with pytest.raises(InputError, match=r"terms\.0: TermSettings are not the settings of keep"):
        LossSettings(terms=(TermSettings("keep"),))


def test_weights_go_from_one_end_to_the_other() -> None:
    assert [weight_at(LakdaTerm(weight=1.0, weight_end=3.0), done) for done in (0.0, 0.25, 1.0)] == [1.0, 1.5, 3.0]
    assert weight_at(LossSettings(weight=0.3), 0.7) == pytest.approx(0.3)


def test_every_row_has_its_settings() -> None:
    for row in LOSSES:
        assert issubclass(row.settings, TermSettings)
        made = row.settings(name=row.name)
        assert bool(made.translations) == ("translations" in row.needs)
        assert (made.target is not None) == ("a teacher" in row.needs)
