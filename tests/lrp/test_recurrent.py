"""LRP through LSTM, GRU and plain RNN layers."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import pytest
import torch
from cases import covering, every
from laws import gap
from reference import Recipe, dense
from reference_recurrent import BOX, LAYERS, Found, Weights, paper_lstm, recurrent
from torch import Tensor, nn
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

from textlrp.errors import ModelError, RuleError
from textlrp.lrp.composite import Composite, Layer
from textlrp.lrp.maps import Dense
from textlrp.lrp.presets import PRESETS
from textlrp.lrp.recorded.recurrent import Recurrent, recurrent_steps
from textlrp.lrp.rules import AlphaBeta, Epsilon, Flat, Gamma, WSquare, ZBox, Zero, ZPlus
from textlrp.lrp.shares import Rule
from textlrp.lrp.trace import Trace, one_hot_seed, propagate
from textlrp.lrp.trace_steps import Concat, Linear, Lookup, Routing

KINDS = tuple(LAYERS)
GATES = {"lstm": 4, "gru": 3, "rnn_tanh": 1, "rnn_relu": 1}
E, H, K = 3, 4, 2
LENGTHS = (5, 1, 3)

EQUATIONS: dict[Rule, Recipe] = {
    Zero(): Recipe(),
    Epsilon(): Recipe(1e-6),
    Epsilon(0.25): Recipe(0.25),
    Epsilon(0.25, bias="spread"): Recipe(0.25, spread=True),
    Epsilon(0.0, bias="spread"): Recipe(spread=True),
    Gamma(): Recipe(rule="gamma"),
    Gamma(2.0, stabilizer=0.5): Recipe(0.5, rule="gamma", gamma=2.0),
    AlphaBeta(): Recipe(rule="alpha-beta"),
    AlphaBeta(1.0, 0.0): Recipe(rule="alpha-beta", alpha=1.0, beta=0.0),
    AlphaBeta(1.5, 0.5, stabilizer=0.125): Recipe(0.125, rule="alpha-beta", alpha=1.5, beta=0.5),
    AlphaBeta(bias="ignore"): Recipe(rule="alpha-beta", ignore_bias=True),
    AlphaBeta(1.0, 0.0, bias="ignore"): Recipe(rule="alpha-beta", alpha=1.0, beta=0.0, ignore_bias=True),
    ZPlus(): Recipe(rule="z-plus"),
    ZPlus(0.5): Recipe(0.5, rule="z-plus"),
    WSquare(): Recipe(rule="w-square"),
    WSquare(0.5): Recipe(0.5, rule="w-square"),
    Flat(): Recipe(rule="flat"),
    ZBox(*BOX): Recipe(rule="z-box"),
}

each_kind = pytest.mark.parametrize("kind", KINDS)
each_direction = pytest.mark.parametrize("reverse", [False, True], ids=["forward", "reverse"])
each_combination = pytest.mark.parametrize(
    ("kind", "reverse", "rule"), covering(KINDS, (False, True), tuple(EQUATIONS)), ids=repr
)
ONE_OF_A_KIND = tuple({type(rule): rule for rule in EQUATIONS}.values())


class Case(NamedTuple):
    """A layer, its inputs, and the relevance (K, N, T, S, H) that arrives at its states."""

    kind: str
    inputs: Tensor
    weights: tuple[Tensor, Tensor, Tensor | None, Tensor | None]
    initial: tuple[Tensor, Tensor]
    lengths: Tensor
    reverse: bool
    arriving: Tensor

    def run(self) -> tuple[Recurrent, Tensor]:
        return recurrent_steps(
            self.kind,
            "layer",
            "vectors",
            "states",
            self.inputs,
            self.weights,
            self.initial,
            reverse=self.reverse,
            lengths=self.lengths,
        )

    def back(self, rule: Rule) -> tuple[Tensor, dict[str, Tensor]]:
        (relevance,), absorbed = self.run()[0].back(self.arriving, rule)
        return relevance, absorbed


def case(
    seed: int,
    kind: str,
    *,
    reverse: bool = False,
    lengths: tuple[int, ...] = LENGTHS,
    bias: bool = True,
    started: bool = True,
    dtype: torch.dtype = torch.float64,
) -> Case:
    """Random weights and words; if ``started``, the states before the first word are not zero."""
    draw = np.random.default_rng(seed)

    def noise(*shape: int) -> Tensor:
        return torch.tensor(draw.normal(size=shape), dtype=dtype)

    documents, tokens, rows = len(lengths), max(lengths), GATES[kind] * H
    inside = torch.arange(tokens) < torch.tensor(lengths)[:, None]
    states = 2 if kind == "lstm" else 1
    return Case(
        kind,
        noise(documents, tokens, E),
        (noise(rows, E), noise(rows, H), noise(rows) if bias else None, noise(rows) if bias else None),
        (noise(documents, H) * started, noise(documents, H) * started),
        torch.tensor(lengths),
        reverse,
        noise(K, documents, tokens, states, H) * inside[:, :, None, None],
    )


def filled(weights: Sequence[Tensor | None]) -> list[Tensor]:
    """The weights without missing biases."""
    return [weight for weight in weights if weight is not None]


def plain(given: Case, n: int, k: int, recipe: Recipe) -> Found:
    """Compute document ``n`` and target ``k`` by plain loops."""
    end = int(given.lengths[n])
    none = [0.0] * len(given.weights[0])
    weights: list[Any] = [none if weight is None else weight.tolist() for weight in given.weights]
    return recurrent(
        given.kind,
        given.inputs[n, :end].tolist(),
        Weights(*weights),
        given.initial[0][n].tolist(),
        given.initial[1][n].tolist(),
        given.arriving[k, n, :end].tolist(),
        recipe,
        given.reverse,
    )


def law_1(given: Case, relevance: Tensor, absorbed: dict[str, Tensor]) -> float:
    """The largest difference between relevance + ledger and the relevance that arrived."""
    worst = 0.0
    for k, n in np.ndindex(*relevance.shape[:2]):
        entries = [float(entry[k, n]) for entry in absorbed.values()]
        missing = float(relevance[k, n].double().sum() - given.arriving[k, n].double().sum()) + sum(entries)
        worst = max(worst, gap(missing, relevance[k, n].numpy(), entries))
    return worst


# ---- the equations


@each_combination
def test_equals_the_equations_as_plain_loops(kind: str, reverse: bool, rule: Rule) -> None:
    for seed in range(2):
        given = case(seed, kind, reverse=reverse, bias=seed == 0)
        relevance, absorbed = given.back(rule)
        for n, end in enumerate(LENGTHS):
            for k in range(K):
                found = plain(given, n, k, EQUATIONS[rule])
                entries = list(found.absorbed.values())
                assert gap(relevance[k, n, :end].numpy() - found.relevance, found.relevance, entries) < 1e-11
                assert not relevance[k, n, end:].any()
                for cause, entry in found.absorbed.items():
                    mine = float(absorbed[cause][k, n]) if cause in absorbed else 0.0
                    assert gap(mine - entry, found.relevance, entries) < 1e-11, cause
                assert set(absorbed) <= set(found.absorbed)


@pytest.mark.parametrize("epsilon", [0.001, 0.25])
@pytest.mark.parametrize(("bias", "factor"), [("absorb", 0.0), ("spread", 1.0)])
def test_equals_the_message_of_the_paper_with_and_without_its_bias_factor(
    bias: Any, factor: float, epsilon: float
) -> None:
    for seed in range(5):
        given = case(seed, "lstm", lengths=(6,), started=False)
        given.arriving[:, :, :-1] = 0
        given.arriving[:, :, :, 1] = 0
        relevance, absorbed = given.back(Epsilon(epsilon, bias=bias))
        weights = Weights(*(weight.tolist() for weight in filled(given.weights)))
        for k in range(K):
            expected, left = paper_lstm(
                given.inputs[0].tolist(), weights, given.arriving[k, 0, -1, 0].tolist(), epsilon, factor
            )
            entries = [float(entry[k, 0]) for entry in absorbed.values()]
            assert gap(relevance[k, 0].numpy() - expected, expected, entries) < 1e-12
            assert gap(float(absorbed["ignored"][k, 0]) - left, expected, entries) < 1e-12
            assert bool(absorbed["bias"].any()) == (factor == 0)


@each_direction
@pytest.mark.parametrize("bias", [True, False], ids=["bias", "no bias"])
def test_zero_on_a_relu_net_is_gradient_times_input(bias: bool, reverse: bool) -> None:
    """This includes the states before the first word (``ignored``) and the biases (``bias``)."""
    for seed in range(10):
        given = case(seed, "rnn_relu", reverse=reverse, bias=bias)
        _, states = given.run()
        factors = torch.tensor(np.random.default_rng(seed).normal(size=states.shape))
        relevance, absorbed = given._replace(arriving=(factors * states)[None]).back(Zero())
        words, start = given.inputs.clone().requires_grad_(), given.initial[0].clone().requires_grad_()
        net = module(given)
        own: Any = dict(net.named_parameters())
        for n, end in enumerate(LENGTHS):
            net.zero_grad()
            read = words[n, :end].flip(0) if reverse else words[n, :end]
            out, _ = net(read, start[n][None])
            ((out.flip(0) if reverse else out) * factors[n, :end, 0]).sum().backward()
            biases = sum(float((p.grad * p.detach()).sum()) for name, p in own.items() if "bias" in name)
            assert words.grad is not None
            assert start.grad is not None
            entries = [float(entry[0, n]) for entry in absorbed.values()]
            expected = (words.grad[n] * given.inputs[n]).numpy()
            assert gap(relevance[0, n].numpy() - expected, expected, entries) < 1e-10
            ignored = float((start.grad[n] * given.initial[0][n]).sum())
            assert gap(float(absorbed["ignored"][0, n]) - ignored, expected, entries) < 1e-10
            assert gap(float(absorbed["bias"][0, n]) - biases, expected, entries) < 1e-10


# ---- the forward pass


def module(given: Case) -> nn.RNNBase:
    """torch's layer with the same weights, for one direction."""
    named: dict[str, Any] = {"lstm": nn.LSTM, "gru": nn.GRU, "rnn_tanh": nn.RNN, "rnn_relu": nn.RNN}
    options = {"nonlinearity": given.kind[4:]} if given.kind.startswith("rnn") else {}
    net: nn.RNNBase = named[given.kind](
        E, H, batch_first=True, bias=given.weights[2] is not None, dtype=given.inputs.dtype, **options
    )
    with torch.no_grad():
        for own, weight in zip(net.parameters(), filled(given.weights), strict=True):
            own.copy_(weight)
    return net


@each_kind
def test_states_equal_those_of_torchs_layers(kind: str) -> None:
    for seed in range(10):
        for reverse in (False, True):
            given = case(seed, kind, reverse=reverse, bias=seed % 2 == 0)
            _, states = given.run()
            assert states.shape == given.arriving.shape[1:]
            net = module(given)
            for n, end in enumerate(LENGTHS):
                words = given.inputs[n, :end].flip(0) if reverse else given.inputs[n, :end]
                h_0, c_0 = (state[n][None] for state in given.initial)
                with torch.no_grad():
                    out, last = net(words, (h_0, c_0) if kind == "lstm" else h_0)
                h, first = states[n, :end, 0], 0 if reverse else end - 1
                assert torch.allclose(h.flip(0) if reverse else h, out, rtol=0, atol=1e-12)
                if kind == "lstm":
                    assert torch.allclose(states[n, first, 1], last[1][0], rtol=0, atol=1e-12)
                assert not states[n, end:].any()


# ---- laws


def given_rules() -> list[Rule]:
    """All rules that presets give to a recurrent layer, without ZBox, whose bounds are not known there."""
    places = [Layer("layer", "recurrent", depth, 1) for depth in (0, 1)]
    rules = dict.fromkeys(preset.rule_for(place) for preset in PRESETS.values() for place in places)
    return [rule for rule in rules if rule != ZBox()]


@pytest.mark.parametrize("rule", given_rules(), ids=repr)
def test_relevance_plus_absorbed_is_what_arrived(rule: Rule) -> None:
    for seed in range(64):
        draw = np.random.default_rng(seed)
        given = case(
            seed,
            KINDS[seed % 4],
            reverse=bool(draw.integers(2)),
            lengths=tuple(draw.integers(1, 7, size=2).tolist()),
            bias=bool(draw.integers(4)),
            started=bool(draw.integers(2)),
        )
        assert law_1(given, *given.back(rule)) < 1e-10


@each_kind
@every("rule", EQUATIONS)
def test_dtype_is_kept_and_float32_conserves(kind: str, rule: Rule) -> None:
    given = case(3, kind, dtype=torch.float32)
    _, states = given.run()
    relevance, absorbed = given.back(rule)
    assert {states.dtype, relevance.dtype, *(entry.dtype for entry in absorbed.values())} == {torch.float32}
    assert law_1(given, relevance, absorbed) < 1e-5


@pytest.mark.parametrize(("kind", "reverse", "rule"), covering(KINDS, (False, True), ONE_OF_A_KIND))
def test_a_batch_gives_the_results_of_single_documents(kind: str, reverse: bool, rule: Rule) -> None:
    given = case(7, kind, reverse=reverse)
    relevance, absorbed = given.back(rule)
    for n, end in enumerate(LENGTHS):
        one = slice(n, n + 1)
        alone = given._replace(
            inputs=given.inputs[one, :end],
            initial=(given.initial[0][one], given.initial[1][one]),
            lengths=given.lengths[one],
            arriving=given.arriving[:, one, :end],
        )
        mine, causes = alone.back(rule)
        assert set(causes) == set(absorbed)
        for k in range(K):
            entries = [float(entry[k, 0]) for entry in causes.values()]
            expected = mine[k, 0].numpy()
            assert gap(relevance[k, n, :end].numpy() - expected, expected, entries) < 1e-12
            for cause, entry in causes.items():
                assert gap(float(absorbed[cause][k, n] - entry[k, 0]), expected, entries) < 1e-12


@each_kind
def test_padding_changes_nothing_and_its_relevance_is_ignored(kind: str) -> None:
    given = case(9, kind, reverse=True)
    relevance, absorbed = given.back(Flat())
    outside = torch.arange(max(LENGTHS)) >= given.lengths[:, None]
    filled = given._replace(
        inputs=torch.where(outside[:, :, None], 1e3, given.inputs),
        arriving=torch.where(outside[:, :, None, None], 2.0, given.arriving),
    )
    same, more = filled.back(Flat())
    assert torch.equal(same, relevance)
    on_words = 2.0 * outside.sum(dim=1) * given.arriving.shape[3] * H
    assert torch.allclose(more["ignored"] - absorbed["ignored"], on_words.double(), rtol=0, atol=1e-12)


@each_kind
def test_relevance_of_states_before_the_first_word_is_ignored(kind: str) -> None:
    assert not case(1, kind, started=False).back(Zero())[1]["ignored"].any()
    assert case(1, kind, started=True).back(Zero())[1]["ignored"].all()


@each_kind
def test_relevance_is_linear_in_what_arrives(kind: str) -> None:
    """A contrast of two classes is therefore the difference of their maps, and targets do not interact."""
    given = case(5, kind)
    relevance, absorbed = given.back(AlphaBeta())
    difference = (given.arriving[0] - given.arriving[1])[None]
    contrast, causes = given._replace(arriving=difference).back(AlphaBeta())
    assert torch.allclose(contrast[0], relevance[0] - relevance[1], rtol=1e-12, atol=1e-12)
    for cause, entry in causes.items():
        assert torch.allclose(entry[0], absorbed[cause][0] - absorbed[cause][1], rtol=1e-12, atol=1e-12)


@each_kind
def test_parameters_are_unchanged_and_no_graph_is_kept(kind: str) -> None:
    given = case(2, kind)
    net = module(given)
    before = {name: value.clone() for name, value in net.state_dict().items()}
    own: Any = tuple(net.parameters())
    live = given._replace(weights=own, inputs=given.inputs.clone().requires_grad_())
    step, states = live.run()
    (relevance,), _ = step.back(given.arriving, Gamma())
    assert not states.requires_grad
    assert not relevance.requires_grad
    assert torch.equal(relevance, given.back(Gamma())[0])
    for name, value in net.state_dict().items():
        assert torch.equal(value, before[name])
        assert value.grad is None


# ---- refusals


@each_kind
def test_the_error_of_z_box_without_bounds_names_the_layer(kind: str) -> None:
    with pytest.raises(RuleError, match="'layer'"):
        case(0, kind).back(ZBox())


def test_relevance_that_overflows_its_dtype_is_refused() -> None:
    given = case(0, "gru", lengths=(500,), dtype=torch.float32)
    with pytest.raises(
        RuleError, match=r"exceeds the largest float32 number in layer 'layer'.*500 positions.*float64"
    ):
        given.back(AlphaBeta(4.0, 3.0))


def test_other_layers_are_refused() -> None:
    with pytest.raises(
        ModelError, match="kind of layer 'layer' must be one of lstm, gru, rnn_tanh, rnn_relu; got 'quasi'"
    ):
        case(0, "lstm")._replace(kind="quasi").run()


def test_projections_are_refused() -> None:
    given = case(0, "lstm")
    net = nn.LSTM(E, H, proj_size=2, dtype=torch.float64)
    projected: Any = tuple(net.parameters())[:4]
    with pytest.raises(ModelError, match="projects its 4 units to 2"):
        given._replace(weights=projected).run()


# ---- a whole classifier


class BiLSTM(nn.Module):
    """Word vectors, an LSTM in two directions, their concatenated last states, and a linear layer."""

    def __init__(self, words: int, classes: int) -> None:
        super().__init__()
        self.table = nn.Embedding(words, E, padding_idx=0, dtype=torch.float64)
        self.lstm = nn.LSTM(E, H, batch_first=True, bidirectional=True, dtype=torch.float64)
        self.output = nn.Linear(2 * H, classes, dtype=torch.float64)

    def forward(self, ids: Tensor, lengths: Tensor) -> Tensor:
        packed = pack_padded_sequence(self.table(ids), lengths, batch_first=True, enforce_sorted=False)
        states, (last, _) = self.lstm(packed)
        assert pad_packed_sequence(states, batch_first=True)[0].shape[:2] == ids.shape
        scores: Tensor = self.output(torch.cat([last[0], last[1]], dim=-1))
        return scores


def net_and_texts(seed: int) -> tuple[BiLSTM, Tensor, Tensor]:
    torch.manual_seed(seed)
    net, lengths = BiLSTM(words=9, classes=3), torch.tensor([4, 6, 1])
    with torch.no_grad():
        for parameter in net.parameters():
            parameter.copy_(torch.randn_like(parameter))
        net.table.weight[0] = 0
    inside = torch.arange(6) < lengths[:, None]
    return net, torch.randint(0, 9, (3, 6)) * inside, lengths


@torch.no_grad()
def lstm_trace(net: BiLSTM, ids: Tensor, lengths: Tensor) -> Trace:
    """The trace, written manually."""
    vectors = net.table(ids)
    steps: list[Any] = [Lookup("embedding", ("words",), "vectors", lambda: ids)]
    features, start = [], torch.zeros(len(ids), H, dtype=torch.float64)
    for suffix, reverse in (("", False), ("_reverse", True)):
        weights = [
            getattr(net.lstm, f"{name}_l0{suffix}") for name in ("weight_ih", "weight_hh", "bias_ih", "bias_hh")
        ]
        side = f"side{suffix}"
        step, states = recurrent_steps(
            "lstm", "lstm", "vectors", side, vectors, weights, (start, start), reverse=reverse, lengths=lengths
        )
        last = torch.zeros_like(lengths) if reverse else lengths - 1

        def move(relevance: Tensor, last: Tensor = last, like: Tensor = states) -> Tensor:
            on_words = relevance.new_zeros((len(relevance), *like.shape))
            on_words[:, torch.arange(len(last)), last, 0] = relevance
            return on_words

        steps += [step, Routing(f"last{suffix}", "move", (side,), f"last{suffix}", move)]
        features.append(states[torch.arange(len(ids)), last, 0])
    inputs = torch.cat(features, dim=1)
    scores = inputs @ net.output.weight.T + net.output.bias
    weight = net.output.weight.detach()
    steps += [
        Concat("concat", ("last", "last_reverse"), "features", (H, H)),
        Linear("output", "dense", ("features",), "scores", Dense(inputs, weight), net.output.bias.detach(), scores),
    ]
    return Trace(tuple(steps), scores, elements=states.numel())


def test_a_classifier_of_two_directions_equals_plain_loops() -> None:
    for seed, (rule, recipe) in enumerate(EQUATIONS.items()):
        net, ids, lengths = net_and_texts(seed)
        trace = lstm_trace(net, ids, lengths)
        assert torch.allclose(trace.scores, net(ids, lengths), rtol=0, atol=1e-12)
        composite = Composite({"lstm": rule}, default=Epsilon(0.01))
        found = propagate(trace, composite, one_hot_seed(trace.scores, range(3)))
        for n, end in enumerate(lengths.tolist()):
            for target in range(3):
                relevance, absorbed = classifier_by_loops(net, ids[n, :end], target, recipe)
                entries = [float(entry[target, n]) for entry in found.ledger.values()]
                mine = found.relevance[target, n].numpy()
                assert gap(mine[:end] - relevance, relevance, entries) < 1e-9
                assert not mine[end:].any()
                for cause, entry in absorbed.items():
                    same = found.ledger.get(("lstm", cause), torch.zeros(3, 3))
                    assert gap(float(same[target, n]) - entry, relevance, entries) < 1e-9
                missing = mine.sum() + sum(entries) - float(trace.scores[n, target])
                assert gap(missing, mine, entries) < 1e-12


def classifier_by_loops(
    net: BiLSTM, ids: Tensor, target: int, recipe: Recipe
) -> tuple[np.ndarray[Any, Any], dict[str, float]]:
    """The relevance (T,) of the words and the absorbed relevance of both directions; one document, one target."""
    state = {name: value.tolist() for name, value in net.state_dict().items()}
    words = [state["table.weight"][word] for word in ids.tolist()]
    none = [0.0] * H
    sides = {
        suffix: Weights(
            *(state[f"lstm.{name}_l0{suffix}"] for name in ("weight_ih", "weight_hh", "bias_ih", "bias_hh"))
        )
        for suffix in ("", "_reverse")
    }
    ends = {"": len(words) - 1, "_reverse": 0}
    seed = {suffix: [[[0.0] * H, [0.0] * H] for _ in words] for suffix in sides}
    states = {
        suffix: recurrent("lstm", words, sides[suffix], none, none, seed[suffix], recipe, suffix != "").states
        for suffix in sides
    }
    features = np.array(states[""][ends[""]][0] + states["_reverse"][0][0])
    _, arriving, _ = dense(
        features, np.array(state["output.weight"]), np.array(state["output.bias"]), target, Recipe(0.01)
    )
    relevance, absorbed = np.zeros(len(words)), dict.fromkeys(("bias", "stabilizer", "empty", "ignored"), 0.0)
    for suffix, part in (("", arriving[:H]), ("_reverse", arriving[H:])):
        seed[suffix][ends[suffix]][0] = part.tolist()
        found = recurrent("lstm", words, sides[suffix], none, none, seed[suffix], recipe, suffix != "")
        for t, word in enumerate(ids.tolist()):
            relevance[t] += sum(found.relevance[t]) * (word > 0)
        for cause, entry in found.absorbed.items():
            absorbed[cause] += entry
    return relevance, absorbed


def test_composites_find_the_layer_by_name_position_and_kind() -> None:
    net, ids, lengths = net_and_texts(1)
    trace = lstm_trace(net, ids, lengths)
    seed = one_hot_seed(trace.scores, range(3))
    expected = propagate(trace, Composite({"output": Epsilon()}, default=Flat()), seed).relevance
    for key in ("lstm", "recurrent", 0, -2):
        assert torch.equal(propagate(trace, Composite({key: Flat()}), seed).relevance, expected)
    assert not torch.equal(propagate(trace, Composite(), seed).relevance, expected)


@every("preset", PRESETS)
def test_presets_apply_or_report_missing_bounds(preset: str) -> None:
    net, ids, lengths = net_and_texts(2)
    trace = lstm_trace(net, ids, lengths)
    seed = one_hot_seed(trace.scores, range(3))
    if PRESETS[preset].rule_for(Layer("lstm", "recurrent", 0, 1)) == ZBox():
        with pytest.raises(RuleError, match="'lstm'"):
            propagate(trace, PRESETS[preset], seed)
        return
    found = propagate(trace, PRESETS[preset], seed)
    for target, n in np.ndindex(3, 3):
        entries = [float(entry[target, n]) for entry in found.ledger.values()]
        relevance = found.relevance[target, n].numpy()
        assert gap(relevance.sum() + sum(entries) - float(trace.scores[n, target]), relevance, entries) < 1e-10
