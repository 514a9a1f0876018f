"""Train a multi-label classifier and explain every predicted label: python examples/multi_label.py PAGE"""

import random
import sys

import textlrp

posts, test = textlrp.load_sample_posts("train"), textlrp.load_sample_posts("test")
partners = random.Random(0).sample(posts.documents, len(posts.documents))
pairs = list(zip(posts.documents, partners, strict=True))
texts = [f"{first.read_text()}\n\n{second.read_text()}" for first, second in pairs]
model = textlrp.BagOfWordsClassifier().fit(texts, [{first.label, second.label} for first, second in pairs])

space, medicine = (next(d for d in test.documents if d.label == label) for label in ("sci.space", "sci.med"))
why = textlrp.explain(model, f"{space.read_text()}\n\n{medicine.read_text()}")
print("predicted labels:", ", ".join(why.predicted_labels))
print(why)
why.to_html(sys.argv[1], force=True)
