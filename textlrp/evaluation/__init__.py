"""Is the explanation any good? Measures of explanations, as functions of a model, documents and methods.

``textlrp evaluate`` and :func:`evaluate` take all of them and write a page; here each stands alone. A labelled corpus
is read once (:func:`read_corpus`), and its words are explained by a method (:func:`word_relevances`). Curves of
deleted words are in :mod:`textlrp.evaluation.deletion`, intervals and paired differences in
:mod:`textlrp.evaluation.intervals`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from textlrp.lazy_imports import importer

if TYPE_CHECKING:
    from textlrp.class_words import class_words
    from textlrp.evaluation.docvectors import document_vectors, explanatory_power
    from textlrp.evaluation.eraser import eraser_scores
    from textlrp.evaluation.measured_corpus import Asked, ReadCorpus, read_corpus, word_relevances
    from textlrp.evaluation.pointing import hybrid_documents, pointing_game
    from textlrp.evaluation.randomising import randomised
    from textlrp.evaluation.rationale_files import read_rationales
    from textlrp.evaluation.rationales import (
        explain_rationales,
        log_ratio_agreement,
        position_agreement,
        rationale_agreement,
    )
    from textlrp.evaluation.running.evaluate_corpus import evaluate
    from textlrp.evaluation.running.plan import Evaluation
    from textlrp.evaluation.sanity import ledger_shares, randomisation_check, stability

__all__ = [
    "Asked",
    "Evaluation",
    "ReadCorpus",
    "class_words",
    "document_vectors",
    "eraser_scores",
    "evaluate",
    "explain_rationales",
    "explanatory_power",
    "hybrid_documents",
    "ledger_shares",
    "log_ratio_agreement",
    "pointing_game",
    "position_agreement",
    "randomisation_check",
    "randomised",
    "rationale_agreement",
    "read_corpus",
    "read_rationales",
    "stability",
    "word_relevances",
]

__getattr__ = importer(
    __name__,
    {
        "Asked": "evaluation.measured_corpus",
        "Evaluation": "evaluation.running.plan",
        "ReadCorpus": "evaluation.measured_corpus",
        "class_words": "class_words",
        "document_vectors": "evaluation.docvectors",
        "eraser_scores": "evaluation.eraser",
        "evaluate": "evaluation.running.evaluate_corpus",
        "explain_rationales": "evaluation.rationales",
        "explanatory_power": "evaluation.docvectors",
        "hybrid_documents": "evaluation.pointing",
        "ledger_shares": "evaluation.sanity",
        "log_ratio_agreement": "evaluation.rationales",
        "pointing_game": "evaluation.pointing",
        "position_agreement": "evaluation.rationales",
        "randomisation_check": "evaluation.sanity",
        "randomised": "evaluation.randomising",
        "rationale_agreement": "evaluation.rationales",
        "read_corpus": "evaluation.measured_corpus",
        "read_rationales": "evaluation.rationale_files",
        "stability": "evaluation.sanity",
        "word_relevances": "evaluation.measured_corpus",
    },
)
