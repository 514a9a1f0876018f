"""From text to a Parquet file with EncoderClassifier: documents per second, compared with the plain forward pass.

Posts of 20 Newsgroups, headers ignored. The plain forward pass is ``decision_function`` of the same posts: it reads
the texts and runs the encoder on all windows. Each row is the best of ``--rounds``, in seconds of CPU time, so that
other work on the machine does not count.

    python benchmarks/encoder_throughput.py ENCODER [--posts 1000] [--train 400] [--rounds 1]

ENCODER is the folder of a SentenceTransformer.
"""

from __future__ import annotations

import argparse
import tempfile
import time
import warnings
from collections.abc import Callable
from pathlib import Path

import torch

import textlrp
from textlrp.store import write


def seconds(work: Callable[[], object], rounds: int) -> float:
    """The least CPU time of ``work``."""
    found = []
    for _ in range(rounds):
        began = time.process_time()
        work()
        found.append(time.process_time() - began)
    return min(found)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("encoder", help="folder of a SentenceTransformer")
    parser.add_argument("--posts", type=int, default=1000)
    parser.add_argument("--train", type=int, default=400, help="training posts; they do not change the speed")
    parser.add_argument("--rounds", type=int, default=1)
    options = parser.parse_args()
    warnings.simplefilter("ignore", UserWarning)
    torch.set_num_threads(1)
    train, test = (textlrp.load_20newsgroups(part).documents for part in ("train", "test"))
    some = train[:: max(1, len(train) // options.train)]
    posts = test[:: max(1, len(test) // options.posts)][: options.posts]
    model = textlrp.EncoderClassifier(encoder=options.encoder, C=3.0)
    model.fit(some, [post.label for post in some])
    classes = len(model.classes_)
    with tempfile.TemporaryDirectory() as folder:

        def to_file(target: str | None) -> None:
            write(textlrp.explain(model, posts, target=target), Path(folder) / "why.parquet")

        plain = seconds(lambda: model.decision_function(posts), options.rounds)
        print(f"{len(posts):,} posts, {classes} classes, one thread")
        print("| work | documents/s | of the plain pass |\n|---|---|---|")
        print(f"| plain forward pass | {len(posts) / plain:.2f} | 1 |", flush=True)
        for name, target in (("predicted class to Parquet", None), (f"all {classes} classes to Parquet", "all")):
            took = seconds(lambda target=target: to_file(target), options.rounds)  # type: ignore[misc]
            print(f"| {name} | {len(posts) / took:.2f} | {plain / took:.3f} |", flush=True)


if __name__ == "__main__":
    main()
