"""Compute the embeddings of many texts with a frozen encoder, in batches of similar length, with a progress bar.

Letters: N texts, M windows of all texts, D dimensions.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from textlrp.arrays import Array
from textlrp.lrp.recorded.replaced_vectors import evaluating
from textlrp.machine import progress_bar
from textlrp.models.encoders.embedding_cache import EmbeddingCache, key_of_text
from textlrp.models.encoders.pooled_encoder import PooledEncoder
from textlrp.models.transformers.sequence_batches import SequenceBatches
from textlrp.models.transformers.sequence_calls import PieceIds
from textlrp.text.batches import bucket

TEXTS_STORED_TOGETHER = 256
"""Texts that are embedded before their embeddings are stored: what an interruption loses."""

WindowsOfText = Sequence[PieceIds]
"""The pieces of each window of one text, at least one window."""


def embed_texts(
    encoder: PooledEncoder,
    batches: SequenceBatches,
    texts: Sequence[WindowsOfText],
    *,
    special: int,
    together: int,
    cache: EmbeddingCache | None = None,
) -> Array:
    """Return the embeddings (N, D) of N >= 1 texts. Equal texts are read only once.

    ``special`` is the number of special tokens of a window, ``together`` the number of ids that are read together.
    With a ``cache``, known embeddings are taken from it and new ones are added, group by group.
    """
    keys = [key_of_text(windows) for windows in texts]
    first = {key: n for n, key in reversed(list(enumerate(keys)))}
    known = {} if cache is None else cache.read(list(first))
    missing = [n for key, n in first.items() if key not in known]
    sizes = [sum(map(len, windows)) for windows in texts]
    with progress_bar(transient=True) as bar:
        # counted in pieces, because the shortest texts come first
        task = bar.add_task("embeddings", total=sum(sizes[n] for n in missing), note="")
        for group in bucket([sizes[n] for n in missing], TEXTS_STORED_TOGETHER):
            numbers = [missing[place] for place in group.tolist()]
            vectors = embed_group(
                encoder, batches, [texts[n] for n in numbers], special=special, together=together
            ).numpy()
            if cache is not None:
                cache.write([keys[n] for n in numbers], vectors)
            known.update(zip([keys[n] for n in numbers], vectors, strict=True))
            bar.advance(task, sum(sizes[n] for n in numbers))
    return np.stack([known[key] for key in keys])


def embed_group(
    encoder: PooledEncoder,
    batches: SequenceBatches,
    texts: Sequence[WindowsOfText],
    *,
    special: int,
    together: int,
) -> Tensor:
    """Return the embeddings (N, D) of N >= 1 texts, without progress bar and cache."""
    with torch.no_grad(), evaluating(encoder):
        pooled = pool_windows(encoder, batches, [window for windows in texts for window in windows], together)
        return encoder.finish(
            means_over_windows(pooled, [[len(each) for each in windows] for windows in texts], special)
        )


def pool_windows(
    encoder: PooledEncoder, batches: SequenceBatches, windows: Sequence[PieceIds], together: int
) -> Tensor:
    """Return the pooled vectors (M, D) of windows."""
    found: dict[int, Tensor] = {}
    for rows, batch in batches.batches(encoder, windows, together):
        found.update(zip(rows, encoder.pool(batch.ids, batch.mask, batch.types), strict=True))
    return torch.stack([found[row] for row in range(len(windows))])


def means_over_windows(pooled: Tensor, sizes: Sequence[Sequence[int]], special: int) -> Tensor:
    """Return the means (N, D) of the vectors (M, D) of the windows of each text by :func:`window_shares`."""
    shares = window_shares(sizes, special).to(pooled.dtype)
    texts = torch.repeat_interleave(torch.arange(len(sizes)), torch.tensor([len(each) for each in sizes]))
    return pooled.new_zeros(len(sizes), pooled.shape[1]).index_add_(0, texts, pooled * shares[:, None])


def window_shares(sizes: Sequence[Sequence[int]], special: int) -> Tensor:
    """(M,) float64: the ids of each window as a share of those of all windows of its text.

    ``sizes`` are the pieces of each window of each text; each window also has ``special`` tokens.
    """
    of_texts = [torch.tensor([float(size + special) for size in each], dtype=torch.float64) for each in sizes]
    return torch.cat([each / each.sum() for each in of_texts])
