"""Randomized weights, stability of explanations, and ledger shares: manual results and general properties."""

from dataclasses import replace

import numpy as np
import pytest
from explanations import make_explanation
from scipy.stats import spearmanr
from toys import LABELS, TEXTS, VARIANTS, fitted, learner

from textlrp import explain
from textlrp.errors import DataError, ModelError, OptionError
from textlrp.evaluation.randomizing import cascade_layers, randomize_weights
from textlrp.evaluation.sanity import ledger_shares, randomization_check, stability


def explained(text, *relevance, targets=(0,), **fields):
    why = make_explanation(text, targets=targets, **fields)
    return replace(why, relevance=np.array(relevance, dtype=np.float32))


# ---- random weights


@pytest.mark.parametrize("variant", VARIANTS)
def test_only_the_named_layers_change_and_the_model_never(variant):
    model = fitted(variant)
    before, fingerprint = {name: weight.copy() for name, weight in model.weights_.items()}, model.fingerprint_
    changed = randomize_weights(model, ["output"], seed=3)
    assert set(changed.weights_) == set(before)
    for name, weight in before.items():
        np.testing.assert_array_equal(model.weights_[name], weight)
        other = changed.weights_[name]
        assert (other.dtype, other.shape) == (weight.dtype, weight.shape)
        assert not np.shares_memory(other, model.weights_[name])
        if name == "output.weight":
            assert not np.array_equal(other, weight)
        if not name.startswith("output"):
            np.testing.assert_array_equal(other, weight)
        np.testing.assert_array_equal(np.sort(other, axis=None), np.sort(weight, axis=None))
    assert model.fingerprint_ == fingerprint != changed.fingerprint_
    assert type(changed) is type(model)
    assert changed.get_params() == model.get_params()
    assert np.abs(changed.scores(changed.encode(TEXTS)) - model.scores(model.encode(TEXTS))).max() > 0.01


def test_cascade_layers_are_in_order_from_the_output_to_the_input():
    assert cascade_layers(fitted("cnn-max")) == ("output", "convolutions", "embedding")
    assert cascade_layers(fitted("boe")) == ("output", "embedding")
    assert cascade_layers(fitted("svm")) == ("output",)


def test_a_layer_is_shuffled_the_same_way_whatever_the_others_are():
    model = fitted("cnn-max")
    one, all_ = randomize_weights(model, ["output"]), randomize_weights(model, cascade_layers(model))
    np.testing.assert_array_equal(one.weights_["output.weight"], all_.weights_["output.weight"])
    other = randomize_weights(model, ["output"], seed=1)
    assert not np.array_equal(one.weights_["output.weight"], other.weights_["output.weight"])


def test_single_convolutions_can_be_named_and_the_unknown_word_stays_zero():
    model = fitted("cnn-max")
    changed = randomize_weights(model, ["conv2", "embedding"])
    names = [name for name in model.weights_ if not np.array_equal(model.weights_[name], changed.weights_[name])]
    assert sorted(names) == ["conv2.bias", "conv2.weight", "embedding"]
    assert not changed.weights_["embedding"][0].any()


def test_an_unknown_layer_raises_an_error():
    with pytest.raises(
        OptionError, match=r"some of conv1, conv2, conv3, convolutions, embedding, output for a CNN\w+; got 'conv9'\."
    ):
        randomize_weights(fitted("cnn-max"), ["conv9"])
    with pytest.raises(OptionError, match="got 'idf'"):
        randomize_weights(fitted("svm"), ["idf"])


def test_lrp_depends_on_the_weights_and_random_relevance_does_not():
    model = learner("cnn", filters=8, embedding_dim=12).fit(TEXTS, LABELS)
    steps = randomization_check(model, TEXTS)
    assert [step.layer for step in steps] == list(cascade_layers(model))
    assert all(step.n_documents + step.n_excluded == len(TEXTS) for step in steps)
    assert all(step.interval.low <= step.rank_correlation <= step.interval.high for step in steps)
    assert abs(steps[-1].rank_correlation) < 0.4
    assert [step.rank_correlation for step in randomization_check(model, TEXTS[:5], method="random")] == [
        pytest.approx(1.0)
    ] * 3


def test_the_same_class_is_compared():
    model = learner("svm").fit(TEXTS, LABELS)
    step = randomization_check(model, TEXTS, seed=2)[0]
    targets = model.predict(TEXTS).tolist()
    pairs = zip(
        explain(model, TEXTS),
        explain(randomize_weights(model, ["output"], seed=2), TEXTS, targets=targets),
        strict=True,
    )
    by_scipy = [spearmanr(a.relevance[0][a.seen], b.relevance[0][b.seen]).statistic for a, b in pairs]
    assert step.rank_correlation == pytest.approx(np.mean(by_scipy))


def test_other_models_have_no_layers_to_randomize():
    with pytest.raises(ModelError, match="got a dict"):
        randomization_check({}, TEXTS)


# ---- two explanations


def test_one_pair_matches_manual_result():
    a, b = explained("a b c d", [4, 3, 2, 1]), explained("a b c d", [4, 3, 1, 2])
    result = stability([a], [b], top_k=3)
    assert result.rank_correlation == pytest.approx(1 - 6 * 2 / (4 * 15))
    assert result.top_overlap == pytest.approx(2 / 3)
    assert (result.n_documents, result.n_excluded, result.top_k) == (1, 0, 3)
    assert stability([a], [a]).rank_correlation == pytest.approx(1)
    assert stability([a], [explained("a b c d", [1, 2, 3, 4])]).rank_correlation == pytest.approx(-1)


def test_ties_have_their_mean_rank_and_ignored_words_have_none():
    a, b = (
        explained("a b c d e", [3, 1, 1, 0, 0], status=[0, 0, 0, 0, 3]),
        explained("a b c d e", [2, 2, 5, 1, 0], status=[0, 0, 0, 0, 3]),
    )
    expected = spearmanr([3, 1, 1, 0], [2, 2, 5, 1]).statistic
    assert stability([a], [b]).rank_correlation == pytest.approx(expected)


def test_a_document_is_the_mean_over_its_targets():
    a = explained("a b c", [1, 2, 3], [1, 2, 3], targets=(0, 1))
    b = explained("a b c", [1, 2, 3], [3, 2, 1], targets=(0, 1))
    result = stability([a, a], [b, a])
    assert result.correlations.tolist() == pytest.approx([0, 1])
    assert result.rank_correlation == pytest.approx(0.5)
    assert result.interval == pytest.approx((0, 1))


def test_documents_without_a_rank_correlation_are_left_out():
    flat, one, good = explained("a b c", [1, 1, 1]), explained("a", [1]), explained("a b c", [1, 2, 3])
    result = stability([flat, one, good], [good, one, good])
    assert (result.n_documents, result.n_excluded, result.rank_correlation) == (1, 2, pytest.approx(1))
    with pytest.raises(DataError, match="not one of the 2 documents"):
        stability([flat, one], [good, one])
    with pytest.raises(DataError, match="not one of the 0 documents"):
        stability([], [])


def test_random_explanations_do_not_agree():
    random, text = np.random.default_rng(0), " ".join("abcdefghijklmnopqrst")
    a, b = ([explained(text, random.normal(size=20)) for _ in range(300)] for _ in range(2))
    result = stability(a, b, top_k=5)
    assert abs(result.rank_correlation) < 0.05
    assert abs(result.top_overlap - 0.25) < 0.04
    assert result.interval.low < 0 < result.interval.high


def test_explanations_that_do_not_match_raise_errors():
    why = explained("a b", [1, 2])
    with pytest.raises(DataError, match="explanations_b must be of the same documents as the other; it ends after 1"):
        stability([why, why], [why])
    with pytest.raises(DataError, match="of another text"):
        stability([why], [explained("a c", [1, 2])])
    with pytest.raises(
        DataError, match=r"explained for sci\.med in explanations_a and for rec\.autos in explanations_b"
    ):
        stability([why], [explained("a b", [1, 2], targets=(2,))])
    with pytest.raises(DataError, match="do not read the same words"):
        stability([why], [explained("a b", [1, 0], status=[0, 3])])
    with pytest.raises(OptionError, match=r"top_k.*0"):
        stability([why], [why], top_k=0)


# ---- the ledger


def test_shares_match_manual_results():
    one = explained(
        "a b", [1, -2], ledger={("conv", "bias"): np.array([-1.0]), ("out", "stabilizer"): np.array([0.0])}
    )
    two = explained("a b", [0, 0], ledger={("conv", "bias"): np.array([3.0]), ("out", "bias"): np.array([1.0])})
    found = ledger_shares([one, two])
    assert [tuple(share) for share in found] == [
        ("conv", "bias", pytest.approx((1 / 4 + 3 / 4) / 2), 0.75),
        ("out", "bias", pytest.approx(1 / 8), 0.25),
        ("out", "stabilizer", 0.0, 0.0),
    ]


def test_each_target_counts_and_an_explanation_of_zeros_has_share_0():
    why = explained("a", [1], [0], targets=(0, 1), ledger={("out", "bias"): np.array([1.0, 0.0])})
    assert ledger_shares([why]) == [("out", "bias", 0.25, 0.5)]
    with pytest.raises(DataError, match="at least 1 explanation; got none"):
        ledger_shares([])


def test_shares_of_a_net_are_below_1():
    shares = ledger_shares(explain(fitted("cnn-max"), TEXTS, target="all"))
    assert sum(share.mean_share for share in shares) < 1
    assert all(0 <= share.mean_share <= share.largest_share <= 1 for share in shares)
    assert {share.cause for share in shares} >= {"bias"}
