"""What MODEL may be, and `evaluate` from its arguments to its files and tables."""

from __future__ import annotations

import gzip
import json

import ir_measures
import numpy as np
import pytest
from typer.testing import CliRunner

from triglot.cli import app
from triglot.commands.evaluate import evaluate_model
from triglot.commands.models import retriever
from triglot.commands.search import search
from triglot.corpus.collection import Collection
from triglot.document import Document
from triglot.encoder import EncoderSettings, init_encoder
from triglot.evaluate import read_queries, read_results
from triglot.evaluate.retrievers import Bm25, Dense, RunFile, Vectors
from triglot.files import InputError
from triglot.recipe import parse_recipe
from triglot.report import compare, find_arms, render, tables_of, write_report
from triglot.study.data import Data
from triglot.study.judge import evaluate_all

WORDS = [f"word{i}" for i in range(40)]


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """A model, a BEIR folder with queries in two languages, MIRACL's layout in one, and an aligned folder."""
    root = tmp_path_factory.mktemp("place")
    rng = np.random.default_rng(0)
    texts = [" ".join(rng.choice(WORDS, 6, replace=False)) for _ in range(30)]
    queries = [" ".join(text.split()[:4]) for text in texts[:12]]
    beir, trec, lines = root / "beir", root / "trec", root / "lines"
    (beir / "qrels").mkdir(parents=True)
    (beir / "corpus.jsonl").write_text(
        "".join(json.dumps({"_id": f"d{i}", "text": text}) + "\n" for i, text in enumerate(texts))
    )
    for name, prefix in (("queries.jsonl", ""), ("queries.de.jsonl", "wort ")):
        (beir / name).write_text(
            "".join(json.dumps({"_id": f"q{i}", "text": prefix + text}) + "\n" for i, text in enumerate(queries))
        )
    (beir / "qrels" / "test.tsv").write_text(
        "query-id\tcorpus-id\tscore\n" + "".join(f"q{i}\td{i}\t1\n" for i in range(12))
    )
    trec.mkdir()
    (trec / "topics.x-sw-dev.tsv").write_text("".join(f"{i}\t{text}\n" for i, text in enumerate(queries)))
    (trec / "qrels.x-sw-dev.tsv").write_text("".join(f"{i} Q0 d{i} 1\n" for i in range(12)))
    rows = (json.dumps({"docid": f"d{i}", "title": "", "text": text}) + "\n" for i, text in enumerate(texts))
    (trec / "docs-sw.jsonl.gz").write_bytes(gzip.compress("".join(rows).encode()))
    lines.mkdir()
    for code in ("de", "en"):
        (lines / f"{code}.txt").write_text("".join(f"{text} {code}\n" for text in texts))
    words = {"en": dict.fromkeys(WORDS, 5)}
    init_encoder(EncoderSettings(kind="static", dim=32, vocab=300), words, seed=1).save(root / "model")
    return root


def by_ir_measures(folder, name) -> dict[str, float]:
    qrels = list(ir_measures.read_trec_qrels(gzip.decompress((folder / f"{name}.qrels.gz").read_bytes()).decode()))
    run = list(ir_measures.read_trec_run(gzip.decompress((folder / f"{name}.run.gz").read_bytes()).decode()))
    measures = {"ndcg@10": ir_measures.nDCG @ 10, "r@100": ir_measures.R @ 100, "map": ir_measures.AP}
    found = ir_measures.calc_aggregate(list(measures.values()), qrels, run)
    return {name: found[measure] for name, measure in measures.items()}


def test_several_benchmarks_in_one_command(place, tmp_path):
    on = [f"--on={name}={place / name}" for name in ("beir", "trec", "lines")]
    done = CliRunner().invoke(
        app, ["evaluate", str(place / "model"), *on, "--out", str(tmp_path / "out"), "--save-run", "--top-k", "20"]
    )
    assert done.exit_code == 0, done.output
    found = read_results(tmp_path / "out")["benchmarks"]
    assert set(found) == {"beir", "trec", "lines"}
    assert found["beir"].keys() >= {"ranked", "mono", "cross", "multi"}
    assert found["trec"].keys() >= {"ranked", "counts"}
    assert "mono" not in found["trec"]
    assert found["lines"].keys() >= {"ranked", "cross"}
    assert "ndcg@10" in found["beir"]["cross"]
    assert found["trec"]["counts"]["passages"] == 30
    assert found["trec"]["counts"]["results"] == 12 * 20
    for name, entry in found.items():
        assert entry["counts"]["results"] > 0
        rows = read_queries(tmp_path / "out", name)
        ranked = rows["setting"] == "ranked"
        assert rows["ndcg@10"][ranked].mean() == pytest.approx(entry["micro"]["ranked"]["ndcg@10"])
        theirs = by_ir_measures(tmp_path / "out", name)
        tied = any("relevant passages tie" in note for note in entry["notes"])
        assert entry["micro"]["ranked"]["r@100"] == pytest.approx(theirs["r@100"], abs=1e-6)
        for measure, value in theirs.items():
            assert entry["micro"]["ranked"][measure] == pytest.approx(value, abs=0.05 if tied else 1e-6), (
                name,
                measure,
            )
    assert "nDCG@10" in done.output


def test_a_saved_run_is_a_model_again(place, tmp_path):
    on = {name: str(place / name) for name in ("beir", "trec")}
    evaluate_model(str(place / "model"), on, tmp_path / "one", save_run=True)
    evaluate_model(str(tmp_path / "one"), on, tmp_path / "two")
    one, two = (read_results(tmp_path / name)["benchmarks"] for name in ("one", "two"))
    for name in on:
        assert two[name]["ranked"] == pytest.approx(one[name]["ranked"], abs=1e-12)
    only = evaluate_model(
        str(tmp_path / "one" / "trec.run.gz"),
        {"x": str(place / "trec")},
        tmp_path / "three",
        options={"languages": ["sw"]},
    )
    assert json.loads(only.read_text())["benchmarks"]["x"]["ranked"] == pytest.approx(one["trec"]["ranked"], abs=1e-12)


def test_tables_and_the_report_show_runs(place, tmp_path):
    on = {name: str(place / name) for name in ("trec", "lines")}
    evaluate_model(str(place / "model"), on, tmp_path / "ours")
    evaluate_model("bm25", {"trec": str(place / "trec")}, tmp_path / "bm25")
    arms = find_arms([tmp_path / "ours", tmp_path / "bm25"])
    table = compare(arms, "trec", reference="bm25", resamples=50)
    assert [column.title for column in table.columns] == ["nDCG@10", "R@100", "MRR@10", "MRR@100", "mAP of the run"]
    cell = table.rows[0].cells[0]
    assert cell is not None
    assert cell.low is not None
    assert cell.low <= cell.value <= cell.high
    assert [column.title for column in compare(arms, "trec", measure="mrr@100", resamples=0).columns] == ["MRR@100"]
    assert not any(column.setting == "ranked" for column in compare(arms, "lines", resamples=0).columns)
    assert [table.benchmark for table in tables_of(arms, measure="r@1")] == ["lines"]  # a run has no R@1
    with pytest.raises(InputError, match="no measure 'ndcg@11'; did you mean 'ndcg@10'"):
        compare(arms, "trec", measure="ndcg@11")
    for output in ("markdown", "csv", "latex", "json"):
        assert "nDCG@10" in render(arms, output) or "ndcg@10" in render(arms, output)
    page = write_report(arms, tmp_path / "report", title="x").path.read_text()
    assert "nDCG@10" in page
    assert "12 queries, 30 passages" in page


def test_what_a_model_may_be(place, tmp_path):
    assert isinstance(retriever("bm25"), Bm25)
    assert isinstance(retriever(str(place / "model")), Dense)
    (tmp_path / "x.run").write_text("1 Q0 d 1 1.0 t\n")
    assert retriever(str(tmp_path / "x.run")) == RunFile(tmp_path / "x.run")
    assert retriever(str(tmp_path)) == RunFile(tmp_path)
    for name in ("queries.npy", "passages.npy"):
        (tmp_path / "both" / "toy").mkdir(parents=True, exist_ok=True)
        np.save(tmp_path / "both" / "toy" / name, np.ones((1, 2), np.float32))
    assert retriever(str(tmp_path / "both")) == Vectors(str(tmp_path / "both"))
    assert retriever("a.npy,b.npy") == Vectors("a.npy,b.npy")
    (tmp_path / "notes.md").write_text("")
    with pytest.raises(InputError, match=r"a run file ends in .run, .trec, .tsv or .txt"):
        retriever(str(tmp_path / "notes.md"))
    with pytest.raises(InputError, match=r"one run, but 2 benchmarks; use a folder with NAME.run.gz for each"):
        retriever(str(tmp_path / "x.run"), names=["a", "b"])
    with pytest.raises(InputError, match="one pair of files, but 2 benchmarks"):
        retriever("a.npy,b.npy", names=["a", "b"])
    with pytest.raises(InputError, match="bm25-translated needs --lists"):
        retriever("bm25-translated")


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--on", "beir"], "beir: no such file or folder"),
        (["--on", "x={beir}", "--languages", "en,dee"], "x: no language 'dee'; known: en"),
        (["--on", "x={trec}", "--split", "tset"], "no split 'tset'; known: dev"),
        (["--on", "x={beir}", "--corpus", "elsewhere"], "format 'beir' has no option 'corpus'"),
        (["--on", "x={beir}", "--top-k", "0"], "top-k: 0 is below 1"),
        (["--on", "x=hub:nothing"], "not hub:OWNER/NAME"),
    ],
)
def test_bad_arguments_end_with_an_error_that_names_them(place, tmp_path, words, message):
    words = [word.format(beir=place / "beir", trec=place / "trec") for word in words]
    done = CliRunner().invoke(app, ["evaluate", "bm25", *words, "--out", str(tmp_path / "out")])
    assert isinstance(done.exception, InputError)
    assert message in str(done.exception)
    assert not (tmp_path / "out").exists()


def test_encoded_texts_are_embeddings_that_evaluate_takes(place, tmp_path):
    model = str(place / "model")
    for side, name in (("query", "queries"), ("passage", "passages")):
        kind = "queries" if side == "query" else "corpus"
        words = [
            "encode",
            model,
            str(place / "beir" / f"{kind}.jsonl"),
            "--side",
            side,
            "--out",
            str(tmp_path / "given" / f"{name}.npy"),
            "-q",
        ]
        assert CliRunner().invoke(app, words).exit_code == 0
    on = {"beir": str(place / "beir")}
    with pytest.raises(InputError, match="no embedding for 24 of 24 ids, the first is 'de-q0'"):  # ids of two languages
        evaluate_model(str(tmp_path / "given"), on, tmp_path / "out")
    evaluate_model(str(tmp_path / "given"), on, tmp_path / "out", options={"languages": ["en"]})
    evaluate_model(model, on, tmp_path / "ours", options={"languages": ["en"]})
    given, ours = (read_results(tmp_path / name)["benchmarks"]["beir"] for name in ("out", "ours"))
    assert given["ranked"] == ours["ranked"]
    assert given["mono"] == ours["mono"]


def test_a_recipe_names_ranked_benchmarks(place):
    evaluate = [
        {"name": "beir", "format": "beir", "path": "beir", "depth": 5},
        {"name": "trec", "format": "trec", "path": "trec", "languages": ["sw"]},
    ]
    recipe = parse_recipe(Document({"name": "x", "data": str(place), "evaluate": evaluate}, "x"))
    data = Data(recipe.data)
    assert isinstance(data.benchmark(recipe.evaluate[1], ()).retrieval, Collection)
    encoder = retriever(str(place / "model")).encoder
    benchmarks = data.benchmarks(recipe.evaluate, ())
    found = evaluate_all(encoder, benchmarks)
    assert found["beir"].summary["counts"]["results"] == 24 * 5
    assert found["trec"].summary["ranked"]["mrr@10"] > 0.2
    assert "ranked" not in evaluate_all(encoder, benchmarks, ranked=False)["beir"].summary
    with pytest.raises(InputError, match="depth: 0 is below 1"):
        parse_recipe(Document({"name": "x", "data": str(place), "evaluate": [evaluate[0] | {"depth": 0}]}, "x"))


def test_a_question_that_says_nothing_is_an_error(place, tmp_path):
    (tmp_path / "p.txt").write_text("word1 word2\nword3\n")
    for query in ("", " ", "\n\u2003"):
        with pytest.raises(InputError, match="QUERY: number 2 is empty"):
            search(str(place / "model"), str(tmp_path / "p.txt"), ["word1", query])
    with pytest.raises(InputError, match="QUERY: number 1 is no text in UTF-8"):
        search(str(place / "model"), str(tmp_path / "p.txt"), ["word1\udce4"])
    with pytest.raises(InputError, match=r"QUERY: .* knows nothing of '\\x00': its vector is zero"):
        search(str(place / "model"), str(tmp_path / "p.txt"), ["\0"])
    with pytest.raises(InputError, match="-k: -1 is below 1"):
        search(str(place / "model"), str(tmp_path / "p.txt"), ["word1"], k=-1)


def test_a_hit_is_one_line(place, tmp_path):
    record = {"id": "a\nb", "text": "word1\nword2\u2028word3\x1b[31m"}
    (tmp_path / "p.jsonl").write_text(json.dumps(record) + "\n")
    done = CliRunner().invoke(app, ["search", str(place / "model"), str(tmp_path / "p.jsonl"), "word1", "-q"])
    assert done.output.splitlines()[1:] == [done.output.split("\n")[1]]
    assert done.output.endswith("a b\tword1 word2 word3 [31m\n")
    done = CliRunner().invoke(app, ["search", str(place / "model"), str(tmp_path / "p.jsonl"), "word1", "-q", "--json"])
    assert {key: json.loads(done.output)[key] for key in record} == record


def test_an_encoding_says_how_texts_are_scored(place, tmp_path) -> None:
    for name, words in (("whole", {}), ("windows", {"name": "lrm", "window": 2, "stride": 1})):
        evaluate_model(str(place / "model"), {"b": str(place / "beir")}, tmp_path / name, encoding=words)
    whole, windows = (read_results(tmp_path / name)["benchmarks"]["b"] for name in ("whole", "windows"))
    assert "localised relevance matching: windows of 2 tokens every 1" in windows["notes"][0]
    assert whole["mono"] != windows["mono"]
    with pytest.raises(InputError, match="--encoding: name: 'lmr'"):
        evaluate_model(str(place / "model"), {"b": str(place / "beir")}, tmp_path / "wrong", encoding={"name": "lmr"})
    with pytest.raises(InputError, match="--encoding: says how a model's texts are scored, and bm25 is none"):
        evaluate_model("bm25", {"b": str(place / "beir")}, tmp_path / "none", encoding={"name": "lrm"})
