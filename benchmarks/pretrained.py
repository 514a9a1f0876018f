"""Train and write the bundled models, each with its card.

    python benchmarks/pretrained.py [--seed 0] [--models NAME ...] [--card]

The models are trained on the training posts of 20 Newsgroups by date, headers ignored. Vocabulary and vectors are
small, so that both models together are smaller than 10 MB. With ``--card``, the models stay as they are, and only
their cards are measured and written again: accuracy of each class, and known shortcuts, on the test posts. The cards
have counts, but no word of a shortcut, because many of these words are names of people who wrote the posts.
"""

from __future__ import annotations

import argparse
import hashlib
from collections import Counter, defaultdict
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

import textlrp
from textlrp.files.written_file import json_text
from textlrp.models.base import TextClassifier
from textlrp.models.loading import load_classifier
from textlrp.models.model_facts import checked_card
from textlrp.models.model_folder import CONFIG, PRETRAINED, read_config
from textlrp.models.model_kinds import classifier_class
from textlrp.models.saving import save_model
from textlrp.shortcut_groups import Shortcuts
from textlrp.text.corpora import Corpus

SETTINGS: Mapping[str, Mapping[str, Any]] = {
    "20newsgroups-cnn": {"kind": "cnn", "min_df": 3, "embedding_dim": 200, "filters": 200, "word_dropout": 0.4},
    "20newsgroups-boe": {"kind": "boe", "min_df": 3, "embedding_dim": 90},
}
WHAT: Mapping[str, str] = {
    "20newsgroups-cnn": "A convolutional neural network that assigns an English post to one of 20 newsgroups.",
    "20newsgroups-boe": "A bag of embeddings that assigns an English post to one of 20 newsgroups.",
}
ABOUT: Mapping[str, Any] = {
    "corpus": "20 Newsgroups, by-date version",
    "documents": 11314,
    "origin": "18,846 posts of 20 Usenet newsgroups from around 1993, collected by Ken Lang; Jason Rennie made the "
    "by-date version. It has 11,314 training posts and 7,532 later test posts, without duplicates and without the "
    "headers that name the group. The label of a post is the group that it was sent to.",
    "license": "The posts are public messages of their authors. The collection states no license. The model contains "
    "the words of the vocabulary with their document counts, and numbers, but no text. Some of the words are names "
    "of people who wrote posts or are named in at least three of them.",
    "intended_use": [
        "To try textlrp, to follow its tutorials, and to test it.",
        "To study explanations of a text classifier whose errors and shortcuts are known.",
        "As word vectors to start the training of another English model: `textlrp train --vectors`.",
    ],
    "limits": [
        "It is not meant for decisions about people, nor for moderation.",
        "It knows English as it was written in newsgroups in 1993. Later topics and words are unknown to it.",
        "It has 20 classes and no class for other topics. A text about anything else is given one of the 20 labels, "
        "sometimes with a high probability.",
        "Labels are groups, not topics. Some groups share their topics, such as talk.religion.misc and "
        "soc.religion.christian, and are confused often.",
        "The model ignores headers, such as the subject. It reads quotes and signatures.",
        "Test posts were written after the training posts, but many by the same authors. The accuracy on texts of "
        "other authors was not measured.",
        "Some classes have opinions and religions as their topic. The posts contain insults and prejudice, and the "
        "model has learned from them which words go with which group.",
    ],
}
"""The part of the cards that is not measured."""
CAUSES = {
    "names and codes": "names, addresses, numbers or symbols",
    "one source": "one author or copies of one post",
    "outside the body": "headers and signatures",
}
"""Origins of leading words that make a group a known shortcut, with their names in a card."""
SUSPICION = ORIGIN = 0.5
"""A group counts if its suspicion is at least this, and one of the origins is."""


def data_hash(corpus: Corpus) -> str:
    """SHA-256 of the ids and texts of a corpus, in order."""
    digest = hashlib.sha256()
    for document in corpus:
        digest.update(f"{document.id}\0{document.text}\0".encode())
    return digest.hexdigest()


def class_measures(labels: list[str], predicted: list[str]) -> dict[str, dict[str, Any]]:
    """Precision and recall of each class, rounded to 4 decimals, and its number of texts."""
    found = {}
    for name in sorted(set(labels)):
        correct = sum(a == b == name for a, b in zip(labels, predicted, strict=True))
        of_class, of_predictions = labels.count(name), predicted.count(name)
        precision = round(correct / of_predictions, 4) if of_predictions else None
        found[name] = {"precision": precision, "recall": round(correct / of_class, 4), "texts": of_class}
    return found


def shortcut_sentences(found: Shortcuts, name: str) -> list[str]:
    """How many predictions of each class rest on known shortcuts, without the words; the largest share first."""
    causes: dict[str, Counter[str]] = defaultdict(Counter)
    changed: Counter[str] = Counter()
    for group in found.groups:
        cause = max(CAUSES, key=lambda name: group.suspicion_parts[name])
        if group.suspicion >= SUSPICION and group.suspicion_parts[cause] >= ORIGIN:
            causes[group.label][CAUSES[cause]] += len(group.documents)
            changed[group.label] += group.deleted.changed
    words = {label: ", ".join(f"{cause} ({n})" for cause, n in each.most_common()) for label, each in causes.items()}
    shares = {label: counts.total() / found.predicted[label] for label, counts in causes.items()}
    return [
        f"Predictions of test posts that rest on a few words with a suspicion of {SUSPICION} or more, found by "
        f"`textlrp shortcuts {name} 20newsgroups -o shortcuts.html`. The page of this command shows the words. They "
        "are not listed here, because many are names of people.",
        *(
            f"{label}: {causes[label].total()} of {found.predicted[label]} predictions; {changed[label]} change "
            f"without the words. Origin of the words: {words[label]}."
            for label in sorted(shares, key=lambda label: -shares[label])
        ),
    ]


def measured_card(folder: Path, card: Mapping[str, Any], test: Corpus) -> dict[str, Any]:
    """Return the card of a model with everything that can be measured without training it."""
    model = load_classifier(folder)
    labels, predicted = [str(label) for label in test.labels], model.predict(test.texts).tolist()
    probabilities = model.probabilities(model.decision_function(test.texts))
    measured = {
        "test_accuracy": round(float(np.mean(np.array(predicted) == np.array(labels))), 4),
        "test_texts": len(test),
        "test_probability": None if probabilities is None else round(float(probabilities.max(axis=1).mean()), 4),
        "classes": class_measures(labels, predicted),
        "shortcuts": shortcut_sentences(textlrp.find_shortcuts(model, test.documents), folder.name),
        "card_command": f"python benchmarks/pretrained.py --models {folder.name} --card",
    }
    return checked_card({**card, "what": WHAT[folder.name], **ABOUT, **measured})


def write_card(folder: Path, test: Corpus) -> None:
    """Measure the card of a model and write it to its ``config.json``; the weights stay as they are."""
    config = read_config(folder)
    config["card"] = measured_card(folder, config["card"], test)
    (folder / CONFIG).write_text(json_text(config, indent=2), encoding="utf-8")
    print(f"{folder.name}: test accuracy {config['card']['test_accuracy']:.2%}; the card is written")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--models", nargs="+", choices=sorted(SETTINGS), default=sorted(SETTINGS))
    parser.add_argument("--card", action="store_true", help="only measure and write the cards of the models again")
    options = parser.parse_args()
    test = textlrp.load_20newsgroups("test")
    train = test if options.card else textlrp.load_20newsgroups("train")
    for name in () if options.card else options.models:
        settings = SETTINGS[name]
        model_options = {key: value for key, value in settings.items() if key != "kind"}
        model: TextClassifier = classifier_class(settings["kind"])(random_state=options.seed, **model_options)
        model.fit(train.texts, train.labels)
        card: dict[str, Any] = {
            "what": WHAT[name],
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
    for name in options.models:
        write_card(PRETRAINED / name, test)


if __name__ == "__main__":
    main()
