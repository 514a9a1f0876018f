"""Training: repeatable, early stopping, interruption without loss, vectors from outside."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numba
import numpy as np
import pytest
import torch
from cases import every
from sklearn.svm import LinearSVC
from toys import KINDS, LABELS, TEXTS, learner, small

from textlrp.models import nets, training
from textlrp.models.nets import VECTOR_SCALE, NetClassifier
from textlrp.models.training import one_cycle
from textlrp.models.training_objectives import hold_out
from textlrp.text.vectors import Vectors

NETS = ("cnn", "boe")
OUTSIDE = Vectors(("doctor", "moon", "rocket", "zebra"), np.arange(16, dtype=np.float32).reshape(4, 4) - 5)


def bytes_of(model: Any) -> dict[str, bytes]:
    return {name: weight.tobytes() for name, weight in model.weights_.items()}


@every("vectors", [None, "ppmi"])
@every("kind", KINDS)
def test_the_same_seed_gives_the_same_bytes(kind: str, vectors: Any) -> None:
    options: dict[str, Any] = {} if kind == "svm" else {"vectors": vectors, "validation_fraction": 0.2}
    models = [small(kind, random_state=seed, **options).fit(TEXTS, LABELS) for seed in (3, 3, 4)]
    assert bytes_of(models[0]) == bytes_of(models[1])
    assert models[0].fingerprint_ == models[1].fingerprint_
    if kind != "svm":  # a linear SVM has one optimum, whatever the seed
        assert bytes_of(models[0]) != bytes_of(models[2])
        assert models[0].fingerprint_ != models[2].fingerprint_


@pytest.mark.parametrize("kind", NETS)
def test_a_generator_as_random_state_is_drawn_from(kind: str) -> None:
    one, other = (small(kind, random_state=np.random.RandomState(5)).fit(TEXTS, LABELS) for _ in range(2))
    assert bytes_of(one) == bytes_of(other)
    drawn = small(kind, random_state=None).fit(TEXTS, LABELS)
    assert bytes_of(drawn) != bytes_of(small(kind, random_state=None).fit(TEXTS, LABELS))


@pytest.mark.parametrize("kind", NETS)
def test_training_does_not_touch_the_random_numbers_of_others(kind: str) -> None:
    import torch

    np.random.seed(0)  # noqa: NPY002
    torch.manual_seed(0)
    before = np.random.get_state()[1].tobytes(), torch.get_rng_state().numpy().tobytes()  # noqa: NPY002
    small(kind).fit(TEXTS, LABELS)
    assert (np.random.get_state()[1].tobytes(), torch.get_rng_state().numpy().tobytes()) == before  # noqa: NPY002


# ---- held-out texts, early stopping, Ctrl-C


@pytest.mark.parametrize("kind", NETS)
def test_the_best_epoch_on_held_out_texts_is_kept(kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    accuracies = iter([0.5, 0.75, 0.25, 0.75, 0.5, 0.6, 0.7, 0.9])
    states: list[dict[str, bytes]] = []

    def accuracy(self: Any) -> float:
        states.append({name: value.numpy().tobytes() for name, value in self.averages.items()})
        return next(accuracies)

    monkeypatch.setattr(training._Loop, "quality", accuracy)
    model: Any = small(kind, max_epochs=9, validation_fraction=0.25, patience=3).fit(TEXTS, LABELS)
    assert model.history_.accuracies == (0.5, 0.75, 0.25, 0.75, 0.5, 0.6, 0.7)
    assert model.history_.kept_epoch == 4  # of equal accuracies the later epoch
    assert model.history_.held_out == 6
    assert bytes_of(model) == states[3]


@pytest.mark.parametrize("kind", NETS)
def test_the_accuracy_is_that_of_the_kept_weights_on_the_held_out_texts(kind: str) -> None:
    model: Any = learner(kind, max_epochs=6, validation_fraction=0.25).fit(TEXTS, LABELS)
    codes = np.searchsorted(model.classes_, LABELS)
    _, held_out = hold_out(codes, 0.25, np.random.default_rng(0))
    right = model.score([TEXTS[row] for row in held_out], [LABELS[row] for row in held_out])
    assert right == pytest.approx(max(model.history_.accuracies))
    assert model.history_.accuracies[model.history_.kept_epoch - 1] == max(model.history_.accuracies)


def test_without_held_out_texts_all_epochs_run() -> None:
    model: Any = small("boe", max_epochs=4).fit(TEXTS, LABELS)
    assert (model.history_.held_out, model.history_.accuracies, model.history_.kept_epoch) == (0, (), 4)


class Interrupted:
    """Raises KeyboardInterrupt in one call of ``_Loop._train_on``."""

    def __init__(self, at: int) -> None:
        self.calls, self.at, self.real = 0, at, training._Loop._train_on

    def install(self, monkeypatch: pytest.MonkeyPatch) -> None:
        def train_on(loop: Any, rows: Any) -> None:
            self.calls += 1
            if self.calls == self.at:
                raise KeyboardInterrupt
            self.real(loop, rows)

        monkeypatch.setattr(training._Loop, "_train_on", train_on)


@pytest.mark.parametrize("fraction", [0.0, 0.25])
@pytest.mark.parametrize("kind", NETS)
def test_ctrl_c_keeps_the_best_so_far(kind: str, fraction: float, monkeypatch: pytest.MonkeyPatch) -> None:
    kept: list[dict[str, bytes]] = []
    averaged = training._Loop.averaged

    def remember(loop: Any) -> Any:
        state = averaged(loop)
        kept.append({name: value.numpy().tobytes() for name, value in state.items()})
        return state

    monkeypatch.setattr(training._Loop, "averaged", remember)
    steps = 3  # 24 or 18 texts in batches of 8
    Interrupted(at=2 * steps).install(monkeypatch)
    model: Any = small(kind, max_epochs=5, validation_fraction=fraction)
    with pytest.warns(UserWarning, match=r"^training was interrupted; the model has the weights of epoch 1.$"):
        model.fit(TEXTS, LABELS)
    assert model.history_.kept_epoch == 1
    assert len(kept) == 1
    assert bytes_of(model) == kept[0]
    assert model.predict(TEXTS).shape == (24,)


@pytest.mark.parametrize("kind", NETS)
def test_ctrl_c_in_the_first_epoch_ends_the_fit(kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    Interrupted(at=2).install(monkeypatch)
    model = small(kind)
    with pytest.raises(KeyboardInterrupt):
        model.fit(TEXTS, LABELS)
    assert not hasattr(model, "weights_")


def test_ctrl_c_leaves_an_svm_unfitted(monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupt(*args: Any, **options: Any) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(LinearSVC, "fit", interrupt)
    model = small("svm")
    with pytest.raises(KeyboardInterrupt):
        model.fit(TEXTS, LABELS)
    assert not hasattr(model, "weights_")


def test_every_class_keeps_texts_to_train_on() -> None:
    codes = np.array([0] * 10 + [1] * 2 + [2])
    training_rows, held_out = hold_out(codes, 0.5, np.random.default_rng(0))
    assert sorted([*training_rows, *held_out]) == list(range(13))
    assert np.bincount(codes[held_out], minlength=3).tolist() == [5, 1, 0]


def test_one_cycle_rises_to_one_and_falls_to_nothing() -> None:
    rates = [one_cycle(done) for done in np.linspace(0, 1, 101)]
    assert max(rates) == rates[30] == pytest.approx(1)
    assert rates[:31] == sorted(rates[:31])
    assert rates[30:] == sorted(rates[30:], reverse=True)
    assert rates[-1] == pytest.approx(0)


# ---- outside vectors


def rows_of(model: Any, words: tuple[str, ...]) -> Any:
    return model.weights_["embedding"][model.vocabulary_.ids(words)]


@pytest.mark.parametrize("kind", NETS)
def test_outside_vectors_stay_as_they_are_unless_tuned(kind: str) -> None:
    options: dict[str, Any] = {"vectors": OUTSIDE, "min_df": 2}
    static: Any = small(kind, tune_vectors=False, **options).fit(TEXTS, LABELS)
    tuned: Any = small(kind, tune_vectors=True, **options).fit(TEXTS, LABELS)
    assert static.weights_["embedding"].shape[1] == 4  # the outside vectors' own, not embedding_dim
    vocabulary = static._build_vocabulary([text.split() for text in TEXTS]).extended(OUTSIDE.words)
    assert vocabulary.words == static.vocabulary_.words
    start = static._starting_vectors(vocabulary, [], OUTSIDE, seed=0)
    np.testing.assert_array_equal(static.weights_["embedding"], start)
    assert not np.array_equal(rows_of(tuned, ("doctor",)), rows_of(static, ("doctor",)))
    known = rows_of(static, OUTSIDE.words)
    factors = known[OUTSIDE.matrix != 0] / OUTSIDE.matrix[OUTSIDE.matrix != 0]
    np.testing.assert_allclose(factors, factors[0], rtol=1e-5)  # one scale for all
    assert static.weights_["embedding"][1:].std() == pytest.approx(VECTOR_SCALE, rel=1e-5)


@pytest.mark.parametrize("kind", NETS)
def test_standardized_vectors(kind: str) -> None:
    """All vectors have one length, then each dimension has mean 0 and one standard deviation over the vocabulary."""
    model: Any = small(kind, vectors=OUTSIDE, min_df=2, tune_vectors=False, standardize_vectors=True).fit(
        TEXTS, LABELS
    )
    plain: Any = small(kind, vectors=OUTSIDE, min_df=2, tune_vectors=False).fit(TEXTS, LABELS)
    table, raw = model.weights_["embedding"][1:], plain.weights_["embedding"][1:]
    np.testing.assert_allclose(table.mean(axis=0), 0, atol=1e-6)
    np.testing.assert_allclose(table.std(axis=0), VECTOR_SCALE, rtol=1e-4)
    unit = raw / np.linalg.norm(raw, axis=1, keepdims=True)
    expected = (unit - unit.mean(axis=0)) / unit.std(axis=0) * VECTOR_SCALE
    np.testing.assert_allclose(table, expected, rtol=1e-3, atol=1e-5)
    assert not model.weights_["embedding"][0].any()


@pytest.mark.parametrize("kind", NETS)
def test_a_word_that_only_the_outside_vectors_know_is_read(kind: str) -> None:
    model: Any = small(kind, vectors=OUTSIDE).fit(TEXTS, LABELS)
    assert model.vocabulary_.counts[model.vocabulary_.id("zebra") - 1] == 0
    batch = model.encode(["zebra quux"])
    assert batch.status[0].tolist() == [0, 3]
    assert not np.allclose(model.decision_function(["zebra"]), model.decision_function(["quux"]))


@pytest.mark.parametrize("kind", NETS)
def test_vectors_come_from_a_file_too(kind: str, tmp_path: Path) -> None:
    path = tmp_path / "outside.npz"
    np.savez(path, words=np.array(OUTSIDE.words), vectors=OUTSIDE.matrix)
    for source in (path, str(path)):
        model = small(kind, vectors=source).fit(TEXTS, LABELS)
        assert bytes_of(model) == bytes_of(small(kind, vectors=OUTSIDE).fit(TEXTS, LABELS))


@pytest.mark.parametrize("kind", NETS)
def test_vectors_of_one_model_start_another(kind: str) -> None:
    first: Any = small("boe").fit(TEXTS, LABELS)
    second: Any = small(kind, vectors=first.word_vectors_, tune_vectors=False).fit(TEXTS, LABELS)
    ratio = rows_of(second, first.vocabulary_.words) / rows_of(first, first.vocabulary_.words)
    np.testing.assert_allclose(ratio, ratio[0, 0], rtol=1e-4)


@every("vectors", [None, "ppmi", OUTSIDE])
@every("kind", NETS)
def test_the_unknown_word_stays_the_zero_vector(kind: str, vectors: Any) -> None:
    model: Any = small(kind, vectors=vectors, word_dropout=0.5).fit(TEXTS, LABELS)
    assert isinstance(model, NetClassifier)
    assert not model.weights_["embedding"][0].any()
    assert np.isfinite(model.weights_["embedding"]).all()


def test_small_corpora_are_trained_on_one_thread(monkeypatch: pytest.MonkeyPatch) -> None:
    threads = []

    def watch(*given: Any) -> Any:
        threads.append((torch.get_num_threads(), numba.get_num_threads()))
        return train(*given)

    train = nets.train
    monkeypatch.setattr(nets, "train", watch)
    before = torch.get_num_threads(), numba.get_num_threads()
    small("boe").fit(TEXTS, LABELS)
    assert threads == [(1, 1)]
    monkeypatch.setattr("textlrp.lrp.kernels.threads.SMALL_CORPUS", 1)
    small("boe").fit(TEXTS, LABELS)
    assert threads[1] == before == (torch.get_num_threads(), numba.get_num_threads())


@pytest.mark.parametrize(("seconds", "said"), [(0.1, []), (4.0, ["36 s"]), (60.0, ["9 min"])])
def test_the_expected_time_is_logged_after_the_first_epoch(
    seconds: float, said: list[str], caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level("INFO", logger=training.LOGGER.name):
        training._log_expected_time(seconds, 10)
    assert [message.split("at most about ")[1] for message in caplog.messages] == [f"{left} remain" for left in said]


@pytest.mark.parametrize("kind", ["cnn", "boe"])
def test_training_logs_the_expected_time_once(
    kind: str, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(training, "MIN_LOGGED_SECONDS", 0.0)
    small(kind).fit(TEXTS, LABELS)
    assert not caplog.messages
    with caplog.at_level("INFO", logger=training.LOGGER.name):
        small(kind).fit(TEXTS, LABELS)
    assert len(caplog.messages) == 1
