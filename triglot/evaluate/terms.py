"""Texts as bags of the vectors of their terms (arXiv 2112.11031): ISO takes a term through the encoder by itself, AOC
averages it over the texts in which it stands.

Terms are BM25's (words, character bigrams of scripts without spaces), and AOC's contexts are the passages and queries
of the benchmark, where the authors read Wikipedia.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, cast

import numpy as np

from triglot import bm25
from triglot.corpus.retrieval import RetrievalSet
from triglot.encoder.protocol import inner_of
from triglot.evaluate.counts import ScoreBlock
from triglot.evaluate.encodings import EncodingSettings
from triglot.files import InputError

_AT_ONCE = 4096  # texts tokenised together


def _network(encoder: Any, name: str) -> Any:
    """The transformer's encoder behind whatever stands after it. Raises InputError where there is none."""
    inner = inner_of(encoder)
    if getattr(inner, "kind", "") != "transformer":
        raise InputError(
            f"encoding {name}: takes vectors of terms out of the layers of a transformer; "
            f"{getattr(encoder, 'name', type(encoder).__name__)} has none"
        )
    return inner


def layer_of(encoder: Any, settings: EncodingSettings) -> int:
    """The layer that settings ask for. Raises InputError for one that the model does not have."""
    from triglot.encoder.layers import layer_count

    count = layer_count(encoder)
    if settings.layer is None:
        return 0 if settings.name == "iso" else round(0.75 * count)
    if settings.layer > count:
        raise InputError(f"encoding.layer: {settings.layer}, but the last layer of {encoder.name} is {count}")
    return settings.layer


def token_vectors(
    encoder: Any, texts: Sequence[str], layer: int
) -> Iterator[tuple[int, np.ndarray, list[tuple[int, int]]]]:
    """Outputs of a layer on the tokens of texts, without prefixes; texts are cut to the length of a passage.

    Args:
        encoder: a transformer's.
        texts: any.
        layer: 0 for the embeddings.

    Yields:
        (number of the text, (tokens, width) float32, (tokens,) where each begins and ends in it); special tokens are
        left out.
    """
    import torch

    from triglot.encoder.transformer import token_batches

    bare = type(encoder.tokenizer).from_str(encoder.tokenizer.to_str())
    bare.no_padding()
    bare.enable_truncation(encoder.lengths["passage"])
    transformer = cast(Any, encoder.model[0]).auto_model
    training = transformer.training
    transformer.eval()
    try:
        for begin in range(0, len(texts), _AT_ONCE):
            found = bare.encode_batch(list(texts[begin : begin + _AT_ONCE]))
            lengths = np.array([len(one.ids) for one in found])
            for rows in token_batches(lengths, encoder.batch_tokens):
                width = int(lengths[rows].max())
                ids = np.full((len(rows), width), encoder.pad, np.int64)
                mask = np.zeros((len(rows), width), np.int64)
                for at, row in enumerate(rows.tolist()):
                    ids[at, : lengths[row]], mask[at, : lengths[row]] = found[row].ids, 1
                with torch.inference_mode():
                    states = transformer(
                        input_ids=torch.from_numpy(ids).to(encoder.device),
                        attention_mask=torch.from_numpy(mask).to(encoder.device),
                        output_hidden_states=True,
                    ).hidden_states[layer]
                states = states.float().cpu().numpy()
                for at, row in enumerate(rows.tolist()):
                    own = [i for i, special in enumerate(found[row].special_tokens_mask) if not special]
                    yield begin + row, states[at, own], [found[row].offsets[i] for i in own]
    finally:
        transformer.train(training)


def iso_vectors(encoder: Any, terms: Sequence[str], layer: int) -> np.ndarray:
    """(terms, width) the mean over a term's tokens, each term a text of its own."""
    out = np.zeros((len(terms), 0), np.float32)
    for number, states, _ in token_vectors(encoder, terms, layer):
        if not out.shape[1]:
            out = np.zeros((len(terms), states.shape[1]), np.float32)
        if len(states):
            out[number] = states.mean(0)
    return out


def aoc_vectors(
    encoder: Any, texts: Sequence[str], terms: Mapping[str, int], layer: int, contexts: int
) -> tuple[np.ndarray, np.ndarray]:
    """Terms averaged over their first occurrences.

    Args:
        encoder: a transformer's.
        texts: in which terms stand.
        terms: term -> its row.
        layer: of the encoder.
        contexts: occurrences at most.

    Returns:
        (terms, width) float32 and (terms,) how many occurrences each is the mean of; a row of zeros where none.
    """
    chosen = _occurrences(texts, terms, contexts)
    sums, counts = np.zeros((len(terms), 0)), np.zeros(len(terms), np.int64)
    wanted = sorted(chosen)
    for number, states, offsets in token_vectors(encoder, [texts[row] for row in wanted], layer):
        if not sums.shape[1]:
            sums = np.zeros((len(terms), states.shape[1]))
        begins, ends = np.array(offsets, np.int64).reshape(-1, 2).T
        for term, start, end in chosen[wanted[number]]:
            inside = (begins < end) & (ends > start)
            if inside.any():  # of a text that is cut, the end is not read
                sums[term] += states[inside].mean(0)
                counts[term] += 1
    return (sums / np.maximum(counts, 1)[:, None]).astype(np.float32), counts


def _occurrences(
    texts: Sequence[str], terms: Mapping[str, int], contexts: int
) -> dict[int, list[tuple[int, int, int]]]:
    """Text -> (row of a term, where it begins and ends), for the first occurrences of each term."""
    seen: Counter[int] = Counter()
    chosen: dict[int, list[tuple[int, int, int]]] = {}
    for row, text in enumerate(texts):
        for term, start, end in bm25.spans(text):
            number = terms.get(term, -1)
            if number >= 0 and seen[number] < contexts:
                seen[number] += 1
                chosen.setdefault(row, []).append((number, start, end))
    return chosen


def idf_of(texts: Sequence[str]) -> tuple[dict[str, float], float]:
    """log(N / n) + 1 of each term of N texts, n of which have it; and that of a term that none has (n of 1)."""
    seen: Counter[str] = Counter()
    for text in texts:
        seen.update({term for term, _, _ in bm25.spans(text)})
    number = max(len(texts), 1)
    return {term: float(np.log(number / n) + 1) for term, n in seen.items()}, float(np.log(number) + 1)


def _bags(texts: Sequence[str], idf: Mapping[str, float], rare: float) -> list[dict[str, float]]:
    """Terms of texts with their weights: how often each stands there, times its idf."""
    return [
        {term: n * idf.get(term, rare) for term, n in Counter(term for term, _, _ in bm25.spans(text)).items()}
        for text in texts
    ]


def _summed(bags: Sequence[Mapping[str, float]], terms: Mapping[str, int], vectors: np.ndarray) -> np.ndarray:
    """(bags, width) unit vectors of the weighted sums of terms; a bag without any is a zero."""
    out = np.zeros((len(bags), vectors.shape[1]), np.float32)
    for row, bag in enumerate(bags):
        numbers = [terms[term] for term in bag if term in terms]
        if numbers:
            weights = np.array([weight for term, weight in bag.items() if term in terms], np.float32)
            out[row] = weights @ vectors[numbers]
    return out / np.maximum(np.linalg.norm(out, axis=1, keepdims=True), 1e-12)


def _scores(encoder: Any, benchmark: RetrievalSet, settings: EncodingSettings) -> tuple[ScoreBlock, tuple[str, ...]]:
    network = _network(encoder, settings.name)
    layer = layer_of(network, settings)
    sides = {"query": benchmark.queries, "passage": benchmark.passages}
    made: dict[str, np.ndarray] = {}
    alone = many = 0
    for code in range(len(benchmark.languages)):
        rows = {side: np.flatnonzero(texts.lang == code) for side, texts in sides.items()}
        texts = {side: [sides[side].texts[i] for i in rows[side].tolist()] for side in sides}
        idf, rare = idf_of(texts["passage"])
        bags = {side: _bags(texts[side], idf, rare) for side in sides}
        terms = {term: n for n, term in enumerate(dict.fromkeys(t for side in bags for bag in bags[side] for t in bag))}
        many += len(terms)
        vectors = np.zeros((0, 0), np.float32)
        missing = list(terms)
        if settings.name == "aoc" and terms:
            contexts = [*texts["passage"], *texts["query"]]
            vectors, counts = aoc_vectors(network, contexts, terms, layer, settings.contexts)
            missing = [term for term, n in terms.items() if not counts[n]]
            alone += len(missing)
        if missing:
            own = iso_vectors(network, missing, layer)
            if not vectors.shape[1]:
                vectors = np.zeros((len(terms), own.shape[1]), np.float32)
            vectors[[terms[term] for term in missing]] = own
        for side in sides:
            summed = _summed(bags[side], terms, vectors)
            if side not in made:
                made[side] = np.zeros((len(sides[side]), vectors.shape[1]), np.float32)
            if len(rows[side]):
                made[side][rows[side]] = summed

    def score(rows: np.ndarray) -> np.ndarray:
        return made["query"][rows] @ made["passage"].T

    how = "each alone" if settings.name == "iso" else f"over {settings.contexts} of the benchmark's texts at most"
    note = f"{settings.name.upper()}: sums of {many:,} terms by idf, {how}, of layer {layer}"
    return score, (
        note,
        *([f"{alone:,} terms beyond what is read of a text stand for themselves alone"] if alone else []),
    )


def iso_scores(encoder: Any, benchmark: RetrievalSet, settings: EncodingSettings) -> tuple[ScoreBlock, tuple[str, ...]]:
    """Scores of bags of ISO vectors, and what to say of them."""
    return _scores(encoder, benchmark, settings)


def aoc_scores(encoder: Any, benchmark: RetrievalSet, settings: EncodingSettings) -> tuple[ScoreBlock, tuple[str, ...]]:
    """Scores of bags of AOC vectors, and what to say of them."""
    return _scores(encoder, benchmark, settings)
