"""`triglot index`: passages of a file made an index, added to one, deleted from one; groups proposed and accepted."""

from __future__ import annotations

import json
import logging
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from triglot import outputs
from triglot.commands.models import lasting, load_model, model_folder, paths_of
from triglot.debias.methods import METHODS
from triglot.encoder.computing import USUAL, Computing
from triglot.encoder.languages import Removal, detect_missing
from triglot.encoder.probe import probe
from triglot.encoder.protocol import inner_of, similarity_of
from triglot.files import InputError, check_choice, nearest, read_jsonl, read_lines
from triglot.index.documents import Documents
from triglot.index.manifest import claim
from triglot.index.places import address_of, create_index, open_index
from triglot.index.protocol import Index
from triglot.index.settings import IndexSettings
from triglot.language_tags import wanted

if TYPE_CHECKING:
    from triglot.shards.folder import Block

log = logging.getLogger("triglot")
_PORTION = 1 << 20  # passages of shards that are in memory at once, and a segment of an index in a folder


def make_index(
    model: str,
    passages: str,
    out: str | Path,
    settings: IndexSettings,
    *,
    languages: Sequence[str] = (),
    debias: str = "",
    add: bool = False,
    cache: str = "off",
    computing: Computing = USUAL,
    force: bool = False,
    progress: bool = False,
) -> Index:
    """Encode the passages of a file and put them into an index.

    Args:
        model: of the passages.
        passages: a file, see `triglot.corpus.formats.records`; or a folder that `triglot encode` wrote, whose vectors
            are taken as they are.
        out: folder of the index, or an address of a vector database.
        settings: how it is built.
        languages: among which the language of texts that name none is told; none for all that can be told.
        debias: a method that is fitted on the passages themselves, where the model has no step of its own.
        add: to the index that is there, in place of passages with the same ids.
        cache: of the model's vectors.
        computing: on which device, and so on.
        force: replace the index of another model.
        progress: show bars.

    Raises:
        InputError: the file or the model cannot be read, the place is taken, or the model is not that of the index.
    """
    # what would be refused in the end is refused before the model is loaded, or at least before it is asked
    inputs = [*paths_of(model), passages]
    if address_of(out) is None and not add:
        claim(out, lasting(model), inputs, force=force)
    if debias and add:
        raise InputError("--debias: belongs to the making of an index; what is added is treated as the index says")
    if debias:
        _check_method(debias)
    encoder = load_model(model, cache=cache, computing=computing)
    inner, removal = inner_of(encoder), getattr(encoder, "removal", None)
    if debias and removal is not None:
        raise InputError(f"--debias: {encoder.name} has a step of its own, by {removal.method}; leave it out")
    index = open_index(out) if add else None
    if index is not None:
        index.check_model(probe(encoder), similarity_of(inner), encoder.name)
    read = _known(portions(passages, encoder, languages, most=_PORTION, progress=progress), passages)
    if index is not None:
        for documents, vectors in read:
            new, replaced = index.add(documents, vectors)
            log.info("%s: %d passages are new, %d were replaced", out, new, replaced)
        return index
    documents, vectors = next(read)
    if debias:
        removal = fitted(debias, documents, vectors)
        log.info("--debias: %s, fitted on the first %s passages", debias, f"{len(documents):,}")
    more = {"similarity": similarity_of(inner), "probe": probe(encoder), "removal": removal, "force": force}
    return create_index(out, documents, vectors, settings, model=lasting(model), inputs=inputs, further=read, **more)


def _check_method(method: str) -> None:
    """Raises InputError for a method that is none, or that cannot be fitted on the passages themselves."""
    check_choice("--debias", method, METHODS.names())
    if METHODS[method].pairs:
        raise InputError(f"--debias: {method} is fitted on translations, which `triglot debias` takes; choose another")


def _known(read: Iterator[tuple[Documents, np.ndarray]], source: str) -> Iterator[tuple[Documents, np.ndarray]]:
    """The same portions; passages of which a model knows nothing are said."""
    for documents, vectors in read:
        if empty := int((~vectors.any(axis=1)).sum()):
            log.warning("%s: %d passages of which the model knows nothing; no question finds them", source, empty)
        yield documents, vectors


def portions(
    source: str, encoder: Any, languages: Sequence[str], *, most: int | None = None, progress: bool = False
) -> Iterator[tuple[Documents, np.ndarray]]:
    """The passages of a file with the vectors that a model makes of them; of a folder of shards with those that are
    there.

    Args:
        source: which.
        encoder: the model.
        languages: among which the language of texts that name none is told.
        most: passages of shards that are in memory at once; None for all of them. A file is one portion.
        progress: show bars.

    Raises:
        InputError: what cannot be read, or shards of another model.
    """
    from triglot.encoder.once import encode_once
    from triglot.shards.folder import Shards, is_shards

    if not is_shards(source):
        documents = read_documents(source, languages)
        yield documents, encode_once(inner_of(encoder), documents.texts, "passage", progress)
        return
    if languages:
        raise InputError(f"--languages: the languages of {source} were told when it was encoded; leave it out")
    shards = Shards(source)
    shards.check_model(probe(encoder), similarity_of(inner_of(encoder)), encoder.name)
    log.info("%s: %s vectors are taken as they are", source, f"{len(shards):,}")
    held: list[Block] = []
    for block in shards.blocks():
        if held and most is not None and sum(len(one.ids) for one in held) + len(block.ids) > most:
            yield _joined(held)
            held = []
        held.append(block)
    yield _joined(held)


def _joined(blocks: Sequence[Block]) -> tuple[Documents, np.ndarray]:
    """Blocks of shards as one."""
    ids, texts, langs, groups = (
        [value for block in blocks for value in getattr(block, name)] for name in ("ids", "texts", "langs", "groups")
    )
    fields = {name: [value for block in blocks for value in block.fields[name]] for name in blocks[0].fields}
    return Documents(ids, texts, langs, groups, fields), np.concatenate([block.vectors for block in blocks])


def read_documents(path: str, languages: Sequence[str] = ()) -> Documents:
    """The passages of a file; languages that it does not name are told by the texts, which is said."""
    from triglot.corpus.formats.records import read_records

    records = read_records(path)
    langs, told = detect_missing(records.texts, records.langs, wanted(languages) or ())
    if told:
        counts = Counter(langs[row] for row in told).most_common()
        log.info(
            "%s: the language of %d texts was told by the text: %s",
            path,
            len(told),
            ", ".join(f"{lang} {count}" for lang, count in counts),
        )
    return Documents(records.ids, records.texts, langs, records.groups, records.fields)


def fitted(method: str, documents: Documents, vectors: np.ndarray) -> Removal:
    """The step of a method fitted on the passages themselves.

    Raises InputError where the method needs translations, or there are too few passages of a language.
    """
    from triglot.debias.fit import step_of
    from triglot.debias.settings import FEWEST, DebiasSettings

    langs = np.array(documents.langs)
    samples = {code: vectors[langs == code] for code in sorted(set(documents.langs)) if code}
    few = [code for code, held in samples.items() if len(held) < FEWEST]
    if few:
        log.warning("--debias: fewer than %d passages in %s; their vectors stay as they are", FEWEST, ", ".join(few))
    return step_of(DebiasSettings(method=method), {code: held for code, held in samples.items() if code not in few})


def open_searched(
    place: str, *, model: str = "", verify: bool = True, computing: Computing = USUAL
) -> tuple[Index, Any]:
    """An index and its model, which is looked for where the index was made.

    Raises:
        InputError: no index is there, the model is not found, or it is another one.
    """
    index = open_index(place, verify=verify)
    name = model or index.model
    if not name:
        raise InputError(f"{place}: does not say which model it was made with; give it by --model")
    if not model and name.startswith("/") and not Path(model_folder(name)).exists():
        raise InputError(f"{place}: its model {name} is no longer there; give it by --model")
    encoder = load_model(name, computing=computing)
    index.check_model(probe(encoder), similarity_of(inner_of(encoder)), encoder.name)
    return index, encoder


def name_of(place: str) -> str:
    """What an index is called: its folder, the run's folder for one of a run, or the collection of a database."""
    address = address_of(place)
    if address is not None:
        return address.collection
    folder = Path(place).resolve()
    return folder.parent.name if folder.name == "index" else folder.name


def delete_passages(place: str | Path, path: str) -> tuple[int, int]:
    """Delete the passages whose ids a file names, one a line. Returns how many were there, and how many were named."""
    ids = [line.strip() for _, line in read_lines(path) if line.strip()]
    return open_index(place).delete(ids), len(ids)


def propose_groups(place: str | Path, path: str | Path, *, least: float = 1.0, force: bool = False) -> int:
    """Write passages that may be translations of one another as JSON lines, for somebody to look through. A file that
    was edited since is somebody's own and stays, see `triglot.outputs.files`.

    Returns how many there are.
    """
    from triglot.search.translations import propose

    path, count = Path(path), 0
    with (
        outputs.files({"pairs": path}, "index", inputs=[str(place)], force=force) as folder,
        (folder / path.name).open("w", encoding="utf-8", newline="\n") as handle,
    ):
        for one in propose(open_index(place), least=least):
            line = {
                "a": one.a,
                "b": one.b,
                "langs": list(one.langs),
                "margin": round(one.margin, 4),
                "score": round(one.score, 4),
                "texts": list(one.texts),
            }
            handle.write(json.dumps(line, ensure_ascii=False) + "\n")
            count += 1
    return count


def accept_groups(place: str | Path, path: str | Path) -> int:
    """Make groups of the pairs that a file has: what `propose_groups` wrote, without the lines that are wrong.

    Returns how many passages have a group now that they had not before, or another one.

    Raises:
        InputError: names the line: no pair, or an id that the index does not have.
    """
    from triglot.search.translations import groups_of

    index, pairs = open_index(place), []
    for number, value in read_jsonl(path):
        if not isinstance(value, dict) or not all(isinstance(value.get(side), str) for side in ("a", "b")):
            raise InputError(f"{path}:{number}: an object with the ids `a` and `b` was expected")
        pairs.append((value["a"], value["b"]))
    asked = {one: number for number, pair in enumerate(pairs, 1) for one in pair}
    documents, _ = index.get(list(asked))
    known = dict(zip(documents.ids, documents.groups, strict=True))
    snapshot = index.snapshot
    more = snapshot.documents(snapshot.places_of("group", sorted(set(documents.groups))))
    known |= dict(zip(more.ids, more.groups, strict=True))
    for one, number in asked.items():
        if one not in known:
            raise InputError(
                f"{path}: pair {number}: the index has no passage {one!r:.60}{nearest(one, known, listed=False)}"
            )
    groups = groups_of(pairs, known)
    return index.regroup({one: group for one, group in groups.items() if known[one] != group})


def in_words(stats: Mapping[str, Any]) -> str:
    """What an index holds, in a line."""
    kinds = sorted({one["kind"] for one in stats["segments"]})
    languages = ", ".join(f"{code or 'not known'} {count}" for code, count in list(stats["languages"].items())[:20])
    parts = [
        f"{stats['passages']} passages x {stats['dim']} ({languages})",
        " and ".join(kinds),
        f"recall@10 {stats['recall']:.3f} of exact search" if kinds != ["exact"] else "",
        f"debiased by {stats['debiased']} at strength {stats['strength']:g}" if stats["debiased"] else "not debiased",
        "" if stats["words"] else "no words",
        stats["size"],
    ]
    return "; ".join(part for part in parts if part)
