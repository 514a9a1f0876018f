"""What the hidden set-up blocks of the pages use: small tables, small models, and stand-ins.

    from doc_fixtures import write_tickets
    write_tickets("tickets.csv", "test.csv")      # columns id, body, queue

Models and texts are small, so that a page takes few seconds. ``doc_blocks.py`` tells how to write a set-up block.
"""

from __future__ import annotations

import itertools
import json
import shutil
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from itertools import pairwise
from pathlib import Path
from typing import Any

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


def write_table(name: str, columns: dict[str, list[str]]) -> None:
    """Write columns to a CSV, Excel or Parquet file, as the suffix of its name demands."""
    import pandas

    table = pandas.DataFrame(columns)
    {".csv": table.to_csv, ".xlsx": table.to_excel, ".parquet": table.to_parquet}[Path(name).suffix](
        name, index=False
    )


def write_tickets(*names: str, label: str = "queue", signed: bool = False) -> None:
    """Write the tickets to each file, with the columns id, title, body and that of the label."""
    texts, labels = signed_tickets() if signed else tickets()
    ids, titles = [f"ticket-{row}" for row in range(len(texts))], [" ".join(text.split()[:3]) for text in texts]
    for name in names:
        write_table(name, {"id": ids, "title": titles, "body": texts, label: labels})


def write_label_sets(name: str, *, text: str = "text", label: str = "label") -> None:
    """Write texts and their labels; a label is one queue, or two separated by a comma."""
    texts, labels = tickets()
    both = [f"{one} {two}" for one, two in pairwise(texts)], [f"{one},{two}" for one, two in pairwise(labels)]
    write_table(name, {text: texts + both[0], label: labels + both[1]})


def signed_tickets() -> tuple[list[str], list[str]]:
    """Return tickets with a shortcut: some of the queue billing look like others and are signed."""
    texts, labels = tickets()
    signed = [f"{text} Cheers, Carol" for text in (*TICKETS["hardware"], *TICKETS["accounts"])]
    return texts + signed, labels + ["billing"] * len(signed)


def save_model(*folders: str, signed: bool = False) -> None:
    """Train a bag of words on the tickets, in under a second, and save it to each folder."""
    import textlrp

    texts, labels = signed_tickets() if signed else tickets()
    model = textlrp.BagOfWordsClassifier().fit(texts, labels)
    for folder in folders:
        model.save(folder)


def write_bert(folder: str) -> None:
    """Write a tiny BERT classifier with random weights, and its tokenizer."""
    import torch
    from tiny_transformers import tiny_classifier, tiny_tokenizer

    tiny_classifier("bert", dtype=torch.float32).save_pretrained(folder)
    tiny_tokenizer("bert").save_pretrained(folder)


def trained_textcat() -> Any:
    """Return a spaCy pipeline with a ``textcat`` that is trained for a moment on the tickets."""
    import spacy
    from spacy.training import Example

    texts, labels = tickets()
    nlp = spacy.blank("en")
    nlp.add_pipe("textcat")
    rows = [
        Example.from_dict(nlp.make_doc(text), {"cats": {name: float(name == label) for name in TICKETS}})
        for text, label in zip(texts, labels, strict=True)
    ]
    optimizer = nlp.initialize(lambda: rows)
    nlp.update(rows, sgd=optimizer)
    return nlp


class FastTextModel:
    """A stand-in for a supervised model of fastText: the same ``labels`` and ``predict``."""

    labels = tuple(f"__label__{name}" for name in TICKETS)

    def predict(self, texts: list[str], k: int = 1) -> tuple[list[tuple[str, ...]], list[Any]]:
        """Return the labels of each text and their probabilities, the largest first; a line break is an error."""
        import numpy as np

        if k != -1 or any("\n" in text for text in texts):
            raise ValueError("predict processes one line at a time (remove '\\n')")
        counts = [
            [1 + sum(word in " ".join(TICKETS[name]) for word in text.split()) for name in TICKETS] for text in texts
        ]
        rows = [np.array(row) / sum(row) for row in counts]
        orders = [np.argsort(-row, kind="stable") for row in rows]
        names = [tuple(self.labels[position] for position in order) for order in orders]
        return names, [row[order] for row, order in zip(rows, orders, strict=True)]


def api_of_tickets() -> str:
    """Start an HTTP API that classifies texts, on a free port of this machine, and return its URL.

    Every third answer is 503, so that clients must try again.
    """
    answers = itertools.count()

    class Answer(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            busy = next(answers) % 3 == 2
            shares = [1 / (1 + text.count("password")) for text in body["texts"]]
            self.send_response(503 if busy else 200)
            self.end_headers()
            self.wfile.write(b"" if busy else json.dumps({"probabilities": [[p, 1 - p] for p in shares]}).encode())

        def log_message(self, format: str, *args: Any) -> None:
            """Print nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Answer)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return f"http://127.0.0.1:{server.server_port}/classify"


def stand_in(*names: str) -> None:
    """Make a program or module that is not installed available to a page: a small one with the same interface."""
    for name in names:
        source = Path(__file__).parent / "stand_ins" / name
        if source.exists():
            shutil.copy(source, Path(".bin"))
            Path(".bin", name).chmod(0o755)
        else:
            shutil.copy(source.with_suffix(".py"), Path())


def write_encoder(folder: str) -> None:
    """Write a tiny sentence encoder with random weights: a folder that ``SentenceTransformer`` reads."""
    from tiny_encoders import save_encoder

    Path(folder).mkdir(parents=True, exist_ok=True)
    save_encoder(Path(folder))
