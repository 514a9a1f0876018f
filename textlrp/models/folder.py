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

FORMAT = 1
CONFIG, TENSORS = "config.json", "model.safetensors"


def read_config(folder: Path) -> dict[str, Any]:
    """What a model's ``config.json`` says; raises :class:`ModelError` where it is missing, damaged or newer."""
    try:
        config = json.loads((folder / CONFIG).read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise ModelError(f"{folder} is no textlrp model: it has no {CONFIG}.") from None
    except (ValueError, OSError) as broken:
        raise ModelError(f"{folder / CONFIG} is damaged ({broken}); save the model again.") from None
    if not isinstance(config, dict) or not isinstance(config.get("format"), int) or "kind" not in config:
        raise ModelError(f"{folder} is no textlrp model: its {CONFIG} names no format and kind.")
    if config["format"] > FORMAT:
        raise ModelError(
            f"{folder} was saved by textlrp {config.get('textlrp', '?')} in format {config['format']}; this version "
            f"reads up to format {FORMAT}. Upgrade textlrp."
        )
    return config


def write_folder(target: Path, tensors: dict[str, NDArray[Any]], config: dict[str, Any]) -> None:
    """Both files in a folder beside ``target``, which then takes its place."""
    target.parent.mkdir(parents=True, exist_ok=True)
    beside = Path(tempfile.mkdtemp(prefix=".textlrp-", dir=target.parent))
    try:
        save_file(tensors, beside / TENSORS)
        (beside / TENSORS).chmod(0o644)  # safetensors lets nobody else read it
        config |= {"sha256": checksum(beside / TENSORS)}
        (beside / CONFIG).write_text(json.dumps(config, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
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
