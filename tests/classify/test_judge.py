"""Classification: who is trained on what, the matrix of languages, baselines, bad input; on the real files too."""

from __future__ import annotations

import json
import zlib
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import accuracy_score, f1_score
from sklearn.preprocessing import StandardScaler

from triglot.classify.heads import HeadSettings, features, load_head
from triglot.classify.judge import Classification, evaluate_task
from triglot.classify.tasks import ClassifySettings, Task, classify_settings, read_task
from triglot.corpus.formats import nli, stance
from triglot.files import InputError

QUICK = HeadSettings(penalties=(1.0,))


class Hashed:
    """An untrained encoder: a random unit vector for each text and side, that counts what it was asked."""

    def __init__(self, dim: int = 16, sides: bool = True):
        self.dim, self.sides, self.asked = dim, sides, []

    def encode(self, texts, *, side, progress=False):
        self.asked += [(side, text) for text in texts]
        seeds = [zlib.crc32(((side if self.sides else "") + text).encode()) for text in texts]
        out = np.stack([np.random.default_rng(seed).standard_normal(self.dim) for seed in seeds]).astype(np.float32)
        return out / np.linalg.norm(out, axis=1, keepdims=True)


class Telling:
    """An encoder that knows the label: texts end in its number, in whichever language."""

    def encode(self, texts, *, side, progress=False):
        return np.stack([np.eye(4, dtype=np.float32)[int(text[-1])] for text in texts])


def inference_folder(path: Path, premises: int = 30, languages=("de", "en", "th")) -> Path:
    path.mkdir(parents=True, exist_ok=True)
    for code in languages:
        lines = []
        for premise in range(premises):
            for number, label in enumerate(nli.LABELS):
                lines.append(f"{code} premise {premise} 3\t{code} hypothesis {premise} {number}\t{label}\n")
        (path / f"dev-{code}.tsv").write_text("".join(lines))
    return path


def test_a_head_learns_what_the_vectors_tell(tmp_path: Path) -> None:
    folder = inference_folder(tmp_path)
    for kind, languages in (("xx", ("en",)), ("xy", None), ("hybrid", None)):
        settings = ClassifySettings(pairs=kind, train_languages=languages)  # type: ignore[arg-type]
        found = evaluate_task(Telling(), read_task(folder, format="nli", name="toy", settings=settings, licence="free"))
        assert found.summary["classification"] == found.summary["generalised"] == {"accuracy": 1.0, "macro_f1": 1.0}
        assert found.summary["majority"]["accuracy"] == pytest.approx(1 / 3)
        assert found.summary["licence"] == "free"
        assert found.summary["head"]["languages"] == (["en"] if languages else ["de", "en", "th"])
        assert set(found.by_language["cross"]["de"]) == {"en", "th"}


def by_hand(found: Classification, measure) -> list[float]:
    """Macro averages of a measure of (labels, predictions) over languages, and over ordered pairs."""
    values = {}
    columns = {key: column.tolist() for key, column in found.items.items()}
    pairs = list(zip(columns["first_lang"], columns["second_lang"], strict=True))
    for pair in set(pairs):
        rows = [i for i, one in enumerate(pairs) if one == pair]
        values[pair] = measure([columns["label"][i] for i in rows], [columns["predicted"][i] for i in rows])
    mono, cross = ([v for (a, b), v in values.items() if (a == b) == same] for same in (True, False))
    return [float(np.mean(mono)), float(np.mean(cross))]


def check_tables(found: Classification) -> None:
    """The summary and the matrix are those that scikit-learn works out from the items."""
    told = [found.summary[setting] for setting in ("classification", "generalised")]
    assert [one["accuracy"] for one in told] == pytest.approx(by_hand(found, accuracy_score))
    assert [one["macro_f1"] for one in told] == pytest.approx(
        by_hand(found, lambda a, b: f1_score(a, b, average="macro"))
    )
    cells = {(a, b): cell for a, row in found.by_language["cross"].items() for b, cell in row.items()}
    cells |= {(a, a): cell for a, cell in found.by_language["mono"].items()}
    assert sum(cell["items"] for cell in cells.values()) == len(found.items["label"])
    assert (found.items["correct"] == (found.items["label"] == found.items["predicted"])).all()
    for setting, same in (("classification", True), ("generalised", False)):
        rows = found.items["setting"] == setting
        assert ((found.items["first_lang"] == found.items["second_lang"])[rows] == same).all()


def test_the_whole_is_what_scikit_learn_gives(tmp_path: Path) -> None:
    task = read_task(
        inference_folder(tmp_path),
        format="nli",
        name="toy",
        settings=ClassifySettings(train_languages=("en",), head=QUICK),
    )
    encoder = Hashed()
    found = evaluate_task(encoder, task)
    check_tables(found)
    inference, _ = nli.read(tmp_path)
    train, test = inference.split(0.5, seed=1)

    def vectors(part: nli.Inference, first: str, second: str) -> np.ndarray:
        sides = [encoder.encode(texts, side="passage") for texts in (part.premises[first], part.hypotheses[second])]
        return features(*sides)

    scaler = StandardScaler().fit(vectors(train, "en", "en"))
    theirs = LogisticRegression(C=1 / len(train), tol=1e-9, max_iter=5000)
    theirs.fit(scaler.transform(vectors(train, "en", "en")), train.labels)
    predicted = theirs.predict_proba(scaler.transform(vectors(test, "de", "th")))
    rows = (found.items["first_lang"] == "de") & (found.items["second_lang"] == "th")
    np.testing.assert_allclose(
        found.items["probability"][rows], predicted[np.arange(len(test)), test.labels], atol=1e-4
    )


def test_no_premise_is_trained_on_and_tested_in_any_language(data: Path) -> None:
    whole = read_task(data / "xnli", format="nli", name="xnli")
    part = read_task(
        data / "xnli",
        format="nli",
        name="xnli",
        languages=["de", "th"],
        settings=ClassifySettings(train_languages=("en",)),
    )
    for task in (whole, part):
        assert task.train is not None
        assert not set(task.train.first) & set(task.test.first)
        assert not set(task.train.group) & set(task.test.group)
        assert not set(task.train.ids) & set(task.test.ids)
    assert (part.test.ids, part.codes) == (whole.test.ids, ("de", "th"))  # other languages, the same parts
    other = read_task(data / "xnli", format="nli", name="xnli", settings=ClassifySettings(seed=2))
    assert other.test.ids != whole.test.ids


@pytest.mark.slow
def test_xnli(data: Path, tmp_path: Path) -> None:
    encoder = Hashed()
    task = read_task(
        data / "xnli", format="nli", name="xnli", settings=ClassifySettings(train_languages=("en",), head=QUICK)
    )
    found = evaluate_task(encoder, task)
    assert len(encoder.asked) == len(set(encoder.asked))  # every different text once
    assert len(found.by_language["mono"]) == 15
    assert sum(len(row) for row in found.by_language["cross"].values()) == 210
    assert len(found.items["label"]) == 225 * len(task.test)
    assert 0.27 < found.summary["classification"]["accuracy"] < 0.40  # vectors that know nothing
    assert found.summary["majority"]["accuracy"] == pytest.approx(1 / 3, abs=0.02)
    again = evaluate_task(Hashed(), task)
    assert again.summary == found.summary
    assert all((again.items[key] == found.items[key]).all() for key in found.items)
    # The head of one evaluation judges in another, on what it was not trained on.
    found.head.save(tmp_path / "head")
    loaded = read_task(
        data / "xnli",
        format="nli",
        name="xnli",
        languages=["de", "sw"],
        settings=ClassifySettings(trained="head", seed=9),
        base=tmp_path,
    )
    assert loaded.test.ids == task.test.ids
    encoder.asked.clear()
    small = evaluate_task(encoder, loaded)
    assert len(encoder.asked) < 2 * (1284 + 428) + 10  # two languages alone
    assert small.by_language["cross"]["sw"]["de"] == found.by_language["cross"]["sw"]["de"]
    with pytest.raises(InputError, match="xnli: the head takes vectors of 16 dimensions, these have 8"):
        evaluate_task(Hashed(8), loaded)
    with pytest.raises(
        InputError, match="the head tells entailment, neutral, contradiction apart, and stance has AGAINST, FAVOR"
    ):
        read_task(
            data / "xstance", format="stance", name="s", settings=ClassifySettings(trained=str(tmp_path / "head"))
        )


def test_xstance(data: Path) -> None:
    task = read_task(data / "xstance", format="stance", name="xstance", settings=ClassifySettings(head=QUICK))
    assert task.counts["shared_authors"] == 170
    assert (
        "170 authors wrote 2,300 tested and 665 training comments (new_authors: true leaves out the latter)"
        in task.notes
    )
    found = evaluate_task(Hashed(), task)
    rows = list(zip(found.items["item_id"], found.items["first_lang"], strict=True))
    assert len(set(rows)) == len(rows)
    # Not every question has a text in every language.
    assert found.by_language["mono"]["de"]["items"] == 2871
    assert set(found.by_language["cross"]["en"]) == {"de", "fr"}
    told = found.summary["classification"]
    assert 0.4 < told["accuracy"] < 0.6
    check_tables(found)
    # Baselines by hand: the commonest label of all, and of the question.
    train, _ = stance.read(data / "xstance", split="train")
    test, _ = stance.read(data / "xstance")
    number = train.questions.number
    by_question: dict[int, list[int]] = {}
    for question, label in zip(train.question, train.labels.tolist(), strict=True):
        by_question.setdefault(number[question], []).append(label)
    of_all = int(train.labels.mean() > 0.5)
    right: dict[str, list[list[bool]]] = {"de": [], "fr": []}
    for question, label, lang in zip(test.question, test.labels.tolist(), test.lang.tolist(), strict=True):
        mean = np.mean(by_question.get(number[question], [of_all]))
        own = of_all if mean == 0.5 else int(mean > 0.5)
        right[test.languages[lang]].append([label == of_all, label == own])
    expected = np.mean([np.mean(rows, axis=0) for rows in right.values()], axis=0)
    assert found.summary["majority"]["accuracy"] == pytest.approx(expected[0])
    assert found.summary["majority_by_question"]["accuracy"] == pytest.approx(expected[1])


def test_authors_of_the_test_are_left_out(data: Path) -> None:
    task = read_task(
        data / "xstance",
        format="stance",
        name="xstance",
        settings=ClassifySettings(new_authors=True, train_languages=("de",)),
    )
    train, _ = stance.read(data / "xstance", split="train", languages=["de"])
    test, _ = stance.read(data / "xstance")
    kept = {
        identifier
        for identifier, author in zip(train.ids, train.authors, strict=True)
        if author not in set(test.authors)
    }
    assert task.train is not None
    assert set(task.train.ids) == kept
    assert task.counts["training_items"] == len(kept) < len(train)


def test_training_on_a_file_or_folder_leaves_out_tested_premises(tmp_path: Path) -> None:
    folder = inference_folder(tmp_path / "xnli", premises=10)
    lines = [f"new premise {n} 3\tnew hypothesis {n} {n % 3}\t{nli.LABELS[n % 3]}\n" for n in range(30)]
    known = [line + "\n" for line in (folder / "dev-en.tsv").read_text().splitlines()[:6]]
    (tmp_path / "more").mkdir()
    (tmp_path / "more" / "train-en.tsv").write_text("".join(lines + known))
    for train in ("more/train-en.tsv", "more", str(tmp_path / "more")):
        task = read_task(folder, format="nli", name="toy", settings=ClassifySettings(train=train), base=tmp_path)
        assert task.train is not None
        assert (len(task.train), len(task.test), task.train.languages) == (30, 30, ("en",))
        assert "6 training items share a premise with the test and are left out" in task.notes
        assert evaluate_task(Telling(), task).summary["generalised"]["accuracy"] == 1.0
    (folder / "train-en.tsv").write_text("".join(lines))
    assert len(read_task(folder, format="nli", name="toy", settings=ClassifySettings(train="train")).train or ()) == 30
    (tmp_path / "more" / "train-en.tsv").write_text("".join(known))
    with pytest.raises(InputError, match="every premise in it is tested too"):
        read_task(folder, format="nli", name="toy", settings=ClassifySettings(train="more"), base=tmp_path)
    (tmp_path / "english.tsv").write_text("".join(lines))
    with pytest.raises(InputError, match=r"english\.tsv: the name does not tell the language"):
        read_task(folder, format="nli", name="toy", settings=ClassifySettings(train="english.tsv"), base=tmp_path)
    with pytest.raises(InputError, match="is in 'en', and train_languages are de"):
        read_task(
            folder,
            format="nli",
            name="toy",
            settings=ClassifySettings(train="more/train-en.tsv", train_languages=("de",)),
            base=tmp_path,
        )


def test_input_that_cannot_be_used(tmp_path: Path) -> None:
    folder = inference_folder(tmp_path / "xnli")

    def read(**options) -> Task:
        languages = options.pop("languages", None)
        return read_task(folder, format="nli", name="toy", languages=languages, settings=ClassifySettings(**options))

    with pytest.raises(InputError, match="no language 'ger'"):
        read(languages=["ger"])
    with pytest.raises(InputError, match="no language 'fr'"):
        read(train_languages=("fr",))
    with pytest.raises(InputError, match="no split 'dve'; did you mean 'dev'"):
        read(split="dve")
    with pytest.raises(InputError, match="pairs xy need two languages"):
        evaluate_task(Telling(), read(languages=["de"], pairs="xy"))
    one = [line.replace("neutral", "entailment") for line in (folder / "dev-en.tsv").read_text().splitlines()]
    for code in ("de", "en", "th"):
        (folder / f"dev-{code}.tsv").write_text("\n".join(one))
    with pytest.raises(InputError, match=r"toy: the training part .* none is labelled neutral"):
        evaluate_task(Telling(), read())
    (folder / "dev-de.tsv").write_text("\n".join(one[:-1]))
    with pytest.raises(InputError, match=r"90 lines, but dev-de\.tsv has 89; they are not aligned"):
        read()
    with pytest.raises(InputError, match="no such file"):
        read(trained="nowhere")
    (tmp_path / "stance").mkdir()
    with pytest.raises(InputError, match=r"questions\.xx\.jsonl"):
        read_task(tmp_path / "stance", format="stance", name="toy")

    class Broken(Hashed):
        def encode(self, texts, *, side, progress=False):
            return super().encode(texts, side=side) * np.nan

    inference_folder(folder)
    with pytest.raises(InputError, match=r"toy: .* vectors of first texts are not finite"):
        evaluate_task(Broken(), read())


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"share": 1.0}, "options: share: 1.0 is not between 0 and 1"),
        ({"alpha": 1.5}, "options: alpha: 1.5 is not between"),
        ({"pairs": "hybird"}, "pairs: 'hybird' is not one of xx, xy, hybrid; did you mean 'hybrid'"),
        ({"pair": "xx"}, "pair: no such setting; did you mean 'pairs'"),
        ({"pairs": "xy", "train_languages": ["en"]}, "train_languages: pairs xy need two languages"),
        ({"train_languages": []}, "train_languages: names none"),
        ({"train": "a", "trained": "b"}, "trained: is a head already"),
        ({"head": {"hidden": -1}}, "head.hidden: -1 is negative"),
    ],
)
def test_settings_are_checked(options: dict, said: str) -> None:
    with pytest.raises(InputError) as error:
        classify_settings(options)
    assert said in str(error.value)


def test_settings_from_plain_values() -> None:
    found = classify_settings(
        {"pairs": "hybrid", "train_languages": ["de", "en"], "head": {"hidden": 8}, "sides": ["query", "query"]}
    )
    assert found == replace(
        ClassifySettings(),
        pairs="hybrid",
        train_languages=("de", "en"),
        head=HeadSettings(hidden=8),
        sides=("query", "query"),
    )


def test_sides(tmp_path: Path) -> None:
    folder, encoder = inference_folder(tmp_path), Hashed()
    evaluate_task(encoder, read_task(folder, format="nli", name="toy", settings=ClassifySettings(head=QUICK)))
    assert {side for side, _ in encoder.asked} == {"passage"}
    encoder = Hashed()
    evaluate_task(
        encoder,
        read_task(folder, format="nli", name="toy", settings=ClassifySettings(head=QUICK, sides=("query", "passage"))),
    )
    assert {(side, "premise" in text) for side, text in encoder.asked} == {("query", True), ("passage", False)}


def test_a_saved_head_says_how_it_was_trained(tmp_path: Path) -> None:
    folder = inference_folder(tmp_path / "xnli")
    evaluate_task(
        Telling(), read_task(folder, format="nli", name="toy", settings=ClassifySettings(pairs="xy"))
    ).head.save(tmp_path / "head")
    facts = load_head(tmp_path / "head").facts
    assert {key: facts[key] for key in ("format", "split", "share", "split_seed", "pairs", "languages")} == {
        "format": "nli",
        "split": "dev",
        "share": 0.5,
        "split_seed": 1,
        "pairs": "xy",
        "languages": ["de", "en", "th"],
    }
    assert (
        sum(facts["label_counts"].values())
        == json.loads((tmp_path / "head" / "head.json").read_text())["facts"]["rows"] // 3
    )
