"""Learned word lists: IBM model 1 against naive loops, blocks, what can be learned from sentences made up here, and
real data."""

from __future__ import annotations

import json
from collections import defaultdict
from pathlib import Path

import numpy as np
import pytest

from triglot import seeds
from triglot.augment import learn as module
from triglot.augment.learn import LearnSettings, learn, segmenter, words_of
from triglot.augment.lists import columns, judge, learn_lists
from triglot.commands.lists import lists_from, verdict_lines
from triglot.corpus.formats.registry import read_training
from triglot.corpus.formats.wordlist import read_lists
from triglot.files import InputError


def sentences(number: int, seed: int, glue: str = " ") -> tuple[list[str], list[str]]:
    """Random sentences of ten words whose translations are known: word `axx` is `bxx`, in another order."""
    rng = seeds.generator(seed, "test sentences")
    names = [f"{chr(97 + i // 26)}{chr(97 + i % 26)}" for i in range(60)]
    sources, targets = [], []
    for _ in range(number):
        chosen = rng.choice(60, rng.integers(3, 9), replace=False, p=np.arange(60, 0, -1) / 1830).tolist()
        sources.append(" ".join(f"s{names[i]}" for i in chosen))
        targets.append(glue.join(f"t{names[i]}" for i in sorted(chosen)))
    return sources, targets


def naive(sources: list[str], targets: list[str], rounds: int) -> dict[tuple[str, str], float]:
    """Dice of expected links, by dictionaries and loops; the same model as the module's."""

    def model(left: list[list[str]], right: list[list[str]]) -> list[dict[tuple[str, str], float]]:
        """Posterior of each link of each sentence, explaining `right` by `left`."""
        options: dict[str, set[str]] = defaultdict(set)
        for a, b in zip(left, right):
            for x in a:
                options[x].update(y for y in b if (x, y) in often)
        table = {(x, y): 1 / len(found) for x, found in options.items() for y in found}
        result: list[dict[tuple[str, str], float]] = []
        for turn in range(rounds):
            mass = [table[x, y] for a, b in zip(left, right) for x in a for y in b if (x, y) in table]
            empty = sum(mass) / len(mass)
            counts: dict[tuple[str, str], float] = defaultdict(float)
            result = []
            for a, b in zip(left, right):
                links = {}
                for y in b:
                    total = sum(table.get((x, y), 0) for x in a) + empty
                    for x in a:
                        if (x, y) in table:
                            links[x, y] = table[x, y] / total
                            counts[x, y] += links[x, y]
                result.append(links)
            if turn < rounds - 1:
                sums: dict[str, float] = defaultdict(float)
                for (x, _), count in counts.items():
                    sums[x] += count
                table = {(x, y): count / sums[x] for (x, y), count in counts.items()}
        return result

    left, right = [s.split() for s in sources], [t.split() for t in targets]
    together: dict[tuple[str, str], int] = defaultdict(int)
    for a, b in zip(left, right):
        for x in a:
            for y in b:
                together[x, y] += 1
    often = {pair for pair, count in together.items() if count >= 2}
    forward = model(left, right)
    often = {(y, x) for x, y in often}
    backward = model(right, left)
    linked: dict[tuple[str, str], float] = defaultdict(float)
    for links, back in zip(forward, backward):
        for (x, y), p in links.items():
            linked[x, y] += p * back[y, x]
    times: dict[str, int] = defaultdict(int)
    for side in (*left, *right):
        for word in side:
            times[word] += 1
    return {(x, y): max(2 * (n - module._DISCOUNT) / (times[x] + times[y]), 0) for (x, y), n in linked.items()}


@pytest.mark.parametrize("at_once", [1, 50, 5_000_000])
def test_scores_are_those_of_naive_loops_in_blocks_of_any_size(at_once: int) -> None:
    sources, targets = sentences(40, seed=1)
    learned = learn(sources, targets, LearnSettings(rounds=4, min_score=0.0, max_translations=99, at_once=at_once))
    expected = naive(sources, targets, 4)
    found = dict(zip(zip(learned.sources, learned.targets), learned.scores, strict=True))
    assert len(found) == len(learned)
    assert found.keys() <= expected.keys()
    for pair, score in expected.items():
        if pair in found:
            assert found[pair] == pytest.approx(score, abs=1e-9)
        elif min(sum(pair[0] in s.split() for s in sources), sum(pair[1] in t.split() for t in targets)) >= 2:
            assert score == pytest.approx(0, abs=1e-9)


def test_a_known_translation_is_found() -> None:
    learned = learn(*sentences(400, seed=2), LearnSettings(max_translations=1))
    right = sum(a[1:] == b[1:] for a, b in zip(learned.sources, learned.targets))
    assert right / len(learned) > 0.95
    assert len(set(learned.sources)) > 50


def test_the_reverse_is_the_list_of_the_other_direction() -> None:
    learned = learn(*sentences(200, seed=3))
    back = learned.reverse()
    assert sorted(zip(back.targets, back.sources, back.scores)) == sorted(
        zip(learned.sources, learned.targets, learned.scores)
    )
    again = back.reverse()
    assert (again.sources, again.targets) == (learned.sources, learned.targets)
    for one in (learned, back):
        places = {word: [i for i, w in enumerate(one.sources) if w == word] for word in set(one.sources)}
        # Entries of a word stand together.
        assert all(rows == list(range(rows[0], rows[-1] + 1)) for rows in places.values())
        assert all((np.diff(one.scores[rows]) <= 0).all() for rows in places.values())  # better ones first


def test_too_much_data_is_sampled_and_counted() -> None:
    sources, targets = sentences(400, seed=4)
    sizes = sum(len(s.split()) ** 2 for s in sources)
    learned = learn(sources, targets, LearnSettings(links=sizes // 3))
    assert learned.sentences + learned.too_many == 400
    assert 90 <= learned.sentences <= 140
    long = learn([*sources, " ".join(sources)], [*targets, "x"], LearnSettings(longest=20))
    assert (long.too_long, long.sentences) == (0, 400)  # its other side has no word that occurs twice
    assert learn([*sources, " ".join(sources)], [*targets, targets[0]], LearnSettings(longest=20)).too_long == 1


def test_words_of_scripts_without_spaces_come_from_the_texts() -> None:
    letters = "กขคงจชซดตถทธนบปผฝพฟมยรลวสหอ"
    rng = seeds.generator(1, "test thai")
    names = ["".join(letters[i] for i in rng.integers(0, len(letters), rng.integers(2, 5))) for _ in range(60)]
    texts = ["".join(names[i] for i in rng.integers(0, 60, 8)) + f"and {'xyz'[n % 3]}" for n in range(600)]
    cut = segmenter(texts)
    assert (
        np.mean(
            [
                cut(text.split("and")[0]).count(name) > 0
                for text in texts
                for name in names
                if name in text.split("and")[0]
            ]
        )
        > 0.6
    )
    assert "".join(cut(names[0] + names[1])) == names[0] + names[1]
    words, of = words_of(texts)
    assert len(set(names) & set(words)) > 50
    assert {"and", "x", "y", "z"} <= set(words)
    parts = [text.split("and") for text in texts]
    assert [set(of[n].tolist()) for n in range(600)] == [
        {words.index(word) for word in (*cut(run), "and", last.strip()) if word in words} for run, last in parts
    ]
    assert segmenter(["กขค งจ"])("กขค") == ["ก", "ข", "ค"]  # too little for a model


def test_a_list_against_a_known_one() -> None:
    learned = learn(
        ["one two", "two one", "one three", "three two"] * 3,
        ["eins zwei", "zwei eins", "eins drei", "drei zwei"] * 3,
        LearnSettings(max_translations=1, min_score=0.0, rounds=20),
    )
    assert dict(zip(learned.sources, learned.targets)) == {"one": "eins", "two": "zwei", "three": "drei"}
    verdict = judge(learned, ["One", "two", "four"], ["EINS", "falsch", "vier"])
    assert (verdict.entries, verdict.known, verdict.precision, verdict.first, verdict.words, verdict.recall) == (
        3,
        2,
        0.5,
        0.5,
        2,
        0.5,
    )


def test_lists_are_written_as_their_reader_reads_them(tmp_path: Path) -> None:
    folder = tmp_path / "bitext"
    folder.mkdir()
    sources, targets = sentences(200, seed=5)
    for code, column in (("en", sources), ("xx", targets), ("yy", targets)):
        (folder / f"{code}.txt").write_text("\n".join(column) + "\n", encoding="utf-8")
    assert lists_from([f"bitext={folder}"], tmp_path / "lists", LearnSettings()) == {}
    lists, _ = read_lists(tmp_path / "lists")
    assert sorted(lists) == [("en", "xx"), ("en", "yy"), ("xx", "en"), ("yy", "en")]
    assert sorted(zip(*lists["en", "xx"])) == sorted((b, a) for a, b in zip(*lists["xx", "en"]))
    told = json.loads((tmp_path / "lists" / "scores.json").read_text("utf-8"))
    assert told["en-xx"]["entries"] == len(lists["en", "xx"][0])
    verdicts = lists_from([str(folder)], None, LearnSettings(), against=str(tmp_path / "lists"), languages=["xx"])
    assert [(pair, one.precision, one.first) for pair, one in verdicts.items()] == [
        (("en", "xx"), 1, 1),
        (("xx", "en"), 1, 1),
    ]
    assert verdict_lines(verdicts)[1].split()[:2] == ["en-xx", str(told["en-xx"]["entries"])]


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"min_score": 1.5}, r"min_score: 1\.5 is not between 0 and 1"),
        ({"rounds": 0}, "rounds: 0 is below 1"),
        ({"max_translations": 0}, "max_translations: 0"),
    ],
)
def test_bad_settings(settings: dict[str, float], message: str) -> None:
    with pytest.raises(InputError, match=message):
        LearnSettings(**settings)  # type: ignore[arg-type]


def test_bad_data(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="2 sentences and 1 translations"):
        learn(["a", "b"], ["c"])
    with pytest.raises(InputError, match="nothing can be learned"):
        learn(["one two", "three"], ["a b", "c"])
    (tmp_path / "de-fr.tsv").write_text("eins\tun\nzwei\tdeux\n", encoding="utf-8")
    with pytest.raises(InputError, match="no text in 'en'"):
        lists_from([str(tmp_path)], None, LearnSettings())
    with pytest.raises(InputError, match="no text in 'dee'; did you mean 'de'"):
        lists_from([str(tmp_path)], None, LearnSettings(), pivot="fr", languages=["dee"])
    with pytest.raises(InputError, match="fr-de: no two words"):
        lists_from([str(tmp_path)], None, LearnSettings(), pivot="fr")


@pytest.mark.slow
def test_half_of_what_ntrex_teaches_is_in_muse(data: Path) -> None:
    corpus, _ = read_training(data / "ntrex", format="bitext", languages=["en", "es", "th"])
    learned = learn_lists(columns([corpus], pivot="en"))
    muse, _ = read_lists(data / "muse", languages=["en", "es", "th"])
    spanish, thai = (judge(learned[code, "en"], *muse[code, "en"]) for code in ("es", "th"))
    assert spanish.precision > 0.8
    assert spanish.recall > 0.4
    assert thai.precision > 0.6
    assert thai.known > 400


def test_nothing_sure_enough_is_an_error_and_no_empty_list() -> None:
    sources = ["the cat sat down", "the dog ran home", "the cat ran home", "the dog sat down"]
    targets = ["die katze sass da", "der hund lief heim", "die katze lief heim", "der hund sass da"]
    with pytest.raises(
        InputError,
        match=r"no entry is as sure as 0.9, the surest of \d+ is [0-9.]+; a lower score, or more translations",
    ):
        learn(sources, targets, LearnSettings(min_score=0.9))
