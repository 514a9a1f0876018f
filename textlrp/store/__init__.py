"""Write explanations to files, and read them back: JSON Lines, Parquet, or the folder of a bulk run. No torch needed.

A Parquet file has one row per document. In the shapes, K is the number of explained targets, C the number of classes,
and L the number of tokens stored in the row:

| column | shape | contents |
|---|---|---|
| ``row`` | | position of the document in the input, from 0 |
| ``document_id`` | | id of the document |
| ``true_label`` | | the true label as text; null if there is none |
| ``predicted`` | | predicted class: usually the one with the highest score |
| ``scores`` | (C,) | scores, such as those before a softmax, float32 |
| ``targets`` | (K,) | the explained classes, as positions in the list of class labels |
| ``versus`` | (K,) | for a contrast, the class that the target is compared with; otherwise -1 |
| ``words`` | (L,) | the tokens as the model looks them up (normalized, usually in lower case) |
| ``starts``, ``ends`` | (L,) | character offsets: the token is ``text[start:end]`` |
| ``status`` | (L,) | 0 if the model reads the token, else why not: see :class:`textlrp.records.Status` |
| ``scale`` | | factor for ``relevance``; 1 if this is float32 |
| ``relevance`` | (K, L) | relevance divided by ``scale``, float32 or float16 |
| ``absorbed`` | (K,) | relevance that reached no word: the sum of the ledger |
| ``left_out`` | (K,) | relevance of the words that ``top_k`` dropped, which are not in the row; otherwise 0 |

For LRP, ``scale * relevance.sum(axis=1) + absorbed + left_out`` equals the scores that propagation started from
(:attr:`textlrp.Explanation.start_scores`). With float16, the error of a relevance is at most 0.001 of the largest
absolute relevance in the row.

:func:`write` stores whole explanations: all tokens, exact relevance, and the other fields of
:class:`textlrp.Explanation` as further columns (``text``, ``labels``, ``probabilities``, ``counts``, ``ledger``,
``phrases``, ``method``, ``rule``, ``model``, ``version``, ``start``, ``notes``, ``target_notes``).

A bulk run stores only the words that the model reads and the unknown words. What all its rows share is in the
metadata of the schema, as JSON under the key ``textlrp``: ``classes`` (the labels), ``method``, ``rule``, ``model``,
``version``, ``precision``, ``top_k``, ``start`` and ``notes``. The rows of the input that could not be read are
listed in the metadata of the file, under the key ``rejected``.

:func:`write_annotations` writes files for annotation tools and other programs, which textlrp does not read back.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from textlrp.lazy_imports import importer

if TYPE_CHECKING:
    from textlrp.store.annotations import write_annotations
    from textlrp.store.explanations import read, write
    from textlrp.store.frame import to_frame
    from textlrp.store.long_table import long_tables

__all__ = ["long_tables", "read", "to_frame", "write", "write_annotations"]

__getattr__ = importer(
    __name__,
    {
        "long_tables": "store.long_table",
        "read": "store.explanations",
        "to_frame": "store.frame",
        "write": "store.explanations",
        "write_annotations": "store.annotations",
    },
)
