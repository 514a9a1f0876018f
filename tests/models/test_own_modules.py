"""A user's own torch module with ``explain``: reading texts, calling, other methods, and refusals."""

from __future__ import annotations

import copy
import pickle
import re
import subprocess
import sys
from collections import defaultdict
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
import torch
from cases import every
from external_modules import MODULES, Base, Branches, Reader, made
from laws import score_gap
from torch import Tensor, nn

import textlrp
from textlrp.bulk import BatchExplainer
from textlrp.errors import DataError, ModelError, OptionError, RuleError
from textlrp.evaluation import EvaluationPlan, evaluate
from textlrp.evaluation.measured_corpus import MethodSpec, score_corpus
from textlrp.evaluation.pointing import hybrid_documents, pointing_game
from textlrp.evaluation.rationale_files import Rationale
from textlrp.evaluation.rationales import explain_rationales
from textlrp.explainers.explain import explain
from textlrp.lrp.composite import Composite
from textlrp.lrp.rules import ZBox, Zero
from textlrp.models.wrapping import wrap
from textlrp.records import Document, Status

WORDS = ("<pad>", "the", "oil", "car", "pump", "road", "moon", "fine", "old", "red")
VOCABULARY = {word: number for number, word in enumerate(WORDS)}
TEXT = "the old car , xyz the oil pump"
HOW: dict[str, Any] = {"tokenizer": str.split, "vocabulary": VOCABULARY}
each_module = pytest.mark.parametrize("name", MODULES)


@each_module
def test_every_module_is_explained_with_one_call(name: str) -> None:
    model = wrap(made(name), **HOW)
    why = explain(model, TEXT, target="all")
    assert score_gap(why) < 1e-13
    assert why.relevance.dtype == np.float64
    assert [text for text, seen in zip(why.tokens, why.seen, strict=True) if not seen] == [",", "xyz"]
    assert (why.relevance[:, ~why.seen] == 0).all()
    assert (why.counts == -1).all()
    assert why.labels == ("0", "1", "2")[: len(why.scores)]
    single = explain(model, TEXT, dtype="float32")
    assert single.relevance.dtype == np.float32
    assert score_gap(single) < 1e-5
    np.testing.assert_allclose(single.scores, why.scores, rtol=1e-4, atol=1e-6)


def test_words_without_an_id_are_left_out_or_get_the_unknown_id() -> None:
    module = made("branches")
    model = wrap(module, **HOW)
    left_out, read = explain(model, TEXT), explain(wrap(module, unknown=9, **HOW), TEXT)
    shorter = explain(model, "the old car the oil pump")
    assert left_out.status.tolist() == [0, 0, 0, Status.UNKNOWN, Status.UNKNOWN, 0, 0, 0]
    assert not read.status.any()
    assert np.abs(read.relevance[0, 3:5]).max() > 0
    np.testing.assert_array_equal(left_out.scores, shorter.scores)
    np.testing.assert_array_equal(left_out.relevance[:, left_out.seen], shorter.relevance)


@every(
    "vocabulary",
    [VOCABULARY, VOCABULARY.get, VOCABULARY.__getitem__, lambda word: np.int64(VOCABULARY[word])],
)
@every(
    "tokenizer",
    [str.split, lambda text: [(s, s + len(w)) for s, w in places(text)], "words"],
)
def test_tokenizers_and_vocabularies_of_all_kinds(tokenizer: Any, vocabulary: Any) -> None:
    why = explain(wrap(made("branches"), tokenizer=tokenizer, vocabulary=vocabulary), TEXT)
    expected = explain(wrap(made("branches"), **HOW), TEXT)
    read = [token for token, seen in zip(why.tokens, why.seen, strict=True) if seen]
    assert read == ["the", "old", "car", "the", "oil", "pump"]
    np.testing.assert_array_equal(why.relevance[:, why.seen], expected.relevance[:, expected.seen])


def places(text: str) -> Iterator[tuple[int, str]]:
    position = 0
    for word in text.split():
        position = text.index(word, position)
        yield position, word
        position += len(word)


def test_skipped_ranges_of_a_document_are_ignored() -> None:
    document = Document("d", TEXT, "b", np.array([[0, 7]], np.int32))
    why = explain(wrap(made("branches"), classes=["a", "b", "c"], **HOW), document)
    assert why.status.tolist()[:3] == [Status.SKIPPED, Status.SKIPPED, Status.READ]
    assert (why.document_id, why.true_label, why.labels) == ("d", "b", ("a", "b", "c"))
    np.testing.assert_array_equal(why.scores, explain(wrap(made("branches"), **HOW), "car the oil pump").scores)


@pytest.mark.parametrize("lengths", [True, "lengths"])
@pytest.mark.parametrize("batch", [True, False])
def test_lengths_and_batches(lengths: Any, batch: bool) -> None:
    module, texts = made("bi-lstm packed"), [TEXT, "the car", "oil pump road"]
    plain, model = wrap(module, **HOW), wrap(module, lengths=lengths, batch=batch, **HOW)
    for method in ("lrp", "occlusion"):
        for text, why in zip(texts, explain(model, texts, method=method), strict=True):
            expected = explain(plain, text, method=method)
            np.testing.assert_allclose(why.relevance, expected.relevance, atol=1e-14)


@every("name", MODULES)
def test_a_word_that_is_not_kept_is_the_zero_vector(name: str) -> None:
    module = made(name)
    model = wrap(module, **HOW)
    batch = model.encode([TEXT])
    keep = np.array([[True, False, True, True, False, True]])
    changed = copy.deepcopy(module)
    tables = [part for part in changed.modules() if isinstance(part, (nn.Embedding, nn.EmbeddingBag))]
    for table in tables:
        if table.num_embeddings == 12:  # not the embedding of positions
            table.weight.data[[VOCABULARY["old"], VOCABULARY["oil"]]] = 0
    np.testing.assert_allclose(
        model.scores(batch, keep=keep), wrap(changed, **HOW).scores(batch), rtol=1e-12, atol=1e-14
    )
    np.testing.assert_allclose(model.scores(batch), model.trace(batch).scores, rtol=1e-12)


@each_module
def test_the_point_gives_the_scores_and_gradients_of_the_module(name: str) -> None:
    model = wrap(made(name), **HOW)
    batch = model.encode(["the old car oil pump road"])  # no word twice: an exact tie of windows has no slope
    point = model.input_point(batch, 0)
    assert len(point.inputs) == 6
    torch.testing.assert_close(point.forward(point.inputs[None]), model.trace(batch).scores, rtol=1e-12, atol=1e-13)
    inputs = point.inputs.clone().requires_grad_()
    point.forward(inputs[None])[0, 0].backward()
    step = torch.randn(inputs.shape, generator=torch.Generator().manual_seed(0), dtype=inputs.dtype)
    up, down = point.forward(torch.stack([point.inputs + 1e-6 * step, point.inputs - 1e-6 * step]))[:, 0]
    assert inputs.grad is not None
    torch.testing.assert_close((up - down) / 2e-6, (inputs.grad * step).sum(), rtol=1e-5, atol=1e-7)


@pytest.mark.parametrize("method", ["gradient-x-input", "integrated-gradients", "occlusion", "guided-backprop"])
def test_other_methods_explain_it_too(method: str) -> None:
    contrast = explain(wrap(made("branches"), **HOW), TEXT, method=method, target=[0, 1, (0, 1)])
    assert contrast.method == method
    np.testing.assert_allclose(contrast.relevance[2], contrast.relevance[0] - contrast.relevance[1], atol=1e-14)
    assert (contrast.relevance[:, ~contrast.seen] == 0).all()


def test_probabilities_are_those_of_the_modules_final_softmax() -> None:
    assert explain(wrap(made("branches"), **HOW), TEXT).probabilities is None
    for name in ("gates", "bag mean"):
        module = made(name)
        why = explain(wrap(module, **HOW), TEXT)
        assert why.probabilities is not None
        ids = torch.tensor([[VOCABULARY[word] for word in TEXT.split() if word in VOCABULARY]])
        with torch.no_grad():
            own = module.eval()(ids).reshape(-1).numpy()
        expected = np.exp(own) if name == "gates" else np.array([1 - own[0], own[0]])
        np.testing.assert_allclose(why.probabilities, expected, rtol=1e-12)


def test_the_module_is_unchanged_even_after_an_error() -> None:
    class Trips(Branches):
        def forward(self, ids: Tensor) -> Tensor:
            if ids.shape[1] > 5:
                raise RuntimeError("too long\nfor me")
            return super().forward(ids)

    for module in (made("bi-lstm packed"), Trips().double()):
        module.train()
        before = {key: value.clone() for key, value in module.state_dict().items()}
        held = [{key: id(value) for key, value in vars(part).items()} for part in module.modules()]
        if isinstance(module, Trips):
            with pytest.raises(
                ModelError, match=r"module raised an error for text '1' of 6 words: RuntimeError: too long$"
            ):
                explain(wrap(module, classes="abc", **HOW), TEXT)
        else:
            model = wrap(module, **HOW)
            for method in ("lrp", "integrated-gradients", "occlusion"):
                explain(model, TEXT, method=method, dtype="float32")
        assert all(torch.equal(value, before[key]) for key, value in module.state_dict().items())
        assert [{key: id(value) for key, value in vars(part).items()} for part in module.modules()] == held
        assert all(part.training for part in module.modules())
        assert all(parameter.grad is None for parameter in module.parameters())


def test_the_fingerprint_changes_with_the_weights() -> None:
    one, same, other = made("branches"), made("branches"), made("branches", seed=1)
    prints = [explain(wrap(module, **HOW), TEXT).model for module in (one, same, other)]
    assert prints[0] == prints[1] != prints[2]
    assert len(prints[0]) == 12


def test_a_text_without_a_known_word_is_explained_if_the_module_accepts_it() -> None:
    why = explain(wrap(Reader(batch_first=True, use="mean").double(), **HOW), "car", target="all")
    assert score_gap(why) < 1e-13

    class Sums(Base):
        def __init__(self) -> None:
            super().__init__()
            self.out = nn.Linear(6, 3)

        def forward(self, ids: Tensor) -> Tensor:
            return self.out(self.embed(ids).sum(1))

    empty = explain(wrap(Sums().double(), **HOW), "nothing known here", target="all")
    assert not empty.relevance.any()
    np.testing.assert_allclose(empty.absorbed, empty.scores)


@every(
    "options, error, message",
    [
        (
            HOW | {"vocabulary": 3},
            OptionError,
            "vocabulary must be a mapping or a callable, word -> id; got an object of type int",
        ),
        (
            HOW | {"vocabulary": list(WORDS)},
            OptionError,
            r"got an object of type list\. Pass \{word: id for id, word",
        ),
        (HOW | {"vocabulary": {"the": 1.5}}, OptionError, "got 1.5 for the word 'the'"),
        (HOW | {"unknown": -1}, OptionError, "unknown must be a whole number of at least 0; got -1"),
        (HOW | {"lengths": 3}, OptionError, "lengths must be True or the name of an argument of forward; got 3"),
        (HOW | {"classes": ["a", "a", "b"]}, OptionError, "a list of at least two different labels"),
        (HOW | {"classes": ["a", "b"]}, OptionError, "got 2 labels, and the module returns 3 scores"),
        (HOW | {"vocabulary": {"the": 99}}, ModelError, r"from 0 to 11, because .* 12 rows; got 99 for word 1"),
        (HOW | {"vocabulary": {}}, DataError, "no word that is in the vocabulary"),
        (HOW | {"tokenizer": lambda text: ["absent"]}, DataError, "'absent', does not occur"),
        (HOW | {"lengths": "sizes"}, OptionError, r"TypeError.*sizes.*Pass classes="),
        (HOW | {"lengths": "sizes", "classes": "abc"}, ModelError, r"TypeError.*sizes"),
    ],
)
def test_bad_input_is_refused_in_one_sentence(options: dict[str, Any], error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message) as caught:
        explain(wrap(made("branches"), **options), TEXT)
    assert "\n" not in str(caught.value)


DOCUMENTS = [Document(str(n), f"{TEXT} {word}", "abc"[n % 3]) for n, word in enumerate(WORDS)]
RATIONALE = Rationale("1", TEXT, None, np.zeros((0, 2), np.int32))
CALLS: dict[str, Callable[[Any, Path], object]] = {
    "explain": lambda model, folder: explain(model, TEXT),
    "write_report": lambda model, folder: textlrp.write_report(explain(model, DOCUMENTS), folder / "report.html"),
    "score_corpus": lambda model, folder: score_corpus(model, DOCUMENTS),
    "pointing_game": lambda model, folder: pointing_game(
        model, hybrid_documents(DOCUMENTS, n_sentences=3), by="token"
    ),
    "explain_rationales": lambda model, folder: list(explain_rationales(model, [RATIONALE])),
    "evaluate": lambda model, folder: evaluate(
        model,
        DOCUMENTS,
        folder / "evaluation",
        plan=EvaluationPlan((MethodSpec("LRP epsilon"),), min_words=1, measures=frozenset({"words", "deletion"})),
    ),
    "BatchExplainer": lambda model, folder: BatchExplainer(model)(pa.table({"text": [TEXT]})),
}


@pytest.mark.parametrize("name", CALLS)
def test_a_wrapped_module_is_accepted_wherever_a_model_is_and_a_bare_one_refused(name: str, tmp_path: Path) -> None:
    CALLS[name](wrap(made("branches"), classes="abc", min_length=3, **HOW), tmp_path)
    said = (
        "model must be a wrapped torch module, so that textlrp knows how it reads text; got a bare Branches. "
        "Pass textlrp.wrap(module, tokenizer=str.split, vocabulary={'word': 1, ...})."
    )
    with pytest.raises(OptionError, match=f"^{re.escape(said)}$"):
        CALLS[name](made("branches"), tmp_path)


@pytest.mark.slow
def test_a_wrapped_module_is_evaluated_except_for_measures_of_known_layers(tmp_path: Path) -> None:
    model = wrap(made("branches"), classes="abc", min_length=3, **HOW)
    plan = EvaluationPlan(
        (MethodSpec("LRP epsilon"), MethodSpec("occlusion", "occlusion")), min_words=1, n_random_orders=2, steps=3
    )
    results = evaluate(model, DOCUMENTS, tmp_path / "evaluation", plan=plan)
    assert {"deletion", "eraser", "words", "ledger"} <= results.keys()
    refused = [note.split(": not measured.")[0] for note in results["notes"] if "TorchTextModel" in note]
    assert refused == ["Document vectors", "Sanity check (randomized weights)"], results["notes"]


def test_a_pickled_wrapped_module_keeps_its_state() -> None:
    model = wrap(made("gates"), classes="abc", **HOW)
    why = explain(model, TEXT, dtype="float32")
    again = explain(pickle.loads(pickle.dumps(model)), TEXT, dtype="float32")
    assert why.relevance.tobytes() == again.relevance.tobytes()
    assert why.probabilities is not None
    assert again.probabilities is not None


def test_words_with_the_id_0_count_as_known() -> None:
    model = wrap(made("branches"), tokenizer=str.split, vocabulary={"the": 0, "car": 1}, classes=["a", "b", "c"])
    assert score_corpus(model, [Document("1", "the car xyz the", "a")]).known.tolist() == [3]


def test_wrap_accepts_only_modules() -> None:
    from sklearn.svm import LinearSVC
    from toys import fitted

    with pytest.raises(OptionError, match=r"^module must be a torch\.nn\.Module; got a CNNClassifier\."):
        wrap(fitted("cnn-max"), **HOW)
    with pytest.raises(OptionError, match="Put its vectorizer and it into a Pipeline"):
        explain(LinearSVC(), TEXT)  # type: ignore[arg-type]


def test_a_grid_search_is_refused_with_a_hint() -> None:
    from sklearn.model_selection import GridSearchCV
    from sklearn.svm import LinearSVC

    search = GridSearchCV(LinearSVC(), {"C": [1.0]}, cv=2).fit([[0.0], [1.0], [0.1], [1.1]], [0, 1, 0, 1])
    with pytest.raises(OptionError, match=r"got a GridSearchCV\. Put its vectorizer and it into a Pipeline"):
        explain(search, TEXT)  # type: ignore[arg-type]


def test_a_defaultdict_is_not_changed() -> None:
    vocabulary: dict[str, int] = defaultdict(lambda: 9, VOCABULARY)
    why = explain(wrap(made("branches"), tokenizer=str.split, vocabulary=vocabulary), TEXT)
    assert vocabulary.keys() == VOCABULARY.keys()
    assert why.status.tolist() == explain(wrap(made("branches"), **HOW), TEXT).status.tolist()


@pytest.mark.slow
def test_a_users_registration_has_priority_over_the_built_in_table() -> None:
    script = (
        "import textlrp, torch\n"
        "@textlrp.register(torch.relu)\n"
        "def mine(call): call.passes()\n"
        "import textlrp.explainers.explain\n"
        "from textlrp.lrp.recorded.operations import HANDLERS\n"
        "assert HANDLERS['relu'] is mine\n"
    )
    subprocess.run([sys.executable, "-c", script], check=True)


class WeighedBag(nn.Module):
    """A bag in which all words have the same weight, positive or negative."""

    def __init__(self, weight: float) -> None:
        super().__init__()
        self.bag, self.out, self.weight = nn.EmbeddingBag(4, 3, mode="sum"), nn.Linear(3, 2), weight

    def forward(self, ids: torch.Tensor) -> Any:
        return self.out(self.bag(ids, per_sample_weights=torch.full(ids.shape, self.weight)))


def test_a_bag_with_negative_weights_has_no_bounds_for_zbox() -> None:
    options: dict[str, Any] = {"tokenizer": str.split, "vocabulary": {"a": 1, "b": 2}}
    rule = Composite({"dense": ZBox()}, default=Zero())
    why = explain(wrap(WeighedBag(0.5), **options), "a b a", rule=rule)
    assert score_gap(why) < 1e-5
    with pytest.raises(RuleError, match="ZBox needs to know"):
        explain(wrap(WeighedBag(-0.5), **options), "a b a", rule=rule)
