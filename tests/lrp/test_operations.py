"""Single operations: the same net written in two ways has the same relevance."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import pytest
import torch
import torch.nn.functional as F
from external_modules import CLASSES, SIZE, WORDS, Base
from laws import gap
from torch import Tensor, nn
from torch.nn.utils.rnn import pack_padded_sequence

from textlrp.errors import ModelError, RuleError
from textlrp.lrp.composite import Composite
from textlrp.lrp.presets import PRESETS
from textlrp.lrp.recorded.operations import _TABLE
from textlrp.lrp.recorded.record import record
from textlrp.lrp.rules import AlphaBeta, Epsilon, Flat, Gamma, WSquare, Zero
from textlrp.lrp.shares import Rule
from textlrp.lrp.trace import Propagated, Trace, one_hot_seed, propagate

IDS = torch.tensor([[3, 5, 2, 0, 5, 7]])
RULES: tuple[Rule, ...] = (Zero(), Epsilon(0.1), Epsilon(0.1, bias="spread"), Gamma(), AlphaBeta(), WSquare(), Flat())
Forward = Callable[[Any, Tensor], Tensor]


class Net(Base):
    """Layers by name, and a forward pass given as a function."""

    def __init__(self, forward: Forward, layers: dict[str, Callable[[], Any]]) -> None:
        super().__init__()
        for name, make in layers.items():
            setattr(self, name, make())
        self.run = forward

    def forward(self, ids: Tensor) -> Tensor:
        return self.run(self, ids)


def net(forward: Forward, seed: int = 0, **layers: Callable[[], Any]) -> Net:
    """Create a net with random weights and running statistics in float64."""
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        made = Net(forward, {"out": lambda: nn.Linear(SIZE, CLASSES), **layers}).double()
        for part in made.modules():
            if isinstance(part, nn.BatchNorm1d):
                nn.init.normal_(part.running_mean)
                nn.init.uniform_(part.running_var, 0.5, 2.0)
            if isinstance(part, (nn.BatchNorm1d, nn.LayerNorm)):
                nn.init.normal_(part.weight)
                nn.init.normal_(part.bias)
    return made


def propagated(trace: Trace, rule: Rule | Composite) -> Propagated:
    composite = rule if isinstance(rule, Composite) else Composite(default=rule)
    return propagate(trace, composite, one_hot_seed(trace.scores, range(trace.scores.shape[1])))


def by_cause(found: Propagated, k: int) -> dict[str, float]:
    sums = dict.fromkeys(("bias", "stabilizer", "empty", "ignored", "softmax", "special"), 0.0)
    for (_, cause), entry in found.ledger.items():
        sums[cause] += float(entry[k, 0])
    return sums


def assert_same(one: Propagated, other: Propagated) -> None:
    for k in range(len(one.relevance)):
        entries, others = by_cause(one, k), by_cause(other, k)
        size = one.relevance[k, 0], list(entries.values())
        assert gap(one.relevance[k, 0] - other.relevance[k, 0], *size) < 1e-12
        assert gap([entries[cause] - others[cause] for cause in entries], *size) < 1e-12


# ---- the same net, written in two ways


def _filled_in(net: Any, ids: Tensor) -> Tensor:
    x = net.embed(ids)
    filled = torch.zeros_like(x)
    for t in range(x.shape[1]):
        filled[:, t] = torch.tanh(x[:, t])
    return net.out(filled.sum(1))


def _added_in_place(net: Any, ids: Tensor) -> Tensor:
    x = torch.tanh(net.embed(ids))
    total = torch.full((1, SIZE), 0.3, dtype=x.dtype)
    for t in range(x.shape[1]):
        total += x[:, t]
    return net.out(total)


def _added(net: Any, ids: Tensor) -> Tensor:
    x = torch.tanh(net.embed(ids))
    total = torch.full((1, SIZE), 0.3, dtype=x.dtype)
    for t in range(x.shape[1]):
        total = total + x[:, t]
    return net.out(total)


def _erased(net: Any, ids: Tensor) -> Tensor:
    x = torch.tanh(net.embed(ids))
    x[:, 1:3] = 0
    return net.out(x.sum(1))


class Twins(NamedTuple):
    """Two ways to write a net; ``rules`` are those that give both the same relevance."""

    one: Forward
    other: Forward
    layers: dict[str, Callable[[], Any]]
    rules: tuple[Rule | Composite, ...] = RULES


def _convolved(net: Any, ids: Tensor) -> Tensor:
    return net.conv(net.embed(ids).transpose(1, 2))


TWINS: dict[str, Twins] = {
    "filled by index": Twins(_filled_in, lambda n, ids: n.out(torch.tanh(n.embed(ids)).sum(1)), {}),
    "added in place": Twins(_added_in_place, _added, {}),
    "erased": Twins(
        _erased,
        lambda n, ids: n.out((torch.tanh(n.embed(ids)) * torch.tensor([1.0, 0, 0, 1, 1, 1])[None, :, None]).sum(1)),
        {},
    ),
    "a table by index": Twins(
        lambda n, ids: n.out(torch.tanh(n.table[ids]).sum(1)),
        lambda n, ids: n.out(torch.tanh(F.embedding(ids, n.table)).sum(1)),
        {"table": lambda: nn.Parameter(torch.randn(WORDS, SIZE))},
    ),
    "a number for each word": Twins(
        lambda n, ids: n.out((n.embed(ids) * n.numbers[ids][..., None]).sum(1)),
        lambda n, ids: n.out((n.embed(ids) * n.numbers.detach()[ids][..., None]).sum(1)),
        {"numbers": lambda: nn.Parameter(torch.rand(WORDS))},
    ),
    "a mask of the same shape": Twins(
        lambda n, ids: n.out((n.embed(ids) * (ids != 0).double()[..., None].expand_as(n.embed(ids))).sum(1)),
        lambda n, ids: n.out((n.embed(ids) * (ids != 0)[..., None]).sum(1)),
        {},
    ),
    "the larger of x and 0": Twins(
        lambda n, ids: n.out(torch.maximum(n.embed(ids), torch.zeros(())).sum(1)),
        lambda n, ids: n.out(torch.relu(n.embed(ids)).sum(1)),
        {},
    ),
    "max of two": Twins(
        lambda n, ids: n.out(torch.max(n.embed(ids), torch.zeros(SIZE).double()).sum(1)),
        lambda n, ids: n.out(F.relu(n.embed(ids)).sum(1)),
        {},
    ),
    "padding at -inf": Twins(
        lambda n, ids: n.out(n.embed(ids).masked_fill((ids == 0)[..., None], -torch.inf).max(1).values),
        lambda n, ids: n.out(n.embed(ids)[:, ids[0] != 0].max(1).values),
        {},
    ),
    "gated linear unit": Twins(
        lambda n, ids: n.out(F.glu(_convolved(n, ids), 1).sum(-1)),
        lambda n, ids: n.out((_convolved(n, ids)[:, :SIZE] * torch.sigmoid(_convolved(n, ids)[:, SIZE:])).sum(-1)),
        {"conv": lambda: nn.Conv1d(SIZE, 2 * SIZE, 2)},
        (Zero(), Epsilon(0.1), AlphaBeta()),
    ),
    "Einstein's sum": Twins(
        lambda n, ids: torch.einsum("ntd,dc->nc", n.embed(ids).sum(1, keepdim=True), n.weight),
        lambda n, ids: n.embed(ids).sum(1) @ n.weight,
        {"weight": lambda: nn.Parameter(torch.randn(SIZE, CLASSES))},
    ),
    "a picture's average": Twins(
        lambda n, ids: n.out(F.avg_pool2d(torch.tanh(n.embed(ids))[:, None], (2, 1))[:, 0].sum(1)),
        lambda n, ids: n.out(F.avg_pool1d(torch.tanh(n.embed(ids)).transpose(1, 2), 2).sum(2)),
        {},
        tuple(Composite({"mean": rule}, default=Zero()) for rule in RULES),
    ),
    "a norm of one word": Twins(
        lambda n, ids: n.out(n.norm(n.embed(ids[:, 0]))),
        lambda n, ids: n.out(F.linear(n.embed(ids[:, 0]), _centering(n, ids), n.norm.bias)),
        {"norm": lambda: nn.LayerNorm(SIZE)},
        (*RULES, WSquare(0.5), Flat(0.5), Epsilon(0.5)),
    ),
    "a difference": Twins(
        lambda n, ids: n.out(torch.tanh(n.embed(ids)).amax(1) - n.embed(ids).relu().mean(1)),
        lambda n, ids: n.out(torch.tanh(n.embed(ids)).amax(1) + -n.embed(ids).relu().mean(1)),
        {},
        (*RULES, *(Composite({"sum": rule}, default=Zero()) for rule in RULES)),
    ),
    "both directions": Twins(
        lambda n, ids: n.out(torch.tanh(n.layer(n.embed(ids))[0][:, 1:4]).sum(1)),
        lambda n, ids: n.out(torch.tanh(torch.cat(_directions(n, ids)[0], -1)[:, 1:4]).sum(1)),
        {"layer": lambda: nn.LSTM(SIZE, SIZE // 2, bidirectional=True, batch_first=True)},
    ),
    "last states of both directions": Twins(
        lambda n, ids: n.out(torch.cat([*n.layer(pack_padded_sequence(n.embed(ids), [6], True))[1][1]], -1)),
        lambda n, ids: n.out(torch.cat(_directions(n, ids)[1], -1)),
        {"layer": lambda: nn.LSTM(SIZE, SIZE // 2, bidirectional=True, batch_first=True)},
    ),
    "time and texts mixed up": Twins(  # the layer reads T texts of one word
        lambda n, ids: n.out(n.layer(n.embed(ids))[0].mean(1)),
        lambda n, ids: n.out(torch.stack([n.layer(x[:, None])[0][:, 0] for x in n.embed(ids).unbind(1)], 1).mean(1)),
        {"layer": lambda: nn.LSTM(SIZE, SIZE // 2, bidirectional=True)},
    ),
    "last states of mixed-up texts": Twins(
        lambda n, ids: n.out(n.layer(n.embed(ids))[1][0].mean(0)),
        lambda n, ids: n.out(torch.stack([n.layer(x[:, None])[1][0, 0] for x in n.embed(ids).unbind(1)]).mean(0)),
        {"layer": lambda: nn.GRU(SIZE, SIZE)},
    ),
    "normalized over time": Twins(  # T channels, so nothing can be folded into the F rows of the layer before
        lambda n, ids: n.out(n.norm(n.layer(n.embed(ids))).sum(1)),
        lambda n, ids: n.out(n.norm(n.layer(n.embed(ids)).transpose(1, 2).transpose(1, 2)).sum(1)),
        {"layer": lambda: nn.Linear(SIZE, SIZE), "norm": lambda: nn.BatchNorm1d(6)},
    ),
    "normalized product": Twins(
        lambda n, ids: n.out(n.norm(n.embed(ids).sum(1) @ n.weight)),
        lambda n, ids: n.out(n.norm(F.linear(n.embed(ids).sum(1), n.weight.T))),
        {"weight": lambda: nn.Parameter(torch.randn(SIZE, SIZE)), "norm": lambda: nn.BatchNorm1d(SIZE)},
        (Zero(),),
    ),
    "attention weights are constants": Twins(
        lambda n, ids: n.out((_attention(n, ids) @ n.value(n.embed(ids))).sum(1)),
        lambda n, ids: n.out((_attention(n, ids).detach() @ n.value(n.embed(ids))).sum(1)),
        {name: lambda: nn.Linear(SIZE, SIZE) for name in ("query", "key", "value")},
        (Zero(),),
    ),
    "attention by product and sum": Twins(
        lambda n, ids: n.out((_by_product(n, ids) * n.embed(ids)).sum(1)),
        lambda n, ids: n.out((_by_product(n, ids).detach() * n.embed(ids)).sum(1)),
        {"query": lambda: nn.Linear(SIZE, SIZE)},
    ),
}  # fmt: skip


def _directions(net: Any, ids: Tensor) -> tuple[list[Tensor], list[Tensor]]:
    """The outputs and last cell states of a layer with two directions, from a separate layer for each direction."""
    outputs, cells = [], []
    for suffix, turned in (("", []), ("_reverse", [1])):
        one = nn.LSTM(SIZE, SIZE // 2, batch_first=True)
        for name in ("weight_ih_l0", "weight_hh_l0", "bias_ih_l0", "bias_hh_l0"):
            setattr(one, name, getattr(net.layer, name + suffix))
        output, (_, cell) = one(net.embed(ids).flip(turned))
        outputs.append(output.flip(turned))
        cells.append(cell[0])
    return outputs, cells


def _centering(net: Any, ids: Tensor) -> Tensor:
    x = net.embed(ids[0, 0]).detach()
    deviation = (x.var(unbiased=False) + net.norm.eps).sqrt()
    return (torch.eye(SIZE).double() - 1 / SIZE) * net.norm.weight[:, None] / deviation


def _attention(net: Any, ids: Tensor) -> Tensor:
    x = net.embed(ids)
    return torch.softmax(net.query(x) @ net.key(x).transpose(1, 2) / SIZE**0.5, dim=-1)


def _by_product(net: Any, ids: Tensor) -> Tensor:
    x = net.embed(ids)
    return torch.softmax((net.query(x) * x).sum(-1, keepdim=True), dim=1)


@pytest.mark.parametrize("name", TWINS)
def test_two_ways_to_write_a_net_have_the_same_relevance(name: str) -> None:
    twins = TWINS[name]
    for seed in range(2):
        one, other = (net(forward, seed, **twins.layers) for forward in (twins.one, twins.other))
        traces = record(one, IDS), record(other, IDS)
        torch.testing.assert_close(traces[0].scores, traces[1].scores, rtol=1e-12, atol=1e-12)
        for rule in twins.rules:
            assert_same(*(propagated(trace, rule) for trace in traces))


# ---- law 1


LAWFUL: dict[str, tuple[Forward, dict[str, Callable[[], Any]]]] = {
    "windows with padding": (
        lambda n, ids: n.wide(F.unfold(n.embed(ids).transpose(1, 2)[..., None], (3, 1), padding=(1, 0)).amax(-1)),
        {"wide": lambda: nn.Linear(3 * SIZE, CLASSES)},
    ),
    "a word put in front": (
        lambda n, ids: n.out(torch.tanh(n.embed(torch.cat([torch.full((1, 1), 4), ids], 1))).sum(1)),
        {},
    ),
    "squeeze and excite": (
        lambda n, ids: n.out((n.embed(ids) * torch.sigmoid(n.gate(n.embed(ids).mean(1)))[:, None]).sum(1)),
        {"gate": lambda: nn.Linear(SIZE, SIZE)},
    ),
    "reflected": (lambda n, ids: _convolved(n, ids).amax(-1),
                  {"conv": lambda: nn.Conv1d(SIZE, CLASSES, 3, padding=1, padding_mode="reflect")}),
    "weights made anew": (
        lambda n, ids: _convolved(n, ids).amax(-1),
        {"conv": lambda: nn.utils.parametrizations.weight_norm(nn.Conv1d(SIZE, CLASSES, 2, bias=False))},
    ),
    "a constant with every word": (
        lambda n, ids: n.out(F.relu(n.layer(n.embed(ids)) + torch.arange(6.0).double()[None, :, None]).amax(1)),
        {"layer": lambda: nn.Linear(SIZE, SIZE)},
    ),
    "larger than each other": (lambda n, ids: n.out(torch.maximum(n.embed(ids), n.embed(ids).flip(1)).sum(1)), {}),
    "one class": (lambda n, ids: n.out(torch.tanh(n.embed(ids)).sum(1))[:, :1], {}),
}  # fmt: skip


@pytest.mark.parametrize("name", [*TWINS, *LAWFUL])
def test_relevance_plus_absorbed_is_score(name: str) -> None:
    forward, layers = LAWFUL.get(name) or TWINS[name][0::2][:2]
    trace = record(net(forward, **layers), IDS)
    flat = Composite(
        {kind: Flat() for kind in ("sum", "mean", "bag")}, default=Flat()
    )  # zeros also receive relevance
    for rule in (*{repr(preset): preset for preset in PRESETS.values()}.values(), flat):
        try:
            found = propagated(trace, rule)
        except RuleError as refused:
            assert "ZBox needs to know" in str(refused)  # noqa: PT017
            continue
        for k in range(len(found.relevance)):
            entries = by_cause(found, k)
            missing = found.relevance[k].sum() + sum(entries.values()) - trace.scores[0, k]
            assert gap(float(missing), found.relevance[k], list(entries.values())) < 1e-13


def test_relevance_of_an_inserted_word_or_constant_is_ignored() -> None:
    for name in ("a word put in front", "erased"):
        forward, layers = LAWFUL.get(name) or TWINS[name][0::2][:2]
        found = propagated(record(net(forward, **layers), IDS), Composite({"sum": Flat()}, default=Flat()))
        assert by_cause(found, 0)["ignored"] != 0


def test_a_layer_with_computed_weights_has_the_name_of_its_module() -> None:
    forward, layers = LAWFUL["weights made anew"]
    assert [step.name for step in record(net(forward, **layers), IDS).steps if step.ruled] == ["conv"]


def test_the_largest_of_equal_words_in_a_bag_is_the_first() -> None:
    module = nn.Sequential(nn.EmbeddingBag(WORDS, SIZE, mode="max", padding_idx=0), nn.Linear(SIZE, CLASSES)).double()
    found = propagated(record(module, torch.tensor([[5, 5, 0, 5]])), Zero())
    assert (found.relevance[:, 0, 0] != 0).all()
    assert (found.relevance[:, 0, 1:] == 0).all()


def test_a_bias_is_folded_into_the_layer_before_only_if_that_has_none() -> None:
    def forward(n: Any, ids: Tensor) -> Tensor:
        return n.layer(n.embed(ids).sum(1)) + n.shift

    for bias, steps in ((False, ["sum", "layer"]), (True, ["sum", "layer", "add"])):
        module = net(
            forward,
            layer=lambda bias=bias: nn.Linear(SIZE, CLASSES, bias=bias),
            shift=lambda: nn.Parameter(torch.randn(CLASSES)),
        )
        assert [step.name for step in record(module, IDS).steps if step.ruled] == steps


# ---- refusals


def _through_a_view(net: Any, ids: Tensor) -> Tensor:
    x = net.embed(ids)
    total = torch.zeros(1, SIZE, dtype=x.dtype)
    total[0].add_(x[0, 1])
    return net.out(total + x.mean(1))


def _compiled_in_place() -> nn.Module:
    part = nn.Linear(SIZE, SIZE)
    part.compile()
    return part


REFUSED: dict[str, tuple[Forward, dict[str, Callable[[], Any]], str]] = {
    "a view of a constant": (_through_a_view, {}, "in place through a view of it before 'add' in Net"),
    "numpy": (
        lambda n, ids: n.out(torch.from_numpy(n.embed(ids).numpy()).sum(1)),
        {},
        "'numpy' in Net turns tensors .* into numbers outside of torch",
    ),
    "a compiled part": (
        lambda n, ids: n.out(n.part(n.embed(ids).sum(1))),
        {"part": lambda: torch.jit.script(nn.Linear(SIZE, SIZE))},
        "the module 'part' is compiled",
    ),
    "a part compiled in place": (
        lambda n, ids: n.out(n.part(n.embed(ids).sum(1))),
        {"part": _compiled_in_place},
        "the module 'part' is compiled",
    ),
    "an id outside": (lambda n, ids: n.out(n.embed(ids + 5).sum(1)), {},
                      "ids must be from 0 to 11, because the embedding of the module has 12 rows; got 12 for word 6"),
    "a changing embedding": (
        lambda n, ids: n.out(n.table(ids).sum(1)),
        {"table": lambda: nn.Embedding(WORDS, SIZE, max_norm=1.0)},
        r"max_norm of an embedding must be None; got 1\.0",
    ),
    "a start that depends on the words": (
        lambda n, ids: n.out(n.layer(n.embed(ids), n.embed(ids).mean(1)[None])[1][0]),
        {"layer": lambda: nn.GRU(SIZE, SIZE, batch_first=True)},
        r"'gru' in module 'layer' \(GRU\): its initial states depend on the words",
    ),
    "projections": (
        lambda n, ids: n.layer(n.embed(ids))[0].mean(1),
        {"layer": lambda: nn.LSTM(SIZE, 5, proj_size=CLASSES, batch_first=True)},
        "proj_size",
    ),
    "several packed texts": (
        lambda n, ids: n.out(n.layer(pack_padded_sequence(n.embed(ids.reshape(2, 3)), [3, 2], True))[1][0].sum(0)),
        {"layer": lambda: nn.GRU(SIZE, SIZE, batch_first=True)},
        "it reads several packed sequences",
    ),
    "two sums by Einstein": (
        lambda n, ids: n.out(torch.einsum("ntd,ntd->nd", n.embed(ids), n.embed(ids))),
        {},
        "relevance cannot be propagated through 'einsum' in Net: .* which of them is the gate",
    ),
}  # fmt: skip


@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # torch.jit
@pytest.mark.parametrize(
    "name", [pytest.param(name, marks=[pytest.mark.slow] if "compiled in place" in name else []) for name in REFUSED]
)
def test_operations_without_propagation_are_refused_by_name(name: str) -> None:
    forward, layers, message = REFUSED[name]
    module = net(forward, **layers)
    with pytest.raises(ModelError, match=message):
        propagated(record(module, IDS), Zero())
    assert module.training


def test_the_table_has_each_operation_once() -> None:
    listed = [operation for operations, _ in _TABLE for operation in operations.split()]
    assert len(listed) == len(set(listed))
