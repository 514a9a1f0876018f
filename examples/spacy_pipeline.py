"""Explain the documents of a spaCy pipeline, and save and load it: python examples/spacy_pipeline.py FOLDER PAGE"""

import sys
from pathlib import Path

import spacy
from spacy import displacy

from textlrp.spacy_pipe import displacy_options, sentences_by_relevance

folder, page = sys.argv[1:]
nlp = spacy.blank("en")
nlp.add_pipe("sentencizer")
nlp.add_pipe("textlrp", config={"model": "20newsgroups-cnn", "target": "sci.space"})
nlp.to_disk(folder)  # with the model

doc = spacy.load(folder)("The shuttle reached its orbit on Monday. My doctor slept through the launch.")
print(doc._.explanation)
for sentence, relevance in sentences_by_relevance(doc):
    print(f"{relevance:+.2f}  {sentence}")
Path(page).write_text(displacy.render(doc, style="span", page=True, options=displacy_options()), encoding="utf-8")
