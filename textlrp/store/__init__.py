"""Store explanations in files and read them back: JSON Lines, Parquet, or the folder of a bulk run. Needs no torch.

A Parquet file has one row per document. In the shapes K are the explained targets, C the classes, and L the tokens of
the row:

| column | shape | contents |
|---|---|---|
| ``row`` | | position of the document in the input, from 0 |
| ``document_id``, ``true_label`` | | the document's name; its true label or null |
| ``predicted``, ``scores`` | (C,) | predicted class; scores before the softmax |
| ``targets``, ``versus`` | (K,) | positions of the explained classes, and of what each is contrasted with or -1 |
| ``words`` | (L,) | the words as the model looks them up |
| ``starts``, ``ends`` | (L,) | character offsets in the text |
| ``status`` | (L,) | :class:`textlrp.records.Status`; 0 is a known word, 3 an unknown one |
| ``relevance`` | (K, L) | to multiply by ``scale``: float16 (error at most 0.001 of the row's largest) or float32 |
| ``absorbed``, ``left_out`` | (K,) | relevance that reached no word; relevance of the words that ``top_k`` dropped |

:func:`write` stores whole explanations: all tokens, exact relevance, and the other fields of
:class:`textlrp.Explanation` as further columns (``text``, ``ledger``, ``phrases``, ...). A bulk run stores the words
that the model read, and keeps in the schema's metadata what all rows share (classes, method, rule, model, ...).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from textlrp.lazy_imports import importer

if TYPE_CHECKING:
    from textlrp.store.explanations import read, write
    from textlrp.store.frame import to_frame
    from textlrp.store.long_table import long_tables

__all__ = ["long_tables", "read", "to_frame", "write"]

__getattr__ = importer(
    __name__,
    {
        "long_tables": "store.long_table",
        "read": "store.explanations",
        "to_frame": "store.frame",
        "write": "store.explanations",
    },
)
