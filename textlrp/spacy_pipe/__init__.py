"""textlrp in a spaCy pipeline: ``nlp.add_pipe("textlrp", config={"model": "20newsgroups-cnn"})``.

The component explains each document and sets ``doc.cats``, ``doc._.explanation``, ``token._.relevance``,
``span._.relevance`` and ``doc.spans["textlrp"]``. The functions here read these results.
"""

from textlrp.spacy_pipe.displacy_markup import displacy_options, displacy_spans
from textlrp.spacy_pipe.spacy_component import TextlrpComponent
from textlrp.spacy_pipe.spacy_results import (
    SpanRelevance,
    entities_by_relevance,
    relevance_of_tokens,
    sentences_by_relevance,
)

__all__ = [
    "SpanRelevance",
    "TextlrpComponent",
    "displacy_options",
    "displacy_spans",
    "entities_by_relevance",
    "relevance_of_tokens",
    "sentences_by_relevance",
]
