"""The loss for other trainers: that of our own, and that of sentence-transformers where no group comes twice."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from tests.killing import Server
from tests.train.conftest import make_corpus
from triglot.batches import BatchSettings, plan_run, rows_of
from triglot.files import InputError
from triglot.losses import LossSettings, info_nce, pair_masks
from triglot.trainers import GroupMaskedRankingLoss, batch_sampler, to_dataset


class Table(nn.Module):
    """An embedding a number, as a model of sentence-transformers would give it."""

    def __init__(self) -> None:
        super().__init__()
        self.rows = nn.Embedding(50, 8)

    def forward(self, features: dict[str, Tensor]) -> dict[str, Tensor]:
        return {"sentence_embedding": self.rows(features["input_ids"])}


@pytest.fixture
def model() -> Table:
    torch.manual_seed(1)
    return Table()


def columns(*ids: list[int]) -> list[dict[str, Tensor]]:
    return [{"input_ids": torch.tensor(column)} for column in ids]


@pytest.mark.parametrize("symmetric", [0.0, 0.4])
def test_it_is_our_own_loss(model: Table, symmetric: float) -> None:
    groups = torch.tensor([3, 7, 3, 9, 7])
    value = GroupMaskedRankingLoss(model, scale=10, symmetric=symmetric)(
        columns([1, 2, 3, 4, 5], [6, 7, 8, 9, 10]), groups
    )
    queries, passages = (
        nn.functional.normalize(model.rows(torch.tensor(ids)), dim=1) for ids in ([1, 2, 3, 4, 5], [6, 7, 8, 9, 10])
    )
    row = torch.arange(5)
    masks = pair_masks(row, row, groups, groups)
    torch.testing.assert_close(
        value, info_nce(queries, passages, *masks, LossSettings(temperature=0.1, symmetric=symmetric))
    )


@pytest.mark.parametrize("negatives", [[], [[11, 12, 13, 14, 15]]])
def test_without_groups_it_is_the_loss_of_sentence_transformers(model: Table, negatives: list[list[int]]) -> None:
    from sentence_transformers.sentence_transformer.losses import MultipleNegativesRankingLoss

    features = columns([1, 2, 3, 4, 5], [6, 7, 8, 9, 10], *negatives)
    theirs = MultipleNegativesRankingLoss(model)(features, None)
    torch.testing.assert_close(GroupMaskedRankingLoss(model)(features, torch.arange(5)), theirs)


def test_passages_of_the_querys_own_group_are_no_negatives(model: Table) -> None:
    """By a double loop; the second hard negative is an answer of the first query."""
    queries, passages, hard, groups = [1, 2, 3], [6, 7, 8], [11, 12, 13], [[4, 5], [6, 4], [4, 8]]
    vectors = nn.functional.normalize(model.rows.weight.detach(), dim=1)
    losses = []
    for i, query in enumerate(queries):
        scores = 20 * vectors[query] @ vectors[passages + hard].T
        family = [line[0] for line in groups] + [line[1] for line in groups]
        kept = [j for j in range(6) if j == i or family[j] != groups[i][0]]
        losses.append(torch.logsumexp(scores[kept], 0) - scores[i])
    value = GroupMaskedRankingLoss(model)(columns(queries, passages, hard), torch.tensor(groups))
    torch.testing.assert_close(value.detach(), torch.stack(losses).mean())


def test_labels_that_are_no_groups(model: Table) -> None:
    loss = GroupMaskedRankingLoss(model)
    with pytest.raises(InputError, match="column `label` with the group"):
        loss(columns([1, 2], [3, 4]), torch.tensor([0.5, 1.0]))
    with pytest.raises(InputError, match="2 groups a line for 1 passages"):
        loss(columns([1, 2], [3, 4]), torch.tensor([[1, 2], [3, 4]]))


def test_two_processes_rank_among_the_passages_of_both(server: Server) -> None:
    done = server.run([], call="tests.trainers.jobs:gathers", processes=2)
    assert done.code == 0, done.output


def test_gathering_alone_says_that_there_is_nobody_else(model: Table, caplog: pytest.LogCaptureFixture) -> None:
    features, groups = columns([1, 2, 3], [4, 5, 6]), torch.arange(3)
    alone = GroupMaskedRankingLoss(model, gather_across_devices=True)
    assert torch.equal(alone(features, groups), GroupMaskedRankingLoss(model)(features, groups))
    assert "gather_across_devices: there is no other process" in caplog.text
    assert alone.get_config_dict()["gather_across_devices"] is True


# --- PyLate


class Late(Table):
    """Token embeddings, as PyLate's ColBERT gives them."""

    skiplist, do_query_expansion = (0,), False

    def forward(self, features: dict[str, Tensor]) -> dict[str, Tensor]:
        return {"token_embeddings": self.rows(features["input_ids"])}

    @staticmethod
    def skiplist_mask(input_ids: Tensor, skiplist: Any) -> Tensor:
        return ~torch.isin(input_ids, torch.tensor(skiplist))


def test_late_interaction_by_a_double_loop() -> None:
    from triglot.trainers import late_interaction

    torch.manual_seed(1)
    model = Late()
    ids = [[[1, 2, 9], [3, 4, 5]], [[6, 7, 0], [8, 9, 10]]]
    seen = [[[1, 1, 0], [1, 1, 1]], [[1, 1, 1], [1, 1, 0]]]
    features = [
        {"input_ids": torch.tensor(i), "attention_mask": torch.tensor(s), **model({"input_ids": torch.tensor(i)})}
        for i, s in zip(ids, seen, strict=True)
    ]
    vectors = nn.functional.normalize(model.rows.weight.detach(), dim=1)
    wanted = [
        [
            sum(
                max(float(vectors[t] @ vectors[s]) * (there and s != 0) for s, there in zip(passage, kept, strict=True))
                for t, shown in zip(query, mask, strict=True)
                if shown
            )
            for passage, kept in zip(ids[1], seen[1], strict=True)
        ]
        for query, mask in zip(ids[0], seen[0], strict=True)
    ]
    torch.testing.assert_close(late_interaction(model, *features).detach(), torch.tensor(wanted))


def save_tiny_bert(folder: Path, texts: list[str]) -> None:
    """A BERT of one layer whose vocabulary is the words of some texts, as a folder that any library opens."""
    from transformers import BertConfig, BertModel, BertTokenizer

    folder.mkdir()
    words = sorted({word for text in texts for word in re.findall(r"\w+|[^\w\s]", text.lower())})
    vocabulary = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "[unused0]", "[unused1]", *words]
    (folder / "vocab.txt").write_text("\n".join(vocabulary), "utf-8")
    BertTokenizer(str(folder / "vocab.txt")).save_pretrained(folder)
    config = BertConfig(
        vocab_size=len(vocabulary),
        hidden_size=16,
        num_hidden_layers=1,
        num_attention_heads=2,
        intermediate_size=16,
        hidden_dropout_prob=0,
        attention_probs_dropout_prob=0,
    )
    BertModel(config).save_pretrained(folder)


@pytest.mark.slow
def test_two_steps_in_pylate(tmp_path: Path) -> None:
    pytest.importorskip("datasets")
    pylate = pytest.importorskip("pylate", reason="needs pylate, which asks for a sentence-transformers of its own")
    from pylate import losses, models, utils
    from sentence_transformers import SentenceTransformerTrainer, SentenceTransformerTrainingArguments

    from triglot.trainers import late_interaction

    corpus = make_corpus(24).select(np.arange(24))
    save_tiny_bert(tmp_path / "start", corpus.texts.to_pylist())
    model = models.ColBERT(str(tmp_path / "start"), embedding_size=8, device="cpu")
    seen = []

    class Watched(GroupMaskedRankingLoss):
        def forward(self, sentence_features: Any, labels: Tensor) -> Tensor:
            features = list(sentence_features)
            seen.append([feature["input_ids"] for feature in features])
            value = super().forward(features, labels)
            assert len(labels.unique()) == len(labels)
            theirs = losses.Contrastive(model)(features, labels)
            torch.testing.assert_close(value, theirs, rtol=1e-3, atol=1e-4)
            return value

    trainer = SentenceTransformerTrainer(
        model,
        SentenceTransformerTrainingArguments(
            output_dir=str(tmp_path / "run"),
            max_steps=2,
            per_device_train_batch_size=8,
            report_to=[],
            use_cpu=True,
            disable_tqdm=True,
            batch_sampler=batch_sampler(BatchSettings(alpha=0.5), seed=5),
        ),
        train_dataset=to_dataset(corpus),
        loss=Watched(model, scale=1.0, score=late_interaction),
        data_collator=utils.ColBERTCollator(tokenize_fn=model.tokenize),
    )
    trainer.train()
    plan = plan_run(rows_of(corpus), BatchSettings(alpha=0.5, size=8), steps=2, seed=5)
    for step, (queries, _) in zip(plan, seen, strict=True):
        texts = corpus.texts.take(corpus.text_of[corpus.query[step.rows], step.query_lang]).to_pylist()
        torch.testing.assert_close(queries, model.tokenize(texts, is_query=True, pad=True)["input_ids"])
    assert pylate.__version__
