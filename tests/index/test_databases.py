"""Indexes in vector databases hold what one in a folder holds: Milvus as milvus-lite, Qdrant as its client's local
mode, both by the clients that speak to their servers."""

from __future__ import annotations

import asyncio
import csv
import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests import help_centre
from tests.command import triglot as command_line
from tests.index.test_store import CONDITIONS, leaning, made
from tests.index.verbs import some
from tests.search.small import Words, passages, removal, small
from triglot.encoder import EncoderSettings, init_encoder
from triglot.files import InputError
from triglot.index.documents import Documents
from triglot.index.filters import parse_conditions
from triglot.index.places import Address, open_index
from triglot.index.remote import DatabaseIndex, create
from triglot.index.settings import IndexSettings
from triglot.index.store import DiskIndex
from triglot.index.store import create as create_on_disk
from triglot.search.searcher import Searcher, SearchSettings
from triglot.serve import Tokens, create_app
from triglot.serve.tokens import hashed

pytestmark = [pytest.mark.peers, pytest.mark.filterwarnings("default::DeprecationWarning")]
Connect = Callable[[str], Any]
ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module", params=["milvus", "qdrant"])
def connect(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Connect]:
    """A function from the name of a collection to a database that is connected."""
    if request.param == "milvus":
        pytest.importorskip("pymilvus", reason="no pymilvus (extra milvus)")
        pytest.importorskip("milvus_lite", reason="no milvus-lite (extra milvus)")
        from triglot.index.milvus import Milvus

        path = tmp_path_factory.mktemp("milvus") / "all.db"
        opened = [Milvus(Address("milvus", "file", str(path), "first"))]
        yield lambda name: Milvus(Address("milvus", "file", str(path), name))
    else:
        client = pytest.importorskip("qdrant_client", reason="no qdrant-client (extra qdrant)").QdrantClient(":memory:")
        from triglot.index.qdrant import Qdrant

        opened = [Qdrant(Address("qdrant", "http", "memory", "first"), client)]
        yield lambda name: Qdrant(Address("qdrant", "http", "memory", name), client)
    for one in opened:
        one.close()


@pytest.fixture(scope="module")
def both(connect: Connect, tmp_path_factory: pytest.TempPathFactory) -> tuple[DiskIndex, DatabaseIndex]:
    """The same passages in a folder and in a database."""
    documents, vectors = made(200)
    disk = create_on_disk(tmp_path_factory.mktemp("disk") / "i", documents, vectors, removal=leaning())
    return disk, create(connect("both"), "both", documents, vectors, removal=leaning())


@settings(max_examples=12)
@given(
    st.sets(st.sampled_from(sorted(CONDITIONS)), max_size=3),
    st.integers(1, 40),
    st.integers(0, 10**6),
    st.sampled_from(["raw", "fair"]),
    st.booleans(),
)
def test_a_search_is_that_of_the_folder(
    both: tuple[DiskIndex, DatabaseIndex], words: set[str], k: int, seed: int, view: str, calibrated: bool
) -> None:
    disk, database = both
    queries, asked = made(3, seed=seed)[1], ["de", "zh", "en"]
    where = parse_conditions(sorted(words), disk.fields)
    one, two = (index.search(queries, k, langs=asked, view=view, where=where, calibrated=calibrated) for index in both)
    assert one.places.shape == two.places.shape
    for row in range(3):
        first, second = (
            index.documents(found, [place for place in found.places[row].tolist() if place >= 0])
            for index, found in ((disk, one), (database, two))
        )
        assert first.ids == second.ids
        assert first == second
        codes = [[found.codes[lang] for lang in found.langs[row].tolist() if lang >= 0] for found in (one, two)]
        assert codes[0] == codes[1] == list(first.langs)
    assert one.scores == pytest.approx(two.scores, abs=1e-5)
    assert one.calibrated == pytest.approx(two.calibrated, abs=1e-3)


def test_languages_are_asked_at_one_time(
    both: tuple[DiskIndex, DatabaseIndex], monkeypatch: pytest.MonkeyPatch
) -> None:
    index, queries = both[1], made(5, seed=8)[1]
    one = index.search(queries, 20, langs=["de"] * 5, view="fair", calibrated=True)
    by_words = index.snapshot.by_words("text w3", 5)
    monkeypatch.setattr(index._db, "together", 4)
    two = index.search(queries, 20, langs=["de"] * 5, view="fair", calibrated=True)
    assert (one.scores == two.scores).all()
    for first, second in zip(one.places.tolist(), two.places.tolist(), strict=True):
        assert index.documents(one, first).ids == index.documents(two, second).ids
    assert {code: len(places) for code, places in index.snapshot.by_words("text w3", 5).items()} == {
        code: len(places) for code, places in by_words.items()
    }


def test_what_it_knows_of_itself_is_kept(both: tuple[DiskIndex, DatabaseIndex], connect: Connect) -> None:
    disk, database = both
    again = DatabaseIndex(connect("both"), "both")
    for index in (database, again):
        assert dict(index.counts) == dict(disk.counts)
        assert dict(index.fields) == dict(disk.fields)
        assert index.views == disk.views
        assert len(index) == 200
        told, wanted = index.stats(), disk.stats()
        for key in ("passages", "languages", "dim", "fields", "views", "debiased", "strength", "words"):
            assert told[key] == wanted[key]
        documents, raw = index.get(["p7", "p3", "nothing"])
        assert sorted(documents.ids) == ["p3", "p7"]
        vectors = made(200)[1]
        assert raw == pytest.approx(vectors[[int(one[1:]) for one in documents.ids]], abs=1e-7)
    found = database.snapshot.drawn("de", 16)
    assert len(set(found.tolist())) == 16
    assert {database.snapshot.codes[lang] for lang in database.snapshot.langs_at(np.zeros(0, np.int64))} == set()


def test_passages_come_are_replaced_and_go(connect: Connect) -> None:
    documents, vectors = made(60)
    index = create(connect("moved"), "moved", documents, vectors, removal=leaning())
    more, of_more = made(30, seed=3, start=50)
    assert index.add(more, of_more) == (20, 10)
    other = DatabaseIndex(connect("moved"), "moved")
    assert other.delete(["p1", "p1", "p79", "p1000"]) == 2
    assert not index.get(["p1"])[0].ids
    assert index.refresh()
    assert len(index) == len(other) == 78
    kept, raw = index.get([f"p{n}" for n in range(100)])
    wanted = dict(zip(documents.ids, vectors, strict=True))
    wanted |= dict(zip(more.ids, of_more, strict=True))
    assert len(kept) == 78
    for one, row in zip(kept.ids, raw, strict=True):
        assert row == pytest.approx(wanted[one], abs=1e-7)
    late = Documents(["new"], ["x"], ["fr"], [""], {"price": [2.5]})
    assert index.add(late, of_more[:1]) == (1, 0)
    assert index.fields["price"] == "float"
    found = index.search(of_more[:1], 5, langs=["de"], where=parse_conditions(["price>1"], index.fields))
    assert index.documents(found, found.places[0][found.places[0] >= 0]).ids == ["new"]
    assert index.languages[-1] == "fr"
    assert index.regroup({"p2": "same", "new": "same"}) == 2
    snapshot = index.snapshot
    assert sorted(snapshot.documents(snapshot.places_of("group", ["same"])).ids) == ["new", "p2"]
    assert len(snapshot.places_in()) == 79
    index.compact()
    with pytest.raises(InputError, match=r"year.*is int in this index, and string"):
        index.add(Documents(["a"], ["x"], ["de"], [""], {"year": ["late"]}), of_more[:1])


def test_killed_while_it_is_built_the_older_one_stays(connect: Connect, monkeypatch: pytest.MonkeyPatch) -> None:
    database, (documents, vectors) = connect("killed"), made(20)
    create(database, "killed", documents, vectors, model="one")
    more, of_more = made(40)
    with pytest.raises(InputError, match="written by `triglot index` for one"):
        create(connect("killed"), "killed", more, of_more, model="two")
    stopped = connect("killed")
    monkeypatch.setattr(stopped, "keep", lambda records: (_ for _ in ()).throw(KeyboardInterrupt))
    with pytest.raises(KeyboardInterrupt):
        create(stopped, "killed", more, of_more, model="one")
    assert len(DatabaseIndex(connect("killed"), "killed")) == 20
    assert len(database.collections()) == 2
    assert len(create(connect("killed"), "killed", more, of_more, model="two", force=True)) == 40
    assert len(database.collections()) == 1
    records = database.records()
    assert {key.partition("/")[0] for key in records} == {"meta", str(database.collections()[0])}


def test_another_model_and_what_does_not_fit_are_refused(connect: Connect) -> None:
    documents, vectors = made(20)
    probe = np.eye(3, 16, dtype=np.float32)
    index = create(connect("model"), "model", documents, vectors, model="one", probe=probe)
    index.check_model(probe, "cosine", "one")
    for other, similarity, match in (
        (probe[:, :8], "cosine", "8 dimensions"),
        (probe, "dot", "compares by dot"),
        (probe[::-1], "cosine", "its vectors differ"),
    ):
        with pytest.raises(InputError, match=match):
            index.check_model(other, similarity, "two")
    with pytest.raises(InputError, match="holds no index"):
        DatabaseIndex(connect("nothing_here"), "nothing_here")
    with pytest.raises(InputError, match=r"1 x 16 were expected"):
        index.add(Documents(["a"], ["x"], ["de"]), np.ones((1, 8)))
    long = Documents(["a"], ["x" * (index._db.longest + 1)], ["de"]) if index._db.longest < 2**20 else None
    if long is not None:
        with pytest.raises(InputError, match="bytes; this database keeps"):
            index.add(long, vectors[:1])
    with pytest.raises(InputError, match="inf"):
        index.add(Documents(["a"], ["x"], ["de"], [""], {"size": [np.inf]}), vectors[:1])
    assert len(index) == 20


def test_an_approximate_index_is_measured(connect: Connect, caplog: pytest.LogCaptureFixture) -> None:
    documents, vectors = made(400)
    with caplog.at_level("INFO", "triglot"):
        index = create(connect("graph"), "graph", documents, vectors, IndexSettings(kind="hnsw"))
    assert index.stats()["recall"] >= 0.95
    assert index.stats()["segments"] == [{"kind": "hnsw", "passages": 400}]
    assert "of the exact first ten" in caplog.text
    found = index.search(vectors[:3], 1, langs=["de"] * 3)
    assert [index.documents(found, row).ids for row in found.places.tolist()] == [["p0"], ["p1"], ["p2"]]


@pytest.mark.parametrize("name", ["milvus", "qdrant"])
def test_a_server_that_is_not_there_is_said(name: str) -> None:
    pytest.importorskip({"milvus": "pymilvus", "qdrant": "qdrant_client"}[name], reason=f"no client of {name}")
    with pytest.raises(InputError, match=f"{name}://127.0.0.1:9/help: "):
        open_index(f"{name}://127.0.0.1:9/help")


@pytest.fixture(scope="module")
def searchers(connect: Connect, tmp_path_factory: pytest.TempPathFactory) -> tuple[Searcher, Searcher]:
    """The same searcher over a folder and over a database."""
    documents = passages()
    vectors = Words().encode(documents.texts, side="passage")
    index = create(connect("words"), "words", documents, vectors, removal=removal(), model="words")
    return Searcher(Words(), small(tmp_path_factory.mktemp("words") / "i")), Searcher(Words(), index)


@pytest.mark.parametrize("mode", ["any", "fair", "own-first", "fold"])
@pytest.mark.parametrize(
    "more", [{}, {"languages": "fr, en;q=0.4"}, {"quotas": ("de=1", "*=2")}, {"where": ("number<20", "lang!=de")}]
)
def test_the_searcher_needs_the_protocol_alone(
    searchers: tuple[Searcher, Searcher], mode: str, more: dict[str, Any]
) -> None:
    asked = SearchSettings(k=8, mode=mode, **more)
    # words in two languages, so that no two passages are equally near
    one, two = (searcher.search("de-river de-bread fr-king de-17", asked, lang="de") for searcher in searchers)
    assert [hit.id for hit in one.hits] == [hit.id for hit in two.hits]
    assert [hit.calibrated for hit in one.hits] == pytest.approx([hit.calibrated for hit in two.hits], abs=1e-3)
    assert [[also.id for also in hit.also] for hit in one.hits] == [[also.id for also in hit.also] for hit in two.hits]
    assert (one.notes, one.pool, one.composition) == (two.notes, two.pool, two.composition)


def test_words_are_those_of_each_language(searchers: tuple[Searcher, Searcher], connect: Connect) -> None:
    disk, database = (searcher.index for searcher in searchers)
    found = []
    for index in (disk, database):
        snapshot = index.snapshot
        by_words = snapshot.by_words("en-river 17", 5)
        found.append({code: snapshot.documents(places).ids for code, places in by_words.items()})
    assert found[0].keys() == found[1].keys()
    first = {code: (a[0], b[0]) for code, a, b in ((code, found[0][code], found[1][code]) for code in found[0])}
    assert first["en"][0] == first["en"][1]
    narrowed = database.snapshot.by_words("en-river 17", 5, parse_conditions(["number<3"], database.fields))
    assert not narrowed or all(len(places) for places in narrowed.values())
    few = passages(5)
    vectors = Words().encode(few.texts, side="passage")
    plain = create(connect("plain"), "plain", few, vectors, IndexSettings(lexical=False), model="words")
    with pytest.raises(InputError, match="keeps no words"):
        plain.snapshot.by_words("river", 5)
    assert plain.spoken == {}


def test_the_commands_take_an_address(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("milvus_lite", reason="no milvus-lite (extra milvus)")
    here = help_centre.write(tmp_path / "here")
    monkeypatch.chdir(here)
    known = {
        code: dict.fromkeys([*help_centre.ACTIONS[code], *help_centre.THINGS[code]], 5)
        for code in help_centre.LANGUAGES
    }
    init_encoder(EncoderSettings(kind="static", dim=32, vocab=400), known, seed=1).save(Path("start"))
    rows = [{**row, "lang": row["locale"]} for row in help_centre.rows()[0]]
    for name, held in (
        ("articles.csv", [*rows, *({**row, "id": f"x{row['id']}"} for row in rows)]),
        ("news.csv", [{**row, "id": f"n{row['id']}"} for row in rows[:3]]),
    ):
        with open(name, "w", newline="", encoding="utf-8") as handle:
            writer = csv.DictWriter(handle, list(rows[0]))
            writer.writeheader()
            writer.writerows(held)
    Path("gone.txt").write_text(f"{rows[5]['id']}\nnot there\n", "utf-8")
    place = "milvus+file:help.db/help"
    for words, match in (
        (["index", "start", "articles.csv", "--out", place, "--debias", "lsar"], "debiased by lsar at strength 1"),
        (["index", "start", "news.csv", "--out", place, "--add"], f"{2 * len(rows) + 3} passages"),
        (["index", "--out", place, "--delete", "gone.txt"], "1 of 2 passages deleted"),
        (["index", "--out", place, "--compact", "--json"], '"backend": "milvus"'),
        (["search", place, rows[0]["title"], "--mode", "fold", "-k", "3", "--hybrid"], "["),
        (["check", place, "--out", "checked"], "own language"),
    ):
        done = command_line(*words)
        assert done.code == 0, (words, done.err)
        assert match in done.out
    assert json.loads(Path("checked/check.json").read_text("utf-8"))["verdict"]
    wrong = command_line("index", "start", "articles.csv", "--out", "milvus://user:secret@host/help")
    assert wrong.code == 2
    assert "secret" not in wrong.err
    init_encoder(EncoderSettings(kind="static", dim=32, vocab=400), known, seed=2).save(Path("other"))
    other = command_line("search", place, "password", "--model", "other")
    assert other.code == 2
    assert "its vectors differ" in other.err
    assert command_line("search", "milvus+file:help.db/none", "password").code == 2


def test_a_service_over_a_database(connect: Connect) -> None:
    documents = passages()
    vectors = Words().encode(documents.texts, side="passage")
    searcher = Searcher(Words(), create(connect("served"), "served", documents, vectors, removal=removal()))
    app = create_app(searcher, tokens=Tokens([hashed("secret")]))
    body = {"documents": [{"id": "new", "text": "de-river de-horse", "lang": "de"}]}
    allowed = {"Authorization": "Bearer secret"}

    async def run() -> list[httpx.Response]:
        transport = httpx.ASGITransport(app, raise_app_exceptions=False)
        async with httpx.AsyncClient(transport=transport, base_url="http://localhost") as client:
            return [
                await client.request(method, path, **more)
                for method, path, more in (
                    ("POST", "/search", {"json": {"query": "de-river de-bread fr-king", "lang": "de", "k": 5}}),
                    ("POST", "/documents", {"json": body}),
                    ("POST", "/documents", {"json": body, "headers": allowed}),
                    ("DELETE", "/documents", {"json": {"ids": ["new", "x"]}, "headers": allowed}),
                    ("GET", "/bias", {}),
                    ("GET", "/health", {}),
                )
            ]

    found, refused, added, deleted, bias, health = asyncio.run(run())
    wanted = searcher.search("de-river de-bread fr-king", SearchSettings(k=5), lang="de")
    assert [hit["id"] for hit in found.json()["hits"]] == [hit.id for hit in wanted.hits]
    assert refused.status_code in (401, 403)
    assert added.json()["added"] == deleted.json()["deleted"] == 1
    assert set(bias.json()["probes"]) == {"any", "fair"}
    assert health.json()["passages"] == len(documents)


def test_killed_while_it_adds_acknowledged_passages_are_there(tmp_path: Path) -> None:
    pytest.importorskip("milvus_lite", reason="no milvus-lite (extra milvus)")
    place = f"milvus+file:{tmp_path / 'killed.db'}/k"
    program = (
        "import sys, os, signal\nfrom tests.index.verbs import some\n"
        "from triglot.index.places import create_index, open_index\n"
        f"index = create_index({place!r}, *some(0, 20))\n"
        "for number in range(1, 9):\n"
        "    index.add(*some(100 * number, 20, 'later'))\n"
        "    print(number, flush=True)\n"
        "    if number == 5:\n"
        "        if os.fork() == 0:\n"
        "            os.kill(os.getppid(), signal.SIGKILL)\n"
        "            os._exit(0)\n"
    )
    done = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == -9, done.stderr
    acknowledged = max(map(int, done.stdout.split()))
    assert acknowledged >= 5
    index = open_index(place)
    held = set(index.get([f"p{100 * number + n}" for number in range(1, 10) for n in range(20)])[0].ids)
    for number in range(1, acknowledged + 1):
        assert held >= {f"p{100 * number + n}" for n in range(20)}
    assert index.add(*some(900, 5)) == (5, 0)
    index.close()  # type: ignore[attr-defined]
