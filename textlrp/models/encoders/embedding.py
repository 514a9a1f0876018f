"""Compute the embeddings of many texts with a frozen encoder, in batches of similar length, with a progress bar.

Letters: N texts, D dimensions.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch

from textlrp.arrays import Array
from textlrp.lrp.recorded.replaced_vectors import evaluating
from textlrp.machine import progress_bar
from textlrp.models.encoders.embedding_cache import EmbeddingCache, key_of_text
from textlrp.models.encoders.pooled_encoder import PooledEncoder
from textlrp.models.encoders.text_rows import Rows
from textlrp.models.transformers.fast_tokenizer import FastTokenizer
from textlrp.models.transformers.sequence_calls import padded
from textlrp.text.batches import bucket

TEXTS_STORED_TOGETHER = 256
"""Texts that are embedded before their embeddings are stored: what an interruption loses."""


def embed_texts(
    encoder: PooledEncoder,
    tokenizer: FastTokenizer,
    texts: Sequence[Rows],
    *,
    batch_size: int,
    cache: EmbeddingCache | None = None,
) -> Array:
    """Return the embeddings (N, D) of N >= 1 texts, given as their rows. Equal texts are read only once.

    ``batch_size`` is the number of rows that the encoder reads together. With a ``cache``, known embeddings are taken
    from it and new ones are added, group by group.
    """
    keys = [key_of_text(rows) for rows in texts]
    first = {key: n for n, key in reversed(list(enumerate(keys)))}
    known = {} if cache is None else cache.read(list(first))
    missing = [n for key, n in first.items() if key not in known]
    groups = bucket([sum(map(len, texts[n])) for n in missing], TEXTS_STORED_TOGETHER)
    with progress_bar(transient=True) as bar:
        # counted in pieces, because the shortest texts come first
        task = bar.add_task("embeddings", total=sum(_pieces(texts[n]) for n in missing), note="")
        for group in groups:
            numbers = [missing[place] for place in group.tolist()]
            vectors = embed_group(encoder, tokenizer, [texts[n] for n in numbers], batch_size=batch_size)
            if cache is not None:
                cache.write([keys[n] for n in numbers], vectors)
            known.update(zip([keys[n] for n in numbers], vectors, strict=True))
            bar.advance(task, sum(_pieces(texts[n]) for n in numbers))
    return np.stack([known[key] for key in keys])


def embed_group(encoder: PooledEncoder, tokenizer: FastTokenizer, texts: Sequence[Rows], *, batch_size: int) -> Array:
    """Return the embeddings (N, D) of N >= 1 texts, in batches of at most ``batch_size`` rows of similar length."""
    rows = [row for of_text in texts for row in of_text]
    documents = torch.from_numpy(np.repeat(np.arange(len(texts)), [len(of_text) for of_text in texts]))
    order: list[int] = []
    parts: list[tuple[torch.Tensor, torch.Tensor]] = []
    with torch.no_grad(), evaluating(encoder):
        for chosen in bucket([len(row) for row in rows], batch_size):
            order += chosen.tolist()
            some = padded(
                [rows[r] for r in chosen.tolist()], tokenizer.frame, tokenizer.padding or 0, left=tokenizer.left
            )
            parts.append(encoder.pool(some.ids, some.mask))
        place = torch.from_numpy(np.argsort(order))
        pooled, pieces = (torch.cat(part)[place] for part in zip(*parts, strict=True))
        sizes = pieces.new_zeros(len(texts)).index_add_(0, documents, pieces)
        weighted = pooled * (pieces / sizes[documents])[:, None]
        joined = pooled.new_zeros(len(texts), pooled.shape[1]).index_add_(0, documents, weighted)
        vectors: Array = encoder.finish(joined).numpy()
    return vectors


def _pieces(rows: Rows) -> int:
    return sum(map(len, rows))
