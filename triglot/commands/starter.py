"""`triglot init-recipe`: a recipe for one's own data, with settings that suit the kind of model; and the same without a
file, for `triglot train DATA --model MODEL`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from triglot.batches import BatchSettings, plan_run, rows_of
from triglot.commands.models import model_folder
from triglot.commands.sources import read_source
from triglot.corpus.formats.registry import FORMATS, locate, split_spec
from triglot.corpus.parallel import ParallelCorpus
from triglot.document import parse_yaml
from triglot.encoder.static import is_static
from triglot.files import InputError
from triglot.names import check_name
from triglot.recipe import Recipe, recipe_of
from triglot.settings import dump_yaml

FRESH = ("static", "transformer")


@dataclass(frozen=True)
class _Kind:
    """What suits a kind of model.

    Attributes:
        title: for people.
        size: rows a batch.
        passes: over the pairs.
        least, most: steps.
        train: further settings of training: key -> (value, what it is).
    """

    title: str
    size: int
    passes: int
    least: int
    most: int
    train: Mapping[str, tuple[object, str]]


_LR = "half of it where the loss jumps, twice where it stays"
KINDS = {
    "static": _Kind("a static model, from nothing", 256, 40, 300, 3000, {"lr": (0.05, _LR)}),
    "transformer": _Kind(
        "a small transformer, from nothing", 128, 30, 500, 5000, {"lr": (5e-4, _LR), "warmup": (0.1, "of the steps")}
    ),
    "pretrained static": _Kind("a trained static model", 256, 20, 100, 2000, {"lr": (0.02, _LR)}),
    "pretrained": _Kind(
        "a trained transformer",
        32,
        3,
        50,
        2000,
        {
            "lr": (2e-5, _LR),
            "warmup": (0.1, "of the steps"),
            "clip": (1.0, "largest length of a gradient"),
            "chunk": (32, "texts at once: saves memory, costs some time"),
        },
    ),
}


def kind_of(model: str) -> str:
    """The kind of a MODEL; one on the hub is taken for a transformer, unless its name says otherwise.

    Raises InputError where a path leads to no model.
    """
    if model in FRESH:
        return model
    try:
        folder = Path(model_folder(model)).expanduser()
    except InputError as error:
        raise InputError(f"--model {error}") from None
    if folder.is_dir():
        return "pretrained static" if is_static(folder) else "pretrained"
    if folder.exists() or model.startswith((".", "~", "/")) or model.count("/") > 1:
        raise InputError(f"--model {model}: no such model folder; {' and '.join(FRESH)} start from nothing")
    return "pretrained static" if any(word in model.lower() for word in ("static", "potion")) else "pretrained"


def recipe_text(data: str, model: str, *, on: Mapping[str, str] | None = None, command: str = "") -> str:
    """A recipe as YAML with comments.

    Args:
        data: a description, a prepared folder, or any training data, also as `FORMAT:PATH`.
        model: a folder, a name on the hub, or `static` or `transformer` for a fresh one.
        on: name -> path of further benchmarks.
        command: that makes it, for the first line.

    Raises:
        InputError: the data cannot be read or hold no pairs, or there is no such model.
    """
    kind, found = kind_of(model), locate(data)
    corpus = read_source(data)
    if not len(corpus):
        raise InputError(f"{data}: has no pairs to train on")
    row, path = FORMATS[found.format], split_spec(data)[1]
    suits = KINDS[kind]
    size = _size(corpus, suits.size)
    steps = min(max(suits.passes * len(corpus) // size, suits.least), suits.most)
    name = check_name("benchmark", Path(path).resolve().name.partition(".")[0] or "data", data)
    place = {} if row.built_in else {"path": path}
    benchmarks = [{"name": name, "format": row.name, **place}] if row.retrieval and on is None else []
    benchmarks += [
        {"name": one, "format": locate(where).format, "path": split_spec(where)[1]} for one, where in (on or {}).items()
    ]
    lines = [f"# {command}"] if command else []
    lines += [
        f"# For {suits.title}, on {len(corpus):,} pairs. All keys: docs/recipe-keys.md",
        "#   triglot train recipe.yaml --dry-run      what it reads, and what it costs",
        "#   triglot train recipe.yaml --out runs/new",
        "data: .  # folder that the paths below are relative to",
        _line("languages", list(corpus.languages), "only these are read", 0),
        "encoder:",
        *_encoder(kind, model),
        "sources:",
        f"  - {_flow({'format': row.name, **place})}",
        "batches:",
        _line("kind", "hybrid", "xx: in one language; xy: in two; hybrid: both"),
        _line("alpha", 0.5, "share of the batches in one language"),
        _line("size", size, "rows a batch; more is better as long as it fits"),
        _line("comparable", False, "every pair that a kind of batch can use"),
        "loss:",
        _line("temperature", 0.05, "lower: only the hardest negatives count"),
        "train:",
        _line("steps", steps, f"{steps * size / len(corpus):.0f} times through the pairs"),
        *(_line(key, value, what) for key, (value, what) in suits.train.items()),
        *(["evaluate:"] if benchmarks else ["# No benchmark: --on NAME=PATH, or an entry such as", "# evaluate:"]),
        *(f"  - {_flow(one)}" for one in benchmarks),
        *([] if benchmarks else ["#   - {name: test, format: beir, path: test}"]),
        "seed: 1",
    ]
    return "\n".join(lines) + "\n"


def _flow(value: Mapping[str, object]) -> str:
    """A mapping on one line."""
    return "{" + ", ".join(dump_yaml({key: one}).strip() for key, one in value.items()) + "}"


def _line(key: str, value: object, what: str, indent: int = 2) -> str:
    return f"{' ' * indent}{dump_yaml({key: value}).strip():<24}  # {what}"


def _encoder(kind: str, model: str) -> list[str]:
    if kind in FRESH:
        lines = [_line("kind", kind, "starts from nothing")]
        lines += [_line("dim", 256, "dimensions of a vector"), _line("vocab", 32768, "tokens")]
        return lines
    lines = [_line("kind", "pretrained", ""), _line("model", model_folder(model), "")]
    lines = [line.removesuffix("  # ").rstrip() for line in lines]
    if kind == "pretrained":
        lines.append(_line("query_length", 64, "tokens kept of a question"))
        lines.append(_line("passage_length", 256, "and of an article: half of it costs half the time"))
    return lines


def _size(corpus: ParallelCorpus, most: int) -> int:
    """The largest batch, from the one that suits a model downwards, that the pairs fill."""
    size, rows = most, rows_of(corpus)
    while size > 8:
        try:
            plan_run(rows, BatchSettings(size=size, comparable=False), steps=1, seed=1)
        except InputError:
            size //= 2
            continue
        if 4 * size <= len(rows):
            break
        size //= 2
    return size


def is_data(word: str) -> bool:
    """Whether the RECIPE of a command is data instead: a description of tables, a folder, or a file that is no YAML."""
    path = Path(split_spec(word)[1]).expanduser()
    if path.suffix in (".yaml", ".yml") and path.is_file():
        from triglot.document import read_yaml

        return "articles" in read_yaml(path).value
    return path.exists()


def starter(data: str, model: str, overrides: Sequence[str] = (), on: Mapping[str, str] | None = None) -> Recipe:
    """The recipe for data without a file. Arguments and errors as `recipe_text` and `triglot.recipe.load_recipe`."""
    if not model:
        raise InputError(
            f"{data}: is data; --model says what to train: a folder, a name on the hub, or {' or '.join(FRESH)}"
        )
    _check_words(model, overrides)
    document = parse_yaml(recipe_text(data, model, on=on), f"recipe for {data}")
    document.value["name"] = Path(split_spec(data)[1]).resolve().name.partition(".")[0] or "data"
    return recipe_of(document, overrides)


def _check_words(model: str, overrides: Sequence[str]) -> None:
    """Raise InputError for settings that are wrong whatever the data, before these are read."""
    own = [word for word in overrides if not word.startswith(("sources", "evaluate", "validation"))]
    if own:
        recipe_of(parse_yaml("\n".join(["encoder:", *_encoder(kind_of(model), model)]), "recipe"), own)
