"""`triglot mine`: a source of pairs, a model, settings; hard negatives as JSON lines and what was found.

And mining inside training.
"""

from __future__ import annotations

import logging
import time

import numpy as np
import pyarrow as pa

from triglot import seeds
from triglot.encoder.protocol import Encoder
from triglot.encoder.static import StaticEncoder
from triglot.mine import RefreshSettings, refreshed, render
from triglot.settings import plain
from triglot.train import Feed, Renewal

log = logging.getLogger("triglot")


def renewal(refresh: RefreshSettings, shown: int, feed: Feed, *, seed: int, name: str) -> Renewal | None:
    """What the training loop needs to mine while it trains; None where nothing is to be mined.

    Args:
        refresh: its settings.
        shown: `train.negatives`.
        feed: the texts; a static encoder's are tokenised already.
        seed: of the run.
        name: of the stage, in the log.
    """
    if refresh.every is None:
        return None
    corpus, every = feed.corpus, refresh.every

    def find(encoder: Encoder, step: int) -> np.ndarray:
        def embed(texts: np.ndarray, side: str) -> np.ndarray:
            if isinstance(encoder, StaticEncoder):
                tokens = feed.tokens.take(texts)
                return encoder.encode_ids(tokens.flat, tokens.offsets)
            return encoder.encode(corpus.texts.take(pa.array(texts)).to_pylist(), side=side)

        began = time.perf_counter()
        drawn = int(seeds.bits(seed, "refresh", step, refresh.seed)) & 0x7FFFFFFF
        turn = step // every if every else 0
        groups, report = refreshed(corpus, refresh.of(shown, drawn), embed, turn=turn)
        log.info("%s, step %d: mined in %.1f s\n%s", name, step, time.perf_counter() - began, render(report))
        return groups

    return Renewal(every, find, refresh.of(shown).negatives, plain(refresh.of(shown)))
