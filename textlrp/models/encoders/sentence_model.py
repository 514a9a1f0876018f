"""A sentence encoder that the user trained a linear classifier for, or a SetFit model, as a model to explain."""

from __future__ import annotations

from typing import Any

from torch import nn

from textlrp.errors import OptionError
from textlrp.models.encoders.encoder_model import EncoderModel, encoder_model
from textlrp.models.encoders.linear_heads import encoder_head, setfit_head
from textlrp.models.encoders.recognized_encoders import is_sentence_transformer
from textlrp.models.encoders.sentence_encoder import encoder_of
from textlrp.models.torch_module.refusals import check_module
from textlrp.models.transformers.recognized import model_inside


def sentence_model(model: Any, head: Any = None, *, windows: bool = False) -> EncoderModel:
    """Return a ``SentenceTransformer`` with a fitted ``head``, or a ``SetFitModel``, as a model for ``explain``.

    ``head`` is a linear classifier of scikit-learn that was fitted on ``model.encode(texts)``; a SetFit model has its
    own. A text that is too long is truncated after its last whole word that fits, or with ``windows`` read in windows
    side by side.

    Raises :class:`OptionError` without a head or with two, and :class:`ModelError` for an encoder or a head that is
    not supported.
    """
    if is_sentence_transformer(model):
        if head is None:
            raise OptionError(
                "head must be the linear classifier that was fitted on the embeddings; got None. Pass "
                "head=LogisticRegression().fit(model.encode(texts), labels), for example."
            )
        encoder = encoder_of(model_inside(model))
        check_module(encoder.module)
        return encoder_model(encoder, encoder_head(head, encoder.dimensions), windows=windows)
    if head is not None:
        raise OptionError(
            f"head must be left out for a SetFitModel, which has its own; got a {type(head).__name__}. Leave "
            "out head=."
        )
    encoder = encoder_of(model.model_body).with_normalize(True if model.normalize_embeddings else None)
    check_module(encoder.module)
    if isinstance(model.model_head, nn.Module):
        check_module(model.model_head)
    return encoder_model(encoder, setfit_head(model, encoder.dimensions), windows=windows)
