"""Measures of explanation quality, as functions of a model, labeled documents and attribution methods.

``textlrp evaluate`` and :func:`evaluate` compute all of them and write a page; each function here computes one. To
measure word deletion, encode and score a labeled corpus once (:func:`score_corpus`), explain its words with a method
(:func:`word_relevances`), delete words in order of their relevance (:func:`still_correct`), and compare the results
(:func:`deletion_curve`, :func:`area_difference`). Agreement with human rationales is in
:mod:`textlrp.evaluation.rationales`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from textlrp.lazy_imports import importer

if TYPE_CHECKING:
    from textlrp.class_words import class_words
    from textlrp.evaluation.deletion import DELETION_PROTOCOLS, area_difference, deletion_curve, still_correct
    from textlrp.evaluation.docvectors import document_vectors, explanatory_power
    from textlrp.evaluation.eraser import eraser_scores
    from textlrp.evaluation.intervals import paired_interval
    from textlrp.evaluation.measured_corpus import MethodSpec, ScoredCorpus, score_corpus, word_relevances
    from textlrp.evaluation.planted_shortcuts import find_planted
    from textlrp.evaluation.pointing import hybrid_documents, pointing_game
    from textlrp.evaluation.randomizing import randomize_weights
    from textlrp.evaluation.roar import recursive_roar
    from textlrp.evaluation.running.evaluate_corpus import evaluate
    from textlrp.evaluation.running.plan import EvaluationPlan
    from textlrp.evaluation.sanity import ledger_shares, randomization_check, stability

__all__ = [
    "DELETION_PROTOCOLS",
    "EvaluationPlan",
    "MethodSpec",
    "ScoredCorpus",
    "area_difference",
    "class_words",
    "deletion_curve",
    "document_vectors",
    "eraser_scores",
    "evaluate",
    "explanatory_power",
    "find_planted",
    "hybrid_documents",
    "ledger_shares",
    "paired_interval",
    "pointing_game",
    "randomization_check",
    "randomize_weights",
    "recursive_roar",
    "score_corpus",
    "stability",
    "still_correct",
    "word_relevances",
]

__getattr__ = importer(
    __name__,
    {
        "DELETION_PROTOCOLS": "evaluation.deletion",
        "EvaluationPlan": "evaluation.running.plan",
        "MethodSpec": "evaluation.measured_corpus",
        "ScoredCorpus": "evaluation.measured_corpus",
        "area_difference": "evaluation.deletion",
        "class_words": "class_words",
        "deletion_curve": "evaluation.deletion",
        "document_vectors": "evaluation.docvectors",
        "eraser_scores": "evaluation.eraser",
        "evaluate": "evaluation.running.evaluate_corpus",
        "explanatory_power": "evaluation.docvectors",
        "find_planted": "evaluation.planted_shortcuts",
        "hybrid_documents": "evaluation.pointing",
        "ledger_shares": "evaluation.sanity",
        "paired_interval": "evaluation.intervals",
        "pointing_game": "evaluation.pointing",
        "randomization_check": "evaluation.sanity",
        "randomize_weights": "evaluation.randomizing",
        "recursive_roar": "evaluation.roar",
        "score_corpus": "evaluation.measured_corpus",
        "stability": "evaluation.sanity",
        "still_correct": "evaluation.deletion",
        "word_relevances": "evaluation.measured_corpus",
    },
)
