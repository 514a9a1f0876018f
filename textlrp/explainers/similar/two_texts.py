"""``textlrp.similarity``: split the similarity of two texts among pairs of words, with BiLRP.

Source: Eberle, Büttner, Kräutli, Müller, Valleriani, Montavon: "Building and interpreting deep similarity models",
IEEE TPAMI 2020, arXiv 2003.05431, sections 2 and 3.

Letters: L words that the model reads, T tokens, M features of an embedding.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from textlrp.arrays import Array
from textlrp.errors import DataError, ModelError, OptionError, must_be
from textlrp.explainers.similar.embedding_features import FeatureRelevance
from textlrp.explainers.similar.feature_relevance import as_comparable, embedding_name, feature_relevance
from textlrp.lrp.composite import Composite
from textlrp.lrp.presets import as_composite
from textlrp.lrp.shares import Rule
from textlrp.models.text_options import TORCH_DTYPES
from textlrp.records import UNNAMED, Document
from textlrp.similar_texts import Similarity
from textlrp.version import __version__

if TYPE_CHECKING:
    from sklearn.pipeline import Pipeline

    from textlrp.explainers.similar.feature_relevance import Comparable

MOST_PAIRS = 1 << 28
"""The largest number of pairs of tokens; their matrix takes 1 GiB in float32."""


def similarity(
    model: Comparable | Pipeline,
    a: str | Document,
    b: str | Document,
    *,
    rule: str | Rule | Composite | None = None,
    normalize: bool = False,
    dtype: str | None = None,
) -> Similarity:
    """Explain why two texts are similar for a model: the contribution of each pair of words (BiLRP).

    The embedding y of a text is the input of the last layer of the model. The similarity is the dot product of the
    two embeddings. LRP propagates each of the M features to the words of each text, and the relevance of the words i
    of ``a`` and j of ``b`` is the sum over features::

        matrix[i, j] = sum_m R_i(y_m(a)) R_j(y_m(b))

    Then ``matrix.sum() + absorbed == score``. For bags of words and of embeddings nothing is absorbed.

    - ``model``: a fitted :class:`BagOfWordsClassifier` (y is the TF-IDF features), :class:`BagOfEmbeddingsClassifier`
      (y is the weighted sum of word vectors) or :class:`CNNClassifier` (y is the pooled filters), or a fitted
      scikit-learn Pipeline of text vectorizers and a classifier (y is the features of the vectorizers), or an
      :class:`EncoderClassifier` or a SentenceTransformer (y is the sentence embedding).
    - ``rule``: as in :func:`textlrp.explain`; it applies to the layers before the embedding. The default is
      "epsilon", and "cp-lrp" for sentence encoders.
    - ``normalize``: divide by the lengths of both embeddings, so that the score is the cosine. The lengths are
      constants for LRP, so that all numbers are only scaled. The similarity with a text of no read word is 0.
    - ``dtype``: "float32" or "float64". The default is the model's own.

    Raises :class:`ModelError` for any other model, :class:`RuleError` for an unknown rule, :class:`OptionError` for
    an option out of its range, and :class:`DataError` for texts of more than 268 million pairs of tokens.

    Source: Eberle et al. 2020, arXiv 2003.05431, equation 6.
    """
    comparable = as_comparable(model)
    composite = checked_composite(comparable, rule, normalize, dtype)
    documents = [as_named(text, name) for name, text in (("a", a), ("b", b))]
    return similarity_of(comparable, documents, composite, normalize=normalize, dtype=dtype)


def checked_composite(
    model: Comparable, rule: str | Rule | Composite | None, normalize: bool, dtype: str | None
) -> Composite:
    """Check the options of :func:`similarity` and return its rule; raises as it does."""
    if dtype is not None and dtype not in TORCH_DTYPES:
        hint = "Leave it out for the model's own."
        raise OptionError(must_be("dtype", "'float32' or 'float64'", dtype, hint))
    if not isinstance(normalize, (bool, np.bool_)):
        raise OptionError(must_be("normalize", "True or False", normalize, "Pass normalize=True for the cosine."))
    return as_composite(getattr(model, "default_rule", "epsilon") if rule is None else rule)


def as_named(text: Any, parameter: str) -> Document:
    """Return a text as a document; raise :class:`OptionError` if it is neither a string nor a Document."""
    if isinstance(text, Document):
        return text
    if not isinstance(text, str):
        raise OptionError(must_be(parameter, "a string or a Document", text, "Pass one text."))
    return Document(UNNAMED, text)


def similarity_of(
    model: Comparable,
    documents: Sequence[Document],
    composite: Composite,
    *,
    normalize: bool,
    dtype: str | None,
    known: FeatureRelevance | None = None,
) -> Similarity:
    """Return the similarity of two documents; ``known`` is the relevance of the first, if it is computed already."""
    batch = model.encode(list(documents))
    _check_pairs(documents, *(len(reading.tokens) for reading in batch.readings))
    first, second = (
        known if known is not None and n == 0 else feature_relevance(model, batch.select([n]), composite, dtype=dtype)
        for n in range(2)
    )
    scale = 1.0
    if normalize:
        lengths = embedding_length(first.values) * embedding_length(second.values)
        scale = 1.0 / lengths if lengths else 0.0
    words, score, ledger = _combined(*_shared(first, second), scale)
    matrix = np.zeros([len(reading.tokens) for reading in batch.readings], dtype=words.dtype)
    matrix[np.ix_(*(reading.positions for reading in batch.readings))] = words
    if not (np.isfinite(matrix).all() and np.isfinite(list(ledger.values())).all()):
        raise ModelError(
            f"relevance must be finite; got another number for {documents[0].id!r} and {documents[1].id!r} with "
            f'{composite.printed}. Choose another rule, or pass dtype="float64".'
        )
    return Similarity(
        document_ids=(documents[0].id, documents[1].id),
        tokens=(batch.readings[0].tokens, batch.readings[1].tokens),
        status=(batch.status[0], batch.status[1]),
        matrix=matrix,
        score=score,
        ledger=ledger,
        normalize=bool(normalize),
        embedding=embedding_name(model),
        rule=composite.printed,
        model=model.fingerprint_,
        version=__version__,
    )


def _check_pairs(documents: Sequence[Document], first: int, second: int) -> None:
    if first * second > MOST_PAIRS:
        raise DataError(
            f"the two texts must have at most {MOST_PAIRS:,} pairs of tokens; got {first:,} × {second:,} for "
            f"{documents[0].id!r} and {documents[1].id!r}. Compare parts of them."
        )


def embedding_length(values: Array) -> float:
    """Return the L2 norm of an embedding (M,), in float64."""
    return float(np.linalg.norm(values.astype(np.float64)))


def _shared(first: FeatureRelevance, second: FeatureRelevance) -> tuple[FeatureRelevance, FeatureRelevance]:
    """Restrict both to the features that they have in common: all others do not contribute."""
    if first.columns is None or second.columns is None:
        return first, second
    _, *places = np.intersect1d(first.columns, second.columns, assume_unique=True, return_indices=True)
    one, other = (
        FeatureRelevance(
            each.values[chosen], each.columns, each.relevance[:, chosen],
            {key: entry[chosen] for key, entry in each.ledger.items()},
        )
        for each, chosen in zip((first, second), places, strict=True)
    )  # fmt: skip
    return one, other


def _combined(
    first: FeatureRelevance, second: FeatureRelevance, scale: float
) -> tuple[Array, float, dict[tuple[str, str], float]]:
    """Return the relevance (L, L') of pairs of words, the similarity, and the ledger.

    Of each feature, words and causes of the one text meet words and causes of the other. Pairs of words are the
    matrix; all other pairs are in the ledger, and a pair of two causes is divided equally between them.
    """
    product = first.relevance @ second.relevance.T
    matrix = product if isinstance(product, np.ndarray) else product.toarray()
    score = float(first.values.astype(np.float64) @ second.values.astype(np.float64)) * scale
    words = [_sum_of_words(each) for each in (first, second)]
    causes = [sum(each.ledger.values(), np.zeros(len(each.values))) for each in (first, second)]
    ledger: dict[tuple[str, str], float] = {}
    for key in dict.fromkeys((*first.ledger, *second.ledger)):
        entry = 0.0
        for one, other in ((0, 1), (1, 0)):
            absorbed = (first, second)[one].ledger.get(key)
            if absorbed is not None:
                entry += float(absorbed.astype(np.float64) @ (words[other] + causes[other] / 2))
        if entry:
            ledger[key] = entry * scale
    return (matrix * matrix.dtype.type(scale)).astype(first.values.dtype), score, ledger


def _sum_of_words(found: FeatureRelevance) -> Array:
    """The relevance (M,) of all words together, in float64."""
    return np.asarray(found.relevance.sum(axis=0, dtype=np.float64)).reshape(-1)
