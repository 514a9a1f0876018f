"""The sections of the measures that train models: planted shortcuts."""

from __future__ import annotations

from textlrp.reports.evaluation.tables import (
    Block,
    Cell,
    Results,
    Section,
    Table,
    count,
    difference_cells,
    documents,
    figure_cell,
    head,
    sentence,
    share_cell,
    share_text,
    verdicts_note,
)

_KINDS = {
    "token": ("A word", "A made-up word tells the label."),
    "context": (
        "Two words together",
        "Two made-up words at different places tell the label together. In decoys, one of them alone tells nothing.",
    ),
    "pair": (
        "Two words in order",
        "Two made-up words next to each other tell the label in one order. In decoys, the other order tells nothing.",
    ),
}
"""By the kind of shortcut: the title and the description of its block."""


def planted_section(planted: Results) -> Section:
    """Whether the models took the bait, and the precision of the methods at the planted words."""
    labels = ", ".join(planted.get("labels") or ())
    return Section(
        "planted",
        "Planted shortcuts",
        "Does a method find words that are known to have changed the prediction? Made-up words are planted into "
        f"documents that then get another label, as many as {share_text(planted['share'])} "
        f"of the documents of that label ({labels}). Models with the options of this model are trained on "
        f"{documents(planted.get('training_documents'))} of the corpus. The words are then planted into some of "
        f"the {documents(planted.get('held_out_documents'))} that were held out. The documents whose prediction "
        "changes to the label are explained. Precision@k is the share of planted words among the k most relevant "
        "words for the label, where k is the number of planted words.",
        "a high precision@k, a low mean rank",
        "Bastings et al., “Will You Find These Shortcuts?”, EMNLP 2022",
        tuple(block for kind in planted["kinds"] for block in _kind_blocks(kind, planted["taken_from"])),
    )


def _kind_blocks(kind: Results, taken_from: float) -> tuple[Block, ...]:
    title, about = _KINDS[kind["kind"]]
    shortcuts, rows = kind["shortcuts"], kind.get("rows") or ()
    taken = sentence(
        "The shortcut was learned in *{}* of {} cases (a label in a trained model). Only these are used to measure "
        "methods.",
        count(kind.get("taken")),
        count(len(shortcuts)),
    )
    return (
        Block(title, (sentence(about), taken), table=_methods_table(kind) if rows else None),
        Block(table=_baits_table(shortcuts, taken_from, decoys=kind["kind"] != "token")),
    )


def _methods_table(kind: Results) -> Table:
    rows = kind["rows"]
    against = rows[0]["method"]
    k = count(kind.get("planted_words"))
    return Table(
        f"Precision@{k} at the planted words, {documents(kind.get('documents'))}",
        head(
            "method",
            f"precision@{k} ↑",
            "standard deviation",
            "lowest",
            "mean rank ↓",
            f"difference from {against}",
            "95% interval",
            "text:verdict",
        ),
        tuple(
            (
                Cell(row["method"]),
                figure_cell(row.get("precision"), 3),
                figure_cell(row.get("sd"), 3, look="soft"),
                figure_cell(row.get("lowest"), 3),
                figure_cell(row.get("rank"), 1),
                *difference_cells(row.get("difference")),
            )
            for row in rows
        ),
        (
            "Precision and rank are means over the cases. The standard deviation and the lowest value are over the "
            f"cases. A random order has an expected precision of {share_text(kind.get('chance') or 0.0)}.",
            verdicts_note(against),
        ),
    )


def _baits_table(shortcuts: list[Results], taken_from: float, *, decoys: bool) -> Table:
    return Table(
        "Did the models learn the shortcut?",
        head(
            "label",
            "seed",
            "text:planted",
            "documents planted",
            "predictions changed ↑",
            *(["decoys resisted ↑"] if decoys else []),
            "documents explained",
            "text:learned",
        ),
        tuple(
            (
                Cell(each["label"]),
                Cell(count(each.get("seed")), "num"),
                Cell(" ".join(each.get("words") or ()), "soft"),
                Cell(count(each.get("carriers")), "num"),
                share_cell(each.get("changed")),
                *([share_cell(each.get("resisted"))] if decoys else []),
                Cell(count(each.get("documents")), "num"),
                Cell("yes" if each.get("taken") else "no"),
            )
            for each in shortcuts
        ),
        (
            f"A shortcut counts as learned if it changes at least {share_text(taken_from)} of the predictions of "
            "other labels on held-out documents"
            + (", and most documents with a decoy keep theirs." if decoys else "."),
        ),
    )
