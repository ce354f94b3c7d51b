"""Encoders, BM25, run files and embeddings on streamed and whole benchmarks; what is saved gives the same figures
elsewhere."""

from __future__ import annotations

import json
import zlib
from dataclasses import replace
from pathlib import Path

import ir_measures
import numpy as np
import pytest

from tests.evaluate.evaluation_sets import make_set
from tests.opening import retrieval_of
from triglot.corpus.collection import Collection, Part
from triglot.corpus.formats import vectors
from triglot.corpus.formats.runs import build, concat, write_run
from triglot.corpus.formats.trec import Qrels, write_qrels
from triglot.evaluate import ranked, topruns, write_results
from triglot.evaluate.ranked import check_ids, evaluate_run, judged
from triglot.evaluate.retrievers import Bm25, Dense, RunFile, Vectors, evaluate, run_name
from triglot.files import InputError

FIGURES = {"ndcg@10": "nDCG@10", "r@100": "R@100", "map": "AP"}


class Hashed:
    """Bags of hashed words, unit vectors."""

    def __init__(self, dim: int = 64):
        self.dim = dim

    def encode(self, texts, *, side: str, progress: bool = False) -> np.ndarray:
        found = np.zeros((len(texts), self.dim), np.float32)
        for row, text in enumerate(texts):
            for word in text.lower().split():
                key = zlib.crc32(word.encode())
                found[row, key % self.dim] += 1 + (key >> 8) % 7 / 10
        return found / np.maximum(np.linalg.norm(found, axis=1, keepdims=True), 1e-9)


WORDS = [f"word{i}" for i in range(120)]


def put(path: Path, *lines) -> None:
    path.write_text("".join(f"{json.dumps(one) if isinstance(one, dict) else one}\n" for one in lines))


def write_collection(root: Path, languages=("bn", "sw"), passages: int = 300, topics: int = 25) -> Path:
    """MIRACL's layout: topics of words that stand in their relevant passages."""
    for number, lang in enumerate(languages):
        rng = np.random.default_rng(number)
        texts = [" ".join(rng.choice(WORDS, 8, replace=False)) for _ in range(passages)]
        lines, judged = [], []
        for topic in range(topics):
            relevant = rng.choice(passages, 3, replace=False)
            words = [rng.choice(texts[passage].split(), 3) for passage in relevant]
            lines.append(f"{topic}\t{' '.join(np.concatenate(words))}")
            judged += [f"{topic}\tQ0\t{passage}#0\t{grade}" for passage, grade in zip(relevant, (1, 2, 0), strict=True)]
        for folder, name, content in (
            (f"miracl-v1.0-{lang}/topics", f"topics.miracl-v1.0-{lang}-dev.tsv", lines),
            (f"miracl-v1.0-{lang}/qrels", f"qrels.miracl-v1.0-{lang}-dev.tsv", judged),
            (
                f"miracl-corpus-v1.0-{lang}",
                "docs-0.jsonl",
                [json.dumps({"docid": f"{i}#0", "title": "", "text": t}) for i, t in enumerate(texts)],
            ),
        ):
            (root / folder).mkdir(parents=True, exist_ok=True)
            (root / folder / name).write_text("".join(f"{line}\n" for line in content))
    return root


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    return write_collection(tmp_path_factory.mktemp("miracl"))


def same_figures(folder: Path, answer, run, benchmark) -> None:
    """Write run and judgements, read them with ir_measures, and compare its means over languages with ours.

    ir_measures has one order of ties, by id. Where none of the relevant passages ties, the figures that are reported
    are the same; where some do, those with `ties="trec"`, and the note says how far away the others are at most.
    """
    write_run(folder / "x.run.gz", run)
    against = judged(benchmark)
    write_qrels(folder / "x.qrels.gz", against.qrels)
    qrels = list(_lines(folder / "x.qrels.gz", "qrels"))
    scored = list(_lines(folder / "x.run.gz", "run"))
    of_query: dict[str, dict[str, float]] = {name: {} for name in FIGURES}
    names = {str(ir_measures.parse_measure(theirs)): ours for ours, theirs in FIGURES.items()}
    for metric in ir_measures.iter_calc([ir_measures.parse_measure(name) for name in FIGURES.values()], qrels, scored):
        of_query[names[str(metric.measure)]][metric.query_id] = metric.value
    code_of = dict(zip(against.ids, against.lang.tolist(), strict=True))
    reported = answer.summary
    in_order = evaluate_run(run, against, ties="trec").summary
    for name, values in of_query.items():
        by_language: dict[int, list[float]] = {}
        for identifier, code in code_of.items():
            by_language.setdefault(code, []).append(values.get(identifier, 0.0))
        expected = np.mean([np.mean(one) for one in by_language.values()])
        assert in_order["ranked"][name] == pytest.approx(expected, abs=1e-6), name
        if not any("relevant passages tie" in note for note in reported["notes"]):
            assert reported["ranked"][name] == pytest.approx(expected, abs=1e-6), name


def _lines(path: Path, kind: str):
    import gzip

    text = gzip.decompress(path.read_bytes()).decode()
    return ir_measures.read_trec_qrels(text) if kind == "qrels" else ir_measures.read_trec_run(text)


def test_a_collection_is_streamed_by_language(folder, tmp_path):
    collection = retrieval_of(folder, name="toy")
    assert isinstance(collection, Collection)
    encoder = Hashed()
    answer = evaluate(Dense(encoder), collection, depth=50)
    summary = answer.summary
    assert summary["counts"]["queries"] == 50
    assert summary["counts"]["passages"] == 600
    assert summary["counts"]["results"] == 50 * 50
    assert set(summary["ranked"]) == {"ndcg@10", "r@100", "mrr@10", "mrr@100", "map"}
    assert 0.2 < summary["ranked"]["ndcg@10"] < 1
    assert answer.by_language["passages"] == {"bn": 300, "sw": 300}
    assert "50 queries have fewer than 100 results" in summary["notes"]
    # By hand: every topic against all passages of its language.
    for code, part in collection.parts.items():
        passages = [json.loads(line) for line in part.files[0].read_text().splitlines()]
        scores = (
            encoder.encode(list(part.topics.values()), side="query")
            @ encoder.encode([p["text"] for p in passages], side="passage").T
        )
        relevant = {
            (q, d) for q, d, g in zip(part.qrels.queries, part.qrels.documents, part.qrels.grades, strict=True) if g > 0
        }
        ranks = []
        for row, topic in enumerate(part.topics):
            order = np.argsort(-scores[row], kind="stable").tolist()
            ranks.append(
                next(rank for rank, place in enumerate(order, 1) if (topic, passages[place]["docid"]) in relevant)
            )
        first = [1 / rank if rank <= 10 else 0 for rank in ranks]
        assert answer.by_language["ranked"][code]["mrr@10"] == pytest.approx(np.mean(first), abs=0.02)  # ties
    write_results(tmp_path, {"toy": answer}, model="hashed")
    assert json.loads((tmp_path / "results.json").read_text())["benchmarks"]["toy"]["ranked"] == summary["ranked"]


def test_one_language_alone_has_the_figures_it_has_among_several(folder):
    both = evaluate(Dense(Hashed()), retrieval_of(folder, name="toy"))
    alone = evaluate(Dense(Hashed()), retrieval_of(folder, name="toy", languages=["sw"]))
    assert alone.summary["ranked"] == both.by_language["ranked"]["sw"]
    assert alone.queries["query_id"][0] == "0"
    assert both.queries["query_id"][-1] == "sw-24"


class Drawn(Hashed):
    """A vector drawn for each text: no two scores are equal."""

    def encode(self, texts, *, side: str, progress: bool = False) -> np.ndarray:
        return np.stack(
            [np.random.default_rng(zlib.crc32(text.encode())).standard_normal(self.dim) for text in texts]
        ).astype(np.float32)


@pytest.mark.parametrize("retriever", [Dense(Drawn()), Dense(Hashed()), Bm25()])
def test_saved_runs_give_the_same_figures_in_ir_measures(folder, tmp_path, retriever):
    rng = np.random.default_rng(5)
    # Texts of different lengths, so that no two scores are equal.
    texts = [" ".join(rng.choice(WORDS, 4 + i % 9 + i // 9)) for i in range(60)]
    queries = [" ".join(text.split()[:3]) + " " + str(rng.choice(WORDS)) for text in texts[:20]]
    judgements = [(q, q, 1) for q in range(20)] + [(q, q + 20, 2) for q in range(0, 20, 3)]
    benchmark = make_set([0, 1] * 10, [0, 1] * 30, sorted(judgements), languages=2, texts=(queries, texts))
    parts = []
    answer = evaluate(retriever, benchmark, ranked=True, depth=30, keep=parts.append)
    same_figures(tmp_path, answer, concat(parts), benchmark)
    if isinstance(retriever, Dense) and isinstance(retriever.encoder, Drawn):
        assert answer.summary["counts"]["ties"] == 0
    again = evaluate(RunFile(tmp_path / "x.run.gz"), benchmark)
    assert again.summary["ranked"] == pytest.approx(answer.summary["ranked"])
    assert "mono" not in again.summary
    collection = retrieval_of(folder, name="toy")
    parts = []
    answer = evaluate(retriever, collection, depth=40, keep=parts.append)
    write_run(tmp_path / "toy.run", concat(parts))
    assert evaluate(RunFile(tmp_path), collection).summary["ranked"] == pytest.approx(answer.summary["ranked"])


@pytest.mark.parametrize("retriever", [Bm25(), Dense(Hashed())], ids=["bm25", "dense"])
def test_parts_of_a_run_have_the_figures_of_the_whole(folder, monkeypatch, retriever):
    rng = np.random.default_rng(7)
    texts = [" ".join(rng.choice(WORDS, 3)) for _ in range(50)]  # short: many tie
    judgements = sorted(
        {(int(q), int(p), 1 + int(g)) for q, p, g in zip(*rng.integers(0, [[23], [50], [2]], (3, 60)), strict=True)}
    )
    benchmark = make_set([0, 1] * 12, [0, 1] * 25, judgements, languages=2, texts=(texts[:24], texts))
    for one, options in ((benchmark, {"ranked": True}), (retrieval_of(folder, name="toy"), {})):
        whole = evaluate(retriever, one, depth=20, **options)
        parts = []
        for module in (topruns, ranked):
            monkeypatch.setattr(module, "_RESULTS", 41)  # two queries, or one
        small = evaluate(retriever, one, depth=20, keep=parts.append, **options)
        monkeypatch.undo()
        assert len(parts) > 1
        assert small.summary == whole.summary
        assert small.by_language == whole.by_language
        for name, column in whole.queries.items():
            np.testing.assert_array_equal(small.queries[name], column)
        run = concat(parts)
        against = judged(one)
        for ties in ("expected", "trec"):  # a run as a file has it: one part, longer than what is measured at a time
            deep = evaluate_run(run, against, ties=ties)
            monkeypatch.setattr(ranked, "_RESULTS", 30)
            assert evaluate_run(run, against, ties=ties).summary == deep.summary
            monkeypatch.undo()


def test_a_query_in_two_parts_is_refused():
    benchmark = make_set([0], [0, 0], [(0, 0, 1)], languages=1)
    judge = ranked.Judge(judged(benchmark))
    run = build(["q0"], ["p0"], np.array([0]), np.array([0]), np.array([1.0]))
    judge.show(run)
    with pytest.raises(InputError, match="two parts"):
        judge.show(run)


def test_embeddings_made_elsewhere(folder, tmp_path):
    encoder = Hashed()
    benchmark = make_set(
        [0, 1], [0, 1, 1], [(0, 0, 1), (1, 1, 1)], texts=(["one two", "three"], ["one", "three four", "five"])
    )
    for side, texts in (("queries", benchmark.queries), ("passages", benchmark.passages)):
        np.save(tmp_path / f"{side}.npy", encoder.encode(texts.texts, side="query")[::-1])
        (tmp_path / f"{side}.ids.txt").write_text("".join(f"{one}\n" for one in reversed(texts.ids)))
    given = evaluate(Vectors(str(tmp_path)), benchmark, ranked=True)
    ours = evaluate(Dense(encoder), benchmark, ranked=True)
    assert given.summary == ours.summary
    pair = f"{tmp_path / 'queries.npy'},{tmp_path / 'passages.npy'}"
    assert evaluate(Vectors(pair), benchmark, ranked=True).summary == ours.summary
    np.save(tmp_path / "passages.npy", np.ones((3, 5), np.float32))
    with pytest.raises(InputError, match="queries have 64 dimensions, passages 5"):
        evaluate(Vectors(str(tmp_path)), benchmark)
    np.save(tmp_path / "passages.npy", np.full((3, 64), np.nan, np.float32))
    with pytest.raises(InputError, match="3 passage embeddings are not finite, the first that of 'p0'"):
        evaluate(Vectors(str(tmp_path)), benchmark)
    np.save(tmp_path / "passages.npy", np.zeros((3, 64), np.float32))
    notes = evaluate(Vectors(str(tmp_path)), benchmark).summary["notes"]
    assert "3 passage embeddings are zero: all their scores are 0 and tie" in notes


def test_embeddings_of_a_collection_need_no_passages(folder, tmp_path):
    encoder = Hashed()
    collection = retrieval_of(folder, name="toy")
    for code, part in collection.parts.items():
        place = tmp_path / "toy" / code
        place.mkdir(parents=True)
        np.save(place / "queries.npy", encoder.encode(list(part.topics.values()), side="query"))
        (place / "queries.ids.txt").write_text("".join(f"{one}\n" for one in part.topics))
        passages = [json.loads(line) for line in part.files[0].read_text().splitlines()]
        np.save(place / "passages.npy", encoder.encode([p["text"] for p in passages], side="passage"))
        (place / "passages.ids.txt").write_text("".join(f"{p['docid']}\n" for p in passages))
    topics = tmp_path / "topics"
    for file in folder.rglob("*.tsv"):
        (topics / file.parent.name).mkdir(parents=True, exist_ok=True)
        (topics / file.parent.name / file.name).write_bytes(file.read_bytes())
    without = retrieval_of(topics, name="toy")
    found = evaluate(Vectors(str(tmp_path)), without, depth=40)
    assert found.summary == evaluate(Dense(encoder), collection, depth=40).summary
    with pytest.raises(InputError, match="toy, bn: toy: no passages for bn"):
        evaluate(Dense(encoder), without)
    vectors.ids_file(tmp_path / "toy" / "sw" / "passages.npy").unlink()
    with pytest.raises(InputError, match=r"toy, sw: .*passages.npy: needs passages.ids.txt"):
        evaluate(Vectors(str(tmp_path)), without)


def test_relevant_passages_that_the_corpus_lacks_count_as_not_found(tmp_path):
    root = write_collection(tmp_path, languages=("sw",), passages=40, topics=5)
    qrels = next(root.rglob("qrels.*"))
    whole = evaluate(Dense(Hashed()), retrieval_of(root, name="toy")).summary
    qrels.write_text(qrels.read_text() + "0\tQ0\telsewhere\t1\n")
    less = evaluate(Dense(Hashed()), retrieval_of(root, name="toy")).summary
    assert "1 relevant passages are not in the corpus and count as not found (first: elsewhere)" in less["notes"]
    assert less["ranked"]["r@100"] < whole["ranked"]["r@100"]
    qrels.write_text("0\tQ0\tother\t1\n")
    with pytest.raises(
        InputError,
        match="toy, sw: none of the relevant passages is in the corpus; the first is 'other', the corpus has ids like",
    ):
        evaluate(Dense(Hashed()), retrieval_of(root, name="toy"))


def test_a_docid_that_comes_twice_is_counted(tmp_path):
    root = write_collection(tmp_path, languages=("sw",), passages=40, topics=5)
    file = next(root.rglob("docs-0.jsonl"))
    first = file.read_text().splitlines()[0]
    (file.parent / "docs-1.jsonl").write_text(first + "\n")
    collection = retrieval_of(root, name="toy")
    for retriever in (Dense(Hashed()), Bm25()):
        found = evaluate(retriever, collection).summary
        assert found["counts"]["passages"] == 40
        assert any("1 x passage whose docid occurred before" in note for note in found["notes"])


def test_bitext_runs_leave_the_query_itself_out(tmp_path):
    for code, lines in {"de": ["ein Haus", "zwei Hunde"], "en": ["ein house", "zwei dogs"]}.items():
        (tmp_path / f"{code}.txt").write_text("".join(f"{line}\n" for line in lines))
    benchmark = retrieval_of(tmp_path, name="lines")
    found = evaluate(Dense(Hashed()), benchmark, ranked=True, depth=1).summary
    assert found["cross"]["hit@1"] == 1
    assert found["ranked"]["mrr@10"] == 1
    assert "the passage that is the query itself is left out of its ranking" in found["notes"]


def test_names_of_runs(tmp_path):
    names = {"a.run": "a", "b.c.trec.gz": "b.c", "x.tsv": "x", "x.txt.gz": "x", "x.json": None, "run": None}
    assert {name: run_name(Path(name)) for name in names} == names
    (tmp_path / "other.run").write_text("q0 Q0 p0 1 1.0 t\n")
    benchmark = make_set([0], [0], [(0, 0, 1)])
    with pytest.raises(InputError, match=r"no files such as toy.run.gz"):
        evaluate(RunFile(tmp_path), benchmark)
    with pytest.raises(InputError, match="depth: 0 is below 1"):
        evaluate(Bm25(), benchmark, depth=0)
    (tmp_path / "toy.run").write_text("")
    with pytest.raises(InputError, match=r"toy.run: no result in it can be read"):
        evaluate(RunFile(tmp_path), benchmark)
    (tmp_path / "toy.run").write_text("q0 Q0 p0 1 1.0 t\nq0 Q0 p1 2 nan t\nq0 Q0 p0 3 0.5 t\n")
    notes = evaluate(RunFile(tmp_path), benchmark).summary["notes"]
    assert any("1 x line whose score is not a finite number" in note for note in notes)
    assert any("1 x line whose query and document occurred before" in note for note in notes)
    (tmp_path / "toy.run").write_text("q7 Q0 p0 1 1.0 t\n")
    with pytest.raises(InputError, match=r"toy.run: run and judgements share no query"):
        evaluate(RunFile(tmp_path), benchmark)


def test_mlqa_r_questions_in_two_to_four_languages(tmp_path):
    # A setting counts the questions that have a relevant passage in it.
    held = {"a": ("de", "en"), "b": ("de", "en", "es", "zh"), "c": ("en", "es", "zh")}
    for code in ("de", "en", "es", "zh"):
        paragraphs = []
        for identifier, codes in held.items():
            if code in codes:
                context = f"{identifier} in {code}. Another sentence."
                question = {
                    "id": identifier,
                    "question": f"what {identifier} {code}",
                    "answers": [{"text": identifier, "answer_start": 0}],
                }
                cut = context.index(".") + 1
                breaks = [[0, cut], [cut + 1, len(context)]]
                paragraphs.append(
                    {
                        "context": context,
                        "qas": [question],
                        "sentence_breaks": breaks,
                        "sentences": [context[a:b] for a, b in breaks],
                    }
                )
        (tmp_path / f"{code}.json").write_text(json.dumps({"data": [{"title": "t", "paragraphs": paragraphs}]}))
    benchmark = retrieval_of(tmp_path, name="mlqa-r")
    answer = evaluate(Dense(Hashed()), benchmark, ranked=True)
    table = answer.queries
    cross = [
        (q, p)
        for q, p, s in zip(table["query_id"], table["passage_lang"], table["setting"], strict=True)
        if s == "cross"
    ]
    assert sorted(cross) == sorted(
        (f"{code}-{identifier}", other)
        for identifier, codes in held.items()
        for code in codes
        for other in codes
        if code != other
    )
    ranked = {
        q: n for q, n, s in zip(table["query_id"], table["relevant"], table["setting"], strict=True) if s == "ranked"
    }
    assert ranked == {f"{code}-{identifier}": len(codes) for identifier, codes in held.items() for code in codes}


@pytest.mark.slow
def test_real_scifact_with_bm25(data, tmp_path):
    benchmark = retrieval_of(data / "scifact", name="scifact")
    parts = []
    found = evaluate(Bm25(), benchmark, keep=parts.append)
    assert found.summary["ranked"]["ndcg@10"] == pytest.approx(0.6634, abs=0.0005)
    assert found.summary["counts"]["passages"] == 5183
    write_run(tmp_path / "x.run.gz", concat(parts))
    assert evaluate(RunFile(tmp_path / "x.run.gz"), benchmark).summary["ranked"] == pytest.approx(
        found.summary["ranked"]
    )


def test_real_tydi_qa_with_bm25(data):
    benchmark = retrieval_of(data / "tydiqa", name="tydiqa")
    assert (len(benchmark.queries), len(benchmark.languages)) == (5077, 9)
    found = evaluate(Bm25(), benchmark).summary
    assert found["mono"]["map"] == pytest.approx(0.7191, abs=0.0005)
    assert found["candidate_text"] == "paragraph"


@pytest.mark.parametrize("streamed", [False, True])
def test_embeddings_of_unequal_length_are_compared_as_asked_and_it_is_said(tmp_path, streamed):
    rng = np.random.default_rng(0)
    pool = rng.standard_normal((30, 8)).astype(np.float32)
    pool /= np.linalg.norm(pool, axis=1, keepdims=True)
    queries, lengths = (
        pool[:10] + 0.1 * rng.standard_normal((10, 8)).astype(np.float32),
        np.exp(rng.standard_normal((30, 1))),
    )
    vectors = {"queries": queries, "passages": (pool * lengths).astype(np.float32)}
    ids = {"queries": [f"q{i}" for i in range(10)], "passages": [f"p{i}" for i in range(30)]}
    for side, array in vectors.items():
        np.save(tmp_path / f"{side}.npy", array)
        (tmp_path / f"{side}.ids.txt").write_text("".join(f"{one}\n" for one in ids[side]))
    benchmark = make_set([0] * 10, [0] * 30, [(q, q, 1) for q in range(10)], languages=1)
    if streamed:
        judged = Qrels(ids["queries"], ids["passages"][:10], np.ones(10, np.int64))
        benchmark = Collection("toy", {"de": Part(dict.fromkeys(ids["queries"], "?"), judged)})
    for similarity, array in (("dot", vectors["passages"]), ("cosine", pool)):
        answer = evaluate(Vectors(str(tmp_path), similarity), benchmark, ranked=True)
        rank = (-(queries @ array.T)).argsort(1).argsort(1)[np.arange(10), np.arange(10)]
        assert answer.summary["micro"]["ranked"]["mrr@100"] == pytest.approx((1 / (rank + 1)).mean())
        notes = " ".join(answer.summary["notes"])
        assert ("compared by dot product, the default" in notes) == (similarity == "dot")
        assert ("compared by cosine" in notes) == (similarity == "cosine")
    vectors["passages"][3] = np.nan
    np.save(tmp_path / "passages.npy", vectors["passages"])
    with pytest.raises(InputError, match=r"passages\.npy: 1 passage embeddings are not finite, the first that of 'p3'"):
        evaluate(Vectors(str(tmp_path)), benchmark)


@pytest.mark.parametrize("retriever", [Dense(Hashed()), Bm25()])
def test_the_topic_itself_is_left_out_of_a_streamed_corpus(tmp_path, retriever):
    """Whatever title stands before it, with the depth that was asked for, and a passage that is judged relevant
    stays."""
    documents = [{"docid": f"t{i}", "title": "Of late", "text": f"words number{i} same"} for i in range(4)]
    put(tmp_path / "docs.jsonl", *documents, {"docid": "x", "text": "words same"})
    put(tmp_path / "topics.x-en-dev.tsv", *[f"t{i}\twords number{i} same " for i in range(4)])
    put(tmp_path / "qrels.x-en-dev.tsv", "t0 0 x 1", "t1 0 x 1", "t2 0 t0 1", "t3 0 t3 1")
    parts = []
    answer = evaluate(retriever, retrieval_of(tmp_path, name="x"), depth=3, keep=parts.append)
    run = concat(parts)
    found = {query: [] for query in run.queries}
    for query, document in zip(run.query.tolist(), run.document.tolist(), strict=True):
        found[run.queries[query]].append(run.documents[document])
    assert all((query in returned) == (query == "t3") for query, returned in found.items())
    assert {len(returned) for returned in found.values()} == {3}
    assert "the passage that is the query itself is left out of its ranking" in answer.summary["notes"]


def test_ids_that_a_run_cannot_hold_are_found_before_any_work(tmp_path):
    put(tmp_path / "docs.jsonl", {"docid": "a b", "text": "one"}, {"docid": "c", "text": "two"})
    put(tmp_path / "topics.x-en-dev.tsv", "q\tone")
    put(tmp_path / "qrels.x-en-dev.tsv", "q 0 c 1")
    streamed = retrieval_of(tmp_path, name="x")
    with pytest.raises(InputError, match=r"x: 'a b': a document id .*--save-run"):
        check_ids(streamed)
    check_ids(streamed, passages=False)
    for passage, query, ok in (("p\u00a01", "q", False), ("p", "q 1", False), ("http://x/é?a=1#2", "q#1", True)):
        one = make_set([0], [0], [(0, 0, 1)], passage_ids=[passage])
        one = replace(one, queries=replace(one.queries, ids=[query]))
        if ok:
            check_ids(one)
        else:
            with pytest.raises(InputError, match="may not be empty or contain white space"):
                check_ids(one)
