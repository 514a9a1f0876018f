"""A damaged model folder is refused with one ModelError, or the model is completely usable; nothing else happens."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from cases import every
from damage import Parts, characters_model, damage_many, outcome
from toys import TEXTS, fitted, small

from textlrp.errors import ModelError
from textlrp.models.base import TextClassifier
from textlrp.models.estimators import load
from textlrp.models.saving import save_model
from textlrp.models.schema import strict_json
from textlrp.text.vectors import Vectors


@pytest.mark.slow
def test_500_damaged_folders_with_bounds_checked() -> None:
    """In a separate process, because compiled loops either have bounds checks or not."""
    root = Path(__file__).parents[2]
    helpers = root / "tests" / "helpers"
    run = subprocess.run(
        [sys.executable, str(helpers / "bounds_checked.py"), "500", "0"],
        capture_output=True,
        text=True,
        env=os.environ | {"PYTHONPATH": os.pathsep.join([str(root), str(helpers)])},
        check=False,
    )
    assert run.returncode == 0, run.stderr
    print(run.stdout)
    *others, last = run.stdout.splitlines()[1:]
    assert run.stdout.startswith("3 of 3 loops raise IndexError")
    assert not others
    assert last.startswith("500 damaged folders: ")
    assert last.endswith(", 0 other")


def test_30_damaged_folders(tmp_path: Path) -> None:
    ends, others = damage_many(tmp_path, 30, 5)
    assert not others
    assert min(ends["refused"], ends["usable"]) > 0


# ---- one damage each


def weights(name: str, place: Any, value: float) -> Callable[[Parts], None]:
    def change(parts: Parts) -> None:
        array = parts.numbers(name)
        array[place] = value
        parts.put(name, array)

    return change


def grown(name: str, shape: list[int]) -> Callable[[Parts], None]:
    """Give a tensor another shape, in both files."""

    def change(parts: Parts) -> None:
        parts.put(name, np.ones(shape, dtype=np.float32))
        parts.config["shapes"][name] = shape

    return change


def as_dtype(name: str, dtype: str) -> Callable[[Parts], None]:
    def change(parts: Parts) -> None:
        _, shape, data = parts.tensors[name]
        size = {"BF16": 2, "F8_E4M3": 1, "F4": 1}[dtype] * int(np.prod(shape))
        parts.tensors[name] = [dtype, shape, data[:size]]

    return change


def config(**changes: Any) -> Callable[[Parts], None]:
    return lambda parts: parts.config.update(changes)


def option(name: str, value: Any) -> Callable[[Parts], None]:
    return lambda parts: parts.config["options"].update({name: value})


def text(change: Callable[[bytes], bytes]) -> Callable[[Parts], None]:
    return lambda parts: setattr(parts, "in_config", change)


DAMAGE: dict[str, tuple[str, Callable[[Parts], None], str]] = {
    "NaN": ("cnn-max", weights("conv2.bias", 1, np.nan), "every number of conv2.bias must be finite"),
    "infinity": ("svm", weights("output.weight", (0, 3), np.inf), "every number of output.weight must be finite"),
    "idf NaN": ("svm", weights("idf", 0, np.nan), "every number of idf must be finite"),
    "idf 0": ("svm", weights("idf", 0, 0), "every number of idf must be above 0"),
    "too large": ("boe", weights("embedding", (3, 1), 3e38), "weights must keep scores below 1e+15"),
    "product too large": ("cnn-max", weights("output.weight", ..., 1e15), "weights must keep scores below 1e+15"),
    "unknown word": ("cnn-mean", weights("embedding", 0, 1), "row 0 of embedding"),
    "bfloat16": ("boe", as_dtype("embedding", "BF16"), "the dtype of 'embedding' must be one of F16, F32, F64"),
    "float8": ("cnn-max", as_dtype("output.bias", "F8_E4M3"), "the dtype of 'output.bias' must be one of"),
    "float4": ("cnn-max", as_dtype("output.bias", "F4"), "the dtype of 'output.bias' must be one of"),
    "filters": ("cnn-max", grown("output.weight", [3, 13]), "must have 'output.weight' with shape (3, 12)"),
    "convolution": ("cnn-max", grown("conv3.weight", [6, 12]), "must have 'conv3.weight' with shape (5, 12)"),
    "classes": ("boe", config(classes=["a", "b"]), "must have 'output."),
    "class twice": ("boe", config(classes=["a", "b", "b"]), "classes in config.json must be"),
    "class kinds": ("boe", config(classes=["a", 1, True]), "classes in config.json must be"),
    "class NUL": ("boe", config(classes=["a", "b", "a\0"]), "classes in config.json must be"),
    "more": ("svm", lambda parts: parts.put("more", np.ones(1)), "has no tensor 'more'"),
    "ngrams": ("svm", option("ngrams", 1), "shapes must have "),
    "keys": ("svm", lambda parts: parts.put("keys2", parts.numbers("keys2")[::-1].copy()), "ascending keys"),
    "key of nothing": ("svm", lambda parts: parts.put("keys2", parts.numbers("keys2") + 10**9), "ascending keys"),
    "count": ("boe", weights("vocabulary.counts", 2, 25), "must be from 0 to vocabulary_documents=24; got 25"),
    "negative count": ("svm", weights("vocabulary.counts", 2, -1), "got -1"),
    "idf_power": ("boe", option("idf_power", 500.0), "idf_power must keep word weights below"),
    "documents": ("boe", config(documents=2**60), "documents in config.json must be a whole number"),
    "card": ("boe", config(card=[1]), "card in config.json must be an object"),
    "bool": ("svm", option("sublinear_tf", "no"), "sublinear_tf must be True or False"),
    "seed": ("svm", option("random_state", -1), "random_state must be"),
    "class_weight": ("svm", option("class_weight", {"pairs": [["a", "b"]]}), "class_weight"),
    "pairs": ("svm", option("class_weight", {"pairs": 5}), "options in config.json must be lists of pairs"),
    "language": ("svm", option("tokenizer", "spacy:lex_attrs"), "cannot create a tokenizer for the language"),
    "deep": ("boe", text(lambda data: data[:-1] + b', "more": ' + b"[" * 10**5), "nested too deeply"),
    "twice": ("boe", text(lambda data: b'{"kind": "svm", ' + data[1:]), "it has 'kind' twice"),
    "not a number": ("boe", text(lambda data: data[:-1] + b', "more": {"a": -Infinity}}'), "not a JSON number"),
    "digits": ("boe", text(lambda data: data[:-1] + b', "more": {"a": ' + b"9" * 5000 + b"}}"), "is too large"),
    "surrogate": ("boe", text(lambda data: data[:-1] + b', "more": {"a": "\\ud800"}}'), "surrogates not allowed"),
}  # fmt: skip


@every("name", DAMAGE)
def test_one_damage_is_refused_with_its_reason(name: str, tmp_path: Path) -> None:
    variant, change, reason = DAMAGE[name]
    parts = Parts(fitted(variant).save(tmp_path / "sound"))
    change(parts)
    parts.write(tmp_path / "damaged")
    assert outcome(tmp_path / "damaged") == "refused"
    with pytest.raises(ModelError) as caught:
        load(tmp_path / "damaged")
    assert reason in str(caught.value)
    assert str(tmp_path / "damaged") in str(caught.value)


@every("analyzer", ["both", "char_wb"])
@every(
    "change, reason",
    [
        (lambda keys: keys[::-1].copy(), "char_keys must be distinct and in the order of their hash"),
        (lambda keys: keys[[0, *range(len(keys) - 1)]], "char_keys must be distinct and in the order of their hash"),
        (lambda keys: keys[:-1].copy(), " of shape ("),
        (lambda keys: keys[:, :1].copy(), " of shape ("),
    ],
)
def test_damaged_keys_of_character_ngrams_are_refused(
    analyzer: str, change: Callable[[Any], Any], reason: str, tmp_path: Path
) -> None:
    parts = Parts(characters_model(analyzer).save(tmp_path / "sound"))
    parts.put("char_keys", change(parts.numbers("char_keys")))
    parts.write(tmp_path / "damaged")
    with pytest.raises(ModelError) as caught:
        load(tmp_path / "damaged")
    assert reason in str(caught.value)


@pytest.mark.parametrize("name", ["config.json", "model.safetensors"])
def test_a_pipe_or_a_device_is_refused_immediately(name: str, tmp_path: Path) -> None:
    folder = fitted("boe").save(tmp_path / "model")
    (folder / name).unlink()
    os.mkfifo(folder / name)
    with pytest.raises(ModelError, match="must be a regular file"):
        load(folder)
    (folder / name).unlink()
    (folder / name).symlink_to("/dev/zero")
    with pytest.raises(ModelError, match="must be a regular file"):
        load(folder)


@pytest.mark.parametrize(
    ("name", "start"),
    [
        ("config.json", b"{"),
        ("model.safetensors", (1 << 34).to_bytes(8, "little") + b"{"),
        ("model.safetensors", (0).to_bytes(8, "little")),
    ],
)
def test_files_of_gigabytes_are_refused_immediately(name: str, start: bytes, tmp_path: Path) -> None:
    folder = fitted("boe").save(tmp_path / "model")
    with (folder / name).open("wb") as stream:
        stream.write(start)
        stream.truncate(1 << 35)  # a sparse file
    begin = time.monotonic()
    with pytest.raises(ModelError, match=r"it is longer than|the header of model.safetensors must"):
        load(folder)
    assert time.monotonic() - begin < 5


def test_a_config_may_begin_with_a_byte_order_mark(tmp_path: Path) -> None:
    folder = fitted("boe").save(tmp_path / "model")
    written = (folder / "config.json").read_bytes()
    (folder / "config.json").write_bytes(b"\xef\xbb\xbf" + written)
    assert load(folder).fingerprint_ == fitted("boe").fingerprint_


def test_strict_json_reads_what_json_can_hold() -> None:
    value = {"a": [1, -2.5e-3, True, None, "\U0001f680", {"b": {}}], "c": 2**64 - 1}
    assert strict_json(json.dumps(value).encode()) == value


# ---- a saved model can be loaded


def broken(variant: str, name: str, value: float) -> TextClassifier:
    model = fitted(variant)
    model = type(model)(**model.get_params()).__sklearn_clone__()
    for attribute in ("vocabulary_", "classes_", "n_documents_"):
        setattr(model, attribute, getattr(fitted(variant), attribute))
    model.weights_ = {key: weight.copy() for key, weight in fitted(variant).weights_.items()}
    model.weights_[name].flat[-1] = value
    return model


@every("variant", ["cnn-max", "boe", "svm"])
@every("value", [np.nan, np.inf, 1e30])
def test_a_model_that_could_not_be_loaded_is_not_saved(variant: str, value: float, tmp_path: Path) -> None:
    with pytest.raises(ModelError, match=r"^the model cannot be saved: .* must .*options\.$"):
        broken(variant, "output.weight", value).save(tmp_path / "model")
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("variant", ["cnn-max", "boe", "svm"])
def test_weights_beyond_half_precision_are_not_compressed(variant: str, tmp_path: Path) -> None:
    model = broken(variant, "output.weight", 1e6)
    with pytest.raises(ModelError, match=r"cannot be compressed: .* Save it without compress=True\.$"):
        save_model(model, tmp_path / "small", compress=True)
    assert load(model.save(tmp_path / "full")).fingerprint_ == model.fingerprint_


def test_a_card_that_json_cannot_hold_is_not_saved(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match=r"must be valid JSON: NaN is not a JSON number"):
        save_model(fitted("boe"), tmp_path / "model", card={"accuracy": float("nan")})
    assert not list(tmp_path.iterdir())


def test_outside_vectors_of_words_that_cannot_be_stored_are_left_out(tmp_path: Path) -> None:
    vectors = Vectors(("car", "two\nlines", "half\ud800", "moon"), np.ones((4, 3), dtype=np.float32))
    model = small("boe", vectors=vectors).fit(TEXTS, [0] * 12 + [1] * 12)
    assert load(model.save(tmp_path / "model")).vocabulary_.words == model.vocabulary_.words
