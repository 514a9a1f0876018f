"""Train text classifiers, and explain their predictions word by word with layer-wise relevance propagation (LRP).

>>> import textlrp
>>> model = textlrp.load("20newsgroups-cnn")
>>> textlrp.explain(model, "The shuttle reached its orbit on Monday.")  # doctest: +SKIP

:func:`explain` returns an :class:`Explanation`, which displays itself in a notebook. :func:`write_report` writes a
page about many documents. There is more in :mod:`textlrp.evaluation` (how faithful are the explanations?),
:mod:`textlrp.bulk` (millions of documents) and :mod:`textlrp.store` (files of explanations).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from textlrp.lazy_imports import importer
from textlrp.version import __version__ as __version__

if TYPE_CHECKING:
    from textlrp.errors import TextlrpError
    from textlrp.evaluation.shortcuts.find import find_shortcuts
    from textlrp.explainers.explain import explain
    from textlrp.explainers.similar.two_texts import similarity
    from textlrp.explainers.targets import Index
    from textlrp.explanation import Explanation
    from textlrp.lrp.composite import Composite
    from textlrp.lrp.recorded.operations import register
    from textlrp.lrp.rules import AlphaBeta, Epsilon, Gamma, Zero
    from textlrp.models.estimators import (
        BagOfEmbeddingsClassifier,
        BagOfWordsClassifier,
        CNNClassifier,
        EncoderClassifier,
        load,
    )
    from textlrp.models.wrapping import wrap
    from textlrp.records import Document
    from textlrp.reports.corpus.report_files import write_report
    from textlrp.text.corpora import load_corpus
    from textlrp.text.post_corpora import load_20newsgroups, load_sample_posts

__all__ = [
    "AlphaBeta",
    "BagOfEmbeddingsClassifier",
    "BagOfWordsClassifier",
    "CNNClassifier",
    "Composite",
    "Document",
    "EncoderClassifier",
    "Epsilon",
    "Explanation",
    "Gamma",
    "Index",
    "TextlrpError",
    "Zero",
    "explain",
    "find_shortcuts",
    "load",
    "load_20newsgroups",
    "load_corpus",
    "load_sample_posts",
    "register",
    "similarity",
    "wrap",
    "write_report",
]

_MODULES = {
    "AlphaBeta": "lrp.rules",
    "BagOfEmbeddingsClassifier": "models.estimators",
    "BagOfWordsClassifier": "models.estimators",
    "CNNClassifier": "models.estimators",
    "Composite": "lrp.composite",
    "Document": "records",
    "EncoderClassifier": "models.estimators",
    "Epsilon": "lrp.rules",
    "Explanation": "explanation",
    "Gamma": "lrp.rules",
    "Index": "explainers.targets",
    "TextlrpError": "errors",
    "Zero": "lrp.rules",
    "explain": "explainers.explain",
    "find_shortcuts": "evaluation.shortcuts.find",
    "load": "models.estimators",
    "load_20newsgroups": "text.post_corpora",
    "load_corpus": "text.corpora",
    "load_sample_posts": "text.post_corpora",
    "register": "lrp.recorded.operations",
    "similarity": "explainers.similar.two_texts",
    "wrap": "models.wrapping",
    "write_report": "reports.corpus.report_files",
}


__getattr__ = importer(__name__, _MODULES)


def __dir__() -> list[str]:
    return sorted([*globals(), *__all__])
