"""The folder that a saved model is: ``config.json`` and ``model.safetensors``, written whole or not at all."""

from __future__ import annotations

import hashlib
import stat
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from numpy.typing import NDArray
from safetensors.numpy import save_file

from textlrp.errors import DataError, ModelError
from textlrp.files.input_paths import check_regular
from textlrp.files.written_file import json_text
from textlrp.files.written_folder import FolderKind, atomic_folder, check_folder
from textlrp.models.schema import LONGEST_CONFIG, damaged, strict_json
from textlrp.models.tensor_file import check_model_file

FOLDER_FORMAT = 1
CONFIG, TENSORS = "config.json", "model.safetensors"
PIPELINE_FILES = (".skops", ".joblib", ".pkl", ".pickle")
"""Ends of the names of files that may hold a scikit-learn pipeline."""
PRETRAINED = Path(__file__).parent.parent / "pretrained"


def check_model_path(folder: Path) -> None:
    """Raise :class:`ModelError` where reading a model could wait forever: it is, or holds, a pipe or a device."""
    with _as_model_error():
        for path in (folder, folder / CONFIG, folder / TENSORS):
            check_regular(path)


def bundled() -> list[str]:
    """Names of the models that come with the package."""
    return sorted(entry.parent.name for entry in PRETRAINED.glob("*/config.json"))


def is_pipeline_file(path: Path) -> bool:
    """Whether the name of an existing file says that it holds a scikit-learn pipeline."""
    return path.suffix.lower() in PIPELINE_FILES and path.exists() and not path.is_dir()


def model_folder(path: str | Path) -> Path:
    """The folder of a saved model by its path, or of a bundled one by its name; raises :class:`ModelError`."""
    folder = Path(path)
    check_model_path(folder)
    if folder.is_dir():
        return folder
    if str(path) in bundled():
        return PRETRAINED / str(path)
    if folder.exists():
        raise ModelError(
            f"{folder} is a file; a model is a folder with config.json and model.safetensors, or a scikit-learn "
            "pipeline stored by skops.io.dump in a .skops file."
        )
    names = f", or one of {', '.join(bundled())}" if bundled() else ""
    raise ModelError(f"no model at {str(path)!r}; give a folder that model.save() or 'textlrp train' wrote{names}.")


def check_model(path: str | Path) -> None:
    """Raise :class:`ModelError` where there is no model, before anything heavy is imported to load it."""
    if not is_pipeline_file(Path(path)):
        read_config(model_folder(path))


def check_trained(path: str | Path, *kinds: str, purpose: str = "") -> None:
    """As :func:`check_model`, and where it is no model that textlrp trained, or of none of these ``kinds``."""
    if is_pipeline_file(Path(path)):
        raise ModelError(
            f"{path} is a scikit-learn pipeline, and this needs a model that textlrp trained. Use the pipeline with "
            "predict, explain, report or words, or train a model: textlrp train CORPUS --model svm -o MODEL."
        )
    kind = read_config(model_folder(path))["kind"]
    if kinds and kind not in kinds:
        raise ModelError(f"{purpose} must have a model of kind {' or '.join(kinds)}; got {path}, of kind {kind}.")


def read_config(folder: Path) -> dict[str, Any]:
    """What a model's ``config.json`` says; raises :class:`ModelError` where it is missing, damaged or newer."""
    try:
        check_model_file(folder / CONFIG)
        with (folder / CONFIG).open("rb") as stream:
            data = stream.read(LONGEST_CONFIG + 1)
        config = parse_config(data)
    except FileNotFoundError:
        raise ModelError(f"{folder} is no textlrp model: it has no {CONFIG}.") from None
    except OSError as broken:
        raise ModelError(f"{folder / CONFIG} is damaged ({broken}); save the model again.") from None
    except ValueError as broken:
        if isinstance(broken, ModelError):
            raise
        raise ModelError(f"{folder / CONFIG} is damaged ({broken}); save the model again.") from None
    if (
        not isinstance(config, dict)
        or type(config.get("format")) is not int
        or not isinstance(config.get("kind"), str)
    ):
        raise ModelError(f"{folder} is no textlrp model: its {CONFIG} names no format and kind.")
    if config["format"] < 1:
        raise damaged(folder, f"format in {CONFIG} must be 1 or more; got {config['format']}")
    if config["format"] > FOLDER_FORMAT:
        raise ModelError(
            f"{folder} was saved by textlrp {config.get('textlrp', '?')} in format {config['format']}; this version "
            f"reads up to format {FOLDER_FORMAT}. Upgrade textlrp."
        )
    return config


def parse_config(data: bytes) -> Any:
    """The value of a ``config.json``; raises ValueError where it is not strict JSON, or too long."""
    if len(data) > LONGEST_CONFIG:
        raise ValueError(f"it is longer than {LONGEST_CONFIG} bytes")
    return strict_json(data)


def write_folder(
    target: Path, tensors: dict[str, NDArray[Any]], config: dict[str, Any], *, force: bool = False
) -> None:
    """Write both files to a folder next to ``target``, which it then replaces; raises :class:`ModelError`."""
    with _as_model_error(), atomic_folder(target, MODEL, mark=False, force=force, parents=True) as beside:
        save_file(tensors, beside / TENSORS)
        config |= {"sha256": checksum(beside / TENSORS)}
        text = json_text(config, indent=2)
        try:
            parse_config(text.encode())
        except ValueError as broken:  # such as NaN in a card
            raise ModelError(
                f"{CONFIG} must be valid JSON; {broken}. Change the card, the options or the labels."
            ) from None
        (beside / CONFIG).write_text(text, encoding="utf-8")
        # safetensors lets nobody else read its file
        (beside / TENSORS).chmod(stat.S_IMODE((beside / CONFIG).stat().st_mode))


def check_replaceable(target: Path, *, inputs: Iterable[str | Path] = (), force: bool = False) -> None:
    """Raise :class:`ModelError` where a model cannot be saved, or something else than a model would be lost."""
    with _as_model_error():
        check_folder(target, MODEL, inputs=inputs, force=force, parents=True)


@contextmanager
def _as_model_error() -> Iterator[None]:
    try:
        yield
    except DataError as problem:
        raise ModelError(str(problem)) from None


def _is_model(folder: Path) -> bool:
    """Whether a folder holds a saved model and nothing else: its config names the digest of its tensors."""
    if {each.name for each in folder.iterdir()} != {CONFIG, TENSORS}:
        return False
    try:
        config = read_config(folder)
    except ModelError:
        return False
    return config.get("sha256") == checksum(folder / TENSORS)


MODEL = FolderKind("a model", replaced=True, names={CONFIG, TENSORS}, recognize=_is_model)
"""A model folder needs no marker: ``config.json`` is one."""


def checksum(path: Path) -> str:
    """SHA-256 of a file's bytes."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()
