"""What a MODEL of the command line is."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from triglot.encoder.computing import USUAL, Computing
from triglot.encoder.vector_cache import OFF, attach, place
from triglot.files import InputError, check_choice

BM25, TRANSLATED = "bm25", "bm25-translated"


def retriever(
    model: str,
    *,
    names: Sequence[str] = (),
    lists: str = "",
    similarity: str = "",
    progress: bool = False,
    cache: str = OFF,
    computing: Computing = USUAL,
) -> Any:
    """A MODEL for `triglot.evaluate.retrievers.evaluate`.

    Args:
        model: a model folder, a run folder, a hub name, `bm25`, `bm25-translated`, a TREC run (a file, or a folder with
            `NAME.run.gz` for each benchmark), or embeddings made elsewhere (a folder or `Q.npy,P.npy`, see
            `triglot.corpus.formats.vectors`).
        names: of the benchmarks.
        lists: folder of word lists for `bm25-translated`.
        similarity: of embeddings made elsewhere, `dot` or `cosine`; empty for their default. A model compares as its
            folder says.
        progress: show bars.
        cache: of the vectors of a model, see `load_model`.
        computing: how a model computes; does not go with anything else.

    Raises:
        InputError: it is none of these, or cannot be loaded.
    """
    from triglot.evaluate.retrievers import SIMILARITIES, Dense, Vectors

    if similarity:
        check_choice("similarity", similarity, SIMILARITIES)
    found = _retriever(
        model, names, lists, lambda: Dense(load_model(model, cache=cache, computing=computing), progress)
    )
    if not isinstance(found, Dense):
        computing.refused(model)
    if similarity and not isinstance(found, Vectors):
        raise InputError(f"similarity: goes with embeddings made elsewhere; {model} says itself how it compares")
    return replace(found, similarity=similarity) if similarity else found


def _retriever(model: str, names: Sequence[str], lists: str, dense: Callable[[], Any]) -> Any:
    from triglot.corpus.formats import vectors
    from triglot.evaluate.retrievers import Bm25, RunFile, Vectors, run_files, run_name

    if model == BM25:
        return Bm25()
    if model == TRANSLATED:
        from triglot.corpus.formats.wordlist import read_lists

        if not lists:
            raise InputError("bm25-translated needs --lists, a folder of word lists")
        return Bm25(lambda codes: read_lists(lists, languages=codes, both=True)[0])
    path = Path(model)
    if vectors.is_pair(model):
        if len(names) > 1:
            raise InputError(
                f"{model}: one pair of files, but {len(names)} benchmarks; use a folder with a sub-folder for each"
            )
        return Vectors(model)
    if path.is_file():
        if run_name(path) is None:
            raise InputError(f"{path}: a run file ends in .run, .trec, .tsv or .txt (and .gz); a model is a folder")
        if len(names) > 1:
            raise InputError(f"{path}: one run, but {len(names)} benchmarks; use a folder with NAME.run.gz for each")
        return RunFile(path)
    if path.is_dir() and not any((folder / "modules.json").is_file() for folder in (path, path / "model")):
        if vectors.holds_pair(path) or any(vectors.holds_pair(folder) for folder in path.glob("*")):
            return Vectors(model)
        if any(vectors.holds_pair(folder) for folder in path.glob("*/*")):
            return Vectors(model)
        if not (path / "config.json").is_file() and run_files(path):
            return RunFile(path)
    return dense()


def paths_of(model: str) -> list[str]:
    """The paths that a MODEL may stand for, to be kept from being written over."""
    return [model, str(Path(model) / "model"), *model.split(",")]


def load_model(model: str, *, cache: str = OFF, computing: Computing = USUAL) -> Any:
    """An encoder from a model folder, a run folder (its `model/`) or a hub name.

    Args:
        model: which one.
        cache: where its vectors are kept, for a command that uses the model as it is: a folder, "" for the user's
            cache, `off` for none.
        computing: on which device it computes, in which precision, and so on.

    Raises:
        InputError: there is no such model, or it cannot compute so.
    """
    from triglot.encoder import load_encoder

    name = Path(model).resolve().name if Path(model).exists() else model
    encoder = load_encoder(model_folder(model), name=name, computing=computing)
    attach(encoder, place(cache))
    return encoder


def model_folder(model: str) -> str:
    """The model folder of a run folder, or of a study or an arm that has one alone; anything else as it is.

    Raises:
        InputError: a study, an arm or a folder of runs with several models, which are listed; or a folder without any.
    """
    folder = Path(model)
    if not folder.is_dir() or any((folder / name).is_file() for name in ("modules.json", "config.json")):
        return model
    found: list[Path] = []
    for below in ("model", "seed-*/model", "arms/*/seed-*/model", "*/model", "*"):
        found = found or sorted(path.parent for path in folder.glob(f"{below}/modules.json"))
    if len(found) > 1:
        listed = "".join(f"\n  {path.parent if path.name == 'model' else path}" for path in found)
        raise InputError(f"{model}: is no model but {len(found)} of them; name one:{listed}")
    if not found:
        raise InputError(f"{model}: is no model (it has neither modules.json nor config.json)")
    return str(found[0])


def load_cross_encoder(folder: str, computing: Computing = USUAL) -> Callable[[str, Sequence[str]], Any]:
    """A cross-encoder as a function of a question and passages.

    Raises InputError where the folder holds none, see `triglot.encoder.reranker.load_reranker`.
    """
    from triglot.encoder.reranker import load_reranker

    return load_reranker(folder, computing=Computing(device=computing.device, batch_size=computing.batch_size))


def lasting(model: str) -> str:
    """A model's name that holds in any folder."""
    return str(Path(model).resolve()) if Path(model).exists() else model
