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
    from textlrp.evaluation.aopc_scale import aopc_limits, normalized_aopc
    from textlrp.evaluation.complexity_rise import efficient_mprt
    from textlrp.evaluation.deletion import DELETION_PROTOCOLS, area_difference, deletion_curve, still_correct
    from textlrp.evaluation.docvectors import document_vectors
    from textlrp.evaluation.eraser import eraser_scores
    from textlrp.evaluation.intervals import paired_interval
    from textlrp.evaluation.label_errors import likely_label_errors
    from textlrp.evaluation.measured_corpus import MethodSpec, ScoredCorpus, score_corpus, word_relevances
    from textlrp.evaluation.neighbor_accuracy import explanatory_power
    from textlrp.evaluation.planted_errors import planted_label_errors
    from textlrp.evaluation.planted_shortcuts import find_planted
    from textlrp.evaluation.planting import plant_shortcuts
    from textlrp.evaluation.pointing import hybrid_documents, pointing_game
    from textlrp.evaluation.randomizing import randomize_weights
    from textlrp.evaluation.roar import recursive_roar
    from textlrp.evaluation.running.evaluate_corpus import evaluate
    from textlrp.evaluation.running.plan import EvaluationPlan
    from textlrp.evaluation.sanity import ledger_shares, randomization_check, stability
    from textlrp.evaluation.soft_masks import soft_erasure

__all__ = [
    "DELETION_PROTOCOLS",
    "EvaluationPlan",
    "MethodSpec",
    "ScoredCorpus",
    "aopc_limits",
    "area_difference",
    "class_words",
    "deletion_curve",
    "document_vectors",
    "efficient_mprt",
    "eraser_scores",
    "evaluate",
    "explanatory_power",
    "find_planted",
    "hybrid_documents",
    "ledger_shares",
    "likely_label_errors",
    "normalized_aopc",
    "paired_interval",
    "plant_shortcuts",
    "planted_label_errors",
    "pointing_game",
    "randomization_check",
    "randomize_weights",
    "recursive_roar",
    "score_corpus",
    "soft_erasure",
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
        "aopc_limits": "evaluation.aopc_scale",
        "area_difference": "evaluation.deletion",
        "class_words": "class_words",
        "deletion_curve": "evaluation.deletion",
        "document_vectors": "evaluation.docvectors",
        "efficient_mprt": "evaluation.complexity_rise",
        "eraser_scores": "evaluation.eraser",
        "evaluate": "evaluation.running.evaluate_corpus",
        "explanatory_power": "evaluation.neighbor_accuracy",
        "find_planted": "evaluation.planted_shortcuts",
        "hybrid_documents": "evaluation.pointing",
        "ledger_shares": "evaluation.sanity",
        "likely_label_errors": "evaluation.label_errors",
        "normalized_aopc": "evaluation.aopc_scale",
        "paired_interval": "evaluation.intervals",
        "plant_shortcuts": "evaluation.planting",
        "planted_label_errors": "evaluation.planted_errors",
        "pointing_game": "evaluation.pointing",
        "randomization_check": "evaluation.sanity",
        "randomize_weights": "evaluation.randomizing",
        "recursive_roar": "evaluation.roar",
        "score_corpus": "evaluation.measured_corpus",
        "soft_erasure": "evaluation.soft_masks",
        "stability": "evaluation.sanity",
        "still_correct": "evaluation.deletion",
        "word_relevances": "evaluation.measured_corpus",
    },
)
