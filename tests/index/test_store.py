"""Indexes in folders: exact search against brute force, filters, updates, damage."""

from __future__ import annotations

import json
from contextlib import suppress
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from triglot.encoder.languages import Removal
from triglot.files import InputError
from triglot.index.documents import Documents
from triglot.index.filters import parse_conditions
from triglot.index.settings import IndexSettings
from triglot.index.store import DiskIndex, create
from triglot.sealed import seal

CODES = ("de", "en", "pt-BR", "zh")


def made(count: int, seed: int = 0, dim: int = 16, start: int = 0) -> tuple[Documents, np.ndarray]:
    """Passages in four languages with two fields, and unit vectors that lean towards their language."""
    rng = np.random.default_rng(seed)
    langs = rng.integers(0, 4, count)
    vectors = rng.standard_normal((count, dim)) + 2 * np.eye(4, dim)[langs]
    vectors = (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float32)
    codes = [CODES[one] for one in langs]
    return (
        Documents(
            [f"p{start + n}" for n in range(count)],
            [f"text {n} w{n % 7}" for n in range(count)],
            codes,
            [f"g{n // 2}" if n % 3 else "" for n in range(count)],
            {
                "year": [int(one) for one in rng.integers(2000, 2030, count)],
                "kind": ["a" if n % 2 else None for n in range(count)],
            },
        ),
        vectors,
    )


def leaning() -> Removal:
    """Takes the mean of each language away."""
    return Removal(
        ("de", "en", "pt-BR", "zh"),
        (np.eye(4, 16) * 0.5).astype(np.float32),
        np.zeros((4, 0, 16), np.float32),
        "centre",
    )


def naive(vectors: np.ndarray, query: np.ndarray, k: int, kept: np.ndarray) -> list[int]:
    """Places of the best by a plain loop."""
    scores = [(-float(np.float32(vectors[row] @ query)), row) for row in range(len(vectors)) if kept[row]]
    return [row for _, row in sorted(scores)][:k]


@pytest.mark.parametrize("view", ["raw", "fair"])
def test_exact_search_is_brute_force(tmp_path: Path, view: str) -> None:
    documents, vectors = made(300)
    index = create(tmp_path / "i", documents, vectors, removal=leaning())
    queries = made(20, seed=5)[1]
    langs = ["de"] * 10 + ["zh"] * 10
    found = index.search(queries, 10, langs=langs, view=view)
    passages, asked = vectors, queries
    if view == "fair":
        removal = leaning()
        passages = removal.apply(vectors, np.array([removal.number(one) for one in documents.langs]))
        asked = removal.apply(queries, np.array([removal.number(one) for one in langs]), "query")
    for row, query in enumerate(asked):
        assert found.places[row].tolist() == naive(passages, query, 10, np.ones(300, bool))
        assert found.scores[row] == pytest.approx(passages[found.places[row]] @ query, abs=1e-6)
    assert [found.codes[one] for one in found.langs[0]] == [documents.langs[one] for one in found.places[0]]


def test_a_calibrated_ranking_is_that_of_calibrated_scores(tmp_path: Path) -> None:
    documents, vectors = made(300)
    index = create(tmp_path / "i", documents, vectors, removal=leaning())
    query = made(1, seed=9)[1]
    found = index.search(query, 300, langs=["en"], calibrated=True)
    assert sorted(found.places[0].tolist()) == list(range(300))
    assert (np.diff(found.calibrated[0]) <= 1e-5).all()
    langs = np.array(documents.langs)
    for code in CODES:  # few passages: the cohort of a language is all of them
        scores = vectors[langs == code] @ query[0]
        inside = np.array([documents.langs[one] == code for one in found.places[0]])
        assert found.scores[0][inside].tolist() == pytest.approx(sorted(scores, reverse=True), abs=1e-6)
        wanted = (np.sort(scores)[::-1] - scores.mean()) / scores.std()
        assert found.calibrated[0][inside] == pytest.approx(wanted, abs=1e-3)


CONDITIONS = {
    "lang=pt": lambda d, n: d.langs[n] == "pt-BR",
    "lang=de,en": lambda d, n: d.langs[n] in ("de", "en"),
    "lang!=zh": lambda d, n: d.langs[n] != "zh",
    "year>=2015": lambda d, n: d.fields["year"][n] >= 2015,
    "year<2003": lambda d, n: d.fields["year"][n] < 2003,
    "year=2001,2002": lambda d, n: d.fields["year"][n] in (2001, 2002),
    "kind=a": lambda d, n: d.fields["kind"][n] == "a",
    "kind!=a": lambda d, n: d.fields["kind"][n] != "a",
    "id=p3,p5,p400": lambda d, n: d.ids[n] in ("p3", "p5"),
    "group=g1": lambda d, n: d.groups[n] == "g1",
}


@settings(max_examples=25)
@given(
    st.sets(st.sampled_from(sorted(CONDITIONS)), max_size=3), st.integers(1, 40), st.integers(0, 10**6), st.booleans()
)
def test_a_filter_is_what_filtering_before_ranking_gives(
    several: DiskIndex, words: set[str], k: int, seed: int, calibrated: bool
) -> None:
    documents, vectors = made(200)
    query = made(1, seed=seed)[1]
    kept = np.array([all(CONDITIONS[word](documents, n) for word in words) for n in range(200)])
    where = parse_conditions(sorted(words), several.fields)
    found = several.search(query, k, langs=["de"], where=where, calibrated=calibrated)
    ids = several.documents(found, found.places[0]).ids
    if calibrated:
        whole = several.search(query, 200, langs=["de"], calibrated=True)
        every = several.documents(whole, whole.places[0]).ids
        assert ids == [one for one in every if kept[int(one[1:])]][:k]
    else:
        assert ids == [f"p{n}" for n in naive(vectors, query[0], k, kept)]


@pytest.fixture(scope="module")
def several(tmp_path_factory: pytest.TempPathFactory) -> DiskIndex:
    """An index that came in pieces."""
    documents, vectors = made(200)
    index = None
    for start in range(0, 200, 50):
        part = slice(start, start + 50)
        fields = {name: column[part] for name, column in documents.fields.items()}
        piece = Documents(
            documents.ids[part], documents.texts[part], documents.langs[part], documents.groups[part], fields
        )
        if index is None:
            index = create(tmp_path_factory.mktemp("several") / "i", piece, vectors[part])
        else:
            assert index.add(piece, vectors[part]) == (50, 0)
    assert index is not None
    return index


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["hnsw", "ivf"])
@pytest.mark.parametrize("calibrated", [False, True])
def test_an_approximate_index_finds_what_was_promised_also_under_filters(
    tmp_path: Path, kind: str, calibrated: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("triglot.index.segment._FEW", 50)
    documents, vectors = made(3000)
    index = create(tmp_path / "i", documents, vectors, IndexSettings(kind=kind), removal=leaning())
    assert index.stats()["recall"] >= 0.95
    exact = create(tmp_path / "e", documents, vectors, IndexSettings(kind="exact"), removal=leaning())
    queries = made(40, seed=3)[1]
    for view in ("raw", "fair"):
        for words in ([], ["year=2001,2002"], ["lang=de"], ["id=p7"]):
            where = parse_conditions(words, index.fields)
            asked = {"langs": ["de"] * 40, "view": view, "where": where, "calibrated": calibrated}
            found, wanted = index.search(queries, 10, **asked), exact.search(queries, 10, **asked)
            assert (found.places >= 0).sum() == (wanted.places >= 0).sum()
            hits = [
                len(set(a) & set(b)) / len(b)
                for a, b in zip(found.places.tolist(), wanted.places.tolist(), strict=True)
            ]
            assert np.mean(hits) > 0.9
            same = found.places == wanted.places
            assert found.scores[same] == pytest.approx(wanted.scores[same], abs=1e-5)


@pytest.mark.slow
@settings(max_examples=12)
@given(
    st.lists(
        st.tuples(st.sampled_from(["add", "delete", "compact", "reopen"]), st.integers(0, 30), st.integers(1, 6)),
        max_size=20,
    )
)
def test_adding_and_deleting_is_a_dictionary(steps: list[tuple[str, int, int]]) -> None:
    import tempfile

    with tempfile.TemporaryDirectory() as folder:
        start, vectors = made(5)
        index = create(Path(folder) / "i", start, vectors)
        held = {one: (text, vector) for one, text, vector in zip(start.ids, start.texts, vectors, strict=True)}
        for number, (what, first, count) in enumerate(steps):
            ids = [f"p{n}" for n in range(first, first + count)]
            if what == "add":
                documents, more = made(count, seed=number + 10, start=first)
                replaced = sum(one in held for one in ids)
                assert index.add(documents, more) == (count - replaced, replaced)
                held |= {one: (text, v) for one, text, v in zip(ids, documents.texts, more, strict=True)}
            elif what == "delete":
                assert index.delete(ids) == sum(one in held for one in ids)
                held = {one: told for one, told in held.items() if one not in ids}
            elif what == "compact":
                index.compact()
                assert len(index.stats()["segments"]) <= 1
            else:
                index = DiskIndex(index.place)
            assert len(index) == len(held)
        query = made(1, seed=1)[1]
        found = index.search(query, 100, langs=["de"])
        ids = index.documents(found, found.places[0]).ids
        assert sorted(ids) == sorted(held)
        scores = {one: float(vector @ query[0]) for one, (_, vector) in held.items()}
        assert [scores[one] for one in ids] == pytest.approx(sorted(scores.values(), reverse=True), abs=1e-6)
        back, raw = index.get(sorted(held))
        for one, text, vector in zip(back.ids, back.texts, raw, strict=True):
            assert text == held[one][0]
            assert (vector == held[one][1]).all()


@pytest.mark.slow
def test_many_small_writes_leave_few_segments(tmp_path: Path) -> None:
    index = create(tmp_path / "i", *made(20))
    for n in range(40):
        index.add(*made(1, seed=n, start=100 + n))
    assert len(index.stats()["segments"]) < 16
    assert len(DiskIndex(tmp_path / "i")) == 60


def test_large_segments_are_not_merged(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("triglot.index.store._LARGEST", 8)
    index = create(tmp_path / "i", *made(1))
    for number in range(1, 30):
        index.add(*made(1, seed=number, start=number))
    assert max(one["passages"] for one in index.stats()["segments"]) == 8
    assert len(index) == 30


def test_a_search_sees_one_state_whatever_is_written_meanwhile(tmp_path: Path) -> None:
    index = create(tmp_path / "i", *made(50))
    other = DiskIndex(tmp_path / "i")
    query = made(1, seed=1)[1]
    before = other.search(query, 5, langs=["de"])
    ids = other.documents(before, before.places[0]).ids
    index.delete(ids)
    index.compact()
    assert other.documents(before, before.places[0]).ids == ids
    assert other.search(query, 5, langs=["de"]).places.tolist() == before.places.tolist()
    assert other.refresh()
    after = other.search(query, 5, langs=["de"])
    assert not set(ids) & set(other.documents(after, after.places[0]).ids)
    assert not other.refresh()


def test_one_damaged_byte_anywhere_is_refused(tmp_path: Path) -> None:
    documents, vectors = made(400)
    index = create(tmp_path / "i", documents, vectors, IndexSettings(kind="hnsw"), removal=leaning())
    index.delete(["p3"])
    rng = np.random.default_rng(1)
    files = sorted(path for path in index.place.iterdir() if path.is_file())
    assert len(files) > 10
    for path in files:
        whole = path.read_bytes()
        for place in {0, len(whole) - 2, int(rng.integers(len(whole)))}:
            broken = bytearray(whole)
            broken[place] ^= 1 << int(rng.integers(8))
            path.write_bytes(broken)
            with pytest.raises(InputError):
                DiskIndex(index.place)
        path.write_bytes(whole[:-2])  # the last byte of the manifest is the end of its line
        with pytest.raises(InputError):
            DiskIndex(index.place)
        path.unlink()
        with pytest.raises(InputError):
            DiskIndex(index.place)
        path.write_bytes(whole)
    assert len(DiskIndex(index.place)) == 399


def test_what_a_hand_has_sealed_anew_is_still_bounded(tmp_path: Path) -> None:
    """Checksums tell damage; who wants to harm makes new ones."""
    documents, vectors = made(400)
    index = create(tmp_path / "i", documents, vectors, IndexSettings(kind="hnsw"))
    path, manifest = index.place / "index.json", json.loads((index.place / "index.json").read_text())
    manifest.pop("checksum")

    def refused(change, match: str) -> None:
        changed = json.loads(json.dumps(manifest))
        change(changed)
        path.write_text(json.dumps(seal(changed)))
        with pytest.raises(InputError, match=match):
            DiskIndex(index.place, verify=False)

    refused(lambda m: m["files"].update({"../../etc/passwd": "0"}), "no file of an index")
    refused(lambda m: m["segments"][0].update(name="../x"), "a segment")
    refused(lambda m: m["segments"][0].update(rows=10**12), "a segment")
    refused(lambda m: m["segments"][0].update(rows=399), "not those of this index")
    refused(lambda m: m.update(dim=8), "not the 400 x 8")
    refused(lambda m: m.update(version=99), "version 99")
    refused(lambda m: m["segments"].append(m["segments"][0]), "not its own")
    path.write_text(json.dumps(seal(manifest)))
    import faiss

    place = index.place / "s000001.raw.faiss"
    graph = faiss.read_index(str(place))
    links = faiss.vector_to_array(graph.hnsw.neighbors)
    links[5] = 10**6
    faiss.copy_array_to_vector(links, graph.hnsw.neighbors)
    faiss.write_index(graph, str(place))
    with pytest.raises(InputError, match=r"do not fit|out of range"):
        DiskIndex(index.place, verify=False)
    faiss.write_index(faiss.IndexFlatIP(16), str(place))
    with pytest.raises(InputError, match="IndexFlatIP"):
        DiskIndex(index.place, verify=False)
    place.write_bytes(b"IHNf" + b"\xff" * 200)
    with pytest.raises(InputError, match=r"FAISS|expected"):
        DiskIndex(index.place, verify=False)


@pytest.mark.parametrize("kind", ["hnsw", "ivf"])
def test_a_file_of_faiss_with_random_bytes_never_ends_the_process(tmp_path: Path, kind: str) -> None:
    index = create(tmp_path / "i", *made(300), IndexSettings(kind=kind))
    path = index.place / "s000001.raw.faiss"
    whole, rng = path.read_bytes(), np.random.default_rng(2)
    query, opened = made(3, seed=4)[1], 0
    for _ in range(60):
        broken = bytearray(whole)
        for place in rng.integers(0, min(len(whole), 400) if rng.random() < 0.5 else len(whole), 3):
            broken[place] = int(rng.integers(256))
        path.write_bytes(broken)
        with suppress(InputError):
            DiskIndex(index.place, verify=False).search(query, 5, langs=["de"] * 3)
            opened += 1
    assert 0 < opened < 60


def test_two_writers_are_refused(tmp_path: Path) -> None:
    from triglot.files import locked

    index = create(tmp_path / "i", *made(20))
    with locked(index.place), pytest.raises(InputError, match="another process is writing"):
        index.add(*made(1, start=50))
    assert index.add(*made(1, start=50)) == (1, 0)


@pytest.mark.parametrize(
    ("verb", "most"), [("create", 100), ("create", 60_000), ("add", 100), ("add", 60_000), ("delete", 100)]
)
def test_a_full_disk_is_said_and_leaves_the_index_as_it_was(tmp_path: Path, verb: str, most: int) -> None:
    """No file can grow beyond 100 bytes, or beyond what is less than a graph of FAISS has."""
    resource = pytest.importorskip("resource")
    index = create(tmp_path / "i", *made(400), IndexSettings(kind="hnsw", lexical=False))
    index.delete(["p1"])
    before = {path.name: path.read_bytes() for path in index.place.iterdir()}
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (most, hard))  # stands for a full disk
    try:
        with pytest.raises(InputError, match="cannot be written"):
            if verb == "create":
                create(tmp_path / "i", *made(400), IndexSettings(kind="hnsw"))
            elif verb == "add":
                index.add(*made(400, start=1000))
            else:
                index.delete([f"p{n}" for n in range(50)])
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    again = DiskIndex(index.place)
    assert len(again) == len(index) == 399
    assert again.add(*made(1, start=5000)) == (1, 0)
    assert {name: data for name, data in before.items() if name.startswith("s000001")}.items() <= {
        path.name: path.read_bytes() for path in index.place.iterdir()
    }.items()


def test_another_model_is_refused(tmp_path: Path) -> None:
    probe = np.eye(3, 16, dtype=np.float32)
    index = create(tmp_path / "i", *made(20), model="one", probe=probe)
    index.check_model(probe, "cosine", "one")
    for other, similarity, match in (
        (probe[:, :8], "cosine", "8 dimensions"),
        (probe, "dot", "compares by dot"),
        (probe[:2], "cosine", "its vectors differ"),
        (probe[::-1], "cosine", "its vectors differ"),
    ):
        with pytest.raises(InputError, match=match):
            DiskIndex(index.place).check_model(other, similarity, "two")


def test_bad_input_is_named(tmp_path: Path) -> None:
    documents, vectors = made(20)
    with pytest.raises(InputError, match="20 x dimensions"):
        create(tmp_path / "i", documents, vectors[:5])
    with pytest.raises(InputError, match="NaN"):
        create(tmp_path / "i", documents, vectors * np.nan)
    with pytest.raises(InputError, match="there twice"):
        Documents(["a", "a"], ["x", "y"], ["de", "de"])
    with pytest.raises(InputError, match="empty text"):
        Documents(["a"], [" "], ["de"])
    index = create(tmp_path / "i", documents, vectors)
    with pytest.raises(InputError, match="1 x 16 were expected"):
        index.add(Documents(["a"], ["x"], ["de"]), np.ones((1, 8)))
    with pytest.raises(InputError, match=r"year.*is int in this index, and string"):
        index.add(Documents(["a"], ["x"], ["de"], [""], {"year": ["late"]}), np.ones((1, 16)))
    for word, match in {
        "yeer=2": "did you mean 'year'",
        "year": "NAME=VALUE",
        "year>=x": "is no int",
        "text=a": "searched, not filtered",
    }.items():
        with pytest.raises(InputError, match=match):
            parse_conditions([word], index.fields)
    with pytest.raises(InputError, match="holds no index"):
        DiskIndex(tmp_path)
    with pytest.raises(InputError, match=r"the index has 16 dimensions"):
        index.search(np.ones((1, 8)), 1, langs=["de"])


def test_a_field_that_comes_later(tmp_path: Path) -> None:
    index = create(tmp_path / "i", *made(10))
    index.add(Documents(["new"], ["x"], ["de"], [""], {"price": [2.5]}), made(1)[1])
    where = parse_conditions(["price>1"], index.fields)
    found = DiskIndex(index.place).search(made(1)[1], 5, langs=["de"], where=where)
    assert index.documents(found, found.places[0][found.places[0] >= 0]).ids == ["new"]


def test_an_index_of_nothing_can_be_filled_again(tmp_path: Path) -> None:
    index = create(tmp_path / "i", *made(10))
    assert index.delete([f"p{n}" for n in range(10)]) == 10
    index = DiskIndex(index.place)
    assert index.search(made(1)[1], 5, langs=["de"]).places.shape == (1, 0)
    assert index.search(made(2)[1], 5, langs=["de"] * 2, calibrated=True).scores.shape == (2, 0)
    assert index.add(*made(3)) == (3, 0)
    assert len(index) == 3


def test_the_strength_is_kept(tmp_path: Path) -> None:
    documents, vectors = made(100)
    index = create(tmp_path / "i", documents, vectors, IndexSettings(strength=0.5), removal=leaning())
    assert index.stats()["strength"] == 0.5
    half = leaning().at(0.5).apply(vectors, np.array([CODES.index(one) for one in documents.langs]))
    assert index.snapshot.vectors(np.arange(100), "fair") == pytest.approx(half, abs=1e-6)
    assert (index.get(documents.ids)[1] == vectors).all()
    assert create(tmp_path / "n", documents, vectors, IndexSettings(strength=0), removal=leaning()).views == ("raw",)


def test_groups_can_be_set_later(tmp_path: Path) -> None:
    documents, vectors = made(30)
    index = create(tmp_path / "i", documents, vectors)
    assert index.regroup({"p1": "same", "p2": "same", "p999": "same"}) == 2
    back, raw = index.get(["p1", "p2"])
    assert back.groups == ["same", "same"]
    assert sorted(map(tuple, raw.tolist())) == sorted(map(tuple, vectors[1:3].tolist()))
    assert len(index) == 30
