from __future__ import annotations

from pathlib import Path

import pytest

from tools import keys
from triglot import recipes
from triglot.batches import BatchSettings
from triglot.document import parse_yaml
from triglot.files import InputError
from triglot.recipe import Source, alignment_recipe, arm_recipe, digest, load_recipe, parse_recipe, to_yaml
from triglot.settings import plain

TEXT = """# triglot train x
# A recipe for tests.
data: here
languages: [de, en]
alignment:
  sources: [{format: bitext, path: pairs}]
  batches: {kind: xy, comparable: false}
sources:
  - {format: squad, path: qa, codeswitch: {lists: muse}}
batches: {kind: hybrid, size: 8}
train: {steps: 10}
evaluate: [{name: test, format: squad, path: test}]
arms:
  x-x: {batches.kind: xx}
  fresh: {batches.kind: xy, alignment: null, train.lr: 0.1}
seeds: [1, 2]
"""


@pytest.fixture
def path(tmp_path: Path) -> Path:
    file = tmp_path / "mine.yaml"
    file.write_text(TEXT, encoding="utf-8")
    return file


def test_a_recipe_is_read_and_named_after_its_file(path: Path) -> None:
    recipe = load_recipe(str(path))
    assert recipe.name == "mine"
    assert recipe.sources == (Source("squad", "qa", codeswitch=recipe.sources[0].codeswitch),)
    assert recipe.sources[0].label == "qa"
    assert recipe.alignment is not None
    assert recipe.alignment.batches.kind == "xy"
    assert recipe.alignment.batches.size == BatchSettings().size  # the alignment's settings are its own


def test_the_command_line_replaces_settings(path: Path) -> None:
    words = [
        "batches.kind=xy",
        "batches.alpha=4e-1",
        "sources.0.weight=2",
        "languages=[en, de, no]",
        "train.steps=20",
        "alignment=null",
        "seed=7",
    ]
    recipe = load_recipe(str(path), words)
    assert (recipe.batches.kind, recipe.batches.alpha, recipe.sources[0].weight) == ("xy", 0.4, 2.0)
    assert recipe.languages == ("en", "de", "no")
    assert (recipe.train.steps, recipe.alignment, recipe.seed) == (20, None, 7)
    assert recipe.batches.size == 8


@pytest.mark.parametrize(
    ("word", "message"),
    [
        ("seeed=1", "command line: seeed: no such setting; did you mean 'seed'?"),
        ("batches.knid=xx", "command line: batches.knid: no such setting; did you mean 'kind'?"),
        ("lr=1", "command line: lr: no such setting; did you mean 'train.lr'?"),
        (
            "temprature=1",
            "command line: temprature: no such setting; did you mean 'batches.temperature' or 'loss.temperature'?",
        ),
        ("steps=1", "command line: steps: no such setting; did you mean 'robust.steps' or 'train.steps'?"),
        ("arms.x-x.lr=1", "command line: arms.x-x: lr: no such setting; did you mean 'train.lr'?"),
        ("alignment.batches.knid=xx", "command line: alignment.batches.knid: no such setting; did you mean 'kind'?"),
        ("alignment.train.step=1", "command line: alignment.train.step: no such setting; did you mean 'steps'?"),
        ("encoder.vocabulary=1", "command line: encoder.vocabulary: no such setting; did you mean 'vocab'?"),
        ("loss.temprature=1", "command line: loss.temprature: no such setting; did you mean 'temperature'?"),
        (
            "sources.0.codeswitch.list=1",
            "command line: sources.0.codeswitch.list: no such setting; did you mean 'lists'?",
        ),
        ("evaluate.0.nmae=x", "command line: evaluate.0.nmae: no such setting; did you mean 'name'?"),
        ("sources.1.weight=2", "command line: sources.1: the list has the entries 0 to 0"),
        ("batches.kind=hybird", "command line: batches.kind: 'hybird' "),
        ("sources.0.format=squda", "command line: sources.0.format: 'squda' is not one of"),
        ("train.steps=-1", "command line: train.steps: -1 is negative"),
        ("loss.temperature=0", "command line: loss.temperature: 0.0 is not a positive number"),
        ("sources.0.weight=0", "command line: sources.0.weight: 0.0 is not a positive number"),
        ("sources.0.codeswitch.p=2", "command line: sources.0.codeswitch.p: 2.0 is not between 0 and 1"),
        ("sources=[{format: squad}]", "command line: sources.0.path: is missing"),
        ("evaluate.0.name=a/b", "command line: evaluate.0.name: 'a/b' has other characters"),
        ("arms.x-x.batches.knid=xx", "command line: arms.x-x: batches.knid: no such setting; did you mean 'kind'?"),
        ("arms.x-x.seed=3", "command line: arms.x-x.seed: is the same for all arms"),
        (
            "arms.x-x.alignment.train.steps=3",
            "command line: arms.x-x.alignment.train.steps: the alignment is shared by all arms",
        ),
        ("arms.alignment={}", "command line: arms.alignment: is the name of the first stage"),
        ("reference=x-z", "command line: reference: no arm 'x-z'"),
        (
            "baselines=[bm52]",
            "command line: baselines.0: 'bm52' is unknown",
        ),
        ("baselines=[bm25-translated]", "command line: lists: is missing"),
        (
            "attacks=[{kinds: [insert]}, {kinds: [insert], seed: 2}]",
            "command line: attacks: two attacks are called 'insert-0.2'; give one of them a `name`",
        ),
        ("encoding.name=iso", "command line: encoding.name: iso needs the layers of a transformer"),
        ("arms.x-x.encoding.name=aoc", "command line: arms.x-x: encoding.name: aoc needs the layers of a transformer"),
        ("train", "command line: 'train' is not key=value"),
    ],
)
def test_misspelt_keys_and_wrong_values_are_named(path: Path, word: str, message: str) -> None:
    with pytest.raises(InputError) as caught:
        load_recipe(str(path), [word])
    assert str(caught.value).splitlines()[0].startswith(message)


def test_what_a_word_breaks_elsewhere_is_laid_to_the_command_line(path: Path) -> None:
    """Without the word the file is well; with a fault of its own, the file's line is named."""
    with pytest.raises(InputError, match=r"^command line: lists: is missing"):
        load_recipe(str(path), ["baselines=[bm25-translated]"])
    path.write_text(TEXT.replace("batches: {kind: hybrid", "batches: {knid: hybrid"), encoding="utf-8")
    with pytest.raises(InputError, match=r"mine\.yaml:10: batches\.knid"):
        load_recipe(str(path), ["seed=2"])


def test_a_misspelt_key_in_the_file_has_its_line(path: Path) -> None:
    path.write_text(TEXT.replace("batches: {kind: hybrid", "batches: {knid: hybrid"), encoding="utf-8")
    with pytest.raises(InputError, match=r"mine\.yaml:10: batches\.knid: no such setting; did you mean 'kind'\?"):
        load_recipe(str(path))
    path.write_text(TEXT.replace("fresh: {batches.kind: xy", "fresh: {batches.kind: xz"), encoding="utf-8")
    with pytest.raises(InputError, match=r"mine\.yaml:15: arms\.fresh: batches\.kind: 'xz'"):
        load_recipe(str(path))


def test_an_arm_differs_in_what_it_names_alone(path: Path) -> None:
    recipe = load_recipe(str(path))
    one, fresh = arm_recipe(recipe, "x-x", 2), arm_recipe(recipe, "fresh", 2)
    assert (one.batches.kind, one.seed, one.seeds, dict(one.arms)) == ("xx", 2, (2,), {})
    assert one.alignment == recipe.alignment
    assert fresh.alignment is None
    same = {key for key, value in plain(one).items() if plain(fresh)[key] == value}
    assert set(plain(one)) - same == {"alignment", "batches", "train"}
    with pytest.raises(InputError, match="no arm 'frsh'; did you mean 'fresh'"):
        arm_recipe(recipe, "frsh", 1)


def test_the_alignment_does_not_depend_on_the_fine_tuning(path: Path) -> None:
    a, b = load_recipe(str(path)), load_recipe(str(path), ["batches.size=16", "train.steps=99", "loss.temperature=0.1"])
    assert digest(alignment_recipe(a, 1)) == digest(alignment_recipe(b, 1))
    assert digest(alignment_recipe(a, 1)) != digest(alignment_recipe(a, 2))


def test_the_digest_knows_settings_and_not_the_place_of_the_data(path: Path) -> None:
    recipe = load_recipe(str(path))
    assert digest(recipe) == digest(load_recipe(str(path), ["data=elsewhere"]))
    assert digest(recipe) != digest(load_recipe(str(path), ["train.lr=0.2"]))


def test_resolved_settings_are_read_back_the_same(path: Path) -> None:
    recipe = load_recipe(str(path))
    assert parse_recipe(parse_yaml(to_yaml(recipe), "resolved")) == recipe


@pytest.mark.parametrize("name", recipes.names())
def test_shipped_recipes_are_whole(name: str) -> None:
    text = recipes.find(name).read_text(encoding="utf-8")
    assert text.startswith(("# triglot study ", "# triglot demo"))
    assert name in text.splitlines()[0]
    assert recipes.summary(recipes.find(name)).endswith(".")
    recipe = load_recipe(name)
    assert recipe.name == name
    assert len(recipe.arms) >= 3
    assert parse_recipe(parse_yaml(to_yaml(recipe), "resolved")) == recipe


def test_the_recipes_of_the_issue_are_there() -> None:
    assert set(recipes.names()) >= {
        "demo",
        "xquad-r-cpu",
        "mlqa-cpu",
        "unseen-el-vi",
        "xlm-r",
        "labse",
        "e5-small-cpu",
        "e5-small-quick",
    }


def test_unseen_languages_are_in_no_source() -> None:
    recipe = load_recipe("unseen-el-vi")
    sources = [*recipe.sources, *(recipe.alignment.sources if recipe.alignment else ())]
    assert not {"el", "vi"} & set(recipe.languages)
    assert all(source.languages is None or not {"el", "vi"} & set(source.languages) for source in sources)
    assert {"el", "vi"} <= set(recipe.evaluate[0].languages or ())


def test_strict_recipe_has_nothing_of_xquad_or_mlqa() -> None:
    recipe = load_recipe("xquad-r-cpu")
    assert recipe.alignment is not None
    paths = {source.path for source in (*recipe.sources, *recipe.alignment.sources)}
    assert paths <= {"squad-train", "bitext", "muse"}


def test_names_and_paths(path: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no recipe 'dmo'; did you mean 'demo'"):
        load_recipe("dmo")
    with pytest.raises(InputError, match=r"no such recipe; did you mean 'mine\.yaml'"):
        load_recipe(str(tmp_path / "mime.yaml"))
    copied = recipes.copy("demo", tmp_path)
    assert copied == tmp_path / "demo.yaml"
    assert load_recipe(str(copied)) == load_recipe("demo")
    with pytest.raises(InputError, match="already there"):
        recipes.copy("demo", tmp_path)


def test_the_margin_is_fixed_for_all_arms_and_stays_in_the_run(path: Path) -> None:
    assert load_recipe(str(path)).margin == 0.005
    recipe = load_recipe(str(path), ["margin=0.01"])
    assert arm_recipe(recipe, "fresh", 1).margin == alignment_recipe(recipe, 1).margin == 0.01
    with pytest.raises(InputError, match=r"arms\.x-x\.margin: is the same for all arms"):
        load_recipe(str(path), ["arms.x-x.margin=0.01"])
    with pytest.raises(InputError, match=r"margin: 5\.0 is not between 0 and 1; half a point is 0\.005"):
        load_recipe(str(path), ["margin=5"])


def test_a_licence_does_not_go_over_to_other_data() -> None:
    first = load_recipe("xquad-r-cpu").sources[0]
    assert first.licence
    assert load_recipe("xquad-r-cpu", ["sources.0.path=mine.jsonl"]).sources[0].licence == ""
    assert load_recipe("xquad-r-cpu", ["sources.0.weight=2"]).sources[0].licence == first.licence
    for words in (["sources.0.licence=CC0", "sources.0.path=mine"], ["sources.0.path=mine", "sources.0.licence=CC0"]):
        assert load_recipe("xquad-r-cpu", words).sources[0].licence == "CC0"
    assert load_recipe("xquad-r-cpu", ["evaluate.0.path=mine"]).evaluate[0].licence == ""


def test_a_study_of_more_runs_than_would_end_and_a_subset_given_twice_are_refused(tmp_path: Path) -> None:
    arms = "arms: {" + ", ".join(f"a{number}: {{}}" for number in range(100)) + "}\n"
    text = f"sources: [{{format: atlas}}]\n{arms}seeds: {list(range(1000))}\n"
    with pytest.raises(InputError, match="100 arms with 1,000 seeds each: 100000 is too large"):
        parse_recipe(parse_yaml(text, "r.yaml"))
    one = "{name: one, format: atlas, subsets: [[de, EN], [en, de]]}"
    with pytest.raises(InputError, match=r"de\+en is given twice"):
        parse_recipe(parse_yaml(f"sources: [{{format: atlas}}]\nevaluate: [{one}]\n", "r.yaml"))


OLD = """alignment:
  anchor: 0.5
  sources: [{format: wordlist, path: muse, unit: sentence}]
  batches: {languages: size}
sources:
  - {format: squad, path: qa, unit: sentence}
train: {negatives: 1}
refresh: {every: 5, languages: balanced}
robust: {language: {weight: 0.1}}
arms:
  one: {batches.languages: temperature, robust.language.weight: 0.2}
  two: {robust.language: {weight: 0.3}, sources.0.unit: paragraph}
"""


def test_keys_of_the_version_before_are_read_and_named_as_they_are_called_now(caplog: pytest.LogCaptureFixture) -> None:
    new = (
        OLD.replace("anchor", "lexicon_init")
        .replace("unit", "candidate_text")
        .replace("robust.language", "robust.language_adversary")
    )
    new = new.replace("batches.languages", "batches.language_sampling").replace(
        "{languages: size", "{language_sampling: size"
    )
    new = new.replace("languages: balanced", "negative_languages: balanced").replace(
        "{language: {", "{language_adversary: {"
    )
    recipe = parse_recipe(parse_yaml(OLD, "old.yaml"))
    assert "old.yaml:2: alignment.anchor is called alignment.lexicon_init now" in caplog.text
    assert "old.yaml:12: arms.two.sources.0.unit is called arms.two.sources.0.candidate_text now" in caplog.text
    caplog.clear()
    assert recipe == parse_recipe(parse_yaml(new, "new.yaml"))
    assert caplog.text == ""
    assert (recipe.alignment or recipe).lexicon_init == 0.5
    assert arm_recipe(recipe, "one", 1).batches.language_sampling == "temperature"
    assert arm_recipe(recipe, "two", 1).robust.language_adversary.weight == 0.3


def test_an_old_key_of_the_command_line_is_read(path: Path, caplog: pytest.LogCaptureFixture) -> None:
    assert load_recipe(str(path), ["batches.languages=size"]).batches.language_sampling == "size"
    assert "command line: batches.languages is called batches.language_sampling now" in caplog.text


def test_other_data_of_an_arm_have_no_licence_of_the_recipe(path: Path) -> None:
    words = ["sources.0.licence=CC0", "arms.x-x={sources.0.path: elsewhere}", "arms.fresh={sources.0.weight: 2}"]
    recipe = load_recipe(str(path), words)
    assert arm_recipe(recipe, "x-x", 1).sources[0].licence == ""
    assert arm_recipe(recipe, "fresh", 1).sources[0].licence == "CC0"


def test_the_table_of_keys_is_made_of_the_dataclasses() -> None:
    page = keys.PAGE.read_text("utf-8")
    assert keys.placed(page) == page, "python -m tools.keys --write"
    assert all(meaning and what for _, what, _, meaning in keys.rows())
