"""Which pipelines have scores that are sums over the words of a text, so that deleting a word subtracts its part."""

from __future__ import annotations

from typing import Any

from sklearn.feature_extraction.text import CountVectorizer, HashingVectorizer, TfidfTransformer, TfidfVectorizer
from sklearn.naive_bayes import ComplementNB, MultinomialNB
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import MaxAbsScaler

from textlrp.models.pipeline.linear import LINEAR
from textlrp.models.pipeline.pipeline_model import PipelineModel


def is_additive(model: object) -> bool:
    """Whether a model is a pipeline of counts of single words, without norm or logarithm, and a linear classifier.

    A word that occurs twice counts twice. Any other model, such as TF-IDF scaled to length 1, is not additive:
    deleting a word changes the weights of the others.
    """
    if not isinstance(model, PipelineModel) or not isinstance(model.estimator, Pipeline):
        return False
    *steps, (_, classifier) = model.estimator.steps
    return isinstance(classifier, (*LINEAR, MultinomialNB, ComplementNB)) and all(
        _is_additive_step(step) for _, step in steps
    )


def _is_additive_step(step: Any) -> bool:
    if isinstance(step, (CountVectorizer, HashingVectorizer)):
        words_alone = step.analyzer == "word" and tuple(step.ngram_range) == (1, 1) and not step.binary
        weights = isinstance(step, (TfidfVectorizer, HashingVectorizer))
        return words_alone and (not weights or _keeps_sums(step))
    return _keeps_sums(step) if isinstance(step, TfidfTransformer) else isinstance(step, MaxAbsScaler)


def _keeps_sums(step: Any) -> bool:
    return step.norm is None and not getattr(step, "sublinear_tf", False)
