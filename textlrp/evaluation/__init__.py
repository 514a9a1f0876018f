"""Is the explanation any good? Measures of explanations, as functions of a model, documents and methods.

``textlrp evaluate`` takes all of them and writes a page; here each stands alone. A labelled corpus is read once
(:func:`read_corpus`), its words are explained by a method (:func:`word_relevances`), and words go in that order
(:func:`still_right`, :func:`curve`, :func:`difference`).
"""

from textlrp.class_words import class_words
from textlrp.evaluation.deletion import OTHER_PROTOCOLS, PROTOCOLS, Protocol, curve, difference, still_right
from textlrp.evaluation.docvectors import document_vectors, explanatory_power
from textlrp.evaluation.eraser import eraser_scores
from textlrp.evaluation.intervals import bootstrap_interval, paired_difference, paired_interval
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
from textlrp.evaluation.sanity import ledger_shares, randomisation_check, stability

__all__ = [
    "OTHER_PROTOCOLS",
    "PROTOCOLS",
    "Asked",
    "Protocol",
    "ReadCorpus",
    "bootstrap_interval",
    "class_words",
    "curve",
    "difference",
    "document_vectors",
    "eraser_scores",
    "explain_rationales",
    "explanatory_power",
    "hybrid_documents",
    "ledger_shares",
    "log_ratio_agreement",
    "paired_difference",
    "paired_interval",
    "pointing_game",
    "position_agreement",
    "randomisation_check",
    "randomised",
    "rationale_agreement",
    "read_corpus",
    "read_rationales",
    "stability",
    "still_right",
    "word_relevances",
]
