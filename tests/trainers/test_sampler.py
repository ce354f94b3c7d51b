"""Planned batches in other trainers: the same as our own, resumed, and shared by ranks."""

from __future__ import annotations

import pickle
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.train.conftest import make_corpus
from triglot import seeds
from triglot.batches import BatchSettings, Step, plan_run, rows_of
from triglot.corpus.parallel import CorpusBuilder, ParallelCorpus
from triglot.files import InputError
from triglot.trainers import batch_sampler, to_dataset

pytest.importorskip("datasets")

Shown = list[tuple[str, str]]


def texts(corpus: ParallelCorpus, step: Step) -> Shown:
    """The pairs of texts of a step of our own plan."""
    query = corpus.text_of[corpus.query[step.rows], step.query_lang]
    passage = corpus.text_of[corpus.passage[step.rows], step.passage_lang[:, 0]]
    shown = (corpus.texts.take(side).to_pylist() for side in (query, passage))
    return list(zip(*shown, strict=True))


def lines(dataset: Any, places: list[int]) -> Shown:
    shown = dataset[places]
    return list(zip(shown["anchor"], shown["positive"], strict=True))


def families(corpus: ParallelCorpus) -> list[str]:
    return corpus.family[corpus.passage].tolist()


def test_a_line_for_each_pair_of_languages() -> None:
    corpus = make_corpus(4).select(np.arange(2))
    dataset = to_dataset(corpus)
    assert len(dataset) == 2 * 3 * 3
    assert set(dataset[0]) == {"anchor", "positive", "label"}
    assert {(line["anchor"], line["positive"]) for line in dataset} == {
        (question, passage)
        for row in range(2)
        for question in corpus.texts.take(corpus.text_of[corpus.query[row]]).to_pylist()
        for passage in corpus.texts.take(corpus.text_of[corpus.passage[row]]).to_pylist()
    }
    assert set(dataset[:]["label"]) == set(families(corpus))


def test_no_text_is_paired_with_itself() -> None:
    builder = CorpusBuilder("bitext")
    for number in range(5):
        for language in ("de", "en", "fr"):
            builder.text(f"g{number}", language, f"{language} {number}")
        builder.row(f"g{number}", f"g{number}")
    corpus = builder.build()
    dataset = to_dataset(corpus)
    assert len(dataset) == 5 * 6
    assert all(line["anchor"] != line["positive"] for line in dataset)
    sampler = batch_sampler(BatchSettings(kind="xy", comparable=False), seed=1)(dataset, batch_size=5)
    plan = plan_run(rows_of(corpus), BatchSettings(kind="xy", comparable=False, size=5), steps=3, seed=1)
    assert [lines(dataset, batch) for batch in islice(sampler, 1)] == [texts(corpus, plan[0])]


@pytest.mark.parametrize("kind", ["xx", "xx-mixed", "xy", "independent", "hybrid"])
def test_batches_are_those_of_our_own_plan(kind: Any) -> None:
    corpus = make_corpus(40).select(np.arange(40))
    dataset = to_dataset(corpus)
    sampler = batch_sampler(BatchSettings(kind=kind, alpha=0.3), seed=5)(dataset, batch_size=8, drop_last=False)
    plan = plan_run(rows_of(corpus), BatchSettings(kind=kind, alpha=0.3, size=8), steps=3 * len(sampler), seed=5)
    assert len(sampler) == 5
    for epoch in (0, 2, 1):
        sampler.set_epoch(epoch)
        batches = [lines(dataset, batch) for batch in sampler]
        assert batches == [texts(corpus, plan[epoch * 5 + step]) for step in range(5)]


def test_several_sources_in_their_shares() -> None:
    corpus = make_corpus(40)
    batches = BatchSettings(kind="xx", comparable=False)
    sampler = batch_sampler(batches, seed=5, weights=(3, 1))(to_dataset(corpus), batch_size=8)
    dataset = to_dataset(corpus)
    plan = plan_run(
        rows_of(corpus), BatchSettings(kind="xx", comparable=False, size=8), steps=10, seed=5, weights=(3, 1)
    )
    assert [lines(dataset, batch) for batch in sampler] == [texts(corpus, step) for step in plan]


def test_several_datasets() -> None:
    corpus = make_corpus(40)
    parts = [corpus.select(corpus.source == source) for source in range(2)]
    datasets = [to_dataset(part) for part in parts]
    planned = batch_sampler(BatchSettings(kind="xx", comparable=False), seed=5)
    sampler = planned(None, batch_samplers=[planned(dataset, batch_size=8) for dataset in datasets])
    plan = plan_run(rows_of(corpus), BatchSettings(kind="xx", comparable=False, size=8), steps=len(sampler), seed=5)
    shown = []
    for batch in sampler:
        second = batch[0] >= len(datasets[0])
        shown.append(lines(datasets[second], [place - second * len(datasets[0]) for place in batch]))
    assert shown == [texts(corpus, step) for step in plan]


def test_datasets_in_another_order_have_the_same_batches() -> None:
    corpus = make_corpus(40).select(np.arange(40))
    dataset, planned = to_dataset(corpus), batch_sampler(seed=5)
    other = dataset.select(seeds.generator(1, "order").permutation(len(dataset)))
    first, second = ([lines(d, batch) for batch in planned(d, batch_size=8)] for d in (dataset, other))
    assert first == second


def test_no_family_twice_in_a_batch() -> None:
    corpus = make_corpus(40).select(np.arange(40))
    dataset = to_dataset(corpus)
    for batch in batch_sampler(seed=5)(dataset, batch_size=8):
        assert len(set(dataset[batch]["label"])) == len(batch)


def test_ranks_slice_one_batch() -> None:
    from accelerate.data_loader import BatchSamplerShard

    dataset = to_dataset(make_corpus(43).select(np.arange(43)))
    whole = list(batch_sampler(seed=5)(dataset, batch_size=10))
    sampler = batch_sampler(seed=5, world=2)(dataset, batch_size=5)
    ranks = [BatchSamplerShard(sampler, 2, rank, even_batches=False) for rank in range(2)]
    assert [len(rank) for rank in ranks] == [len(whole)] * 2
    assert [first + second for first, second in zip(*ranks, strict=True)] == whole
    assert all(abs(len(first) - len(second)) <= 1 for first, second in zip(*ranks, strict=True))


def test_what_cannot_be_planned_is_told() -> None:
    dataset = to_dataset(make_corpus(20).select(np.arange(20)))
    planned = batch_sampler(seed=1)
    with pytest.raises(InputError, match="has no column 'row'; make it with"):
        planned(dataset.select_columns(["anchor", "positive"]), batch_size=4)
    with pytest.raises(InputError, match="row 0 has 8 lines for the 9 pairs"):
        planned(dataset.select(range(1, len(dataset))), batch_size=4)
    with pytest.raises(InputError, match="positives"):
        batch_sampler(BatchSettings(positives=2))(dataset, batch_size=4)
    with pytest.raises(InputError, match="too few for 8 processes"):
        batch_sampler(BatchSettings(allow_small=True), world=8)(dataset, batch_size=1)


# --- in the trainer


class Seen:
    """A loss that keeps the batches that it is asked about."""

    def __new__(cls, model: Any, tokens: list) -> Any:
        from triglot.trainers import GroupMaskedRankingLoss

        class Watched(GroupMaskedRankingLoss):
            def forward(self, sentence_features: Any, labels: Any) -> Any:
                features = list(sentence_features)
                tokens.append([feature["input_ids"].tolist() for feature in features])
                return super().forward(features, labels)

        return Watched(model)


def train(
    make_transformer: Any, out: Path, dataset: Any, tokens: list, *, steps: int, go_on: bool = False, **options: Any
) -> Any:
    from sentence_transformers import SentenceTransformer, SentenceTransformerTrainer
    from sentence_transformers.sentence_transformer.training_args import SentenceTransformerTrainingArguments

    make_transformer().save(out / "start")
    model = SentenceTransformer(str(out / "start"), device="cpu")
    arguments = SentenceTransformerTrainingArguments(
        output_dir=str(out / "run"),
        max_steps=steps,
        per_device_train_batch_size=8,
        save_steps=2,
        report_to=[],
        use_cpu=True,
        disable_tqdm=True,
        **options,
    )
    trainer = SentenceTransformerTrainer(model, arguments, train_dataset=dataset, loss=Seen(model, tokens))
    trainer.train(resume_from_checkpoint=go_on or None)
    return model


def token_ids(model: Any, pairs: Shown) -> list:
    return [model.tokenize(list(side))["input_ids"].tolist() for side in zip(*pairs, strict=True)]


@pytest.mark.slow
def test_the_trainer_sees_our_batches_and_goes_on_with_them(tmp_path: Path, make_transformer: Any) -> None:
    corpus = make_corpus(24).select(np.arange(24))
    dataset = to_dataset(corpus)
    planned = batch_sampler(BatchSettings(alpha=0.5), seed=5)
    assert pickle.loads(pickle.dumps(planned)) == planned
    seen: list = []
    model = train(make_transformer, tmp_path, dataset, seen, steps=2, batch_sampler=planned)
    plan = plan_run(rows_of(corpus), BatchSettings(alpha=0.5, size=8), steps=4, seed=5)
    assert seen == [token_ids(model, texts(corpus, step)) for step in plan][:2]
    later: list = []
    train(make_transformer, tmp_path, dataset, later, steps=4, go_on=True, batch_sampler=planned)
    assert later == [token_ids(model, texts(corpus, step)) for step in plan][2:]


@pytest.mark.slow
def test_the_trainer_sees_the_batches_of_several_datasets(tmp_path: Path, make_transformer: Any) -> None:
    from datasets import DatasetDict

    corpus = make_corpus(24)
    parts = {name: corpus.select(corpus.source == source) for source, name in enumerate(corpus.sources)}
    planned = batch_sampler(BatchSettings(kind="xx", comparable=False))
    dataset, seen = DatasetDict({name: to_dataset(part) for name, part in parts.items()}), []
    model = train(
        make_transformer,
        tmp_path,
        dataset,
        seen,
        steps=3,
        seed=9,
        batch_sampler=planned,
        multi_dataset_batch_sampler=planned,
    )
    plan = plan_run(rows_of(corpus), BatchSettings(kind="xx", comparable=False, size=8), steps=3, seed=9)
    assert seen == [token_ids(model, texts(corpus, step)) for step in plan]
