"""The folder of a saved model: find it, read its ``config.json``, write it completely or not at all.

Open it for the messages about models that are missing, damaged or from a newer version. It does not import torch, so
that commands refuse a model quickly.
"""

from __future__ import annotations

import hashlib
import stat
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from types import MappingProxyType
from typing import Any

from numpy.typing import NDArray
from safetensors.numpy import save_file

from textlrp.errors import DataError, ModelError
from textlrp.files.input_paths import check_regular
from textlrp.files.written_file import json_text
from textlrp.files.written_folder import FolderKind, atomic_folder, check_folder
from textlrp.models.encoders.encoder_files import ENCODER, copy_encoder, encoder_files, hash_of_files
from textlrp.models.schema import MAX_CONFIG_BYTES, damaged, strict_json
from textlrp.models.tensor_file import check_model_file

FOLDER_FORMAT, MULTILABEL_FORMAT = 1, 2
"""Versions of the folder's format; newer ones are refused. A version that cannot read thresholds refuses format 2."""
CONFIG, TENSORS = "config.json", "model.safetensors"
PIPELINE_FILES = (".skops", ".joblib", ".pkl", ".pickle")
"""File name extensions of scikit-learn pipelines."""
PRETRAINED = Path(__file__).parent.parent / "pretrained"


def check_model_path(folder: Path) -> None:
    """Raise :class:`ModelError` for a pipe or a device, or a folder with one: reading it could block forever."""
    with _as_model_error():
        for path in (folder, folder / CONFIG, folder / TENSORS):
            check_regular(path)


def bundled() -> list[str]:
    """Return the names of the models in the package."""
    return sorted(entry.parent.name for entry in PRETRAINED.glob("*/config.json"))


def is_pipeline_file(path: Path) -> bool:
    """Whether this is an existing file with the extension of a scikit-learn pipeline."""
    return path.suffix.lower() in PIPELINE_FILES and path.exists() and not path.is_dir()


def model_folder(path: str | Path) -> Path:
    """Return the folder of a model, given its path or the name of a bundled one; raise :class:`ModelError`."""
    folder = Path(path)
    check_model_path(folder)
    if folder.is_dir():
        return folder
    if str(path) in bundled():
        return PRETRAINED / str(path)
    if folder.exists():
        raise ModelError(
            f"the model must be a folder with {CONFIG} and {TENSORS}; got the file {folder}. Pass the folder, or a "
            "scikit-learn pipeline that skops.io.dump wrote to a .skops file."
        )
    names = f", or one of {', '.join(bundled())}" if bundled() else ""
    raise ModelError(f"no model at {str(path)!r}. Pass a folder that model.save() or 'textlrp train' wrote{names}.")


def check_model(path: str | Path) -> None:
    """Raise :class:`ModelError` if there is no model, without importing the packages that load it."""
    if not is_pipeline_file(Path(path)):
        read_config(model_folder(path))


def check_trained(path: str | Path, *kinds: str, purpose: str = "") -> None:
    """Raise :class:`ModelError` if there is no model that textlrp trained, or if it is of none of these ``kinds``."""
    if is_pipeline_file(Path(path)):
        raise ModelError(
            f"the model must be one that textlrp trained; got the scikit-learn pipeline {path}. Use the pipeline "
            "with predict, explain, report, words, shortcuts, similar or serve, or train a model: textlrp train "
            "CORPUS --model svm -o MODEL."
        )
    kind = read_config(model_folder(path))["kind"]
    if kinds and kind not in kinds:
        raise ModelError(
            f"{purpose} must have a model of kind {' or '.join(kinds)}; got {path}, of kind {kind}. "
            f"Train one: textlrp train CORPUS --model {kinds[0]} -o MODEL."
        )


def read_config(folder: Path) -> dict[str, Any]:
    """Return a model's ``config.json`` as a dict; raise :class:`ModelError` if it is missing, damaged or newer."""
    try:
        check_model_file(folder / CONFIG)
        with (folder / CONFIG).open("rb") as stream:
            data = stream.read(MAX_CONFIG_BYTES + 1)
        config = parse_config(data)
    except FileNotFoundError:
        raise ModelError(
            f"{folder} is not a textlrp model: {CONFIG} is missing. Pass a folder that model.save() wrote."
        ) from None
    except ModelError:
        raise
    except (OSError, ValueError) as broken:
        raise damaged(folder / CONFIG, broken) from None
    if (
        not isinstance(config, dict)
        or type(config.get("format")) is not int
        or not isinstance(config.get("kind"), str)
    ):
        if isinstance(config, dict) and "model_type" in config:
            raise ModelError(
                f"{folder} is a model of transformers, not of textlrp. Load it and its tokenizer "
                "in Python, and pass both to textlrp.explain."
            )
        raise ModelError(
            f"{folder} is not a textlrp model: its {CONFIG} has no format and kind. "
            "Pass a folder that model.save() wrote."
        )
    if config["format"] < 1:
        raise damaged(folder, f"format in {CONFIG} must be 1 or more; got {config['format']}")
    if config["format"] > MULTILABEL_FORMAT:
        raise ModelError(
            f"{folder} was saved by a newer version, textlrp {config.get('textlrp', '?')} in format "
            f"{config['format']}; this version reads formats up to {MULTILABEL_FORMAT}. Upgrade textlrp."
        )
    return config


def parse_config(data: bytes) -> Any:
    """Return the value of a ``config.json``; raise ValueError if it is not strict JSON or too long."""
    if len(data) > MAX_CONFIG_BYTES:
        raise ValueError(f"it is longer than {MAX_CONFIG_BYTES:,} bytes")
    return strict_json(data)


def write_folder(
    target: Path,
    tensors: dict[str, NDArray[Any]],
    config: dict[str, Any],
    *,
    force: bool = False,
    folders: Mapping[str, Path] = MappingProxyType({}),
) -> None:
    """Write both files to a temporary folder and rename it to ``target``; raise :class:`ModelError` on failure.

    ``folders`` are encoders to copy into it, by name.
    """
    with _as_model_error(), atomic_folder(target, MODEL, mark=False, force=force, parents=True) as beside:
        save_file(tensors, beside / TENSORS)
        config |= {"sha256": checksum(beside / TENSORS)}
        text = json_text(config, indent=2)
        try:
            parse_config(text.encode())
        except ValueError as broken:  # such as NaN in a card
            raise ModelError(
                f"{CONFIG} must be valid JSON: {broken}. Change the card, the options or the labels."
            ) from None
        (beside / CONFIG).write_text(text, encoding="utf-8")
        for name, folder in folders.items():
            copy_encoder(folder, beside / name)
        # safetensors makes its file readable by its owner only: give it the permissions of config.json
        (beside / TENSORS).chmod(stat.S_IMODE((beside / CONFIG).stat().st_mode))


def check_replaceable(target: Path, *, inputs: Iterable[str | Path] = (), force: bool = False) -> None:
    """Raise :class:`ModelError` if a model cannot be saved at ``target``, or would replace other things."""
    with _as_model_error():
        check_folder(target, MODEL, inputs=inputs, force=force, parents=True)


@contextmanager
def _as_model_error() -> Iterator[None]:
    try:
        yield
    except DataError as problem:
        raise ModelError(str(problem)) from None


def _is_model(folder: Path) -> bool:
    """Whether a folder contains a saved model and nothing else: its config has the checksums of its files."""
    names = {each.name for each in folder.iterdir()}
    if names - {ENCODER} != {CONFIG, TENSORS}:
        return False
    try:
        config = read_config(folder)
    except ModelError:
        return False
    if ENCODER in names and not _is_encoder(folder / ENCODER, config.get(ENCODER)):
        return False
    return config.get("sha256") == checksum(folder / TENSORS)


def _is_encoder(folder: Path, about: object) -> bool:
    """Whether a folder has the encoder that a config is ``about``, and nothing else."""
    files = {each.relative_to(folder) for each in folder.rglob("*") if not each.is_dir()}
    if not isinstance(about, dict) or files != set(encoder_files(folder)):
        return False
    return bool(hash_of_files(folder) == about.get("files"))


MODEL = FolderKind("a model", replaced=True, names={CONFIG, TENSORS, ENCODER}, recognize=_is_model)
"""A model folder needs no marker file: ``config.json`` identifies it."""


def checksum(path: Path) -> str:
    """Return the SHA-256 of a file's bytes in hexadecimal."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()
