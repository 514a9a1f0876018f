"""Compare nlp.pipe with the textlrp component to its two parts: nlp.pipe without it, and textlrp.explain alone.

    python benchmarks/spacy_pipe_speed.py [--documents 1000] [--rounds 5] [--model 20newsgroups-cnn] [--target CLASS]

The pipeline is spacy.blank("en"), whose tokenizer is the cheapest pipeline, so that the cost of the component is most
visible. The texts are test posts of 20 Newsgroups. The results are streams that are not kept. In each round the parts
run before and after the pipeline. The ratio is the time of the pipeline divided by the sum of the parts: the median
over the rounds, for wall-clock time and for CPU time of the process.
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections import deque
from collections.abc import Callable, Iterable
from typing import NamedTuple

import spacy

import textlrp
import textlrp.spacy_pipe


class Cost(NamedTuple):
    """Seconds of one run."""

    wall: float
    cpu: float


def cost(run: Callable[[], object]) -> Cost:
    wall, cpu = time.perf_counter(), time.process_time()
    run()
    return Cost(time.perf_counter() - wall, time.process_time() - cpu)


def consume(results: Iterable[object]) -> None:
    """Read a stream to its end without keeping it."""
    deque(results, maxlen=0)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--documents", type=int, default=1000)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--model", default="20newsgroups-cnn")
    parser.add_argument("--target", help="class to explain, or all; default: the predicted class")
    options = parser.parse_args()
    texts = textlrp.load_20newsgroups("test").texts[: options.documents]
    model = textlrp.load(options.model)
    plain, piped = spacy.blank("en"), spacy.blank("en")
    component = piped.add_pipe("textlrp", config={"target": options.target})
    component.model = model  # type: ignore[attr-defined]

    def pipeline() -> None:
        consume(piped.pipe(texts))

    def parts() -> list[Cost]:
        explaining = cost(lambda: consume(textlrp.explain(model, texts, target=options.target)))
        return [explaining, cost(lambda: consume(plain.pipe(texts)))]

    pipeline(), parts()
    rows = []
    for _ in range(options.rounds):
        before, whole, after = parts(), cost(pipeline), parts()
        rows.append(
            (whole, *(Cost((a.wall + b.wall) / 2, (a.cpu + b.cpu) / 2) for a, b in zip(before, after, strict=True)))
        )
    print(f"{len(texts):,} posts, {options.model}, median of {options.rounds} rounds, in seconds\n")
    print("| time | pipeline with textlrp | textlrp.explain alone | nlp.pipe alone | ratio to the sum |")
    print("|---|---|---|---|---|")
    for name in Cost._fields:
        columns = [[getattr(each, name) for each in column] for column in zip(*rows, strict=True)]
        ratio = statistics.median(whole / (one + other) for whole, one, other in zip(*columns, strict=True))
        cells = " | ".join(f"{statistics.median(column):.2f}" for column in columns)
        print(f"| {name} | {cells} | {ratio:.2f} |")


if __name__ == "__main__":
    main()
