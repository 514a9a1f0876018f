"""Read a sentence encoder: a ``SentenceTransformer``, or the folder of one, as a torch module with its tokenizer.

Open it for which parts of a sentence encoder are supported. Neither ``sentence_transformers`` nor ``transformers`` is
imported before an encoder is loaded from a folder.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import nn

from textlrp.errors import MissingExtraError, ModelError, OptionError
from textlrp.models.encoders.pooled_encoder import POOLINGS, PooledEncoder, UnitLength
from textlrp.models.torch_module.module_copies import ModuleCopies

MODULES = "modules.json"
"""File of an encoder's folder that lists its modules."""
MAX_LENGTHS = ("sentence_bert_config.json", "sentence_transformers_config.json")
"""Files of an encoder's folder that may contain the largest number of pieces."""
UNUSED = "pooler"
"""A module of many transformers that a sentence encoder does not use; it may have random weights."""
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
        return int(sizes[-1]) if sizes else int(self.module.transformer.config.hidden_size) * len(self.module.modes)

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
        raise _unsupported(type(first).__name__, "as its first module")
    if getattr(first, "do_lower_case", False):
        raise _unsupported("Transformer(do_lower_case=True)")
    transformer = getattr(first, "auto_model", None) or first.model
    limit = model.max_seq_length or _longest(transformer.config, first.tokenizer)
    modes, layers = _modes_and_layers([(type(each).__name__, _options_of(each), each) for each in others])
    return _finished(transformer, modes, layers, first.tokenizer, int(limit))


def load_encoder(folder: str | Path) -> SentenceEncoder:
    """Load an encoder from its folder: that of a ``SentenceTransformer``, or of a plain transformer (mean pooling).

    Raises :class:`OptionError` if the folder does not exist, :class:`ModelError` if it cannot be read, and
    :class:`MissingExtraError` without the package ``transformers``.
    """
    folder = encoder_folder(folder)
    listed = _json_of(folder / MODULES) if (folder / MODULES).exists() else []
    parts = [(str(each["type"]).rpartition(".")[2], folder / str(each["path"])) for each in listed]
    if parts and parts[0][0] != "Transformer":
        raise _unsupported(parts[0][0], "as its first module")
    place = parts[0][1] if parts else folder
    transformer, tokenizer = _load_transformer(place)
    settings: dict[str, Any] = {}
    for name in MAX_LENGTHS:
        if (place / name).exists():
            settings |= _json_of(place / name)
    if settings.get("do_lower_case"):
        raise _unsupported("Transformer(do_lower_case=True)")
    if (prompts := folder / "config_sentence_transformers.json").exists() and (
        name := _json_of(prompts).get("default_prompt_name")
    ):
        raise ModelError(f"encoder must have no default prompt; got default_prompt_name={name!r} in {prompts}.")
    limit = settings.get("max_seq_length") or _longest(transformer.config, tokenizer)
    found = [(kind, _json_of(path / "config.json") if (path / "config.json").exists() else {}, path)
             for kind, path in parts[1:]]  # fmt: skip
    modes, layers = _modes_and_layers(found or [("Pooling", {"pooling_mode": "mean"}, None)])
    return _finished(transformer, modes, layers, tokenizer, int(limit))


def encoder_folder(path: str | Path) -> Path:
    """Return the folder of an encoder; raise :class:`OptionError` if it is not one."""
    folder = Path(path)
    if not folder.is_dir() or not ((folder / MODULES).exists() or (folder / "config.json").exists()):
        raise OptionError(
            f"encoder must be a SentenceTransformer or its folder, which has a {MODULES}; got {str(path)!r}. "
            "Download one with SentenceTransformer(name).save(folder), and pass the folder."
        )
    return folder


# ---- parts


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


def _modes_and_layers(parts: list[tuple[str, Mapping[str, Any], Any]]) -> tuple[tuple[str, ...], list[nn.Module]]:
    """The poolings, and the layers after them; each part is its type, its options, and its module or its folder."""
    if not parts or parts[0][0] != "Pooling":
        raise _unsupported(parts[0][0] if parts else "nothing", "after the transformer")
    modes = _modes(parts[0][1])
    layers: list[nn.Module] = []
    for kind, options, source in parts[1:]:
        if kind == "Normalize":
            layers.append(UnitLength())
        elif kind == "Dense":
            layers += _dense_layers(options, source)
        elif kind != "Dropout":  # does nothing in evaluation mode
            raise _unsupported(kind)
    return modes, layers


def _modes(options: Mapping[str, Any]) -> tuple[str, ...]:
    """The names of the poolings in the options of a Pooling module, of any version of sentence-transformers."""
    older = {"cls": "cls_token", "max": "max_tokens", "mean": "mean_tokens", "mean_sqrt_len_tokens":
             "mean_sqrt_len_tokens", "weightedmean": "weightedmean_tokens", "lasttoken": "lasttoken"}  # fmt: skip
    given = options.get("pooling_mode")
    if given is None:
        given = [name for name, option in older.items() if options.get(f"pooling_mode_{option}")] or "mean"
    modes = (given,) if isinstance(given, str) else tuple(given)
    for mode in modes:
        if mode not in POOLINGS:
            raise ModelError(f"encoder must pool by {', '.join(POOLINGS)}; got {mode!r}.")
    return modes


ACTIVATIONS = {each.__name__: each for each in (nn.Identity, nn.Tanh, nn.ReLU, nn.GELU, nn.SiLU)}
"""The activations of a Dense module that are supported, by name."""


def _dense_layers(options: Mapping[str, Any], source: Any) -> list[nn.Module]:
    """The linear layer and the activation of a Dense module, from the module itself or from its folder."""
    name = str(options.get("activation_function", "torch.nn.modules.activation.Tanh")).rpartition(".")[2]
    if name not in ACTIVATIONS:
        raise _unsupported(f"Dense(activation_function={name})")
    if options.get("use_residual"):
        raise _unsupported("Dense(use_residual=True)")
    if options.get("module_input_name", "sentence_embedding") != "sentence_embedding":
        raise _unsupported(f"Dense(module_input_name={options['module_input_name']!r})")
    if isinstance(source, nn.Module):
        linear = source.linear
    else:
        from safetensors.torch import load_file

        path = source / "model.safetensors"
        if not path.exists():
            raise ModelError(
                f"encoder must have its weights in safetensors files; {path} is missing. Save the encoder again: "
                "SentenceTransformer(folder).save(folder)."
            )
        weights = load_file(path)
        rows, columns = weights["linear.weight"].shape
        linear = nn.Linear(columns, rows, bias="linear.bias" in weights)
        linear.load_state_dict({key.removeprefix("linear."): value.float() for key, value in weights.items()})
    return [linear] if name == "Identity" else [linear, ACTIVATIONS[name]()]


def _options_of(module: Any) -> Mapping[str, Any]:
    options: dict[str, Any] = dict(module.get_config_dict()) if hasattr(module, "get_config_dict") else {}
    if type(module).__name__ == "Dense":
        options["activation_function"] = type(module.activation_function).__name__
    return options


def _longest(config: Any, tokenizer: Any) -> int:
    """The largest number of pieces, where the encoder names none: that of its positions or its tokenizer."""
    limits = [getattr(config, "max_position_embeddings", None), getattr(tokenizer, "model_max_length", None)]
    found = [int(limit) for limit in limits if limit and limit < LARGEST_LENGTH]
    if not found:
        raise ModelError("encoder must have a largest number of pieces; it names none. Set its max_seq_length.")
    return min(found)


def _unsupported(what: str, where: str = "") -> ModelError:
    got = f"{what} {where}".rstrip()
    return ModelError(
        f"encoder must be a Transformer, a Pooling, and any number of Dense and Normalize modules; got {got}. Pass "
        "another encoder."
    )


def _json_of(path: Path) -> Any:
    try:
        return json.loads(path.read_bytes())
    except (OSError, ValueError) as problem:
        raise ModelError(
            f"{path} must be a JSON file; it cannot be read ({problem}). Save the encoder again."
        ) from None


def _load_transformer(folder: Path) -> tuple[Any, Any]:
    """The transformer in the folder and its tokenizer. Only safetensors are read, and nothing is downloaded."""
    try:
        from transformers import AutoModel, AutoTokenizer
    except ImportError:
        raise MissingExtraError(
            'A sentence encoder needs the package transformers. Install it: pip install "textlrp[transformers]".'
        ) from None
    try:
        with _quiet():
            transformer, report = AutoModel.from_pretrained(
                folder, local_files_only=True, use_safetensors=True, dtype=torch.float32, trust_remote_code=False,
                output_loading_info=True,
            )  # fmt: skip
            tokenizer = AutoTokenizer.from_pretrained(folder, local_files_only=True, trust_remote_code=False)
    except (OSError, ValueError, KeyError) as problem:
        reason = " ".join(str(problem).split())
        raise ModelError(f"the encoder in {folder} cannot be loaded: {reason}") from None
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
