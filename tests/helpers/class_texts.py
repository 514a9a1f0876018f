"""A labeled corpus of made-up texts with headers, whose classes differ by a few words."""

from __future__ import annotations

import numpy as np

from textlrp.records import Document

CLASSES = {
    "cars": "engine wheel road brake fuel",
    "health": "doctor pill pain fever nurse",
    "space": "orbit moon probe",
}


def corpus_of(number: int = 150, seed: int = 0) -> list[Document]:
    """Texts of 20 words: some of the class, most of none, with a header."""
    random, common = np.random.default_rng(seed), [f"word{n}" for n in range(60)]
    documents = []
    for n in range(number):
        label, own = list(CLASSES.items())[n % 3]
        words = [*random.choice(own.split(), 6), *random.choice(common, 14)]
        text = " ".join(random.permutation(words).tolist())
        documents.append(Document(str(n), f"From: writer{n}@host.example (Ann No{n})\nSubject: x\n\n{text}\n", label))
    return documents
