"""Train and write the bundled models, each with its card.

    python benchmarks/pretrained.py [--seed 0] [--models NAME ...]

The models are trained on the training posts of 20 Newsgroups by date, headers ignored. Vocabulary and vectors are
small, so that both models together are smaller than 10 MB.
"""

from __future__ import annotations

import argparse
import hashlib
from collections.abc import Mapping
from typing import Any

import numpy as np

import textlrp
from textlrp.models.base import TextClassifier
from textlrp.models.loading import load_classifier
from textlrp.models.model_folder import PRETRAINED
from textlrp.models.model_kinds import classifier_class
from textlrp.models.saving import save_model
from textlrp.text.corpora import Corpus

SETTINGS: Mapping[str, Mapping[str, Any]] = {
    "20newsgroups-cnn": {"kind": "cnn", "min_df": 3, "embedding_dim": 200, "filters": 200, "word_dropout": 0.4},
    "20newsgroups-boe": {"kind": "boe", "min_df": 3, "embedding_dim": 90},
}


def data_hash(corpus: Corpus) -> str:
    """SHA-256 of the ids and texts of a corpus, in order."""
    digest = hashlib.sha256()
    for document in corpus:
        digest.update(f"{document.id}\0{document.text}\0".encode())
    return digest.hexdigest()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--models", nargs="+", choices=sorted(SETTINGS), default=sorted(SETTINGS))
    options = parser.parse_args()
    train, test = textlrp.load_20newsgroups("train"), textlrp.load_20newsgroups("test")
    for name in options.models:
        settings = SETTINGS[name]
        model_options = {key: value for key, value in settings.items() if key != "kind"}
        model: TextClassifier = classifier_class(settings["kind"])(random_state=options.seed, **model_options)
        model.fit(train.texts, train.labels)
        card: dict[str, Any] = {
            "what": "trained on the 11,314 by-date training posts of 20 Newsgroups, headers ignored",
            "command": f"python benchmarks/pretrained.py --seed {options.seed}",
            "seed": options.seed,
            "settings": model_options,
            "training_data_sha256": data_hash(train),
        }
        save_model(model, PRETRAINED / name, compress=True, card=card)
        predictions = load_classifier(PRETRAINED / name).predict(test.texts)
        card["test_accuracy"] = round(float(np.mean(predictions == np.array(test.labels))), 4)
        card["test_accuracy_before_compression"] = round(float(model.score(test.texts, test.labels)), 4)
        folder = save_model(model, PRETRAINED / name, compress=True, card=card)
        size = sum(file.stat().st_size for file in folder.iterdir())
        print(f"{name}: {size / 1e6:.2f} MB, test accuracy {card['test_accuracy']:.2%}")


if __name__ == "__main__":
    main()
