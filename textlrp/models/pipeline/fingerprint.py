"""A fingerprint of a scikit-learn pipeline, which identifies the model of a stored explanation.

It is equal in every process, and different if anything that affects scores differs.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from scipy import sparse
from sklearn.base import BaseEstimator

from textlrp.models.pipeline.decisions import Decision
from textlrp.models.pipeline.forms import nested_forms
from textlrp.models.pipeline.unwrapped import unwrapped
from textlrp.models.pipeline.vectorizers import TextVectorizer
from textlrp.text.user_tokenizers import callable_path


def digest(pipeline: Any, readers: Sequence[TextVectorizer], learned: Sequence[Any], scores: Decision) -> str:
    """Return 12 hexadecimal digits: a hash of options, vocabularies, fitted attributes, weights and classes."""
    content = hashlib.sha256()
    _add(content, pipeline)
    for reader in readers:
        vocabulary = getattr(reader.vectorizer, "vocabulary_", {})
        _add(content, [reader.width, "\0".join(sorted(vocabulary, key=vocabulary.__getitem__))])
        _add(content, getattr(getattr(reader.vectorizer, "_tfidf", None), "idf_", None))
    _add(content, [*learned, scores.classes])
    for form in nested_forms(scores.form):
        for term in form.terms:
            _add(content, [term.start, term.absent, term.weight])
    return content.hexdigest()[:12]


def _add(content: Any, value: Any) -> None:
    """Add a value to the hash by its content, never by its memory address."""
    if isinstance(value, BaseEstimator):
        used = unwrapped(value, type(value).__name__) if hasattr(value, "best_estimator_") else value
        _add(content, [type(used).__name__, used.get_params(deep=False)])
    elif isinstance(value, Mapping):
        _add_all(content, "map", [pair for key in sorted(value, key=str) for pair in (key, value[key])])
    elif isinstance(value, (set, frozenset)):
        _add_all(content, "set", sorted(value, key=str))
    elif isinstance(value, (list, tuple)):
        _add_all(content, "list", value)
    elif sparse.issparse(value):
        rows = sparse.csr_array(value)
        rows.sort_indices()
        _add_all(content, "sparse", [list(rows.shape), rows.indptr, rows.indices, rows.data])
    elif isinstance(value, np.ndarray) and value.dtype.kind != "O":
        content.update(f"{value.dtype}{value.shape}".encode())
        content.update(np.ascontiguousarray(value).tobytes())
    elif isinstance(value, np.ndarray):
        _add_all(content, "list", value.tolist())
    elif isinstance(value, (str, bytes, int, float, bool, np.generic, type(None))):
        content.update(f"{value!r};".encode("utf-8", "surrogatepass"))
    else:
        content.update(f"{callable_path(value)};".encode())


def _add_all(content: Any, kind: str, values: Any) -> None:
    content.update(f"{kind}{len(values)}(".encode())
    for value in values:
        _add(content, value)
    content.update(b")")
