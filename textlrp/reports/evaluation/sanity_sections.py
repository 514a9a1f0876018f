"""The sections about randomized weights: the rise of complexity, and the rank correlation."""

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
    interval_cell,
    interval_text,
    sentence,
    share_cell,
    verdicts_note,
)


def sanity_section(sanity: Results) -> Section:
    """The rise of complexity when all weights are randomized, for every method."""
    against = sanity["against"]
    table = Table(
        f"Complexity of explanations, {documents(sanity.get('documents'))}",
        head(
            "method",
            "relative rise ↑",
            "trained",
            "randomized",
            "documents",
            f"difference from {against}",
            "95% interval",
            "text:verdict",
        ),
        tuple(
            (
                Cell(row["method"]),
                share_cell(row.get("rise"), row.get("interval")),
                figure_cell(row.get("original"), 2, look="soft"),
                figure_cell(row.get("randomized"), 2, look="soft"),
                Cell(count(row.get("n_documents")), "num soft"),
                *difference_cells(row.get("difference")),
            )
            for row in sanity["rows"]
        ),
        ("Below each rise: its 95% bootstrap interval. Differences are in shares of 1.", verdicts_note(against)),
    )
    no_rise = [
        row["method"]
        for row in sanity["rows"]
        if row["method"] != "random" and interval_text(row.get("interval")) and row["interval"][0] <= 0.0
    ]
    intro = [
        sentence(
            "An earlier test randomizes the layers one after another and computes rank correlations (--measure "
            "cascade). It is criticized: its result depends on the order of the layers and on the sign and scale of "
            "relevance, and noise in an explanation alone lowers a rank correlation (Sundararajan and Taly 2018; "
            "Hedström et al. 2024)."
        )
    ]
    if no_rise:
        intro.append(sentence("No rise at 95%: *{}*.", ", ".join(no_rise)))
    return Section(
        "sanity",
        "Sanity check: randomized weights",
        "Do explanations depend on what the model learned? All weights are shuffled, and the documents are explained "
        "again for the same classes (efficient model parameter randomization test). Complexity is the entropy of the "
        "histogram of the words’ relevance. It is low if a few words have most of the relevance. Without anything "
        "learned, explanations must become more complex. Random relevance does not depend on the model and has no "
        "rise.",
        "a rise above that of random relevance",
        "Hedström et al., Sanity Checks Revisited, 2024",
        (Block(intro=tuple(intro), table=table),),
    )


def cascade_section(cascade: Results) -> Section:
    """Rank correlation with explanations of the model with randomized weights."""
    table = Table(
        f"Agreement with explanations of the randomized model, {documents(cascade.get('documents'))}",
        head("randomized from the output to", "rank correlation", "95% interval"),
        tuple(
            (Cell(row["layer"]), figure_cell(row.get("rank_correlation"), 2), interval_cell(row.get("interval"), 2))
            for row in cascade["rows"]
        ),
    )
    return Section(
        "cascade",
        "Cascading randomization",
        "Do explanations depend on what the model learned? In the model parameter randomization test, the weights "
        "are shuffled layer by layer, starting at the output, and the documents are explained again for the same "
        "classes. Explanations that depend on the model must change. A noisy explanation has a low rank correlation "
        "too, so a low value does not prove that the method is faithful.",
        "a rank correlation near 0",
        "Adebayo et al., Sanity Checks for Saliency Maps, NeurIPS 2018",
        (Block(table=table),),
    )
