"""Train a classifier on a frozen encoder, and explain it: python examples/sentence_encoder.py ENCODER PAGE"""

import sys

import textlrp

encoder, page = sys.argv[1:]
posts = textlrp.load_sample_posts()
model = textlrp.EncoderClassifier(encoder=encoder).fit(posts.documents, posts.labels)

why = textlrp.explain(model, "The shuttle reached orbit while my doctor slept.", target="all")
print(why)
why.to_html(page, force=True)
