"""Vectors that were made once, kept on disk: `evaluate`, `check`, `debias` and `attack` of one model over the same
texts encode them once.

A file holds the vectors of one list of texts. Its name is a checksum of all that decides them: the model's weights,
settings and tokenizer as they lie in memory, the side with its prefix and length, the numbers' precision, the device
and the versions of what computes, and the texts in their order (other batches round differently). So what comes out of
the cache is bit for bit what encoding would give.

Only a model that a command has loaded to use it as it is has a cache (`attach`): one that is trained has none, and one
whose weights were changed after that loses it. Bags of subwords have none either; they encode as fast as a disk reads.
"""

from __future__ import annotations

import hashlib
import json
import logging
import os
import re
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import astuple, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any
from weakref import WeakKeyDictionary

import numpy as np

from triglot.encoder.protocol import inner_of
from triglot.files import InputError, atomic_write, is_leftover

if TYPE_CHECKING:
    from triglot.encoder.transformer import TransformerEncoder

log = logging.getLogger("triglot")
OFF = "off"
VARIABLE = "TRIGLOT_CACHE"
LIMIT = 4 << 30  # bytes of all files; those that were not used for longest go first
_NAME = re.compile(r"[0-9a-f]{32}\.vectors")
_DIGEST = 16  # bytes of BLAKE2b
_FORGOTTEN = 3600.0  # seconds after which the temporary file of a writer is taken for that of a killed one


def place(asked: str = "", kind: str = "vectors") -> Path | None:
    """The folder of a cache: as asked, else by the variable `TRIGLOT_CACHE`, else the user's cache directory.

    Args:
        asked: a folder, `off` for none, or "" for what is usual.
        kind: `vectors`, or `models` for what was made of models.

    Returns:
        the folder, which need not exist; None for no cache.
    """
    word = asked or os.environ.get(VARIABLE, "")
    if word == OFF:
        return None
    if word:
        return Path(word).expanduser() / ("" if kind == "vectors" else kind)
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "triglot" / kind


@dataclass(frozen=True, eq=False)
class VectorCache:
    """A folder of vectors.

    Attributes:
        folder: made when first written.
        limit: bytes that all files may take together.
    """

    folder: Path
    limit: int = LIMIT

    def get(self, key: str, shape: tuple[int, int]) -> np.ndarray | None:
        """The (texts, dim) float32 vectors of a key; None where they are not there, or damaged (then they are
        removed)."""
        file = self._file(key)
        try:
            with file.open("rb") as handle:
                head, data = handle.readline(4096), handle.read()
        except OSError:
            return None
        if head != _head(shape, data):
            log.warning("%s: damaged; its texts are encoded again", file)
            with suppress(OSError):
                file.unlink()
            return None
        with suppress(OSError):
            # What was used last goes last.
            os.utime(file)
        return np.frombuffer(data, np.float32).reshape(shape).copy()

    def put(self, key: str, vectors: np.ndarray) -> None:
        """Keep vectors, and remove those that were not used for longest while there are more than the limit.

        A folder that cannot be written is said, and nothing is kept.
        """
        data = np.ascontiguousarray(vectors, np.float32).tobytes()
        if len(data) > self.limit:
            return
        try:
            with atomic_write(self._file(key), "wb") as handle:
                handle.write(_head(vectors.shape, data))
                handle.write(data)
        except InputError as error:
            log.warning("vectors are not kept: %s", error)
            return
        self._trim()

    def _file(self, key: str) -> Path:
        return self.folder / f"{key}.vectors"

    def _trim(self) -> None:
        """Remove leftovers of killed writers, then the files that are too many. Others' files are not touched."""
        files = []
        with suppress(OSError):
            for entry in os.scandir(self.folder):
                # Another process may have removed it.
                with suppress(OSError):
                    status = entry.stat()
                    if _NAME.fullmatch(entry.name):
                        files.append((status.st_mtime_ns, entry.name, status.st_size))
                    elif _leftover(entry.name) and time.time() - status.st_mtime > _FORGOTTEN:
                        os.unlink(entry.path)
        held = sum(size for *_, size in files)
        # Never the one that was just written.
        for _, name, size in sorted(files)[:-1]:
            if held <= self.limit:
                break
            with suppress(OSError):
                (self.folder / name).unlink()
            held -= size


def _leftover(name: str) -> bool:
    return is_leftover(Path(name)) and _NAME.fullmatch(name[1:].rpartition(".part")[0].rpartition(".")[0]) is not None


def _head(shape: tuple[int, ...], data: bytes) -> bytes:
    """The first line of a file."""
    head = {"shape": list(shape), "checksum": hashlib.blake2b(data, digest_size=_DIGEST).hexdigest()}
    return json.dumps(head).encode() + b"\n"


class Attached:
    """A cache and the model whose vectors it keeps, as the model was when they were brought together.

    Args:
        cache: where vectors are kept.
        encoder: whose they are.
    """

    def __init__(self, cache: VectorCache, encoder: TransformerEncoder):
        self.cache = cache
        self._state = _state(encoder)
        # Worked out when first needed, since it reads all weights.
        self._content = ""

    def vectors(
        self, encoder: TransformerEncoder, texts: Sequence[str], side: str, encode: Callable[[], np.ndarray]
    ) -> np.ndarray:
        """The vectors of texts, from the cache, or made by `encode` and kept."""
        if not texts or _state(encoder) != self._state:
            return encode()
        self._content = self._content or content_of(encoder)
        key = _key(self._content, encoder, texts, side)
        vectors = self.cache.get(key, (len(texts), encoder.dim))
        if vectors is None:
            vectors = encode()
            self.cache.put(key, vectors)
        return vectors


_attached: WeakKeyDictionary[Any, Attached] = WeakKeyDictionary()


def attach(encoder: Any, folder: Path | None) -> None:
    """Keep the vectors of an encoder that stays as it is; of one with a step for each language those before the step.

    Nothing happens without a folder, and to encoders that are no transformers.
    """
    inner = inner_of(encoder)
    if folder is not None and getattr(inner, "kind", "") == "transformer":
        _attached[inner] = Attached(VectorCache(folder), inner)


def cached(encoder: Any, texts: Sequence[str], side: str, encode: Callable[[], np.ndarray]) -> np.ndarray:
    """The vectors of texts by an encoder: from its cache where it has one, else by `encode`."""
    attached = _attached.get(encoder) if _attached else None
    return encode() if attached is None else attached.vectors(encoder, texts, side, encode)


def _state(encoder: TransformerEncoder) -> tuple[Any, ...]:
    """What changes when weights or settings are changed in place: counters that torch keeps, and the settings."""
    weights = (*encoder.model.parameters(), *encoder.model.buffers())
    return (
        tuple((id(weight), weight._version) for weight in weights),
        tuple(id(module) for module in encoder.model.modules()),
        json.dumps(_settings(encoder), sort_keys=True, default=str),
    )


def _settings(encoder: TransformerEncoder) -> dict[str, Any]:
    """What decides vectors beside weights and texts, as JSON can hold it."""
    volatile = ("_name_or_path", "transformers_version", "architectures")
    modules = []
    for module in encoder.model:
        settings = getattr(module, "get_config_dict", dict)
        modules.append([type(module).__name__, dict(settings())])
    config = getattr(getattr(encoder.model[0], "auto_model", None), "config", None)
    of_model = {} if config is None else {key: value for key, value in config.to_dict().items() if key not in volatile}
    return {
        "modules": modules,
        "config": of_model,
        "attention": str(getattr(config, "_attn_implementation", "")),
        "similarity": encoder.similarity,
        "prefixes": encoder.prefixes,
        "lengths": encoder.lengths,
    }


def content_of(encoder: TransformerEncoder) -> str:
    """A checksum of a model: its weights, its settings and its tokenizer."""
    import torch

    digest = hashlib.blake2b(digest_size=_DIGEST)
    for name, weight in sorted(encoder.model.state_dict().items()):
        array = weight.detach().cpu().contiguous()
        digest.update(json.dumps([name, str(array.dtype), list(array.shape)]).encode())
        digest.update(array.reshape(-1).view(torch.uint8).numpy())
    digest.update(json.dumps(_settings(encoder), sort_keys=True, default=str).encode())
    plain = type(encoder.tokenizer).from_str(encoder.tokenizer.to_str())
    plain.no_truncation()
    plain.no_padding()
    digest.update(plain.to_str().encode("utf-8", "surrogatepass"))
    return digest.hexdigest()


def _key(content: str, encoder: TransformerEncoder, texts: Sequence[str], side: str) -> str:
    """A checksum of the model, what computes, the side and the texts in their order."""
    import torch
    import transformers

    from triglot.encoder.products import prefers_onednn

    machine = [torch.__version__, transformers.__version__, str(encoder.device), torch.get_num_threads()]
    machine += [torch.backends.cpu.get_cpu_capability(), str(next(encoder.model.parameters()).dtype)]
    machine += [*astuple(replace(encoder.computing, device="")), encoder.batch_tokens]
    machine.append(prefers_onednn())
    digest = hashlib.blake2b(digest_size=_DIGEST)
    digest.update(json.dumps([content, side, encoder.prefixes[side], encoder.lengths[side], machine]).encode())
    for text in texts:
        data = text.encode("utf-8", "surrogatepass")
        digest.update(len(data).to_bytes(8, "little"))
        digest.update(data)
    return digest.hexdigest()
