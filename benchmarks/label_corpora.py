"""Labeled corpora with several labels for each text: one drawn from topic models, one made of pairs of posts.

``topical_corpus`` draws inflected words from overlapping topics with Zipf frequencies, labels of very different
frequency that occur together, weak evidence, and annotation errors. ``paired_posts`` joins one or two posts of 20
Newsgroups.
"""

import numpy as np

import textlrp
from textlrp.records import Document

ENDINGS = ("", "s", "ed", "ing", "ation")
COMMON, OWN, SHARED = 3000, 120, 400
"""Numbers of common words, of words of each topic, and of words that several topics share."""


def topical_corpus(documents, *, seed, labels=12):
    """Return texts and their label sets, as many as ``documents``; the topics are the same for every seed."""
    topics = np.random.default_rng(2022)
    names = [f"topic {n:02d}" for n in range(1, labels + 1)]
    words = _words(topics, COMMON + SHARED + labels * OWN)
    common, shared, own = words[:COMMON], words[COMMON:][:SHARED], words[COMMON + SHARED :]
    words_of = {
        name: own[n * OWN :][:OWN] + topics.choice(shared, 60, replace=False).tolist() for n, name in enumerate(names)
    }
    frequent = 0.30 / np.arange(1, labels + 1) ** 0.7
    together = topics.random((labels, labels)) ** 4
    draw = np.random.default_rng(seed)
    texts, sets = [], []
    for _ in range(documents):
        chosen = set(np.flatnonzero(draw.random(labels) < frequent).tolist())
        for label in list(chosen):
            chosen |= set(np.flatnonzero(draw.random(labels) < 0.3 * together[label]).tolist())
        length = int(np.clip(draw.lognormal(4.2, 0.6), 12, 400))
        words = _zipf(draw, common, length, 1.0)
        for label in chosen:
            strength = draw.beta(1.5, 12)  # some labels have hardly a word in the text
            words += _zipf(draw, words_of[names[label]], draw.poisson(strength * length), 0.8)
        words += _zipf(draw, words_of[names[draw.integers(labels)]], draw.poisson(0.02 * length), 0.8)
        flipped = set(np.flatnonzero(draw.random(labels) < 0.01).tolist())
        draw.shuffle(words)
        texts.append(" ".join(words))
        sets.append([names[label] for label in sorted(chosen ^ flipped)])
    return texts, sets


def _words(draw, count):
    """Invented words of two to four syllables, which all topics share."""
    onsets = ["", *"bcdfghjklmnprstvwz", "br", "ch", "dr", "fl", "gr", "pl", "sh", "st", "th", "tr"]
    syllables = [onset + vowel + coda for onset in onsets for vowel in "aeiou" for coda in ("", "l", "n", "r")]
    found = {}
    while len(found) < count:
        found["".join(draw.choice(syllables, draw.integers(2, 5)))] = None
    return list(found)


def _zipf(draw, words, count, exponent):
    weights = 1 / np.arange(1, len(words) + 1) ** exponent
    stems = draw.choice(words, count, p=weights / weights.sum())
    endings = draw.choice(ENDINGS, count, p=[0.55, 0.2, 0.1, 0.1, 0.05])
    return [stem + ending for stem, ending in zip(stems.tolist(), endings.tolist(), strict=True)]


def paired_posts(subset, *, seed, limit=None):
    """Join posts of 20 Newsgroups without headers, footers and quotes: one or two posts a text, at random."""
    corpus = textlrp.load_20newsgroups(subset, remove=("headers", "footers", "quotes"))
    posts = [(Document("", each.read_text()), each.label) for each in corpus]
    draw = np.random.default_rng(seed)
    order, texts, sets = draw.permutation(len(posts)).tolist(), [], []
    while order and (limit is None or len(texts) < limit):
        several = [order.pop() for _ in range(min(len(order), 1 + int(draw.integers(2))))]
        texts.append("\n\n".join(posts[n][0].text.strip() for n in several))
        sets.append(sorted({posts[n][1] for n in several}))
    return texts, sets
