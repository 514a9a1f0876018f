"""Normalized AOPC of the 20 Newsgroups test posts: its table, its time, and that of one forward pass per candidate.

The search for the best and the worst order of deletion takes nearly all of the time. For a CNN with max pooling,
textlrp computes only what a deleted word changes. The last table compares this with a search of the same width that
scores each candidate by a forward pass, all candidates of a step in one batch.

    python benchmarks/aopc_search.py [--model 20newsgroups-cnn] [--limit N] [--beam-width 5] [--words 25 50 100 200]
"""

import argparse
import tempfile
import time
import warnings
from collections.abc import Sequence

import numpy as np

import textlrp
from textlrp.evaluation.measured_corpus import ScoredCorpus, score_corpus
from textlrp.evaluation.running.evaluate_corpus import evaluate
from textlrp.evaluation.running.plan import make_plan
from textlrp.models.word_orders import iter_extreme_orders, search_order, target_values
from textlrp.records import Document

POSTS = 5
"""Posts of each length that both searches read."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", default="20newsgroups-cnn")
    parser.add_argument("--limit", type=int, help="number of posts, evenly spaced; default: all")
    parser.add_argument("--beam-width", type=int, default=5)
    parser.add_argument("--words", type=int, nargs="*", default=[25, 50, 100, 200], help="lengths that are compared")
    options = parser.parse_args()
    warnings.simplefilter("ignore", UserWarning)  # some posts have no word to read
    posts = list(textlrp.load_20newsgroups("test").documents)
    measure(options.model, posts, options.limit or len(posts), options.beam_width)
    corpus = score_corpus(textlrp.load(options.model), posts)
    print("\n| known words | textlrp, s | a pass per candidate, s | ratio |\n|---|---|---|---|")
    for words in options.words:
        fast, plain = compared(corpus, words, options.beam_width)
        print(f"| {words} | {fast:.3f} | {plain:.2f} | {plain / fast:,.0f} |", flush=True)


def measure(name: str, posts: Sequence[Document], limit: int, beam_width: int) -> None:
    """Print normalized AOPC of every method and the time that it took, by the measure of ``textlrp evaluate``."""
    model = textlrp.load(name)
    plan = make_plan(model, measures=["naopc"], max_documents=limit, beam_width=beam_width)
    began, cpu = time.perf_counter(), time.process_time()
    with tempfile.TemporaryDirectory() as folder:
        found = evaluate(model, posts, folder, plan=plan, model_name=name, corpus_name="20newsgroups")["naopc"]
    seconds, cpu = time.perf_counter() - began, time.process_time() - cpu
    print(f"{found['documents']:,} posts, beam width {beam_width}: {seconds:.0f} s ({cpu:.0f} s of CPU time)\n")
    print("| method | normalized AOPC | 95% interval | reversed |\n|---|---|---|---|")
    for row in found["rows"]:
        low, high = row["interval"]
        print(f"| {row['method']} | {row['naopc']:.4f} | {low:.4f} to {high:.4f} | {row['reversed']:.4f} |")


def compared(corpus: ScoredCorpus, words: int, beam_width: int) -> tuple[float, float]:
    """Median seconds of the two searches for the posts whose number of known words is nearest to ``words``."""
    rows = np.argsort(np.abs(corpus.known - words), kind="stable")[:POSTS]
    seconds = []
    for row in rows.tolist():
        (batch, _), target = next(corpus.iter_batches(np.arange(len(corpus)) == row)), int(corpus.predicted[row])
        known, length = np.flatnonzero(batch.text(0) > 0), int(batch.lengths[0])
        began = time.perf_counter()
        list(iter_extreme_orders(corpus.model, batch, [target], beam_width=beam_width))
        middle = time.perf_counter()
        for sign in (1.0, -1.0):
            search_order(target_values(corpus.model, batch, 0, target), known, length, beam_width, sign)
        seconds.append((middle - began, time.perf_counter() - middle))
    fast, plain = np.median(seconds, axis=0).tolist()
    return fast, plain


if __name__ == "__main__":
    main()
