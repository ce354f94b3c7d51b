"""Benchmarks from the Hugging Face hub, only where a name begins with `hub:`: `hub:OWNER/NAME[:PART][@REVISION]`.

Files are fetched as they lie there, through `huggingface_hub` and its cache, and read by the readers of local folders:
MIRACL and Mr. TyDi (topics and judgements in one data set, passages in another), Belebele, Multi-EuP v2, the mixed
pools of MIMO and SHIFT, and retrieval data in BEIR's or MTEB's layout. No code of a data set is run.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from triglot.extras import named
from triglot.files import InputError, nearest

PREFIX = "hub:"
_SPEC = re.compile(r"hub:([\w.\-]+/[\w.\-]+)(?::([\w.\-]+(?:/[\w.\-]+)*))?(?:@([\w.\-/]+))?")
_FOLDERS = {"facebook/belebele": ("data", "*.jsonl"), "unimelb-nlp/multieup-v2": ("", "*.csv")}  # as they lie there
_POOLS = "yjoonjang/mlir-benchmarks"
_MR_TYDI = {
    "ar": "arabic",
    "bn": "bengali",
    "en": "english",
    "fi": "finnish",
    "id": "indonesian",
    "ja": "japanese",
    "ko": "korean",
    "ru": "russian",
    "sw": "swahili",
    "te": "telugu",
    "th": "thai",
}


@dataclass(frozen=True)
class Spec:
    """What a `hub:` name says."""

    repo: str
    part: str = ""
    revision: str | None = None


def parse(name: str) -> Spec:
    """Raises InputError where it is not `hub:OWNER/NAME[:PART][@REVISION]`."""
    match = _SPEC.fullmatch(name)
    if match is None or ".." in (match[2] or "").split("/"):
        raise InputError(f"{name}: not hub:OWNER/NAME, hub:OWNER/NAME:PART or hub:OWNER/NAME:PART@REVISION")
    return Spec(match[1], match[2] or "", match[3])


def fetch(repo: str, patterns: Sequence[str], revision: str | None = None) -> Path:
    """The folder with the files of a data set that match the patterns, from the cache or the network.

    Raises:
        InputError: there is no such data set, or the network does not answer.
        MissingExtra: `huggingface_hub` is not installed.
    """
    with named():
        from huggingface_hub import snapshot_download
        from huggingface_hub.errors import HfHubHTTPError, HFValidationError
    try:
        return Path(snapshot_download(repo, repo_type="dataset", revision=revision, allow_patterns=list(patterns)))
    except HFValidationError as error:
        raise InputError(f"{PREFIX}{repo}: {error}") from None
    except (HfHubHTTPError, OSError) as error:  # offline, no such data set, or one that needs a login
        why = (str(error).splitlines() or [type(error).__name__])[0]
        raise InputError(f"{PREFIX}{repo}: cannot be fetched ({why})") from None


def local(name: str, *, passages: bool = True) -> tuple[Path, dict[str, Any]]:
    """The folder that a `hub:` name stands for, and options of its reader.

    Args:
        name: as the module says. PART is a language: needed for MIRACL and Mr. TyDi, and where a data set has
            `xx-corpus`; of the mixed pools it is a folder, `MMLIR/Belebele_test`.
        passages: whether the corpus is wanted, of those that keep it apart.

    Raises:
        InputError: the name is no such name, or the data cannot be fetched.
    """
    spec = parse(name)
    owner_and_name = spec.repo.lower()
    if owner_and_name == "miracl/miracl":
        return _apart(
            spec, f"miracl-v1.0-{_code(spec)}", "miracl/miracl-corpus", f"miracl-corpus-v1.0-{_code(spec)}", passages
        )
    if owner_and_name == "castorini/mr-tydi":
        code = _code(spec)
        code = next((one for one, word in _MR_TYDI.items() if word == code), code)
        if code not in _MR_TYDI:
            raise InputError(f"{name}: Mr. TyDi has no language {code!r}{nearest(code, _MR_TYDI)}")
        folder = f"mrtydi-v1.1-{_MR_TYDI[code]}"
        path, options = _apart(spec, folder, "castorini/mr-tydi-corpus", folder, passages)
        return path, options | {"language": code}
    part = spec.part
    if owner_and_name in _FOLDERS:
        folder, files = _FOLDERS[owner_and_name]
        return fetch(spec.repo, [str(Path(folder, files))], spec.revision) / folder, {}
    if owner_and_name == _POOLS:
        place = fetch(spec.repo, [f"{part}/*.jsonl"], spec.revision) if part else None
        if place is None or not (place / part).is_dir():
            raise InputError(f"{name}: name one of its folders, such as {PREFIX}{_POOLS}:MMLIR/Belebele_test")
        return place / part, {}
    tables = (
        [f"{part}-{kind}/*" for kind in ("corpus", "queries", "qrels")]
        if part
        else ["corpus/*", "queries/*", "qrels/*", "default/*"]
    )
    lines = ["corpus*.jsonl*", "queries*.jsonl*", "qrels/*", "data/*.parquet"]
    fetched = fetch(spec.repo, [*tables, *([f"{part}/{line}" for line in lines] if part else lines)], spec.revision)
    if part and (fetched / part).is_dir():
        return fetched / part, {"language": part}
    return fetched, {"config": part} if part else {}


def _code(spec: Spec) -> str:
    if not spec.part:
        raise InputError(f"{PREFIX}{spec.repo}: name a language: {PREFIX}{spec.repo}:sw")
    return spec.part


def _apart(spec: Spec, folder: str, corpus: str, corpus_folder: str, passages: bool) -> tuple[Path, dict[str, Any]]:
    """Topics and judgements of one data set, passages of another."""
    repository = (
        fetch(spec.repo, [f"{folder}/topics/*", f"{folder}/qrels/*", f"{folder}/ir-format-data/*"], spec.revision)
        / folder
    )
    if not repository.is_dir():
        raise InputError(f"{PREFIX}{spec.repo}: has no {folder}, so no {spec.part!r}")
    if not passages:
        return repository, {}
    place = fetch(corpus, [f"{corpus_folder}/*.jsonl.gz"]) / corpus_folder
    if not place.is_dir():
        raise InputError(f"{PREFIX}{corpus}: has no {corpus_folder}")
    return repository, {"corpus": place}
