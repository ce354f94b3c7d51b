"""Questions that come at about one time are encoded together."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from concurrent.futures import Executor

import numpy as np


class Full(Exception):
    """As many requests wait as may."""


class Batcher:
    """Encodes texts in a thread, as many together as are waiting when it is free.

    Args:
        encode: texts -> (texts, dim).
        executor: with one thread.
        most: texts together.
        pause: seconds that the first of a batch waits for others.
        waiting: texts that may wait.
        seen: told how many texts a batch had.
    """

    def __init__(
        self,
        encode: Callable[[Sequence[str]], np.ndarray],
        executor: Executor,
        *,
        most: int,
        pause: float,
        waiting: int,
        seen: Callable[[int], None] = lambda size: None,
    ):
        self._encode, self._executor, self._seen = encode, executor, seen
        self._most, self._pause, self._waiting = most, pause, waiting
        self._held: list[tuple[str, asyncio.Future[np.ndarray]]] = []
        self._task: asyncio.Task[None] | None = None

    async def vector(self, text: str) -> np.ndarray:
        """(dim,) the vector of a text.

        Raises Full where too many wait, and whatever encoding it alone raises.
        """
        if len(self._held) >= self._waiting:
            raise Full
        future: asyncio.Future[np.ndarray] = asyncio.get_running_loop().create_future()
        self._held.append((text, future))
        if self._task is None or self._task.done():
            self._task = asyncio.create_task(self._work())
        return await future

    async def _work(self) -> None:
        loop = asyncio.get_running_loop()
        while self._held:
            if len(self._held) < self._most and self._pause:
                await asyncio.sleep(self._pause)
            taken, self._held = self._held[: self._most], self._held[self._most :]
            self._seen(len(taken))
            try:
                vectors = await loop.run_in_executor(self._executor, self._encode, [text for text, _ in taken])
                told = list(vectors)
            except Exception:
                told = [await self._alone(text) for text, _ in taken]
            for (_, future), one in zip(taken, told, strict=True):
                if future.done():
                    continue
                if isinstance(one, Exception):
                    future.set_exception(one)
                else:
                    future.set_result(one)

    async def _alone(self, text: str) -> np.ndarray | Exception:
        """One text of a batch that failed: nobody's request fails by that of another."""
        try:
            found = await asyncio.get_running_loop().run_in_executor(self._executor, self._encode, [text])
            return found[0]
        except Exception as error:
            return error
