"""Is the explanation any good? Measures of explanations, as functions of a model, documents and methods.

``textlrp evaluate`` and :func:`evaluate` take all of them and write a page; here each stands alone. A labeled corpus
is read once (:func:`read_corpus`), its words are explained by a method (:func:`word_relevances`), and words are
deleted in that order (:func:`still_correct`, :func:`curve`, :func:`difference`). Agreement with rationales, the words
that people marked, is in :mod:`textlrp.evaluation.rationales`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from textlrp.lazy_imports import importer

if TYPE_CHECKING:
    from textlrp.class_words import class_words
    from textlrp.evaluation.deletion import PROTOCOLS, curve, difference, still_correct
    from textlrp.evaluation.docvectors import document_vectors, explanatory_power
    from textlrp.evaluation.eraser import eraser_scores
    from textlrp.evaluation.intervals import paired_interval
    from textlrp.evaluation.measured_corpus import MethodSpec, ReadCorpus, read_corpus, word_relevances
    from textlrp.evaluation.pointing import hybrid_documents, pointing_game
    from textlrp.evaluation.randomizing import randomized
    from textlrp.evaluation.running.evaluate_corpus import evaluate
    from textlrp.evaluation.running.plan import Evaluation
    from textlrp.evaluation.sanity import ledger_shares, randomization_check, stability

__all__ = [
    "PROTOCOLS",
    "Evaluation",
    "MethodSpec",
    "ReadCorpus",
    "class_words",
    "curve",
    "difference",
    "document_vectors",
    "eraser_scores",
    "evaluate",
    "explanatory_power",
    "hybrid_documents",
    "ledger_shares",
    "paired_interval",
    "pointing_game",
    "randomization_check",
    "randomized",
    "read_corpus",
    "stability",
    "still_correct",
    "word_relevances",
]

__getattr__ = importer(
    __name__,
    {
        "PROTOCOLS": "evaluation.deletion",
        "MethodSpec": "evaluation.measured_corpus",
        "Evaluation": "evaluation.running.plan",
        "ReadCorpus": "evaluation.measured_corpus",
        "class_words": "class_words",
        "curve": "evaluation.deletion",
        "difference": "evaluation.deletion",
        "document_vectors": "evaluation.docvectors",
        "eraser_scores": "evaluation.eraser",
        "evaluate": "evaluation.running.evaluate_corpus",
        "explanatory_power": "evaluation.docvectors",
        "hybrid_documents": "evaluation.pointing",
        "ledger_shares": "evaluation.sanity",
        "paired_interval": "evaluation.intervals",
        "pointing_game": "evaluation.pointing",
        "randomization_check": "evaluation.sanity",
        "randomized": "evaluation.randomizing",
        "read_corpus": "evaluation.measured_corpus",
        "stability": "evaluation.sanity",
        "still_correct": "evaluation.deletion",
        "word_relevances": "evaluation.measured_corpus",
    },
)
