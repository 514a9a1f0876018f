"""The glossary at the foot of every page: terms with a definition of one line, and the terms of each kind of page.

To add a term, add it to :data:`TERMS` and name it in :data:`PAGE_TERMS`, then generate the page of the glossary::

    python -m textlrp.reports.glossary > docs/reference/glossary.md
"""

from __future__ import annotations

REMAINDER = "not accounted for by this method"
"""The part of a score breakdown that makes it sum to the score, for methods whose relevance does not."""

TERMS: dict[str, str] = {
    "score": "The number that the model computes for a class; the highest wins. Where a page names a "
    "softmax, it turns scores into probabilities.",
    "probability": "Computed from the scores of all classes, by a softmax or a calibration. Relevance sums to the "
    "score, not to the probability.",
    "relevance": "The part of the score that is assigned to a word. With LRP, relevance and absorbed parts sum to "
    "the score.",
    "predicted class": "The class that the model predicts: the one with the highest score, unless a note names "
    "another.",
    "true label": "The class of the document in the data, if known. A prediction is correct (✓) if it is the true "
    "label, else incorrect (✗).",
    "predicted labels": "Multi-label: all labels with a score above their threshold. They are correct (✓) if "
    "they are exactly the true labels of the document.",
    "threshold": "Multi-label: a label is predicted if its score is above this number. Thresholds are chosen on "
    "texts kept out of training, or are 0.",
    "supports, opposes": "A word with positive relevance supports the explained class; a word with negative "
    "relevance opposes it.",
    "full color": "The color of the largest |relevance| of the document. All other words are paler in proportion.",
    "contrast": "Why class A and not class B: the relevance of each word for the score difference A − B "
    "(--target A --versus B).",
    "score breakdown": "The sum that gives the score: relevance of words, plus what the bias and other causes "
    "absorb. Shown numbers are rounded.",
    "absorbed": "The part of the score that belongs to no word: relevance of a bias, of a rule’s stabilizer or of "
    "ignored words.",
    REMAINDER: "Of methods whose relevance does not sum to the score, such as occlusion: the score minus all other "
    "parts of its breakdown.",
    "bias": "A constant that the model adds to a score, whatever the text.",
    "stabilizer": "A tiny number that a rule adds so that it never divides by 0. Its share is normally 0.",
    "ignored by the model": "Gray text without relevance: a skipped range (header, quote, footer), not a word "
    "(punctuation), an unknown word, or truncated text.",
    "unknown word": "A word that is not in the vocabulary of the model (dotted underline).",
    "piece": "A part of a word, in the vocabulary of a transformer. A word has the sum of the relevance of its "
    "pieces.",
    "special token": "A token that a transformer’s tokenizer adds to every text, such as [CLS]. It belongs to no "
    "word.",
    "position embedding, token-type embedding": "A vector that a transformer adds to the vector of each piece. It "
    "belongs to no word.",
    "softmax of attention": "It computes the weights of attention. AttnLRP propagates relevance through it and "
    "absorbs its constant part.",
    "phrase (n-gram)": "Consecutive words that a filter of a convolutional network, or an n-gram feature, matches.",
    "layer-wise relevance propagation (LRP)": "The method that propagates a score backward through the layers of "
    "the model to the words.",
    "rule": "How LRP distributes the relevance of a unit to its inputs, such as LRP-ε. Other methods have no rule.",
    "accuracy": "The share of correctly classified documents, among those with a label.",
    "confusion matrix": "The number of documents for each true label (row) and predicted class (column).",
    "recall": "The share of the documents of a true label that are correctly classified.",
    "precision": "The share of the documents with a predicted label that have this label.",
    "F1": "The harmonic mean of precision and recall. Macro F1 is the mean over labels; micro F1 counts all pairs of "
    "a document and a label together.",
    "subset accuracy": "The share of the documents whose predicted labels are exactly their true labels.",
    "most confident": "The highest probability of the predicted class; without probabilities, the largest lead over "
    "the second score.",
    "words of each class": "Words with the largest relevance, summed over the documents that are explained for the "
    "class.",
    "group": "Documents of one predicted class whose prediction rests on the same few words.",
    "leading words": "The words of a group with the largest shares of the supporting relevance.",
    "share of relevance": "The relevance of a word that supports the class, divided by that of all such words; the "
    "mean over the documents of the group.",
    "suspicion": "From 0 to 1: how much the model relies on the leading words, and how little they look like the "
    "topic. It ranks groups; it is no verdict.",
    "z": "How far the share of the class, among the documents that contain a word, is above its share in the corpus, "
    "in standard deviations.",
    "document map": "Documents as points, close together if similar words drove their predictions.",
    "normalized relevance": "Relevance divided by the sum of all |relevance| of the document, so that methods of "
    "different scale can be compared.",
    "distance": "Half the sum of all |differences| of normalized relevance: 0 for equal explanations, 1 at most.",
    "rank correlation": "Spearman’s correlation of words ranked by relevance: 1 is the same order, 0 unrelated, −1 "
    "reversed.",
    "top words in common": "The share of the ten words that support the class most which two explanations have in "
    "common.",
    "deletion curve": "Accuracy after deleting the most relevant words one by one. It falls faster for a better "
    "explanation.",
    "area under the deletion curve": "Mean accuracy over all deletion steps. Initial accuracy minus this mean is "
    "the AOPC, the area over the perturbation curve.",
    "baseline": "A simple method to compare with, such as deleting words in random order.",
    "explanatory power index (EPI)": "The best accuracy of a k-nearest-neighbor classifier on relevance-weighted "
    "document vectors.",
    "hybrid documents": "Texts joined from sentences of several documents. The most relevant word should be in a "
    "sentence of the predicted class (pointing game).",
    "comprehensiveness, sufficiency": "Decrease of the prediction when the most relevant words are deleted, and "
    "when only they are kept.",
    "rationale": "The words that people marked as the reason for the label of a document.",
    "sanity check": "An explanation of a model with random weights must differ from that of the trained model.",
    "confidence interval (95%)": "The range of 95% of the results over random resamples of the documents "
    "(bootstrap).",
    "significantly better, significantly worse": "Two methods differ on the same documents by more than chance "
    "(paired permutation test, 5% level, Holm correction).",
    "standardized difference (d)": "Cohen’s d_z: the mean difference between two methods divided by its standard "
    "deviation over documents. 0.2 is small, 0.5 medium, 0.8 large.",
    "similarity": "The dot product of the embeddings of two texts. For the cosine, it is divided by the lengths of "
    "both.",
    "embedding": "The numbers of a text that the last layer of the model reads.",
    "pair of words": "One word of each text. The relevance of all pairs and what is absorbed sum to the similarity "
    "of the two texts (BiLRP).",
}
"""Term -> its definition: one line of plain text."""

_EVERY_PAGE = (
    "score", "relevance", "predicted class", "true label", "supports, opposes", "score breakdown", "absorbed",
    "bias", "stabilizer", "ignored by the model", "layer-wise relevance propagation (LRP)", "rule",
)  # fmt: skip
_DOCUMENT = ("full color", "unknown word", "contrast", "phrase (n-gram)")
_COMPARED = ("rank correlation", "top words in common")

_LABEL_SETS = ("predicted labels", "threshold")

PAGE_TERMS: dict[str, tuple[str, ...]] = {
    "multi-label list": (
        *_EVERY_PAGE, *_LABEL_SETS, "full color", "unknown word", "contrast", "precision", "recall", "F1",
        "subset accuracy", "most confident", "words of each class", "document map", "deletion curve",
    ),
    "document": (*_EVERY_PAGE, *_DOCUMENT),
    "label sets": _LABEL_SETS,
    "compared label sets": (*_LABEL_SETS, "F1", "subset accuracy"),
    "other methods": (REMAINDER,),
    "transformer": ("piece", "special token", "position embedding, token-type embedding", "softmax of attention"),
    "list": (
        *_EVERY_PAGE, "probability", "full color", "unknown word", "contrast", "accuracy", "confusion matrix",
        "recall", "most confident", "words of each class", "document map", "deletion curve",
    ),
    "shortcuts": (
        *_EVERY_PAGE, "full color", "unknown word", "accuracy", "group", "leading words", "share of relevance",
        "suspicion", "z",
    ),
    "comparison": (*_EVERY_PAGE, "full color", "normalized relevance", "distance", *_COMPARED, "accuracy"),
    "gallery": (*_EVERY_PAGE, "full color", "contrast", *_COMPARED),
    "similarity": (
        "relevance", "full color", "score breakdown", "absorbed", "bias", "stabilizer", "ignored by the model",
        "layer-wise relevance propagation (LRP)", "rule", "similarity", "embedding", "pair of words",
    ),
    "evaluation": (
        *_EVERY_PAGE, "accuracy", "baseline", "deletion curve", "area under the deletion curve",
        "explanatory power index (EPI)", "hybrid documents", "comprehensiveness, sufficiency", "rationale",
        "sanity check", "rank correlation", "confidence interval (95%)", "significantly better, significantly worse",
        "standardized difference (d)",
    ),
}  # fmt: skip
"""Kind of page -> the terms of its glossary. The index of a report folder is of the kind ``list``.

The kinds ``label sets``, ``transformer`` and ``other methods`` are added to the others where they apply, and
``compared label sets`` to ``comparison``.
"""


def glossary_of(*kinds: str) -> list[tuple[str, str]]:
    """Return the terms of some kinds of pages with their definitions, in the order of :data:`TERMS`."""
    named = {term for kind in kinds for term in PAGE_TERMS[kind]}
    return [(term, meaning) for term, meaning in TERMS.items() if term in named]


def as_markdown() -> str:
    """Return all terms as a Markdown page, the content of ``docs/reference/glossary.md``."""
    lines = [
        "# Glossary",
        "",
        "The terms that pages, the terminal and the documentation of textlrp use. Every page of textlrp has those it",
        "needs in a folded glossary at its foot. This file is generated: `python -m textlrp.reports.glossary`.",
        "",
        "| term | meaning |",
        "|---|---|",
        *(f"| {term} | {meaning.replace('|', '&#124;')} |" for term, meaning in TERMS.items()),
    ]
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    print(as_markdown(), end="")
