"""What a saved model is known to be: its kind, classes, sizes and files, and the fields of its card.

Open it to add a field to the card in ``config.json``; :mod:`textlrp.reports.model_card` writes it as Markdown. It
imports no torch and loads no weights.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any, NamedTuple

from textlrp.errors import ModelError, must_be
from textlrp.models.encoders.encoder_files import ENCODER
from textlrp.models.model_folder import CONFIG, TENSORS, checksum, model_folder, read_config
from textlrp.models.model_kinds import KINDS
from textlrp.models.schema import check_config, damaged, short_text
from textlrp.models.tensor_file import read_header, words_in


class CardField(NamedTuple):
    """A field of a card: its ``meaning``, what a value must be, and a function that checks a value."""

    meaning: str
    what: str
    correct: Callable[[Any], bool]


def _is_text(value: Any) -> bool:
    return isinstance(value, str)


def _are_texts(value: Any) -> bool:
    return isinstance(value, list) and all(map(_is_text, value))


def _is_whole_number(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= 0


def _is_share(value: Any) -> bool:
    return value is None or (isinstance(value, (int, float)) and not isinstance(value, bool) and 0 <= value <= 1)


def _is_measured(value: Any) -> bool:
    return (
        isinstance(value, dict)
        and set(value) == {"precision", "recall", "texts"}
        and (_is_share(value["precision"]) and _is_share(value["recall"]) and _is_whole_number(value["texts"]))
    )


def _are_measured(value: Any) -> bool:
    return isinstance(value, dict) and all(map(_is_measured, value.values()))


def _is_object(value: Any) -> bool:
    return isinstance(value, dict)


_TEXT = ("a string", _is_text)
_LIST_OF_TEXTS = ("a list of strings", _are_texts)
_COUNT = ("a whole number", _is_whole_number)
_SHARE = ("a number from 0 to 1, or null", _is_share)

CARD_FIELDS: Mapping[str, CardField] = MappingProxyType(
    {
        "what": CardField("what the model is, in a sentence", *_TEXT),
        "corpus": CardField("name of the training corpus", *_TEXT),
        "documents": CardField("number of training texts", *_COUNT),
        "origin": CardField("where the training texts come from", *_TEXT),
        "license": CardField("the license of the training texts, and what of them is in the model", *_TEXT),
        "intended_use": CardField("what the model is for", *_LIST_OF_TEXTS),
        "limits": CardField("what the model is not for, and where it fails", *_LIST_OF_TEXTS),
        "test_accuracy": CardField("accuracy on the test texts", *_SHARE),
        "test_accuracy_before_compression": CardField("the same before the weights were compressed", *_SHARE),
        "held_out_accuracy": CardField("accuracy on training texts that were kept out of the training", *_SHARE),
        "test_probability": CardField("mean probability of the predicted class on the test texts", *_SHARE),
        "test_texts": CardField("number of test texts", *_COUNT),
        "classes": CardField(
            "for each class, precision and recall on the test texts, and how many of them have the class",
            "an object of objects with precision, recall and texts",
            _are_measured,
        ),
        "shortcuts": CardField("known shortcuts: words that predict a class but are not its topic", *_LIST_OF_TEXTS),
        "command": CardField("the command that trained the model", *_TEXT),
        "card_command": CardField("the command that measured the numbers of the card", *_TEXT),
        "seed": CardField("seed of the training", "any value", lambda value: True),
        "settings": CardField("options that differ from the defaults", "an object", _is_object),
        "training_data_sha256": CardField("SHA-256 of the ids and texts of the training corpus", *_TEXT),
    }
)  # fmt: skip
"""The fields of a card that textlrp knows. All may be missing, and a card may have others."""


def model_facts(path: str | Path) -> dict[str, Any]:
    """Return what is known about a saved model, given its folder or the name of a bundled one, as data for JSON.

    The keys are ``name``, ``kind``, ``kind_name``, ``textlrp`` (the version that saved it), ``multi_label``,
    ``classes`` (C labels), ``documents``, ``words`` (V), ``parameters``, ``options``, ``files`` (for each its
    ``bytes`` and ``sha256``), and ``card``, with the fields of :data:`CARD_FIELDS`. Raises :class:`ModelError` if the
    folder is not a model, is damaged, or has a card with a wrong value.
    """
    folder = model_folder(path)
    config = read_config(folder)
    try:
        check_config(config)
        words = words_in(read_header(folder / TENSORS))
        files = {name: _file_facts(folder / name) for name in _file_names(folder)}
    except FileNotFoundError:
        raise ModelError(f"{folder} is incomplete: {TENSORS} is missing. Save the model again.") from None
    except (OSError, ModelError) as broken:
        raise damaged(folder, broken) from None
    if config.get("sha256") not in (None, files[TENSORS]["sha256"]):
        raise damaged(folder, f"{TENSORS} has changed since it was saved (its checksum differs)")
    kind = config["kind"]
    return {
        "name": folder.resolve().name,
        "kind": kind,
        "kind_name": KINDS[kind].what.partition(";")[0] if kind in KINDS else kind,
        "textlrp": config.get("textlrp", ""),
        "multi_label": config.get("thresholds") is not None,
        "classes": config["classes"],
        "documents": config["documents"],
        "words": words,
        "parameters": sum(math.prod(shape) for shape in config["shapes"].values()),
        "options": config["options"],
        "files": files,
        "card": checked_card(config.get("card", {})),
    }


def checked_card(card: Mapping[str, Any]) -> dict[str, Any]:
    """Return a card as a dict; raise :class:`ModelError` if a known field has a wrong value. None is no value."""
    for name, field in CARD_FIELDS.items():
        value = card.get(name)
        if value is not None and not field.correct(value):
            hint = f"Change {CONFIG}, or remove the field."
            raise ModelError(f"{must_be(f'card.{name} in {CONFIG}', field.what, _Shown(short_text(value)))} {hint}")
    return {name: value for name, value in card.items() if value is not None}


class _Shown(str):
    """A text that a message shows without quotes."""

    __slots__ = ()

    def __repr__(self) -> str:
        return str(self)


def _file_names(folder: Path) -> list[str]:
    encoder = [each.relative_to(folder).as_posix() for each in (folder / ENCODER).rglob("*") if each.is_file()]
    return [CONFIG, TENSORS, *sorted(encoder)]


def _file_facts(path: Path) -> dict[str, Any]:
    return {"bytes": path.stat().st_size, "sha256": checksum(path)}
