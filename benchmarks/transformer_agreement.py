"""Compare LRP of unmodified Hugging Face classifiers with other implementations: the largest relative differences.

Each row is an architecture of transformers with random weights, biases and normalization parameters, in float64. All
classes of some texts are explained, with each implementation of attention that transformers offers. A difference is
relative to sum |relevance| + sum |ledger entries| of its text and class. Conversions to float32 inside of a model are
left out, because they would limit the comparison to about 1e-7.

    python benchmarks/transformer_agreement.py [--texts 2] [--seeds 1] [--only bert gpt2]
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import torch
from torch import Tensor

sys.path.insert(0, str(Path(__file__).parents[1] / "tests" / "helpers"))

import held_constant
from tiny_transformers import ARCHITECTURES, ATTENTION, TEXTS, tiny_classifier, tiny_tokenizer

from textlrp.lrp.presets import PRESETS
from textlrp.lrp.recorded.record import record
from textlrp.lrp.trace import Propagated, one_hot_seed, propagate

RULES = ("cp-lrp", "attnlrp")


class Subject(NamedTuple):
    """A model on one text, and its relevance by the recorded trace for each rule.

    ``run(ids)`` calls the model and returns its scores (1, C).
    """

    model: Any
    ids: Tensor
    run: Callable[[Tensor], Tensor]
    scores: Tensor
    found: dict[str, Propagated]

    def relative(self, rule: str, difference: Tensor) -> float:
        """The largest |difference| (C, ...), relative to the relevance and ledger entries of its class."""
        found = self.found[rule]
        size = found.relevance[:, 0].abs().sum(-1) + sum(entry.abs()[:, 0] for entry in found.ledger.values())
        return float((difference.abs().reshape(len(size), -1).max(dim=1).values / size).max())


def subject(name: str, attention: str, text: str, seed: int) -> Subject:
    """Record a model on a text, and propagate all its scores."""
    model = tiny_classifier(name, seed=seed, attention=attention)
    ids = torch.tensor([tiny_tokenizer(name)(text).input_ids])

    def run(ids: Tensor) -> Tensor:
        with held_constant.InDouble():
            return model(input_ids=ids).logits  # type: ignore[no-any-return]

    trace = record(model, ids, forward=run)
    seeds = one_hot_seed(trace.scores, range(trace.scores.shape[1]))
    return Subject(model, ids, run, trace.scores, {rule: propagate(trace, PRESETS[rule], seeds) for rule in RULES})


# ---- opinions: how far relevance of the recorded trace is from something else


def law(subject: Subject, rule: str) -> float:
    """Relevance + absorbed - score."""
    found = subject.found[rule]
    absorbed = sum(entry[:, 0] for entry in found.ledger.values())
    return subject.relative(rule, found.relevance[:, 0].sum(-1) + absorbed - subject.scores[0])


def with_constant_gates(subject: Subject, rule: str) -> float:
    """Gradient × input of the model with its constant gates (AttnLRP: with halved gradients)."""
    table = subject.model.get_input_embeddings().weight
    halves = rule == "attnlrp"
    _, relevance = held_constant.relevance_of(subject.model, table, lambda: subject.run(subject.ids), halves=halves)
    return subject.relative(rule, relevance - subject.found[rule].relevance[:, 0])


def occluded(subject: Subject) -> float:
    """The decrease of the score without each word, in the model with its constant gates."""
    table, words = subject.model.get_input_embeddings().weight, subject.ids.numel()
    decreases = held_constant.occluded(subject.model, table, lambda: subject.run(subject.ids), words)
    return subject.relative("cp-lrp", decreases - subject.found["cp-lrp"].relevance[:, 0])


class Opinion(NamedTuple):
    """A column of the table: its heading, and its difference for one subject."""

    heading: str
    difference: Callable[[Subject], float]


OPINIONS: list[Opinion] = [
    Opinion("law, CP", partial(law, rule="cp-lrp")),
    Opinion("law, Attn", partial(law, rule="attnlrp")),
    Opinion("CP - G×I, gates constant", partial(with_constant_gates, rule="cp-lrp")),
    Opinion("CP - occlusion", occluded),
    Opinion("Attn - G×I, halved", partial(with_constant_gates, rule="attnlrp")),
]
"""The columns; sdpa - eager is added for architectures that offer both."""


def between(one: Subject, other: Subject) -> float:
    """The largest difference of two implementations of attention, over both rules."""
    return max(one.relative(rule, one.found[rule].relevance - other.found[rule].relevance) for rule in RULES)


def row(name: str, texts: Sequence[str], seeds: int) -> list[float | None]:
    """The largest difference of each opinion over texts, seeds and implementations of attention, and sdpa - eager."""
    worst: list[float | None] = [None] * (len(OPINIONS) + 1)

    def keep(column: int, value: float) -> None:
        before = worst[column]
        worst[column] = value if before is None else max(before, value)

    for text in texts:
        for seed in range(seeds):
            found = {way: subject(name, way, text, seed) for each, way in ATTENTION if each == name}
            for each in found.values():
                for column, opinion in enumerate(OPINIONS):
                    keep(column, opinion.difference(each))
            if len(found) == 2:
                keep(len(OPINIONS), between(found["eager"], found["sdpa"]))
    return worst


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--texts", type=int, default=2, help="number of texts (default 2)")
    parser.add_argument(
        "--seeds", type=int, default=1, help="number of random models of each architecture (default 1)"
    )
    parser.add_argument("--only", nargs="*", choices=[*ARCHITECTURES], help="architectures (default: all)")
    options = parser.parse_args()
    headings = [*(opinion.heading for opinion in OPINIONS), "sdpa - eager"]
    widths = [max(len(heading), 7) for heading in headings]
    line = "  ".join(heading.rjust(width) for heading, width in zip(headings, widths, strict=True))
    print("architecture".ljust(14) + line, flush=True)
    for name in options.only or ARCHITECTURES:
        cells = row(name, TEXTS[: options.texts], options.seeds)
        shown = ("-" if cell is None else f"{cell:.1e}" for cell in cells)
        cells_line = "  ".join(cell.rjust(width) for cell, width in zip(shown, widths, strict=True))
        print(name.ljust(14) + cells_line, flush=True)


if __name__ == "__main__":
    main()
