"""The encoder of an EncoderClassifier: loaded once, and identified by a hash of all that embeddings depend on."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from textlrp.errors import ModelError
from textlrp.models.encoders.encoder_files import hash_of_files
from textlrp.models.encoders.pooled_encoder import PooledEncoder
from textlrp.models.encoders.sentence_encoder import SentenceEncoder, encoder_of, load_encoder
from textlrp.models.encoders.transformer_loading import UNUSED
from textlrp.models.torch_module.module_digest import digest_of
from textlrp.models.transformers.fast_tokenizer import fast_tokenizer

PROVENANCE = ("_name_or_path", "architectures", "dtype", "torch_dtype", "transformers_version", "use_cache")
"""Settings of a transformer that do not change its embeddings: where it comes from, and caches of decoders."""

_NEW_FOLDER = "save the model with the folder of the old one: textlrp.load(MODEL, encoder=FOLDER).save(MODEL)"
"""What to do if an encoder was moved. A saved model also works at the command line."""


@dataclass(frozen=True, slots=True, eq=False)
class LoadedEncoder:
    """An ``encoder`` and its ``digest`` in hexadecimal.

    ``folder`` is where it was loaded from and ``files`` the hash of the files there; both are None for an encoder
    that was passed as an object.
    """

    encoder: SentenceEncoder
    digest: str
    folder: Path | None = None
    files: str | None = None


class Unpickled:
    """A cached value that is left out of pickles and of copies."""

    def __init__(self, source: object = None, value: Any = None) -> None:
        self.source, self.value = source, value

    def __reduce__(self) -> tuple[Any, ...]:
        return Unpickled, ()

    def __deepcopy__(self, memo: object) -> Unpickled:
        return Unpickled()


def loaded_encoder(source: Any, *, expected: str | None = None, digest: str | None = None) -> LoadedEncoder:
    """Load the encoder from its folder, or convert the SentenceTransformer that was passed as ``source``.

    ``expected`` is the hash of the files that the folder must have, and ``digest`` the digest that belongs to it.
    Raises :class:`ModelError` if the files have changed.
    """
    if not isinstance(source, (str, Path)):
        encoder = encoder_of(source)
        return LoadedEncoder(encoder, encoder_digest(encoder))
    folder = Path(source).absolute()
    if expected is not None:
        check_files(folder, expected)
    encoder = load_encoder(folder)
    return LoadedEncoder(encoder, digest or encoder_digest(encoder), folder, expected or hash_of_files(folder))


def check_files(folder: Path, expected: str) -> None:
    """Raise :class:`ModelError` if an encoder's folder is missing, or has other files than in training."""
    if not folder.is_dir():
        raise ModelError(
            f"the encoder of the model must be in the folder {str(folder)!r}; there is none. Put it back, or "
            f"{_NEW_FOLDER}."
        )
    if hash_of_files(folder) != expected:
        raise ModelError(
            f"the encoder in {str(folder)!r} must be the one that the model was trained with; its files have changed."
            f" Restore them, {_NEW_FOLDER}, or train the model again."
        )


def encoder_digest(encoder: SentenceEncoder) -> str:
    """Return a hash of weights, settings, tokenizer, pooling, layers and length, in hexadecimal."""
    parts = (module_digest(encoder.module), fast_tokenizer(encoder.tokenizer).digest, encoder.max_length)
    return hashlib.sha256(repr(parts).encode()).hexdigest()


def module_digest(module: PooledEncoder) -> str:
    """Return a hash of the weights and settings of an encoder, without weights that it does not use."""
    digest = digest_of(module.layers)
    transformer: Any = module.transformer
    for name, part in transformer.named_children():
        if name != UNUSED:
            digest.update(f"{name}{digest_of(part).hexdigest()}".encode())
    for name, value in transformer.named_parameters(recurse=False):
        digest.update(f"{name}{value.detach().tolist()}".encode())
    settings = {name: value for name, value in transformer.config.to_dict().items() if name not in PROVENANCE}
    parts = [settings, module.modes, str(module.layers)]
    digest.update(json.dumps(parts, sort_keys=True, default=str).encode())
    return digest.hexdigest()
