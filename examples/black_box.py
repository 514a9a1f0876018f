"""Explain any function of texts, here a random forest: python examples/black_box.py PAGE"""

import sys

from sklearn.ensemble import RandomForestClassifier
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.pipeline import make_pipeline

import textlrp

posts = textlrp.load_sample_posts()
forest = make_pipeline(TfidfVectorizer(), RandomForestClassifier(random_state=0)).fit(posts.texts, posts.labels)

text = "The shuttle reached orbit while my doctor slept."
why = textlrp.explain(forest.predict_proba, text, method="occlusion", classes=forest.classes_)
print(why)
why.to_html(sys.argv[1], force=True)
