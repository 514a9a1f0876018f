"""Compute the embeddings of many texts with a frozen encoder, in batches of similar length, with a progress bar.

Letters: N texts, R rows of a group of texts, D dimensions.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch

from textlrp.arrays import Array
from textlrp.machine import progress_bar
from textlrp.models.encoders.embedding_cache import EmbeddingCache, key_of_text
from textlrp.models.encoders.pooled_encoder import PooledEncoder
from textlrp.models.encoders.text_rows import Pieces, padded_rows
from textlrp.text.batches import bucket

TEXTS_STORED_TOGETHER = 256
"""Texts that are embedded before their embeddings are stored: what an interruption loses."""

Rows = Sequence[Pieces]
"""The rows of one text, with special tokens."""


def embed_texts(
    encoder: PooledEncoder,
    texts: Sequence[Rows],
    *,
    dimensions: int,
    padding: int,
    batch_size: int,
    cache: EmbeddingCache | None = None,
) -> Array:
    """Return the embeddings (N, D) of N texts, each given as its rows. Equal texts are read only once.

    ``batch_size`` is the number of rows that the encoder reads together. With a ``cache``, known embeddings are taken
    from it and new ones are added, group by group.
    """
    keys = [key_of_text(np.concatenate(list(rows))) for rows in texts]
    first = {key: n for n, key in reversed(list(enumerate(keys)))}
    known = {} if cache is None else cache.read(list(first))
    missing = [n for key, n in first.items() if key not in known]
    groups = bucket([sum(map(len, texts[n])) for n in missing], TEXTS_STORED_TOGETHER)
    with progress_bar(transient=True) as bar:
        # the time of a text is proportional to its number of pieces, and the shortest texts come first
        task = bar.add_task("embeddings", total=sum(len(row) for n in missing for row in texts[n]), note="")
        for group in groups:
            numbers = [missing[place] for place in group.tolist()]
            vectors = embed_group(encoder, [texts[n] for n in numbers], padding=padding, batch_size=batch_size)
            if cache is not None:
                cache.write([keys[n] for n in numbers], vectors)
            known.update(zip([keys[n] for n in numbers], vectors, strict=True))
            bar.advance(task, sum(len(row) for n in numbers for row in texts[n]))
    found = [known[key] for key in keys]
    return np.stack(found) if found else np.zeros((0, dimensions), dtype=np.float32)


def embed_group(encoder: PooledEncoder, texts: Sequence[Rows], *, padding: int, batch_size: int) -> Array:
    """Return the embeddings (N, D) of N texts, at least one, in batches of rows of similar length."""
    rows = [row for of_text in texts for row in of_text]
    documents = torch.from_numpy(np.repeat(np.arange(len(texts)), [len(of_text) for of_text in texts]))
    with torch.inference_mode():
        order: list[int] = []
        parts: list[tuple[torch.Tensor, torch.Tensor]] = []
        for chosen in bucket(list(map(len, rows)), batch_size):
            order += chosen.tolist()
            parts.append(encoder.pool(*padded_rows([rows[r] for r in chosen.tolist()], padding)))
        place = torch.from_numpy(np.argsort(order))
        pooled, pieces = (torch.cat(part)[place] for part in zip(*parts, strict=True))
        vectors: Array = encoder.join(pooled, pieces, documents).numpy()
    return vectors
