"""Save and load: the loaded model equals the saved one, damage is reported, and no file is half-written or lost."""

from __future__ import annotations

import functools
import json
import os
import pickle
import re
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from cases import every
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sklearn.base import clone
from toys import KINDS, LABELS, READ, TEXTS, VARIANT_OF, VARIANTS, fitted, small

from textlrp.errors import ModelError
from textlrp.models import model_folder as folder
from textlrp.models.base import TextClassifier
from textlrp.models.estimators import load
from textlrp.models.loading import card
from textlrp.models.model_folder import bundled
from textlrp.models.saving import save_model
from textlrp.text.vectors import Vectors


def last_letters(text: str) -> list[str]:
    """A user's own tokenizer."""
    return re.findall(r"\w+", text)


def first_word(text: str) -> list[tuple[int, int]]:
    """A user's own skip function."""
    return [(0, min(4, len(text)))]


def contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def edit(folder: Path, **changes: Any) -> None:
    """Change the config of a saved model; None removes an entry."""
    config = json.loads((folder / "config.json").read_text())
    config |= changes
    (folder / "config.json").write_text(json.dumps({k: v for k, v in config.items() if v is not None}))


@pytest.fixture(params=KINDS)
def saved(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    """A saved model of each kind."""
    return fitted(VARIANT_OF[request.param]).save(tmp_path / "model")


# ---- save, then load


@every("dtype", ["float32", "float64"])
@every("variant", VARIANTS)
@every("classes", [2, 3])
def test_a_loaded_model_equals_the_saved_one(variant: str, dtype: str, classes: int, tmp_path: Path) -> None:
    model = fitted(variant, dtype, classes)
    assert model.save(tmp_path / "new" / "model") == tmp_path / "new" / "model"
    assert sorted(contents(tmp_path / "new" / "model")) == ["config.json", "model.safetensors"]
    again = load(tmp_path / "new" / "model")
    assert type(again) is type(model)
    assert again.get_params() == model.get_params()
    assert again.fingerprint_ == model.fingerprint_
    assert again.decision_function(READ).tobytes() == model.decision_function(READ).tobytes()
    assert again.predict(READ).tolist() == model.predict(READ).tolist()
    assert again.classes_.dtype == model.classes_.dtype
    assert again.n_documents_ == model.n_documents_
    assert again.vocabulary_.counts.tolist() == model.vocabulary_.counts.tolist()
    assert {n: w.dtype for n, w in again.weights_.items()} == {n: w.dtype for n, w in model.weights_.items()}


@every("names", [[3, -1, 20], [False, True], ["ä b", "\U0001f680", "</script>"]])
@every("kind", KINDS)
def test_labels_keep_their_type(kind: str, names: list[Any], tmp_path: Path) -> None:
    texts, labels = TEXTS[: 8 * len(names)], [name for name in names for _ in range(8)]
    model = small(kind).fit(texts, labels)
    again = load(model.save(tmp_path / "model"))
    assert again.classes_.dtype == model.classes_.dtype
    assert again.predict(texts).tolist() == model.predict(texts).tolist()


@pytest.mark.parametrize("kind", KINDS)
def test_options_of_all_types_are_loaded(kind: str, tmp_path: Path) -> None:
    options: dict[str, Any] = {
        "class_weight": {"autos": 1.0, "med": np.float32(2.0), "space": 1}, "skip": ["headers", "quotes"],
        "max_tokens": np.int64(7), "random_state": np.random.RandomState(1),
    }  # fmt: skip
    if kind != "svm":
        options["vectors"] = Vectors(("moon",), np.ones((1, 3), dtype=np.float32))
    if kind == "cnn":
        options["widths"] = np.array([1, 2])
    model = small(kind, **options).fit(TEXTS, LABELS)
    again = load(model.save(tmp_path / "model"))
    assert clone(again).fit(TEXTS, LABELS).predict(TEXTS).shape == (24,)
    assert again.class_weight == {"autos": 1.0, "med": 2.0, "space": 1}
    assert (again.skip, again.max_tokens) == (("headers", "quotes"), 7)
    assert again.fingerprint_ == model.fingerprint_
    assert again.decision_function(READ).tobytes() == model.decision_function(READ).tobytes()


@pytest.mark.parametrize("kind", KINDS)
def test_labels_that_are_numbers_keep_their_class_weights(kind: str, tmp_path: Path) -> None:
    model = small(kind, class_weight={0: 1.0, 5: 2.0}).fit(TEXTS[:16], [0] * 8 + [5] * 8)
    assert load(model.save(tmp_path / "model")).class_weight == {0: 1.0, 5: 2.0}


@pytest.mark.parametrize("variant", VARIANTS)
def test_a_compressed_model_predicts_nearly_the_same(variant: str, tmp_path: Path) -> None:
    model = fitted(variant)
    save_model(model, tmp_path / "small", compress=True)
    model.save(tmp_path / "full")
    sizes = [(tmp_path / name / "model.safetensors").stat().st_size for name in ("small", "full")]
    assert sizes[0] < sizes[1]
    scores, expected = load(tmp_path / "small").decision_function(READ), model.decision_function(READ)
    assert scores.dtype == expected.dtype
    assert not np.array_equal(scores, expected)
    np.testing.assert_allclose(scores, expected, atol=0.02 * np.abs(expected).max())


def test_a_card_is_kept(tmp_path: Path) -> None:
    about = {"command": "train", "seed": 0, "accuracy": 0.83}
    folder = save_model(fitted("boe"), tmp_path / "model", card=about)
    assert card(folder) == about
    assert card(fitted("boe").save(tmp_path / "plain")) == {}


def test_fingerprints_of_models_differ() -> None:
    models = [fitted(variant, seed=seed) for variant in VARIANTS for seed in (0, 1)]
    assert len({model.fingerprint_ for model in models}) == len(models)
    model = pickle.loads(pickle.dumps(fitted("cnn-max")))
    before = model.fingerprint_
    assert model.set_params(pooling="mean").fingerprint_ != before
    assert model.set_params(pooling="max", lowercase=False).fingerprint_ != before


CHANGED = {"tokenizer": "spacy", "skip": (), "loss": "hinge", "class_weight": "balanced", "dtype": "float64",
           "vectors": None, "pooling": "mean", "widths": (1, 3), "analyzer": "both",
           "char_ngrams": (2, 3), "stop_words": ("orbit",)}  # fmt: skip
"""Another value of each option that is neither a number nor a bool."""


def changed_value(name: str, value: Any) -> Any:
    if name in CHANGED:
        return CHANGED[name]
    if isinstance(value, bool):
        return not value
    return 1 if value is None else value + 1 if isinstance(value, int) else value / 2


@pytest.mark.parametrize("kind", KINDS)
def test_every_option_is_declared_once_and_those_that_scores_ignore_leave_the_fingerprint(kind: str) -> None:
    model = pickle.loads(pickle.dumps(fitted(kind)))
    declared = [*model.scoring_options, *model.training_options]
    assert sorted(declared) == sorted(model.get_params(deep=False))
    texts, before = ["The Orbit of good, bad and poor films."] * 2, model.fingerprint_
    scores = model.decision_function(texts)
    for name, value in model.get_params(deep=False).items():
        if name == "widths":  # the model has no weights for other windows
            continue
        other = pickle.loads(pickle.dumps(model)).set_params(**{name: changed_value(name, value)})
        if name in model.training_options:
            assert other.fingerprint_ == before, name
            np.testing.assert_allclose(other.decision_function(texts), scores, rtol=1e-5)
        else:
            assert other.fingerprint_ != before, name


@pytest.mark.parametrize("kind", KINDS)
def test_a_fingerprint_is_computed_once_and_again_for_other_weights(
    kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = pickle.loads(pickle.dumps(fitted(kind)))
    before = model.fingerprint_
    weights = {name: weight.copy() for name, weight in model.weights_.items()}
    weights["output.bias"] += 1
    model.weights_ = weights
    after = model.fingerprint_
    assert after != before
    monkeypatch.setattr("hashlib.sha256", None)  # nothing is hashed again
    assert model.fingerprint_ == after


# ---- the user's own functions


@pytest.mark.parametrize("kind", KINDS)
def test_functions_must_be_passed_again(kind: str, tmp_path: Path) -> None:
    model = small(kind, tokenizer=last_letters, skip=first_word).fit(TEXTS, LABELS)
    folder = model.save(tmp_path / "model")
    with pytest.raises(
        ModelError,
        match=rf"{__name__}:last_letters as its tokenizer, which is not stored. Pass it again: .*tokenizer=last_let",
    ):
        load(folder)
    with pytest.raises(
        ModelError,
        match=rf"{__name__}:first_word as its skip, which is not stored. Pass it again: .*skip=first_word\)\.",
    ):
        load(folder, tokenizer=last_letters)
    again = load(folder, tokenizer=last_letters, skip=first_word)
    assert again.fingerprint_ == model.fingerprint_
    assert again.decision_function(READ).tobytes() == model.decision_function(READ).tobytes()


class Splitter:
    """A tokenizer that is an object, not a function."""

    def __call__(self, text: str) -> list[str]:
        return text.split()


@every(
    "tokenizer, name",
    [
        (Splitter(), "Splitter"),
        (functools.partial(str.split, sep=" "), "functools:partial"),
        (str.split, "builtins:str.split"),  # methods of built-in types have no module
    ],
)
def test_a_callable_that_is_not_a_function_can_be_saved(
    tokenizer: Callable[[str], list[str]], name: str, tmp_path: Path
) -> None:
    model = small("boe", tokenizer=tokenizer).fit(TEXTS, LABELS)
    folder = model.save(tmp_path / "model")
    with pytest.raises(ModelError, match=rf"{name} as its tokenizer"):
        load(folder)
    assert load(folder, tokenizer=tokenizer).fingerprint_ == model.fingerprint_


# ---- damage


def refusal(path: Path | str) -> str:
    with pytest.raises(ModelError) as caught:
        load(path)
    sentence = str(caught.value)
    assert "\n" not in sentence
    assert sentence.endswith((".", ").", ".)"))
    return sentence


def test_no_such_model(tmp_path: Path) -> None:
    assert refusal(tmp_path / "nothing").startswith(f"no model at {str(tmp_path / 'nothing')!r}. Pass a folder")
    assert refusal("20newsgroups-cmm").startswith("no model at '20newsgroups-cmm'. Pass a folder")
    (tmp_path / "file").touch()
    assert refusal(tmp_path / "file") == (
        f"the model must be a folder with config.json and model.safetensors; got the file {tmp_path / 'file'}. Pass "
        "the folder, or a scikit-learn pipeline that skops.io.dump wrote to a .skops file."
    )


def test_a_missing_file(saved: Path) -> None:
    (saved / "model.safetensors").unlink()
    assert refusal(saved) == f"{saved} is incomplete: model.safetensors is missing. Save the model again."
    (saved / "config.json").unlink()
    assert refusal(saved) == (
        f"{saved} is not a textlrp model: config.json is missing. Pass a folder that model.save() wrote."
    )


@every("checked", [True, False])
@every("kept", [0, 1, 7, 8, 100, 0.5, 0.99, -1])
def test_truncated_tensors(kept: float, checked: bool, saved: Path, tmp_path: Path) -> None:
    saved = Path(shutil.copytree(saved, tmp_path / "copy"))
    whole = (saved / "model.safetensors").read_bytes()
    (saved / "model.safetensors").write_bytes(whole[: int(kept * len(whole)) if 0 < kept < 1 else int(kept)])
    if not checked:
        edit(saved, sha256=None)
    sentence = refusal(saved)
    assert "model.safetensors" in sentence
    assert sentence.endswith("Save the model again.")


@every("text", [b"", b"{", b"[]", b"null", b"\xff\xfe", b'{"format": 1}', b'{"format": "one", "kind": "cnn"}'])
def test_a_config_that_is_not_one(text: bytes, saved: Path, tmp_path: Path) -> None:
    saved = Path(shutil.copytree(saved, tmp_path / "copy"))
    (saved / "config.json").write_bytes(text)
    assert re.search(r"config\.json is damaged: |is not a textlrp model: ", refusal(saved))


def test_a_newer_format(saved: Path) -> None:
    edit(saved, format=3, textlrp="9.0")
    assert refusal(saved) == (
        f"{saved} was saved by a newer version, textlrp 9.0 in format 3; this version reads formats up to 2. "
        "Upgrade textlrp."
    )


@every(
    "changes",
    [
        {"kind": "transformer"}, {"kind": ["cnn"]}, {"options": None}, {"options": []},
        {"options": {"color": "red"}}, {"options": {"min_df": 0}}, {"options": {"tokenizer": "none"}},
        {"classes": None}, {"classes": ["a", "b"]}, {"classes": [["a"], ["b"]]}, {"classes": ["a", "a", "b"]},
        {"classes": 3}, {"documents": None}, {"documents": "x"}, {"vocabulary_documents": None},
        {"shapes": None}, {"shapes": {}}, {"shapes": {"output.bias": [7]}}, {"shapes": {"more": [1]}}, {"shapes": 5},
    ],
)  # fmt: skip
def test_a_config_that_does_not_fit(changes: dict[str, Any], saved: Path, tmp_path: Path) -> None:
    saved = Path(shutil.copytree(saved, tmp_path / "copy"))
    edit(saved, **changes)
    assert str(saved) in refusal(saved)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    name=st.sampled_from(["config.json", "model.safetensors"]), place=st.integers(0, 10**6), byte=st.integers(0, 255)
)
def test_any_wrong_byte_is_found_or_harmless(name: str, place: int, byte: int, saved: Path) -> None:
    whole = (saved / name).read_bytes()
    place %= min(len(whole), 4000)  # the file of the tensors begins with a header that a wrong byte can damage
    config = (saved / "config.json").read_bytes()
    (saved / name).write_bytes(whole[:place] + bytes([byte]) + whole[place + 1 :])
    try:
        if name == "model.safetensors":
            edit(saved, sha256=None)
        load(saved)
    except ModelError:
        pass
    finally:
        (saved / name).write_bytes(whole)
        (saved / "config.json").write_bytes(config)


def test_a_wrong_weight_is_found(saved: Path) -> None:
    whole = bytearray((saved / "model.safetensors").read_bytes())
    whole[-1] ^= 1
    (saved / "model.safetensors").write_bytes(whole)
    assert refusal(saved) == (
        f"{saved} is damaged: model.safetensors has changed since it was saved (its checksum differs). "
        "Save the model again."
    )


# ---- nothing lost, nothing half-written


def test_an_older_model_is_replaced(saved: Path) -> None:
    other = fitted("boe", seed=9)
    other.save(saved)
    assert load(saved).fingerprint_ == other.fingerprint_
    assert [entry.name for entry in saved.parent.iterdir()] == ["model"]


@pytest.mark.parametrize(
    "files",
    [
        {"thesis.txt": "years of work"},
        {"config.json": "{}"},
        {"config.json": '{"architectures": ["Bert"]}', "model.safetensors": "weights of another library"},
        {"model.safetensors": "weights"},
    ],
    ids=str,
)
def test_a_folder_with_other_files_is_left_alone(files: dict[str, str], tmp_path: Path) -> None:
    for name, text in files.items():
        (tmp_path / name).write_text(text)
    before = contents(tmp_path)
    with pytest.raises(ModelError, match="contains files that textlrp did not write"):
        fitted("boe").save(tmp_path)
    assert contents(tmp_path) == before


def test_a_model_folder_with_other_files_is_left_alone(saved: Path) -> None:
    (saved / "notes.txt").write_text("about this model")
    before = contents(saved)
    with pytest.raises(ModelError, match=r"contains files that textlrp did not write \('notes.txt'\)"):
        fitted("boe").save(saved)
    assert contents(saved) == before


def test_a_file_is_not_overwritten(tmp_path: Path) -> None:
    (tmp_path / "model").write_text("years of work")
    with pytest.raises(ModelError, match="it is a file"):
        fitted("boe").save(tmp_path / "model")
    with pytest.raises(ModelError, match="is a file"):
        fitted("boe").save(tmp_path / "model" / "inner")
    assert (tmp_path / "model").read_text() == "years of work"


def break_save_file(*args: Any) -> None:
    Path(args[1]).write_bytes(b"half a mod")
    raise OSError(28, "No space left on device")


def break_config(text: str, *args: Any, **options: Any) -> None:
    raise OSError(28, "No space left on device")


def interrupt(*args: Any) -> None:
    raise KeyboardInterrupt


def break_rename(source: Path, target: Path) -> None:
    raise OSError(18, "Invalid cross-device link")


FAILURES: dict[str, tuple[Any, str, Callable[..., Any], type[BaseException]]] = {
    "tensors": (folder, "save_file", break_save_file, ModelError),
    "config": (Path, "write_text", break_config, ModelError),
    "Ctrl-C": (folder, "save_file", interrupt, KeyboardInterrupt),
    "rename": (os, "replace", break_rename, ModelError),
}


@pytest.mark.parametrize("older", [False, True], ids=["new", "replaced"])
@pytest.mark.parametrize("failure", FAILURES)
def test_a_failed_save_leaves_the_older_model(
    failure: str, older: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    target = tmp_path / "model"
    if older:
        fitted("boe").save(target)
    before = contents(target) if older else {}
    place, name, broken, error = FAILURES[failure]
    with monkeypatch.context() as patch:
        patch.setattr(place, name, broken)
        with pytest.raises(error):
            fitted("boe", seed=9).save(target)
    assert [entry.name for entry in tmp_path.iterdir()] == (["model"] if older else [])
    assert not older or contents(target) == before


def test_bundled_models_load_by_name_and_explain_themselves() -> None:
    for name in bundled():
        model = load(name)
        assert isinstance(model, TextClassifier)
        assert len(model.classes_) == 20
        assert card(name)
