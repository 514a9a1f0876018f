"""Compare rankings of likely label errors: by the scores of the model, and by the relevance of words.

Labels of 5% of the documents of 20 Newsgroups are replaced by random other labels, a bag of words is trained on them,
and each ranking looks for the wrong labels. Precision is the share of planted errors among as many most suspicious
documents as were planted. Differences from the margin are paired over the planted errors of all seeds.

    python benchmarks/label_errors.py --part validation    (training posts: choose a ranking here)
    python benchmarks/label_errors.py                      (test posts)
    python benchmarks/label_errors.py --part all --seeds 1 --documents 0
"""

import argparse
import time
import warnings

import numpy as np

import textlrp
from textlrp.evaluation.intervals import paired_differences
from textlrp.evaluation.label_errors import RANKINGS
from textlrp.evaluation.planted_errors import planted_label_errors

REFERENCE = "margin"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--part", choices=["validation", "test", "all"], default="test")
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--documents", type=int, default=1500, help="documents drawn for each seed; 0: all")
    parser.add_argument("--folds", type=int, nargs="+", default=[5], help="folds of the cross-validation; 0: none")
    options = parser.parse_args()
    warnings.simplefilter("ignore", UserWarning)  # some posts have no word to read
    parts = {"validation": ["train"], "test": ["test"], "all": ["train", "test"]}[options.part]
    posts = [post for part in parts for post in textlrp.load_20newsgroups(part).documents]
    for folds in options.folds:
        began, results = time.perf_counter(), []
        for seed in range(options.seeds):
            rows = np.random.default_rng(seed).permutation(len(posts))[: options.documents or len(posts)]
            model = textlrp.BagOfWordsClassifier(random_state=seed)
            results.append(
                planted_label_errors(model, [posts[row] for row in rows], folds=folds or None, seed=seed).found
            )
        scored = "by the model that was trained on them" if not folds else f"out of fold ({folds} folds)"
        print(
            f"\n{options.part} posts, {len(rows):,} documents, {options.seeds} seeds, scored {scored}, "
            f"{time.perf_counter() - began:.0f} s\n"
        )
        print_table(results)


def print_table(results) -> None:
    """One row for each ranking: means over seeds, and the paired differences from the margin."""
    by_name = {name: [next(each for each in found if each.ranking == name) for found in results] for name in RANKINGS}
    precision = {name: np.concatenate([each.is_found for each in rows]) for name, rows in by_name.items()}
    auroc = {name: np.concatenate([each.auroc_values for each in rows]) for name, rows in by_name.items()}
    compared = [paired_differences(values, reference=REFERENCE, better="higher") for values in (auroc, precision)]
    print(f"| ranking | AUROC | difference from {REFERENCE} | precision | difference from {REFERENCE} |")
    print("|---|---|---|---|---|")
    for name, rows in by_name.items():
        cells = []
        for measure, of_measure in zip(("auroc", "precision"), compared, strict=True):
            values = [getattr(each, measure) for each in rows]
            deviation = f" ({np.std(values, ddof=1):.3f})" if len(values) > 1 else ""
            cells += [f"{np.mean(values):.3f}{deviation}", difference_text(of_measure.get(name))]
        print(f"| {name} | {' | '.join(cells)} |", flush=True)


def difference_text(found) -> str:
    if found is None:
        return "–"
    if found["p_corrected"] is None:
        return f"{found['difference']:+.3f}, {found['verdict']} (n={found['documents']})"
    return f"{found['difference']:+.3f}, {found['verdict']} (p = {found['p_corrected']:.2g})"


if __name__ == "__main__":
    main()
