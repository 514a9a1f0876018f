"""Sentence encoders: embeddings equal to those of sentence-transformers, windows, heads, and laws of relevance."""

from __future__ import annotations

import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.calibration import CalibratedClassifierCV
from sklearn.decomposition import PCA
from sklearn.ensemble import VotingClassifier
from sklearn.linear_model import LogisticRegression, Perceptron
from sklearn.model_selection import GridSearchCV
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import MinMaxScaler, Normalizer, StandardScaler
from sklearn.svm import LinearSVC
from sklearn.tree import DecisionTreeClassifier

import textlrp
from textlrp.errors import ModelError, OptionError

pytest.importorskip("transformers")
import torch
from tiny_encoders import DENSE, DIMENSIONS, LABELS, LENGTH, LONG, TEXTS, save_encoder

from textlrp.lrp.gradients.gradient_rules import gradient_rules
from textlrp.lrp.presets import as_composite
from textlrp.lrp.trace import one_hot_seed, propagate
from textlrp.models.encoders.encoder_model import EncoderModel, encoder_model
from textlrp.models.encoders.encoder_pass import _through_layers, _values_of_layers
from textlrp.models.encoders.head_training import head_link
from textlrp.models.encoders.linear_heads import EncoderHead, encoder_head, link_function
from textlrp.models.encoders.pooled_encoder import POOLINGS
from textlrp.models.encoders.sentence_encoder import encoder_of, load_encoder
from textlrp.models.encoders.side_windows import windows_side_by_side

pytestmark = pytest.mark.transformers


def test_the_value_of_an_activation_at_zero_is_absorbed() -> None:
    layers = torch.nn.Sequential(torch.nn.Linear(2, 2, bias=False), torch.nn.Sigmoid())
    torch.nn.init.eye_(layers[0].weight)
    module: Any = SimpleNamespace(encoder=SimpleNamespace(layers=layers), output=torch.nn.Linear(2, 2))
    with torch.no_grad():
        values = _values_of_layers(module, torch.tensor([[0.0, 3.0]]))
        multipliers, ledger = _through_layers(module, values, torch.diag_embed(values[-1][0])[:, None])
    assert ledger["encoder.layers.1", "empty"].abs().min() > 0
    sums = (multipliers * values[0]).sum(dim=-1) + sum(ledger.values())
    torch.testing.assert_close(sums[:, 0], values[-1][0])


VARIANTS: dict[str, dict[str, Any]] = {
    "mean, unit length": {},
    "cls": {"pooling": "cls", "normalize": False},
    "max": {"pooling": "max"},
    "last": {"pooling": "lasttoken"},
    "mean and max": {"pooling": ("mean", "max"), "normalize": False},
    "weighted mean": {"pooling": "weightedmean"},
    "mean by root": {"pooling": "mean_sqrt_len_tokens", "normalize": False},
    "dense": {"dense": "Tanh"},
    "dense without activation": {"dense": "Identity", "normalize": False},
    "distilbert": {"architecture": "distilbert"},
    "mpnet": {"architecture": "mpnet"},
    "roberta": {"architecture": "roberta"},
}


def model_of(folder: Path, *, windows: bool = True, classes: int = 3) -> EncoderModel:
    """A model with a random head."""
    encoder = load_encoder(folder)
    random = np.random.default_rng(0)
    weight = random.normal(size=(classes, encoder.dimensions))
    return encoder_model(
        encoder, EncoderHead(np.arange(classes), weight, random.normal(size=classes)), windows=windows
    )


def relevance_and_ledger(found: Any) -> Any:
    return found.relevance.sum(dim=-1) + sum(found.ledger.values())


@pytest.fixture(params=VARIANTS)
def folder(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    return save_encoder(tmp_path / "encoder", **VARIANTS[request.param])


def test_variants_cover_all_poolings() -> None:
    used = {mode for each in VARIANTS.values() for mode in np.atleast_1d(each.get("pooling", "mean"))}
    assert used == set(POOLINGS)


def test_relevance_plus_absorbed_is_score_with_windows(folder: Path) -> None:
    model = model_of(folder)
    batch = model.encode([LONG, TEXTS[0], "", "cat"])
    rules = gradient_rules(as_composite("cp-lrp"))
    assert rules is not None
    forward = model.gradient_pass(batch, rules, dtype="float64")
    assert forward is not None
    seed = one_hot_seed(forward.scores, [0, 1, 2, (0, 2)])
    found = forward.propagate(seed)
    size = found.relevance.abs().sum(dim=-1) + sum(entry.abs() for entry in found.ledger.values())
    error = (relevance_and_ledger(found) - seed.sum(dim=-1)).abs() / size
    assert float(error.max()) < 1e-12


def test_fast_engine_is_recorded_trace(folder: Path) -> None:
    model = model_of(folder)
    composite = as_composite("cp-lrp")
    rules = gradient_rules(composite)
    batch = model.encode([LONG, TEXTS[1]])
    forward = model.gradient_pass(batch, rules, dtype="float64")
    fast = forward.propagate(one_hot_seed(forward.scores, [0, 2]))
    for n in range(len(batch)):
        trace = model.trace(batch.select([n]), dtype="float64")
        slow = propagate(trace, composite, one_hot_seed(trace.scores, [0, 2]))
        words = int(batch.lengths[n])
        assert torch.allclose(trace.scores[0], forward.scores[n], rtol=0, atol=1e-12)
        assert torch.allclose(slow.relevance[:, 0], fast.relevance[:, n, :words], rtol=0, atol=1e-10)
        for cause in ("position", "special"):
            sums = [sum(entry[:, at] for key, entry in found.ledger.items() if key[1] == cause)
                    for found, at in ((slow, 0), (fast, n))]  # fmt: skip
            assert torch.allclose(torch.as_tensor(sums[0]), torch.as_tensor(sums[1]), rtol=0, atol=1e-10)


def test_batch_is_single_texts(folder: Path) -> None:
    model = model_of(folder)
    texts = [LONG, *TEXTS, ""]
    together = model.scores(model.encode(texts))
    alone = np.concatenate([model.scores(model.encode([text])) for text in texts])
    assert np.abs(together - alone).max() < 1e-5


@pytest.mark.filterwarnings("ignore")  # its own
def test_embeddings_are_those_of_sentence_transformers(folder: Path) -> None:
    package = pytest.importorskip("sentence_transformers", exc_type=ImportError)
    theirs = package.SentenceTransformer(str(folder), device="cpu")
    # a text that is too long is cut between words by textlrp, and between pieces by sentence-transformers
    texts = [text for text in (*TEXTS, "", "cat") if len(theirs.tokenizer(text)["input_ids"]) <= LENGTH]
    assert len(texts) > 8
    vectors = theirs.encode(texts)
    for encoder in (load_encoder(folder), encoder_of(theirs)):
        size = vectors.shape[1]
        assert encoder.dimensions == size
        model = encoder_model(encoder, EncoderHead(np.arange(size), np.eye(size), np.zeros(size)))
        assert np.abs(model.scores(model.encode(texts)) - vectors).max() < 1e-6


def test_windows_change_only_long_texts(tmp_path: Path) -> None:
    folder = save_encoder(tmp_path / "encoder")
    read, truncated = model_of(folder), model_of(folder, windows=False)
    short, long = (
        [model.scores(model.encode([TEXTS[0]])) for model in (read, truncated)],
        [model.scores(model.encode([LONG])) for model in (read, truncated)],
    )
    assert np.array_equal(*short)
    assert np.abs(long[0] - long[1]).max() > 1e-3
    batch = read.encode([LONG])
    assert not batch.status[0].any()
    assert truncated.encode([LONG]).status[0].any()
    assert "windows side by side" in read.notes(batch, 0)[0]


def test_embedding_of_windows_is_mean_over_all_their_pieces(tmp_path: Path) -> None:
    encoder = load_encoder(save_encoder(tmp_path / "encoder", normalize=False))
    size = encoder.dimensions
    model = encoder_model(encoder, EncoderHead(np.arange(size), np.eye(size), np.zeros(size)), windows=True)
    batch = model.encode([LONG])
    (windows,) = model.windows_of(batch, batch.texts())
    assert len(windows) > 2
    states = []
    for pieces in windows:
        ids = torch.tensor([[2, *pieces.tolist(), 3]])  # [CLS] and [SEP]
        states.append(encoder.module.transformer(input_ids=ids).last_hidden_state[0])
    expected = torch.cat(states).mean(dim=0).detach().numpy()
    assert np.abs(model.scores(batch)[0] - expected).max() < 1e-6


@settings(max_examples=200, deadline=None)
@given(st.lists(st.integers(1, 9), max_size=60), st.integers(9, 40))
def test_windows_are_few_side_by_side_and_balanced(sizes: list[int], room: int) -> None:
    array = np.array(sizes, dtype=np.int64)
    windows = windows_side_by_side(array, room)
    assert [first for first, _ in windows[1:]] == [end for _, end in windows[:-1]]
    assert (windows[0][0], windows[-1][1]) == (0, len(sizes))
    lengths = [int(array[first:end].sum()) for first, end in windows]
    assert max(lengths) <= room
    # as few as possible: filling each window as far as it goes needs as many
    filled, used = 1, 0
    for size in sizes:
        filled, used = (filled + 1, size) if used + size > room else (filled, used + size)
    assert len(windows) == filled
    if len(windows) > 1:  # no smaller length of the longest window is possible
        count, used = 1, 0
        for size in sizes:
            count, used = (count + 1, size) if used + size > max(lengths) - 1 else (count, used + size)
        assert count > len(windows) or max(sizes) == max(lengths)


def test_removed_words_leave_a_shorter_text(tmp_path: Path) -> None:
    model = model_of(save_encoder(tmp_path / "encoder"))
    batch = model.encode(["the cat sat on the mat"])
    keep = np.array([[True, True, False, True, True, True]])
    assert np.allclose(model.scores(batch, keep=keep), model.scores(model.encode(["the cat on the mat"])), atol=1e-6)


# ---- textlrp.wrap and textlrp.explain


def fitted(theirs: Any, classes: int = 3) -> Any:
    texts = TEXTS[: 4 * classes]
    return LogisticRegression(C=100).fit(theirs.encode(texts), LABELS[: len(texts)])


@pytest.mark.parametrize("classes", [2, 3])
def test_sentence_transformer_with_head(tmp_path: Path, classes: int) -> None:
    package = pytest.importorskip("sentence_transformers", exc_type=ImportError)
    theirs = package.SentenceTransformer(str(save_encoder(tmp_path / "encoder")), device="cpu").train()
    before = {name: value.clone() for name, value in theirs.state_dict().items()}
    flags = [parameter.requires_grad for parameter in theirs.parameters()]
    head = fitted(theirs.eval(), classes)
    theirs.train()
    why = textlrp.explain(theirs, TEXTS[0], head=head, target="all", dtype="float64")
    assert theirs.training
    assert flags == [parameter.requires_grad for parameter in theirs.parameters()]
    assert all(torch.equal(value, before[name]) for name, value in theirs.state_dict().items())
    decision = np.atleast_2d(head.decision_function(theirs.eval().encode([TEXTS[0]])))[0]
    expected = [-decision[0], decision[0]] if classes == 2 else decision
    assert np.abs(why.scores - expected).max() < 1e-5
    assert np.abs(why.probabilities - head.predict_proba(theirs.encode([TEXTS[0]]))[0]).max() < 1e-6
    assert np.abs(why.relevance.sum(axis=1) + why.absorbed - why.scores).max() < 1e-10
    assert "cp-lrp" in why.rule or "Zero" in why.rule
    wrapped = textlrp.wrap(theirs, head=head)
    assert textlrp.explain(wrapped, TEXTS[0]).model == why.model


def test_a_searched_head_and_a_compiled_encoder_are_those_inside(tmp_path: Path) -> None:
    package = pytest.importorskip("sentence_transformers", exc_type=ImportError)
    theirs = package.SentenceTransformer(str(save_encoder(tmp_path / "encoder")), device="cpu")
    search = GridSearchCV(LogisticRegression(), {"C": [100]}, cv=2).fit(theirs.encode(TEXTS), LABELS)
    why = textlrp.explain(torch.compile(theirs, backend="eager"), TEXTS[0], head=search, target="all")
    expected = textlrp.explain(theirs, TEXTS[0], head=search.best_estimator_, target="all")
    assert (why.relevance == expected.relevance).all()


LINEAR_HEADS = {
    "scaled": lambda: make_pipeline(StandardScaler(), LogisticRegression(C=3)),
    "reduced": lambda: make_pipeline(MinMaxScaler(), PCA(3), StandardScaler(), LinearSVC()),
    "searched": lambda: GridSearchCV(make_pipeline(StandardScaler(), LogisticRegression()), {}, cv=2),
}
"""Classifiers that are linear in the embedding through several steps."""


@pytest.mark.parametrize("name", LINEAR_HEADS)
@pytest.mark.parametrize("classes", [2, 3])
def test_a_head_of_several_linear_steps_is_one_matrix(name: str, classes: int) -> None:
    rng = np.random.default_rng(classes)
    vectors, labels = rng.normal(size=(30, 8)), rng.integers(classes, size=30)
    estimator = LINEAR_HEADS[name]().fit(vectors, labels)
    decisions = estimator.decision_function(vectors)
    head = encoder_head(estimator, 8)
    scores = vectors @ head.weight.T + head.bias
    assert np.abs((scores[:, 1] if classes == 2 else scores) - decisions).max() < 1e-12
    if name in ("scaled", "searched"):
        assert head.probabilities is not None
        assert np.abs(head.probabilities(scores) - estimator.predict_proba(vectors)).max() < 1e-12
        assert head_link(estimator) == "softmax"
    with pytest.raises(OptionError, match="have 7 numbers; it was fitted on 8"):
        encoder_head(estimator, 7)


def test_heads_that_are_not_linear_in_the_embedding_are_refused() -> None:
    rng = np.random.default_rng(0)
    vectors, labels = rng.normal(size=(30, 8)), rng.integers(3, size=30)
    votes = VotingClassifier([("one", LogisticRegression()), ("two", LogisticRegression(C=5))])
    after_scaling = [make_pipeline(StandardScaler(), each) for each in (votes, MLPClassifier(tol=10.0))]
    for head in (votes, *after_scaling, make_pipeline(Normalizer(), LinearSVC())):
        with pytest.raises(ModelError, match="head must be linear in the embedding"):
            encoder_head(head.fit(vectors, labels), 8)
    calibrated = CalibratedClassifierCV(LinearSVC(), cv=2)
    for head in (calibrated, make_pipeline(StandardScaler(), calibrated)):
        with pytest.raises(ModelError, match="head must be linear in the embedding"):
            encoder_head(head.fit(vectors, labels), 8)


def test_refusals_of_heads(tmp_path: Path) -> None:
    package = pytest.importorskip("sentence_transformers", exc_type=ImportError)
    theirs = package.SentenceTransformer(str(save_encoder(tmp_path / "encoder")), device="cpu")
    vectors = theirs.encode(TEXTS)
    with pytest.raises(OptionError, match="head must be the linear classifier"):
        textlrp.wrap(theirs)
    for head in (DecisionTreeClassifier(), MLPClassifier(max_iter=1)):
        with pytest.raises(ModelError, match=r"head must be linear in the embedding; got a .* method='occlusion'"):
            textlrp.wrap(theirs, head=head)
    for head in (LogisticRegression(), GridSearchCV(LogisticRegression(), {"C": [1]})):
        with pytest.raises(ModelError, match="must be fitted"):
            textlrp.wrap(theirs, head=head)
    with pytest.raises(ModelError, match=r"Call head\.fit\(encoder\.encode\(texts\), labels\)"):
        textlrp.wrap(theirs, head=LogisticRegression())
    with pytest.raises(OptionError, match=f"embeddings of the encoder, which have {DIMENSIONS} numbers"):
        textlrp.wrap(theirs, head=Perceptron().fit(vectors[:, :5], LABELS))
    with pytest.raises(OptionError, match="vocabulary must be left out"):
        textlrp.wrap(theirs, head=fitted(theirs), vocabulary={})
    with pytest.raises(OptionError, match="head must be left out"):
        textlrp.explain(textlrp.BagOfWordsClassifier(), "text", head=fitted(theirs))


def test_link_of_two_classes_is_sigmoid_of_decision() -> None:
    link = link_function("softmax", 2)
    assert link is not None
    f = np.array([-3.0, 0.0, 1.5])
    assert np.allclose(link(np.column_stack([-f, f]))[:, 1], 1 / (1 + np.exp(-f)))
    assert link_function("none", 2) is None


# ---- folders that cannot be read


def changed(folder: Path, name: str, **values: Any) -> None:
    path = folder / name
    path.write_text(json.dumps(json.loads(path.read_text()) | values))


def test_refusals_of_folders(tmp_path: Path) -> None:
    with pytest.raises(OptionError, match=r"which has a modules\.json; got 'nowhere'"):
        load_encoder("nowhere")
    folder = save_encoder(tmp_path / "a")
    changed(folder, "1_Pooling/config.json", pooling_mode="median")
    with pytest.raises(ModelError, match=r"encoder must pool by mean, .*; got 'median'"):
        load_encoder(folder)
    folder = save_encoder(tmp_path / "b")
    changed(folder, "sentence_bert_config.json", do_lower_case=True)
    with pytest.raises(ModelError, match="do_lower_case"):
        load_encoder(folder)
    folder = save_encoder(tmp_path / "c")
    listed = json.loads((folder / "modules.json").read_text())
    listed[2]["type"] = "sentence_transformers.models.CNN"
    (folder / "modules.json").write_text(json.dumps(listed))
    with pytest.raises(ModelError, match="got CNN"):
        load_encoder(folder)
    (folder / "modules.json").write_text("{")
    with pytest.raises(ModelError, match="must be a JSON file"):
        load_encoder(folder)
    folder = save_encoder(tmp_path / "d", dense="Tanh")
    (folder / "2_Dense" / "model.safetensors").unlink()
    with pytest.raises(ModelError, match="weights in safetensors"):
        load_encoder(folder)
    folder = save_encoder(tmp_path / "e")
    (folder / "model.safetensors").unlink()
    with pytest.raises(ModelError, match="cannot be loaded"):
        load_encoder(folder)


def test_older_names_of_poolings_and_plain_transformers(tmp_path: Path) -> None:
    folder = save_encoder(tmp_path / "a", normalize=False)
    modern = load_encoder(folder)
    (folder / "1_Pooling" / "config.json").write_text(
        json.dumps({"word_embedding_dimension": DIMENSIONS, "pooling_mode_cls_token": True})
    )
    assert load_encoder(folder).module.modes == ("cls",)
    (folder / "modules.json").unlink()
    plain = load_encoder(folder)  # a transformer without modules.json is pooled by its mean
    assert (plain.module.modes, len(plain.module.layers)) == (modern.module.modes, 0)
    assert load_encoder(save_encoder(tmp_path / "b", dense="Tanh")).dimensions == DENSE


DAMAGES: dict[str, tuple[str, bytes | None, str]] = {
    "no tokenizer": ("tokenizer.json", None, "must have the file of its tokenizer; there is no "),
    "a part of the tokenizer": ("tokenizer.json", b'{"version":', "cannot be loaded"),
    "another file": ("tokenizer.json", b"{}", "cannot be loaded"),
    "a part of the weights": ("model.safetensors", b"\x40\0\0\0\0\0\0\0{", "cannot be loaded"),
    "no pooling": ("1_Pooling/config.json", None, "must be a JSON file"),
    "no object": ("1_Pooling/config.json", b"[]", "must contain an object"),
    "modules without a list": ("modules.json", b'{"a": 1}', "must list the type and the path of each module"),
    "modules without paths": ("modules.json", b'[{"type": "Transformer"}]', "must list the type and the path"),
    "a part of a layer": ("2_Dense/model.safetensors", b"\x40\0", "cannot be read"),
}


@pytest.mark.parametrize("damage", DAMAGES)
def test_half_deleted_folders_are_refused(tmp_path: Path, damage: str) -> None:
    name, content, message = DAMAGES[damage]
    folder = save_encoder(tmp_path / "a", dense="Tanh")
    assert (folder / name).is_file()
    if content is None:
        changed(folder, "tokenizer_config.json", tokenizer_class="BertTokenizer")  # which needs no file
        (folder / name).unlink()
    else:
        (folder / name).write_bytes(content)
    with pytest.raises(ModelError, match=message):
        load_encoder(folder)
