"""Relevance equals that of Zennit 0.5.1, from the word vectors on, for every rule of Zennit.

Its WSquare and ZPlus include the bias in the denominator by default. Our stabilizer is set to that of Zennit.
"""

from __future__ import annotations

import outside
import pytest
from cases import every
from laws import gap
from outside import LAYERS, ZENNIT, C, S
from torch import Tensor

from textlrp.lrp.rules import Epsilon, Flat, WSquare, ZBox, ZPlus
from textlrp.lrp.shares import Rule
from textlrp.lrp.trace import Propagated

TOLERANCE = 1e-10
SEEDS = range(3)

each_net = pytest.mark.parametrize("net", LAYERS)


def worst(theirs: Tensor, ours: Propagated) -> float:
    """The largest difference from ``theirs`` (C, N, T), over all classes and texts."""
    gaps = [
        gap(ours.relevance[k, n] - theirs[k, n], ours.relevance[k, n], [e[k, n] for e in ours.ledger.values()])
        for k in range(C)
        for n in range(theirs.shape[1])
    ]
    return max(gaps)


@each_net
@every("rule", ZENNIT)
def test_a_rule_on_every_layer_equals_zennit(net: str, rule: Rule) -> None:
    for seed in SEEDS:
        chosen = outside.subject(net, seed)
        theirs = outside.zennit_relevance(chosen, outside.zennit_rule(rule), S)
        ours = outside.propagated(outside.closed_trace(chosen), outside.composite_of(rule, Epsilon(S)))
        assert theirs.abs().sum() > 0.1
        assert worst(theirs, ours) < TOLERANCE


@each_net
@every("first", [WSquare(S), Flat(S), ZBox(-4.0, 5.0, S)])
@every("rule", [rule for rule in ZENNIT if rule not in (WSquare(S), Flat(S))])
def test_another_rule_at_the_word_vectors_equals_zennit(net: str, first: Rule, rule: Rule) -> None:
    chosen = outside.subject(net, seed=7)
    theirs = outside.zennit_relevance(chosen, outside.zennit_rule(rule), S, outside.zennit_rule(first))
    ours = outside.propagated(outside.closed_trace(chosen), outside.composite_of(rule, Epsilon(S), first))
    assert worst(theirs, ours) < TOLERANCE


@pytest.mark.parametrize("net", ["max", "relu, max", "relu, mean"])
def test_zbox_with_the_bounds_of_the_word_vectors_equals_zennit(net: str) -> None:
    chosen = outside.subject(net, seed=1)
    low, high = chosen.table.amin(dim=0)[None, :, None], chosen.table.amax(dim=0)[None, :, None]
    theirs = outside.zennit_relevance(
        chosen,
        outside.zennit_rule(Epsilon(S)),
        S,
        lambda: outside.zennit().rules.ZBox(low=low, high=high, stabilizer=S),
    )
    composite = outside.composite_of(Epsilon(S), Epsilon(S), ZBox(stabilizer=S))
    assert worst(theirs, outside.propagated(outside.closed_trace(chosen), composite)) < TOLERANCE


@each_net
@every("rule", ZENNIT)
def test_the_recorded_trace_equals_zennit(net: str, rule: Rule) -> None:
    chosen = outside.subject(net, seed=5)
    theirs = outside.zennit_relevance(chosen, outside.zennit_rule(rule), S)
    for n, ours in enumerate(outside.recorded(chosen, outside.composite_of(rule, Epsilon(S)))):
        assert worst(theirs[:, n : n + 1], ours) < TOLERANCE


def test_all_of_zennits_rules_are_compared() -> None:
    rules = outside.zennit().rules
    names = {
        name for name, value in vars(rules).items() if isinstance(value, type) and value.__module__ == rules.__name__
    }
    names = {name for name in names if issubclass(getattr(rules, name), outside.zennit().core.BasicHook)}
    assert names - {"Norm"} == {name for name, _ in ZENNIT.values()}  # averages have Norm here


@pytest.mark.parametrize("rule", [WSquare(S), ZPlus(S)], ids=repr)
def test_the_rules_differ_with_the_bias_in_the_denominator(rule: Rule) -> None:
    """If this fails, the remarks about Zennit in the docstrings of the rules are out of date."""
    chosen = outside.subject("max", seed=0)
    name = type(rule).__name__
    theirs = outside.zennit_relevance(chosen, lambda: getattr(outside.zennit().rules, name)(stabilizer=S), S)
    ours = outside.propagated(outside.closed_trace(chosen), outside.composite_of(rule, Epsilon(S)))
    assert worst(theirs, ours) > 1e-3
