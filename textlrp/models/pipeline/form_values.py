"""The features of a batch, or of alternatives of one text, as :class:`.Evaluation` reads them.

Letters: N texts, S alternatives of a text, J features, E non-zero features of one text, R outputs of a term.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from scipy import sparse
from torch import Tensor

from textlrp.models.pipeline.forms import Evaluation, Term, dense_weight
from textlrp.models.pipeline.stages import JointFeatures, Stage
from textlrp.models.text_options import TORCH_DTYPES


def batch_evaluation(joint: JointFeatures, features: Any, dtype: str) -> Evaluation:
    """Return the evaluation of forms for the features (N, J) of a batch, CSR; every output is (N, O)."""
    occurring: dict[int, tuple[Any, Any]] = {}

    def entries(stage: Stage) -> tuple[Any, Any]:
        # Only the columns that occur are multiplied: a hashing vectorizer may have a million columns.
        of_stage = features if len(joint.stages) == 1 else features[:, joint.places(stage)]
        columns, position = np.unique(of_stage.indices, return_inverse=True)
        shape = (of_stage.shape[0], len(columns))
        return columns, sparse.csr_matrix((of_stage.data.astype(dtype), position, of_stage.indptr), shape=shape)

    def product(term: Term) -> Tensor:
        assert isinstance(term.source, Stage)
        key = id(term.source)
        if key not in occurring:
            occurring[key] = entries(term.source)
        columns, values = occurring[key]
        outputs = np.asarray(values @ dense_weight(term.weight[:, columns]).T.astype(dtype))
        return torch.from_numpy(row_sums(term.weight).astype(dtype) - outputs if term.absent else outputs)

    return Evaluation(product, torch.zeros(features.shape[0], dtype=TORCH_DTYPES[dtype]))


def point_evaluation(joint: JointFeatures, columns: Any, inputs: Tensor) -> Evaluation:
    """Return the evaluation of forms for alternatives (S, E) of a text whose features are ``columns`` (E,)."""

    def product(term: Term) -> Tensor:
        assert isinstance(term.source, Stage)
        places = joint.places(term.source)
        of_stage = np.flatnonzero((columns >= places.start) & (columns < places.stop))
        weight = torch.from_numpy(dense_weight(term.weight[:, columns[of_stage] - places.start])).to(inputs.dtype)
        outputs = inputs[:, torch.from_numpy(of_stage)] @ weight.T
        return torch.from_numpy(row_sums(term.weight)).to(inputs.dtype) - outputs if term.absent else outputs

    return Evaluation(product, inputs.new_zeros(inputs.shape[0]))


def row_sums(weight: Any) -> Any:
    """Return the sum (R,) of each row of a weight."""
    return np.asarray(weight.sum(axis=1)).ravel()
