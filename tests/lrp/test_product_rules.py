"""The rules for products: what each factor receives, which products are refused, and the causes in the ledger."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from cases import every
from external_modules import CLASSES, SIZE, Base
from hypothesis import given, settings
from hypothesis import strategies as st
from laws import trace_gap
from torch import Tensor, nn

from textlrp.errors import ModelError, RuleError
from textlrp.lrp.composite import Composite
from textlrp.lrp.presets import PRESETS
from textlrp.lrp.product_rules import Halves, SourceOnly
from textlrp.lrp.recorded.factors import Multiplied, MultipliedMatrices, Softmax
from textlrp.lrp.recorded.named_constants import cause_of
from textlrp.lrp.recorded.operations import HANDLERS, register
from textlrp.lrp.recorded.record import record
from textlrp.lrp.rules import Epsilon, Flat, Zero
from textlrp.lrp.shares import Rule
from textlrp.lrp.trace import Propagated, one_hot_seed, propagate

IDS = torch.tensor([[3, 5, 2, 7]])
seeds = st.integers(0, 100_000)


class Net(Base):
    """A forward pass given as a function of the net and the ids, between an embedding and a dense layer."""

    def __init__(self, forward: Callable[[Any, Tensor], Tensor], **layers: nn.Module | nn.Parameter) -> None:
        super().__init__()
        for name, layer in layers.items():
            setattr(self, name, layer)
        self.one, self.two, self.out = nn.Linear(SIZE, SIZE), nn.Linear(SIZE, SIZE), nn.Linear(SIZE, CLASSES)
        self.run = forward

    def forward(self, ids: Tensor) -> Tensor:
        return self.out(self.run(self, ids).sum(1))


def explained(module: nn.Module, composite: Composite | str, ids: Tensor = IDS) -> Propagated:
    trace = record(module.double(), ids)
    composite = PRESETS[composite] if isinstance(composite, str) else composite
    found = propagate(trace, composite, one_hot_seed(trace.scores, range(CLASSES)))
    assert trace_gap(trace, found) < 1e-13
    return found


# ---- what each factor receives


def some(seed: int, *shapes: tuple[int, ...]) -> list[Tensor]:
    generator = torch.Generator().manual_seed(seed)
    return [torch.randn(shape, generator=generator, dtype=torch.float64) for shape in shapes]


def matrices(seed: int, source: int | None) -> tuple[MultipliedMatrices, Tensor]:
    """A product of matrices (3, 4) and (4, 2), and relevance of two targets."""
    left, right, relevance = some(seed, (3, 4), (4, 2), (2, 1, 3, 2))
    kind = "product" if source is None else "weighted sum"
    step = MultipliedMatrices(
        "matmul", kind, ("a", "b"), "c", (left, right), torch.matmul, left @ right, source, "no gate"
    )
    return step, relevance


@settings(deadline=None, max_examples=25)
@given(seeds, st.sampled_from([None, 0, 1]))
def test_each_factor_of_matrices_receives_half_of_each_product(seed: int, source: int | None) -> None:
    step, relevance = matrices(seed, source)
    (left, right), z = step.factors, step.outputs
    received, absorbed = step.back(relevance, Halves())
    expected = [torch.zeros(2, 1, 3, 4).double(), torch.zeros(2, 1, 4, 2).double()]
    for k in range(2):
        for i in range(3):
            for p in range(2):
                for j in range(4):
                    half = left[i, j] * right[j, p] / z[i, p] * relevance[k, 0, i, p] / 2
                    expected[0][k, 0, i, j] += half
                    expected[1][k, 0, j, p] += half
    for found, wanted in zip(received, expected, strict=True):
        torch.testing.assert_close(found, wanted, rtol=1e-11, atol=1e-11)
    torch.testing.assert_close(received[0].sum((1, 2, 3)), received[1].sum((1, 2, 3)), rtol=1e-9, atol=1e-11)
    assert all(not entry.any() for entry in absorbed.values())


@settings(deadline=None, max_examples=25)
@given(seeds, st.sampled_from([0, 1]), st.sampled_from([SourceOnly(), Zero(), Flat(), Epsilon(0.5)]))
def test_the_source_of_matrices_receives_all(seed: int, source: int, rule: Rule) -> None:
    step, relevance = matrices(seed, source)
    received, absorbed = step.back(relevance, rule)
    assert not received[1 - source].any()
    missing = relevance.sum((2, 3)) - received[source].sum((2, 3)) - sum(absorbed.values())
    assert missing.abs().max() < 1e-11 * relevance.abs().sum()
    if rule == Epsilon(0.5):
        assert absorbed["stabilizer"].any()


def test_an_output_of_exactly_0_absorbs_its_relevance() -> None:
    left, right = torch.tensor([[1.0, 1.0]]).double(), torch.tensor([[2.0], [-2.0]]).double()
    step = MultipliedMatrices(
        "matmul", "product", ("a", "b"), "c", (left, right), torch.matmul, left @ right, None, "no gate"
    )
    received, absorbed = step.back(torch.ones(1, 1, 1, 1).double(), Halves())
    assert float(absorbed["empty"]) == 1
    assert not received[0].any()
    assert not received[1].any()


@every("rule, source, shares", [(Halves(), None, (0.5, 0.5)), (Halves(), 1, (0.5, 0.5)), (SourceOnly(), 0, (1, 0)),
                                (SourceOnly(), 1, (0, 1))])  # fmt: skip
def test_factors_of_an_elementwise_product(rule: Rule, source: int | None, shares: tuple[float, float]) -> None:
    (relevance,) = some(0, (2, 1, 3, 4))
    step = Multiplied("mul", ("a", "b"), "c", source, "no gate")
    received, absorbed = step.back(relevance, rule)
    for found, share in zip(received, shares, strict=True):
        torch.testing.assert_close(found, share * relevance)
    assert absorbed == {}


@settings(deadline=None, max_examples=25)
@given(seeds, st.integers(1, 5), st.booleans(), st.sampled_from([-1, -2]))
def test_softmax_is_its_taylor_expansion(seed: int, size: int, masked: bool, axis: int) -> None:
    """s_i ≈ s_i(x) + sum_j (∂s_i / ∂x_j) x_j: each term of the expansion takes its share of the relevance of s_i."""
    x, relevance = some(seed, (size, size), (2, 1, size, size))
    if masked and size > 1:
        x.select(axis, 0).fill_(-torch.inf)
        relevance = relevance * (x != -torch.inf)  # no relevance arrives where a value has the weight 0
    s = torch.softmax(x, axis)
    received, absorbed = Softmax("softmax", ("x",), "s", x, s, axis, "stop").back(relevance, Halves())
    jacobian = torch.autograd.functional.jacobian(lambda a: torch.softmax(a, axis), x).reshape(size**2, size**2)
    values = torch.where(x == -torch.inf, 0, x).reshape(-1)
    terms = torch.nan_to_num(jacobian) * values / torch.where(s == 0, 1, s).reshape(-1, 1)  # [i, j]
    flat = relevance.reshape(2, -1)
    torch.testing.assert_close(received[0].reshape(2, -1), flat @ terms, rtol=1e-10, atol=1e-10)
    constant = flat * (1 - terms.sum(1))
    torch.testing.assert_close(absorbed["softmax"][:, 0], constant.sum(1), rtol=1e-10, atol=1e-10)


def test_softmax_receives_nothing_from_the_source_only() -> None:
    x, relevance = some(0, (3, 3), (1, 1, 3, 3))
    step = Softmax("softmax", ("x",), "s", x, torch.softmax(x, -1), -1, "no rule")
    received, absorbed = step.back(torch.zeros_like(relevance), SourceOnly())
    assert not received[0].any()
    assert absorbed == {}
    with pytest.raises(ModelError, match="no rule"):
        step.back(relevance, SourceOnly())


def test_queries_and_keys_receive_nothing_by_cp_lrp_and_as_much_as_each_other_by_attnlrp() -> None:
    def attention(n: Any, ids: Tensor) -> Tensor:
        x = n.embed(ids)
        return F.scaled_dot_product_attention(n.one(x), n.two(x), x)

    module = Net(attention).double()
    nn.init.zeros_(module.one.bias)
    trace = record(module, IDS)
    readers = {step.name: step.writes for step in trace.steps if step.name in ("one", "two")}
    for rule, receives in (("cp-lrp", False), ("attnlrp", True)):
        seed = one_hot_seed(trace.scores, range(CLASSES))
        watched = propagate(trace, PRESETS[rule], seed, watch=[*readers.values()]).watched
        query, key = (watched[readers[name]].sum((1, 2, 3)) for name in ("one", "two"))
        assert bool(query.any()) is receives
        torch.testing.assert_close(query, key, rtol=1e-10, atol=1e-12)


# ---- causes in the ledger


class Embedded(Net):
    def __init__(self) -> None:
        super().__init__(_embedded)
        self.position_embeddings = nn.Embedding(9, SIZE)
        self.token_type_embeddings = nn.Embedding(2, SIZE)
        self.pos = nn.Parameter(torch.randn(1, 9, SIZE))


def _embedded(n: Any, ids: Tensor) -> Tensor:
    """[CLS] text [SEP] padding, with position and token-type embeddings, summed as models sum them."""
    ids = torch.cat([torch.tensor([[1]]), ids, torch.tensor([[4, 0]])], dim=1)
    places = torch.arange(ids.shape[1])[None]
    types = n.token_type_embeddings(torch.zeros_like(ids))
    x = n.embed(ids) + n.pos[:, : ids.shape[1]]
    return n.one(x + (n.position_embeddings(places).expand(1, -1, -1) + types))


def test_causes_have_the_names_of_their_tables() -> None:
    module = Embedded().double()
    found = explained(module, "cp-lrp")
    x = torch.cat([torch.tensor([[1]]), IDS, torch.tensor([[4, 0]])], dim=1)
    gradient = module.out.weight @ module.one.weight
    length = x.shape[1]
    with torch.no_grad():
        expected = {
            ("position_embeddings", "position"): module.position_embeddings.weight[:length].sum(0),
            ("token_type_embeddings", "token type"): length * module.token_type_embeddings.weight[0],
            ("pos", "position"): module.pos[0, :length].sum(0),
            ("embed", "special"): module.embed.weight[[1, 4]].sum(0),
            ("one", "bias"): None,
        }
        for key, vector in expected.items():
            wanted = length * module.out.weight @ module.one.bias if vector is None else gradient @ vector
            torch.testing.assert_close(found.ledger[key][:, 0], wanted, rtol=1e-10, atol=1e-12)
    assert not found.ledger["embed", "ignored"].any()  # the vector of padding is 0
    assert ("add", "bias") not in found.ledger


def test_a_vector_of_padding_is_ignored_and_not_special() -> None:
    module = Embedded().double()
    nn.init.ones_(module.embed.weight)
    found = explained(module, "cp-lrp")
    assert found.ledger["embed", "ignored"].any()
    assert found.ledger["embed", "special"].any()


@every(
    "name, cause",
    [
        ("bert.embeddings.position_embeddings", "position"),
        ("transformer.wpe", "position"),
        ("pos_encoder.pe", "position"),
        ("pos_emb", "position"),
        ("encoder.relative_attention_bias", "position"),
        ("embeddings.token_type_embeddings", "token type"),
        ("segment_embedding", "token type"),
        ("embeddings.word_embeddings", ""),
        ("composer.weight", ""),
        ("type", ""),
    ],
)
def test_tables_are_recognized_by_their_name(name: str, cause: str) -> None:
    assert cause_of(name) == cause


def test_the_softmax_has_the_name_of_its_module_in_the_ledger() -> None:
    class Inner(nn.Module):
        def forward(self, q: Tensor, k: Tensor) -> Tensor:
            return torch.softmax(q @ k.mT, -1)

    found = explained(Net(lambda n, ids: n.inner(n.one(n.embed(ids)), n.embed(ids)) @ n.embed(ids), inner=Inner()),
                      "attnlrp")  # fmt: skip
    assert found.ledger["inner", "softmax"].any()
    assert ("inner", "softmax") not in explained(
        Net(lambda n, ids: n.inner(n.one(n.embed(ids)), n.embed(ids)) @ n.embed(ids), inner=Inner()), "cp-lrp"
    ).ledger


# ---- refusals


def refusal(module: nn.Module, composite: Composite | str = "cp-lrp") -> str:
    with pytest.raises((ModelError, RuleError)) as refused:
        explained(module, composite)
    return str(refused.value)


TWO_VALUES: dict[str, Callable[[Any, Tensor], Tensor]] = {
    "mul": lambda n, ids: n.one(n.embed(ids)) * n.two(n.embed(ids)),
    "matmul": lambda n, ids: n.one(n.embed(ids)) @ n.two(n.embed(ids)).mT @ n.embed(ids),
    "einsum": lambda n, ids: torch.einsum("btd,btd->btd", n.one(n.embed(ids)), n.embed(ids)),
    "softmax": lambda n, ids: torch.softmax(n.one(n.embed(ids)), -1),
}


@every("operation", TWO_VALUES)
def test_products_without_a_gate_need_attnlrp(operation: str) -> None:
    message = refusal(Net(TWO_VALUES[operation]))
    assert f"{operation!r} in Net" in message
    assert 'pass rule="attnlrp"' in message or 'Pass rule="attnlrp"' in message
    assert "passes()" not in message
    explained(Net(TWO_VALUES[operation]), "attnlrp")


UNKNOWN: dict[str, Callable[[Any, Tensor], Tensor]] = {
    "cross": lambda n, ids: torch.cross(n.embed(ids)[..., :3], n.one(n.embed(ids))[..., 3:], dim=-1).repeat(1, 1, 2),
    "hypot": lambda n, ids: torch.hypot(n.embed(ids), n.one(n.embed(ids))),
    "kron": lambda n, ids: (lambda x: torch.kron(x, x)[:, : len(x), :SIZE])(n.embed(ids)),
}  # fmt: skip


@every("operation", UNKNOWN)
@every("rule", ["cp-lrp", "attnlrp"])
def test_an_unknown_operation_of_two_values_is_refused_without_passes(operation: str, rule: str) -> None:
    message = refusal(Net(UNKNOWN[operation]), rule)
    assert f"no rule for the operation {operation!r} in Net" in message
    assert "which reads 2 values" in message
    assert "passes()" not in message


OTHER: dict[str, tuple[Callable[[Any, Tensor], Tensor], str]] = {
    "a quotient": (lambda n, ids: n.embed(ids) / n.one(n.embed(ids)), "'div' in Net: it divides by a value"),
    "a power": (lambda n, ids: n.embed(ids) ** 2, "'pow' in Net: it has no rule. Its result may only scale"),
    "a deviation": (
        lambda n, ids: n.embed(ids).std(-1, keepdim=True).expand(-1, -1, SIZE),
        "'std' in Net: it has no",
    ),
    "complex numbers": (lambda n, ids: torch.fft.fft(n.embed(ids)).real, "'fft' in Net makes complex numbers"),
    "dropout": (
        lambda n, ids: F.scaled_dot_product_attention(n.embed(ids), n.embed(ids), n.embed(ids), dropout_p=0.5),
        "'scaled_dot_product_attention' in Net: its dropout_p is not 0",
    ),
    "three operands": (
        lambda n, ids: torch.einsum("bid,bjd,bjd->bid", n.embed(ids), n.embed(ids), n.embed(ids)),
        "'einsum' in Net: only two operands are supported",
    ),
}


@every("name", OTHER)
@every("rule", ["cp-lrp", "attnlrp"])
def test_other_operations_are_refused_by_name(name: str, rule: str) -> None:
    forward, message = OTHER[name]
    assert message in refusal(Net(forward), rule)


def test_dropout_and_static_keys_of_multi_head_attention_are_refused() -> None:
    layer = nn.MultiheadAttention(SIZE, 2)

    def called(n: Any, ids: Tensor, p: float = 0.0, **options: Any) -> Tensor:
        x, weight, bias = n.embed(ids).transpose(0, 1), n.layer.in_proj_weight, n.layer.in_proj_bias
        last = n.layer.out_proj.weight, n.layer.out_proj.bias
        found, _ = F.multi_head_attention_forward(
            x, x, x, SIZE, 2, weight, bias, None, None, False, p, *last, **options
        )
        return found.transpose(0, 1)

    static = torch.randn(2, 4, SIZE // 2).double()
    for options, message in (
        ({"p": 0.5, "training": True}, "dropout_p is not 0"),
        ({"static_k": static}, "static_k"),
    ):
        assert message in refusal(Net(lambda n, ids, o=options: called(n, ids, **o), layer=layer))


def test_a_rule_for_layers_cannot_be_placed_at_a_product_and_the_other_way_round() -> None:
    module = Net(TWO_VALUES["mul"])
    assert "the rule of layer 'mul' must be one for products" in refusal(module, Composite({"mul": Epsilon()}))
    assert "layer 'one' is not one" in refusal(module, Composite({"product": Halves(), "one": Halves()}))


def test_a_registered_operation_may_expand_into_others() -> None:
    @register("hypot")
    def _(call: Any) -> None:
        call.expands(lambda left, right: left * 2 + right)

    try:
        found = explained(Net(UNKNOWN["hypot"]), "cp-lrp")
    finally:
        del HANDLERS["hypot"]
    assert found.relevance.any()


# ---- roles


ROLES: dict[str, tuple[Callable[[Any, Tensor, Tensor], Tensor], bool]] = {
    "a sigmoid gates": (lambda n, x, y: torch.sigmoid(y) * x, True),
    "1 - a gate": (lambda n, x, y: x * (1 - torch.sigmoid(y)), True),
    "a length": (lambda n, x, y: x / y.norm(dim=-1, keepdim=True), True),
    "a length times a number": (lambda n, x, y: x * (3 * y.square().mean(-1, keepdim=True)), True),
    "an activation": (lambda n, x, y: F.silu(y) * x, False),
    "a moved activation": (lambda n, x, y: F.silu(y).mT.mT * x, False),
    "attention weights": (lambda n, x, y: torch.softmax(y, 1) * x, False),
    "half of them": (lambda n, x, y: F.dropout(torch.softmax(y, 1) / 2, training=False) * x, False),
}


@every("name", ROLES)
def test_the_source_and_the_gate_of_a_product(name: str) -> None:
    """By cp-lrp the gate receives nothing; by attnlrp only if it is an activation or attention weights."""
    product, always = ROLES[name]
    module = Net(lambda n, ids: product(n, n.one(n.embed(ids)), n.two(n.embed(ids)))).double()
    trace = record(module, IDS)
    gate = next(step.writes for step in trace.steps if step.name == "two")
    for rule in ("cp-lrp", "attnlrp"):
        seed = one_hot_seed(trace.scores, range(CLASSES))
        received = propagate(trace, PRESETS[rule], seed, watch=[gate]).watched[gate]
        assert bool(received.any()) is (rule == "attnlrp" and not always)
