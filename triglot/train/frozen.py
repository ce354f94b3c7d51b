"""The lowest layers of a transformer left as they are: nothing is differentiated below them, and what they make of a
text is made once where it never changes."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from triglot.encoder.layers import layers_of
from triglot.files import SettingError
from triglot.memory import available, in_words

_TOKENS = 4096  # padded tokens of a batch whose outputs are kept
_IN_MEMORY = 2**29  # bytes of outputs; more go into a file
_SHOWN = 1.5  # times that a text must be shown on average


def layers_and_below(model: nn.Module, config: Any) -> tuple[nn.ModuleList, list[nn.Module]]:
    """The layers of a Hugging Face transformer, and the modules before them that texts go through (embeddings).

    Raises:
        SettingError: its layers cannot be told apart.
    """
    layers_at = layers_of(model, config)
    if layers_at is None:
        raise SettingError("freeze", f"the layers of a {config.model_type} model are not known; leave it out")
    path, layers = layers_at
    top = path.split(".")[0]
    before = []
    for name, child in model.named_children():
        if name == top:
            break
        before.append(child)
    return layers, before


def freeze(model: nn.Module, config: Any, what: int | str) -> list[nn.Module]:
    """Leave the embeddings, and some of the layers above them, as they are.

    Args:
        model: a Hugging Face transformer.
        config: of it.
        what: "embeddings", or a number of layers.

    Returns:
        the frozen layers.

    Raises:
        SettingError: more layers than there are.
    """
    layers, before = layers_and_below(model, config)
    count = 0 if what == "embeddings" else int(what)
    if count > len(layers):
        raise SettingError("freeze", f"{count} layers, but the model has {len(layers)}")
    frozen = list(layers)[:count]
    table: Any = model
    for module in (*before, table.get_input_embeddings(), *frozen):
        module.requires_grad_(False)
    return frozen


class _Reached(Exception):
    """The outputs that were wanted are there."""


class Outputs:
    """What frozen layers make of texts, kept by their token ids.

    A file is used where they are large; it has no name, and is gone with the object.

    Args:
        layers: that are frozen.
        width: numbers of a token.
    """

    def __init__(self, layers: Sequence[nn.Module], width: int):
        self._layers, self._width = list(layers), width
        self._places: dict[bytes, tuple[int, int]] = {}
        self._kept: np.ndarray = np.zeros((0, width), np.float32)
        self._where = "memory"
        self._dtype = torch.float32
        self._tuple = False

    def capture(self, forward: Callable[[], Any]) -> Tensor:
        """Run a model as far as the last frozen layer; (texts, length, width)."""
        seen: list[Tensor] = []

        def reach(module: nn.Module, args: Any, output: Any) -> None:
            self._tuple = isinstance(output, tuple)
            seen.append(output[0] if isinstance(output, tuple) else output)
            raise _Reached

        hook = self._layers[-1].register_forward_hook(reach)
        try:
            forward()
        except _Reached:
            pass
        finally:
            hook.remove()
        return seen[0]

    @contextmanager
    def skipped(self, hidden: Tensor) -> Iterator[None]:
        """The frozen layers are passed over within the block, and give this."""
        given = (hidden,) if self._tuple else hidden
        for layer in self._layers:
            layer.forward = lambda *args, **options: given
        try:
            yield
        finally:
            for layer in self._layers:
                del layer.forward

    def keep(
        self,
        texts: Iterable[np.ndarray],
        run: Callable[[list[np.ndarray]], Tensor],
        folder: Path,
    ) -> str:
        """Make the outputs of texts and keep them, unless it is not worth it.

        Args:
            texts: token ids of every text that will be shown, as often as it is.
            run: (texts) -> (texts, length, width) outputs of texts of like length.
            folder: for a file.

        Returns:
            one line that says what was done.
        """
        counts: dict[bytes, int] = {}
        for ids in texts:
            key = ids.tobytes()
            counts[key] = counts.get(key, 0) + 1
        shown = sum(counts.values()) / max(len(counts), 1)
        if shown < _SHOWN:
            return f"not kept: a text is shown {shown:.1f} times on average"
        known = sorted(counts, key=lambda key: (-len(key), key))  # the same batches, whenever a run goes on
        size = 4 * self._width * sum(len(key) // 8 for key in known)
        if complaint := self._room(size, sum(len(key) // 8 for key in known), folder):
            return complaint
        start = 0
        at = 0
        while start < len(known):
            longest = len(known[start]) // 8
            batch = [np.frombuffer(key, np.int64) for key in known[start : start + max(1, _TOKENS // longest)]]
            hidden = run(batch)
            self._dtype = hidden.dtype
            for key, ids, rows in zip(known[start:], batch, hidden.float().cpu().numpy(), strict=False):
                self._kept[at : at + len(ids)] = rows[: len(ids)]
                self._places[key] = at, len(ids)
                at += len(ids)
            start += len(batch)
        return f"kept: {len(known):,} texts, each shown {shown:.1f} times on average, {in_words(size)} in {self._where}"

    def _room(self, size: int, tokens: int, folder: Path) -> str:
        """Make room; what is wrong, where there is none."""
        if size <= min(_IN_MEMORY, (available() or 2**62) // 4):
            self._kept = np.empty((tokens, self._width), np.float32)
            return ""
        folder.mkdir(parents=True, exist_ok=True)
        if 2 * size > (free := shutil.disk_usage(folder).free):
            return f"not kept: they would take {in_words(size)}, more than half of the {in_words(free)} that are free"
        number, name = tempfile.mkstemp(prefix=".frozen.", suffix=".part", dir=folder)  # swept away after a kill
        os.close(number)
        self._kept = np.lib.format.open_memmap(name, mode="w+", dtype=np.float32, shape=(tokens, self._width))
        self._where = "a file"
        with suppress(OSError):  # Windows keeps it until the folder is swept
            os.unlink(name)
        return ""

    @property
    def known(self) -> list[np.ndarray]:
        """Token ids of the texts whose outputs are kept, longest first."""
        return [np.frombuffer(key, np.int64) for key in self._places]

    def of(self, input_ids: Tensor, lengths: Tensor) -> Tensor | None:
        """(texts, length, width) outputs of texts, None where one is not known.

        Args:
            input_ids: (texts, length).
            lengths: (texts,) tokens of each.
        """
        if not self._places:
            return None
        ids = input_ids.numpy()
        outputs = np.zeros((*ids.shape, self._width), np.float32)
        for row, length in enumerate(lengths.tolist()):
            place = self._places.get(ids[row, :length].tobytes())
            if place is None:
                return None
            outputs[row, :length] = self._kept[place[0] : place[0] + length]
        return torch.from_numpy(outputs).to(self._dtype)

    def forget(self) -> None:
        """Keep nothing."""
        self._places, self._kept = {}, np.zeros((0, self._width), np.float32)
