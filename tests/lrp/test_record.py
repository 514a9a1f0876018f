"""The recorded trace of an external module: laws, equality with closed form and gradients, and refusals."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from cases import every
from external_modules import CLASSES, FEEDFORWARD, MODULES, SIZE, WORDS, Base, Branches, made, some_ids
from laws import gap, trace_gap
from plain_nets import plain_module
from torch import Tensor, nn
from toys import READ, fitted, scrambled

from textlrp.errors import ModelError, RuleError
from textlrp.lrp.composite import Composite
from textlrp.lrp.presets import PRESETS
from textlrp.lrp.recorded import operations
from textlrp.lrp.recorded.operations import register
from textlrp.lrp.recorded.record import record
from textlrp.lrp.rules import Epsilon, Zero
from textlrp.lrp.trace import Propagated, Trace, one_hot_seed, propagate

RULES = {repr(rule): rule for rule in PRESETS.values()}
"""The presets without duplicates."""

each_module = pytest.mark.parametrize("name", MODULES)


def propagated(trace: Trace, rule: Any) -> Propagated:
    """Propagate the scores of all classes."""
    return propagate(trace, rule, one_hot_seed(trace.scores, range(trace.scores.shape[1])))


@each_module
def test_relevance_plus_absorbed_is_score_for_every_preset(name: str) -> None:
    for seed in range(2):
        trace = record(made(name, seed), some_ids(4 + 6 * seed, seed))
        for rule in RULES.values():
            try:
                found = propagated(trace, rule)
            except RuleError as refused:  # z^B needs bounds, which only word vectors have
                assert "ZBox needs to know" in str(refused)  # noqa: PT017
                assert name in ("norms", "gates") or name not in FEEDFORWARD
                continue
            assert trace_gap(trace, found) < 1e-13
            assert found.relevance.dtype == torch.float64


@every("name", MODULES)
def test_the_scores_are_the_pre_softmax_scores_of_the_module(name: str) -> None:
    module, ids = made(name, 3), some_ids(7, 3)
    scores = record(module, ids).scores[0]
    with torch.no_grad():
        own = module.eval()(ids).reshape(-1)
    if name == "gates":
        own, scores = own.exp(), torch.softmax(scores, 0)
    elif name.startswith("bag"):
        assert torch.equal(scores[0], -scores[1])
        scores = torch.sigmoid(scores[1:])
    torch.testing.assert_close(scores, own, rtol=1e-12, atol=1e-13)


@every("name", MODULES)
def test_the_module_is_the_same_afterwards(name: str) -> None:
    module = made(name)
    part = next(part for part in module.modules() if part is not module)
    part.eval()  # a mode that differs from that of the module
    before = snapshot(module)
    propagated(record(module, some_ids(6)), Composite(default=Epsilon()))
    assert same(before, snapshot(module))
    assert all(parameter.grad is None for parameter in module.parameters())


def snapshot(module: nn.Module) -> list[tuple[Any, ...]]:
    found = []
    for name, part in module.named_modules():
        hooks = [value for key, value in vars(part).items() if "hook" in key]
        state = {key: value.clone() for key, value in (*part.named_parameters(recurse=False),
                                                      *part.named_buffers(recurse=False))}  # fmt: skip
        grads = [parameter.requires_grad for parameter in part.parameters()]
        found.append((name, part.training, sorted(vars(part)), copy.copy(hooks), grads, state))
    return found


def same(one: list[tuple[Any, ...]], other: list[tuple[Any, ...]]) -> bool:
    states = [(a[-1], b[-1]) for a, b in zip(one, other, strict=True)]
    return [a[:-1] for a in one] == [b[:-1] for b in other] and all(
        a.keys() == b.keys() and all(torch.equal(a[key], b[key]) for key in a) for a, b in states
    )


# ---- the closed form


@pytest.mark.parametrize("seed", [0, pytest.param(1, marks=pytest.mark.slow)])
@pytest.mark.parametrize("variant", ["cnn-max", pytest.param("cnn-mean", marks=pytest.mark.slow), "boe"])
def test_the_recorded_trace_equals_the_closed_form(variant: str, seed: int) -> None:
    model: Any = scrambled(fitted(variant, "float64"), seed)
    module = plain_module(model)
    batch = model.encode(READ)
    for n in np.flatnonzero(batch.lengths).tolist():
        ids = torch.from_numpy(batch.ids[n : n + 1, : int(batch.lengths[n])])
        closed, recorded = model.trace(batch.select([n])), record(module, ids)
        for rule in RULES.values():
            one, other = propagated(closed, rule), propagated(recorded, rule)
            for k in range(3):
                ours, theirs = by_cause(one, k), by_cause(other, k)
                size = one.relevance[k, 0], list(ours.values())
                assert gap(one.relevance[k, 0, : ids.shape[1]] - other.relevance[k, 0], *size) < 1e-12
                for cause in ours.keys() | theirs.keys():
                    assert gap(ours.get(cause, 0.0) - theirs.get(cause, 0.0), *size) < 1e-12


def by_cause(found: Propagated, k: int) -> dict[str, float]:
    sums: dict[str, float] = {}
    for (_, cause), entry in found.ledger.items():
        sums[cause] = sums.get(cause, 0.0) + float(entry[k, 0])
    return sums


# ---- gradients


@pytest.mark.parametrize("name", ["branches", "images", "two tables"])
def test_lrp_0_is_gradient_times_input_on_relu_and_max_pool_nets(name: str) -> None:
    for seed in range(5):
        module, ids = made(name, seed), some_ids(9, seed)
        found = propagated(record(module, ids), Composite(default=Zero()))
        tables = [part for part in module.modules() if isinstance(part, nn.Embedding)]
        for k in range(CLASSES):
            module.zero_grad()
            module(ids)[0, k].backward()
            by_word = sum(
                (table.weight.grad[ids[0]] * table.weight[ids[0]]).sum(-1) / (ids[0][:, None] == ids[0]).sum(1)
                for table in tables
            ).detach()
            summed = [float(found.relevance[k, 0][ids[0] == word].sum()) for word in range(1, WORDS)]
            expected = [float(by_word[ids[0] == word].sum()) for word in range(1, WORDS)]
            entries = [float(entry[k, 0]) for entry in found.ledger.values()]
            assert gap(np.array(summed) - np.array(expected), found.relevance[k, 0], entries) < 1e-10


# ---- plain loops


def conv_loops(x: Tensor, layer: nn.Conv1d, relevance: Tensor, epsilon: float) -> Tensor:
    """The relevance (C, T) of the inputs of a convolution from that of its outputs (F, W), product by product."""
    pads = {"same": layer.dilation[0] * (layer.kernel_size[0] - 1)}
    total = pads.get(layer.padding, 0) if isinstance(layer.padding, str) else 2 * layer.padding[0]
    left = total // 2
    received = torch.zeros_like(x)
    per_group, fan = layer.out_channels // layer.groups, layer.in_channels // layer.groups
    for f in range(layer.out_channels):
        for w in range(relevance.shape[1]):
            taken = []
            for c in range(fan):
                for h in range(layer.kernel_size[0]):
                    t = w * layer.stride[0] + h * layer.dilation[0] - left
                    if 0 <= t < x.shape[1]:
                        channel = (f // per_group) * fan + c
                        taken.append((channel, t, float(x[channel, t] * layer.weight[f, c, h])))
            z = sum(part for _, _, part in taken) + (0.0 if layer.bias is None else float(layer.bias[f]))
            for channel, t, part in taken:
                received[channel, t] += part / (z + (epsilon if z >= 0 else -epsilon)) * float(relevance[f, w])
    return received


@pytest.mark.parametrize(
    "options",
    [
        {"kernel_size": 3, "stride": 2, "padding": 1},
        {"kernel_size": 3, "dilation": 2, "padding": "same", "groups": 3},
        {"kernel_size": 4, "stride": 3, "padding": 2, "dilation": 2, "bias": False},
    ],
    ids=str,
)
def test_a_convolution_equals_plain_loops(options: dict[str, Any]) -> None:
    class Net(Base):
        def __init__(self) -> None:
            super().__init__()
            self.conv = nn.Conv1d(SIZE, 3, **options)

        def forward(self, ids: Tensor) -> Tensor:
            return self.conv(self.embed(ids).transpose(1, 2)).sum(-1)

    module, ids = Net().double(), torch.tensor([[1, 2, 3, 4, 5, 6, 7, 8]])
    found = propagated(record(module, ids), Composite(default=Epsilon(0.05)))
    with torch.no_grad():
        x = module.embed(ids)[0].T
        z = module.conv(x[None])[0]
        for k in range(3):
            per_output = torch.zeros_like(z)
            per_output[k] = z[k]  # LRP-0 through the sum, whose relevance is its score
            expected = conv_loops(x, module.conv, per_output, 0.05).sum(0)
            np.testing.assert_allclose(found.relevance[k, 0], expected, rtol=1e-10, atol=1e-12)


def test_layer_norm_centers_and_scales_by_a_constant_deviation() -> None:
    class Net(Base):
        def __init__(self) -> None:
            super().__init__()
            self.norm = nn.LayerNorm(SIZE)
            nn.init.normal_(self.norm.weight)
            nn.init.normal_(self.norm.bias)

        def forward(self, ids: Tensor) -> Tensor:
            return self.norm(self.embed(ids)).sum(1)

    module, ids = Net().double(), torch.tensor([[1, 2, 3]])
    found = propagated(record(module, ids), Composite(default=Epsilon(0.2)))
    with torch.no_grad():
        x = module.embed(ids)[0]
        for k in range(SIZE):
            for t in range(3):
                deviation = float((x[t].var(unbiased=False) + module.norm.eps).sqrt())
                weight = float(module.norm.weight[k])
                parts = [float(x[t, d]) * ((d == k) - 1 / SIZE) * weight / deviation for d in range(SIZE)]
                z = sum(parts) + float(module.norm.bias[k])
                share = sum(parts) / (z + (0.2 if z >= 0 else -0.2))
                np.testing.assert_allclose(float(found.relevance[k, 0, t]), share * z, rtol=1e-10)


# ---- folding


def test_batch_norm_is_folded_into_the_convolution_before_it() -> None:
    module, ids = made("residual"), some_ids(8, 1)
    hand = copy.deepcopy(module).eval()
    for conv, norm in ((hand.first, hand.norm), (hand.second, hand.last)):
        scale = norm.weight / (norm.running_var + norm.eps).sqrt()
        shift = norm.bias - norm.running_mean * scale
        bias = shift if conv.bias is None else shift + conv.bias * scale
        with torch.no_grad():
            conv.weight.mul_(scale[:, None, None])
        conv.bias = nn.Parameter(bias.detach())
    hand.norm, hand.last = nn.Identity(), nn.Identity()
    for rule in ("epsilon", "alpha2-beta1", "gamma", "w-square"):
        one, other = propagated(record(module, ids), PRESETS[rule]), propagated(record(hand, ids), PRESETS[rule])
        for k in range(CLASSES):
            entries = [float(entry[k, 0]) for entry in other.ledger.values()]
            assert gap(one.relevance[k, 0] - other.relevance[k, 0], other.relevance[k, 0], entries) < 1e-12
    assert [step.name for step in record(module, ids).steps if step.ruled] == ["first", "second", "add", "out"]


def test_a_batch_norm_is_not_folded_if_another_step_reads_its_input() -> None:
    class Net(Base):
        def __init__(self) -> None:
            super().__init__()
            self.lin, self.norm = nn.Linear(SIZE, CLASSES), nn.BatchNorm1d(CLASSES)

        def forward(self, ids: Tensor) -> Tensor:
            z = self.lin(self.embed(ids).mean(1))
            return self.norm(z) + z

    trace = record(Net().double(), some_ids(5))
    assert [(step.name, step.kind) for step in trace.steps if step.ruled] == [
        ("mean", "mean"), ("lin", "dense"), ("norm", "norm"), ("add", "sum"),
    ]  # fmt: skip
    assert trace_gap(trace, propagated(trace, Composite(default=Epsilon(0.1)))) < 1e-13


# ---- names and positions


def test_steps_have_the_names_of_the_layers() -> None:
    module, ids = made("branches"), some_ids(5)
    named = [step.name for step in record(module, ids).steps if step.ruled]
    assert named == ["convs.0", "convs.1", "convs.2", "out"]
    one = propagated(record(module, ids), Composite({"convs.1": Epsilon(3.0)}, default=Zero()))
    assert {name for name, cause in one.ledger if cause == "stabilizer" and one.ledger[name, cause].any()} == {
        "convs.1"
    }
    with pytest.raises(RuleError, match=r"'convs.0' \(0, convolution\).*'out' \(1, dense\)"):
        propagated(record(module, ids), Composite({"conv9": Zero()}))


def test_relevance_of_padding_is_ignored() -> None:
    module = made("branches")
    trace = record(module, torch.tensor([[3, 0, 5, 0]]))
    found = propagated(trace, PRESETS["flat"])
    assert (found.relevance[:, 0, [1, 3]] == 0).all()
    assert found.ledger["embed", "ignored"].abs().sum() > 0


# ---- a value changed in place, and its old readers


def test_a_value_changed_in_place_is_a_new_value() -> None:
    class Net(Base):
        def __init__(self, inplace: bool) -> None:
            super().__init__()
            self.lin, self.inplace = nn.Linear(SIZE, CLASSES), inplace

        def forward(self, ids: Tensor) -> Tensor:
            x = self.lin(self.embed(ids))
            kept = x.clone()
            x = F.relu(x, inplace=self.inplace)
            x = x.mul_(3.0) if self.inplace else x * 3.0
            return (x + kept).sum(1)

    torch.manual_seed(0)
    one, ids = Net(True).double(), some_ids(5)
    other = Net(False).double()
    other.load_state_dict(one.state_dict())
    found, expected = (
        propagated(record(one, ids), PRESETS["epsilon"]),
        propagated(record(other, ids), PRESETS["epsilon"]),
    )
    torch.testing.assert_close(found.relevance, expected.relevance, rtol=1e-13, atol=0)


def test_a_change_in_place_through_a_view_is_refused() -> None:
    class Net(Base):
        def forward(self, ids: Tensor) -> Tensor:
            x = self.embed(ids)
            x[:, 0].mul_(2.0)
            return x.sum(1)

    with pytest.raises(ModelError, match="in place through a view of it before 'sum' in Net"):
        record(Net(), some_ids(4))


# ---- unknown operations


class Odd(Base):
    def __init__(self, function: Callable[[Tensor], Tensor]) -> None:
        super().__init__()
        self.inner = Inner(function)

    def forward(self, ids: Tensor) -> Tensor:
        return self.inner(self.embed(ids)).sum(1)


class Inner(nn.Module):
    def __init__(self, function: Callable[[Tensor], Tensor]) -> None:
        super().__init__()
        self.function = function

    def forward(self, x: Tensor) -> Tensor:
        return self.function(x)


@every(
    "function, message",
    [
        (torch.cosh, "no rule for the operation 'cosh' in module 'inner' (Inner).*@textlrp.register('cosh')"),
        (
            lambda x: x * x,
            "propagated through 'mul' in module 'inner' (Inner): .*which of them is the gate.*attnlrp",
        ),
        (lambda x: 1 / x, "divides by a value"),
        (
            lambda x: torch.softmax(x, -1),
            "cannot be propagated through 'softmax' in module 'inner' (Inner): it has no rule",
        ),
        (lambda x: x @ x.transpose(1, 2), "which of them is the gate"),
    ],
)
def test_the_error_of_an_unknown_operation_names_it_and_its_module(
    function: Callable[[Tensor], Tensor], message: str
) -> None:
    pattern = message.replace("(", r"\(").replace(")", r"\)")
    with pytest.raises(ModelError, match=pattern):
        propagated(record(Odd(function), some_ids(4)), PRESETS["epsilon"])


def test_registering_an_operation_is_one_decorator(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        operations, "HANDLERS", dict(operations.HANDLERS)
    )  # so that the handlers registered here are removed afterwards
    with pytest.raises(ModelError, match="no rule for the operation 'log1p'"):
        record(Odd(torch.log1p), some_ids(4))

    @register(torch.log1p)
    def _(call: Any) -> None:
        call.passes()

    @register(torch.cumsum)
    def _(call: Any) -> None:
        axis = call.argument(1, "dim")
        call.linear("sum", call.argument(0, "input"), torch.ones(()), lambda a, w: torch.cumsum(a * w, dim=axis))

    class Net(Base):
        def forward(self, ids: Tensor) -> Tensor:
            return torch.log1p(torch.relu(self.embed(ids))).cumsum(1)[:, -1]

    trace = record(Net().double(), some_ids(6))
    assert trace_gap(trace, propagated(trace, PRESETS["zero"])) < 1e-13


def test_a_module_that_does_not_read_its_ids_through_an_embedding_is_refused() -> None:
    class Net(nn.Module):
        def forward(self, ids: Tensor) -> Tensor:
            return F.one_hot(ids, WORDS).double().sum(1)

    with pytest.raises(ModelError, match="does not depend on the vectors of the token ids"):
        record(Net(), some_ids(4))


def test_an_output_that_is_not_a_vector_of_scores_is_refused() -> None:
    class Net(Base):
        def forward(self, ids: Tensor) -> Tensor:
            return self.embed(ids)

    with pytest.raises(
        ModelError, match=r"must return scores of shape \(1, C\) for one text; got the shape \(1, 4, 6\)"
    ):
        record(Net(), some_ids(4))


def test_training_mode_is_put_back_after_an_error() -> None:
    module = Odd(torch.cosh)
    module.inner.eval()
    with pytest.raises(ModelError):
        record(module, some_ids(3))
    assert module.training
    assert not module.inner.training


def test_the_relevance_of_branches_is_added_up_at_their_common_words() -> None:
    """Several branches read one convolution, whose relevance is the sum of theirs."""

    class Twice(Branches):
        def forward(self, ids: Tensor) -> Tensor:
            x = self.embed(ids).transpose(1, 2)
            z = F.relu(self.convs[0](x)).amax(2)
            return self.out(torch.cat([z, z, z], 1))

    torch.manual_seed(1)
    module, ids = Twice().double(), some_ids(6, 4)
    trace = record(module, ids)
    assert trace_gap(trace, propagated(trace, PRESETS["epsilon"])) < 1e-13
