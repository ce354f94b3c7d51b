"""Vectors of a real pretrained encoder, as sentence-transformers has them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from sentence_transformers import SentenceTransformer

from triglot.encoder import load_encoder

TEXTS = [
    "How long does it take to get a refund?",
    "Wie lange dauert es, bis ich mein Geld zurückbekomme?",
    "返金にはどのくらい時間がかかりますか。",
    "كم من الوقت يستغرق استرداد الأموال؟",
    "धन वापसी में कितना समय लगता है?",
    "",
    "a",
    "The parcel left the warehouse on Monday and was handed over at the door on Thursday. "
    * 60,  # longer than it reads
]


@pytest.mark.slow
def test_vectors_equal_those_of_sentence_transformers(e5_small: Path) -> None:
    ours, theirs = load_encoder(e5_small), SentenceTransformer(str(e5_small), device="cpu", local_files_only=True)
    queries = ours.encode(TEXTS, side="query")
    np.testing.assert_allclose(queries, theirs.encode_query(TEXTS), atol=1e-5)
    np.testing.assert_allclose(ours.encode(TEXTS, side="passage"), theirs.encode_document(TEXTS), atol=1e-5)
    # Translations of a question are nearer to it than anything else.
    other = ours.encode(["The cat sleeps on the sofa."], side="query")[0]
    assert (queries[1:5] @ queries[0] > queries[1:5] @ other).all()
