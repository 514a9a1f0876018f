"""Save the model of a pipeline component next to the pipeline, and load it again. Nothing is unpickled."""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path
from typing import Any

import srsly  # type: ignore[import-untyped]

from textlrp.errors import ModelError, missing_extra
from textlrp.models.base import TextClassifier
from textlrp.models.classifier import Classifier
from textlrp.models.model_folder import check_replaceable

SAVED = "model"
"""The name of the model's folder; a scikit-learn pipeline is the file with this stem."""


def save_component_model(model: Classifier, folder: Path) -> None:
    """Write a model to ``folder``: as a model folder or, a scikit-learn pipeline, as a ``.skops`` file.

    A model of the other kind that was saved there before is removed, because the folder would have two models. Raises
    :class:`ModelError` for a model that has no file format, and :class:`MissingExtraError` without skops.
    """
    from textlrp.models.pipeline.pipeline_model import PipelineModel  # imported late: it needs scikit-learn

    folder.mkdir(parents=True, exist_ok=True)
    as_folder, as_file = folder / SAVED, folder / f"{SAVED}.skops"
    if isinstance(model, TextClassifier):
        model.save(as_folder)
        as_file.unlink(missing_ok=True)
    elif isinstance(model, PipelineModel):
        check_replaceable(as_folder)
        _save_pipeline(model, as_file)
        shutil.rmtree(as_folder, ignore_errors=True)
    else:
        raise ModelError(
            f"model must be a classifier of textlrp or a scikit-learn pipeline to be saved; got a "
            f"{type(model).__name__}. Save it yourself, call nlp.to_disk(..., exclude=[...]) with the name of the "
            "component, and assign component.model after loading."
        )


def load_component_model(folder: Path) -> Any | None:
    """Load the model that :func:`save_component_model` wrote to ``folder``; None if there is none."""
    from textlrp.models.estimators import load

    for path in (folder / SAVED, folder / f"{SAVED}.skops"):
        if path.exists():
            return load(path)
    return None


def model_bytes(model: Classifier) -> bytes:
    """Return the files of :func:`save_component_model` as bytes."""
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        save_component_model(model, folder)
        files = {
            path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()
        }
    packed_files: bytes = srsly.msgpack_dumps(files)
    return packed_files


def model_from_bytes(data: bytes) -> Any | None:
    """Load the model from the result of :func:`model_bytes`; raise :class:`ModelError` if the data are damaged."""
    files = _unpacked_files(data)
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place).resolve()
        for name, content in files.items():
            path = (folder / name).resolve()
            if not path.is_relative_to(folder):
                raise ModelError(
                    f"the data of the pipeline must contain only model files; got {name!r}. Save it again."
                )
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content)
        return load_component_model(folder)


def _unpacked_files(data: bytes) -> dict[str, bytes]:
    try:
        files = srsly.msgpack_loads(data)
    except (ValueError, TypeError, EOFError):
        files = None
    if not isinstance(files, dict) or not all(
        isinstance(name, str) and isinstance(content, bytes) for name, content in files.items()
    ):
        raise ModelError("the data of the pipeline must contain model files; got damaged data. Save it again.")
    return files


def _save_pipeline(model: Any, path: Path) -> None:
    try:
        from skops.io import dump
    except ImportError as error:
        raise missing_extra("saving a scikit-learn pipeline", "skops", "skops") from error
    from textlrp.models.pipeline.pipeline_files import load_pipeline

    dump(model.estimator, path)
    load_pipeline(path)  # raises ModelError now, and not in the program that loads it
