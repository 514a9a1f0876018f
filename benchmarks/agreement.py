"""Compare LRP relevance with five other implementations, rule by rule: the largest relative difference of each.

The closed form of textlrp is compared with plain loops over the equations, with the trace recorded from the torch
module, with Zennit, with Captum and with gradient × input, on random nets and texts in float64, for all classes. A
difference is relative to sum |relevance| + sum |ledger entries| of its text and class.

    python benchmarks/agreement.py [--seeds 5]
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Literal, NamedTuple

import torch
from torch import Tensor

sys.path.insert(0, str(Path(__file__).parents[1] / "tests" / "helpers"))

import outside
import reference
from laws import gap
from outside import LAYERS, C, H, N, Subject
from reference import Convolution, Explained, Recipe, Recipes

from textlrp.lrp.composite import Composite
from textlrp.lrp.rules import AlphaBeta, Epsilon, Flat, Gamma, WSquare, ZBox, Zero, ZPlus
from textlrp.lrp.shares import Rule
from textlrp.lrp.trace import Propagated

LOW, HIGH = -4.0, 5.0
EPSILON = 1e-6


class Row(NamedTuple):
    """A row of the table: a rule as a function of its stabilizer, and its plain-loop equations without a stabilizer.

    The rule is used on every weighted layer; with ``first_only``, on the first layer only, and :class:`Epsilon` on
    the other layers.
    """

    label: str
    rule: Callable[[float], Rule]
    recipe: Recipe
    first_only: bool = False

    def composite(self, stabilizer: float, mean: Rule) -> Composite:
        """The composite that assigns the rule to layers."""
        rule = self.rule(stabilizer)
        return (
            outside.composite_of(Epsilon(EPSILON), mean, rule)
            if self.first_only
            else outside.composite_of(rule, mean)
        )

    @property
    def recipes(self) -> Recipes:
        """The same assignment for the plain loops."""
        top = Recipe(EPSILON)
        return Recipes(top, top, first=self.recipe) if self.first_only else Recipes(self.recipe, self.recipe)


def alpha_beta(alpha: float, beta: float, bias: Literal["absorb", "ignore"] = "absorb") -> Row:
    """The row of an alpha-beta rule."""
    label = (
        f"AlphaBeta({alpha:g}, {beta:g})" if bias == "absorb" else f'AlphaBeta({alpha:g}, {beta:g}, bias="ignore")'
    )
    recipe = Recipe(rule="alpha-beta", alpha=alpha, beta=beta, ignore_bias=bias == "ignore")
    return Row(label, lambda s: AlphaBeta(alpha, beta, bias=bias, stabilizer=s), recipe)


ROWS = (
    Row("Zero", lambda s: Zero(), Recipe()),
    Row("Epsilon", lambda s: Epsilon(s or EPSILON), Recipe(EPSILON)),
    Row("Epsilon, bias spread", lambda s: Epsilon(0.01, bias="spread"), Recipe(0.01, spread=True)),
    Row("Gamma", lambda s: Gamma(0.25, s), Recipe(rule="gamma")),
    alpha_beta(1.0, 0.0),
    alpha_beta(2.0, 1.0),
    alpha_beta(1.0, 0.0, "ignore"),
    alpha_beta(2.0, 1.0, "ignore"),
    Row("ZPlus", ZPlus, Recipe(rule="z-plus")),
    Row("WSquare", WSquare, Recipe(rule="w-square")),
    Row("Flat", Flat, Recipe(rule="flat")),
    Row("ZBox at the first layer", lambda s: ZBox(LOW, HIGH, s), Recipe(rule="z-box"), first_only=True),
)

# ---- comparisons: each returns the largest difference for a rule and a seed, or the letter of a footnote


def plain_loops(row: Row, seed: int) -> float | str:
    """Compare with ``tests/helpers/reference.py``, including the ledger by cause."""
    worst = 0.0
    for name in ("max", "relu, mean"):
        chosen = outside.subject(name, seed)
        ours = outside.propagated(outside.closed_trace(chosen), row.composite(0.0, Zero()))
        for n in range(N):
            for target in range(C):
                expected = by_loops(chosen, n, target, row.recipes)
                ledger: dict[str, float] = {}
                for (_, cause), entry in expected.ledger.items():
                    ledger[cause] = ledger.get(cause, 0.0) + entry
                worst = max(worst, difference(ours, target, n, torch.tensor(expected.relevance), ledger))
    return worst


def by_loops(chosen: Subject, n: int, target: int, recipes: Recipes) -> Explained:
    """Relevance of one text and class by the plain loops."""
    convolution: Any = chosen.net[0]
    output: Any = chosen.net[-1]
    return reference.cnn(
        chosen.table[chosen.ids[n]].numpy(),
        [True] * chosen.ids.shape[1],
        {H: Convolution(convolution.weight.numpy(), convolution.bias.numpy())},
        output.weight.numpy(),
        output.bias.numpy(),
        "max" if chosen.name == "max" else "mean",
        target,
        recipes,
        [(LOW, HIGH)] * chosen.table.shape[1],
    )


def recorded_trace(row: Row, seed: int) -> float | str:
    """Compare with the trace recorded from the module, including the ledger by cause."""
    worst = 0.0
    composite = row.composite(0.0, Zero())
    for name in LAYERS:
        chosen = outside.subject(name, seed)
        ours = outside.propagated(outside.closed_trace(chosen), composite)
        for n, theirs in enumerate(outside.recorded(chosen, composite)):
            for target in range(C):
                causes = by_cause(theirs, target, 0)
                worst = max(worst, difference(ours, target, n, theirs.relevance[target, 0], causes))
    return worst


def zennit(row: Row, seed: int) -> float | str:
    """Compare with Zennit, with its stabilizer on both sides."""
    rule = row.rule(outside.S)
    if rule not in outside.ZENNIT:
        return "a"
    worst = 0.0
    for name in LAYERS:
        chosen = outside.subject(name, seed)
        top = outside.zennit_rule(Epsilon(EPSILON) if row.first_only else rule)
        theirs = outside.zennit_relevance(chosen, top, outside.S, outside.zennit_rule(rule))
        ours = outside.propagated(outside.closed_trace(chosen), row.composite(outside.S, Epsilon(outside.S)))
        worst = max(worst, *(difference(ours, k, n, theirs[k, n]) for k in range(C) for n in range(N)))
    return worst


def captum(row: Row, seed: int) -> float | str:
    """Compare with Captum, on nets for which its definition is the same."""
    rule = row.rule(outside.CAPTUM_S)
    if rule not in outside.CAPTUM:
        return "a" if isinstance(rule, Epsilon) else "b"
    worst = 0.0
    for name in LAYERS:
        chosen = outside.captum_subject(name, seed, rule)
        theirs = outside.captum_relevance(chosen, outside.captum_rule(rule))
        trace = outside.closed_trace(chosen)
        ours = outside.propagated(trace, row.composite(outside.CAPTUM_S, outside.CAPTUM_EPSILON))
        for n in range(N):
            for k in range(C):
                if trace.scores[n, k] > 0 or not isinstance(rule, Gamma):
                    worst = max(worst, difference(ours, k, n, theirs[k, n]))
    return worst


def gradient_times_input(row: Row, seed: int) -> float | str:
    """Compare LRP-0 with gradient × input by torch's autograd; averages use LRP-0 too."""
    if row.label != "Zero":
        return "c"
    worst = 0.0
    for name in LAYERS:
        chosen = outside.subject(name, seed)
        theirs = outside.gradient_times_input(chosen)
        ours = outside.propagated(outside.closed_trace(chosen), outside.composite_of(Zero(), Zero()))
        worst = max(worst, *(difference(ours, k, n, theirs[k, n]) for k in range(C) for n in range(N)))
    return worst


COMPARISONS: dict[str, Callable[[Row, int], float | str]] = {
    "plain loops": plain_loops,
    "recorded trace": recorded_trace,
    "Zennit": zennit,
    "Captum": captum,
    "gradient × input": gradient_times_input,
}
FOOTNOTES = {
    "a": "The package has no option that distributes the bias over the inputs.",
    "b": "The package does not have this rule.",
    "c": "Gradient × input equals LRP-0 only.",
    "d": "The package is not installed.",
}
NOTES = """\
Plain loops and recorded trace: no stabilizer; the ledger is compared by cause too.
Zennit: stabilizer 1e-6 on both sides, propagation started with one-hot × score, `zero_params='bias'` for WSquare,
ZPlus and AlphaBeta with bias="ignore".
Captum: stabilizer 1e-9 on both sides; Zero and Epsilon on all nets; AlphaBeta(1, 0) and Gamma on inputs >= 0 without
bias, Gamma where the score is > 0; ZPlus and AlphaBeta(1, 0, bias="ignore") on inputs >= 0 with `set_bias_to_zero`.
"""


# ---- measure and print


def by_cause(found: Propagated, target: int, n: int) -> dict[str, float]:
    """The absorbed parts of the score of one text and class, by cause."""
    causes: dict[str, float] = {}
    for (_, cause), entry in found.ledger.items():
        causes[cause] = causes.get(cause, 0.0) + float(entry[target, n])
    return causes


def difference(
    ours: Propagated, target: int, n: int, relevance: Tensor, causes: Mapping[str, float] | None = None
) -> float:
    """The largest difference of one text and class, over words and, if ``causes`` is given, over causes."""
    relevances, entries = ours.relevance[target, n], [entry[target, n] for entry in ours.ledger.values()]
    worst = gap(relevances - relevance, relevances, entries)
    if causes is not None:
        absorbed = by_cause(ours, target, n)
        for cause in absorbed.keys() | causes.keys():
            worst = max(worst, gap(absorbed.get(cause, 0.0) - causes.get(cause, 0.0), relevances, entries))
    return worst


def cell(column: str, row: Row, seeds: int) -> str:
    """The largest difference over all seeds, or a dash with the letter of a footnote."""
    if column in ("Zennit", "Captum") and not outside.is_installed(column.lower()):
        return "– (d)"
    found = [COMPARISONS[column](row, seed) for seed in range(seeds)]
    notes = [each for each in found if isinstance(each, str)]
    if notes:
        return f"– ({notes[0]})"
    return f"{max(each for each in found if not isinstance(each, str)):.1e}"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, default=5, help="random nets of each kind")
    seeds: int = parser.parse_args().seeds
    used: set[str] = set()
    print(f"Largest relative difference from the closed form, float64, {seeds} random nets of each kind.\n")
    print("| rule | " + " | ".join(COMPARISONS) + " |")
    print("|---" * (len(COMPARISONS) + 1) + "|")
    for row in ROWS:
        cells = [cell(column, row, seeds) for column in COMPARISONS]
        used |= {each[-2] for each in cells if each.endswith(")")}
        print(f"| {row.label} | " + " | ".join(cells) + " |", flush=True)
    print(f"\n{NOTES}")
    for note in sorted(used):
        print(f"({note}) {FOOTNOTES[note]}")


if __name__ == "__main__":
    main()
