"""Store an explanation in a spaCy document, and read the relevance of its tokens, sentences and entities.

Open this module for the extension attributes, and for what is stored in ``doc.user_data``. S tokens of spaCy.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import partial
from typing import Any, NamedTuple

import numpy as np
import srsly  # type: ignore[import-untyped]
from numpy.typing import NDArray
from spacy.attrs import IDX, LENGTH, ORTH, SPACY
from spacy.tokens import Doc, Span, Token

from textlrp.errors import DataError, OptionError, must_be
from textlrp.explanation import Explanation
from textlrp.explanation_data import from_dict
from textlrp.spacy_pipe.token_overlap import shared_relevance

COMPONENT = "textlrp"
"""The default name of the component, whose results have the plain names."""

_PACKED = "textlrp explanation"
"""The key of an explanation among the data of a serialized document."""


class SpanRelevance(NamedTuple):
    """A span of a document, such as a sentence or an entity, and the sum of the relevance of its tokens."""

    span: Span
    relevance: float


# ---- the functions for users


def relevance_of_tokens(
    doc: Doc, *, target: str | int | None = None, component: str = COMPONENT
) -> NDArray[np.float64]:
    """Return the relevance (S,) of spaCy's tokens for a target; its sum is that of the explanation's tokens.

    ``target`` as in :meth:`textlrp.Explanation.row`: a name, a row, or None for the predicted class. ``component`` is
    the name of the component in the pipeline. Raises :class:`DataError` if the document has no explanation or another
    text, and :class:`TargetError` if the target was not explained.
    """
    explanation = stored_explanation(doc, component)
    if explanation is None:
        raise DataError(
            must_be("doc", f"a document that the component {component!r} has processed", doc.text[:40])
            + ' Add it with nlp.add_pipe("textlrp"), and serialize documents with their user data.'
        )
    if explanation.text != doc.text:
        raise DataError(
            "doc must have the text that was explained; got another text. Process the document again with nlp()."
        )
    return _aligned(explanation, explanation.row(target), *_token_ranges(doc))


def sentences_by_relevance(
    doc: Doc, *, target: str | int | None = None, component: str = COMPONENT
) -> list[SpanRelevance]:
    """Return the sentences of a document, the largest relevance first; equal ones in the order of the text.

    Options and errors as in :func:`relevance_of_tokens`. Raises :class:`DataError` too if the document has no
    sentence boundaries.
    """
    if not doc.has_annotation("SENT_START"):
        raise DataError(
            'doc must have sentence boundaries; got none. Add a component that sets them: nlp.add_pipe("sentencizer")'
        )
    return _ranked(doc.sents, relevance_of_tokens(doc, target=target, component=component))


def entities_by_relevance(
    doc: Doc, *, target: str | int | None = None, component: str = COMPONENT
) -> list[SpanRelevance]:
    """Return the entities of a document, the largest relevance first; equal ones in the order of the text.

    Options and errors as in :func:`relevance_of_tokens`. A document without entities gives an empty list.
    """
    return _ranked(doc.ents, relevance_of_tokens(doc, target=target, component=component))


def _ranked(spans: Iterable[Span], relevance: NDArray[np.float64]) -> list[SpanRelevance]:
    found = [SpanRelevance(span, float(relevance[span.start : span.end].sum())) for span in spans]
    return sorted(found, key=lambda each: -each.relevance)


# ---- what is stored in a document


def texts_of_docs(docs: Sequence[Doc]) -> list[str]:
    """Return ``doc.text`` of one or more documents with the same vocabulary.

    Takes half the time, because ``doc.text`` creates a Python object for each token.
    """
    columns = [doc.to_array([ORTH, SPACY]).reshape(-1, 2) for doc in docs]
    together = np.concatenate(columns)
    ids, word_of = np.unique(together[:, 0], return_inverse=True)
    words = [docs[0].vocab.strings[word] for word in ids.tolist()]
    followed = np.array([*words, *(f"{word} " for word in words)], dtype=object)
    pieces = followed[word_of + len(words) * together[:, 1].astype(np.int64)]
    ends = np.cumsum([len(each) for each in columns])
    return ["".join(each.tolist()) for each in np.split(pieces, ends[:-1])]


def store_explanation(doc: Doc, component: str, explanation: Explanation) -> NDArray[np.float64]:
    """Store an explanation in ``doc.user_data``, and return the relevance (S,) of the tokens for its main target."""
    starts, lengths = _token_ranges(doc)
    relevance = _aligned(explanation, explanation.row(), starts, lengths)
    doc.user_data[_stored_under(component)] = {
        "explanation": explanation, "relevance": relevance, "starts": starts, "lengths": lengths,
    }  # fmt: skip
    return relevance


def stored_explanation(doc: Doc, component: str) -> Explanation | None:
    """Return the explanation of a document, None if it has none."""
    stored = doc.user_data.get(_stored_under(component))
    if stored is None:
        return None
    found = stored["explanation"]
    if isinstance(found, dict):  # the document was read before this module was imported
        found = stored["explanation"] = unpacked(found)
    return found if isinstance(found, Explanation) else None


def _stored_under(component: str) -> str:
    return f"textlrp:{component}"


def _token_ranges(doc: Doc) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    starts, lengths = doc.to_array([IDX, LENGTH]).astype(np.int64).reshape(-1, 2).T
    return starts, lengths


def _aligned(
    explanation: Explanation, row: int, starts: NDArray[np.int64], lengths: NDArray[np.int64]
) -> NDArray[np.float64]:
    return shared_relevance(explanation.relevance[row], explanation.tokens.spans, starts, lengths)


def _current(doc: Doc, component: str, tokens: Iterable[Token]) -> NDArray[np.float64] | None:
    """The relevance (S,) for the main target; computed again if ``tokens`` are not those that were stored."""
    stored = doc.user_data.get(_stored_under(component))
    if stored is None:
        return None
    starts, lengths = stored["starts"], stored["lengths"]
    if len(starts) != len(doc) or any(
        starts[token.i] != token.idx or lengths[token.i] != len(token) for token in tokens
    ):
        explanation = stored_explanation(doc, component)
        if explanation is None or explanation.text != doc.text:
            return None
        return store_explanation(doc, component, explanation)
    relevance: NDArray[np.float64] = stored["relevance"]
    return relevance


# ---- extension attributes. Their getters can be pickled, because spaCy sends them to its worker processes.


def doc_explanation(doc: Doc, *, component: str) -> Explanation | None:
    """Return ``doc._.explanation``, None if the component has not processed the document."""
    return stored_explanation(doc, component)


def token_relevance(token: Token, *, component: str) -> float | None:
    """Return ``token._.relevance``, None if the component has not processed the document."""
    relevance = _current(token.doc, component, (token,))
    return None if relevance is None else float(relevance[token.i])


def span_relevance(span: Span, *, component: str) -> float | None:
    """Return ``span._.relevance``: the sum over its tokens, None if the component has not processed the document."""
    relevance = _current(span.doc, component, span)
    return None if relevance is None else float(relevance[span.start : span.end].sum())


def add_extensions(component: str) -> None:
    """Register the extension attributes of a component; raise :class:`OptionError` if another package uses a name."""
    suffix = "" if component == COMPONENT else f"_{component}"
    for owner, name, getter in (
        (Doc, f"explanation{suffix}", doc_explanation),
        (Token, f"relevance{suffix}", token_relevance),
        (Span, f"relevance{suffix}", span_relevance),
    ):
        if owner.has_extension(name):
            present = owner.get_extension(name)[2]
            if isinstance(present, partial) and present.func is getter:
                continue
            what = f"such that {owner.__name__.lower()}._.{name} is not the attribute of another component"
            raise OptionError(
                must_be("name", what, component, 'Pass another one: nlp.add_pipe("textlrp", name=...).')
            )
        owner.set_extension(name, getter=partial(getter, component=component))


# ---- explanations in serialized documents


def packed(value: Any, chain: Any = None) -> Any:
    """Encode an explanation for msgpack; other values are passed to the next encoder."""
    if isinstance(value, Explanation):
        return {_PACKED: value.to_dict()}
    return value if chain is None else chain(value)


def unpacked(value: Any, chain: Any = None) -> Any:
    """Decode what :func:`packed` returns; other values are passed to the next decoder."""
    if _PACKED in value:
        return from_dict(value[_PACKED])
    return value if chain is None else chain(value)


srsly.msgpack_encoders.register(COMPONENT, func=packed)
srsly.msgpack_decoders.register(COMPONENT, func=unpacked)
