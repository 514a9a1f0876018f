"""Train a multi-label classifier and explain every predicted label: python examples/multi_label.py PAGE"""

import random
import sys

import textlrp

posts = textlrp.load_sample_posts()
partners = random.Random(0).sample(list(posts.documents), len(posts.documents))
pairs = list(zip(posts.documents, partners, strict=True))
texts = [f"{first.read_text()}\n\n{second.read_text()}" for first, second in pairs]
labels = [{first.label, second.label} for first, second in pairs]
model = textlrp.BagOfWordsClassifier().fit(texts, labels)

why = textlrp.explain(model, "The shuttle reached orbit. My doctor prescribed a new medicine against the infection.")
print(why)
why.to_html(sys.argv[1])
