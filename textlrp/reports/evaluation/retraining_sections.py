"""The sections of the measures that train models: planted shortcuts and recursive ROAR."""

from __future__ import annotations

from typing import NamedTuple

from markupsafe import Markup

from textlrp.reports.charts.figures import masking_figure
from textlrp.reports.evaluation.tables import (
    Block,
    Cell,
    Drawing,
    Results,
    Section,
    Sentence,
    Table,
    count,
    difference_cells,
    documents,
    figure_cell,
    finite,
    head,
    sentence,
    share_cell,
    share_text,
    too_few,
    verdicts_note,
)


class _KindText(NamedTuple):
    """How the page describes a kind of shortcut; ``phrase`` is for sentences."""

    title: str
    phrase: str
    about: str


_KINDS = {
    "token": _KindText("A word", "a word", "A made-up word tells the label."),
    "context": _KindText(
        "Two words together",
        "two words together",
        "Two made-up words at different places tell the label together. In decoys, one of them alone tells nothing.",
    ),
    "pair": _KindText(
        "Two words in order",
        "two words in order",
        "Two made-up words next to each other tell the label in one order. In decoys, the other order tells nothing.",
    ),
}
"""By the kind of shortcut."""


def planted_section(planted: Results) -> Section:
    """Whether the models took the bait, and the precision of the methods at the planted words."""
    labels = ", ".join(planted.get("labels") or ())
    return Section(
        "planted",
        "Planted shortcuts",
        "Does a method find words that are known to have changed the prediction? Made-up words are planted into "
        f"documents that then get another label, as many as {share_cell(planted.get('share')).text} "
        f"of the documents of that label ({labels}). Models with the options of this model are trained on "
        f"{documents(planted.get('training_documents'))} of the corpus. The words are then planted into some of "
        f"the {documents(planted.get('held_out_documents'))} that were held out. The documents whose prediction "
        "changes to the label are explained. Precision@k is the share of planted words among the k words "
        "with the highest relevance for the label, where k is the number of planted words.",
        "a high precision@k, a low mean rank",
        "Bastings et al., “Will You Find These Shortcuts?”, EMNLP 2022",
        tuple(block for kind in planted["kinds"] for block in _kind_blocks(kind, planted.get("taken_from"))),
    )


def planted_finding(planted: Results) -> Sentence:
    """The precision of the first method at planted words, for each kind of shortcut that was learned."""
    parts, values = [], []
    for kind in planted.get("kinds") or ():
        rows = kind.get("rows") or ()
        precision = finite(rows[0].get("precision")) if rows else None
        if precision is not None:
            values += [share_text(precision), _KINDS[kind["kind"]].phrase]
            parts.append("*{}* for {}" + too_few(kind.get("documents")))
    if not parts:
        return ()
    method = next(kind["rows"][0]["method"] for kind in planted["kinds"] if kind.get("rows"))
    pattern = "Share of planted words that *{}* ranks highest, in models that learned them as a shortcut: "
    return sentence(pattern + ", ".join(parts) + ".", method, *values)


def _kind_blocks(kind: Results, taken_from: float | None) -> tuple[Block, ...]:
    text = _KINDS[kind["kind"]]
    shortcuts, rows = kind["shortcuts"], kind.get("rows") or ()
    taken = sentence(
        "The shortcut was learned in *{}* of {} cases (a label in a trained model). Only these are used to measure "
        "methods.",
        count(kind.get("taken")),
        count(len(shortcuts)),
    )
    return (
        Block(text.title, (sentence(text.about), taken), table=_methods_table(kind) if rows else None),
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
            f"cases. A random order has an expected precision of {share_cell(kind.get('chance')).text}.",
            verdicts_note(against),
        ),
    )


def _baits_table(shortcuts: list[Results], taken_from: float | None, *, decoys: bool) -> Table:
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
            f"A shortcut counts as learned if it changes at least {share_cell(taken_from).text} of the predictions "
            "of other labels on held-out documents"
            + (", and most documents with a decoy keep theirs." if decoys else "."),
        ),
    )


def roar_finding(roar: Results) -> Sentence:
    """The RACU of the first method."""
    first = next(iter(roar.get("rows") or ()), None)
    racu = finite(first.get("racu")) if first else None
    if not first or racu is None:
        return ()
    pattern = (
        "Recursive ROAR: if the words that *{}* ranks highest are masked and models are trained again, the relative "
        f"area between the accuracy curves (RACU) is *{{}}*{too_few(roar.get('held_out_documents'))}; random masking "
        "has 0%."
    )
    return sentence(pattern, first["method"], share_text(racu))


def roar_section(roar: Results) -> Section:
    """Accuracy against the share of masked words, and RACU."""
    rows = roar["rows"]
    against = rows[0]["method"]
    several = len(roar.get("seeds") or ()) > 1
    seeds = f"{count(len(roar['seeds']))} seeds" if several else "1 seed"
    table = Table(
        "Relative area between the curves of the method and of random masking (RACU)",
        head(
            "method",
            "RACU ↑",
            "standard deviation",
            f"difference of areas from {against}",
            "95% interval",
            "text:verdict",
        ),
        tuple(
            (
                Cell(row["method"]),
                share_cell(row.get("racu")),
                share_cell(row.get("racu_sd") if several else None),
                *difference_cells(row.get("difference")),
            )
            for row in rows
        ),
        (
            f"RACU is the mean over {seeds}{', with its standard deviation' if several else ''}. 0% is as good as "
            "random masking. The difference is that of the areas under the curves of single documents: a smaller "
            "area is better.",
            verdicts_note(against),
        ),
    )
    figure = Drawing(Markup(masking_figure(rows, uid="masking")), f"Bands: range over {seeds}." if several else "")
    return Section(
        "roar",
        "Recursive ROAR: masking and retraining",
        "Do models become less accurate if they never see the relevant words? The most relevant words of each "
        "document for its true label are masked: a made-up word replaces them. Then a model with the options of this "
        f"model is trained on {documents(roar.get('training_documents'))} and classifies the "
        f"{documents(roar.get('held_out_documents'))} that were held out, masked in the same way. In each step, the "
        "model of the step before computes the relevance. No model reads masked text that it was not trained on. "
        "Which words are masked depends on the true label, so a model can learn something from what is left. This "
        "raises the curve of a method, not that of random masking.",
        "a curve below that of random masking, and a high RACU",
        "Madsen et al., “Evaluating the Faithfulness of Importance Measures in NLP by Recursively Masking Allegedly "
        "Important Tokens and Retraining”, Findings of EMNLP 2022",
        (Block(figures=(figure,), table=table),),
    )
