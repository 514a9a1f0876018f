"""Read a sentence encoder: a ``SentenceTransformer``, or the folder of one, as a torch module with its tokenizer.

:mod:`.encoder_modules` has the modules that are supported. Neither ``sentence_transformers`` nor ``transformers`` is
imported before an encoder is loaded from a folder.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from torch import nn

from textlrp.errors import ModelError, OptionError
from textlrp.models.encoders.encoder_modules import modes_and_layers, options_of_module, unsupported_module
from textlrp.models.encoders.pooled_encoder import PooledEncoder, UnitLength
from textlrp.models.encoders.transformer_loading import json_of_file, load_transformer, object_of_file
from textlrp.models.schema import short_text
from textlrp.models.torch_module.module_copies import ModuleCopies

MODULES = "modules.json"
"""File of an encoder's folder that lists its modules."""
MAX_LENGTHS = ("sentence_bert_config.json", "sentence_transformers_config.json")
"""Files of an encoder's folder that may contain the largest number of pieces."""
LARGEST_LENGTH = 1 << 20
"""A larger ``model_max_length`` of a tokenizer is a placeholder for no limit."""


@dataclass(frozen=True, slots=True, eq=False)
class SentenceEncoder:
    """A sentence encoder: the module that maps pieces to vectors, its fast tokenizer, and its length in pieces.

    ``max_length`` counts the special tokens. ``normalized``: whether the vectors have length 1.
    """

    module: PooledEncoder
    tokenizer: Any
    max_length: int

    @property
    def normalized(self) -> bool:
        """Whether the last layer scales vectors to length 1."""
        return len(self.module.layers) > 0 and isinstance(self.module.layers[-1], UnitLength)

    @property
    def dimensions(self) -> int:
        """D, the length of an embedding."""
        sizes = [each.out_features for each in self.module.layers if isinstance(each, nn.Linear)]
        transformer: Any = self.module.transformer  # torch does not know the type of its config
        return sizes[-1] if sizes else int(transformer.config.hidden_size) * len(self.module.modes)

    def in_dtype(self, dtype: str) -> SentenceEncoder:
        """Return the encoder in "float32" or "float64": itself, or with a copy of its module."""
        module = ModuleCopies(self.module).in_dtype(dtype)
        assert isinstance(module, PooledEncoder)
        return SentenceEncoder(module, self.tokenizer, self.max_length)

    def with_normalize(self, normalize: bool | None) -> SentenceEncoder:
        """Return the encoder with vectors of length 1 or without that scaling; None leaves it as it is."""
        if normalize is None or normalize == self.normalized:
            return self
        layers = list(self.module.layers)
        layers = [*layers, UnitLength()] if normalize else layers[:-1]
        module = PooledEncoder(self.module.transformer, self.module.modes, nn.Sequential(*layers))
        return SentenceEncoder(module, self.tokenizer, self.max_length)


def encoder_of(model: Any) -> SentenceEncoder:
    """Convert a ``SentenceTransformer``; its weights are shared, not copied.

    Raises :class:`ModelError` for a module that is not supported, and for one with a default prompt.
    """
    if getattr(model, "default_prompt_name", None):
        raise ModelError(
            f"encoder must have no default prompt; got default_prompt_name={model.default_prompt_name!r}. Set "
            "default_prompt_name to None."
        )
    first, *others = list(model)
    if type(first).__name__ != "Transformer":
        raise unsupported_module(type(first).__name__, "as its first module")
    if getattr(first, "do_lower_case", False):
        raise unsupported_module("Transformer(do_lower_case=True)")
    transformer = getattr(first, "auto_model", None) or first.model
    limit = model.max_seq_length or _longest(transformer.config, first.tokenizer)
    modes, layers = modes_and_layers([(type(each).__name__, options_of_module(each), each) for each in others])
    return _finished(transformer, modes, layers, first.tokenizer, int(limit))


def load_encoder(folder: str | Path) -> SentenceEncoder:
    """Load an encoder from its folder: that of a ``SentenceTransformer``, or of a plain transformer (mean pooling).

    Raises :class:`OptionError` if the folder does not exist, :class:`ModelError` if it cannot be read, and
    :class:`MissingExtraError` without the package ``transformers``.
    """
    folder = encoder_folder(folder)
    parts = _listed_modules(folder) if (folder / MODULES).exists() else []
    if parts and parts[0][0] != "Transformer":
        raise unsupported_module(parts[0][0], "as its first module")
    place = parts[0][1] if parts else folder
    transformer, tokenizer = load_transformer(place)
    settings: dict[str, Any] = {}
    for name in MAX_LENGTHS:
        if (place / name).exists():
            settings |= object_of_file(place / name)
    if settings.get("do_lower_case"):
        raise unsupported_module("Transformer(do_lower_case=True)")
    if (prompts := folder / "config_sentence_transformers.json").exists() and (
        prompt := object_of_file(prompts).get("default_prompt_name")
    ):
        raise ModelError(f"encoder must have no default prompt; got default_prompt_name={prompt!r} in {prompts}.")
    limit = settings.get("max_seq_length") or _longest(transformer.config, tokenizer)
    found: list[tuple[str, Any, Path | None]] = []
    for kind, path in parts[1:]:
        # Normalize has no options, and older versions of sentence-transformers write no file for it
        found.append((kind, {} if kind == "Normalize" else object_of_file(path / "config.json"), path))
    modes, layers = modes_and_layers(found or [("Pooling", {"pooling_mode": "mean"}, None)])
    return _finished(transformer, modes, layers, tokenizer, int(limit))


def _listed_modules(folder: Path) -> list[tuple[str, Path]]:
    """The type and the folder of each module of an encoder."""
    listed = json_of_file(folder / MODULES)
    if not isinstance(listed, list) or not all(
        isinstance(each, dict) and {"type", "path"} <= set(each) for each in listed
    ):
        raise ModelError(
            f"{folder / MODULES} must list the type and the path of each module; got {short_text(listed)}. Save the "
            "encoder again."
        )
    return [(str(each["type"]).rpartition(".")[2], folder / str(each["path"])) for each in listed]


def encoder_folder(path: str | Path) -> Path:
    """Return the folder of an encoder; raise :class:`OptionError` if it is not one."""
    folder = Path(path)
    if not folder.is_dir() or not ((folder / MODULES).exists() or (folder / "config.json").exists()):
        raise OptionError(
            f"encoder must be a SentenceTransformer or its folder, which has a {MODULES}; got {str(path)!r}. "
            "Download one with SentenceTransformer(name).save(folder), and pass the folder."
        )
    return folder


def _finished(
    transformer: Any, modes: tuple[str, ...], layers: list[nn.Module], tokenizer: Any, max_length: int
) -> SentenceEncoder:
    if not getattr(tokenizer, "is_fast", False):
        raise ModelError(
            f"encoder must have a fast tokenizer, which gives the offsets of its pieces; got a "
            f"{type(tokenizer).__name__}. Save the encoder with its tokenizer.json."
        )
    module = PooledEncoder(transformer, modes, nn.Sequential(*layers))
    return SentenceEncoder(module, tokenizer, max_length)


def _longest(config: Any, tokenizer: Any) -> int:
    """The largest number of pieces, where the encoder names none: that of its positions or its tokenizer."""
    limits = [getattr(config, "max_position_embeddings", None), getattr(tokenizer, "model_max_length", None)]
    found = [int(limit) for limit in limits if limit and limit < LARGEST_LENGTH]
    if not found:
        raise ModelError("encoder must have a largest number of pieces; it names none. Set its max_seq_length.")
    return min(found)
