"""Call a transformer: with one text, or with many texts padded to one length.

Letters: M sequences, P ids of the longest with its special tokens, C classes.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from textlrp.lrp.recorded.replaced_vectors import output_of
from textlrp.models.outputs import LOGITS
from textlrp.models.transformers.fast_tokenizer import FastTokenizer

PieceIds = NDArray[np.int64]
"""The ids (P,) of the pieces of one sequence, without special tokens."""

OfPieces = Callable[[Tensor], Tensor]
"""The pieces (M, P) of sequences of one length, without special tokens -> an output of the module for each."""

NO_PIECE = -1
"""The position of a special token or of padding."""


class Padded(NamedTuple):
    """M sequences as the module reads them: ``ids``, ``mask`` and ``pieces`` are (M, P).

    ``types`` (M, P) are token-type ids, None if the module finds them itself. ``pieces`` are the positions of the
    pieces in their sequence, -1 for special tokens and padding.
    """

    ids: Tensor
    mask: Tensor
    types: Tensor | None
    pieces: Tensor

    def scores(self, module: nn.Module) -> Tensor:
        """Call the module; return its scores (M, C)."""
        return call_transformer(module, self.ids, self.mask, self.types)


def padded(sequences: Sequence[PieceIds], tokenizer: FastTokenizer, *, left: bool) -> Padded:
    """Put special tokens around sequences of pieces, and padding after them, or with ``left`` before them."""
    all_special = [tokenizer.special_tokens_of(len(each)) for each in sequences]
    sizes = [len(each) + special.size for each, special in zip(sequences, all_special, strict=True)]
    longest = max(sizes, default=0)
    ids = np.full((len(sequences), longest), tokenizer.padding or 0, dtype=np.int64)
    mask, types = np.zeros_like(ids), np.zeros_like(ids)
    pieces = np.full_like(ids, NO_PIECE)
    for row, (sequence, special, size) in enumerate(zip(sequences, all_special, sizes, strict=True)):
        place = slice(longest - size, longest) if left else slice(0, size)
        ids[row, place] = [*special.prefix, *sequence.tolist(), *special.suffix]
        mask[row, place] = 1
        types[row, place] = special.types_of(len(sequence)) or 0
        first = place.start + len(special.prefix)
        pieces[row, first : first + len(sequence)] = np.arange(len(sequence))
    as_tensors = [torch.from_numpy(each) for each in (ids, mask, types, pieces)]
    return Padded(
        as_tensors[0], as_tensors[1], None if tokenizer.special_tokens.types is None else as_tensors[2], as_tensors[3]
    )


def of_pieces(call: Callable[[Tensor, Tensor, Tensor | None], Tensor], tokenizer: FastTokenizer) -> OfPieces:
    """Return the function from the pieces (M, P) of sequences of one length to ``call(ids, mask, types)``.

    It puts the special tokens around the pieces, so that a recorder of the function knows them from the text.
    """

    def forward(pieces: Tensor) -> Tensor:
        count, length = pieces.shape
        special = tokenizer.special_tokens_of(length)
        prefix, suffix = (torch.tensor([part], dtype=torch.int64).expand(count, -1) for part in special[:2])
        ids = torch.cat([prefix, pieces, suffix], dim=1) if special.size else pieces
        types = special.types_of(length)
        of_all = None if types is None else torch.tensor([types]).expand(count, -1)
        return call(ids, torch.ones(ids.shape, dtype=torch.int64), of_all)

    return forward


def scores_of_pieces(module: nn.Module, tokenizer: FastTokenizer) -> OfPieces:
    """Return the function from the pieces (M, P) of sequences of one length to their scores (M, C)."""
    return of_pieces(partial(call_transformer, module), tokenizer)


def call_transformer(module: nn.Module, ids: Tensor, mask: Tensor, types: Tensor | None) -> Tensor:
    """Call a module with ids (M, P), their attention mask and token types; return its scores (M, C)."""
    more: dict[str, Any] = {} if types is None else {"token_type_ids": types}
    result = module(input_ids=ids, attention_mask=mask, **more)
    scores = getattr(result, LOGITS, None)
    return scores if isinstance(scores, Tensor) else output_of(result)
