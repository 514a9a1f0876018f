"""The folder that a saved model is: ``config.json`` and ``model.safetensors``, written whole or not at all."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import tempfile
from pathlib import Path
from typing import Any

from numpy.typing import NDArray
from safetensors.numpy import save_file

from textlrp.errors import ModelError
from textlrp.models.schema import LONGEST_CONFIG, check_regular, damaged, strict_json

FORMAT = 1
CONFIG, TENSORS = "config.json", "model.safetensors"


def read_config(folder: Path) -> dict[str, Any]:
    """What a model's ``config.json`` says; raises :class:`ModelError` where it is missing, damaged or newer."""
    try:
        check_regular(folder / CONFIG)
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
    if config["format"] > FORMAT:
        raise ModelError(
            f"{folder} was saved by textlrp {config.get('textlrp', '?')} in format {config['format']}; this version "
            f"reads up to format {FORMAT}. Upgrade textlrp."
        )
    return config


def parse_config(data: bytes) -> Any:
    """The value of a ``config.json``; raises ValueError where it is not strict JSON, or too long."""
    if len(data) > LONGEST_CONFIG:
        raise ValueError(f"it is longer than {LONGEST_CONFIG} bytes")
    return strict_json(data)


def write_folder(target: Path, tensors: dict[str, NDArray[Any]], config: dict[str, Any]) -> None:
    """Both files in a folder beside ``target``, which then takes its place."""
    target.parent.mkdir(parents=True, exist_ok=True)
    beside = Path(tempfile.mkdtemp(prefix=".textlrp-", dir=target.parent))
    try:
        save_file(tensors, beside / TENSORS)
        (beside / TENSORS).chmod(0o644)  # safetensors lets nobody else read it
        config |= {"sha256": checksum(beside / TENSORS)}
        text = json.dumps(config, indent=2, ensure_ascii=False) + "\n"
        try:
            parse_config(text.encode())
        except ValueError as broken:  # such as NaN in a card
            raise ModelError(
                f"{CONFIG} must be valid JSON; {broken}. Change the card, the options or the labels."
            ) from None
        (beside / CONFIG).write_text(text, encoding="utf-8")
        beside.chmod(0o755)
        _swap(beside, target)
    finally:
        shutil.rmtree(beside, ignore_errors=True)


def check_replaceable(target: Path) -> None:
    """Refuse to write where something else than a model of ours would be lost."""
    if target.exists() and not target.is_dir():
        raise ModelError(f"{target} is a file; name a folder for the model.")
    others = sorted({entry.name for entry in target.iterdir()} - {CONFIG, TENSORS}) if target.is_dir() else []
    if others:
        raise ModelError(
            f"{target} is a folder with other things in it, such as {others[0]!r}; name a new folder "
            "or an older model."
        )
    if target.is_dir() and any(target.iterdir()):
        try:
            read_config(target)
        except ModelError as foreign:
            raise ModelError(f"{target} is not replaced, for it may hold something else. ({foreign})") from None


def _swap(beside: Path, target: Path) -> None:
    """Put ``beside`` in the place of ``target``; on a failure what was there stays."""
    if not target.exists():
        beside.rename(target)
        return
    old = Path(tempfile.mkdtemp(prefix=".textlrp-old-", dir=target.parent))
    try:
        os.replace(target, old / "model")
        try:
            beside.rename(target)
        except OSError:
            os.replace(old / "model", target)
            raise
    finally:
        shutil.rmtree(old, ignore_errors=True)


def checksum(path: Path) -> str:
    """SHA-256 of a file's bytes."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()
