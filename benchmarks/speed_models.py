"""The sections of :mod:`speed` about models other than the CNN: bags of words and embeddings, a recorded module."""

from __future__ import annotations

from typing import Any

import contenders
import numpy as np
import torch
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.pipeline import make_pipeline
from sklearn.svm import LinearSVC
from timing import Page, batches_of, made_batch, ours, padded, ratio_of
from torch import Tensor, nn

import textlrp
from textlrp.text.corpora import Corpus

EXPLAINED = 512
"""Posts that a bag of words or embeddings explains per call."""
TRAINED = 4096
"""Posts for training the bags of words."""


def bags_of_words(page: Page, posts: Corpus, rounds: int) -> None:
    """All classes, compared with the fastest way in scikit-learn: one product of features and weights per class."""
    order = np.random.default_rng(0).permutation(len(posts))
    explained = min(EXPLAINED, len(posts) // 2)
    train = [posts.documents[row] for row in order[explained:][:TRAINED]]
    labels = [document.label for document in train]
    some = [posts.documents[row].text for row in order[:explained]]
    bag_of_words = textlrp.BagOfWordsClassifier().fit(train, labels)
    pipeline = make_pipeline(TfidfVectorizer(sublinear_tf=True), LinearSVC()).fit(
        [document.text for document in train], labels
    )
    vectorizer, svm = pipeline[0], pipeline[-1]

    def products(texts: list[str]) -> object:
        features = vectorizer.transform(texts)
        return [features.multiply(weight[None]).tocsr() for weight in svm.coef_]

    page.table(
        f"Bags of words: all {len(bag_of_words.classes_)} classes of {len(some)} posts, from text",
        "model", "ms per post", "time relative to scikit-learn's `transform` and products",
        "time relative to `decision_function`",
    )  # fmt: skip
    batch: Any = _Texts(some)
    for name, model in (("BagOfWordsClassifier", bag_of_words), ("adapted pipeline, TF-IDF and LinearSVC", pipeline)):

        def explain(batch: Any, model: Any = model) -> object:
            return list(textlrp.explain(model, batch.texts, target="all"))

        def score(batch: Any, model: Any = model) -> object:
            return model.decision_function(batch.texts)

        ratio, mine, _ = ratio_of(explain, lambda batch: products(batch.texts), [batch], rounds)
        scoring, _, _ = ratio_of(explain, score, [batch], rounds)
        page.row(name, f"{mine:.2f}", f"{ratio:.1f}", f"{scoring:.1f}")
    page.log(
        "\nThe products are relevance per feature and class. textlrp returns Explanations: relevance per word of the "
        "original text with offsets, score breakdown and probabilities."
    )


class _Texts:
    """Texts as one batch, for :func:`ratio_of`."""

    def __init__(self, texts: list[str]) -> None:
        self.texts = texts

    def __len__(self) -> int:
        return len(self.texts)


def bag_of_embeddings(page: Page, posts: Corpus, rounds: int) -> None:
    """All classes of a bag of embeddings compared with its scores, from ids."""
    model = textlrp.load("20newsgroups-boe")
    batches = batches_of(model.encode(list(posts.documents[:EXPLAINED])))
    ratio, mine, theirs = ratio_of(ours(model), model.scores, batches, rounds)
    page.table("Bag of embeddings (bundled): explaining all classes compared with predicting, from ids",
               "predicting, ms per post", "explaining, ms per post", "ratio")  # fmt: skip
    page.row(f"{theirs:.3f}", f"{mine:.3f}", f"{ratio:.2f}")


class Recurrent(nn.Module):
    """A two-layer bidirectional LSTM over word vectors, mean over time, dense: an external PyTorch module."""

    def __init__(self, words: int, classes: int = 20) -> None:
        super().__init__()
        self.embedding = nn.Embedding(words, 100, padding_idx=0)
        self.lstm = nn.LSTM(100, 128, num_layers=2, batch_first=True, bidirectional=True)
        self.output = nn.Linear(256, classes)

    def top(self, vectors: Tensor) -> Tensor:
        found: Tensor = self.output(self.lstm(vectors)[0].mean(dim=1))
        return found

    def forward(self, ids: Tensor) -> Tensor:
        return self.top(self.embedding(ids))


def recorded_module(page: Page, rounds: int) -> None:
    """A recorded torch module, one text per call, compared with its forward and backward pass."""
    torch.manual_seed(0)
    net = Recurrent(5000).eval()
    vocabulary = {f"w{number}": number for number in range(5000)}
    model = textlrp.wrap(net, tokenizer=str.split, vocabulary=vocabulary)
    rng = np.random.default_rng(0)
    passes = contenders.forward_and_backward(net.top, net.embedding)  # type: ignore[arg-type]
    page.table("A recorded torch module (two-layer bidirectional LSTM): one text per call, one class and all 20",
               "words", "forward and backward, ms",
               "one class, relative time", "20 classes, relative time")  # fmt: skip
    for words in (20, 100, 400):
        ids = rng.integers(1, 5000, words)
        batch = made_batch([ids])
        text = " ".join(f"w{number}" for number in ids)

        def explain(target: Any, text: str = text) -> object:
            return textlrp.explain(model, text, target=target)

        one, _, theirs = ratio_of(lambda _: explain(None), lambda batch: passes(padded(batch)), [batch], rounds)
        every, _, _ = ratio_of(lambda _: explain("all"), lambda batch: passes(padded(batch)), [batch], rounds)
        page.row(words, f"{theirs:.1f}", f"{one:.1f}", f"{every:.1f}")
