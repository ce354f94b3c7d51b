"""Texts that come at about one time are encoded together."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass

import numpy as np


class Full(Exception):
    """As many requests wait as may."""


@dataclass(frozen=True)
class _Held:
    texts: Sequence[str]
    side: str
    future: asyncio.Future[np.ndarray]


class Batcher:
    """Encodes texts in a thread, as many together as are waiting when it is free.

    Args:
        encode: texts, side -> (texts, dim).
        executor: with one thread.
        most: texts together; a request of more has a batch of its own.
        pause: seconds that the first of a batch waits for others.
        waiting: requests that may wait.
        seen: told how many texts a batch had.
    """

    def __init__(
        self,
        encode: Callable[[Sequence[str], str], np.ndarray],
        executor: Executor,
        *,
        most: int,
        pause: float,
        waiting: int,
        seen: Callable[[int], None] = lambda size: None,
    ):
        self._encode, self._executor, self._seen = encode, executor, seen
        self._most, self._pause, self._waiting = most, pause, waiting
        self._held: list[_Held] = []
        self._task: asyncio.Task[None] | None = None

    async def vectors(self, texts: Sequence[str], side: str) -> np.ndarray:
        """(texts, dim) the vectors of one request.

        Raises Full where too many wait, and whatever encoding these texts alone raises.
        """
        if len(self._held) >= self._waiting:
            raise Full
        future: asyncio.Future[np.ndarray] = asyncio.get_running_loop().create_future()
        self._held.append(_Held(texts, side, future))
        if self._task is None or self._task.done():
            self._task = asyncio.create_task(self._work())
        return await future

    def _taken(self) -> list[_Held]:
        """The requests of the next batch, all of the first one's side; those that were given up are passed over."""
        self._held = [one for one in self._held if not one.future.done()]
        taken, size = [], 0
        for one in self._held:
            if one.side == self._held[0].side and (not taken or size + len(one.texts) <= self._most):
                taken.append(one)
                size += len(one.texts)
        self._held = [one for one in self._held if not any(one is other for other in taken)]
        return taken

    async def _work(self) -> None:
        while self._held:
            if sum(len(one.texts) for one in self._held) < self._most and self._pause:
                await asyncio.sleep(self._pause)
            taken = self._taken()
            if not taken:
                continue
            texts = [text for one in taken for text in one.texts]
            self._seen(len(texts))
            try:
                found = await self._encoded(texts, taken[0].side)
                ends = np.cumsum([len(one.texts) for one in taken])
                told: Sequence[np.ndarray | Exception] = np.split(found, ends[:-1])
            except Exception:
                told = [await self._alone(one) for one in taken]
            for one, vectors in zip(taken, told, strict=True):
                if one.future.done():
                    continue
                if isinstance(vectors, Exception):
                    one.future.set_exception(vectors)
                else:
                    one.future.set_result(vectors)

    async def _encoded(self, texts: Sequence[str], side: str) -> np.ndarray:
        return await asyncio.get_running_loop().run_in_executor(self._executor, self._encode, texts, side)

    async def _alone(self, held: _Held) -> np.ndarray | Exception:
        """One request of a batch that failed: nobody's fails by the text of another."""
        try:
            return await self._encoded(held.texts, held.side)
        except Exception as error:
            return error
