"""The fingerprint of a trained classifier: a hash that changes with everything that the scores depend on."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from operator import is_
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from textlrp.models.options import plain_option

if TYPE_CHECKING:
    from textlrp.models.base import TextClassifier


class _Fingerprint(NamedTuple):
    """A cached fingerprint: its ``digits``, and the fitted objects and options that it was computed from."""

    fitted: tuple[Any, ...]
    options: dict[str, Any]
    digits: str

    def is_of(self, fitted: tuple[Any, ...], options: dict[str, Any]) -> bool:
        """Whether these are the same objects and equal options."""
        same = len(fitted) == len(self.fitted) and all(map(is_, fitted, self.fitted))
        return same and options == self.options


def fingerprint_of(model: TextClassifier) -> str:
    """Return a hash of weights, vocabulary, classes and ``scoring_options``: twelve hexadecimal digits.

    The hash is cached while the fitted attributes are the same objects and the options are equal.
    """
    options = {name: plain_option(getattr(model, name)) for name in sorted(model.scoring_options)}
    if model.reads_characters() and (left_out := model.stop_set()):  # otherwise the vocabulary is without them
        options["stop_words"] = sorted(left_out)
    fitted = (model.vocabulary_, model.classes_, *(model.weights_[name] for name in sorted(model.weights_)))
    cached: _Fingerprint | None = model.__dict__.get("_cached_fingerprint")
    if cached is None or not cached.is_of(fitted, options):
        cached = _Fingerprint(fitted, options, _digest(model, options))
        model.__dict__["_cached_fingerprint"] = cached
    return cached.digits


def _digest(model: TextClassifier, options: Mapping[str, Any]) -> str:
    digest = hashlib.sha256()
    for name in sorted(model.weights_):
        digest.update(name.encode())
        digest.update(np.ascontiguousarray(model.weights_[name]).data)
    digest.update("\n".join(model.vocabulary_.words).encode())
    digest.update(json.dumps([model.kind, model.classes_.tolist(), options]).encode())
    return digest.hexdigest()[:12]
