"""``explain``: targets, texts, models, rules and dtypes, and when it raises."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from itertools import repeat
from typing import Any

import numpy as np
import pandas as pd
import pytest
from cases import every
from laws import score_gap
from sklearn.exceptions import NotFittedError
from toys import LABELS, READ, TEXTS, VARIANTS, fitted, small

import textlrp
from textlrp.errors import DataError, OptionError, RuleError, TargetError, TextlrpError
from textlrp.explainers import streams as streams_module
from textlrp.explainers.explain import explain
from textlrp.explainers.targets import Index
from textlrp.explanation import Explanation
from textlrp.lrp.composite import Composite
from textlrp.lrp.rules import Epsilon, Zero
from textlrp.records import Document

TEXT = "the doctor gave me a pill"


def model_of(labels: list[Any]) -> Any:
    """A bag of embeddings over these classes."""
    model = copy.copy(fitted("boe", classes=len(labels)))
    model.classes_ = np.array(sorted(labels))
    return model


# ---- targets


@every(
    "target, expected",
    [
        ("med", (1,)),
        (np.str_("med"), (1,)),
        (Index(2), (2,)),
        (Index(-1), (2,)),
        (Index(np.int64(1)), (1,)),
        (("space", "autos"), ((2, 0),)),
        ((Index(0), "med"), ((0, 1),)),
        ("all", (0, 1, 2)),
        (["space", "med"], (2, 1)),
        (["med", ("med", "space"), Index(0), "all"], (1, (1, 2), 0, 0, 1, 2)),
        (["med", "med"], (1, 1)),
    ],
)
@every("variant", VARIANTS)
def test_every_form_of_target(variant: str, target: Any, expected: tuple[Any, ...]) -> None:
    alone = explain(fitted(variant), TEXT, target=target)
    assert alone.targets == expected
    assert alone.relevance.shape == (len(expected), 6)
    for explanation in explain(fitted(variant), READ, target=target):
        assert explanation.targets == expected
        assert all(entry.shape == (len(expected),) for entry in explanation.ledger.values())


@pytest.mark.parametrize("variant", VARIANTS)
def test_without_a_target_the_predicted_class_is_explained(variant: str) -> None:
    model = fitted(variant)
    predicted = model.predict(READ).tolist()
    for explanation, name in zip(explain(model, READ), predicted, strict=True):
        assert explanation.target_names == (name,)
        assert explanation.targets == (explanation.predicted,)
    mixed = list(explain(model, READ, target=[None, "med"]))
    assert [e.target_names for e in mixed] == [(name, "med") for name in predicted]


def test_one_target_per_document() -> None:
    model = fitted("cnn-max")
    wanted = [None, "med", "all", ("med", "space"), Index(0), ["autos", "space"]]
    found = list(explain(model, READ[:6], targets=wanted))
    assert [e.targets for e in found] == [(found[0].predicted,), (1,), (0, 1, 2), ((1, 2),), (0,), (0, 2)]
    for explanation, text, target in zip(found, READ, wanted, strict=False):
        alone = explain(model, text, target=target)
        np.testing.assert_allclose(explanation.relevance, alone.relevance, atol=1e-5)
        assert explanation.relevance.shape == alone.relevance.shape
    assert explain(model, TEXT, targets=["space"]).targets == (2,)
    endless = explain(model, READ, targets=repeat("med"))
    assert {e.targets for e in endless} == {(1,)}


@every(
    "labels, target, expected",
    [
        ([3, 7, 9], 7, 1),
        ([3, 7, 9], np.int64(9), 2),
        ([0, 1, 2], 2, 2),
        ([2, 1, 0], 2, 2),
        ([False, True], True, 1),
        ([False, True], np.bool_(False), 0),
        ([3, 7, 9], Index(1), 1),
        (["all", "some"], "all", 0),
    ],
)
def test_a_target_is_looked_up_among_the_labels_first(labels: list[Any], target: Any, expected: int) -> None:
    assert explain(model_of(labels), TEXT, target=target).targets == (expected,)


@every(
    "labels, target, message",
    [
        (
            ["sci.med", "sci.space"],
            "sci.mad",
            r"^target must be one of the model's 2 classes \('sci\.med', 'sci\.space'\); got 'sci\.mad'\. "
            r"The closest name is 'sci\.med'\.$",
        ),
        (
            ["med", "space"],
            1,
            r"got 1\. Pass Index\(1\) for the class at that position\.$",
        ),
        ([3, 7], "7", r"got '7'\. The closest name is '7'\.$"),
        ([3, 7], True, r"\('3', '7'\); got True\.$"),
        ([3, 7], 7.0, r"\('3', '7'\); got 7\.0\.$"),
        ([False, True], 1, r"\('False', 'True'\); got 1\."),
        (
            ["a", "b"],
            Index(2),
            r"from Index\(0\) to Index\(1\) for this model with 2 classes; got Index\(position=2\)",
        ),
        (["a", "b"], Index("a"), r"this model with 2 classes; got Index\(position='a'\)"),  # type: ignore[arg-type]
        (
            ["a", "b"],
            ("a", "b", "a"),
            r"a pair \(A, B\) for why A and not B; got the tuple .* Pass a list for several classes",
        ),
        (["a", "b"], ("a",), "a pair"),
        (["a", "b"], ("a", "c"), "got 'c'"),
        (["a", "b"], ["a", "c"], "got 'c'"),
        (["a", "b"], [], r"target must name at least one class; got \[\]"),
        (["a", "b"], np.array(["a", "b"]), "one of the model's 2 classes .*; got array"),
        (["a", "b"], {"a"}, "one of the model's 2 classes .*; got {'a'}"),
        (["a", "b"], ("a", None), "got None"),
    ],
)
def test_an_unknown_target_raises_immediately(labels: list[Any], target: Any, message: str) -> None:
    with pytest.raises(TargetError, match=message) as caught:
        explain(model_of(labels), iter([TEXT]), target=target)
    assert "\n" not in str(caught.value)
    with pytest.raises(TargetError, match=message):
        explain(model_of(labels), TEXT, target=target)


def test_targets_must_match_the_documents() -> None:
    model = fitted("boe")
    with pytest.raises(
        TargetError, match=r"^target= and targets= must not be used together: .* Leave one of them out\.$"
    ):
        explain(model, [TEXT], target="med", targets=["med"])
    with pytest.raises(
        TargetError, match=r"^targets must have one target for each document; got 3 for 2 documents\."
    ):
        explain(model, [TEXT, TEXT], targets=["med"] * 3)
    with pytest.raises(
        TargetError, match=r"^targets must have one target for each document; got 2 for 1 documents\."
    ):
        explain(model, TEXT, targets=["med", "space"])
    with pytest.raises(TargetError, match=r"got 'med'\. Pass target= for one target of all documents\.$"):
        explain(model, [TEXT] * 3, targets="med")
    with pytest.raises(TargetError, match=r"^targets must have one target for each document; document '2' has none"):
        list(explain(model, iter([TEXT, TEXT]), targets=iter(["med"])))
    with pytest.raises(TargetError, match=r"got 'mad'"):
        list(explain(model, [TEXT], targets=["mad"]))


# ---- texts


def test_one_text_gives_an_explanation_and_several_an_iterator() -> None:
    model = fitted("boe")
    assert isinstance(explain(model, TEXT), Explanation)
    assert isinstance(explain(model, Document("d", TEXT)), Explanation)
    several = explain(model, [TEXT])
    assert isinstance(several, Iterator)
    assert len(list(several)) == 1
    assert list(explain(model, [])) == []


@every("container", [list, tuple, np.array, pd.Series, iter, lambda x: pd.DataFrame({"text": x})])
def test_kinds_of_containers(container: Any) -> None:
    found = list(explain(fitted("boe"), container([TEXT, "the car"])))
    assert [e.text for e in found] == [TEXT, "the car"]


def test_documents_keep_their_names_and_labels() -> None:
    texts = [TEXT, Document("posts/7", "the car", "autos"), Document("x", "the moon", 3), "the probe"]
    found = list(explain(fitted("boe"), texts))
    assert [e.document_id for e in found] == ["1", "posts/7", "x", "4"]
    assert [e.true_label for e in found] == [None, "autos", "3", None]


def test_texts_are_read_a_block_at_a_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(streams_module, "BLOCK", 3)
    read: list[int] = []

    def texts() -> Iterator[str]:
        for number in range(10**9):
            read.append(number)
            yield TEXTS[number % 24]

    stream = explain(fitted("boe"), texts())
    assert read == []
    assert next(stream).document_id == "1"
    assert len(read) == 3
    assert [next(stream).document_id for _ in range(3)] == ["2", "3", "4"]
    assert len(read) == 6


def test_many_texts_are_explained_in_input_order() -> None:
    texts = [TEXTS[n % 24] + " the" * (n % 7) for n in range(150)]
    found = list(explain(fitted("cnn-max"), texts))
    assert [e.text for e in found] == texts
    assert [e.document_id for e in found] == [str(n) for n in range(1, 151)]


@every("bad", [None, float("nan"), b"the", 5, ["the"]])
def test_a_row_without_a_text_is_named(bad: Any) -> None:
    stream = explain(fitted("boe"), [*TEXTS, bad])
    with pytest.raises(DataError, match=r"^row 24: text must be a string; got "):
        list(stream)


@every("texts", [None, 5, b"the", {"text": TEXT}, np.zeros((2, 2)), pd.DataFrame({"a": [""], "b": [""]})])
def test_invalid_containers_raise_immediately(texts: Any) -> None:
    with pytest.raises(DataError, match=r"^the texts must be "):
        explain(fitted("boe"), texts)


# ---- models, rules, dtypes


@pytest.mark.parametrize("model", [None, "cnn", object()], ids=["None", "str", "object"])
def test_invalid_models_are_refused(model: Any) -> None:
    with pytest.raises(
        OptionError, match=f"^model must be a fitted textlrp classifier, .*; got a {type(model).__name__}\\.$"
    ):
        explain(model, TEXT)


def test_an_unfitted_model_is_scikit_learns_own_error() -> None:
    with pytest.raises(NotFittedError):
        explain(small("cnn"), TEXT)


@pytest.mark.parametrize("rule", ["gama", 0.01, ("zero",), Epsilon], ids=repr)
def test_invalid_rules_raise_immediately(rule: Any) -> None:
    with pytest.raises(RuleError):
        explain(fitted("boe"), [TEXT], rule=rule)


def test_a_layer_that_the_model_does_not_have_is_refused() -> None:
    with pytest.raises(
        RuleError, match=r"no layer 'conv9' in this model; it has 'conv1' \(0, convolution\), .*'output' \(1, dense\)"
    ):
        explain(fitted("cnn-max"), TEXT, rule=Composite({"conv9": Zero()}))


@every(
    "rule, written",
    [
        ("zero", "Zero()"),
        ("epsilon", "Epsilon(epsilon=1e-06, bias='absorb')"),
        ("arras2017", "Epsilon(epsilon=0.01, bias='spread')"),
        (Epsilon(0.5), "Epsilon(epsilon=0.5, bias='absorb')"),
        (
            Composite({"output": Zero()}),
            "Composite({'output': Zero()}, default=Epsilon(epsilon=1e-06, bias='absorb'))",
        ),
    ],
)
def test_the_rule_can_be_pasted_back(rule: Any, written: str) -> None:
    model = fitted("cnn-mean")
    explanation = explain(model, TEXT, rule=rule)
    assert explanation.rule == written
    pasted = eval(written, {"Zero": Zero, "Epsilon": Epsilon, "Composite": Composite})
    assert explain(model, TEXT, rule=pasted).relevance.tobytes() == explanation.relevance.tobytes()


@pytest.mark.parametrize("variant", VARIANTS)
def test_rules_give_different_maps(variant: str) -> None:
    maps = [explain(fitted(variant), TEXT, rule=rule, target="all") for rule in ("zero", Epsilon(0.3), "arras2017")]
    assert not np.allclose(maps[0].relevance, maps[1].relevance, rtol=1e-3)
    assert not np.allclose(maps[0].relevance, maps[2].relevance, rtol=1e-3)


@pytest.mark.parametrize("variant", VARIANTS)
def test_the_dtype_is_the_models_own_or_the_requested_one(variant: str) -> None:
    model = fitted(variant)
    fine, coarse = explain(model, TEXT, dtype="float64"), explain(model, TEXT)
    assert (coarse.relevance.dtype, fine.relevance.dtype) == (np.float32, np.float64)
    assert {entry.dtype for entry in fine.ledger.values()} == {np.dtype(np.float64)}
    np.testing.assert_allclose(coarse.relevance, fine.relevance, rtol=1e-3, atol=1e-4)
    assert score_gap(fine) < 1e-12
    with pytest.raises(OptionError, match=r"^dtype must be 'float32' or 'float64'; got 'float16'\."):
        explain(model, TEXT, dtype="float16")


@pytest.mark.parametrize("variant", VARIANTS)
def test_an_explanation_describes_its_model(variant: str) -> None:
    model = fitted(variant)
    explanation = explain(model, "The doctor, 42 zebras", target="all")
    assert explanation.labels == ("autos", "med", "space")
    assert explanation.method == "lrp"
    assert explanation.model == model.fingerprint_
    assert explanation.version == textlrp.__version__
    assert explanation.phrases == ()
    expected = [[model.vocabulary_.counts[model.vocabulary_.id(word) - 1] for word in ("the", "doctor")] + [0, 0]]
    assert [explanation.counts.tolist()] == expected
    np.testing.assert_allclose(explanation.scores, model.scores(model.encode([explanation.text]))[0], rtol=1e-5)
    if variant == "svm":
        assert explanation.probabilities is None
    else:
        assert explanation.probabilities is not None
        np.testing.assert_allclose(explanation.probabilities, model.predict_proba([explanation.text])[0], rtol=1e-5)  # type: ignore[attr-defined]


@every("kind", ["cnn", "boe", "svm"])
@every("labels", [[3, -1], [True, False]])
def test_labels_of_other_kinds_are_written_as_text(kind: str, labels: list[Any]) -> None:
    model = small(kind).fit(TEXTS[:16], [label for label in labels for _ in range(8)])
    explanation = explain(model, TEXT, target=labels[0])
    assert explanation.labels == tuple(str(name) for name in sorted(labels))
    assert explanation.target_names == (str(labels[0]),)


@pytest.mark.parametrize("variant", VARIANTS)
def test_a_long_text_is_explained(variant: str) -> None:
    text = " ".join(TEXTS) * 100
    explanation = explain(fitted(variant), text, target="all")
    assert explanation.relevance.shape[1] > 15_000
    assert np.isfinite(explanation.relevance).all()


def test_every_error_is_a_textlrp_error() -> None:
    for error in (DataError, OptionError, RuleError, TargetError):
        assert issubclass(error, TextlrpError)
    assert len(LABELS) == len(TEXTS)
