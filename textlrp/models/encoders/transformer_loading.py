"""Load the transformer of a sentence encoder, and other files of its folder.

``transformers`` is not imported before a transformer is loaded.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError

from textlrp.errors import ModelError, missing_extra
from textlrp.models.schema import short_text

UNUSED = "pooler"
"""A module of many transformers that a sentence encoder does not use; it may have random weights."""


def object_of_file(path: Path) -> dict[str, Any]:
    """Return the object in a JSON file of an encoder; raise :class:`ModelError` if it cannot be read."""
    found = json_of_file(path)
    if not isinstance(found, dict):
        raise ModelError(f"{path} must contain an object; got {short_text(found)}. Save the encoder again.")
    return found


def json_of_file(path: Path) -> Any:
    """Return the content of a JSON file of an encoder; raise :class:`ModelError` if it cannot be read."""
    try:
        return json.loads(path.read_bytes())
    except (OSError, ValueError) as problem:
        raise ModelError(
            f"{path} must be a JSON file; it cannot be read ({problem}). Save the encoder again."
        ) from None


def load_transformer(folder: Path) -> tuple[Any, Any]:
    """Return the transformer in the folder and its tokenizer. Only safetensors are read; nothing is downloaded.

    Raises :class:`ModelError` if they cannot be loaded, :class:`MissingExtraError` without the package.
    """
    try:
        from transformers import AutoModel, AutoTokenizer
    except ImportError:
        raise missing_extra("a sentence encoder", "transformers", "transformers") from None
    try:
        with _quiet():
            transformer, report = AutoModel.from_pretrained(
                folder, local_files_only=True, use_safetensors=True, dtype=torch.float32, trust_remote_code=False,
                output_loading_info=True,
            )  # fmt: skip
            tokenizer = _tokenizer(AutoTokenizer, folder)
    except (OSError, ValueError, KeyError, TypeError, RuntimeError, SafetensorError) as problem:
        reason = " ".join(str(problem).split()).rstrip(".")
        raise ModelError(f"the encoder in {folder} cannot be loaded: {reason}. Save the encoder again.") from None
    names = tokenizer.vocab_files_names.values()
    if not any((folder / name).is_file() for name in names):  # transformers then makes an empty vocabulary
        raise ModelError(
            f"the encoder in {folder} must have the file of its tokenizer; there is no {' or '.join(names)}. Save "
            "the encoder again."
        )
    if getattr(transformer.config, "is_encoder_decoder", False):
        raise ModelError(
            f"encoder must be a transformer without a decoder; got {type(transformer).__name__}. Pass a "
            "SentenceTransformer, which uses only its encoder."
        )
    if missing := sorted(name for name in report["missing_keys"] if not name.startswith(f"{UNUSED}.")):
        raise ModelError(
            f"the encoder in {folder} must have all weights of its {type(transformer).__name__}; {missing[0]} is "
            "missing. Save the encoder again."
        )
    return transformer.requires_grad_(False).eval(), tokenizer


def _tokenizer(loader: Any, folder: Path) -> Any:
    """Load the tokenizer; raise ValueError for a damaged file."""
    try:
        return loader.from_pretrained(folder, local_files_only=True, trust_remote_code=False)
    except Exception as problem:
        if type(problem) is not Exception:
            raise
        raise ValueError(f"{problem}") from None  # the package tokenizers has no error of its own


@contextmanager
def _quiet() -> Iterator[None]:
    """Hide the progress bar and the report of transformers while it loads a model."""
    from transformers.utils import logging

    shown, level = logging.is_progress_bar_enabled(), logging.get_verbosity()
    logging.disable_progress_bar()
    logging.set_verbosity_error()
    try:
        yield
    finally:
        logging.set_verbosity(level)
        if shown:
            logging.enable_progress_bar()
