"""Explain a calibrated linear SVM inside a grid search: python examples/searched_svm.py PAGE"""

import sys

from sklearn.calibration import CalibratedClassifierCV
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.svm import LinearSVC

import textlrp

posts = textlrp.load_sample_posts()
pipeline = make_pipeline(TfidfVectorizer(), CalibratedClassifierCV(LinearSVC(), cv=3))
search = GridSearchCV(pipeline, {"tfidfvectorizer__ngram_range": [(1, 1), (1, 2)]}, cv=3)
search.fit(posts.texts, posts.labels)

why = textlrp.explain(search, "The shuttle reached orbit while my doctor slept.")
print(why)
print(*why.notes, sep="\n")
why.to_html(sys.argv[1], force=True)
