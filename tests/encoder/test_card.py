"""A model card says what is known of this model, in the form that hubs read, and nothing in a name breaks it."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml
from huggingface_hub import ModelCard

from triglot.encoder.card import Card, add_scores, card_text

SCORES = {
    "xquad-r": {"mono": {"map": 0.75, "ndcg@10": None}, "multi": {"map": 0.5}, "micro": {"mono": {"map": 0.9}}},
    "no: |x|\n# y": {"classification": {"accuracy": 0.625}},
}


def test_the_results_are_a_model_index() -> None:
    text = card_text(Card(title="A model", base="owner/model", scores=SCORES), kind="static", dim=8)
    card = ModelCard(text)
    found = {
        (one.dataset_name, one.task_type, one.metric_type): one.metric_value for one in card.data.eval_results or []
    }
    assert found == {
        ("xquad-r", "text-retrieval", "mono_map"): 0.75,
        ("xquad-r", "text-retrieval", "multi_map"): 0.5,
        ("no: |x|\n# y", "text-classification", "classification_accuracy"): 0.625,
    }
    assert (card.data.model_name, card.data.base_model) == ("A model", "owner/model")
    assert "| xquad-r | monolingual | map | 0.7500 |" in text
    assert "| no: \\|x\\| \\# y | classification | accuracy | 0.6250 |" in text


def test_what_is_not_known_is_said_to_be_not_stated() -> None:
    text = card_text(Card(sources={"train.jsonl": ""}), kind="static", dim=8)
    assert "Licence of the weights: not stated." in text
    assert "| train.jsonl | not stated |" in text
    assert "model-index" not in text
    assert "## Results" not in text
    assert "## Citation" in text


@pytest.mark.parametrize(
    "bad", ["<script>x</script>", "[x](javascript:y)", "a\n---\nlicense: mit\n", "`x|y", "| a |\n| b |"]
)
def test_no_name_becomes_markup(bad: str) -> None:
    text = card_text(
        Card(
            title=bad, licence=bad, sources={bad: bad}, training=[bad], languages=[bad], scores={bad: SCORES["xquad-r"]}
        ),
        kind="x",
        dim=8,
    )
    head, body = text.removeprefix("---\n").split("\n---\n", 1)
    assert yaml.safe_load(head)["license"] == bad
    assert "<script>" not in body
    assert "[x](" not in body
    assert "\nlicense: mit" not in body
    table = body.partition("## Training data\n\n")[2].partition("\n\n")[0].splitlines()
    assert len(table) == 3
    assert table[2].replace("\\|", "").count("|") == 3


def test_results_are_put_into_a_card_that_is_there_and_replace_older_ones(tmp_path: Path) -> None:
    (tmp_path / "README.md").write_text(card_text(Card(languages=["no"]), kind="static", dim=8), encoding="utf-8")
    add_scores(tmp_path, "m", {"earlier": {"mono": {"map": 0.1}}})
    add_scores(tmp_path, "m", {"xquad-r": SCORES["xquad-r"]})
    text = (tmp_path / "README.md").read_text("utf-8")
    assert "earlier" not in text
    assert text.count("## Results") == text.count("## Citation") == text.count("model-index") == 1
    assert {one.metric_value for one in ModelCard(text).data.eval_results or []} == {0.75, 0.5}
    assert ModelCard(text).data.language == ["no"]
    add_scores(tmp_path / "absent", "m", SCORES)
