"""Starts of propagation: whether colors agree with deletion, the law of each start, and the notes."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from functools import cache
from typing import Any, NamedTuple

import numpy as np
import pytest
import torch
from cases import every
from laws import score_gap
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.pipeline import make_pipeline
from sklearn.svm import LinearSVC
from torch import Tensor, nn
from toys import LABELS, NAMES, TEXTS, fitted, learner

from textlrp.errors import ModelError, OptionError
from textlrp.explainers.attribution import Case
from textlrp.explainers.explain import explain
from textlrp.explanation import Explanation
from textlrp.lrp.composite import Composite
from textlrp.lrp.presets import PRESETS, as_composite
from textlrp.lrp.rules import AlphaBeta, Flat, WSquare, ZBox, Zero, ZPlus
from textlrp.lrp.shares import has_fixed_sign
from textlrp.lrp.starts import Start
from textlrp.models.adapt import as_classifier
from textlrp.models.wrapping import wrap
from textlrp.records import STARTS
from textlrp.reports.balance import score_breakdowns

WORDS = sorted({word for text in TEXTS for word in text.split()})
DISTINCT = [name for place, name in enumerate(PRESETS) if PRESETS[name] not in list(PRESETS.values())[:place]]
HOW: dict[str, Any] = {"tokenizer": str.split, "vocabulary": {word: n for n, word in enumerate(WORDS)}}
MODELS = ("svm", "cnn", "cnn-mean", "boe", "pipeline", "module")
each_start = pytest.mark.parametrize("start", [None, *STARTS])


class Net(nn.Module):
    """A bag of embeddings with a hidden layer, its scores shifted so that most of them are negative."""

    def __init__(self, classes: int = 3) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.table = nn.Embedding(len(WORDS), 6)
        self.hidden = nn.Linear(6, 8)
        self.output = nn.Linear(8, classes)
        with torch.no_grad():
            self.output.bias -= 1

    def forward(self, ids: Tensor) -> Tensor:
        scores: Tensor = self.output(torch.relu(self.hidden(self.table(ids).mean(dim=1))))
        return scores


@cache
def module() -> nn.Module:
    net = Net()
    ids = [torch.tensor([[WORDS.index(word) for word in text.split()]]) for text in TEXTS]
    labels = torch.tensor([NAMES.index(label) for label in LABELS])
    optimizer = torch.optim.Adam(net.parameters(), lr=0.05)
    for _ in range(40):
        optimizer.zero_grad()
        scores = torch.cat([net(each) for each in ids])
        nn.functional.cross_entropy(scores, labels).backward()
        optimizer.step()
    return net.double()


@cache
def model(name: str) -> Any:
    if name == "pipeline":
        return make_pipeline(TfidfVectorizer(), LinearSVC(C=0.1, random_state=0)).fit(TEXTS, LABELS)
    if name == "module":
        return wrap(module(), classes=NAMES, **HOW)
    if name == "svm":
        return learner("svm", dtype="float64", C=0.1).fit(TEXTS, LABELS)
    pooling = {"pooling": "mean"} if name == "cnn-mean" else {}
    found = learner(name.partition("-")[0], dtype="float64", **pooling).fit(TEXTS, LABELS)
    found.weights_["output.bias"] -= 1  # many of its scores become negative, and no prediction changes
    return found


class Effect(NamedTuple):
    """One target of one text: how much deleting each word lowers the start, and the relevance of the words."""

    start: float
    note: str
    relevance: np.ndarray
    drop: np.ndarray

    @property
    def agreement(self) -> float:
        """The correlation of the two."""
        return float(np.corrcoef(self.relevance, self.drop)[0, 1])


@cache
def drops(name: str) -> list[np.ndarray]:
    """(C, T) of each text: what each score loses without each token of the text."""
    classifier = as_classifier(model(name))
    batch, found = classifier.encode(TEXTS), []
    for n in range(len(TEXTS)):
        case = Case(classifier, batch, n, tuple(range(len(NAMES))), None)
        lost = case.scores() - case.scores_keeping(~np.eye(int(case.known.sum()), dtype=bool))
        found.append(lost.T)
    return found


def effects(name: str, rule: Any, start: Start | None) -> list[Effect]:
    found = []
    for why, lost in zip(explain(model(name), TEXTS, rule=rule, start=start, target="all"), drops(name), strict=True):
        own = lost - lost.mean(axis=0) if why.start == "centered" else lost
        for k, relevance in enumerate(why.relevance[:, why.seen]):
            note = why.target_notes[k] if why.target_notes else ""
            if relevance.std() > 1e-9 and own[k].std() > 1e-9:
                found.append(Effect(float(why.start_scores[k]), note, relevance, own[k]))
    return found


def share_that_agrees(found: Sequence[Effect]) -> float:
    """The share of targets whose colors agree with the effects of deletion."""
    return float(np.mean([each.agreement > 0 for each in found]))


def check_colors(name: str, rule: str, start: Start | None) -> None:
    """Assert that colors agree with the effects of deletion, or else, and only then, a note reports it."""
    found = effects(name, rule, start)
    why = explain(model(name), TEXTS[0], rule=rule, start=start)
    fixed = has_fixed_sign_on(name, rule)
    assert all(bool(each.note) == (fixed and each.start < 0) for each in found)
    assert start is None or why.start == start
    if why.notes:  # made for pixels: relevance need not agree with deletion, and a note reports it
        assert "made for pixels" in why.notes[0]
        return
    assert share_that_agrees([each for each in found if not each.note]) > 0.8
    noted = [each for each in found if each.note]
    assert not noted or share_that_agrees(noted) < (0.2 if name in LINEAR else 0.8)


LINEAR = ("svm", "pipeline")


def has_fixed_sign_on(name: str, rule: str) -> bool:
    """Whether the last layer has a rule with a fixed sign, from the preset's definition."""
    composite = as_composite(rule)
    layers = composite.layers if name in (*LINEAR, "boe") else {}  # these have one layer, at position 0
    return has_fixed_sign(layers.get(0, composite.default))


@every("start", [None, "score"])
@every("rule", ["epsilon", "alpha1-beta0"])
@every("name", [name for name in MODELS if name != "cnn-mean"])
def test_colors_agree_with_deletion_or_a_note_explains_why_not(name: str, rule: str, start: Start | None) -> None:
    check_colors(name, rule, start)


@pytest.mark.slow
@each_start
@pytest.mark.parametrize("rule", DISTINCT)
@pytest.mark.parametrize("name", MODELS)
def test_colors_of_every_rule_agree_with_deletion_or_a_note_explains_why_not(
    name: str, rule: str, start: Start | None
) -> None:
    check_colors(name, rule, start)


@pytest.mark.parametrize("rule", ["alpha1-beta0", "alpha2-beta1", "z-plus"])
def test_a_negative_score_of_a_one_vs_rest_model_reverses_the_map(rule: str) -> None:
    # why the notes and the default start exist: without them most maps have reversed signs
    assert share_that_agrees(effects("svm", rule, "score")) < 0.3
    predicted = [explain(model("svm"), text, rule=rule) for text in TEXTS]
    assert all(why.start == "centered" and why.start_scores[0] >= 0 and not why.target_notes for why in predicted)


# ---- the law of each start


@each_start
@pytest.mark.parametrize(
    "rule",
    ["alpha2-beta1", *(pytest.param(name, marks=pytest.mark.slow) for name in DISTINCT if name != "alpha2-beta1")],
)
@every("name", MODELS)
def test_relevance_plus_absorbed_is_the_start(name: str, rule: str, start: Start | None) -> None:
    targets = [*NAMES, (NAMES[0], NAMES[2])]
    for why in explain(model(name), TEXTS[::8], rule=rule, start=start, target=targets):
        assert score_gap(why) < 1e-11
        expected = why.scores - (why.scores.mean() if why.start == "centered" else 0)
        np.testing.assert_allclose(why.start_scores[:3], expected, rtol=0, atol=1e-12)
        np.testing.assert_allclose(why.start_scores[3], why.target_scores[3], rtol=0, atol=1e-12)
        maps = why.relevance
        np.testing.assert_allclose(maps[3], maps[0] - maps[2], rtol=0, atol=1e-11 * np.abs(maps).sum() + 1e-12)


@every("name", MODELS)
def test_a_centered_start_is_the_map_less_the_mean_map_where_the_rule_is_linear_in_the_weights(name: str) -> None:
    for text in TEXTS[::8]:
        plain = explain(model(name), text, rule="zero", start="score", target="all")
        centered = explain(model(name), text, rule="zero", start="centered", target="all")
        expected = plain.relevance - plain.relevance.mean(axis=0)
        np.testing.assert_allclose(centered.relevance, expected, rtol=0, atol=1e-11 * np.abs(plain.relevance).sum())


@pytest.mark.parametrize("name", ["svm", "cnn", "cnn-mean", "boe"])
def test_a_function_of_the_text_that_is_added_to_all_scores_changes_no_centered_map(name: str) -> None:
    moved = copy.deepcopy(model(name))
    weights = moved.weights_
    weights["output.weight"] = weights["output.weight"] + np.linspace(-1, 1, weights["output.weight"].shape[1])
    weights["output.bias"] = weights["output.bias"] - 3
    for one, other in zip(
        explain(model(name), TEXTS[::8], rule="alpha1-beta0", target="all"),
        explain(moved, TEXTS[::8], rule="alpha1-beta0", target="all"),
        strict=True,
    ):
        assert (one.start, other.start) == ("centered", "centered")
        np.testing.assert_allclose(one.relevance, other.relevance, rtol=1e-8, atol=1e-9)


@pytest.mark.parametrize("rule", ["alpha1-beta0", "flat"])
def test_float32_keeps_the_law_where_the_scores_lie_far_from_their_mean(rule: str) -> None:
    found = fitted("cnn-max")
    for why in explain(found, TEXTS[::6], rule=rule, target="all"):
        assert score_gap(why) <= 1e-5


# ---- modules


class Twice(Net):
    """Two heads whose outputs are added: the scores are not the output of a single layer."""

    def forward(self, ids: Tensor) -> Tensor:
        hidden = torch.relu(self.hidden(self.table(ids).mean(dim=1)))
        scores: Tensor = self.output(hidden) + self.output(hidden * 2)
        return scores


class Squeezed(Net):
    """The last layer's scores are reshaped and reordered afterwards."""

    def forward(self, ids: Tensor) -> Tensor:
        return super().forward(ids).flip(-1).squeeze(0)[None, :, None].squeeze(-1)


def test_a_module_without_one_last_layer_starts_from_the_score() -> None:
    net = wrap(Twice().double(), **HOW)
    why = explain(net, TEXTS[0], rule="alpha1-beta0", target="all")
    assert why.start == "score"
    assert [bool(note) for note in why.target_notes] == (why.scores < 0).tolist()
    with pytest.raises(
        ModelError,
        match=r"start must be 'score' for this module; got 'centered'\. Its scores are not the output of one",
    ):
        explain(net, TEXTS[0], start="centered")


@pytest.mark.parametrize("rule", ["zero", "epsilon", "alpha2-beta1", "flat"])
def test_the_last_layer_is_found_behind_steps_that_only_move_its_outputs(rule: str) -> None:
    moved, plain = wrap(Squeezed().double(), **HOW), wrap(Net().double(), **HOW)
    one = explain(moved, TEXTS[0], rule=rule, start="centered", target="all")
    other = explain(plain, TEXTS[0], rule=rule, start="centered", target="all")
    np.testing.assert_allclose(one.relevance, other.relevance[::-1], rtol=1e-10)
    np.testing.assert_allclose(one.start_scores, other.start_scores[::-1], rtol=1e-10)


def test_a_module_with_one_output_is_already_centered() -> None:
    net = wrap(Net(classes=1).double(), **HOW)
    one, other = (explain(net, TEXTS[0], rule="alpha1-beta0", start=s, target="all") for s in STARTS)
    assert one.relevance.tobytes() == other.relevance.tobytes()
    assert other.mean_score == 0


# ---- notes


@every("rule", [AlphaBeta(1, 0), AlphaBeta(2, 1), ZPlus(), WSquare(), Flat(), ZBox()])
def test_rules_that_distribute_parts_of_one_sign_start_centered(rule: Any) -> None:
    assert has_fixed_sign(rule)
    assert Composite({-1: rule}, default=Zero()) != Composite(default=Zero())
    why = explain(model("cnn"), TEXTS[0], rule=Composite({-1: rule}) if rule != ZBox() else Composite(default=Flat()))
    assert why.start == "centered"


@every("name", [name for name in PRESETS if "flat" in name or "box" in name or "bounded" in name])
def test_composites_made_for_pixels_have_a_note_on_text(name: str) -> None:
    (note, *_) = explain(model("cnn"), TEXTS[0], rule=name).notes
    assert "at the input was made for pixels" in note


def test_a_contrast_names_the_side_whose_score_is_negative() -> None:
    why = explain(model("svm"), TEXTS[0], rule="alpha1-beta0", start="score", target=("autos", "med"))
    negative = [name for name in ("autos", "med") if why.scores[NAMES.index(name)] < 0]
    (note,) = why.target_notes
    assert negative
    effect = {"autos": "opposing", "med": "supporting"}
    assert note == " ".join(
        f"The score of {name} is negative: with this rule, words that raise it are shown as {effect[name]} autos."
        for name in negative
    )


def test_an_exact_tie_and_an_exact_zero_get_a_note() -> None:
    net = Net().double()
    with torch.no_grad():
        net.output.weight.zero_()
        net.output.bias.zero_()
    why = explain(wrap(net, **HOW), TEXTS[0], target="all")
    (note,) = why.notes
    assert note.startswith("3 classes share the highest score (0, 1 and 1 more): the predicted class")
    assert why.target_notes == ("The score is exactly 0: the rule has nothing to distribute.",) * 3
    assert explain(model("cnn"), TEXTS[0]).notes == ()


# ---- what the user asks for


@every("start", ["middle", "", 1, True, ["score"]])
def test_an_unknown_start_is_refused(start: Any) -> None:
    with pytest.raises(OptionError, match="start must be 'score' or 'centered'; got "):
        explain(model("svm"), TEXTS[0], start=start)


def test_a_centered_start_belongs_to_lrp() -> None:
    with pytest.raises(OptionError, match=r"start must be 'score' with method='occlusion', .*; got 'centered'"):
        explain(model("svm"), TEXTS[0], method="occlusion", start="centered")
    assert explain(model("svm"), TEXTS[0], method="occlusion", start="score").start == "score"


@pytest.mark.parametrize("name", ["svm", "cnn"])
def test_the_score_breakdown_adds_up_and_names_the_mean(name: str) -> None:
    why: Explanation = explain(model(name), TEXTS[0], rule="alpha1-beta0", target=["autos", ("autos", "med")])
    single, contrast = score_breakdowns(why)
    assert single.centered
    assert not contrast.centered
    assert single.parts[-1].name == "mean score over classes"
    assert "mean score over classes" not in contrast.line
    for balance, score in zip((single, contrast), why.target_scores, strict=True):
        assert "not accounted for" not in balance.line
        values = (float(part.value.replace("\N{MINUS SIGN}", "-")) for part in balance.parts)
        assert sum(values) == pytest.approx(score, abs=0.03)
    assert f"{single.parts[-1].value} mean score over classes" in single.line
