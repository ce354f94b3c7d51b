"""Calibration: means and deviations of a cohort by language."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from triglot.index.cohort import Cohort


@given(st.lists(st.integers(0, 4), max_size=60), st.integers(0, 1000))
def test_measures_are_those_of_a_plain_loop(langs: list[int], seed: int) -> None:
    rng = np.random.default_rng(seed)
    vectors = rng.standard_normal((len(langs), 6)).astype(np.float32)
    queries = rng.standard_normal((3, 6)).astype(np.float32)
    mean, deviation = Cohort(vectors, np.array(langs, np.int64), 5).measures(queries)
    assert mean.shape == deviation.shape == (3, 5)
    for query, vector in enumerate(queries):
        for lang in range(5):
            every = (vectors @ vector).astype(np.float64)
            own = every[np.array(langs, np.int64) == lang]
            known = min(1.0, len(own) / 8)
            wanted = (0.0, 1.0)
            if len(every):
                mine = (own.mean(), own.std()) if len(own) else (0.0, 0.0)
                wanted = (
                    known * mine[0] + (1 - known) * every.mean(),
                    max(known * mine[1] + (1 - known) * every.std(), 1e-4),
                )
            assert (mean[query, lang], deviation[query, lang]) == pytest.approx(wanted, abs=1e-5)
