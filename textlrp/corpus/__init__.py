"""Whole-corpus runs: what the commands of the command line do, as functions.

Functions that take a while tell how far they are through ``say``, which gets one line of text at a time.
"""

from textlrp.bulk.run import Run, Workforce
from textlrp.corpus.comparing import Comparison, explained_twice, write_comparison
from textlrp.corpus.evaluating import evaluate
from textlrp.corpus.explaining import (
    EXPLANATION_FILES,
    class_named,
    explain_corpus,
    strongest_filters,
    write_explanations,
)
from textlrp.corpus.galleries import View, views, write_gallery
from textlrp.corpus.in_bulk import explain_in_bulk
from textlrp.corpus.plans import Evaluation, planned
from textlrp.corpus.predicting import (
    PREDICTION_COLUMNS,
    PREDICTION_FILES,
    Prediction,
    predict,
    stream_table,
    write_predictions,
)
from textlrp.corpus.reading import NAMED, check_output, check_suffix, open_corpus, spread
from textlrp.corpus.reading_words import WORD_COLUMNS, WORD_FILES, word_listings, words_of_classes, write_words
from textlrp.corpus.reporting import check_report, report_corpus
from textlrp.corpus.showing import SAMPLE_SETTINGS, Demo, choose_posts, demo, starting_vectors
from textlrp.corpus.training import (
    Training,
    check_labelled,
    check_model_folder,
    new_model,
    train_corpus,
    vectors_of,
)

__all__ = [
    "EXPLANATION_FILES",
    "NAMED",
    "PREDICTION_COLUMNS",
    "PREDICTION_FILES",
    "SAMPLE_SETTINGS",
    "WORD_COLUMNS",
    "WORD_FILES",
    "Comparison",
    "Demo",
    "Evaluation",
    "Prediction",
    "Run",
    "Training",
    "View",
    "Workforce",
    "check_labelled",
    "check_model_folder",
    "check_output",
    "check_report",
    "check_suffix",
    "choose_posts",
    "class_named",
    "demo",
    "evaluate",
    "explain_corpus",
    "explain_in_bulk",
    "explained_twice",
    "new_model",
    "open_corpus",
    "planned",
    "predict",
    "report_corpus",
    "spread",
    "starting_vectors",
    "stream_table",
    "strongest_filters",
    "train_corpus",
    "vectors_of",
    "views",
    "word_listings",
    "words_of_classes",
    "write_comparison",
    "write_explanations",
    "write_gallery",
    "write_predictions",
    "write_words",
]
