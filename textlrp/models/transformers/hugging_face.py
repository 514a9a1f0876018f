"""Models of Hugging Face that classify texts: what ``textlrp.explain(model, texts, tokenizer=...)`` makes of them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from textlrp.models.transformers.fast_tokenizer import fast_tokenizer
from textlrp.models.transformers.piece_reader import PieceReader
from textlrp.models.transformers.transformer_model import TransformerModel


def hugging_face_model(
    model: Any, tokenizer: Any, *, classes: Sequence[Any] | None = None, windows: bool = False
) -> TransformerModel:
    """Return a sequence classifier of transformers with its tokenizer as a model for ``explain``."""
    labels = [model.config.id2label[c] for c in range(model.config.num_labels)] if classes is None else list(classes)
    reader = PieceReader(fast_tokenizer(tokenizer), model.config.max_position_embeddings, windows)
    return TransformerModel(model, reader, classes=np.array(labels))
