"""Compare the multi-label classifiers with scikit-learn's OneVsRestClassifier(LinearSVC) over TF-IDF.

Prints micro F1, macro F1 and subset accuracy on test texts, as means over seeds with the smallest and largest micro
F1, and the time to train. The seeds draw the corpus and initialize the classifiers.

    python benchmarks/multilabel.py                       # the corpus that benchmarks/label_corpora.py draws
    python benchmarks/multilabel.py --corpus pairs        # one or two posts of 20 Newsgroups a text
"""

import argparse
import time
import warnings

import numpy as np
from label_corpora import paired_posts, topical_corpus
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.metrics import accuracy_score, f1_score
from sklearn.multiclass import OneVsRestClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import MultiLabelBinarizer
from sklearn.svm import LinearSVC

import textlrp

MODELS = {
    "OneVsRestClassifier(LinearSVC)": lambda seed: make_pipeline(
        TfidfVectorizer(sublinear_tf=True), OneVsRestClassifier(LinearSVC(random_state=seed))
    ),
    "BagOfWordsClassifier": lambda seed: textlrp.BagOfWordsClassifier(random_state=seed, skip=()),
    "BagOfEmbeddingsClassifier": lambda seed: textlrp.BagOfEmbeddingsClassifier(random_state=seed, skip=()),
    "CNNClassifier": lambda seed: textlrp.CNNClassifier(random_state=seed, skip=()),
}


def measure(make, training, test, seed):
    """Train a model; return micro F1, macro F1 and subset accuracy in percent, and the seconds to train."""
    binarizer = MultiLabelBinarizer()
    wanted = binarizer.fit_transform(training[1])
    began = time.perf_counter()
    model = make(seed).fit(training[0], wanted)
    seconds = time.perf_counter() - began
    true, predicted = binarizer.transform(test[1]), model.predict(test[0])
    scores = [f1_score(true, predicted, average=mean, zero_division=0) for mean in ("micro", "macro")]
    return [100 * each for each in (*scores, accuracy_score(true, predicted))] + [seconds]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--corpus", choices=("topical", "pairs"), default="topical")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--documents", type=int, default=3000, help="training texts; half as many test texts")
    parser.add_argument("--models", nargs="+", choices=MODELS, default=list(MODELS))
    options = parser.parse_args()
    warnings.simplefilter("ignore", UserWarning)

    found = {name: [] for name in options.models}
    for seed in range(options.seeds):
        if options.corpus == "topical":
            training = topical_corpus(options.documents, seed=2 * seed)
            test = topical_corpus(options.documents // 2, seed=2 * seed + 1)
        else:
            training = paired_posts("train", seed=seed, limit=options.documents)
            test = paired_posts("test", seed=seed, limit=options.documents // 2)
        for name in options.models:
            found[name].append(measure(MODELS[name], training, test, seed))
            print(f"seed {seed}, {name}: " + ", ".join(f"{each:.1f}" for each in found[name][-1]), flush=True)
    print(f"\n{len(training[0]):,} training and {len(test[0]):,} test texts, {options.seeds} seeds\n")
    print("| model | micro F1 (smallest to largest) | macro F1 | subset accuracy | seconds |")
    print("|---|---|---|---|---|")
    for name, rows in found.items():
        mean, micro = np.mean(rows, axis=0), [row[0] for row in rows]
        print(
            f"| {name} | {mean[0]:.1f} ({min(micro):.1f} to {max(micro):.1f}) | {mean[1]:.1f} | {mean[2]:.1f} | "
            f"{mean[3]:.1f} |"
        )


if __name__ == "__main__":
    main()
