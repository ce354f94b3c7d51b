"""`triglot init --from MODEL`: a smaller model made of a trained one. Layers are left out, the vocabulary is trimmed,
and what is left is drawn to the vectors of the whole."""

from __future__ import annotations

import logging
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from triglot import outputs
from triglot.benchmark import open_benchmark
from triglot.commands.kept import measure
from triglot.commands.models import load_model, model_folder, paths_of
from triglot.commands.sources import source_path
from triglot.corpus.formats import bitext
from triglot.corpus.formats.passages import read_passages
from triglot.corpus.formats.registry import split_spec
from triglot.corpus.retrieval import RetrievalSet
from triglot.corpus.texts import is_built_in, read_texts
from triglot.encoder.card import Card
from triglot.files import InputError, nearest, write_json
from triglot.names import check_name
from triglot.ranges import Count, Seed, check_ranges
from triglot.recipe import Recipe, digest, recipe_of
from triglot.settings import dump_yaml

log = logging.getLogger("triglot")
STEPS = 300  # where there is something to learn from
KEPT = "kept.json"
_PROBES = 1000  # texts whose vectors are compared
_EVERY_SECOND = "every-second"


@dataclass(frozen=True)
class Cut:
    """What a model is to become.

    Attributes:
        layers: how many, which (`1,3,5`), or `every-second`; empty for all.
        trim: files and folders whose tokens the vocabulary keeps; none for the whole vocabulary. Tokens of `texts` and
            `parallel` are kept as well.
        texts: name -> file of plain texts to learn from.
        parallel: name -> translations to learn from.
        on: name -> benchmark that says what was kept.
        steps: of learning; None for `STEPS` where there is something to learn from.
        held_out: first lines of each of `texts` and `parallel` that are measured on, and not learned from.
        reference: a language of `parallel`; all others are drawn to its vectors as well.
        settings: `key=value` words that change the recipe of the learning.
        seed: of the learning.
    """

    layers: str = ""
    trim: Sequence[str] = ()
    texts: Mapping[str, str] = field(default_factory=dict)
    parallel: Mapping[str, str] = field(default_factory=dict)
    on: Mapping[str, str] = field(default_factory=dict)
    steps: Count | None = None
    held_out: Count = 100
    reference: str = ""
    settings: Sequence[str] = ()
    seed: Seed = 1

    def __post_init__(self) -> None:
        check_ranges(self)

    @property
    def learns(self) -> int:
        """Steps."""
        if self.steps is not None:
            return self.steps
        return STEPS if self.texts or self.parallel else 0


def smaller_model(model: str, out: str | Path, cut: Cut, *, force: bool = False, progress: bool = False) -> list[str]:
    """Make a smaller model and save it, with `kept.json` that says what it keeps of the whole one.

    Stopped while it learns, it goes on from the last checkpoint when it is asked again.

    Args:
        model: a folder, a run folder or a hub name of a transformer.
        out: model folder to write; see `triglot.outputs` for what it may hold.
        cut: what it is to become.
        force: replace what was made of another model.
        progress: show bars.

    Returns:
        lines in plain words: what was cut, and what is kept.

    Raises:
        InputError: nothing to make smaller or to learn from, a model that is no transformer, or data that cannot be
            read.
    """
    _check(cut)
    given = [*cut.trim, *cut.texts.values(), *cut.parallel.values(), *cut.on.values()]
    inputs = [*paths_of(model), *map(source_path, given)]
    with outputs.folder(out, "init", model=model, inputs=inputs, force=force) as place:
        benchmarks, probes = _held_out(cut)
        # After the data were read: torch takes seconds.
        from triglot.encoder.layers import layer_count

        parent = _transformer(model)
        count = layer_count(parent)
        layers = _layers(cut.layers, count) if cut.layers else []
        recipe = _recipe(model, parent, layers, cut)
        steps = _Steps(recipe, outputs.resolve(out, "folder")) if cut.learns else None
        begun, final = _models(recipe, cut, steps, progress)
        final.save(place)
        kept = measure(
            parent,
            begun,
            final if steps else None,
            folder=place,
            whole=model_folder(model),
            texts=probes or _spaced([text for one in benchmarks for text in one.passages.texts]),
            benchmarks=benchmarks,
            facts={"parent": _name(model), "layers": layers or None, "of_layers": count, "steps": cut.learns},
            progress=progress,
        )
        lines = kept.lines()
        final.save(place, card=_card(model, cut, benchmarks, lines))
        write_json(place / KEPT, kept.as_json())
    if steps:
        steps.clear()
    return lines


def _check(cut: Cut) -> None:
    """Raise InputError for wishes that do not go together."""
    if not cut.layers and not cut.trim:
        raise InputError(
            "--from: nothing to make smaller; --layers leaves layers out, --trim keeps the tokens of texts"
        )
    if cut.learns and not (cut.texts or cut.parallel):
        raise InputError(f"--steps: {cut.learns} steps need --texts or --parallel; --steps 0 only cuts")
    if cut.reference and not cut.parallel:
        raise InputError("--reference: goes with --parallel, whose translations are drawn to that language")
    if cut.settings and not cut.learns:
        raise InputError(f"{cut.settings[0]}: is a setting of the learning, and nothing is learned")
    names = [*cut.texts, *cut.parallel, *cut.on]
    if twice := [name for name in names if names.count(name) > 1]:
        raise InputError(f"{twice[0]}: two of --texts, --parallel and --on are called so; give one another name")


def _transformer(model: str) -> Any:
    """The whole model. Raises InputError where it is no plain transformer."""
    from triglot.encoder.transformer import TransformerEncoder

    encoder = load_model(model)
    if not isinstance(encoder, TransformerEncoder):
        what = "was debiased by language; take the model that it was made of"
        if getattr(encoder, "kind", "") == "static":
            what = "is a static encoder, which has no layers and encodes thousands of texts a second"
        raise InputError(f"--from {model}: {what}")
    return encoder


def _layers(asked: str, count: int) -> list[int]:
    """The layers that `--layers` asks for. Raises InputError."""
    from triglot.encoder.layers import chosen_layers, every_second

    if asked == _EVERY_SECOND:
        return every_second(count)
    words = [word.strip() for word in asked.split(",")]
    if not all(word.isdecimal() and len(word) < 10 for word in words):
        hint = nearest(asked, [_EVERY_SECOND], listed=False)
        raise InputError(
            f"--layers: {asked!r} is neither a number, nor layers such as 1,3,5, nor {_EVERY_SECOND}{hint}"
        )
    numbers = [int(word) for word in words]
    try:
        layers = chosen_layers(numbers if len(numbers) > 1 else numbers[0], count) if min(numbers) else []
    except InputError as error:
        raise InputError(f"--layers: {str(error).partition(': ')[2]}") from None
    if not layers:
        raise InputError("--layers: 0 is no layer; they are counted from 1")
    return layers


def _recipe(model: str, parent: Any, layers: Sequence[int], cut: Cut) -> Recipe:
    """How the smaller model is made and learns; `triglot train` would do the same with it."""
    from triglot.document import parse_yaml

    sources: list[dict[str, Any]] = [
        {"format": "bitext", "path": _absolute(_bare(path, "bitext")), "name": name, "options": {"skip": cut.held_out}}
        for name, path in cut.parallel.items()
    ]
    sources += [
        {
            "format": "passages",
            "path": _absolute(_bare(path, "passages")),
            "name": name,
            "options": {"itself": True, "skip": cut.held_out},
        }
        for name, path in cut.texts.items()
    ]
    teacher = {"teacher": model_folder(model)}
    terms: list[dict[str, Any]] = [{"name": "keep", **teacher}]
    if cut.reference:
        terms.append({"name": "distillation", "reference": cut.reference, **teacher})
    encoder: dict[str, Any] = {
        "kind": "pretrained",
        "model": model_folder(model),
        "keep_layers": list(layers) or None,
        "trim": [_spec(one) for one in cut.trim] or False,
        "restore": not cut.trim,
        "query_length": parent.lengths["query"],
        "passage_length": parent.lengths["passage"],
        # What a table says of tokens that the texts lack would no longer fit what is learned of the others.
        "freeze": "embeddings",
    }
    document = {
        "name": "init",
        "seed": cut.seed,
        "encoder": encoder,
        "sources": sources,
        "batches": {
            "kind": "independent",
            "bitext": "itself",
            "size": 32,
            "comparable": False,
            "allow_small": True,
        },
        "loss": {"weight": 0, "terms": terms},
        "train": {
            "steps": cut.learns,
            "lr": 3e-4,
            "warmup": 0.1,
            "clip": 1.0,
            "log_every": 20,
            "checkpoint_every": 50,
        },
    }
    return recipe_of(parse_yaml(dump_yaml(document), "init --from"), cut.settings)


def _bare(spec: str, wanted: str) -> str:
    """The path of `--texts` or `--parallel`. Raises InputError where it is said to be of another format."""
    format, path = split_spec(spec)
    if format not in ("", wanted):
        raise InputError(f"{spec}: is read as {wanted}; leave out {format}")
    return path


def _absolute(path: str) -> str:
    return str(Path(path).expanduser().resolve())


def _spec(spec: str) -> str:
    """A path of `--trim` that does not depend on the current folder."""
    format, path = split_spec(spec)
    if is_built_in(spec):
        return spec
    return f"{format}:{_absolute(path)}" if format else _absolute(path)


class _Steps:
    """The folder of a run beside the output, where what was learned so far is kept until all is done."""

    def __init__(self, recipe: Recipe, out: Path):
        self.folder = out.with_name(f".{out.name}.{digest(recipe)}.steps")
        for other in out.parent.glob(f".{out.name}.????????????.steps"):
            if other != self.folder and (other / "recipe.yaml").is_file():
                log.info("%s: was begun with other settings, and is removed", other)
                shutil.rmtree(other)
        if self.folder.exists():
            log.info("%s: goes on where it stopped", self.folder)

    def clear(self) -> None:
        """Remove it."""
        shutil.rmtree(self.folder, ignore_errors=True)


def _models(recipe: Recipe, cut: Cut, steps: _Steps | None, progress: bool) -> tuple[Any, Any]:
    """The model as it was cut, and as it is after the steps; one model where there are none."""
    from triglot.encoder import init_encoder, load_encoder
    from triglot.encoder.trim import trimmed

    if steps is not None:
        from triglot.study.run import run

        run(recipe, steps.folder, progress=progress)
        return init_encoder(recipe.encoder), load_encoder(steps.folder / "model", name="smaller")
    begun: Any = init_encoder(recipe.encoder)
    if cut.trim:
        kept = {text for spec in cut.trim for text in read_texts(spec)}
        kept |= {text for path in cut.texts.values() for text in read_texts(f"passages:{_bare(path, 'passages')}")}
        kept |= {text for path in cut.parallel.values() for text in read_texts(f"bitext:{_bare(path, 'bitext')}")}
        small = trimmed(begun, sorted(kept))
        log.info("%d of %d tokens are kept, those of %d texts", len(small.kept), small.whole, len(kept))
        begun = small.encoder
    return begun, begun


def _held_out(cut: Cut) -> tuple[list[RetrievalSet], list[str]]:
    """Benchmarks, and texts whose vectors are compared: none of them is learned from."""
    benchmarks, probes = [], []
    for name, path in cut.parallel.items():
        if cut.held_out:
            lines = bitext.read_retrieval(_bare(path, "bitext"), name=name, limit=cut.held_out)
            _check_some_are_left(cut, path, len(np.unique(lines.passages.group)))
            benchmarks.append(lines)
            probes += lines.passages.texts
    for path in cut.texts.values():
        texts = read_passages(_bare(path, "passages"))[1]
        _check_some_are_left(cut, path, len(texts) - 1)
        probes += texts[: cut.held_out]
    for name, path in cut.on.items():
        opened = open_benchmark(path, name=check_name("benchmark", name, "--on"), stream=False, classification=False)
        benchmarks.append(opened.in_memory())
    if not probes and not cut.learns:
        probes = [text for spec in cut.trim for text in read_texts(spec)]
    return benchmarks, _spaced(probes)


def _check_some_are_left(cut: Cut, path: str, lines: int) -> None:
    if cut.learns and lines < cut.held_out:
        raise InputError(
            f"--held-out: the first {cut.held_out} lines are not learned from, and {path} has no others; hold out fewer"
        )


def _spaced(texts: Sequence[str]) -> list[str]:
    """At most `_PROBES` of some texts, evenly spaced."""
    texts = list(dict.fromkeys(texts))
    return [texts[place * len(texts) // _PROBES] for place in range(_PROBES)] if len(texts) > _PROBES else texts


def _name(model: str) -> str:
    """What a model is called where others read it: a hub name, or the name of its folder."""
    return Path(model).resolve().name if Path(model).expanduser().exists() else model


def _card(model: str, cut: Cut, benchmarks: Sequence[RetrievalSet], lines: Sequence[str]) -> Card:
    local = Path(model).expanduser().exists()
    begun = [f"made of the model {_name(model)}, whose own card tells how that was trained"] if local else []
    languages = sorted({code for one in benchmarks if one.name in cut.parallel for code in one.languages})
    sources = dict.fromkeys([*cut.parallel, *cut.texts] if cut.learns else [], "")
    return Card(languages=languages, base="" if local else model, sources=sources, training=[*begun, *lines])
