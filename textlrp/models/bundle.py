"""Save and load: a folder with ``config.json`` and ``model.safetensors``; never pickle.

The vocabulary lies in the tensors too, as UTF-8 bytes. Saved small (``compress=True``), word vectors are
8-bit integers with one scale per word and other weights are half precision.
"""

from __future__ import annotations

import json
import os
import shutil
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError
from safetensors.numpy import load_file, save_file
from sklearn.utils.validation import check_is_fitted

import textlrp
from textlrp.errors import ModelError
from textlrp.models.base import TextClassifier
from textlrp.models.bow import BagOfWordsClassifier
from textlrp.models.cnn import CNNClassifier
from textlrp.models.embeddings import BagOfEmbeddingsClassifier
from textlrp.text.vectors import Vectors
from textlrp.text.vocabulary import Vocabulary

FORMAT = 1
KINDS: Mapping[str, type[TextClassifier]] = {
    model.kind: model for model in (CNNClassifier, BagOfEmbeddingsClassifier, BagOfWordsClassifier)
}
PRETRAINED = Path(__file__).parent.parent / "pretrained"


def save_model(
    model: TextClassifier, path: str | Path, *, compress: bool = False, card: Mapping[str, Any] | None = None
) -> Path:
    """Write a fitted model to a folder, beside it first and then renamed; an older model there is replaced.

    ``compress`` stores word vectors in 8 bits and other weights in 16. ``card``: anything JSON can hold that
    a reader should know (command, seed, accuracy). Raises :class:`ModelError` if ``path`` is something else
    than a model folder.
    """
    check_is_fitted(model, "weights_")
    target = Path(path)
    _check_replaceable(target)
    tensors = _compressed(model.weights_) if compress else dict(model.weights_)
    tensors["vocabulary.words"] = np.frombuffer("\n".join(model.vocabulary_.words).encode(), dtype=np.uint8)
    tensors["vocabulary.counts"] = model.vocabulary_.counts
    config = {
        "format": FORMAT,
        "textlrp": textlrp.__version__,
        "kind": model.kind,
        "options": {name: _plain(value) for name, value in model.get_params(deep=False).items()},
        "classes": model.classes_.tolist(),
        "documents": model.n_documents_,
        "vocabulary_documents": model.vocabulary_.documents,
        "shapes": {name: list(weight.shape) for name, weight in model.weights_.items()},
        "card": dict(card or {}),
    }
    target.parent.mkdir(parents=True, exist_ok=True)
    beside = Path(tempfile.mkdtemp(prefix=f".{target.name}-", dir=target.parent))
    try:
        save_file(
            {name: np.ascontiguousarray(array) for name, array in tensors.items()}, beside / "model.safetensors"
        )
        (beside / "config.json").write_text(json.dumps(config, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
        beside.chmod(0o755)
        _swap(beside, target)
    finally:
        shutil.rmtree(beside, ignore_errors=True)
    return target


def load(
    path: str | Path,
    *,
    tokenizer: Callable[[str], Any] | None = None,
    skip: Callable[[str], Any] | None = None,
) -> TextClassifier:
    """A saved model from its folder, or a bundled one by name ("20newsgroups-cnn", "20newsgroups-boe").

    ``tokenizer`` and ``skip`` give back the functions of a model that was trained with the user's own.
    Raises :class:`ModelError` where the folder is missing, damaged, from a newer version or no model.
    """
    folder = _folder(path)
    config = _config(folder)
    model = _from_options(folder, config, tokenizer, skip)
    try:
        tensors = load_file(folder / "model.safetensors")
    except FileNotFoundError:
        raise ModelError(
            f"{folder} has no model.safetensors; the folder is incomplete, save the model again."
        ) from None
    except (SafetensorError, OSError) as broken:
        raise ModelError(f"{folder / 'model.safetensors'} is damaged ({broken}); save the model again.") from None
    try:
        words = bytes(tensors.pop("vocabulary.words")).decode().split("\n")
        counts = tensors.pop("vocabulary.counts")
        model.vocabulary_ = Vocabulary(tuple(words if counts.size else ()), counts, config["vocabulary_documents"])
        model.weights_ = _expanded(tensors, config["shapes"], model.dtype)
        model.classes_ = np.array(config["classes"])
        model.n_documents_ = config["documents"]
    except KeyError as missing:
        raise ModelError(f"{folder} lacks {missing}; the folder is incomplete, save the model again.") from None
    return model


def card(path: str | Path) -> dict[str, Any]:
    """The card a model was saved with; raises :class:`ModelError` like :func:`load`."""
    return dict(_config(_folder(path)).get("card", {}))


def bundled() -> list[str]:
    """Names of the models that come with the package."""
    return sorted(entry.parent.name for entry in PRETRAINED.glob("*/config.json"))


# ---- the folder


def _folder(path: str | Path) -> Path:
    folder = Path(path)
    if folder.is_dir():
        return folder
    if str(path) in bundled():
        return PRETRAINED / str(path)
    if folder.exists():
        raise ModelError(f"{folder} is a file; a model is a folder with config.json and model.safetensors.")
    raise ModelError(
        f"no model at {str(path)!r}; give a folder that model.save() or 'textlrp train' wrote, "
        f"or one of {', '.join(bundled())}."
    )


def _config(folder: Path) -> dict[str, Any]:
    try:
        config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise ModelError(f"{folder} is no textlrp model: it has no config.json.") from None
    except (json.JSONDecodeError, UnicodeDecodeError) as broken:
        raise ModelError(f"{folder / 'config.json'} is damaged ({broken}); save the model again.") from None
    if not isinstance(config, dict) or "format" not in config or "kind" not in config:
        raise ModelError(f"{folder} is no textlrp model: its config.json names no format and kind.")
    if config["format"] > FORMAT:
        raise ModelError(
            f"{folder} was saved by textlrp {config.get('textlrp', '?')} in format {config['format']}; this version "
            f"reads up to format {FORMAT}. Upgrade textlrp."
        )
    return config


def _from_options(
    folder: Path, config: dict[str, Any], tokenizer: Callable[[str], Any] | None, skip: Callable[[str], Any] | None
) -> TextClassifier:
    if config["kind"] not in KINDS:
        raise ModelError(f"{folder} holds a model of kind {config['kind']!r}; this version knows {', '.join(KINDS)}.")
    options = dict(config.get("options", {}))
    for name, given in (("tokenizer", tokenizer), ("skip", skip)):
        stored = options.get(name)
        if given is not None:
            options[name] = given
        elif isinstance(stored, dict):
            raise ModelError(
                f"{folder} was trained with the function {stored['callable']} as its {name}; "
                f"pass it again: load({str(folder)!r}, {name}={stored['callable'].rpartition(':')[2]})."
            )
        elif isinstance(stored, list):
            options[name] = tuple(stored)
    try:
        return KINDS[config["kind"]](**options)
    except TypeError as unknown:
        raise ModelError(f"{folder / 'config.json'} has options this version does not know ({unknown}).") from None


def _check_replaceable(target: Path) -> None:
    if target.is_dir() and not (target / "config.json").is_file() and any(target.iterdir()):
        raise ModelError(f"{target} is a folder with other things in it; name a new folder or an older model.")
    if target.exists() and not target.is_dir():
        raise ModelError(f"{target} is a file; name a folder for the model.")


def _swap(beside: Path, target: Path) -> None:
    """Put ``beside`` in the place of ``target``."""
    if not target.exists():
        beside.rename(target)
        return
    old = Path(tempfile.mkdtemp(prefix=f".{target.name}-old-", dir=target.parent))
    os.replace(target, old / "model")
    beside.rename(target)
    shutil.rmtree(old)


# ---- values


def _plain(value: Any) -> Any:
    """An option as JSON can hold it; functions by name, generators and given vectors by kind."""
    if isinstance(value, Path):
        return str(value)
    if isinstance(value, (tuple, list)):
        return [_plain(entry) for entry in value]
    if isinstance(value, np.generic):
        return value.item()
    if isinstance(value, (Vectors, np.random.RandomState)):
        return None
    if callable(value):
        return {"callable": f"{value.__module__}:{getattr(value, '__qualname__', type(value).__qualname__)}"}
    if isinstance(value, dict):
        return {str(key): _plain(entry) for key, entry in value.items()}
    return value


def _compressed(weights: Mapping[str, NDArray[Any]]) -> dict[str, NDArray[Any]]:
    stored: dict[str, NDArray[Any]] = {}
    for name, weight in weights.items():
        if name == "embedding":
            scale = np.abs(weight).max(axis=1, keepdims=True) / 127
            stored["embedding.q8"] = np.round(weight / np.where(scale > 0, scale, 1)).astype(np.int8)
            stored["embedding.scale"] = scale.astype(np.float32)
        else:
            stored[name] = weight.astype(np.float16) if weight.dtype.kind == "f" else weight
    return stored


def _expanded(
    tensors: dict[str, NDArray[Any]], shapes: Mapping[str, list[int]], dtype: str
) -> dict[str, NDArray[Any]]:
    weights: dict[str, NDArray[Any]] = {}
    for name, shape in shapes.items():
        if f"{name}.q8" in tensors:
            weight = tensors[f"{name}.q8"].astype(np.float32) * tensors[f"{name}.scale"]
        else:
            weight = tensors[name]
        if list(weight.shape) != shape:
            raise ModelError(f"{name} has shape {weight.shape} where config.json says {shape}; save the model again.")
        weights[name] = weight.astype(dtype) if weight.dtype.kind == "f" else weight
    return weights
