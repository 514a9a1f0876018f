"""Whole-corpus runs: what the commands of the command line do, as functions.

Functions that take a while tell how far they are through ``say``, which gets one line of text at a time.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from textlrp.lazily import importer

if TYPE_CHECKING:
    from textlrp.bulk.run import Run, Workforce
    from textlrp.corpus.comparing import Comparison, explained_twice, write_comparison
    from textlrp.corpus.evaluating import check_evaluation, evaluate
    from textlrp.corpus.explained_files import EXPLANATION_FILES, write_explanations
    from textlrp.corpus.explaining import (
        explain_corpus,
        strongest_filters,
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
    from textlrp.corpus.reading import NAMED, check_output, check_suffix, inputs_of, open_corpus, spread
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
    "check_evaluation",
    "check_labelled",
    "check_model_folder",
    "check_output",
    "check_report",
    "check_suffix",
    "choose_posts",
    "demo",
    "evaluate",
    "explain_corpus",
    "explain_in_bulk",
    "explained_twice",
    "inputs_of",
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

_HOMES = {
    "Comparison": "corpus.comparing",
    "Demo": "corpus.showing",
    "Evaluation": "corpus.plans",
    "Prediction": "corpus.predicting",
    "Run": "bulk.run",
    "Training": "corpus.training",
    "View": "corpus.galleries",
    "Workforce": "bulk.run",
    "check_evaluation": "corpus.evaluating",
    "check_labelled": "corpus.training",
    "check_model_folder": "corpus.training",
    "check_output": "corpus.reading",
    "check_report": "corpus.reporting",
    "check_suffix": "corpus.reading",
    "choose_posts": "corpus.showing",
    "demo": "corpus.showing",
    "evaluate": "corpus.evaluating",
    "explain_corpus": "corpus.explaining",
    "explain_in_bulk": "corpus.in_bulk",
    "explained_twice": "corpus.comparing",
    "inputs_of": "corpus.reading",
    "new_model": "corpus.training",
    "open_corpus": "corpus.reading",
    "planned": "corpus.plans",
    "predict": "corpus.predicting",
    "report_corpus": "corpus.reporting",
    "spread": "corpus.reading",
    "starting_vectors": "corpus.showing",
    "stream_table": "corpus.predicting",
    "strongest_filters": "corpus.explaining",
    "train_corpus": "corpus.training",
    "vectors_of": "corpus.training",
    "views": "corpus.galleries",
    "word_listings": "corpus.reading_words",
    "words_of_classes": "corpus.reading_words",
    "write_comparison": "corpus.comparing",
    "write_explanations": "corpus.explained_files",
    "write_gallery": "corpus.galleries",
    "write_predictions": "corpus.predicting",
    "write_words": "corpus.reading_words",
    "EXPLANATION_FILES": "corpus.explained_files",
    "NAMED": "corpus.reading",
    "PREDICTION_COLUMNS": "corpus.predicting",
    "PREDICTION_FILES": "corpus.predicting",
    "SAMPLE_SETTINGS": "corpus.showing",
    "WORD_COLUMNS": "corpus.reading_words",
    "WORD_FILES": "corpus.reading_words",
}
__getattr__ = importer(__name__, _HOMES)
