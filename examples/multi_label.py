"""Train a multi-label classifier and explain every predicted label: python examples/multi_label.py PAGE"""

import random
import sys

import textlrp


def body(post: textlrp.Document) -> str:
    """Return the text of a post from the blank line after its header on."""
    return post.read_text()[post.read_text().index("\n\n") :]


topics = ("rec.sport.hockey", "sci.crypt", "sci.med", "sci.space")
posts = [post for post in textlrp.load_sample_posts("train").documents if post.label in topics]
chance = random.Random(0)
pairs = [pair for _ in range(3) for pair in zip(posts, chance.sample(posts, len(posts)), strict=True)]
texts = [first.read_text() + body(second) for first, second in pairs]
model = textlrp.BagOfWordsClassifier().fit(texts, [{first.label, second.label} for first, second in pairs])

test = {post.label: post for post in textlrp.load_sample_posts("test").documents}
why = textlrp.explain(model, test["sci.space"].read_text() + body(test["sci.med"]))
print("predicted labels:", ", ".join(why.predicted_labels))
print(why)
why.to_html(sys.argv[1], force=True)
