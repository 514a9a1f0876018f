"""Save and load an EncoderClassifier: a folder with its head that names the encoder, or contains it.

Open it for the field ``encoder`` of ``config.json``. What all models have in common is in
:mod:`textlrp.models.saving` and :mod:`textlrp.models.loading`.
"""

from __future__ import annotations

import copy
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from textlrp.errors import ModelError
from textlrp.models.encoders.encoder_files import ENCODER, hash_of_files
from textlrp.models.encoders.recognized_encoders import is_sentence_transformer
from textlrp.models.saving import save_model
from textlrp.models.schema import damaged, short_text

if TYPE_CHECKING:
    from textlrp.models.encoders.encoder_scoring import EncoderScoring

LINKS = ("softmax", "none")


def save_encoder_model(
    model: EncoderScoring,
    path: str | Path,
    *,
    card: Mapping[str, Any] | None = None,
    force: bool = False,
    include_encoder: bool = False,
) -> Path:
    """Write a fitted classifier to the folder ``path``; see :meth:`textlrp.EncoderClassifier.save`."""
    model.check_fitted()
    stored = copy.copy(model)
    # an estimator cannot be written without pickle, and neither can an encoder that is an object
    stored.head = model.head if isinstance(model.head, str) else None
    stored.encoder = None
    about = {"digest": model.encoder_digest_, "link": model.link_, "C": model.C_}
    if is_sentence_transformer(model.encoder):
        if not include_encoder:
            raise ModelError(
                "the encoder was passed as an object, so the saved model cannot name its folder. Pass "
                "include_encoder=True to save it with the model, or train with encoder= the folder."
            )
        with tempfile.TemporaryDirectory() as place:
            model.encoder.save(place, safe_serialization=True)
            about |= {"folder": None, "files": hash_of_files(Path(place))}
            return save_model(
                stored, path, card=card, force=force, about={ENCODER: about}, folders={ENCODER: Path(place)}
            )
    folder = Path(model.encoder).absolute()
    about |= {"folder": None if include_encoder else str(folder), "files": model.encoder_files_}
    folders = {ENCODER: folder} if include_encoder else {}
    if include_encoder and hash_of_files(folder) != model.encoder_files_:
        raise ModelError(
            f"the encoder in {str(folder)!r} has changed since the training, so it cannot be included. Train again."
        )
    return save_model(stored, path, card=card, force=force, about={ENCODER: about}, folders=folders)


def restore_encoder(model: Any, folder: Path, config: Mapping[str, Any], moved: str | Path | None) -> None:
    """Set the fitted attributes about the encoder of a loaded model. The encoder itself is loaded when it is needed.

    ``moved`` is its new folder, if the user passed one. Raises :class:`ModelError` if it is missing or has changed.
    """
    from textlrp.models.encoders.loaded_encoder import check_files  # imported late: it imports torch

    about = config.get(ENCODER)
    if (
        not isinstance(about, dict)
        or not all(isinstance(about.get(name), str) for name in ("digest", "files"))
        or not isinstance(about.get("folder"), (str, type(None)))
        or about.get("link") not in LINKS
        or not isinstance(about.get("C"), (int, float, type(None)))
    ):
        raise damaged(
            folder, f"encoder in config.json must have digest, files, folder, link and C; got {short_text(about)}"
        )
    place = (
        Path(moved) if moved is not None else folder / ENCODER if about["folder"] is None else Path(about["folder"])
    )
    check_files(place.absolute(), about["files"])
    model.encoder = str(place.absolute())
    model.encoder_digest_, model.encoder_files_ = about["digest"], about["files"]
    model.link_, model.C_ = about["link"], about["C"]
