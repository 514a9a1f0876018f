"""What the hidden set-up blocks of the pages use: small tables, small models, and stand-ins.

    from doc_fixtures import write_tickets
    write_tickets("tickets.csv", "test.csv")      # columns id, body, queue

Models and texts are small, so that a page takes few seconds. ``doc_blocks.py`` tells how to write a set-up block.
"""

from __future__ import annotations

import csv
from pathlib import Path

TICKETS = {
    "hardware": (
        "The printer on the second floor is on fire again.",
        "My laptop screen flickers after the battery was changed.",
        "The keyboard of the laptop lost two keys.",
        "The printer prints only blank pages.",
        "A new monitor arrived with a broken cable.",
        "The battery of the scanner is empty after an hour.",
    ),
    "accounts": (
        "I forgot my password and cannot log in.",
        "Please reset the password of the new colleague.",
        "My account is locked after three wrong passwords.",
        "The login page rejects my new password.",
        "Please create an account for the trainee.",
        "I cannot log in with my old account.",
    ),
    "billing": (
        "The invoice of May has the wrong amount.",
        "We paid the invoice twice and ask for a refund.",
        "Please send the invoice to our new address.",
        "The refund for the order did not arrive.",
        "Which tax number is on the invoice?",
        "The amount of the refund is too small.",
    ),
}
"""Texts of support tickets by queue."""


def tickets() -> tuple[list[str], list[str]]:
    """Return the texts and the labels of the tickets, the classes in turn."""
    rows = [(texts[turn], label) for turn in range(6) for label, texts in TICKETS.items()]
    return [text for text, _ in rows], [label for _, label in rows]


def write_tickets(*names: str) -> None:
    """Write the tickets with the columns id, body and queue: a CSV, Excel or Parquet file for each name."""
    texts, labels = tickets()
    rows = list(zip((f"ticket-{row}" for row in range(len(texts))), texts, labels, strict=True))
    for name in names:
        if name.endswith(".csv"):
            with Path(name).open("w", encoding="utf-8", newline="") as file:
                csv.writer(file).writerows([("id", "body", "queue"), *rows])
            continue
        import pandas

        table = pandas.DataFrame(rows, columns=["id", "body", "queue"])
        if name.endswith(".xlsx"):
            table.to_excel(name, index=False)
        else:
            table.to_parquet(name, index=False)


def save_model(*folders: str) -> None:
    """Train a bag of embeddings on the tickets, in under a second, and save it to each folder."""
    import textlrp

    texts, labels = tickets()
    model = textlrp.BagOfEmbeddingsClassifier(random_state=0).fit(texts, labels)
    for folder in folders:
        model.save(folder)


def write_bert(folder: str) -> None:
    """Write a tiny BERT classifier with random weights, and its tokenizer."""
    import torch
    from tiny_transformers import tiny_classifier, tiny_tokenizer

    tiny_classifier("bert", dtype=torch.float32).save_pretrained(folder)
    tiny_tokenizer("bert").save_pretrained(folder)


def write_label_sets(name: str) -> None:
    """Write texts with the columns text and label; a label is one queue, or two separated by a comma."""
    texts, labels = tickets()
    both = [(f"{texts[row]} {texts[row + 1]}", f"{labels[row]},{labels[row + 1]}") for row in range(len(texts) - 1)]
    with Path(name).open("w", encoding="utf-8", newline="") as file:
        csv.writer(file).writerows([("text", "label"), *zip(texts, labels, strict=True), *both])
