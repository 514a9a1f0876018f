"""Relevance equals that of Captum's LRP, from the word vectors on, where its definition is the same.

Captum's stabilizer is 1e-9. Its gamma and alpha1-beta0 rules do not separate negative inputs, do not treat the bias
(or leave it out) and are not defined for z < 0. They agree for inputs >= 0 without bias (or with the bias left out),
gamma where z > 0.
"""

from __future__ import annotations

import outside
import pytest
from cases import every
from laws import gap
from outside import CAPTUM, CAPTUM_EPSILON, LAYERS, C, N, Subject

from textlrp.lrp.rules import Epsilon, Gamma, Zero
from textlrp.lrp.shares import Rule

TOLERANCE = 1e-10
SEEDS = range(3)

each_net = pytest.mark.parametrize("net", LAYERS)


def largest_gap(chosen: Subject, rule: Rule, *, recorded: bool = False) -> tuple[float, int]:
    """The largest difference, and the number of classes and texts compared (for gamma those with a score > 0)."""
    composite = outside.composite_of(rule, CAPTUM_EPSILON)
    trace = outside.closed_trace(chosen)
    found = outside.recorded(chosen, composite) if recorded else [outside.propagated(trace, composite)] * N
    theirs = outside.captum_relevance(chosen, outside.captum_rule(rule))
    gaps = []
    for n, ours in enumerate(found):
        row = 0 if recorded else n
        for k in range(C):
            if trace.scores[n, k] > 0 or not isinstance(rule, Gamma):
                entries = [entry[k, row] for entry in ours.ledger.values()]
                relevance = ours.relevance[k, row]
                gaps.append(gap(relevance - theirs[k, n], relevance, entries))
    return max(gaps, default=0.0), len(gaps)


@each_net
@every("rule", CAPTUM)
def test_a_rule_equals_that_of_captum_where_the_definition_is_the_same(net: str, rule: Rule) -> None:
    compared = 0
    for seed in SEEDS:
        worst, count = largest_gap(outside.captum_subject(net, seed, rule), rule)
        assert worst < TOLERANCE
        compared += count
    assert compared >= N * C


@each_net
@every("rule", CAPTUM)
def test_the_recorded_trace_equals_captum(net: str, rule: Rule) -> None:
    worst, count = largest_gap(outside.captum_subject(net, 0, rule), rule, recorded=True)
    assert worst < TOLERANCE
    assert count


@every("rule", [rule for rule in CAPTUM if not isinstance(rule, (Zero, Epsilon))])
def test_the_rules_differ_for_other_inputs(rule: Rule) -> None:
    """If this fails, the remarks about Captum in the docstrings of the rules are out of date."""
    assert largest_gap(outside.subject("max", 0), rule)[0] > 1e-3
