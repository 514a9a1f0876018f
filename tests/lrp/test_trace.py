"""Propagation through traces of random nets, compared with plain loops and the law of conservation."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pytest
import torch
from cases import every
from hypothesis import given, settings
from hypothesis import strategies as st
from laws import gap, trace_gap
from numpy.typing import NDArray
from reference import Recipe, enter, share
from torch import Tensor

from textlrp.errors import RuleError
from textlrp.lrp import trace as trace_module
from textlrp.lrp.composite import Composite
from textlrp.lrp.maps import Bounds, Dense, Mean, WordBag, table_bounds
from textlrp.lrp.presets import PRESETS
from textlrp.lrp.rules import AlphaBeta, Epsilon, Flat, Gamma, WSquare, ZBox, Zero, ZPlus
from textlrp.lrp.shares import Outputs, Rule, Shares
from textlrp.lrp.trace import Propagated, Trace, one_hot_seed, propagate
from textlrp.lrp.trace_steps import Concat, Linear, Lookup, Product, Routing, Step, Sum
from textlrp.lrp.window_maps import WinningWindows, WordWindows

N, T, D, M, C, H, WORDS = 3, 6, 4, 3, 3, 2, 6
LAW_1 = {torch.float64: 1e-13, torch.float32: 5e-6}
EVERYWHERE = (
    Zero(),
    Epsilon(0.1),
    Epsilon(0.1, bias="spread"),
    Gamma(0.5),
    Gamma(stabilizer=0.1),
    AlphaBeta(2.0, 1.0),
    AlphaBeta(1.0, 0.0, stabilizer=0.1),
    AlphaBeta(2.0, 1.0, bias="ignore"),
    ZPlus(),
    WSquare(),
    Flat(),
    ZBox(),
)
COMPOSITES: dict[str, Composite] = {}
for _name, _preset in PRESETS.items():
    if _preset not in COMPOSITES.values():
        COMPOSITES[_name] = _preset
for _rule in EVERYWHERE:
    _sum = Zero() if isinstance(_rule, ZBox) else _rule  # the bounds of a sum are not known
    COMPOSITES[f"{_rule!r} everywhere"] = Composite({"bag": _rule, "mean": _rule, "sum": _sum}, default=_rule)


class RandomTrace:
    """Builds a trace of a random net over a random batch, step by step."""

    def __init__(self, seed: int, dtype: torch.dtype = torch.float64) -> None:
        self.draw = np.random.default_rng(seed)
        self.dtype = dtype
        self.lengths = torch.tensor([T, T - 2, 1])
        inside = torch.arange(T) < self.lengths[:, None]
        self.ids = torch.tensor(self.draw.integers(0, WORDS, size=(N, T))) * inside
        self.table = self.noise(WORDS, D)
        self.table[0] = 0
        self.values: dict[str, Tensor] = {"vectors": self.table[self.ids]}
        self.steps: list[Step] = [Lookup("embedding", ("words",), "vectors", lambda: self.ids)]

    def noise(self, *shape: int) -> Tensor:
        return torch.tensor(self.draw.normal(size=shape), dtype=self.dtype)

    def write(self, step: Step, value: Tensor) -> str:
        self.steps.append(step)
        self.values[step.writes] = value
        return step.writes

    def name(self, kind: str) -> str:
        return f"{kind}{len(self.steps)}"

    # ---- from words

    def bag(self) -> str:
        inside = torch.arange(T) < self.lengths[:, None]
        weights = self.noise(N, T).abs() * inside
        value = torch.einsum("nt,ntd->nd", weights, self.values["vectors"])
        mapped = WordBag(self.table, self.ids, weights, self.lengths, self.table_box())
        name = self.name("bag")
        return self.write(Linear(name, "bag", ("vectors",), name, mapped, value.new_zeros(()), value), value)

    def max_conv(self) -> str:
        z, weight, bias = self._windows()
        start = z.argmax(dim=1)
        rows = torch.arange(N)[:, None]
        met = (self.table @ weight).reshape(WORDS, H, M)
        shares = torch.stack([met[self.ids[rows, start + h], h, torch.arange(M)] for h in range(H)], dim=2)
        value = shares.sum(dim=2) + bias
        name = self.name("conv")
        mapped = WinningWindows(shares, start, lambda: self.ids, self.table, weight, self.table_box())
        return self.write(Linear(name, "convolution", ("vectors",), name, mapped, bias, value), value)

    def mean_conv(self) -> str:
        z, weight, bias = self._windows()
        name = self.name("conv")
        mapped = WordWindows(self.table, weight, self.ids, H, self.table_box())
        windows = self.write(Linear(name, "convolution", ("vectors",), name, mapped, bias, z), z)
        active = torch.relu(z)
        relu = self.name("relu")
        self.write(Routing(relu, "relu", (windows,), relu), active)
        counts = (self.lengths - H + 1).clamp(min=1)
        active = active * (torch.arange(z.shape[1]) < counts[:, None])[:, :, None]
        value = active.sum(dim=1) / counts[:, None]
        mean = self.name("mean")
        box = self.own_box(active.reshape(-1, M))
        return self.write(
            Linear(mean, "mean", (relu,), mean, Mean(active, counts, box), value.new_zeros(()), value), value
        )

    def _windows(self) -> tuple[Tensor, Tensor, Tensor]:
        """Pre-activations (N, windows, M), weight (D, H × M) and bias."""
        weight, bias = self.noise(D, H * M), self.noise(M)
        met, spans = (self.table @ weight).reshape(WORDS, H, M), T - H + 1
        z = bias.expand(N, spans, M)
        for h in range(H):
            z = z + met[:, h][self.ids[:, h : h + spans]]
        return z, weight, bias

    def table_box(self) -> Bounds:
        return lambda: table_bounds(self.table)

    def own_box(self, values: Tensor) -> Bounds:
        """Some bounds for values (..., J): those of the batch itself."""
        return lambda: table_bounds(values)

    # ---- from features

    def dense(self, read: str, outputs: int = M, name: str | None = None, writes: str | None = None) -> str:
        inputs = self.values[read]
        weight, bias = self.noise(outputs, inputs.shape[1]), self.noise(outputs)
        name = name or self.name("dense")
        value = inputs @ weight.T + bias
        mapped = Dense(inputs, weight, self.own_box(inputs))
        return self.write(Linear(name, "dense", (read,), writes or name, mapped, bias, value), value)

    def relu(self, read: str) -> str:
        name = self.name("relu")
        return self.write(Routing(name, "relu", (read,), name), torch.relu(self.values[read]))

    def concat(self, *reads: str) -> str:
        values = [self.values[read] for read in reads]
        name = self.name("concat")
        return self.write(Concat(name, reads, name, tuple(v.shape[1] for v in values)), torch.cat(values, dim=1))

    def sum(self, *reads: str) -> str:
        values = tuple(self.values[read] for read in reads)
        name = self.name("sum")
        return self.write(Sum(name, reads, name, values), sum(values[1:], values[0]))

    def product(self, gate: str, source: str) -> str:
        name = self.name("product")
        return self.write(Product(name, (gate, source), name), self.values[gate] * self.values[source])

    def trace(self, read: str) -> Trace:
        self.dense(read, C, name="output", writes="scores")
        return Trace(tuple(self.steps), self.values["scores"], elements=N * T * M)


def propagated(trace: Trace, composite: Composite, targets: Sequence[int] = range(C)) -> Propagated:
    return propagate(trace, composite, one_hot_seed(trace.scores, targets))


# ---- two branches


def by_plain_loops(
    inputs: NDArray[Any], step: Any, relevance: NDArray[Any], recipe: Recipe, ledger: dict[tuple[str, str], float]
) -> NDArray[Any]:
    """Propagate relevance of one document through one dense step, by plain loops."""
    weight, bias = step.map.weight.numpy(), step.bias.numpy()
    bounds = list(zip(*(bound.tolist() for bound in step.map.box()), strict=True))
    received = np.zeros(len(inputs))
    for k in range(len(bias)):
        fractions, causes = share(inputs.tolist(), weight[k].tolist(), float(bias[k]), recipe, bounds)
        enter(ledger, step.name, causes, float(relevance[k]))
        received += np.array(fractions) * relevance[k]
    return received


TWO_BRANCHES: dict[Rule, Recipe] = {
    Zero(): Recipe(),
    Epsilon(1e-6): Recipe(1e-6),
    Epsilon(0.1): Recipe(0.1),
    Epsilon(0.1, bias="spread"): Recipe(0.1, spread=True),
    Gamma(0.5): Recipe(rule="gamma", gamma=0.5),
    Gamma(stabilizer=0.1): Recipe(0.1, rule="gamma"),
    AlphaBeta(2.0, 1.0): Recipe(rule="alpha-beta"),
    AlphaBeta(1.0, 0.0, bias="ignore"): Recipe(rule="alpha-beta", alpha=1.0, beta=0.0, ignore_bias=True),
    ZPlus(): Recipe(rule="z-plus"),
    WSquare(): Recipe(rule="w-square"),
    Flat(): Recipe(rule="flat"),
}


@every("rule", TWO_BRANCHES)
def test_two_branches_a_value_read_twice_concat_and_sum(rule: Rule) -> None:
    recipe = TWO_BRANCHES[rule]
    net = RandomTrace(seed=5)
    bag = net.bag()
    left = net.relu(net.dense(bag))
    right = net.dense(bag)
    both, total = net.concat(left, right), net.sum(left, right)
    trace = net.trace(net.concat(both, total))
    steps: dict[str, Any] = {step.name: step for step in trace.steps}
    found = propagated(trace, Composite({"sum": rule, "bag": Zero()}, default=rule))
    for n in range(N):
        values = {name: value[n].numpy() for name, value in net.values.items()}
        for target in range(C):
            ledger: dict[tuple[str, str], float] = {}
            seed = np.zeros(C)
            seed[target] = values["scores"][target]
            head = by_plain_loops(values[steps["output"].reads[0]], steps["output"], seed, recipe, ledger)
            on_left, on_right = head[:M].copy(), head[M : 2 * M].copy()
            for m in range(M):
                fractions, causes = share([values[left][m], values[right][m]], [1.0, 1.0], 0.0, recipe)
                enter(ledger, total, causes, head[2 * M + m])
                on_left[m] += fractions[0] * head[2 * M + m]
                on_right[m] += fractions[1] * head[2 * M + m]
            on_bag = by_plain_loops(values[bag], steps[steps[left].reads[0]], on_left, recipe, ledger)
            on_bag = on_bag + by_plain_loops(values[bag], steps[right], on_right, recipe, ledger)
            weights = steps[bag].map.weights[n].numpy()
            words = np.zeros(T)
            for d in range(D):
                length = int(net.lengths[n])
                inputs = values["vectors"][:length, d].tolist()
                fractions, causes = share(inputs, weights[:length].tolist(), 0.0, Recipe())
                enter(ledger, bag, causes, on_bag[d])
                words[: len(fractions)] += np.array(fractions) * on_bag[d]
            relevance = found.relevance[target, n].numpy()
            assert gap(relevance - words, words, ledger.values()) < 1e-13
            for key, entry in found.ledger.items():
                assert gap(float(entry[target, n]) - ledger.get(key, 0.0), words, ledger.values()) < 1e-13
    assert trace_gap(trace, found, range(C)) < 1e-13


def test_the_source_of_a_product_gets_all_relevance() -> None:
    net = RandomTrace(seed=1)
    bag = net.bag()
    gate, source = net.dense(bag), net.dense(bag)
    trace = net.trace(net.product(gate, source))
    found = propagated(trace, PRESETS["epsilon"])
    without_gate = replace(trace, steps=tuple(step for step in trace.steps if step.name != gate))
    alone = propagated(without_gate, PRESETS["epsilon"])
    assert not found.ledger[gate, "bias"].any()
    assert torch.equal(found.relevance, alone.relevance)
    assert trace_gap(trace, found, range(C)) < 1e-13


@pytest.mark.parametrize("dimensions", [(), (D,)])
def test_a_lookup_absorbs_relevance_of_unknown_words_as_ignored(dimensions: tuple[int, ...]) -> None:
    words = torch.tensor([[7, 0, 1], [0, 0, 0]])
    step = Lookup("embedding", ("words",), "vectors", lambda: words)
    arriving = torch.tensor(np.random.default_rng(0).normal(size=(C, 2, 3, *dimensions)))
    (relevance,), absorbed = step.back(arriving, Zero())
    whole = arriving.sum(dim=-1) if dimensions else arriving
    assert torch.equal(relevance, torch.where(words > 0, whole, 0.0))
    torch.testing.assert_close(relevance.sum(dim=-1) + absorbed["ignored"], whole.sum(dim=-1))


# ---- law 1, over random nets


class Wrapped:
    """Base class of steps that change the behavior of another step."""

    def __init__(self, step: Step) -> None:
        self.step = step

    def __getattr__(self, name: str) -> Any:
        return getattr(self.step, name)


class Watched(Wrapped):
    """A step that remembers the sum of |relevance| that passed through it, (K, N)."""

    passed: Tensor

    def back(self, relevance: Tensor, rule: Rule) -> tuple[Sequence[Tensor], dict[str, Tensor]]:
        self.passed = relevance.flatten(start_dim=2).abs().sum(dim=-1)
        return self.step.back(relevance, rule)


def gap_of_a_random_net(trace: Trace, composite: Composite) -> float:
    """As :func:`trace_gap`, but relative to the largest sum of |relevance| that passed through any step.

    A sum whose terms nearly cancel sends very large relevance of both signs into its branches. Where the branches
    meet again, it cancels, and only its rounding errors reach the words.
    """
    steps = [Watched(step) for step in trace.steps]
    found = propagated(replace(trace, steps=tuple(steps)), composite)
    largest = torch.stack([step.passed for step in steps if hasattr(step, "passed")]).amax(dim=0)
    missing = found.relevance.sum(dim=-1) + sum(found.ledger.values()) - trace.scores.T
    assert found.relevance.dtype == trace.scores.dtype
    assert {entry.dtype for entry in found.ledger.values()} == {trace.scores.dtype}
    return float((missing.abs() / torch.where(largest > 0, largest, 1)).max())


def random_trace(seed: int, plan: Sequence[tuple[str, int, int]], dtype: torch.dtype) -> Trace:
    """A net of random steps; the integers of a plan choose the values that a step reads."""
    net = RandomTrace(seed, dtype)
    features = [net.bag()]
    for kind, first, second in plan:
        one, other = features[first % len(features)], features[second % len(features)]
        if kind in ("bag", "max_conv", "mean_conv"):
            features.append(getattr(net, kind)())
        elif kind in ("dense", "relu"):
            features.append(getattr(net, kind)(one))
        elif kind == "concat" or net.values[one].shape == net.values[other].shape:
            features.append(getattr(net, kind)(one, other))
    return net.trace(net.concat(*features[-2:]))


kinds = st.sampled_from(["bag", "max_conv", "mean_conv", "dense", "relu", "concat", "sum", "product"])
plans = st.lists(st.tuples(kinds, st.integers(0, 9), st.integers(0, 9)), min_size=1, max_size=7)
seeds = st.integers(0, 2**32 - 1)


@pytest.mark.parametrize("composite", COMPOSITES.values(), ids=COMPOSITES)
@settings(max_examples=15, deadline=None)
@given(seed=seeds, plan=plans, dtype=st.sampled_from(list(LAW_1)))
def test_relevance_plus_absorbed_is_score(
    composite: Composite, dtype: torch.dtype, seed: int, plan: list[tuple[str, int, int]]
) -> None:
    assert gap_of_a_random_net(random_trace(seed, plan, dtype), composite) < LAW_1[dtype]


@settings(max_examples=30, deadline=None)
@given(seed=seeds, plan=plans)
def test_a_contrast_is_the_difference_of_two_maps(seed: int, plan: list[tuple[str, int, int]]) -> None:
    trace = random_trace(seed, [step for step in plan if step[0] != "sum"], torch.float64)
    alone = propagated(trace, PRESETS["epsilon"], [0, 1])
    contrast = propagate(trace, PRESETS["epsilon"], one_hot_seed(trace.scores, [(0, 1)]))
    for n in range(N):
        size = [entry[:, n].numpy() for entry in alone.ledger.values()]
        difference = contrast.relevance[0, n] - (alone.relevance[0, n] - alone.relevance[1, n])
        assert gap(difference.numpy(), alone.relevance[:, n].numpy(), size) < 1e-13
        for key, entry in contrast.ledger.items():
            both = alone.ledger[key]
            assert gap(float(entry[0, n] - (both[0, n] - both[1, n])), alone.relevance[:, n].numpy(), size) < 1e-13


# ---- the law can fail


@dataclass(frozen=True)
class Forgetful:
    """A rule that does not report what it absorbs for one cause."""

    rule: Rule
    cause: str

    def shares(self, step: Outputs) -> Shares:
        shares = self.rule.shares(step)
        return Shares(shares.flows, {k: v for k, v in shares.absorbed.items() if k != self.cause})


class ForgetfulStep(Wrapped):
    """A step that does not report what it absorbs."""

    def back(self, relevance: Tensor, rule: Rule) -> tuple[Sequence[Tensor], dict[str, Tensor]]:
        return self.step.back(relevance, rule)[0], {}


def two_layers(*, one_sided: bool = False) -> Trace:
    """A convolution, a dense layer and the output; if ``one_sided``, some outputs have only negative products."""
    net = RandomTrace(seed=3)
    hidden = net.relu(net.dense(net.max_conv()))
    if one_sided:
        net.values[hidden][:, 1:] = 0
    return net.trace(hidden)


@every(
    "rule, cause",
    [
        (Zero(), "bias"),
        (Epsilon(0.1), "bias"),
        (Epsilon(0.1), "stabilizer"),
        (Gamma(), "bias"),
        (Gamma(stabilizer=0.1), "stabilizer"),
        (AlphaBeta(2.0, 1.0), "bias"),
        (AlphaBeta(2.0, 1.0, stabilizer=0.1), "stabilizer"),
        (AlphaBeta(2.0, 1.0, bias="ignore"), "empty"),
        (ZPlus(0.1), "stabilizer"),
        (ZPlus(), "empty"),
        (WSquare(0.1), "stabilizer"),
        (Flat(0.1), "stabilizer"),
        (ZBox(stabilizer=0.1), "stabilizer"),
    ],
)
def test_an_omitted_cause_breaks_the_law(rule: Rule, cause: str) -> None:
    trace = two_layers(one_sided=cause == "empty")
    assert trace_gap(trace, propagated(trace, Composite(default=rule)), range(C)) < 1e-13
    assert trace_gap(trace, propagated(trace, Composite(default=Forgetful(rule, cause))), range(C)) > 1e-3


def test_an_omitted_empty_output_breaks_the_law() -> None:
    net = RandomTrace(seed=3)
    net.values["nothing"] = torch.zeros(N, M, dtype=torch.float64)  # spreading sends relevance to it
    trace = net.trace(net.concat(net.bag(), net.sum("nothing", "nothing")))
    spread = Epsilon(0.1, bias="spread")
    kept, lost = Composite(default=spread), Composite({"sum": Forgetful(Zero(), "empty")}, default=spread)
    assert trace_gap(trace, propagated(trace, kept), range(C)) < 1e-13
    assert trace_gap(trace, propagated(trace, lost), range(C)) > 1e-3


def test_an_omitted_ignored_entry_breaks_the_law() -> None:
    trace = two_layers()
    lost = replace(trace, steps=(ForgetfulStep(trace.steps[0]), *trace.steps[1:]))
    arras = PRESETS["arras2017"]
    assert trace_gap(trace, propagated(trace, arras), range(C)) < 1e-13
    assert trace_gap(trace, propagated(lost, arras), range(C)) > 1e-3


def test_steps_of_one_name_share_their_entries() -> None:
    net = RandomTrace(seed=4)
    first = net.dense(net.bag(), name="shared", writes="first")
    second = net.dense(first, name="shared", writes="second")
    trace = net.trace(second)
    found = propagated(trace, Composite(default=Epsilon(0.1)))
    assert trace_gap(trace, found, range(C)) < 1e-13


# ---- propagate


def test_relevance_of_a_watched_value_is_returned() -> None:
    trace = two_layers()
    value = trace.steps[1].writes
    seed = one_hot_seed(trace.scores, [0, (1, 2)])
    found = propagate(trace, PRESETS["epsilon"], seed, watch=[value, "scores"])
    assert found.watched.keys() == {value, "scores"}
    assert torch.equal(found.watched["scores"], seed)
    absorbed = sum(
        entry for (step, _), entry in found.ledger.items() if step not in (trace.steps[1].name, "embedding")
    )
    assert torch.allclose(found.watched[value].sum(dim=-1) + absorbed, seed.sum(dim=-1))
    assert not propagate(trace, PRESETS["epsilon"], seed).watched


def test_a_rule_that_cannot_apply_names_the_layer() -> None:
    net = RandomTrace(seed=6)
    bag = net.bag()
    total = net.sum(bag, bag)
    with pytest.raises(RuleError, match=f"largest possible input of layer '{total}'"):
        propagated(net.trace(total), Composite({"sum": ZBox()}))


@pytest.mark.parametrize("size", [1, 2, 5])
def test_targets_propagated_in_chunks_give_the_same(size: int, monkeypatch: pytest.MonkeyPatch) -> None:
    trace = two_layers()
    targets: list[int | tuple[int, int]] = [0, 1, 2, (0, 1), (2, 0)]
    whole = propagate(trace, PRESETS["arras2017"], one_hot_seed(trace.scores, targets))
    monkeypatch.setattr(trace_module, "BACKWARD_ELEMENTS", size * trace.elements)
    sizes: list[int] = []
    propagate_chunk: Callable[..., Propagated] = trace_module._propagate_chunk

    def counted(trace: Any, layers: Any, composite: Any, seed: Tensor, watch: Any) -> Propagated:
        sizes.append(len(seed))
        return propagate_chunk(trace, layers, composite, seed, watch)

    monkeypatch.setattr(trace_module, "_propagate_chunk", counted)
    chunked = propagate(trace, PRESETS["arras2017"], one_hot_seed(trace.scores, targets))
    assert sum(sizes) == 5
    assert max(sizes) == size
    torch.testing.assert_close(chunked.relevance, whole.relevance, rtol=1e-13, atol=1e-14)
    assert chunked.ledger.keys() == whole.ledger.keys()
    for key, entry in whole.ledger.items():
        torch.testing.assert_close(chunked.ledger[key], entry, rtol=1e-13, atol=1e-14)


def test_a_value_that_no_step_reads_is_skipped() -> None:
    net = RandomTrace(seed=2)
    bag = net.bag()
    net.relu(net.dense(bag))
    trace = net.trace(bag)
    found = propagated(trace, PRESETS["epsilon"])
    assert trace_gap(trace, found, range(C)) < 1e-13
    assert {step for step, _ in found.ledger} == {"output", bag, "embedding"}


def test_an_unknown_layer_is_refused_before_anything_runs() -> None:
    with pytest.raises(
        RuleError, match=r"no layer 'conv9' in this model; it has 'conv1' \(0, convolution\), 'dense2'"
    ):
        propagated(two_layers(), Composite({"conv9": Zero()}))


def test_a_seed_has_the_score_at_the_target() -> None:
    scores = torch.tensor([[1.0, -2.0, 3.0], [4.0, 5.0, 6.0]])
    assert one_hot_seed(scores, [1, (2, 0)]).tolist() == [
        [[0.0, -2.0, 0.0], [0.0, 5.0, 0.0]],
        [[-1.0, 0.0, 3.0], [-4.0, 0.0, 6.0]],
    ]
