"""The mixed pools of MIMO and SHIFT: small folders in their layout, read as benchmarks."""

from __future__ import annotations

import json

import numpy as np
import pytest

from tests.opening import retrieval_of
from triglot.corpus.formats import mlir
from triglot.corpus.formats.registry import detect
from triglot.evaluate import evaluate_embeddings
from triglot.files import InputError


def put(file, *records):
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text("".join(json.dumps(record, ensure_ascii=False) + "\n" for record in records))


def pools(folder, codes=("dt", "en", "zh"), spoken=True):
    """Two questions in each language, `xx_q_HASH`, and their passages in all."""
    asked = [(f"{code}_q_{key}", code) for code in codes for key in ("0a", "1b")]
    put(
        folder / "queries.jsonl",
        *({"_id": one, "text": f"ask {one}"} | ({"lang": code} if spoken else {}) for one, code in asked),
    )
    passages = [(f"doc_{code}_{number}", code) for code in codes for number in (0, 1)]
    put(folder / "corpus.jsonl", *({one: {"text": f"text {one}", "lang": code}} for one, code in passages))
    keys = {"0a": 0, "1b": 1}
    put(
        folder / "qrels.jsonl",
        *({one: {f"doc_{code}_{keys[one[-2:]]}": 1 for code in codes}} for one, _ in asked),
    )
    return folder


def test_queries_in_all_languages_are_groups(tmp_path):
    folder = pools(tmp_path / "MMLIR" / "Belebele_test")
    assert detect(folder) == "mlir"
    found = retrieval_of(folder, name="m")
    assert (found.languages, found.parallel) == (("en", "nl", "zh"), True)
    assert len(found.judgements) == 6 * 3
    group = dict(zip(found.queries.ids, found.queries.group.tolist()))
    assert group["dt_q_0a"] == group["en_q_0a"] == group["zh_q_0a"] != group["en_q_1b"]
    vectors = [np.random.default_rng(n).normal(size=(6, 4)).astype(np.float32) for n in range(2)]
    summary = evaluate_embeddings(*vectors, found).summary
    assert {"mono", "cross", "multi"} <= summary.keys()
    assert {"mrc@10", "tlr@20", "complete@10", "preference_rate"} <= summary["bias"].keys()


def test_queries_without_a_language_have_that_of_the_folder_above(tmp_path):
    folder = tmp_path / "MLIR-zh" / "XQuAD_test"
    pools(folder, spoken=False)
    put(folder / "queries.jsonl", {"_id": "zh_q_0a", "text": "one"}, {"zh_q_1b": "the other way of writing it"})
    put(folder / "qrels.jsonl", {"zh_q_0a": {"doc_en_0": 1, "doc_zh_0": 1}, "zh_q_1b": {"doc_zh_1": 1}})
    found = retrieval_of(folder, name="m")
    assert [found.languages[lang] for lang in found.queries.lang] == ["zh", "zh"]
    assert retrieval_of(folder, name="m", language="en").queries.lang.tolist() == [0, 0]
    only = retrieval_of(folder, name="m", languages=["zh"])
    assert (only.languages, len(only.passages), only.notes) == (("zh",), 2, ())


def test_speeches_of_one_debate_are_no_translations(tmp_path):
    pools(tmp_path)
    put(tmp_path / "qrels.jsonl", {"en_q_0a": {"doc_en_0": 1, "doc_en_1": 1, "doc_zh_0": 1}})
    assert not retrieval_of(tmp_path, name="m").parallel


def test_bad_records(tmp_path):
    pools(tmp_path)
    put(
        tmp_path / "qrels.jsonl", {"en_q_0a": {"doc_en_0": 1, "gone": 1}}, {"who": {"doc_en_0": 1}}, {"en_q_1b": 3}, [1]
    )
    note = " ".join(mlir.read_retrieval(tmp_path, name="m").notes)
    for reason in ("unknown document", "unknown query", "judgement that is not", "no object"):
        assert reason in note
    with pytest.raises(InputError, match=r"qrels\.jsonl:1: judgement that names an unknown document"):
        mlir.read_retrieval(tmp_path, name="m", strict=True)
    put(tmp_path / "corpus.jsonl", {"d": {"text": "x"}})
    with pytest.raises(InputError, match=r"corpus\.jsonl:1: 'd' has no lang"):
        mlir.read_retrieval(tmp_path, name="m")
    (tmp_path / "corpus.jsonl").unlink()
    with pytest.raises(InputError, match=r"no corpus\.jsonl"):
        mlir.read_retrieval(tmp_path, name="m")


def test_judgements_in_a_folder_are_beirs(tmp_path):
    pools(tmp_path)
    (tmp_path / "qrels").mkdir()
    assert detect(tmp_path) == "beir"
