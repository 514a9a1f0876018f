"""Explain a fine-tuned transformer: python examples/bert.py FOLDER TEXT PAGE"""

import sys

from transformers import AutoModelForSequenceClassification, AutoTokenizer

import textlrp

folder, text, page = sys.argv[1:]
model = AutoModelForSequenceClassification.from_pretrained(folder)
tokenizer = AutoTokenizer.from_pretrained(folder)

why = textlrp.explain(model, text, tokenizer=tokenizer)
for word in why.words()[:10]:
    print(f"{word.relevance:+.2f}  {word.word}")
why.to_html(page, force=True)
