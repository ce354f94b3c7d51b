"""The white-box bound: queries shifted in the space of token embeddings by projected gradient descent (PGD, arXiv
1706.06083).

No text is behind such a shift. What it does bounds what texts could do that move the embeddings as little.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from triglot.attack.search import Found
from triglot.attack.settings import AttackSettings
from triglot.attack.target import Attackable
from triglot.encoder.static import StaticEncoder, bag_means
from triglot.files import InputError


def shift_queries(target: Attackable, attack: AttackSettings, *, rows: int = 256) -> np.ndarray:
    """(queries, dim) vectors of the queries after the shift that lowers the margin most.

    The shift of a query has a norm over all its tokens (Frobenius) of at most `eps` times the root mean square norm of
    the model's token embeddings. Each step goes 2 / steps of the way along the gradient and is projected back.

    Raises:
        InputError: an encoder that has no token embeddings to shift.
    """
    import torch

    from triglot.robust.ball import ascend

    encoder, texts, passage = target.encoder, target.texts, target.side == "passage"
    if isinstance(encoder, StaticEncoder):
        prepare: Callable[[list[str]], Any] = lambda part: _static(encoder, part)  # noqa: E731
    elif hasattr(encoder, "input_embeddings"):
        prepare = lambda part: _network(encoder, part, passage)  # noqa: E731
    else:
        raise InputError(
            f"attack {attack.label!r}: needs a model whose gradients can be taken, not {type(encoder).__name__}"
        )
    device = getattr(encoder, "device", "cpu")
    result = np.empty_like(target.queries)
    by_length = np.argsort([len(text) for text in texts], kind="stable")  # rows are padded to the longest beside them
    for start in range(0, len(texts), rows):
        here = by_length[start : start + rows]
        unit, room, forward = prepare([texts[i] for i in here])
        shift = torch.zeros(unit, device=device, requires_grad=True)
        for _ in range(attack.steps):
            (gradient,) = torch.autograd.grad(target.graph(forward(shift), here).sum(), shift)
            with torch.no_grad():
                limit = attack.eps * room.flatten()
                shift = ascend(shift, -gradient, 2 / attack.steps * limit, limit).requires_grad_()
        with torch.no_grad():
            result[here] = forward(shift).cpu().numpy()
    return result


def shifted(target: Attackable, attack: AttackSettings, lexicon: object = None) -> Found:
    """`search: embedding`, whose texts stay as they are."""
    texts = list(target.texts)
    return Found(texts, np.full(len(texts), attack.steps), shift_queries(target, attack))


def _static(encoder: StaticEncoder, texts: list[str]) -> tuple[Any, Any, Any]:
    """Shape of the shift, its largest norm at eps 1, and the model after the token embeddings.

    Token shifts reduce to one of their mean.
    """
    import torch

    ids, offsets = encoder.tokenize(texts)
    means = torch.from_numpy(bag_means(encoder.embeddings, ids, offsets))
    size = float(np.sqrt(np.square(encoder.embeddings, dtype=np.float64).sum(1).mean()))
    # n tokens whose shifts have a joint norm of r move their mean by r / sqrt(n) at most
    room = torch.from_numpy(size / np.sqrt(np.maximum(np.diff(offsets), 1)).astype(np.float32))[:, None].float()
    steps = [(torch.from_numpy(step.weight), torch.from_numpy(step.bias)) for step in encoder.after]

    def forward(shift: Any) -> Any:
        if encoder.similarity == "dot":
            return means + shift
        vectors = torch.nn.functional.normalize(means + shift, dim=1)
        for weight, bias in steps:
            vectors = torch.nn.functional.normalize(vectors @ weight.T + bias, dim=1)
        return vectors

    return means.shape, room, forward


def _network(encoder: Any, texts: list[str], passage: bool) -> tuple[Any, Any, Any]:
    """As `_static`, for a transformer: the shift is added where the input embeddings come out."""

    features = {
        key: value.to(encoder.device) for key, value in encoder.features(texts, np.full(len(texts), passage)).items()
    }
    mask = features["attention_mask"][:, :, None].float()
    table = encoder.input_embeddings.weight
    size = table.detach().float().square().sum(1).mean().sqrt()

    def forward(shift: Any) -> Any:
        handle = encoder.input_embeddings.register_forward_hook(lambda module, args, output: output + shift * mask)
        try:
            return encoder.forward(**features).float()
        finally:
            handle.remove()

    return (*mask.shape[:2], table.shape[1]), size.reshape(1, 1, 1).expand(len(texts), 1, 1), forward
