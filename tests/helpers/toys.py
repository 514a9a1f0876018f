"""Small texts and small models that are trained in milliseconds, for the tests of models and explainers."""

from __future__ import annotations

import copy
from functools import cache
from typing import Any

import numpy as np

from textlrp.models.base import TextClassifier
from textlrp.models.estimators import BagOfEmbeddingsClassifier, BagOfWordsClassifier, CNNClassifier
from textlrp.records import Document

SENTENCES = {
    "autos": (
        "the engine of my old car will not start",
        "new brakes and new tires for the car",
        "a dealer sold me the car with a bad engine",
        "oil drips from the engine onto the road",
        "the gearbox of this car is loud on the road",
        "which tires hold the road in rain",
        "my dealer says the brakes are fine",
        "the car needs oil and the brakes need care",
    ),
    "med": (
        "the doctor gave me a pill for the pain",
        "my doctor says the vaccine is safe",
        "pain in the knee after a long run",
        "a patient with fever saw the doctor",
        "the pill did not help against the fever",
        "is this vaccine safe for a patient with pain",
        "ask a doctor before you take the pill",
        "the patient slept and the fever was gone",
    ),
    "space": (
        "the shuttle reached its orbit on monday",
        "a rocket lifts the probe into orbit",
        "the moon and the probe in one picture",
        "nasa moved the launch of the shuttle",
        "the orbit of the moon is not a circle",
        "a launch costs more than the probe",
        "the rocket burns for nine minutes",
        "nasa lost contact with the probe near the moon",
    ),
}
LABELS = [label for label, texts in SENTENCES.items() for _ in texts]
TEXTS = [text for texts in SENTENCES.values() for text in texts]
NAMES = tuple(SENTENCES)

READ: tuple[str | Document, ...] = (
    "The doctor, the doctor, the doctor! The doctor gave me a pill for the pain.",
    "engine",
    "",
    "   \n\t ",
    "xylophone zebra quux",
    "xylophone the car",
    "the zebra orbit of quux the moon 42 and 4.2% of the probe ...",
    "the probe the probe the probe the probe",
    "From: somebody@host.example\nSubject: the car\n\nMy patient saw the moon.\n\n> and the rocket",
    Document("posts/7", "the brakes (the fever) and the launch", "med", np.array([[11, 22]], dtype=np.int32)),
    "🚀 שלום الطريق the rocket\u200d\u0301 naïve café\x00the orbit",
    " ".join(SENTENCES["space"] + SENTENCES["med"]),
)
"""Texts with repeated phrases, no word or one word, unknown words, skipped ranges, and unusual characters."""

KINDS = ("cnn", "boe", "svm")
VARIANT_OF = {"cnn": "cnn-max", "boe": "boe", "svm": "svm"}
VARIANTS = ("cnn-max", "cnn-mean", "boe", "svm")


def small(kind: str, **options: Any) -> TextClassifier:
    """An unfitted classifier of this kind, with options that make it small."""
    shared: dict[str, Any] = {"tokenizer": "words", "min_df": 1}
    net: dict[str, Any] = {
        "embedding_dim": 5, "max_epochs": 2, "batch_size": 8, "validation_fraction": 0.0, "vectors": None,
    }  # fmt: skip
    if kind == "svm":
        bag: dict[str, Any] = {
            "analyzer": "word", "punctuation": False, "min_df_ngrams": 1, "ngrams": 2, "C": 0.5, "idf_power": 2.0,
        }  # fmt: skip
        return BagOfWordsClassifier(**(shared | bag | options))
    if kind == "boe":
        return BagOfEmbeddingsClassifier(**(shared | net | options))
    return CNNClassifier(**(shared | net | {"widths": (1, 2, 3), "filters": 4} | options))


def learner(kind: str, **options: Any) -> TextClassifier:
    """:func:`small`, but with enough epochs to learn the toy texts."""
    net = {"max_epochs": 15, "learning_rate": 0.1, "dropout": 0.0, "word_dropout": 0.0, "label_smoothing": 0.0}
    return small(kind, **((net if kind != "svm" else {}) | options))


@cache
def fitted(variant: str, dtype: str = "float32", classes: int = 3, seed: int = 0) -> TextClassifier:
    """A fitted model whose weights and biases were then replaced by random numbers.

    ``variant`` is one of :data:`VARIANTS`. The model is cached and must not be changed.
    """
    kind, _, pooling = variant.partition("-")
    options = {"pooling": pooling} if pooling else {}
    model = small(kind, dtype=dtype, **options)
    model.fit(TEXTS[: 8 * classes], LABELS[: 8 * classes])
    return scrambled(model, seed)


def scrambled(model: TextClassifier, seed: int) -> TextClassifier:
    """A copy of a model with random weights and biases; the unknown word keeps its zero vector."""
    draw = np.random.default_rng(seed)
    changed = copy.deepcopy(model)
    for name, weight in model.weights_.items():
        if weight.dtype.kind == "f" and name != "idf":
            changed.weights_[name] = draw.normal(size=weight.shape).astype(weight.dtype)
    if "embedding" in changed.weights_:
        changed.weights_["embedding"][0] = 0
    return changed
